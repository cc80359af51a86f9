/* What the cache keeps and gives up, and what happens when several threads are at it. */
#include "test.h"

#include <pthread.h>

#include "../../plugins/cache/store.h"
#include "base/must.h"
#include "dns/msg.h"

static struct cache_store *store;

static void open_store(size_t capacity, size_t bytes)
{
	struct cache_limits limits[CACHE_PARTS] = {{capacity, bytes}, {capacity, bytes}};

	rcu_register_thread();
	store = cache_store_new(limits);
}

static void close_store(void)
{
	rcu_thread_offline();
	rcu_drain();
	rcu_thread_online();
	cache_store_free(store);
	rcu_unregister_thread();
}

static struct cache_key key_of(uint8_t name[8], unsigned i)
{
	struct cache_key key = {.name = name, .name_len = 6, .type = 1};

	snprintf((char *)name, 8, "%c%04u", 4, i % 10000);
	cache_store_hash(store, &key);
	return key;
}

static struct cache_entry *make(unsigned i, enum cache_kind kind, size_t more)
{
	uint8_t name[8];
	struct cache_key key = key_of(name, i);
	size_t size = sizeof(struct cache_entry) + MSG_HEADER + 6 + more;
	struct cache_entry *e = calloc(1, size);

	e->hash = key.hash;
	e->kind = (uint8_t)kind;
	e->name_len = key.name_len;
	e->type = key.type;
	e->size = (uint32_t)size;
	e->ttl_s = i;
	memcpy(e->data + MSG_HEADER, name, 6);
	return e;
}

static void put(unsigned i, enum cache_kind kind)
{
	cache_store_put(store, make(i, kind, 0));
}

static struct cache_found find(unsigned i)
{
	uint8_t name[8];
	struct cache_key key = key_of(name, i);

	return cache_store_find(store, &key);
}

static void the_newest_answer_is_the_one_that_is_known(void **state)
{
	struct cache_entry *first;

	(void)state;
	open_store(100, 1 << 20);
	assert_null(find(1).answer);
	put(1, CACHE_POSITIVE);
	first = find(1).answer;
	assert_non_null(first);
	assert_null(find(2).answer);
	put(1, CACHE_NEGATIVE);
	assert_ptr_not_equal(find(1).answer, first);
	assert_int_equal(find(1).answer->kind, CACHE_NEGATIVE);
	assert_int_equal(cache_store_entries(store, 0), 0);
	assert_int_equal(cache_store_entries(store, 1), 1);
	close_store();
}

static void a_failure_hides_no_answer_and_ends_with_the_next_one(void **state)
{
	(void)state;
	open_store(100, 1 << 20);
	put(1, CACHE_POSITIVE);
	put(1, CACHE_FAILURE);
	put(1, CACHE_FAILURE);
	assert_int_equal(find(1).answer->kind, CACHE_POSITIVE);
	assert_int_equal(find(1).failure->kind, CACHE_FAILURE);
	assert_int_equal(cache_store_entries(store, 1), 1);
	put(1, CACHE_POSITIVE);
	assert_null(find(1).failure);
	assert_int_equal(cache_store_entries(store, 1), 0);
	close_store();
}

static void what_was_used_again_outlives_what_was_not(void **state)
{
	unsigned kept = 0;

	(void)state;
	open_store(100, 1 << 20); /* one shard */
	for (unsigned i = 0; i < 100; i++)
		put(i, CACHE_POSITIVE);
	for (unsigned i = 0; i < 100; i += 2)
		atomic_store(&find(i).answer->used, true);
	for (unsigned i = 100; i < 150; i++)
		put(i, CACHE_POSITIVE);
	assert_int_equal(cache_store_entries(store, 0), 100);
	assert_int_equal(cache_store_evictions(store, 0), 50);
	for (unsigned i = 0; i < 100; i += 2)
		kept += find(i).answer != NULL;
	assert_int_equal(kept, 50);
	for (unsigned i = 100; i < 150; i++)
		assert_non_null(find(i).answer);
	close_store();
}

static void an_entry_that_is_put_is_not_the_one_that_goes(void **state)
{
	(void)state;
	open_store(4, 1 << 20);
	for (unsigned i = 0; i < 4; i++)
		put(i, CACHE_POSITIVE);
	for (unsigned i = 0; i < 4; i++)
		atomic_store(&find(i).answer->used, true);
	put(9, CACHE_POSITIVE);
	assert_non_null(find(9).answer);
	assert_int_equal(cache_store_entries(store, 0), 4);
	close_store();
}

static void octets_are_limited_as_well_as_entries(void **state)
{
	size_t each = sizeof(struct cache_entry) + MSG_HEADER + 6 + 1000;

	(void)state;
	open_store(60, 10 * each);
	for (unsigned i = 0; i < 50; i++)
		cache_store_put(store, make(i, CACHE_POSITIVE, 1000));
	assert_int_equal(cache_store_entries(store, 0), 10);
	assert_int_equal(cache_store_bytes(store, 0), 10 * each);
	cache_store_put(store, make(77, CACHE_POSITIVE, 11 * each));
	assert_null(find(77).answer);
	assert_int_equal(cache_store_entries(store, 0), 10);
	close_store();
}

static void no_capacity_keeps_nothing(void **state)
{
	(void)state;
	open_store(0, 1 << 20);
	put(1, CACHE_POSITIVE);
	put(1, CACHE_FAILURE);
	assert_null(find(1).answer);
	assert_null(find(1).failure);
	close_store();
}

/* --- threads */

static void *hammer(void *arg)
{
	unsigned r = *(unsigned *)arg;

	rcu_register_thread();
	for (unsigned i = 0; i < 40000; i++) {
		struct cache_found found;

		r = r * 1103515245u + 12345u;
		found = find(r >> 8 & 1023);
		if (found.answer != NULL) {
			/* an entry says what it was made with, whole */
			must(found.answer->ttl_s == (r >> 8 & 1023));
			atomic_store(&found.answer->used, true);
		}
		if (i % 4 == 0)
			put(r >> 8 & 1023, i % 8 == 0 ? CACHE_POSITIVE : CACHE_NEGATIVE);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return NULL;
}

static void readers_and_writers_see_whole_entries(void **state)
{
	unsigned seeds[4] = {1, 2, 3, 4};
	pthread_t threads[4];

	(void)state;
	open_store(500, 1 << 20);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &seeds[i]), 0);
	rcu_thread_offline();
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	rcu_thread_online();
	assert_in_range(cache_store_entries(store, 0), 1, 512);
	assert_in_range(cache_store_entries(store, 1), 1, 512);
	close_store();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_newest_answer_is_the_one_that_is_known),
	        cmocka_unit_test(a_failure_hides_no_answer_and_ends_with_the_next_one),
	        cmocka_unit_test(what_was_used_again_outlives_what_was_not),
	        cmocka_unit_test(an_entry_that_is_put_is_not_the_one_that_goes),
	        cmocka_unit_test(octets_are_limited_as_well_as_entries),
	        cmocka_unit_test(no_capacity_keeps_nothing),
	        cmocka_unit_test(readers_and_writers_see_whole_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
