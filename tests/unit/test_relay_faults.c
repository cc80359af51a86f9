/* The relay against every fault of an upstream, on a network and a clock of the test's own. */
#include "relay_bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "dns/rr.h"
#include "dns/wire.h"

struct fault {
	const char *name;
	const char *udp[3], *tcp[3]; /* NULL: no such server; tcp NULL: "ok" */
	const char *outcome; /* with the extended error, if there is one */
	unsigned min_ms, max_ms;
	unsigned udp_sent, tcp_sent;
};

static const struct fault faults[] = {
        {"good", {"ok"}, {0}, "NOERROR good", 1, 1, 1, 0},
        {"U1: no answer, one server", {"drop"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U1: no answer, two servers", {"drop", "drop"}, {0}, "SERVFAIL 22", 4400, 4520, 4, 0},
        {"U2: first try lost", {"drop ok"}, {0}, "NOERROR good", 400, 450, 2, 0},
        {"U2: first server dead", {"drop", "ok"}, {0}, "NOERROR good", 400, 450, 2, 0},
        {"U2: two tries lost", {"drop", "drop", "ok"}, {0}, "NOERROR good", 1000, 1050, 3, 0},
        {"U3: slow 1.5 s", {"ok@1500 drop"}, {0}, "NOERROR good", 1500, 1501, 2, 0},
        {"U3: slow 1.5 s, next server dead", {"ok@1500 drop", "drop"}, {0}, "NOERROR good", 1500,
                1501, 3, 0},
        {"U4: slow 4 s", {"ok@4000 drop"}, {0}, "NOERROR good", 4000, 4001, 2, 0},
        {"slower than the deadline", {"ok@4900"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U5: SERVFAIL, one server", {"servfail"}, {0}, "SERVFAIL", 1, 10, 2, 0},
        {"U5: SERVFAIL, next server ok", {"servfail", "ok"}, {0}, "NOERROR good", 1, 10, 2, 0},
        {"U5: SERVFAIL everywhere", {"servfail", "servfail", "servfail"}, {0}, "SERVFAIL", 1, 10, 3,
                0},
        {"U6: SERVFAIL then ok", {"servfail ok"}, {0}, "NOERROR good", 1, 10, 2, 0},
        {"U7: REFUSED, one server", {"refused"}, {0}, "REFUSED", 1, 1, 1, 0},
        {"U7: REFUSED, next server ok", {"refused", "ok"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"U7: REFUSED and SERVFAIL", {"refused", "servfail"}, {0}, "SERVFAIL", 2, 2, 2, 0},
        {"U8: NOTIMP", {"notimp"}, {0}, "NOTIMP", 1, 1, 1, 0},
        {"U8: FORMERR to EDNS", {"noedns"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"U8: FORMERR without a question", {"bareformerr ok"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"U8: FORMERR to all", {"formerr"}, {0}, "FORMERR", 2, 2, 2, 0},
        {"U8: FORMERR to all, next ok", {"formerr", "ok"}, {0}, "NOERROR good", 3, 3, 3, 0},
        {"one silent, one SERVFAIL", {"drop", "servfail"}, {0}, "SERVFAIL", 1400, 1450, 2, 0},
        {"one slow, one SERVFAIL", {"ok@900", "servfail"}, {0}, "NOERROR good", 900, 900, 2, 0},
        {"U9: NXDOMAIN without SOA", {"nxdomain"}, {0}, "NXDOMAIN", 1, 1, 1, 0},
        {"U9: no data without SOA", {"nodata"}, {0}, "NOERROR", 1, 1, 1, 0},
        {"U10: wrong ID, then good", {"wrongid+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U11: wrong question, then good", {"wrongq+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U11: wrong type, then good", {"wrongtype+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U12: QR=0, then good", {"qr0+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U13: malformed, then good", {"malformed+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U14: 3 octets, then good", {"short+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U14: empty, then good", {"empty+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U16: only wrong IDs", {"wrongid"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U16: only wrong questions", {"wrongq"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U16: only queries", {"qr0"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U16: only malformed", {"malformed"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U16: only 3 octets", {"short"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U16: only empty", {"empty"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U17: NOTIFY, then good", {"notify+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U17: only NOTIFY", {"notify"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U18: pointer loop", {"loop"}, {0}, "SERVFAIL 22", 4400, 4520, 2, 0},
        {"U18: pointer loop, next ok", {"loop", "ok"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"U18: pointer into the header", {"header+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U19: TC", {"tc"}, {"ok"}, "NOERROR good", 2, 2, 1, 1},
        {"U19: TC, TCP an octet at a time", {"tc"}, {"bytes"}, "NOERROR good", 2, 100, 1, 1},
        {"U20: TC, TCP refused", {"tc"}, {"refuse"}, "NOERROR TC", 2, 2, 1, 1},
        {"U20: TC, TCP refused, next ok", {"tc", "ok"}, {"refuse"}, "NOERROR good", 3, 3, 2, 1},
        {"U20: TC, TCP closed always", {"tc"}, {"close"}, "NOERROR TC", 3, 3, 1, 2},
        {"U20: TC, malformed on TCP", {"tc"}, {"malformed"}, "NOERROR TC", 2, 2, 1, 1},
        {"U20: TC, TCP silent", {"tc drop"}, {"drop"}, "NOERROR TC", 4400, 4520, 1, 1},
        {"U20: TC, TCP silent, next ok", {"tc", "ok"}, {"drop"}, "NOERROR good", 1000, 1050, 2, 1},
        {"U21: closed before the reply", {"tc"}, {"close ok"}, "NOERROR good", 3, 3, 1, 2},
        {"U21: closed behind the reply", {"tc"}, {"last"}, "NOERROR good", 2, 2, 1, 1},
        {"U21: reset before the reply", {"tc"}, {"reset ok"}, "NOERROR good", 3, 3, 1, 2},
        {"U21: reset inside the reply", {"tc"}, {"cut40 ok"}, "NOERROR good", 4, 4, 1, 2},
        {"U21: length 0", {"tc"}, {"zero ok"}, "NOERROR good", 3, 3, 1, 2},
        {"U24: TTL of 2^31 + 1", {"ttl"}, {0}, "NOERROR good", 1, 1, 1, 0},
        {"U25: 60 addresses", {"sixty"}, {0}, "NOERROR good", 1, 1, 1, 0},
        {"U26: BADVERS", {"badvers"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"U34: port unreachable", {"icmp"}, {0}, "SERVFAIL 23", 400, 450, 2, 0},
        {"U34: port unreachable, next ok", {"icmp", "ok"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"U34: all unreachable", {"icmp", "icmp"}, {0}, "SERVFAIL 23", 400, 450, 4, 0},
        {"U34: forged ICMP, then good", {"icmp@1+ok drop"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"U34: EPERM, next ok", {"eperm@0", "ok"}, {0}, "NOERROR good", 1, 1, 2, 0},
        {"U34: ENETUNREACH, next ok", {"nonet@0", "ok"}, {0}, "NOERROR good", 1, 1, 2, 0},
        {"U34: ENOBUFS, next ok", {"nobufs@0", "ok"}, {0}, "NOERROR good", 1, 1, 2, 0},
        {"U34: EPERM everywhere", {"eperm@0", "eperm@0"}, {0}, "SERVFAIL 23", 400, 450, 4, 0},
};

static void check_fault(const struct fault *f)
{
	static struct asked a;
	uint64_t start;
	unsigned n = 0;
	char got[160], want[160], ede[16] = "";

	memset(servers, 0, sizeof(servers));
	for (; n < 3 && f->udp[n] != NULL; n++) {
		servers[n].udp = f->udp[n];
		servers[n].tcp = f->tcp[n] == NULL ? "ok" : f->tcp[n];
	}
	set_up(n);
	start = fake_now_ms();
	ask(&a, "www.example.org");
	fake_advance(6000);
	assert_true(a.is_done);
	if (a.ede != EDE_NONE)
		snprintf(ede, sizeof(ede), " %u", a.ede);
	snprintf(got, sizeof(got), "%s: %s%s u%u/t%u", f->name, outcome(&a), ede, fake_net.udp_sent,
	        fake_net.tcp_sent);
	snprintf(want, sizeof(want), "%s: %s u%u/t%u", f->name, f->outcome, f->udp_sent,
	        f->tcp_sent);
	assert_string_equal(got, want);
	snprintf(got, sizeof(got), "%s: after %u ms", f->name, (unsigned)(a.done_ms - start));
	if (a.done_ms - start < f->min_ms || a.done_ms - start > f->max_ms)
		fail_msg("%s, expected %u to %u", got, f->min_ms, f->max_ms);
	assert_int_equal(relay_in_flight(relay), 0);
	tear_down();
}

static void every_fault_has_its_outcome(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		check_fault(&faults[i]);
}

static void ignored_replies_are_counted_by_reason(void **state)
{
	static const struct {
		const char *word;
		enum relay_bad reason;
	} rows[] = {
	        {"short", BAD_SHORT},
	        {"empty", BAD_SHORT},
	        {"qr0", BAD_QR},
	        {"notify", BAD_OPCODE},
	        {"wrongid", BAD_ID},
	        {"wrongq", BAD_QUESTION},
	        {"wrongtype", BAD_QUESTION},
	        {"malformed", BAD_MALFORMED},
	        {"loop", BAD_MALFORMED},
	};
	static struct asked a;
	char script[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(script, sizeof(script), "%s+ok", rows[i].word);
		one_question(script, "ok");
		ask(&a, "www.example.org");
		fake_advance(100);
		assert_string_equal(outcome(&a), "NOERROR good");
		for (int reason = 0; reason < BAD_REASONS; reason++)
			assert_int_equal(stats[0].bad[reason], reason == (int)rows[i].reason);
		tear_down();
	}
}

static void a_stream_may_break_anywhere(void **state)
{
	static struct asked a;
	char script[32];

	(void)state;
	for (unsigned n = 1; n < 2 + MSG_HEADER + 21 + 16; n++) {
		snprintf(script, sizeof(script), "cut%u ok", n);
		one_question("tc", script);
		ask(&a, "www.example.org");
		fake_advance(100);
		assert_string_equal(outcome(&a), "NOERROR good");
		assert_int_equal(servers[0].tcp_count, 2);
		tear_down();
	}
}

static void replies_that_arrive_together_are_told_apart(void **state)
{
	static struct asked a, b;

	(void)state;
	one_question("tc", "glue ok");
	ask(&a, "a.example.org");
	ask(&b, "b.example.org");
	fake_advance(100);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_string_equal(outcome(&b), "NOERROR good");
	assert_int_equal(fake_net.tcp_opened, 1);
	tear_down();
}

static void an_idle_connection_that_ends_as_we_send_is_made_again(void **state)
{
	static const char *const scripts[] = {"ok reset ok", "ok close ok"};
	static struct asked a;
	uint64_t start;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		one_question("tc", scripts[i]);
		ask(&a, "a.example.org");
		fake_advance(3000);
		assert_string_equal(outcome(&a), "NOERROR good");
		assert_int_equal(fake_net.tcp_opened, 1);
		start = fake_now_ms();
		ask(&a, "b.example.org");
		fake_advance(100);
		assert_string_equal(outcome(&a), "NOERROR good");
		assert_in_range(a.done_ms - start, 1, 5);
		assert_int_equal(fake_net.tcp_opened, 2);
		tear_down();
	}
}

/* Ask a server that replies as word says; what is handed on is one record, with this TTL. */
static void check_clean(const char *word, uint32_t ttl)
{
	static struct asked a;

	one_question(word, "ok");
	ask(&a, "www.example.org");
	fake_advance(100);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_int_equal(get16(a.message + 6), 1);
	assert_int_equal(get16(a.message + 8), 0);
	assert_int_equal(get16(a.message + 10), 0);
	assert_int_equal(get32(a.message + a.len - 10), ttl);
	assert_int_equal(fake_net.udp_sent, 1);
	tear_down();
}

static void records_beside_the_chain_are_dropped(void **state)
{
	(void)state;
	check_clean("extra", 300);
}

static void a_ttl_with_the_high_bit_is_0(void **state)
{
	(void)state;
	check_clean("ttl", 0);
}

static void the_opt_record_stays_here(void **state)
{
	(void)state;
	check_clean("opt", 300);
}

static void without_a_route_the_answer_is_servfail_within_the_schedule(void **state)
{
	static const int errors[] = {-ENETUNREACH, -EPERM, -ENOBUFS, -EMFILE};
	static struct asked a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		one_question("ok", "ok");
		fake_net.open_error = errors[i];
		ask(&a, "www.example.org");
		fake_advance(500);
		assert_string_equal(outcome(&a), "SERVFAIL");
		assert_int_equal(a.ede, EDE_NETWORK);
		assert_int_equal(a.error, errors[i]);
		fake_net.open_error = 0;
		tear_down();
	}
}

/* --- forged replies --- */

/* One forged reply for the question in last_sent, with something wrong. */
static size_t forge(uint8_t *out, int i)
{
	static const char *const ways[] = {
	        "wrongq", "wrongtype", "qr0", "notify", "malformed", "loop", "short"};
	size_t n;

	if (i % 8 < 7)
		return make(out, last_sent.data, ways[i % 8]);
	n = make(out, last_sent.data, "wrongid");
	do
		put16(out, (uint16_t)rand_u64());
	while (get16(out) == get16(last_sent.data));
	return n;
}

static void none_of_a_million_forged_replies_is_accepted(void **state)
{
	enum { QUESTIONS = 10000, FORGED = 100 };
	static struct asked a;
	uint8_t out[RELAY_DATAGRAM_MAX];
	uint64_t bad = 0;
	char name[64];

	(void)state;
	rand_seed(1);
	one_question("ok", "ok");
	fake_net.on_send = keep_sent;
	for (int i = 0; i < QUESTIONS; i++) {
		snprintf(name, sizeof(name), "n%d.example.org", i);
		ask(&a, name);
		fake_advance(0);
		for (int k = 0; k < FORGED; k++)
			fake_reply(&last_sent, 1, out, forge(out, i + k));
		fake_advance(2);
		assert_false(a.is_done);
		fake_reply(&last_sent, 0, out, make(out, last_sent.data, "ok"));
		fake_advance(1);
		assert_string_equal(outcome(&a), "NOERROR good");
	}
	for (int reason = 0; reason < BAD_REASONS; reason++)
		bad += stats[0].bad[reason];
	assert_int_equal(bad, QUESTIONS * FORGED);
	tear_down();
}

#define ROW(name, function)                      \
	{                                        \
		name, function, NULL, NULL, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_fault_has_its_outcome),
	        ROW("U16: ignored replies are counted by reason",
	                ignored_replies_are_counted_by_reason),
	        ROW("U21: a stream may break anywhere", a_stream_may_break_anywhere),
	        ROW("U21: replies that arrive together are told apart",
	                replies_that_arrive_together_are_told_apart),
	        ROW("U22: an idle connection that ends as we send is made again",
	                an_idle_connection_that_ends_as_we_send_is_made_again),
	        ROW("U23: records beside the chain are dropped",
	                records_beside_the_chain_are_dropped),
	        ROW("U24: a TTL with the high bit is 0", a_ttl_with_the_high_bit_is_0),
	        ROW("U26: an OPT record stays here", the_opt_record_stays_here),
	        ROW("U34: without a route the answer is SERVFAIL within the schedule",
	                without_a_route_the_answer_is_servfail_within_the_schedule),
	        ROW("U35: none of 10^6 forged replies is accepted",
	                none_of_a_million_forged_replies_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
