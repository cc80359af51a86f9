/* What the options of forward do, over a network of the test's own. */
#include "test.h"

#include <ctype.h>

#include "core/metrics.h"
#include "dns/wire.h"
#include "forward_rig.h"

#define PORTS 5u

/* Servers are 192.0.2.1 with port 1 to 4; what each does: ok far nx nodata servfail drop lower. */
static const char *does[PORTS];
static unsigned asked_udp[PORTS], asked_tcp[PORTS];
static struct fake_sent last;
static unsigned done;

static bool is_probe(const struct fake_sent *sent)
{
	return sent->data[MSG_HEADER] == 0 && sent->data[MSG_HEADER + 2] == TYPE_NS;
}

static size_t make_reply(uint8_t *out, const struct fake_sent *sent, const char *what)
{
	static const uint8_t rr[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 0};
	size_t n = MSG_HEADER + name_len(sent->data + MSG_HEADER) + 4;

	memcpy(out, sent->data, n);
	put16(out + 2, FLAG_QR | FLAG_RA);
	put16(out + 10, 0);
	if (strcmp(what, "nx") == 0)
		put16(out + 2, FLAG_QR | FLAG_RA | RCODE_NXDOMAIN);
	if (strcmp(what, "servfail") == 0)
		put16(out + 2, FLAG_QR | FLAG_RA | RCODE_SERVFAIL);
	if (strcmp(what, "lower") == 0)
		for (size_t i = MSG_HEADER; i < n; i++)
			out[i] = (uint8_t)tolower(out[i]);
	if (strcmp(what, "ok") != 0 && strcmp(what, "far") != 0 && strcmp(what, "lower") != 0)
		return n;
	put16(out + 6, 1);
	memcpy(out + n, rr, sizeof(rr));
	out[n + sizeof(rr) - 1] = (uint8_t)addr_port(&sent->to);
	return n + sizeof(rr);
}

static void on_send(const struct fake_sent *sent)
{
	uint16_t port = addr_port(&sent->to);
	uint8_t out[512];
	size_t n;

	if (!is_probe(sent)) {
		last = *sent;
		asked_udp[port] += !sent->is_tcp;
		asked_tcp[port] += sent->is_tcp;
	}
	if (does[port] == NULL || strcmp(does[port], "drop") == 0)
		return;
	n = make_reply(out + 2, sent, does[port]);
	put16(out, (uint16_t)n);
	fake_reply(sent, strcmp(does[port], "far") == 0 ? 40 : 1, sent->is_tcp ? out : out + 2,
	        sent->is_tcp ? n + 2 : n);
}

static void start(struct rig *r, const char *rest)
{
	memset(asked_udp, 0, sizeof(asked_udp));
	memset(asked_tcp, 0, sizeof(asked_tcp));
	forward_open(r, rest, on_send);
}

static void on_done(struct query *q)
{
	(void)q;
	done++;
}

/* Ask for name; the answer in a few words, after at most ms. */
static const char *answer(struct rig *r, const char *name, uint64_t ms)
{
	static char text[64];
	struct query *q = rig_query(r, &(struct rig_ask){.name = name, .type = TYPE_A});
	const char *line;
	char rcode[16];

	done = 0;
	q->on_done = on_done;
	if (query_run(q) == QUERY_PARKED)
		forward_pass(r, ms);
	else
		done = 1;
	if (done == 0) {
		query_cancel(q);
		query_release(q);
		return "nothing";
	}
	line = strstr(rig_answer(r, q), "192.0.2.");
	snprintf(text, sizeof(text), "%s %.1s", rcode_text(q->answer.rcode, rcode),
	        line == NULL ? "-" : line + 8);
	query_release(q);
	return text;
}

/* --- next, next_on_nodata, failover --- */

