#include "test.h"

#include "base/rand.h"
#include "base/vec.h"
#include "names/addr_table.h"

static unsigned count_of(const struct addr_table *t, const uint8_t *ip, uint32_t *sum)
{
	struct addr_walk w = {NULL, 0};
	uint32_t number;
	unsigned n = 0;

	*sum = 0;
	while ((number = addr_table_next(t, ip, &w)) != 0) {
		*sum += number;
		n++;
	}
	return n;
}

static void an_address_has_each_of_its_numbers_once(void **state)
{
	static const uint8_t a[4] = {10, 0, 0, 1}, b[4] = {10, 0, 0, 2};
	struct addr_table t;
	uint32_t sum;

	(void)state;
	addr_table_init(&t, 4);
	assert_int_equal(count_of(&t, a, &sum), 0);
	assert_false(addr_table_remove(&t, a, 1));
	assert_true(addr_table_add(&t, a, 1));
	assert_false(addr_table_add(&t, a, 1));
	assert_true(addr_table_add(&t, a, 7));
	assert_true(addr_table_add(&t, b, ADDR_TABLE_MAX));
	assert_int_equal(count_of(&t, a, &sum), 2);
	assert_int_equal(sum, 8);
	assert_int_equal(count_of(&t, b, &sum), 1);
	assert_int_equal(sum, ADDR_TABLE_MAX);
	assert_true(addr_table_remove(&t, a, 1));
	assert_int_equal(count_of(&t, a, &sum), 1);
	assert_int_equal(sum, 7);
	assert_int_equal(t.count, 2);
	addr_table_fini(&t);
	rcu_reclaim();
}

static void too_many_numbers_of_one_address_are_left_out(void **state)
{
	static const uint8_t ip[16] = {0xfd};
	struct addr_table t;
	uint32_t sum;

	(void)state;
	addr_table_init(&t, 16);
	for (uint32_t i = 1; i <= ADDR_TABLE_SAME_MAX; i++)
		assert_true(addr_table_add(&t, ip, i));
	assert_false(addr_table_add(&t, ip, ADDR_TABLE_SAME_MAX + 1));
	assert_int_equal(count_of(&t, ip, &sum), ADDR_TABLE_SAME_MAX);
	/* but for those who come first */
	for (uint32_t i = 1; i <= ADDR_TABLE_SAME_MAX; i++)
		assert_true(addr_table_add_first(&t, ip, ADDR_TABLE_SAME_MAX + i));
	assert_false(addr_table_add_first(&t, ip, 2 * ADDR_TABLE_SAME_MAX + 1));
	assert_int_equal(count_of(&t, ip, &sum), 2 * ADDR_TABLE_SAME_MAX);
	addr_table_fini(&t);
	rcu_reclaim();
}

/* Addresses that come and go reuse the places of those that went. */
static void it_does_not_grow_by_changes(void **state)
{
	struct addr_table t;
	size_t bytes = 0;

	(void)state;
	addr_table_init(&t, 4);
	for (uint32_t round = 0; round < 20000; round++) {
		uint8_t ip[4] = {10, 0, (uint8_t)(round >> 8), (uint8_t)round};

		assert_true(addr_table_add(&t, ip, 1));
		if (round == 100)
			bytes = addr_table_bytes(&t);
		if (round >= 20) {
			ip[2] = (uint8_t)((round - 20) >> 8);
			ip[3] = (uint8_t)(round - 20);
			assert_true(addr_table_remove(&t, ip, 1));
		}
	}
	assert_int_equal(t.count, 20);
	assert_int_equal(addr_table_bytes(&t), bytes);
	addr_table_fini(&t);
	rcu_reclaim();
}

enum { IPS = 500, NUMBERS = 4 };

static void check_all(const struct addr_table *t, bool is_in[IPS][NUMBERS])
{
	size_t pos = 0, told = 0, want = 0, pairs = 0;

	while (addr_table_each(t, &pos) != NULL)
		told++;
	for (uint32_t i = 0; i < IPS; i++) {
		uint8_t ip[16] = {0xfd, 0, (uint8_t)(i >> 8), (uint8_t)i};
		unsigned n = 0, sum = 0;
		uint32_t found;

		for (uint32_t k = 0; k < NUMBERS; k++) {
			n += is_in[i][k];
			sum += is_in[i][k] ? k + 1 : 0;
		}
		assert_int_equal(count_of(t, ip, &found), n);
		assert_int_equal(found, sum);
		want += n > 0;
		pairs += n;
	}
	assert_int_equal(told, want);
	assert_int_equal(t->count, pairs);
}

static void it_agrees_with_a_plain_list(void **state)
{
	static bool is_in[IPS][NUMBERS];
	struct addr_table t;

	(void)state;
	rand_seed(11);
	addr_table_init(&t, 16);
	for (int step = 0; step < 20000; step++) {
		uint32_t i = rand_below(IPS), k = rand_below(NUMBERS);
		uint8_t ip[16] = {0xfd, 0, (uint8_t)(i >> 8), (uint8_t)i};

		if (rand_below(2) == 0) {
			assert_int_equal(addr_table_remove(&t, ip, k + 1), is_in[i][k]);
			is_in[i][k] = false;
		} else {
			assert_int_equal(addr_table_add(&t, ip, k + 1), !is_in[i][k]);
			is_in[i][k] = true;
		}
		if (step % 1000 == 0)
			check_all(&t, is_in);
	}
	addr_table_fini(&t);
	rcu_reclaim();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_each_of_its_numbers_once),
		cmocka_unit_test(too_many_numbers_of_one_address_are_left_out),
		cmocka_unit_test(it_does_not_grow_by_changes),
		cmocka_unit_test(it_agrees_with_a_plain_list),
	};
	int failed;

	rcu_register_thread();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed;
}
