#include "test.h"

#include <arpa/inet.h>

#include "base/rand.h"
#include "base/rcu.h"
#include "names/prefix_set.h"

static void partial_keys_are_found(void **state)
{
	static const uint8_t keys[][4] = {
		{10, 96, 0, 1}, {10, 96, 0, 2}, {10, 96, 128, 1}, {172, 17, 0, 9}};
	static const struct {
		uint8_t prefix[4];
		unsigned bits;
		bool is_there;
	} rows[] = {
		{{10}, 8, true},
		{{11}, 8, false},
		{{172}, 8, true},
		{{10, 96}, 16, true},
		{{10, 97}, 16, false},
		{{10, 96, 0}, 24, true},
		{{10, 96, 1}, 24, false},
		{{10, 96, 128}, 24, true},
		{{10, 96, 0, 1}, 32, true},
		{{10, 96, 0, 3}, 32, false},
		{{0}, 0, true},
	};
	struct prefix_set s;

	(void)state;
	prefix_set_init(&s, 32);
	for (size_t i = 0; i < 11; i++)
		assert_false(prefix_set_has(&s, rows[i].prefix, rows[i].bits));
	for (size_t i = 0; i < 4; i++)
		prefix_set_add(&s, keys[i]);
	for (size_t i = 0; i < 11; i++)
		assert_int_equal(
			prefix_set_has(&s, rows[i].prefix, rows[i].bits), rows[i].is_there);
	assert_true(prefix_set_remove(&s, keys[3]));
	assert_false(prefix_set_remove(&s, keys[3]));
	assert_false(prefix_set_has(&s, rows[2].prefix, 8));
	prefix_set_fini(&s);
}

/* 124 bits, as above IPv6 addresses: the last four of a key do not make a difference. */
static void bits_that_do_not_count_are_equal(void **state)
{
	uint8_t key[16] = {0x20, 0x01}, other[16] = {0x20, 0x01}, third[16] = {0x20, 0x01};
	struct prefix_set s;

	(void)state;
	prefix_set_init(&s, 124);
	key[15] = 0x15;
	other[15] = 0x1a;
	third[15] = 0x2a;
	prefix_set_add(&s, key);
	prefix_set_add(&s, other);
	assert_int_equal(s.count, 1);
	assert_true(prefix_set_has(&s, other, 124));
	assert_false(prefix_set_has(&s, third, 124));
	assert_true(prefix_set_has(&s, third, 120));
	assert_false(prefix_set_has(&s, key, 128));
	assert_true(prefix_set_remove(&s, key));
	assert_true(prefix_set_has(&s, key, 124));
	assert_true(prefix_set_remove(&s, key));
	assert_false(prefix_set_remove(&s, key));
	assert_false(prefix_set_has(&s, key, 8));
	prefix_set_fini(&s);
	rcu_reclaim();
}

#define KEYS 64

struct model {
	uint8_t keys[KEYS][16];
	unsigned times[KEYS];
};

static bool model_has(const struct model *m, const uint8_t *prefix, unsigned bits)
{
	for (int i = 0; i < KEYS; i++) {
		unsigned agree = 0;

		while (agree < bits && !((m->keys[i][agree / 8] ^ prefix[agree / 8]) >>
						(7 - agree % 8) & 1))
			agree++;
		if (m->times[i] > 0 && agree == bits)
			return true;
	}
	return false;
}

static void it_agrees_with_a_plain_list_in_every_state(void **state)
{
	static struct model m;
	struct prefix_set s;
	size_t count = 0;

	(void)state;
	rand_seed(7);
	prefix_set_init(&s, 128);
	for (int i = 0; i < KEYS; i++) {
		/* few different octets, so that keys share long prefixes */
		for (int j = 0; j < 16; j++)
			m.keys[i][j] = (uint8_t)(rand_below(4) == 0 ? 1u << rand_below(8) : 0);
		m.keys[i][15] = (uint8_t)i; /* and no two are equal */
	}
	for (int step = 0; step < 4000; step++) {
		unsigned i = rand_below(KEYS), bits = rand_below(129);
		uint8_t *key = m.keys[i];

		if (rand_below(2) == 0) {
			assert_int_equal(prefix_set_remove(&s, key), m.times[i] > 0);
			count -= m.times[i] == 1;
			m.times[i] -= m.times[i] > 0;
		} else {
			prefix_set_add(&s, key);
			count += m.times[i]++ == 0;
		}
		assert_int_equal(s.count, count);
		key = m.keys[rand_below(KEYS)];
		assert_int_equal(prefix_set_has(&s, key, bits), model_has(&m, key, bits));
	}
	prefix_set_fini(&s);
	rcu_reclaim();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partial_keys_are_found),
		cmocka_unit_test(bits_that_do_not_count_are_equal),
		cmocka_unit_test(it_agrees_with_a_plain_list_in_every_state),
	};
	int failed;

	rcu_register_thread();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed;
}
