#include "test.h"

#include <stdio.h>

#include "core/zone_list.h"

static void add(struct zone_list *l, const char *text)
{
	struct name n;

	assert_int_equal(name_from_text(&n, str_from(text), NULL), 0);
	zone_list_add(l, &n);
}

static int match(const struct zone_list *l, const char *text)
{
	struct name n;

	assert_int_equal(name_from_text(&n, str_from(text), NULL), 0);
	return zone_list_match(l, n.wire);
}

/* The same answers are wanted from a short list, which is walked, and from a long, hashed one. */
static void check(const struct zone_list *l)
{
	assert_int_equal(match(l, "example.org"), 0);
	assert_int_equal(match(l, "a.b.example.org"), 0);
	assert_int_equal(match(l, "sub.example.org"), 1);
	assert_int_equal(match(l, "x.sub.example.org"), 1);
	assert_int_equal(match(l, "notexample.org"), -1);
	assert_int_equal(match(l, "org"), -1);
	assert_int_equal(match(l, "."), -1);
	assert_int_equal(match(l, "x.10.in-addr.arpa"), 2);
}

static void the_longest_zone_matches_however_long_the_list_is(void **state)
{
	struct zone_list l = {0};
	char text[32];

	(void)state;
	add(&l, "example.org");
	add(&l, "sub.example.org");
	add(&l, "10.in-addr.arpa");
	add(&l, "example.org");
	check(&l);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%d.%d.example", i & 7, i);
		add(&l, text);
		check(&l);
	}
	assert_int_equal(match(&l, "a.b.c.7.999.example"), 1003);
	assert_int_equal(match(&l, "8.999.example"), -1);
	add(&l, ".");
	assert_int_equal(match(&l, "8.999.example"), 1004);
	assert_int_equal(match(&l, "."), 1004);
	zone_list_free(&l);
}

static void an_empty_list_matches_nothing_and_falls_nowhere(void **state)
{
	struct zone_list l = {0};
	struct fall f = {.is_on = true};

	(void)state;
	assert_int_equal(match(&l, "."), -1);
	assert_false(fall_has(&f, (const uint8_t *)""));
	zone_list_free(&l);
	fall_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_longest_zone_matches_however_long_the_list_is),
	        cmocka_unit_test(an_empty_list_matches_nothing_and_falls_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
