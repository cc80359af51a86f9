#include "test.h"

#include <stdlib.h>

#include "base/must.h"
#include "cluster/selector.h"

/* "a=1 b=2" as labels; "" none. */
static struct labels labels_of(char *text, struct label *at)
{
	struct labels l = {at, 0};

	for (char *save, *p = strtok_r(text, " ", &save); p != NULL;
	        p = strtok_r(NULL, " ", &save)) {
		char *value = strchr(p, '=');

		*value = '\0';
		at[l.len++] = (struct label){p, value + 1};
	}
	return l;
}

static void text_is_made_canonical(void **state)
{
	static const char *const rows[][2] = {
	        {"", ""},
	        {"  \t", ""},
	        {"app=web", "app=web"},
	        {" app == web ", "app=web"},
	        {"app in (web)", "app=web"},
	        {"app=", "app="},
	        {"app!=", "app!="},
	        {"b=2,a=1", "a=1,b=2"},
	        {"a=1,a=1,a in (1)", "a=1"},
	        {"x in (c, a ,b,a)", "x in (a,b,c)"},
	        {"x notin(b,a)", "x notin (a,b)"},
	        {"x in (a,)", "x in (,a)"},
	        {"x in (,)", "x="},
	        {"!old , new", "new,!old"},
	        {"! old", "!old"},
	        {"example.com/App.x_1=V-1", "example.com/App.x_1=V-1"},
	        {"a!=1,a=2,a,!b", "a=2,a!=1,a,!b"},
	        {"x in (in,notin)", "x in (in,notin)"},
	        {"in=a", "in=a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = {""};
		struct selector *s = selector_parse(str_from(rows[i][0]), &e), *again;

		assert_string_equal(e.text, "");
		assert_non_null(s);
		assert_string_equal(selector_text(s), rows[i][1]);
		again = selector_parse(str_from(selector_text(s)), &e);
		assert_string_equal(selector_text(again), rows[i][1]);
		selector_free(again);
		selector_free(s);
	}
}

static void bad_text_is_quoted(void **state)
{
	static const char *const rows[][2] = {
	        {",", "label selector: expected the name of a label, not \",\""},
	        {"a=1,", "label selector: expected the name of a label, not \"the end\""},
	        {"a=1 b=2", "label selector: expected a comma or the end, not \"b\""},
	        {"a in", "label selector: in and notin need ( behind them, not \"the end\""},
	        {"a in ()", "label selector: in and notin need a value in (), not \")\""},
	        {"a in (b", "label selector: expected , or ), not \"the end\""},
	        {"a in (b c)", "label selector: expected , or ), not \"c\""},
	        {"a>1", "label selector: expected =, ==, !=, in, notin or a comma, not \">\""},
	        {"a IN (b)",
	                "label selector: expected =, ==, !=, in, notin or a comma, not \"IN\""},
	        {"!a=1", "label selector: expected a comma or the end, not \"=\""},
	        {"-a=1",
	                "label selector: a label is named like app or example.com/app, not \"-a\""},
	        {"a/b/c", "label selector: a label is named like app or example.com/app, "
	                  "not \"a/b/c\""},
	        {"/b", "label selector: a label is named like app or example.com/app, not \"/b\""},
	        {"a=x\x01", "label selector: a value has up to 63 letters, digits, '-', '_' and "
	                    "'.', not \"x\\001\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = {""};

		assert_null(selector_parse(str_from(rows[i][0]), &e));
		assert_string_equal(e.text, rows[i][1]);
	}
}

static void sizes_are_capped(void **state)
{
	struct buf b = {0};
	struct err e;

	(void)state;
	for (unsigned i = 0; i <= SELECTOR_MAX_TERMS; i++)
		buf_printf(&b, "%sk%u", i > 0 ? "," : "", i);
	assert_null(selector_parse(str_from(buf_text(&b)), &e));
	assert_string_equal(e.text, "label selector: too many terms, not \"k64\"");
	buf_clear(&b);
	buf_str(&b, "k in (");
	for (unsigned i = 0; i <= SELECTOR_MAX_TERMS; i++)
		buf_printf(&b, "%sv%u", i > 0 ? "," : "", i);
	buf_char(&b, ')');
	assert_null(selector_parse(str_from(buf_text(&b)), &e));
	assert_string_equal(e.text, "label selector: too many values, not \"v64\"");
	while (b.len <= SELECTOR_MAX_BYTES)
		buf_char(&b, ' ');
	assert_null(selector_parse((struct str){b.at, b.len}, &e));
	assert_string_equal(e.text, "label selector: longer than 8192 bytes");
	buf_free(&b);
}

static void terms_select_labels(void **state)
{
	static const struct {
		const char *selector, *labels;
		bool matches;
	} rows[] = {
	        {"", "", true},
	        {"", "a=1", true},
	        {"a=1", "a=1 b=2", true},
	        {"a=1", "a=2", false},
	        {"a=1", "", false},
	        {"a=", "a=", true},
	        {"a=", "", false},
	        {"a!=1", "a=2", true},
	        {"a!=1", "a=1", false},
	        {"a!=1", "", true},
	        {"a in (1,3)", "a=3", true},
	        {"a in (1,3)", "a=2", false},
	        {"a notin (1,3)", "a=2", true},
	        {"a notin (1,3)", "a=3", false},
	        {"a notin (1,3)", "b=1", true},
	        {"a", "a=", true},
	        {"a", "b=1", false},
	        {"!a", "b=1", true},
	        {"!a", "a=1", false},
	        {"a=1,b", "a=1 b=9", true},
	        {"a=1,b", "a=1", false},
	        {"A=1", "a=1", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct selector *s = selector_parse(str_from(rows[i].selector), NULL);
		char text[64];
		struct label at[8];
		struct labels l;

		strcpy(text, rows[i].labels);
		l = labels_of(text, at);
		assert_non_null(s);
		if (selector_matches(s, &l) != rows[i].matches)
			fail_msg("%s on %s", rows[i].selector, rows[i].labels);
		selector_free(s);
	}
	assert_true(selector_matches(NULL, &(struct labels){NULL, 0}));
}

static void maps_select_labels(void **state)
{
	static const struct {
		const char *selector, *labels;
		bool matches;
	} rows[] = {
	        {"", "", false},
	        {"", "a=1", false},
	        {"a=1", "a=1 b=2", true},
	        {"a=1 b=2", "a=1", false},
	        {"a=1", "a=2", false},
	        {"a=", "a=", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char texts[2][64];
		struct label at[2][8];
		struct labels selector, l;

		strcpy(texts[0], rows[i].selector);
		strcpy(texts[1], rows[i].labels);
		selector = labels_of(texts[0], at[0]);
		l = labels_of(texts[1], at[1]);
		if (selector_map_matches(&selector, &l) != rows[i].matches)
			fail_msg("%s on %s", rows[i].selector, rows[i].labels);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(text_is_made_canonical),
	        cmocka_unit_test(bad_text_is_quoted),
	        cmocka_unit_test(sizes_are_capped),
	        cmocka_unit_test(terms_select_labels),
	        cmocka_unit_test(maps_select_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
