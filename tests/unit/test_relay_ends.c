/* How servers, connections and relays end while questions are out; see also test_relay_faults.c. */
#include "test.h"

#include <stdio.h>

#include "dns/wire.h"
#include "relay_bench.h"

/* Put the server of port 54 in place of the one of port 53. */
static void replace_server(void)
{
	struct relay_target t = {.stats = &stats[1]};

	addr_from_text(&t.addr, STR("192.0.2.1"), 54);
	relay_set(relay, &config, &t, 1);
}

static void a_relay_ends_soon_after_a_server_that_went_was_asked_by_tcp(void **state)
{
	static struct asked a;

	(void)state;
	one_question("tc@50", "ok");
	servers[1].udp = "ok";
	ask(&a, "www.example.org");
	fake_advance(10);
	replace_server();
	fake_advance(100);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_int_equal(fake_net.tcp_open, 0); /* nothing will be asked there any more */
	tear_down();
}

static void a_relay_ends_soon_after_a_server_that_went_was_asked_without_edns(void **state)
{
	static struct asked a;

	(void)state;
	one_question("formerr@50 ok", "ok");
	ask(&a, "www.example.org");
	fake_advance(10);
	replace_server();
	fake_advance(100);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_int_equal(fake_net.udp_open, 0);
	tear_down();
}

static void a_relay_ends_while_a_server_that_went_has_the_question(void **state)
{
	static struct asked a;

	(void)state;
	one_question("tc@50", "close drop");
	ask(&a, "www.example.org");
	fake_advance(10);
	replace_server();
	fake_advance(100);
	assert_false(a.is_done);
	assert_int_equal(servers[0].tcp_count, 2);
	relay_cancel(&a.waiter);
	tear_down();
}

static void a_server_that_answers_probes_with_a_header_alone_is_well(void **state)
{
	static struct asked a;

	(void)state;
	memset(servers, 0, sizeof(servers));
	servers[0].udp = "drop bareformerr";
	servers[1].udp = "ok";
	set_up(2);
	ask(&a, "www.example.org");
	fake_advance(3000);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_int_equal(stats[0].probe_failures, 0);
	assert_int_equal(stats[0].is_down, 0);
	tear_down();
}

/* As with CoreDNS: "nor health checked". */
static void with_max_fails_0_nobody_is_probed_and_silence_is_forgotten(void **state)
{
	static struct asked a;
	struct relay_target t[2] = {{.stats = &stats[0]}, {.stats = &stats[1]}};

	(void)state;
	memset(servers, 0, sizeof(servers));
	servers[0].udp = "drop ok";
	servers[1].udp = "ok";
	set_up(0);
	config.max_fails = 0;
	for (uint16_t i = 0; i < 2; i++)
		addr_from_text(&t[i].addr, STR("192.0.2.1"), (uint16_t)(53 + i));
	relay_set(relay, &config, t, 2);
	ask(&a, "a.example.org");
	fake_advance(1000);
	assert_string_equal(outcome(&a), "NOERROR good");
	ask(&a, "b.example.org");
	fake_advance(10);
	assert_int_equal(servers[0].udp_count, 1); /* the other one is preferred for a while */
	fake_advance(3000);
	ask(&a, "c.example.org");
	fake_advance(10);
	assert_int_equal(servers[0].udp_count, 2);
	assert_int_equal(stats[0].sends_udp, 2);
	assert_int_equal(stats[0].probe_failures, 0);
	tear_down();
}

/* It closes behind each answer, and forgets what else has come. */
static void a_server_of_one_answer_a_connection_answers_all(void **state)
{
	enum { N = 40 };
	static struct asked a[N];
	char name[64];

	(void)state;
	one_question("tc", "last");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++) {
			snprintf(name, sizeof(name), "r%dn%d.example.org", round, i);
			ask(&a[i], name);
		}
		fake_advance(1000);
		for (int i = 0; i < N; i++)
			assert_string_equal(outcome(&a[i]), "NOERROR good");
		assert_int_equal(fake_net.tcp_open, 0);
	}
	assert_in_range(servers[0].tcp_count, 2 * N, 4 * N);
	/* when it has learned better, it gets one connection again */
	servers[0].tcp = "ok";
	fake_advance(120000);
	fake_net.tcp_opened = 0;
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "better%d.example.org", i);
		ask(&a[i], name);
	}
	fake_advance(1000);
	for (int i = 0; i < N; i++)
		assert_string_equal(outcome(&a[i]), "NOERROR good");
	assert_int_equal(fake_net.tcp_opened, 1);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_relay_ends_soon_after_a_server_that_went_was_asked_by_tcp),
	        cmocka_unit_test(a_relay_ends_soon_after_a_server_that_went_was_asked_without_edns),
	        cmocka_unit_test(a_relay_ends_while_a_server_that_went_has_the_question),
	        cmocka_unit_test(a_server_of_one_answer_a_connection_answers_all),
	        cmocka_unit_test(a_server_that_answers_probes_with_a_header_alone_is_well),
	        cmocka_unit_test(with_max_fails_0_nobody_is_probed_and_silence_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
