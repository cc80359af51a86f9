#include "test.h"

#include <arpa/inet.h>

#include "base/rand.h"
#include "base/rcu.h"
#include "names/prefix_set.h"

static void partial_keys_are_found(void **state)
{
	static _Alignas(2) const uint8_t keys[][4] = {
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
	prefix_set_init(&s, 4);
	for (size_t i = 0; i < 11; i++)
		assert_false(prefix_set_has(&s, rows[i].prefix, rows[i].bits));
	for (size_t i = 0; i < 4; i++)
		prefix_set_put(&s, keys[i]);
	for (size_t i = 0; i < 11; i++)
		assert_int_equal(
			prefix_set_has(&s, rows[i].prefix, rows[i].bits), rows[i].is_there);
	assert_true(prefix_set_remove(&s, keys[3]));
	assert_false(prefix_set_remove(&s, keys[3]));
	assert_false(prefix_set_has(&s, rows[2].prefix, 8));
	prefix_set_fini(&s);
}

#define KEYS 64

struct model {
	_Alignas(2) uint8_t keys[2][KEYS][16]; /* two copies of each: one replaces the other */
	bool is_in[KEYS];
};

static bool model_has(const struct model *m, const uint8_t *prefix, unsigned bits)
{
	for (int i = 0; i < KEYS; i++) {
		unsigned agree = 0;

		while (agree < bits && !((m->keys[0][i][agree / 8] ^ prefix[agree / 8]) >>
						(7 - agree % 8) & 1))
			agree++;
		if (m->is_in[i] && agree == bits)
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
	prefix_set_init(&s, 16);
	for (int i = 0; i < KEYS; i++) {
		/* few different octets, so that keys share long prefixes */
		for (int j = 0; j < 16; j++)
			m.keys[0][i][j] = (uint8_t)(rand_below(4) == 0 ? 1u << rand_below(8) : 0);
		m.keys[0][i][15] = (uint8_t)i; /* and no two are equal */
		memcpy(m.keys[1][i], m.keys[0][i], 16);
	}
	for (int step = 0; step < 4000; step++) {
		unsigned i = rand_below(KEYS), bits = rand_below(129);
		uint8_t *key = m.keys[rand_below(2)][i];

		if (rand_below(2) == 0) {
			assert_int_equal(prefix_set_remove(&s, key), m.is_in[i]);
			count -= m.is_in[i];
			m.is_in[i] = false;
		} else {
			prefix_set_put(&s, key);
			count += !m.is_in[i];
			m.is_in[i] = true;
		}
		assert_int_equal(s.count, count);
		key = m.keys[0][rand_below(KEYS)];
		assert_int_equal(prefix_set_has(&s, key, bits), model_has(&m, key, bits));
	}
	prefix_set_fini(&s);
	rcu_reclaim();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partial_keys_are_found),
		cmocka_unit_test(it_agrees_with_a_plain_list_in_every_state),
	};
	int failed;

	rcu_register_thread();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed;
}
