#include "test.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/rand.h"
#include "core/metadata.h"
#include "core/metrics.h"
#include "core/zone_list.h"
#include "base/rcu.h"
#include "dns/wire.h"
#include "forward_rig.h"
#include "forward/forward.h"

/* Text that stands for a much shorter name. */
#define ESCAPES_20 "\\097\\097\\097\\097\\097"
#define ESCAPES_100 ESCAPES_20 ESCAPES_20 ESCAPES_20 ESCAPES_20 ESCAPES_20 "."

static unsigned done;
static uint16_t port_asked;
static bool is_silent;

static void on_done(struct query *q)
{
	(void)q;
	done++;
}

/* An upstream that answers everything with the address 192.0.2.1, in lower case. */
static void on_send(const struct fake_sent *sent)
{
	uint8_t out[512];
	size_t end = MSG_HEADER + name_len(sent->data + MSG_HEADER) + 4;
	static const uint8_t rr[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};

	port_asked = addr_port(&sent->to);
	if (is_silent)
		return;
	memcpy(out, sent->data, end);
	name_fold(out + MSG_HEADER, sent->data + MSG_HEADER, end - MSG_HEADER - 4);
	put16(out + 2, FLAG_QR | FLAG_RA | FLAG_AA);
	put16(out + 6, 1);
	put16(out + 10, 0);
	memcpy(out + end, rr, sizeof(rr));
	fake_reply(sent, 1, out, end + sizeof(rr));
}

static void start(struct rig *r, const char *rest)
{
	is_silent = false;
	done = 0;
	forward_open(r, rest, on_send);
}

static struct query *ask(struct rig *r, const char *name)
{
	struct query *q = rig_query(r, &(struct rig_ask){.name = name, .type = TYPE_A});

	q->on_done = on_done;
	return q;
}

static void a_question_is_forwarded_and_keeps_its_letters(void **state)
{
	struct rig r;
	struct query *q;

	(void)state;
	start(&r, "forward . 192.0.2.53");
	assert_true(r.chain.has_forwarder && r.chain.takes_any_class);
	q = ask(&r, "WwW.example.org");
	assert_int_equal(query_run(q), QUERY_PARKED);
	forward_pass(&r, 20);
	assert_int_equal(done, 1);
	assert_string_equal(
	        rig_answer(&r, q), "NOERROR aa ra\nWwW.example.org. 60 IN A 192.0.2.1\n--\n--\n");
	assert_string_equal(q->answered_by, "forward");
	query_release(q);
	forward_close(&r);
}

static void the_server_that_answered_is_metadata(void **state)
{
	struct zone_list zones = {.table = NULL};
	struct str text;
	struct query *q;
	struct rig r;

	(void)state;
	zone_list_add(&zones, &(struct name){1, {0}});
	start(&r, "forward . 192.0.2.53:5353");
	metadata_enable(&r.chain, &zones);
	for (int i = 0; i < 2; i++) {
		q = ask(&r, "www.example.org");
		assert_int_equal(query_run(q), QUERY_PARKED);
		assert_false(metadata_get(q, STR("forward/upstream"), &text));
		forward_pass(&r, 20);
		assert_int_equal(metadata_get(q, STR("forward/upstream"), &text), i);
		query_release(q);
		/* only from now on somebody asks for it */
		metadata_want(&r.chain, STR("forward/upstream"));
	}
	forward_close(&r);
	zone_list_free(&zones);
}

static void the_first_rule_that_takes_the_name_is_used(void **state)
{
	static const struct {
		const char *name;
		uint16_t port; /* 0: the next plugin is asked */
	} rows[] = {
	        {"www.example.org", 1001},
	        {"a.corp.example", 1000},
	        {"corp.example", 1000},
	        {"xcorp.example", 1001},
	        {"in.side.corp.example", 1001}, /* the first rule excepts it, the second takes it */
	        {"LAB.example", 0},
	        {"a.lab.example", 0},
	        {"4.3.2.10.in-addr.arpa", 1002},
	};
	struct rig r;

	(void)state;
	start(&r, "forward corp.example 192.0.2.1:1000 {\n except side.corp.example\n}\n"
	          "forward 10.0.0.0/8 192.0.2.1:1002\n"
	          "forward . 192.0.2.1:1001 {\n except lab.example\n}");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct query *q = ask(&r, rows[i].name);
		enum query_state s = query_run(q);

		port_asked = 0;
		forward_pass(&r, 20);
		assert_int_equal(port_asked, rows[i].port);
		assert_int_equal(s, rows[i].port == 0 ? QUERY_ANSWERED : QUERY_PARKED);
		query_release(q);
	}
	forward_close(&r);
}