static const struct {
	const char *title, *corefile;
	const char *does[PORTS - 1];
	const char *answer;
} rows[] = {
        {"next goes on after the RCODE",
                "forward . 192.0.2.1:1 {\n next NXDOMAIN SERVFAIL\n}\nforward . 192.0.2.1:2",
                {"nx", "ok"}, "NOERROR 2"},
        {"next takes SERVFAIL",
                "forward . 192.0.2.1:1 {\n next SERVFAIL\n}\n"
                "forward . 192.0.2.1:2",
                {"servfail", "ok"}, "NOERROR 2"},
        {"next does not go on after others",
                "forward . 192.0.2.1:1 {\n next REFUSED\n}\n"
                "forward . 192.0.2.1:2",
                {"nx", "ok"}, "NXDOMAIN -"},
        {"the last rule's answer counts",
                "forward . 192.0.2.1:1 {\n next NXDOMAIN\n}\n"
                "forward . 192.0.2.1:2 {\n next NXDOMAIN\n}",
                {"nx", "nx"}, "NXDOMAIN -"},
        {"without another rule next does nothing", "forward . 192.0.2.1:1 {\n next nxdomain\n}",
                {"nx"}, "NXDOMAIN -"},
        {"a rule for other names is no next one",
                "forward . 192.0.2.1:1 {\n next NXDOMAIN\n}\nforward other.example 192.0.2.1:2",
                {"nx", "ok"}, "NXDOMAIN -"},
        {"three rules in a row",
                "forward . 192.0.2.1:1 {\n next NXDOMAIN\n}\nforward . 192.0.2.1:2 {\n "
                "next SERVFAIL\n}\nforward . 192.0.2.1:3",
                {"nx", "servfail", "ok"}, "NOERROR 3"},
        {"next_on_nodata goes on after no data",
                "forward . 192.0.2.1:1 {\n next_on_nodata\n}\nforward . 192.0.2.1:2",
                {"nodata", "ok"}, "NOERROR 2"},
        {"next_on_nodata does not after an answer",
                "forward . 192.0.2.1:1 {\n next_on_nodata\n}\nforward . 192.0.2.1:2", {"ok", "ok"},
                "NOERROR 1"},
        {"next_on_nodata is not about NXDOMAIN",
                "forward . 192.0.2.1:1 {\n next_on_nodata\n}\nforward . 192.0.2.1:2", {"nx", "ok"},
                "NXDOMAIN -"},
        {"without failover NXDOMAIN is the answer",
                "forward . 192.0.2.1:1 192.0.2.1:2 {\n policy sequential\n}", {"nx", "ok"},
                "NXDOMAIN -"},
        {"failover asks the next server",
                "forward . 192.0.2.1:1 192.0.2.1:2 {\n policy sequential\n failover NXDOMAIN\n}",
                {"nx", "ok"}, "NOERROR 2"},
        {"failover gives the answer when all say the same",
                "forward . 192.0.2.1:1 192.0.2.1:2 {\n policy sequential\n failover NXDOMAIN\n}",
                {"nx", "nx"}, "NXDOMAIN -"},
        {"failover prefers an answer to none",
                "forward . 192.0.2.1:1 192.0.2.1:2 {\n policy sequential\n failover NXDOMAIN\n}",
                {"nx", "servfail"}, "NXDOMAIN -"},
        {"failover waits a little for a silent server",
                "forward . 192.0.2.1:1 192.0.2.1:2 {\n policy sequential\n failover NXDOMAIN\n}",
                {"nx", "drop"}, "NXDOMAIN -"},
};

static void replies_choose_who_is_asked_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[128], want[128];
		struct rig r;

		memcpy(&does[1], rows[i].does, sizeof(rows[i].does));
		start(&r, rows[i].corefile);
		snprintf(got, sizeof(got), "%s: %s", rows[i].title,
		        answer(&r, "www.example.org", 2100));
		snprintf(want, sizeof(want), "%s: %s", rows[i].title, rows[i].answer);
		assert_string_equal(got, want);
		forward_close(&r);
	}
}

/* --- time and sockets --- */

static void read_timeout_decides_when_the_next_server_is_asked(void **state)
{
	struct rig r;

	(void)state;
	does[1] = "drop";
	does[2] = "ok";
	start(&r,
	        "forward . 192.0.2.1:1 192.0.2.1:2 {\n policy sequential\n read_timeout 100ms\n}");
	assert_string_equal(answer(&r, "www.example.org", 130), "NOERROR 2");
	forward_close(&r);
	start(&r, "forward . 192.0.2.1:1 192.0.2.1:2 {\n policy sequential\n read_timeout 2s\n}");
	assert_string_equal(answer(&r, "www.example.org", 430), "NOERROR 2");
	forward_close(&r);
}

