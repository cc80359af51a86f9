/* The relay against every fault of an upstream, on a network and a clock of the test's own. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "fake_relay_io.h"
#include "net/relay.h"

#define SERVERS_MAX 4

struct server {
	const char *udp, *tcp; /* what it does, one word a query; the last one repeats */
	unsigned udp_count, tcp_count;
	uint8_t carry[1024]; /* a reply that is glued to the next */
	size_t carry_len;
};

struct asked {
	struct relay_waiter waiter;
	bool is_done;
	uint64_t done_ms;
	uint16_t rcode, ede;
	bool is_truncated, is_authentic;
	size_t len;
	uint8_t message[65535];
};

static struct server servers[SERVERS_MAX];
static struct relay_stats stats[SERVERS_MAX];
static struct relay *relay;
static struct relay_totals totals;
static struct relay_config config;

/* --- an upstream that does as its script says --- */

static size_t question_end(const uint8_t *query)
{
	return MSG_HEADER + name_len(query + MSG_HEADER) + 4;
}

static size_t start_reply(uint8_t *out, const uint8_t *query, uint16_t flags)
{
	size_t n = question_end(query);

	memcpy(out, query, n);
	put16(out + 2, (uint16_t)(FLAG_QR | FLAG_RD | FLAG_RA | flags));
	memset(out + 6, 0, 6);
	return n;
}

static size_t add_rr(
        uint8_t *out, size_t at, const char *owner, uint16_t type, const void *rdata, size_t n)
{
	struct name name;

	if (owner == NULL) {
		put16(out + at, 0xc00c);
		at += 2;
	} else {
		must(name_from_text(&name, str_from(owner), NULL) == 0);
		memcpy(out + at, name.wire, name.len);
		at += name.len;
	}
	put16(out + at, type);
	put16(out + at + 2, CLASS_IN);
	put32(out + at + 4, 300);
	put16(out + at + 8, (uint16_t)n);
	memcpy(out + at + 10, rdata, n);
	return at + 10 + n;
}

static const uint8_t good_ip[4] = {10, 0, 0, 1}, bad_ip[4] = {6, 6, 6, 6};

static size_t good(uint8_t *out, const uint8_t *query, const uint8_t *ip)
{
	size_t n = start_reply(out, query, 0);

	put16(out + 6, 1);
	return add_rr(out, n, NULL, TYPE_A, ip, 4);
}

/* The reply that a word stands for; 0: none. */
static size_t make(uint8_t *out, const uint8_t *query, const char *word)
{
	size_t n = good(out, query, bad_ip);

	if (strcmp(word, "ok") == 0)
		return good(out, query, good_ip);
	if (strcmp(word, "servfail") == 0)
		return start_reply(out, query, RCODE_SERVFAIL);
	if (strcmp(word, "refused") == 0)
		return start_reply(out, query, RCODE_REFUSED);
	if (strcmp(word, "notimp") == 0)
		return start_reply(out, query, RCODE_NOTIMP);
	if (strcmp(word, "nxdomain") == 0)
		return start_reply(out, query, RCODE_NXDOMAIN);
	if (strcmp(word, "noedns") == 0)
		return get16(query + 10) == 0 ? good(out, query, good_ip)
		                              : start_reply(out, query, RCODE_FORMERR);
	if (strcmp(word, "formerr") == 0)
		return start_reply(out, query, RCODE_FORMERR);
	if (strcmp(word, "bareformerr") == 0) {
		start_reply(out, query, RCODE_FORMERR);
		put16(out + 4, 0);
		return MSG_HEADER;
	}
	if (strcmp(word, "tc") == 0)
		return start_reply(out, query, FLAG_TC);
	if (strcmp(word, "wrongid") == 0)
		out[0] ^= 0x55;
	else if (strcmp(word, "wrongq") == 0)
		out[MSG_HEADER + 1] ^= 1;
	else if (strcmp(word, "wrongtype") == 0)
		out[question_end(query) - 3] ^= 1;
	else if (strcmp(word, "qr0") == 0)
		out[2] &= 0x7f;
	else if (strcmp(word, "notify") == 0)
		out[2] |= OPCODE_NOTIFY << 3;
	else if (strcmp(word, "malformed") == 0)
		put16(out + n - 6, 400);
	else if (strcmp(word, "loop") == 0)
		put16(out + question_end(query), (uint16_t)(0xc000 | question_end(query)));
	else if (strcmp(word, "header") == 0)
		put16(out + question_end(query), 0xc000);
	else if (strcmp(word, "short") == 0)
		return 3;
	else if (strcmp(word, "empty") == 0)
		return 0;
	else
		fail_msg("unknown word %s", word);
	return n;
}