static void without_recursion_desired_nothing_is_forwarded(void **state)
{
	struct rig r;
	struct query *q;

	(void)state;
	start(&r, "forward . 192.0.2.53");
	q = ask(&r, "www.example.org");
	q->msg.flags &= (uint16_t)~FLAG_RD;
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	assert_int_equal(q->answer.rcode, RCODE_REFUSED);
	query_release(q);
	forward_close(&r);
}

static void questions_over_max_concurrent_are_refused_and_counted(void **state)
{
	struct rig r;
	struct query *q[3];
	struct metrics *m = metrics_new();
	struct buf b = {0};

	(void)state;
	start(&r, "forward . 192.0.2.53 {\n max_concurrent 2\n}");
	is_silent = true;
	for (int i = 0; i < 3; i++) {
		q[i] = ask(&r, "www.example.org");
		assert_int_equal(query_run(q[i]), i < 2 ? QUERY_PARKED : QUERY_ANSWERED);
	}
	assert_int_equal(q[2]->answer.rcode, RCODE_REFUSED);
	query_release(q[2]);
	forward_pass(&r, 5000);
	assert_int_equal(done, 2);
	assert_string_equal(q[0]->reason, "read udp 192.0.2.53:53: i/o timeout");
	assert_int_equal(q[0]->answer.ede, EDE_NO_REACHABLE);
	query_release(q[0]);
	query_release(q[1]);
	q[0] = ask(&r, "again.example.org");
	assert_int_equal(query_run(q[0]), QUERY_PARKED);
	query_cancel(q[0]);
	query_release(q[0]);
	forward_plugin.metrics(r.setup.instance, m);
	metrics_finish(m, &b);
	assert_non_null(strstr(buf_text(&b), "coredns_forward_max_concurrent_rejects_total 1\n"));
	assert_non_null(strstr(buf_text(&b), "coredns_proxy_healthcheck_failures_total{"
	                                     "proxy_name=\"forward\",to=\"192.0.2.53:53\"}"));
	buf_free(&b);
	forward_close(&r);
}

static void one_client_cannot_have_all_the_room(void **state)
{
	enum { N = 1001 };
	struct rig r;
	struct query **q = mem_array(N, sizeof(struct query *));
	struct query *other;

	(void)state;
	rand_seed(1); /* clients are counted in slots: once in 1024 times these two share one */
	start(&r, "forward . 192.0.2.53");
	is_silent = true;
	for (int i = 0; i < N; i++) {
		q[i] = ask(&r, "www.example.org");
		assert_int_equal(query_run(q[i]), i < N - 1 ? QUERY_PARKED : QUERY_ANSWERED);
	}
	assert_int_equal(q[N - 1]->answer.rcode, RCODE_REFUSED);
	other = rig_query(
	        &r, &(struct rig_ask){"www.example.org", TYPE_A, .client = "10.1.2.3:4000"});
	other->on_done = on_done;
	assert_int_equal(query_run(other), QUERY_PARKED);
	forward_pass(&r, 5000);
	assert_int_equal(done, N);
	for (int i = 0; i < N; i++)
		query_release(q[i]);
	query_release(other);
	forward_close(&r);
	free(q);
}

static void a_cancelled_question_is_forgotten(void **state)
{
	struct rig r;
	struct query *q;

	(void)state;
	start(&r, "forward . 192.0.2.53");
	q = ask(&r, "www.example.org");
	assert_int_equal(query_run(q), QUERY_PARKED);
	query_cancel(q);
	assert_true(q->is_dropped);
	query_release(q);
	forward_pass(&r, 50);
	assert_int_equal(done, 1);
	forward_close(&r);
}

