#include "test.h"

#include <stdio.h>

#include "base/mem.h"
#include "names/table.h"

struct item {
	struct table_entry head;
	int value;
	char key[16];
};

static struct item *item_new(const char *key, int value)
{
	struct item *i = mem_new(struct item);

	snprintf(i->key, sizeof(i->key), "%s", key);
	i->value = value;
	i->head.key = (const uint8_t *)i->key;
	i->head.key_len = (uint32_t)strlen(i->key);
	return i;
}

static struct item *find(const struct table *t, const char *key)
{
	return (struct item *)table_find(t, key, strlen(key), table_hash(t, key, strlen(key)));
}

static void entries_are_found_replaced_and_removed(void **state)
{
	struct table t;
	struct item *old;

	(void)state;
	table_init(&t);
	assert_null(find(&t, "web"));
	assert_null(table_put(&t, &item_new("web", 1)->head));
	assert_int_equal(find(&t, "web")->value, 1);
	old = (struct item *)table_put(&t, &item_new("web", 2)->head);
	assert_int_equal(old->value, 1);
	free(old);
	assert_int_equal(find(&t, "web")->value, 2);
	assert_int_equal(t.count, 1);
	old = (struct item *)table_remove(&t, "web", 3);
	assert_int_equal(old->value, 2);
	free(old);
	assert_null(find(&t, "web"));
	assert_null(table_remove(&t, "web", 3));
	table_fini(&t, free);
	rcu_reclaim();
}

/* The empty key is the apex of a zone. */
static void the_empty_key_is_a_key(void **state)
{
	struct table t;

	(void)state;
	table_init(&t);
	table_put(&t, &item_new("", 7)->head);
	assert_int_equal(find(&t, "")->value, 7);
	table_fini(&t, free);
}

static void many_entries_survive_growth_and_churn(void **state)
{
	enum { N = 20000 };
	struct table t;
	char key[16];
	size_t pos = 0, seen = 0;

	(void)state;
	table_init(&t);
	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof(key), "svc-%d", i);
		assert_null(table_put(&t, &item_new(key, i)->head));
	}
	for (int i = 0; i < N; i += 3) {
		snprintf(key, sizeof(key), "svc-%d", i);
		free(table_remove(&t, key, strlen(key)));
	}
	for (int i = 0; i < N; i++) {
		struct item *found;

		snprintf(key, sizeof(key), "svc-%d", i);
		found = find(&t, key);
		if (i % 3 == 0)
			assert_null(found);
		else
			assert_int_equal(found->value, i);
	}
	while (table_next(&t, &pos) != NULL)
		seen++;
	assert_int_equal(seen, t.count);
	table_fini(&t, free);
	rcu_reclaim();
}

/* A removed entry leaves no trace on the way to those that had moved on behind it. */
static void ways_over_full_buckets_stay_open(void **state)
{
	struct table t;
	char key[16];

	(void)state;
	table_init(&t);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 75; i++) {
			snprintf(key, sizeof(key), "k%d-%d", round, i);
			table_put(&t, &item_new(key, i)->head);
		}
		for (int i = 74; i >= 0; i -= 2) {
			snprintf(key, sizeof(key), "k%d-%d", round, i);
			free(table_remove(&t, key, strlen(key)));
		}
		for (int i = 1; i < 75; i += 2) {
			snprintf(key, sizeof(key), "k%d-%d", round, i);
			assert_non_null(find(&t, key));
			free(table_remove(&t, key, strlen(key)));
		}
	}
	assert_int_equal(t.count, 0);
	table_fini(&t, free);
	rcu_reclaim();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found_replaced_and_removed),
		cmocka_unit_test(the_empty_key_is_a_key),
		cmocka_unit_test(many_entries_survive_growth_and_churn),
		cmocka_unit_test(ways_over_full_buckets_stay_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
