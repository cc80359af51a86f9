/* Connections: messages in and out, deadlines, back pressure, the end. */
#include "stream_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "net/stream_private.h"

static const struct stream_limits quick = {
        .idle_ms = 60,
        .message_ms = 40,
        .write_ms = 60,
        .tick_ms = 5,
        .connections = 8,
        .per_client = 8,
        .in_flight = 4,
        .output_pause = 64u << 10,
        .output_max = 256u << 10,
        .memory = 16u << 20,
};

static void pipelined_queries_of_one_write_are_all_answered(void **state)
{
	struct fixture *f = *state;
	uint8_t q[5 * 64];
	size_t n = 0;
	int fd = start_connected(f);

	for (uint16_t i = 0; i < 5; i++)
		n += put_query(q + n, i, 30 + i);
	send_all(fd, q, n);
	run_until(f, answers(fd, 0, NULL) == 5);
	for (uint16_t i = 0; i < 5; i++)
		assert_int_equal(answer_id(fd, i), i);
}

static void answers_of_one_turn_leave_in_one_write(void **state)
{
	struct fixture *f = *state;
	uint8_t q[3 * 64];
	size_t n = 0;
	int fd = start_connected(f);

	for (uint16_t i = 0; i < 3; i++)
		n += put_query(q + n, i, 30);
	send_all(fd, q, n);
	while (f->counters.messages < 3)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(answers(fd, 0, NULL), 0); /* queued, not sent */
	stream_pool_flush(f->pool);
	assert_int_equal(answers(fd, 0, NULL), 3);
}

static void a_message_may_come_octet_by_octet(void **state)
{
	struct fixture *f = *state;
	uint8_t q[64];
	size_t n = put_query(q, 77, 30);
	int fd = start_connected(f);

	for (size_t i = 0; i < n; i++) {
		send_all(fd, q + i, 1);
		turn(f);
	}
	run_until(f, answers(fd, 0, NULL) == 1);
	assert_int_equal(answer_id(fd, 0), 77);
}

static void a_slow_answer_does_not_delay_the_one_behind_it(void **state)
{
	struct fixture *f = *state;
	int fd = start_connected(f);

	f->keeps = true;
	ask(fd, 1);
	ask(fd, 2);
	run_until(f, f->n_kept == 2);
	answer_kept(f, 1);
	run_until(f, answers(fd, 0, NULL) == 1);
	assert_int_equal(answer_id(fd, 0), 2);
	answer_kept(f, 0);
	run_until(f, answers(fd, 0, NULL) == 2);
	assert_int_equal(answer_id(fd, 1), 1);
}

static void an_impossible_length_ends_the_connection_after_the_answers_before_it(void **state)
{
	static const uint16_t bad[] = {0, 5, 11};
	struct fixture *f = *state;

	for (size_t i = 0; i < 3; i++) {
		uint8_t q[128];
		size_t n = put_query(q, 9, 30);
		int fd = start_connected(f);

		n += put_query(q + n, 0, bad[i]);
		send_all(fd, q, n);
		run_until(f, is_closed(fd));
		assert_int_equal(answers(fd, 0, NULL), 1);
		assert_int_equal(f->counters.bad, 1);
		stop(f);
	}
}

static void a_half_closed_client_still_gets_its_answers(void **state)
{
	struct fixture *f = *state;
	int fd = start_connected(f);

	f->keeps = true;
	ask(fd, 1);
	ask(fd, 2);
	shutdown(fd, SHUT_WR);
	run_until(f, f->n_kept == 2);
	run_for_ms(f, 5);
	assert_false(is_closed(fd));
	answer_kept(f, 0);
	answer_kept(f, 1);
	run_until(f, is_closed(fd));
	assert_int_equal(answers(fd, 0, NULL), 2);
	assert_int_equal(f->counters.timeouts, 0);
}

