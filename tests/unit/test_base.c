#include "test.h"

#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/num.h"
#include "base/rand.h"
#include "base/rcu.h"
#include "base/slots.h"
#include "base/vec.h"

static void arena_gives_aligned_zeroed_memory(void **state)
{
	struct arena a;
	uint64_t inline_memory[8];

	(void)state;
	arena_init_with(&a, inline_memory, sizeof(inline_memory));
	for (size_t n = 1; n < 3000; n += 7) {
		uint8_t *p = arena_alloc(&a, n);

		assert_int_equal((uintptr_t)p & 15, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
	}
	assert_string_equal(arena_printf(&a, "%d-%s", 5, "x"), "5-x");
	arena_reset(&a);
	assert_int_equal(a.total, 0);
}

static void durations_read_as_in_go(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t ms;
	} rows[] = {
		{"5s", 0, 5000},
		{"1m30s", 0, 90000},
		{"1.5h", 0, 5400000},
		{"250ms", 0, 250},
		{"0", 0, 0},
		{"1500us", 0, 2},
		{"5", -22, 0},
		{"", -22, 0},
		{"s", -22, 0},
		{"5x", -22, 0},
		{"-5s", -22, 0},
		{".s", -22, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ms = 0;

		assert_int_equal(num_duration_ms(str_from(rows[i].text), &ms), rows[i].rc);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void numbers_are_checked_for_range(void **state)
{
	uint64_t v = 0;
	uint16_t p = 0;

	(void)state;
	assert_int_equal(num_u64(STR("18446744073709551615"), UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(num_u64(STR("18446744073709551616"), UINT64_MAX, &v), -34);
	assert_int_equal(num_u16(STR("65536"), UINT16_MAX, &p), -34);
	assert_int_equal(num_u16(STR("12a"), UINT16_MAX, &p), -22);
}

static void map_survives_growth_and_deletion(void **state)
{
	struct map m;
	static char keys[5000][8];
	size_t pos = 0, seen = 0;

	(void)state;
	map_init(&m);
	for (int i = 0; i < 5000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		assert_null(map_put(&m, str_from(keys[i]), keys[i]));
	}
	for (int i = 0; i < 5000; i += 2)
		assert_ptr_equal(map_del(&m, str_from(keys[i])), keys[i]);
	for (int i = 0; i < 5000; i++)
		assert_ptr_equal(map_get(&m, str_from(keys[i])), i % 2 ? keys[i] : NULL);
	while (map_next(&m, &pos) != NULL)
		seen++;
	assert_int_equal(seen, 2500);
	for (int round = 0; round < 100000; round++) {
		map_put(&m, STR("again"), keys[0]);
		map_del(&m, STR("again"));
	}
	assert_true(m.cap < 20000);
	map_fini(&m);
}

/* Vectors of the SipHash paper, appendix A, and of its reference program. */
static void siphash_matches_published_vectors(void **state)
{
	uint8_t key[16], in[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	assert_true(siphash24(key, in, 15) == 0xa129ca6149be45e5u);
	assert_true(siphash24(key, in, 0) == 0x726fdb47dd0e0e31u);
}

static void random_below_is_uniform(void **state)
{
	unsigned count[7] = {0};
	double chi = 0;

	(void)state;
	rand_seed(42);
	for (int i = 0; i < 700000; i++)
		count[rand_below(7)]++;
	for (int i = 0; i < 7; i++)
		chi += ((double)count[i] - 100000) * ((double)count[i] - 100000) / 100000;
	assert_true(chi < 22.5); /* 6 degrees of freedom, p = 0.001 */
}

/* Else what was kept for a minute is as good as new when a laptop wakes up after a night. */
static void the_clock_counts_while_the_machine_sleeps(void **state)
{
	struct timespec ts;
	uint64_t before, after;

	(void)state;
	before = clock_ns();
	clock_gettime(CLOCK_BOOTTIME, &ts);
	after = clock_ns();
	assert_in_range((uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec, before, after);
}

static void a_shared_log_limit_is_one_for_threads_whose_clocks_differ(void **state)
{
	struct log_limit_shared l = LOG_LIMIT_SHARED(1, 3);
	uint64_t suppressed;
	int passed = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		passed += log_limit_shared_allows(&l, 5000 - (uint64_t)i % 2, &suppressed);
	assert_int_equal(passed, 3);
	assert_true(log_limit_shared_allows(&l, 6000, &suppressed));
	assert_int_equal(suppressed, 97);
}

static void log_limit_lets_a_burst_through_and_counts_the_rest(void **state)
{
	struct log_limit l = {.rate = 10, .burst = 5};
	uint64_t suppressed = 0;
	int passed = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		passed += log_limit_allows(&l, 1000, &suppressed);
	assert_int_equal(passed, 5);
	assert_true(log_limit_allows(&l, 1100, &suppressed));
	assert_int_equal(suppressed, 95);
	assert_false(log_limit_allows(&l, 1100, &suppressed));
}

static void slices_cut_and_trim(void **state)
{
	struct str rest = STR("  nameserver\t10.0.0.1  # x ");

	(void)state;
	assert_true(str_is(str_word(&rest), "nameserver"));
	assert_true(str_is(str_word(&rest), "10.0.0.1"));
	assert_true(str_is(str_trim(rest), "# x"));
	rest = STR("a,b");
	assert_true(str_is(str_cut(&rest, ','), "a"));
	assert_true(str_is(str_cut(&rest, ','), "b"));
	assert_null(rest.at);
}

static void numbers_lead_to_objects_and_rest(void **state)
{
	static int objects[100];
	struct slots s;

	(void)state;
	slots_init(&s, 1, 2);
	assert_null(slots_get(&s, 7)); /* none was ever given out */
	for (uint32_t i = 2; i < 100; i++) {
		assert_int_equal(slots_take(&s), i);
		assert_null(slots_get(&s, i));
		slots_set(&s, i, &objects[i]);
	}
	for (uint32_t i = 2; i < 100; i++)
		assert_ptr_equal(slots_get(&s, i), &objects[i]);
	for (uint32_t i = 10; i < 13; i++)
		slots_give(&s, i);
	assert_null(slots_get(&s, 11));
	assert_int_equal(slots_take(&s), 10);
	assert_int_equal(slots_take(&s), 100); /* 11 and 12 rest */
	slots_give(&s, 50);
	assert_int_equal(slots_take(&s), 11);
	slots_fini(&s);
	rcu_reclaim();
}

static void file_reader_refuses_what_is_not_a_plain_file(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(buf_read_file(&b, "/dev/zero", 100), -22);
	assert_int_equal(buf_read_file(&b, "/etc", 100), -21);
	assert_int_equal(buf_read_file(&b, "/nowhere/at/all", 100), -2);
	assert_int_equal(buf_read_file(&b, "/etc/passwd", 10), -27);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_gives_aligned_zeroed_memory),
		cmocka_unit_test(durations_read_as_in_go),
		cmocka_unit_test(numbers_are_checked_for_range),
		cmocka_unit_test(map_survives_growth_and_deletion),
		cmocka_unit_test(siphash_matches_published_vectors),
		cmocka_unit_test(random_below_is_uniform),
		cmocka_unit_test(the_clock_counts_while_the_machine_sleeps),
		cmocka_unit_test(a_shared_log_limit_is_one_for_threads_whose_clocks_differ),
		cmocka_unit_test(log_limit_lets_a_burst_through_and_counts_the_rest),
		cmocka_unit_test(slices_cut_and_trim),
		cmocka_unit_test(numbers_lead_to_objects_and_rest),
		cmocka_unit_test(file_reader_refuses_what_is_not_a_plain_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