static void mistakes_are_named(void **state)
{
	static const char *const rows[][2] = {
	        {"forward", "Corefile:2 - plugin/forward: wrong number of arguments"},
	        {"forward .", "Corefile:2 - plugin/forward: wrong number of arguments"},
	        {"forward . 10.0.0.300", "Corefile:2 - plugin/forward: '10.0.0.300' is not an IP "
	                                 "address, a file or the name of a server"},
	        {"forward . dns.example:0", "'dns.example:0' is not an IP address"},
	        {"forward . https://9.9.9.9",
	                "'https://9.9.9.9': servers are asked by UDP, TCP and TLS"},
	        {"forward . tls://dns.example:x", "'tls://dns.example:x' is not tls://SERVER"},
	        {"forward . 192.0.2.1:0", "'192.0.2.1:0': 0 is no port"},
	        {"forward . tls://[2001:db8::1]:0", "'tls://[2001:db8::1]:0': 0 is no port"},
	        {"forward . tls://9.9.9.9%", "'' cannot be the name of a certificate"},
	        {"forward . tls://9.9.9.9%a..b:853", "'a..b' cannot be the name of a certificate"},
	        {"forward . tls://9.9.9.9 {\n tls_servername " ESCAPES_100 ESCAPES_100 ESCAPES_100
	         "\n}",
	                "cannot be the name of a certificate"},
	        {"forward . tls://9.9.9.9 {\n tls /no/where.pem\n}",
	                "Corefile:2 - plugin/forward: cannot read the CA certificates "
	                "/no/where.pem"},
	        {"forward . tls://9.9.9.9 {\n tls /no/cert /no/key\n}",
	                "cannot read the certificate /no/cert"},
	        {"forward . tls://9.9.9.9 {\n tls_servername\n}", "wrong number of arguments"},
	        {"forward . :53", "':53' is not an IP address"},
	        {"forward a..b 1.1.1.1", "'a..b' is no domain"},
	        {"forward . 1.1.1.1 {\n resolver dns.example\n}",
	                "resolver: 'dns.example' is not IP or IP:PORT"},
	        {"forward . 1.1.1.1 {\n doh_method GET\n}",
	                "the option 'doh_method' is not supported"},
	        {"forward . 1.1.1.1 {\n nonsense\n}", "unknown property 'nonsense'"},
	        {"forward . 1.1.1.1 {\n policy best\n}", "best"},
	        {"forward . 1.1.1.1 {\n max_fails -1\n}", "max_fails"},
	        {"forward . 1.1.1.1 {\n expire x\n}", "expire"},
	        {"forward . 1.1.1.1 {\n force_tcp yes\n}", "force_tcp"},
	        {"forward . 1.1.1.1 {\n health_check 1s sometimes\n}",
	                "unknown option 'sometimes'"},
	        {"forward . 1.1.1.1 {\n health_check 1s domain\n}", "health_check"},
	        {"forward . 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "is not an IP address"},
	        {"forward . 1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7 1.0.0.8 "
	         "1.0.0.9 "
	         "1.0.0.10 1.0.0.11 1.0.0.12 1.0.0.13 1.0.0.14 1.0.0.15 1.0.0.16",
	                "more than 15 TOs configured: 16"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;
		struct buf text = {0};

		buf_printf(&text, ".:53 {\n%s\n}\n", rows[i][0]);
		if (rig_open(&r, &forward_plugin, buf_text(&text)) == 0)
			fail_msg("taken: %s", rows[i][0]);
		if (strstr(r.err.text, rows[i][1]) == NULL)
			fail_msg("%s: %s", rows[i][0], r.err.text);
		rig_close(&r);
		buf_free(&text);
	}
}

/* A name whose addresses change each minute, a laptop on its way from network to network. */
static void servers_may_change_any_number_of_times(void **state)
{
	struct rig r;
	struct forward_rule *rule;

	(void)state;
	start(&r, "forward . 192.0.2.53");
	rule = ((struct forward *)r.setup.instance)->rules.at[0];
	for (uint16_t i = 0; i < 2000; i++) {
		struct query *q = ask(&r, "www.example.org");

		addr_set_port(&rule->addresses.at[0].addr, (uint16_t)(1000 + i));
		forward_publish(rule);
		is_silent = i % 10 == 3; /* and questions are out with servers that went */
		port_asked = 0;
		assert_int_equal(query_run(q), QUERY_PARKED);
		forward_pass(&r, 20);
		assert_int_equal(port_asked, 1000 + i);
		if (is_silent)
			query_cancel(q);
		query_release(q);
		assert_true(rule->servers_len <= FORWARD_SERVERS_KEPT + 2 * RELAY_TARGETS_MAX);
		rcu_quiescent_state();
	}
	forward_close(&r);
}

static void every_option_is_read(void **state)
{
	struct rig r;

	(void)state;
	start(&r, "forward . tls://9.9.9.9%dns.quad9.net tls://[2620:fe::fe%dns.quad9.net]:853 "
	          "tls://1.1.1.1:8853 {\ntls\ntls_servername cloudflare-dns.com.\n}");
	forward_close(&r);
	start(&r, "forward . 192.0.2.53 [2001:db8::53]:5353 dns://192.0.2.54 {\n"
	          "except a.example b.example\nforce_tcp\nprefer_udp\nmax_fails 0\nexpire 20s\n"
	          "max_concurrent 1000\npolicy round_robin\n"
	          "health_check 1s no_rec domain example.org\n}");
	forward_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_question_is_forwarded_and_keeps_its_letters),
	        {"1.12: the server that answered is metadata", the_server_that_answered_is_metadata,
	                NULL, NULL, NULL},
	        cmocka_unit_test(the_first_rule_that_takes_the_name_is_used),
	        cmocka_unit_test(without_recursion_desired_nothing_is_forwarded),
	        cmocka_unit_test(questions_over_max_concurrent_are_refused_and_counted),
	        cmocka_unit_test(one_client_cannot_have_all_the_room),
	        cmocka_unit_test(a_cancelled_question_is_forgotten),
	        cmocka_unit_test(mistakes_are_named),
	        cmocka_unit_test(every_option_is_read),
	        cmocka_unit_test(servers_may_change_any_number_of_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