/* One word: NAME, NAME@DELAY, drop, or two joined by + (the second 50 ms later). */
static void act_udp(const struct fake_sent *sent, const char *word)
{
	uint8_t out[RELAY_DATAGRAM_MAX];
	char name[32];
	unsigned delay = 1;
	const char *plus = strchr(word, '+');

	if (plus != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(plus - word), word);
		act_udp(sent, name);
		snprintf(name, sizeof(name), "%s@51", plus + 1);
		act_udp(sent, name);
		return;
	}
	sscanf(word, "%31[a-z0-9]@%u", name, &delay);
	if (strcmp(name, "drop") == 0)
		return;
	if (strcmp(name, "icmp") == 0)
		fake_error(sent, delay, -ECONNREFUSED);
	else
		fake_reply(sent, delay, out, make(out, sent->data, name));
}

static size_t framed(uint8_t *out, const uint8_t *query, const char *word)
{
	size_t n = make(out + 2, query, word);

	put16(out, (uint16_t)n);
	return n + 2;
}

static void act_tcp(struct server *s, const struct fake_sent *sent, const char *word)
{
	uint8_t out[4096];
	size_t n;

	if (strcmp(word, "close") == 0) {
		fake_error(sent, 1, 0);
	} else if (strcmp(word, "reset") == 0) {
		fake_error(sent, 1, -ECONNRESET);
	} else if (strcmp(word, "refuse") == 0) {
		fake_error(sent, 1, -ECONNREFUSED);
	} else if (strcmp(word, "zero") == 0) {
		fake_reply(sent, 1, "\0\0", 2);
	} else if (strcmp(word, "cutreset") == 0) {
		n = framed(out, sent->data, "ok");
		fake_reply(sent, 1, out, n - 7);
		fake_error(sent, 2, -ECONNRESET);
	} else if (strcmp(word, "bytes") == 0) {
		n = framed(out, sent->data, "ok");
		for (size_t i = 0; i < n; i++)
			fake_reply(sent, 1 + i, out + i, 1);
	} else if (strcmp(word, "glue") == 0) {
		s->carry_len = framed(s->carry, sent->data, "ok");
	} else if (strcmp(word, "drop") != 0) {
		memcpy(out, s->carry, s->carry_len);
		n = framed(out + s->carry_len, sent->data, word);
		fake_reply(sent, 1, out, s->carry_len + n);
		s->carry_len = 0;
	}
}

static bool is_probe(const struct fake_sent *sent)
{
	return sent->data[MSG_HEADER] == 0 && sent->data[MSG_HEADER + 2] == TYPE_NS;
}

static void on_send(const struct fake_sent *sent)
{
	struct server *s = &servers[addr_port(&sent->to) - 53];
	struct str rest = str_from(sent->is_tcp ? s->tcp : s->udp), word = {0}, next;
	unsigned i = sent->is_tcp ? s->tcp_count : s->udp_count;
	char text[64];

	if (is_probe(sent)) {
		fake_net.udp_sent -= !sent->is_tcp;
		fake_net.tcp_sent -= sent->is_tcp;
	} else {
		s->udp_count += !sent->is_tcp;
		s->tcp_count += sent->is_tcp;
	}
	for (unsigned k = 0; k <= i && (next = str_word(&rest)).len > 0; k++)
		word = next;
	snprintf(text, sizeof(text), "%.*s", (int)word.len, word.at);
	if (sent->is_tcp)
		act_tcp(s, sent, text);
	else
		act_udp(sent, text);
}

/* --- asking --- */

