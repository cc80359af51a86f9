/* All connections together: who gives way when there are too many, or too little of the rest. */
#include "stream_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static void a_newcomer_takes_the_place_of_the_oldest_idle_connection(void **state)
{
	struct fixture *f = *state;
	int fd[9];

	f->limits.connections = 8;
	start(f);
	f->keeps = true;
	for (int i = 0; i < 8; i++)
		fd[i] = connected(f);
	ask(fd[0], 1); /* the oldest is busy, so the second oldest goes */
	run_until(f, f->n_kept == 1);
	fd[8] = connected(f);
	run_until(f, is_closed(fd[1]));
	empty_inbox();
	assert_false(is_closed(fd[0]));
	assert_false(is_closed(fd[2]));
	assert_int_equal(f->counters.evicted, 1);
	answer_kept(f, 0);
	run_until(f, answers(fd[0], 0, NULL) == 1);
}

static void a_newcomer_is_refused_when_all_are_busy(void **state)
{
	struct fixture *f = *state;
	int fd[3];

	f->limits.connections = 2;
	start(f);
	f->keeps = true;
	for (int i = 0; i < 2; i++) {
		fd[i] = connected(f);
		ask(fd[i], (uint16_t)i);
	}
	run_until(f, f->n_kept == 2);
	fd[2] = connect_from(f, INADDR_LOOPBACK);
	run_until(f, f->counters.refused == 1);
	run_until(f, is_closed(fd[2]));
	answer_kept(f, 0);
	answer_kept(f, 1);
	empty_inbox();
	run_until(f, answers(fd[1], 0, NULL) == 1);
}

static void a_slowloris_gives_way_to_a_newcomer(void **state)
{
	struct fixture *f = *state;
	int fd[3];

	f->limits.connections = 2;
	start(f);
	for (int i = 0; i < 2; i++) {
		fd[i] = connected(f);
		send_all(fd[i], (const uint8_t[]){0, 40, 1, 2, 3}, 5);
		run_for_ms(f, 3);
	}
	fd[2] = connected(f);
	ask(fd[2], 3);
	run_until(f, answers(fd[2], 0, NULL) == 1);
	run_until(f, is_closed(fd[0]));
	empty_inbox();
	assert_false(is_closed(fd[1]));
}

static void one_client_cannot_take_all_connections(void **state)
{
	struct fixture *f = *state;
	int fd[3], other;

	f->limits.per_client = 2;
	start(f);
	other = connect_from(f, INADDR_LOOPBACK + 1);
	run_until(f, f->counters.accepted == 1);
	for (int i = 0; i < 3; i++)
		fd[i] = connected(f);
	run_until(f, is_closed(fd[0]));
	assert_int_equal(f->counters.evicted, 1);
	assert_int_equal(stream_pool_connections(f->pool), 3);
	empty_inbox();
	assert_false(is_closed(other));
	/* a half message gives way too, an open question does not */
	f->keeps = true;
	ask(fd[1], 1);
	run_until(f, f->n_kept == 1);
	send_all(fd[2], (const uint8_t[]){0, 40, 1, 2, 3}, 5);
	run_for_ms(f, 3);
	hang_up(f, fd[0]);
	fd[0] = connected(f);
	run_until(f, is_closed(fd[2]));
	assert_int_equal(f->counters.evicted, 2);
	empty_inbox();
	ask(fd[0], 2);
	run_until(f, f->n_kept == 2);
	hang_up(f, connect_from(f, INADDR_LOOPBACK));
	run_until(f, f->counters.refused == 1);
	answer_kept(f, 0);
	answer_kept(f, 1);
}

static rlim_t forbid_descriptors(void)
{
	struct rlimit l;
	rlim_t before;
	int lowest = open("/dev/null", O_RDONLY);

	close(lowest);
	getrlimit(RLIMIT_NOFILE, &l);
	before = l.rlim_cur;
	l.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
	return before;
}

static void allow_descriptors(rlim_t n)
{
	struct rlimit l;

	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
}

static void without_descriptors_newcomers_are_turned_away_not_left_waiting(void **state)
{
	struct fixture *f = *state;
	rlim_t before;
	int busy, fd;

	start(f);
	f->keeps = true;
	busy = connected(f);
	ask(busy, 1);
	run_until(f, f->n_kept == 1);
	fd = connect_from(f, INADDR_LOOPBACK);
	before = forbid_descriptors();
	run_until(f, is_closed(fd));
	assert_int_equal(f->counters.refused, 1);
	allow_descriptors(before);
	empty_inbox();
	answer_kept(f, 0);
	run_until(f, answers(busy, 0, NULL) == 1);
	hang_up(f, fd);
	f->keeps = false;
	empty_inbox();
	fd = connect_from(f, INADDR_LOOPBACK);
	ask(fd, 2);
	run_until(f, answers(fd, 0, NULL) == 1);
}

static void without_descriptors_an_idle_connection_makes_room(void **state)
{
	struct fixture *f = *state;
	rlim_t before;
	int fd;

	start(f);
	connected(f); /* and stays idle */
	fd = connect_from(f, INADDR_LOOPBACK);
	ask(fd, 1);
	before = forbid_descriptors();
	run_until(f, answers(fd, 0, NULL) == 1);
	allow_descriptors(before);
	assert_int_equal(f->counters.evicted, 1);
	assert_int_equal(f->counters.refused, 0);
}

static void half_messages_cannot_take_more_memory_than_all_may_have(void **state)
{
	struct fixture *f = *state;
	static uint8_t q[30000];
	int fd[6];

	f->limits.memory = 100000;
	start(f);
	put_query(q, 1, sizeof(q) - 2);
	q[0] = 0xff;
	for (int i = 0; i < 6; i++) {
		fd[i] = connected(f);
		send_all(fd[i], q, sizeof(q));
		run_for_ms(f, 3);
	}
	assert_true(f->counters.evicted >= 3);
	assert_true(is_closed(fd[0]));
	empty_inbox();
	assert_false(is_closed(fd[5]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        STREAM_TEST(a_newcomer_takes_the_place_of_the_oldest_idle_connection),
	        STREAM_TEST(a_newcomer_is_refused_when_all_are_busy),
	        STREAM_TEST(a_slowloris_gives_way_to_a_newcomer),
	        STREAM_TEST(one_client_cannot_take_all_connections),
	        STREAM_TEST(without_descriptors_newcomers_are_turned_away_not_left_waiting),
	        STREAM_TEST(without_descriptors_an_idle_connection_makes_room),
	        STREAM_TEST(half_messages_cannot_take_more_memory_than_all_may_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