static void max_connect_attempts_limits_what_one_question_costs(void **state)
{
	struct rig r;

	(void)state;
	does[1] = does[2] = does[3] = "servfail";
	start(&r, "forward . 192.0.2.1:1 192.0.2.1:2 192.0.2.1:3 {\n policy sequential\n "
	          "max_connect_attempts 2\n}");
	assert_string_equal(answer(&r, "www.example.org", 2000), "SERVFAIL -");
	assert_int_equal(asked_udp[1] + asked_udp[2] + asked_udp[3], 2);
	forward_close(&r);
}

static void with_failfast_nobody_waits_for_dead_servers(void **state)
{
	struct rig r;

	(void)state;
	does[1] = "drop";
	start(&r, "forward . 192.0.2.1:1 {\n failfast_all_unhealthy_upstreams\n}");
	assert_string_equal(answer(&r, "a.example.org", 5000), "SERVFAIL -");
	assert_string_equal(answer(&r, "b.example.org", 0), "SERVFAIL -");
	does[1] = "ok";
	forward_pass(&r, 1100); /* a probe is answered */
	assert_string_equal(answer(&r, "c.example.org", 20), "NOERROR 1");
	forward_close(&r);
}

static void max_idle_conns_closes_what_nobody_uses(void **state)
{
	char name[32];
	struct rig r;

	(void)state;
	does[1] = "ok";
	start(&r, "forward . 192.0.2.1:1 {\n max_idle_conns 2\n}");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "n%d.example.org", i);
		assert_string_equal(answer(&r, name, 10), "NOERROR 1");
		assert_true(fake_net.udp_open <= 2);
	}
	forward_close(&r);
}

static void a_connection_ends_at_max_age(void **state)
{
	char name[32];
	struct rig r;

	(void)state;
	does[1] = "ok";
	start(&r, "forward . 192.0.2.1:1 {\n force_tcp\n expire 2s\n max_age 3s\n}");
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "n%d.example.org", i);
		assert_string_equal(answer(&r, name, 500), "NOERROR 1");
	}
	assert_int_equal(fake_net.tcp_opened, 2);
	assert_int_equal(fake_net.tcp_open, 1);
	forward_close(&r);
}

static void queries_leave_from_the_source_address(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct rig r;

	(void)state;
	does[1] = "ok";
	start(&r, "forward . 192.0.2.1:1 {\n source_address 127.0.0.9\n}");
	assert_string_equal(answer(&r, "www.example.org", 20), "NOERROR 1");
	assert_string_equal(addr_to_text(text, &last.from), "127.0.0.9:0");
	forward_close(&r);
}

static void without_a_policy_the_nearest_servers_are_asked(void **state)
{
	char name[32];
	struct rig r;

	(void)state;
	does[1] = "far";
	does[2] = does[3] = "ok";
	for (int has_policy = 0; has_policy < 2; has_policy++) {
		start(&r, has_policy ? "forward . 192.0.2.1:1 192.0.2.1:2 192.0.2.1:3 {\n "
		                       "policy random\n}"
		                     : "forward . 192.0.2.1:1 192.0.2.1:2 192.0.2.1:3");
		for (int i = 0; i < 90; i++) {
			snprintf(name, sizeof(name), "n%d.example.org", i);
			assert_string_not_equal(answer(&r, name, 50), "nothing");
		}
		if (has_policy)
			assert_true(asked_udp[1] > 10);
		else
			assert_true(asked_udp[1] <= 2 && asked_udp[2] > 20 && asked_udp[3] > 20);
		asked_udp[1] = 0;
		forward_pass(&r, 10000); /* then it may have become nearer */
		for (int i = 0; i < 10; i++) {
			snprintf(name, sizeof(name), "m%d.example.org", i);
			answer(&r, name, 50);
		}
		if (!has_policy)
			assert_true(asked_udp[1] <= 1);
		forward_close(&r);
	}
}