static void set_up(unsigned n)
{
	struct relay_target targets[SERVERS_MAX];

	fake_net_reset();
	fake_net.on_send = on_send;
	memset(stats, 0, sizeof(stats));
	memset(&totals, 0, sizeof(totals));
	relay = relay_new(&fake_host, &totals);
	fake_net_own(relay);
	relay_config_init(&config);
	config.policy = RELAY_SEQUENTIAL;
	for (unsigned i = 0; i < n; i++) {
		addr_from_text(&targets[i].addr, STR("192.0.2.1"), (uint16_t)(53 + i));
		targets[i].stats = &stats[i];
	}
	relay_set(relay, &config, targets, n);
}

static void tear_down(void)
{
	relay_free(relay);
	fake_net_reset();
}

static size_t make_query(uint8_t *out, struct msg *m, const char *name, uint16_t type)
{
	struct name n;

	must(name_from_text(&n, str_from(name), NULL) == 0);
	memset(out, 0, MSG_HEADER);
	put16(out, 0x1234);
	put16(out + 2, FLAG_RD);
	put16(out + 4, 1);
	memcpy(out + MSG_HEADER, n.wire, n.len);
	put16(out + MSG_HEADER + n.len, type);
	put16(out + MSG_HEADER + n.len + 2, CLASS_IN);
	must(msg_parse(m, out, MSG_HEADER + n.len + 4u) == MSG_ANSWER);
	return MSG_HEADER + n.len + 4u;
}

static void on_reply(struct relay_waiter *w, const struct relay_reply *reply)
{
	struct asked *a = (struct asked *)w;

	assert_false(a->is_done);
	a->is_done = true;
	a->done_ms = fake_now_ms();
	a->rcode = reply->rcode;
	a->ede = reply->ede;
	a->is_truncated = reply->is_truncated;
	a->is_authentic = reply->is_authentic;
	a->len = reply->message == NULL ? 0 : reply->len;
	if (reply->message != NULL)
		memcpy(a->message, reply->message, reply->len);
}

static void ask(struct asked *a, const char *name)
{
	uint8_t wire[512];
	struct msg m;

	a->is_done = false;
	a->waiter.on_reply = on_reply;
	make_query(wire, &m, name, TYPE_A);
	relay_ask(relay, wire, &m, &a->waiter);
}

/* What came back in a few words: RCODE, TC, the last octets of the answer. */
static const char *outcome(const struct asked *a)
{
	static char text[64];
	char rcode[16];

	if (!a->is_done)
		return "nothing";
	snprintf(text, sizeof(text), "%s%s%s", rcode_text(a->rcode, rcode),
	        a->is_truncated ? " TC" : "",
	        a->len == 0 || get16(a->message + 6) == 0          ? ""
	        : memcmp(a->message + a->len - 4, good_ip, 4) == 0 ? " good"
	                                                           : " BAD");
	return text;
}

/* --- the fault table --- */

struct fault {
	const char *name;
	const char *udp[3], *tcp[3]; /* NULL: no such server; tcp NULL: "ok" */
	const char *outcome;
	unsigned min_ms, max_ms;
	unsigned udp_sent, tcp_sent;
};

