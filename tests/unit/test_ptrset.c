#include "test.h"

#include <stdio.h>

#include "base/ptrset.h"
#include "base/rand.h"

struct word {
	char text[16];
};

static struct str key_of(const void *element)
{
	return str_from(((const struct word *)element)->text);
}

static void elements_are_found_replaced_and_removed(void **state)
{
	struct word a = {"a"}, other = {"a"}, b = {"b"};
	struct ptrset s;

	(void)state;
	ptrset_init(&s, key_of);
	assert_null(ptrset_get(&s, STR("a")));
	assert_null(ptrset_del(&s, STR("a")));
	assert_null(ptrset_put(&s, &a));
	assert_null(ptrset_put(&s, &b));
	assert_ptr_equal(ptrset_put(&s, &other), &a);
	assert_ptr_equal(ptrset_get(&s, STR("a")), &other);
	assert_ptr_equal(ptrset_get(&s, STR("b")), &b);
	assert_int_equal(s.len, 2);
	assert_ptr_equal(ptrset_del(&s, STR("a")), &other);
	assert_null(ptrset_get(&s, STR("a")));
	assert_int_equal(s.len, 1);
	ptrset_fini(&s);
}

enum { WORDS = 2000 };

static size_t walk(const struct ptrset *s)
{
	size_t pos = 0, n = 0;

	while (ptrset_next(s, &pos) != NULL)
		n++;
	return n;
}

static void it_agrees_with_a_plain_list(void **state)
{
	static struct word words[WORDS];
	static bool is_in[WORDS];
	struct ptrset s;
	size_t count = 0;

	(void)state;
	rand_seed(3);
	ptrset_init(&s, key_of);
	for (int i = 0; i < WORDS; i++)
		snprintf(words[i].text, sizeof(words[i].text), "ns/%d", i);
	for (int step = 0; step < 40000; step++) {
		uint32_t i = rand_below(WORDS);
		struct str key = str_from(words[i].text);

		assert_ptr_equal(ptrset_get(&s, key), is_in[i] ? &words[i] : NULL);
		if (rand_below(2) == 0) {
			assert_ptr_equal(ptrset_del(&s, key), is_in[i] ? &words[i] : NULL);
			count -= is_in[i];
			is_in[i] = false;
		} else {
			assert_ptr_equal(ptrset_put(&s, &words[i]), is_in[i] ? &words[i] : NULL);
			count += !is_in[i];
			is_in[i] = true;
		}
		assert_int_equal(s.len, count);
	}
	assert_int_equal(walk(&s), count);
	/* elements that come and go leave no more room behind than they need */
	assert_in_range(s.cap, WORDS, WORDS * 4);
	ptrset_fini(&s);
}

static void elements_can_be_removed_on_a_walk(void **state)
{
	static struct word words[WORDS];
	struct ptrset s;
	struct word *w;
	size_t pos = 0;

	(void)state;
	ptrset_init(&s, key_of);
	for (int i = 0; i < WORDS; i++) {
		snprintf(words[i].text, sizeof(words[i].text), "%d", i);
		ptrset_put(&s, &words[i]);
	}
	while ((w = ptrset_next(&s, &pos)) != NULL)
		assert_ptr_equal(ptrset_del(&s, str_from(w->text)), w);
	assert_int_equal(s.len, 0);
	assert_int_equal(walk(&s), 0);
	ptrset_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_are_found_replaced_and_removed),
		cmocka_unit_test(it_agrees_with_a_plain_list),
		cmocka_unit_test(elements_can_be_removed_on_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
