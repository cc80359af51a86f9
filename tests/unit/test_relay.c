/* What the relay does, on a network and a clock of the test's own; faults: test_relay_faults.c. */
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
#include "relay_bench.h"

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
	static struct asked a, b, again;
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
	ask(&again, "a.example.org"); /* does not wait for what an old server says */
	fake_advance(10);
	assert_string_equal(outcome(&b), "NOERROR good");
	assert_string_equal(outcome(&again), "NOERROR good");
	assert_false(a.is_done);
	fake_advance(400);
	assert_string_equal(outcome(&a), "NOERROR good");
	assert_int_equal(servers[0].udp_count, 1);
	assert_int_equal(servers[1].udp_count, 2);
	tear_down();
}

static void round_robin_begins_with_each_server_in_turn(void **state)
{
	static struct asked a;
	struct relay_target t[3] = {0};
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

static void a_retransmission_does_not_leave_with_a_burst(void **state)
{
	static struct asked a;

	(void)state;
	one_question("drop", "ok");
	fake_net.on_send = keep_sent;
	ask(&a, "a.example.org");
	fake_advance(0);
	assert_true(last_sent.len > 0);
	assert_false(last_sent.is_again);
	fake_advance(450);
	assert_true(last_sent.is_again);
	relay_cancel(&a.waiter);
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
	        cmocka_unit_test(equal_questions_in_flight_are_sent_once),
	        cmocka_unit_test(a_cancelled_waiter_is_not_called_and_the_others_are),
	        cmocka_unit_test(without_servers_the_answer_is_servfail_at_once),
	        cmocka_unit_test(the_oldest_question_gives_way_when_too_many_are_in_flight),
	        cmocka_unit_test(an_idle_connection_is_used_again_then_closed),
	        cmocka_unit_test(sockets_are_many_and_are_retired_by_age_and_use),
	        cmocka_unit_test(a_dead_server_is_probed_and_preferred_again_when_it_answers),
	        cmocka_unit_test(when_all_are_down_one_is_asked_at_random),
	        cmocka_unit_test(a_new_server_list_takes_over_and_old_questions_still_finish),
	        cmocka_unit_test(round_robin_begins_with_each_server_in_turn),
	        cmocka_unit_test(with_force_tcp_no_datagram_leaves),
	        cmocka_unit_test(ids_differ_from_query_to_query),
	        cmocka_unit_test(a_retransmission_does_not_leave_with_a_burst),
	        cmocka_unit_test(our_own_edns_replaces_the_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