static void an_idle_connection_is_closed_and_a_busy_one_is_not(void **state)
{
	struct fixture *f = *state;
	int fd, busy;

	f->limits = quick;
	f->limits.idle_ms = 400; /* more than lies before the question on a busy machine */
	fd = start_connected(f);
	busy = connected(f);
	f->keeps = true;
	ask(busy, 1);
	run_until(f, is_closed(fd));
	assert_int_equal(f->counters.timeouts, 1);
	run_for_ms(f, 500);
	empty_inbox();
	assert_false(is_closed(busy));
	answer_kept(f, 0);
	run_until(f, answers(busy, 0, NULL) == 1);
	assert_int_equal(stream_pool_connections(f->pool), 1);
}

static void a_dripping_message_is_cut_off_by_its_own_deadline(void **state)
{
	struct fixture *f = *state;
	uint8_t q[4200];
	size_t sent = 0;
	int fd;

	f->limits.message_ms = 40;
	fd = start_connected(f);
	put_query(q, 1, 4096);
	/* well fed: an octet each millisecond would go on for four seconds */
	while (f->counters.timeouts == 0 && sent < 1000) {
		if (send(fd, q + sent, 1, MSG_NOSIGNAL) == 1)
			sent++;
		turn(f);
		poll(NULL, 0, 1);
	}
	assert_int_equal(f->counters.timeouts, 1);
	run_until(f, is_closed(fd));
}

static void whole_messages_renew_the_deadline_of_the_next(void **state)
{
	struct fixture *f = *state;
	uint8_t q[64];
	size_t n = put_query(q, 1, 30);
	int fd;

	f->limits = quick;
	f->limits.message_ms = 1200; /* less than all of this takes, more than a busy machine adds */
	fd = start_connected(f);
	/* there is always a half message, but none stays for long */
	send_all(fd, q, 10);
	for (unsigned i = 0; i < 10; i++) {
		run_for_ms(f, 150);
		send_all(fd, q + 10, n - 10);
		send_all(fd, q, 10);
	}
	run_until(f, answers(fd, 0, NULL) == 10);
	assert_int_equal(f->counters.timeouts, 0);
	run_until(f, is_closed(fd));
	assert_int_equal(f->counters.timeouts, 1);
}

static void too_many_in_flight_hold_the_rest_back(void **state)
{
	struct fixture *f = *state;
	int fd;

	f->limits.in_flight = 4;
	fd = start_connected(f);
	f->keeps = true;
	for (uint16_t i = 0; i < 20; i++)
		ask(fd, i);
	run_until(f, f->n_kept == 4);
	run_for_ms(f, 5);
	assert_int_equal(f->n_kept, 4);
	for (unsigned i = 0; i < 20; i++) {
		run_until(f, f->n_kept > i);
		answer_kept(f, i);
	}
	run_until(f, answers(fd, 0, NULL) == 20);
}

static void held_back_messages_do_not_run_into_the_message_deadline(void **state)
{
	struct fixture *f = *state;
	int fd;

	f->limits = quick;
	fd = start_connected(f);
	f->keeps = true;
	for (uint16_t i = 0; i < 6; i++)
		ask(fd, i);
	run_until(f, f->n_kept == 4);
	run_for_ms(f, 80);
	assert_int_equal(f->counters.timeouts, 0);
	for (unsigned i = 0; i < 6; i++) {
		run_until(f, f->n_kept > i);
		answer_kept(f, i);
	}
	run_until(f, answers(fd, 0, NULL) == 6);
}

static void two_thousand_queries_on_one_connection_are_answered(void **state)
{
	struct fixture *f = *state;
	static uint8_t q[2000 * 32];
	size_t n = 0, sent = 0;
	int fd = start_connected(f);

	for (unsigned i = 0; i < 2000; i++)
		n += put_query(q + n, (uint16_t)i, 30);
	while (sent < n) {
		ssize_t k = send(fd, q + sent, n - sent, MSG_NOSIGNAL);

		if (k > 0)
			sent += (size_t)k;
		turn(f);
	}
	run_until(f, answers(fd, 0, NULL) == 2000);
	assert_int_equal(answer_id(fd, 1999), 1999);
	assert_int_equal(f->counters.messages, 2000);
}