/* --- 0x20 --- */

static void letters_are_sent_in_random_case_and_come_back(void **state)
{
	unsigned upper = 0, lower = 0;
	struct query *q;
	struct rig r;

	(void)state;
	does[1] = "ok";
	start(&r, "forward . 192.0.2.1:1 {\n randomize_case\n}");
	for (int i = 0; i < 20; i++) {
		q = rig_query(
		        &r, &(struct rig_ask){.name = "WWW.abcdefghijkl.example", .type = TYPE_A});
		q->on_done = on_done;
		query_run(q);
		forward_pass(&r, 20);
		assert_string_equal(rig_answer(&r, q),
		        "NOERROR ra\nWWW.abcdefghijkl.example. 60 IN A 192.0.2.1\n--\n--\n");
		query_release(q);
		for (size_t k = MSG_HEADER; k < last.len; k++) {
			upper += last.data[k] >= 'A' && last.data[k] <= 'Z';
			lower += last.data[k] >= 'a' && last.data[k] <= 'z';
		}
	}
	assert_int_equal(upper + lower, 20 * 22);
	assert_true(upper > 150 && lower > 150);
	forward_close(&r);
}

static void a_server_that_changes_the_case_is_asked_by_tcp(void **state)
{
	struct rig r;

	(void)state;
	does[1] = "lower";
	start(&r, "forward . 192.0.2.1:1 {\n randomize_case\n}");
	assert_string_equal(answer(&r, "www.abcdefghijklmnop.example", 20), "NOERROR 1");
	assert_int_equal(asked_udp[1], 1);
	assert_int_equal(asked_tcp[1], 1);
	forward_close(&r);
}

/* --- mistakes --- */

static void mistakes_in_options_are_named(void **state)
{
	static const char *const texts[][2] = {
	        {"next", "wrong number of arguments"},
	        {"next NODATA",
	                "Corefile:3 - plugin/forward: next: 'NODATA' is not a response code"},
	        {"next_on_nodata yes", "wrong number of arguments"},
	        {"failover NOERROR", "failover: NOERROR is no reason"},
	        {"failover 3", "'3' is not a response code"},
	        {"max_age 5s", "Corefile:2 - plugin/forward: max_age (5000 ms) must not be below"},
	        {"max_idle_conns -1", "max_idle_conns"},
	        {"max_connect_attempts many", "max_connect_attempts"},
	        {"read_timeout 0", "read_timeout"},
	        {"source_address eth0", "source_address: 'eth0' is not an IP address"},
	        {"source_address 2001:db8::1",
	                "192.0.2.1:53 cannot be reached from source_address"},
	        {"failfast_all_unhealthy_upstreams 1", "wrong number of arguments"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf text = {0};
		struct rig r;

		buf_printf(&text, ".:53 {\nforward . 192.0.2.1 {\n%s\n}\n}\n", texts[i][0]);
		if (rig_open(&r, &forward_plugin, buf_text(&text)) == 0)
			fail_msg("taken: %s", texts[i][0]);
		if (strstr(r.err.text, texts[i][1]) == NULL)
			fail_msg("%s: %s", texts[i][0], r.err.text);
		rig_close(&r);
		buf_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(replies_choose_who_is_asked_next),
	        cmocka_unit_test(read_timeout_decides_when_the_next_server_is_asked),
	        cmocka_unit_test(max_connect_attempts_limits_what_one_question_costs),
	        cmocka_unit_test(with_failfast_nobody_waits_for_dead_servers),
	        cmocka_unit_test(max_idle_conns_closes_what_nobody_uses),
	        cmocka_unit_test(a_connection_ends_at_max_age),
	        cmocka_unit_test(queries_leave_from_the_source_address),
	        cmocka_unit_test(without_a_policy_the_nearest_servers_are_asked),
	        cmocka_unit_test(letters_are_sent_in_random_case_and_come_back),
	        cmocka_unit_test(a_server_that_changes_the_case_is_asked_by_tcp),
	        cmocka_unit_test(mistakes_in_options_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