static const struct fault faults[] = {
        {"good", {"ok"}, {0}, "NOERROR good", 1, 1, 1, 0},
        {"no answer, one server", {"drop"}, {0}, "SERVFAIL", 4400, 4520, 2, 0},
        {"no answer, two servers", {"drop", "drop"}, {0}, "SERVFAIL", 4400, 4520, 4, 0},
        {"first try lost", {"drop ok"}, {0}, "NOERROR good", 400, 450, 2, 0},
        {"first server dead", {"drop", "ok"}, {0}, "NOERROR good", 400, 450, 2, 0},
        {"slow 1.5 s", {"ok@1500 drop"}, {0}, "NOERROR good", 1500, 1501, 2, 0},
        {"slow 4 s", {"ok@4000 drop"}, {0}, "NOERROR good", 4000, 4001, 2, 0},
        {"slower than the deadline", {"ok@4900"}, {0}, "SERVFAIL", 4400, 4520, 2, 0},
        {"SERVFAIL, one server", {"servfail"}, {0}, "SERVFAIL", 1, 10, 2, 0},
        {"SERVFAIL then ok", {"servfail ok"}, {0}, "NOERROR good", 1, 10, 2, 0},
        {"SERVFAIL, next server ok", {"servfail", "ok"}, {0}, "NOERROR good", 1, 10, 2, 0},
        {"SERVFAIL everywhere", {"servfail", "servfail", "servfail"}, {0}, "SERVFAIL", 1, 10, 3, 0},
        {"REFUSED, one server", {"refused"}, {0}, "REFUSED", 1, 1, 1, 0},
        {"REFUSED, next server ok", {"refused", "ok"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"REFUSED and SERVFAIL", {"refused", "servfail"}, {0}, "SERVFAIL", 2, 2, 2, 0},
        {"NOTIMP", {"notimp"}, {0}, "NOTIMP", 1, 1, 1, 0},
        {"one silent, one SERVFAIL", {"drop", "servfail"}, {0}, "SERVFAIL", 1400, 1450, 2, 0},
        {"one slow, one SERVFAIL", {"ok@900", "servfail"}, {0}, "NOERROR good", 900, 900, 2, 0},
        {"FORMERR to EDNS", {"noedns"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"FORMERR without a question", {"bareformerr ok"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"FORMERR to all", {"formerr"}, {0}, "FORMERR", 2, 2, 2, 0},
        {"FORMERR to all, next ok", {"formerr", "ok"}, {0}, "NOERROR good", 3, 3, 3, 0},
        {"NXDOMAIN without SOA", {"nxdomain"}, {0}, "NXDOMAIN", 1, 1, 1, 0},
        {"wrong ID, then good", {"wrongid+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"wrong question, then good", {"wrongq+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"wrong type, then good", {"wrongtype+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"QR=0, then good", {"qr0+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"malformed, then good", {"malformed+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"NOTIFY, then good", {"notify+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"3 octets, then good", {"short+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"empty, then good", {"empty+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"only wrong IDs", {"wrongid"}, {0}, "SERVFAIL", 4400, 4520, 2, 0},
        {"only wrong questions", {"wrongq"}, {0}, "SERVFAIL", 4400, 4520, 2, 0},
        {"only NOTIFY", {"notify"}, {0}, "SERVFAIL", 4400, 4520, 2, 0},
        {"pointer loop", {"loop"}, {0}, "SERVFAIL", 4400, 4520, 2, 0},
        {"pointer loop, next ok", {"loop", "ok"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"pointer into the header", {"header+ok"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"port unreachable", {"icmp"}, {0}, "SERVFAIL", 400, 450, 2, 0},
        {"port unreachable, next ok", {"icmp", "ok"}, {0}, "NOERROR good", 2, 2, 2, 0},
        {"all unreachable", {"icmp", "icmp"}, {0}, "SERVFAIL", 400, 450, 4, 0},
        {"forged ICMP, then good", {"icmp@1+ok drop"}, {0}, "NOERROR good", 51, 51, 1, 0},
        {"TC", {"tc"}, {"ok"}, "NOERROR good", 2, 2, 1, 1},
        {"TC, TCP a byte at a time", {"tc"}, {"bytes"}, "NOERROR good", 2, 100, 1, 1},
        {"TC, TCP refused", {"tc"}, {"refuse"}, "NOERROR TC", 2, 2, 1, 1},
        {"TC, TCP refused, next ok", {"tc", "ok"}, {"refuse"}, "NOERROR good", 3, 3, 2, 1},
        {"TC, TCP closed once", {"tc"}, {"close ok"}, "NOERROR good", 3, 3, 1, 2},
        {"TC, TCP closed always", {"tc"}, {"close"}, "NOERROR TC", 3, 3, 1, 2},
        {"TC, reset once", {"tc"}, {"reset ok"}, "NOERROR good", 3, 3, 1, 2},
        {"TC, reset inside the reply", {"tc"}, {"cutreset ok"}, "NOERROR good", 4, 4, 1, 2},
        {"TC, length 0", {"tc"}, {"zero ok"}, "NOERROR good", 3, 3, 1, 2},
        {"TC, malformed on TCP", {"tc"}, {"malformed"}, "NOERROR TC", 2, 2, 1, 1},
        {"TC, TCP silent", {"tc drop"}, {"drop"}, "NOERROR TC", 4400, 4520, 1, 1},
        {"TC, TCP silent, next ok", {"tc", "ok"}, {"drop"}, "NOERROR good", 1000, 1050, 2, 1},
};

static void check_fault(const struct fault *f)
{
	static struct asked a;
	uint64_t start;
	unsigned n = 0;
	char got[160], want[160];

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
	snprintf(got, sizeof(got), "%s: %s u%u/t%u", f->name, outcome(&a), fake_net.udp_sent,
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

static void one_question(const char *udp, const char *tcp)
{
	memset(servers, 0, sizeof(servers));
	servers[0].udp = udp;
	servers[0].tcp = tcp;
	set_up(1);
}

static void equal_questions_in_flight_are_sent_once(void **state)
{
	enum { N = 1000 };
	struct asked *a = mem_array(N, sizeof(*a));

	(void)state;
	one_question("ok@100", "ok");
	for (int i = 0; i < N; i++)
		ask(&a[i], i % 2 ? "www.example.org" : "WWW.Example.ORG");
	fake_advance(1000);
	for (int i = 0; i < N; i++)
		assert_string_equal(outcome(&a[i]), "NOERROR good");
	assert_int_equal(fake_net.udp_sent, 1);
	tear_down();
	free(a);
}

static void a_cancelled_waiter_is_not_called_and_the_others_are(void **state)
{
	static struct asked a, b, c;

	(void)state;
	one_question("ok@100", "ok");
	ask(&a, "www.example.org");
	ask(&b, "www.example.org");
	ask(&c, "other.example.org");
	relay_cancel(&a.waiter);
	relay_cancel(&c.waiter);
	assert_int_equal(relay_in_flight(relay), 1);
	fake_advance(1000);
	assert_false(a.is_done);
	assert_false(c.is_done);
	assert_string_equal(outcome(&b), "NOERROR good");
	tear_down();
}

static void without_servers_the_answer_is_servfail_at_once(void **state)
{
	static struct asked a;

	(void)state;
	set_up(0);
	ask(&a, "www.example.org");
	assert_string_equal(outcome(&a), "SERVFAIL");
	assert_int_equal(a.ede, EDE_NO_REACHABLE);
	tear_down();
}

static void a_machine_without_network_answers_servfail_within_the_schedule(void **state)
{
	static struct asked a;

	(void)state;
	one_question("ok", "ok");
	fake_net.open_error = -ENETUNREACH;
	ask(&a, "www.example.org");
	fake_advance(500);
	assert_string_equal(outcome(&a), "SERVFAIL");
	assert_int_equal(a.ede, EDE_NETWORK);
	fake_net.open_error = 0;
	tear_down();
}

static void the_oldest_question_gives_way_when_too_many_are_in_flight(void **state)
{
	struct asked *a = mem_array(11, sizeof(*a));
	struct relay_target t = {.stats = &stats[0]};
	char name[64];

	(void)state;
	one_question("drop", "ok");
	config.in_flight_max = 10;
	addr_from_text(&t.addr, STR("192.0.2.1"), 53);
	relay_set(relay, &config, &t, 1);
	for (int i = 0; i < 11; i++) {
		snprintf(name, sizeof(name), "n%d.example.org", i);
		ask(&a[i], name);
	}
	assert_true(a[0].is_done);
	assert_false(a[1].is_done);
	assert_int_equal(relay_in_flight(relay), 10);
	assert_int_equal(totals.shed, 1);
	fake_advance(6000);
	assert_int_equal(relay_in_flight(relay), 0);
	tear_down();
	free(a);
}

static void pipelined_replies_on_one_connection_reach_their_questions(void **state)
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

static void an_idle_connection_is_used_again_then_closed(void **state)
{
	static struct asked a;

	(void)state;
	one_question("tc", "ok");
	ask(&a, "a.example.org");
	fake_advance(5000);
	ask(&a, "b.example.org");
	fake_advance(5000);
	assert_int_equal(fake_net.tcp_opened, 1);
	assert_int_equal(fake_net.tcp_open, 1);
	fake_advance(6000);
	assert_int_equal(fake_net.tcp_open, 0);
	tear_down();
}

static void sockets_are_many_and_are_retired_by_age_and_use(void **state)
{
	static struct asked a;
	char name[64];

	(void)state;
	one_question("ok", "ok");
	for (int i = 0; i < 3400; i++) {
		snprintf(name, sizeof(name), "n%d.example.org", i);
		ask(&a, name);
		fake_advance(1);
	}
	assert_true(fake_net.udp_opened > 16);
	assert_in_range(fake_net.udp_open, 8, 16);
	fake_advance(11000);
	assert_int_equal(fake_net.udp_open, 0);
	tear_down();
}

static void a_dead_server_is_probed_and_preferred_again_when_it_answers(void **state)
{
	static struct asked a;

	(void)state;
	memset(servers, 0, sizeof(servers));
	servers[0].udp = "drop";
	servers[1].udp = "ok";
	set_up(2);
	ask(&a, "a.example.org");
	fake_advance(3000);
	assert_true(stats[0].probe_failures >= 3);
	assert_int_equal(stats[0].is_down, 1);
	ask(&a, "b.example.org");
	fake_advance(10);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_int_equal(servers[0].udp_count, 1);
	servers[0].udp = "ok";
	fake_advance(600);
	assert_int_equal(stats[0].is_down, 0);
	ask(&a, "c.example.org");
	fake_advance(10);
	assert_int_equal(servers[0].udp_count, 2);
	tear_down();
}

static void when_all_are_down_one_is_asked_at_random(void **state)
{
	static struct asked a;

	(void)state;
	memset(servers, 0, sizeof(servers));
	servers[0].udp = "drop";
	servers[1].udp = "drop";
	set_up(2);
	ask(&a, "a.example.org");
	fake_advance(6000);
	assert_int_equal(stats[0].is_down + stats[1].is_down, 2);
	servers[0].udp = servers[1].udp = "ok";
	ask(&a, "b.example.org");
	fake_advance(10);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_true(totals.all_down >= 1);
	tear_down();
}

static void a_new_server_list_takes_over_and_old_questions_still_finish(void **state)
{
	static struct asked a, b;
	struct relay_target t = {.stats = &stats[1]};

	(void)state;
	memset(servers, 0, sizeof(servers));
	servers[0].udp = "ok@300";
	servers[1].udp = "ok";
	set_up(1);
	ask(&a, "a.example.org");
	fake_advance(10);
	addr_from_text(&t.addr, STR("192.0.2.1"), 54);
	relay_set(relay, &config, &t, 1);
	ask(&b, "b.example.org");
	fake_advance(10);
	assert_string_equal(outcome(&b), "NOERROR good");
	assert_false(a.is_done);
	fake_advance(400);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_int_equal(servers[0].udp_count, 1);
	assert_int_equal(servers[1].udp_count, 1);
	tear_down();
}

static void round_robin_begins_with_each_server_in_turn(void **state)
{
	static struct asked a;
	struct relay_target t[3];
	char name[64];

	(void)state;
	memset(servers, 0, sizeof(servers));
	servers[0].udp = servers[1].udp = servers[2].udp = "ok";
	set_up(3);
	config.policy = RELAY_ROUND_ROBIN;
	for (unsigned i = 0; i < 3; i++) {
		addr_from_text(&t[i].addr, STR("192.0.2.1"), (uint16_t)(53 + i));
		t[i].stats = &stats[i];
	}
	relay_set(relay, &config, t, 3);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "n%d.example.org", i);
		ask(&a, name);
		fake_advance(5);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(servers[i].udp_count, 10);
	tear_down();
}

static void with_force_tcp_no_datagram_leaves(void **state)
{
	static struct asked a;
	struct relay_target t = {.stats = &stats[0]};

	(void)state;
	one_question("drop", "ok");
	config.force_tcp = true;
	addr_from_text(&t.addr, STR("192.0.2.1"), 53);
	relay_set(relay, &config, &t, 1);
	ask(&a, "a.example.org");
	fake_advance(10);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_int_equal(fake_net.udp_sent, 0);
	tear_down();
}

static struct fake_sent last_sent;

static void keep_sent(const struct fake_sent *sent)
{
	if (!is_probe(sent))
		last_sent = *sent;
}

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

static void none_of_a_hundred_thousand_forged_replies_is_accepted(void **state)
{
	static struct asked a;
	uint8_t out[RELAY_DATAGRAM_MAX];
	char name[64];

	(void)state;
	rand_seed(1);
	one_question("ok", "ok");
	fake_net.on_send = keep_sent;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.example.org", i);
		ask(&a, name);
		fake_advance(0);
		for (int k = 0; k < 1000; k++)
			fake_reply(&last_sent, 1, out, forge(out, k));
		fake_advance(5);
		assert_false(a.is_done);
		fake_reply(&last_sent, 0, out, make(out, last_sent.data, "ok"));
		fake_advance(1);
		assert_string_equal(outcome(&a), "NOERROR good");
	}
	tear_down();
}

static void ids_differ_from_query_to_query(void **state)
{
	static uint8_t seen[65536];
	static struct asked a;
	char name[64];
	unsigned repeats = 0;

	(void)state;
	one_question("ok", "ok");
	fake_net.on_send = keep_sent;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d.example.org", i);
		ask(&a, name);
		fake_advance(0);
		repeats += seen[get16(last_sent.data)]++ > 0;
		relay_cancel(&a.waiter);
	}
	assert_true(repeats < 40); /* about 7.6 are expected */
	tear_down();
}

static void our_own_edns_replaces_the_clients(void **state)
{
	/* OPT: 4096 octets, DO, COOKIE (8), client subnet 192.0.2.0/24 */
	static const uint8_t opt[] = {0, 0, 41, 16, 0, 0, 0, 128, 0, 0, 23, 0, 10, 0, 8, 1, 2, 3, 4,
	        5, 6, 7, 8, 0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2};
	static const uint8_t ours[] = {
	        0, 0, 41, 0x04, 0xd0, 0, 0, 128, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2};
	uint8_t wire[512];
	struct msg m;
	static struct asked a;
	size_t n;

	(void)state;
	one_question("ok", "ok");
	fake_net.on_send = keep_sent;
	n = make_query(wire, &m, "a.example.org", TYPE_A);
	memcpy(wire + n, opt, sizeof(opt));
	put16(wire + 10, 1);
	assert_int_equal(msg_parse(&m, wire, n + sizeof(opt)), MSG_ANSWER);
	a.waiter.on_reply = on_reply;
	relay_ask(relay, wire, &m, &a.waiter);
	fake_advance(0);
	assert_int_equal(last_sent.len, n + sizeof(ours));
	assert_memory_equal(last_sent.data + n, ours, sizeof(ours));
	assert_memory_equal(last_sent.data + 2, wire + 2, n - 2);
	relay_cancel(&a.waiter);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_fault_has_its_outcome),
	        cmocka_unit_test(equal_questions_in_flight_are_sent_once),
	        cmocka_unit_test(a_cancelled_waiter_is_not_called_and_the_others_are),
	        cmocka_unit_test(without_servers_the_answer_is_servfail_at_once),
	        cmocka_unit_test(a_machine_without_network_answers_servfail_within_the_schedule),
	        cmocka_unit_test(the_oldest_question_gives_way_when_too_many_are_in_flight),
	        cmocka_unit_test(pipelined_replies_on_one_connection_reach_their_questions),
	        cmocka_unit_test(an_idle_connection_is_used_again_then_closed),
	        cmocka_unit_test(sockets_are_many_and_are_retired_by_age_and_use),
	        cmocka_unit_test(a_dead_server_is_probed_and_preferred_again_when_it_answers),
	        cmocka_unit_test(when_all_are_down_one_is_asked_at_random),
	        cmocka_unit_test(a_new_server_list_takes_over_and_old_questions_still_finish),
	        cmocka_unit_test(round_robin_begins_with_each_server_in_turn),
	        cmocka_unit_test(with_force_tcp_no_datagram_leaves),
	        cmocka_unit_test(none_of_a_hundred_thousand_forged_replies_is_accepted),
	        cmocka_unit_test(ids_differ_from_query_to_query),
	        cmocka_unit_test(our_own_edns_replaces_the_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