static void the_longest_messages_pass_both_ways(void **state)
{
	struct fixture *f = *state;
	static uint8_t q[65537];
	size_t n = put_query(q, 513, 65535), sent = 0;
	int fd = start_connected(f);

	f->answer_len = 65535;
	while (sent < n) {
		ssize_t k = send(fd, q + sent, n - sent, MSG_NOSIGNAL);

		if (k > 0)
			sent += (size_t)k;
		turn(f);
	}
	run_until(f, answers(fd, 0, NULL) == 1);
	assert_int_equal(inbox.len, 65537);
	assert_int_equal(answer_id(fd, 0), 513);
}

/* Shrink what the kernel takes for a client that does not read. */
static int deaf_client(struct fixture *f)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	assert_int_equal(connect(fd, &f->addr.sa, sizeof(f->addr.in)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return add_client(f, fd);
}

static void a_peer_that_does_not_read_is_held_then_closed_and_harms_nobody(void **state)
{
	struct fixture *f = *state;
	static uint8_t q[300 * 32];
	size_t n = 0;
	int deaf, other;

	f->limits.write_ms = 60;
	start(f);
	f->answer_len = 60000;
	deaf = deaf_client(f);
	for (unsigned i = 0; i < 300; i++)
		n += put_query(q + n, (uint16_t)i, 30);
	send_all(deaf, q, n);
	run_until(f, f->counters.messages > 0);
	other = connected(f);
	f->answer_len = 12;
	ask(other, 5);
	run_until(f, answers(other, 0, NULL) == 1);
	run_until(f, f->counters.timeouts == 1);
	/* not read while more than 64 KiB wait: 18 MB of answers were never made */
	assert_true(f->counters.messages < 200);
	assert_int_equal(f->counters.evicted, 0);
}

/* Someone with more messages than a connection takes at once. */
struct sender {
	struct stream_waiter waiter;
	struct stream *c;
	unsigned left, calls;
	bool saw_full, saw_closed;
};

static void on_room(struct stream_waiter *w)
{
	static uint8_t message[60000];
	struct sender *s = container_of(w, struct sender, waiter);

	s->calls++;
	s->saw_full = s->saw_full || stream_is_full(s->c);
	s->saw_closed = stream_is_closed(s->c);
	if (s->saw_closed || s->left == 0) {
		stream_done(s->c);
		return;
	}
	s->left--;
	stream_send(s->c, message, sizeof(message));
	stream_wait_room(s->c, w);
}

static void begin_sending(struct fixture *f, struct sender *s, int fd)
{
	f->keeps = true;
	ask(fd, 1);
	run_until(f, f->n_kept == 1);
	s->c = f->kept[0].c;
	list_init(&s->waiter.node);
	s->waiter.fn = on_room;
	stream_wait_room(s->c, &s->waiter);
	assert_int_equal(s->calls, 0); /* in a later turn */
}

static void who_waits_for_room_sends_more_than_there_is_memory_for(void **state)
{
	struct sender s = {.left = 200};
	struct fixture *f = *state;
	int fd = start_connected(f);

	begin_sending(f, &s, fd);
	for (unsigned turns = 0; s.calls < 201 && turns < 100000; turns++) {
		unsigned before = s.calls;

		turn(f);
		assert_true(s.calls <= before + 1);
		empty_inbox();
		is_closed(fd); /* reads */
	}
	assert_int_equal(s.calls, 201);
	assert_false(s.saw_full);
	assert_int_equal(f->counters.evicted, 0);
}

static void who_waits_for_room_hears_of_a_peer_that_stops_reading(void **state)
{
	struct sender s = {.left = 1000};
	struct fixture *f = *state;
	int fd;

	f->limits.write_ms = 100;
	f->limits.tick_ms = 10;
	fd = start_connected(f);
	begin_sending(f, &s, fd);
	run_until(f, s.saw_closed);
	assert_true(s.left > 0 && s.left < 1000);
	assert_int_equal(f->counters.timeouts, 1);
}

static void output_beyond_the_bound_closes_the_connection(void **state)
{
	struct fixture *f = *state;
	int deaf;

	f->limits.in_flight = 100;
	start(f);
	f->answer_len = 65535;
	f->keeps = true;
	deaf = deaf_client(f);
	for (uint16_t i = 0; i < 90; i++)
		ask(deaf, i);
	run_until(f, f->n_kept == 90);
	for (unsigned i = 0; i < 90; i++)
		answer_kept(f, i);
	assert_int_equal(f->counters.evicted, 1);
	assert_int_equal(stream_pool_connections(f->pool), 0);
}

static void answers_to_a_peer_that_has_gone_are_thrown_away(void **state)
{
	struct fixture *f = *state;
	struct linger reset = {.l_onoff = 1};
	int fd = start_connected(f);

	f->keeps = true;
	for (uint16_t i = 0; i < 3; i++)
		ask(fd, i);
	run_until(f, f->n_kept == 3);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	hang_up(f, fd);
	run_until(f, stream_pool_connections(f->pool) == 0);
	assert_true(stream_is_closed(f->kept[0].c));
	for (unsigned i = 0; i < 3; i++)
		answer_kept(f, i);
}

static void what_is_in_flight_for_a_peer_that_has_gone_keeps_no_buffers(void **state)
{
	struct fixture *f = *state;
	uint8_t part[2000];
	struct stream *c;
	int fd = start_connected(f);

	f->keeps = true;
	ask(fd, 1);
	run_until(f, f->n_kept == 1);
	c = f->kept[0].c;
	put_query(part, 2, sizeof(part) - 2);
	send_all(fd, part, sizeof(part) - 1);
	run_until(f, c->in.len == sizeof(part) - 1);
	hang_up(f, fd);
	stream_abort(c);
	run_until(f, !c->has_handle);
	assert_null(c->in.at);
	assert_null(c->out.at);
	answer_kept(f, 0);
}

static void writing_to_a_reset_connection_raises_no_signal(void **state)
{
	struct fixture *f = *state;
	struct linger reset = {.l_onoff = 1};
	int fd;

	signal(SIGPIPE, SIG_DFL);
	f->limits.in_flight = 1; /* the server does not look at the socket while it works */
	fd = start_connected(f);
	f->keeps = true;
	ask(fd, 1);
	run_until(f, f->n_kept == 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	hang_up(f, fd);
	answer_kept(f, 0);
	run_until(f, stream_pool_connections(f->pool) == 0);
}

static void a_graceful_stop_answers_what_has_arrived(void **state)
{
	struct fixture *f = *state;
	int busy, idle, late, fd;

	start(f);
	f->keeps = true;
	idle = connected(f);
	busy = connected(f);
	ask(busy, 1);
	run_until(f, f->n_kept == 1);
	ask(busy, 2); /* neither this nor the next has been read when the stop comes */
	late = connect_from(f, INADDR_LOOPBACK);
	ask(late, 3);
	stream_pool_stop(f->pool, 1000);
	run_until(f, is_closed(idle));
	assert_int_equal(f->n_kept, 3);
	assert_int_equal(stream_keepalive(f->kept[0].c), 0);
	assert_false(f->is_stopped);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &f->addr.sa, sizeof(f->addr.in)), -1);
	close(fd);
	for (unsigned i = 0; i < 3; i++)
		answer_kept(f, i);
	empty_inbox();
	run_until(f, is_closed(busy));
	assert_int_equal(answers(busy, 0, NULL), 2);
	empty_inbox();
	run_until(f, is_closed(late));
	assert_int_equal(answers(late, 0, NULL), 1);
	run_until(f, f->is_stopped);
}

