/*
 * The state file beside disks that no system test has: flock(), the first thing that is done with a
 * new file, hangs as long as the test wants. The loop and the file are real, the clock is not.
 */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/source_state.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static uint64_t now_ms;
static unsigned complaints;

uint64_t clock_ns(void)
{
	return now_ms * 1000000u;
}

uint64_t clock_ms(void)
{
	return now_ms;
}

uint64_t clock_wall_s(void)
{
	return 1700000000u + now_ms / 1000;
}

uint64_t clock_wall_ms(void)
{
	return 1700000000000u + now_ms;
}

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

int __wrap_flock(int fd, int operation)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return __real_flock(fd, operation);
}

static void on_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	complaints += strstr(text, "the disk does not answer") != NULL;
}

static enum state_trust on_trust(void *arg)
{
	(void)arg;
	return STATE_CURRENT;
}

/* Half a minute for the state file. */
static void turn(uv_loop_t *loop)
{
	now_ms += 30000;
	uv_run(loop, UV_RUN_ONCE);
}

/* Let the loop run until so many writes have ended. */
static void run_until(uv_loop_t *loop, struct source_state *s, uint64_t writes)
{
	struct source_state_stats stats;

	do {
		turn(loop);
		source_state_stats(s, &stats);
	} while (stats.writes < writes);
}

static void fill(struct store *store, int source, unsigned n)
{
	char name[64];
	struct object o = {.kind = OBJECT_SERVICE, .ns = "shop", .name = name};

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "a-long-name-so-that-there-is-more-to-write-%u", i);
		store_apply(store, source, &o);
	}
	store_source_synced(store, source, OBJECT_SERVICE, true);
	store_commit(store);
}

static void a_disk_that_hangs_does_not_make_the_store_keep_everything(void **state)
{
	struct source_state_options options = {.max_age_s = 3600,
	        .scope = STR("test"),
	        .kinds = 1u << OBJECT_SERVICE,
	        .trust = on_trust};
	char dir[] = "/tmp/test-state-XXXXXX", path[64], command[64];
	struct store *store = store_new();
	struct source_state *s;
	uv_loop_t loop;
	int source;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/state", dir);
	options.path = path;
	assert_int_equal(uv_loop_init(&loop), 0);
	log_set_sink(on_log, NULL);
	source = store_source_add(store, "api", 1u << OBJECT_SERVICE);
	s = source_state_new(&loop, store, &options);
	fill(store, source, 10);
	pthread_mutex_lock(&gate);
	turn(&loop);
	/* all was encoded before the disk was asked: nothing is kept for it */
	store_hold(store, 1u << OBJECT_SERVICE);
	store_release(store);
	pthread_mutex_unlock(&gate);
	run_until(&loop, s, 1);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(complaints, 0);

	fill(store, source, 9000); /* more than is encoded at once */
	pthread_mutex_lock(&gate);
	while (complaints == 0)
		turn(&loop);
	store_hold(store, 1u << OBJECT_SERVICE);
	store_release(store);
	pthread_mutex_unlock(&gate);
	run_until(&loop, s, 2);
	assert_int_equal(complaints, 1);
	source_state_free(s);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	store_free(store);
	log_set_sink(NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

/* The server may have told of everything before the last of a large file was read. */
static void a_file_that_is_read_too_late_is_not_in_use(void **state)
{
	struct source_state_options options = {.max_age_s = 3600000,
	        .scope = STR("test"),
	        .kinds = 1u << OBJECT_SERVICE,
	        .trust = on_trust};
	char dir[] = "/tmp/test-state-XXXXXX", path[64], command[64];
	struct source_state_stats stats = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/state", dir);
	options.path = path;
	for (unsigned round = 0; round < 3; round++) { /* written, read in time, read too late */
		struct store *store = store_new();
		struct source_state *s;
		uv_loop_t loop;
		int source = store_source_add(store, "api", 1u << OBJECT_SERVICE);

		assert_int_equal(uv_loop_init(&loop), 0);
		s = source_state_new(&loop, store, &options);
		for (int i = 0; i < 50 && round == 1; i++)
			uv_run(&loop, UV_RUN_NOWAIT);
		source_state_stats(s, &stats);
		assert_true(stats.is_in_use == (round == 1));
		fill(store, source, 10000); /* the file is read in two pieces */
		if (round == 0)
			run_until(&loop, s, 1);
		for (int i = 0; i < 50; i++)
			uv_run(&loop, UV_RUN_NOWAIT);
		source_state_stats(s, &stats);
		assert_false(stats.is_in_use);
		source_state_free(s);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_int_equal(uv_loop_close(&loop), 0);
		store_free(store);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        NAMED_TEST("K50: a disk that hangs does not make the store keep everything",
	                a_disk_that_hangs_does_not_make_the_store_keep_everything),
	        NAMED_TEST("P8: a file that is read too late is not in use",
	                a_file_that_is_read_too_late_is_not_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