static void a_stop_that_takes_too_long_is_enforced(void **state)
{
	struct fixture *f = *state;
	int fd = start_connected(f);

	f->keeps = true;
	ask(fd, 1);
	run_until(f, f->n_kept == 1);
	stream_pool_stop(f->pool, 20);
	run_until(f, is_closed(fd));
	assert_false(f->is_stopped); /* the message is not given back yet */
	answer_kept(f, 0);
	run_until(f, f->is_stopped);
}

static void a_flush_inside_a_message_delivers_nothing_twice(void **state)
{
	struct fixture *f = *state;
	uint8_t q[10 * 64];
	size_t n = 0;
	int fd = start_connected(f);

	f->flushes_early = true;
	send_all(fd, (const uint8_t[]){0, 30, 0, 100}, 4);
	run_for_ms(f, 3);
	memset(q, 0, sizeof(q));
	for (uint16_t i = 0; i < 10; i++)
		n += put_query(q + 28 + n, i, 30);
	send_all(fd, q, 28 + n);
	run_until(f, answers(fd, 0, NULL) == 11);
	run_for_ms(f, 3);
	assert_int_equal(f->counters.messages, 11);
	assert_int_equal(answer_id(fd, 0), 100);
}

static void the_keepalive_value_is_the_idle_time(void **state)
{
	struct fixture *f = *state;
	int fd = start_connected(f);

	f->keeps = true;
	ask(fd, 1);
	run_until(f, f->n_kept == 1);
	assert_int_equal(stream_keepalive(f->kept[0].c), 100);
	assert_int_equal(addr_port(stream_local(f->kept[0].c)), addr_port(&f->addr));
	assert_true(addr_is_loopback(stream_client(f->kept[0].c)));
	answer_kept(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        STREAM_TEST(pipelined_queries_of_one_write_are_all_answered),
	        STREAM_TEST(answers_of_one_turn_leave_in_one_write),
	        STREAM_TEST(a_message_may_come_octet_by_octet),
	        STREAM_TEST(a_slow_answer_does_not_delay_the_one_behind_it),
	        STREAM_TEST(an_impossible_length_ends_the_connection_after_the_answers_before_it),
	        STREAM_TEST(a_half_closed_client_still_gets_its_answers),
	        STREAM_TEST(an_idle_connection_is_closed_and_a_busy_one_is_not),
	        STREAM_TEST(a_dripping_message_is_cut_off_by_its_own_deadline),
	        STREAM_TEST(whole_messages_renew_the_deadline_of_the_next),
	        STREAM_TEST(too_many_in_flight_hold_the_rest_back),
	        STREAM_TEST(held_back_messages_do_not_run_into_the_message_deadline),
	        STREAM_TEST(two_thousand_queries_on_one_connection_are_answered),
	        STREAM_TEST(the_longest_messages_pass_both_ways),
	        STREAM_TEST(a_peer_that_does_not_read_is_held_then_closed_and_harms_nobody),
	        STREAM_TEST(who_waits_for_room_sends_more_than_there_is_memory_for),
	        STREAM_TEST(who_waits_for_room_hears_of_a_peer_that_stops_reading),
	        STREAM_TEST(output_beyond_the_bound_closes_the_connection),
	        STREAM_TEST(answers_to_a_peer_that_has_gone_are_thrown_away),
	        STREAM_TEST(what_is_in_flight_for_a_peer_that_has_gone_keeps_no_buffers),
	        STREAM_TEST(writing_to_a_reset_connection_raises_no_signal),
	        STREAM_TEST(a_graceful_stop_answers_what_has_arrived),
	        STREAM_TEST(a_stop_that_takes_too_long_is_enforced),
	        STREAM_TEST(a_flush_inside_a_message_delivers_nothing_twice),
	        STREAM_TEST(the_keepalive_value_is_the_idle_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
