#include "test.h"

#include <stdio.h>

#include "base/must.h"
#include "cluster/json.h"

static void texts_are_unescaped(void **state)
{
	static const struct {
		const char *json, *text; /* NULL: an error */
	} rows[] = {
	        {"\"plain\"", "plain"},
	        {"\"\"", ""},
	        {" \"a\\\"b\\\\c\\/d\\n\\t\\r\\b\\f\" ", "a\"b\\c/d\n\t\r\b\f"},
	        {"\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac"},
	        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
	        {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
	        {"\"\\ude00\"", "\xef\xbf\xbd"},
	        {"\"a long text that does not fit into sixteen bytes, with \\\" at its end\\\"\"",
	                "a long text that does not fit into sixteen bytes, with \" at its end\""},
	        {"12", "12"},
	        {"-1.5e+3", "-1.5e+3"},
	        {"true", "true"},
	        {"\"open", NULL},
	        {"\"\\q\"", NULL},
	        {"\"\\u12g4\"", NULL},
	        {"\"\\u12", NULL},
	        {"\"\\", NULL},
	        {"\"a\nb\"", NULL},
	        {"01", NULL},
	        {"1.", NULL},
	        {"-", NULL},
	        {"tru", NULL},
	        {"'x'", NULL},
	        {"", NULL},
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json j;
		struct str s = {NULL, 0};

		json_init(&j, str_from(rows[i].json), &a);
		assert_int_equal(json_text(&j, &s) && json_is_done(&j), rows[i].text != NULL);
		if (rows[i].text != NULL)
			assert_true(str_is(s, rows[i].text));
	}
	arena_reset(&a);
}

/* Read any value in full: what a reader of every field would do. */
static void walk(struct json *j, struct buf *out)
{
	struct str s;
	bool is_more = false;

	switch (json_peek(j)) {
	case JSON_TYPE_OBJECT:
		json_object_begin(j);
		buf_char(out, '{');
		while (json_object_next(j, &s)) {
			buf_printf(out, "%s%.*s:", is_more ? "," : "", (int)s.len, s.at);
			walk(j, out);
			is_more = true;
		}
		buf_char(out, '}');
		break;
	case JSON_TYPE_ARRAY:
		json_array_begin(j);
		buf_char(out, '[');
		while (json_array_next(j)) {
			buf_str(out, is_more ? "," : "");
			walk(j, out);
			is_more = true;
		}
		buf_char(out, ']');
		break;
	default:
		if (json_text(j, &s))
			buf_add(out, s.at, s.len);
		else
			buf_char(out, '-');
	}
}

static void structure_is_checked_where_it_is_read(void **state)
{
	static const struct {
		const char *json, *walked;
	} rows[] = {
	        {"{}", "{}"},
	        {"[]", "[]"},
	        {" { \"a\" : [ 1 , {\"b\":null} , \"x\" ] , \"c\" : { } } ",
	                "{a:[1,{b:-},x],c:{}}"},
	        {"[[],[[]],{}]", "[[],[[]],{}]"},
	        {"[1,]", NULL},
	        {"[,1]", NULL},
	        {"{\"a\":1,}", NULL},
	        {"{\"a\"}", NULL},
	        {"{\"a\" 1}", NULL},
	        {"{a:1}", NULL},
	        {"{1:1}", NULL},
	        {"[1 2]", NULL},
	        {"[1", NULL},
	        {"{\"a\":", NULL},
	        {"{} x", NULL},
	        {"]", NULL},
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = {0};
		struct json j;

		json_init(&j, str_from(rows[i].json), &a);
		walk(&j, &out);
		assert_int_equal(json_is_done(&j), rows[i].walked != NULL);
		if (rows[i].walked != NULL)
			assert_string_equal(buf_text(&out), rows[i].walked);
		buf_free(&out);
	}
	arena_reset(&a);
}

static void wrong_types_are_skipped_without_error(void **state)
{
	static const char text[] = "[{\"a\":[1]}, [2], \"3\", 4, \"five\", null, \"yes\", 7]";
	struct arena a;
	struct json j;
	struct str s;
	int64_t n = 0;
	bool b = false;

	(void)state;
	arena_init(&a);
	json_init(&j, STR(text), &a);
	assert_true(json_array_begin(&j));
	assert_true(json_array_next(&j) && !json_text(&j, &s));
	assert_true(json_array_next(&j) && !json_object_begin(&j));
	assert_true(json_array_next(&j) && json_int(&j, &n) && n == 3);
	assert_true(json_array_next(&j) && json_int(&j, &n) && n == 4);
	assert_true(json_array_next(&j) && !json_int(&j, &n));
	assert_true(json_array_next(&j) && !json_text(&j, &s));
	assert_true(json_array_next(&j) && json_bool(&j, &b) && b);
	assert_true(json_array_next(&j) && !json_array_begin(&j));
	assert_false(json_array_next(&j));
	assert_true(json_is_done(&j));
	arena_reset(&a);
}

static void huge_numbers_are_refused(void **state)
{
	static const char *const rows[] = {
	        "99999999999999999999", "-99999999999999999999999", "1e5", "1.5", "\"\"",
	        "\"-\"", "-9223372036854775808", "9223372036854775808",
	        "\"-9223372036854775808\""};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json j;
		int64_t n = 0;

		json_init(&j, str_from(rows[i]), &a);
		assert_false(json_int(&j, &n));
		assert_int_equal(j.error, 0);
	}
	arena_reset(&a);
}

static void nesting_is_capped_in_readers_and_in_skips(void **state)
{
	static char deep[200001];
	struct buf out = {0};
	struct arena a;
	struct json j;

	(void)state;
	arena_init(&a);
	memset(deep, '[', 100000);
	memset(deep + 100000, ']', 100000);
	json_init(&j, (struct str){deep, 200000}, &a);
	walk(&j, &out);
	assert_int_equal(j.error, -7);
	json_init(&j, (struct str){deep, 200000}, &a);
	json_skip(&j);
	assert_int_equal(j.error, -7);
	json_init(&j, (struct str){deep + 100000 - 10000, 20000}, &a);
	json_skip(&j);
	assert_true(json_is_done(&j));
	json_init(&j, (struct str){deep + 100000 - 64, 128}, &a);
	walk(&j, &out);
	assert_int_equal(j.error, 0);
	json_init(&j, (struct str){deep + 100000 - 65, 130}, &a);
	walk(&j, &out);
	assert_int_equal(j.error, -7);
	buf_free(&out);
	arena_reset(&a);
}

/* The end of a value, character by character; a backslash escapes outside of strings too. */
static size_t plain_span(const char *p, size_t n)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\\' && i + 1 < n && (p[i + 1] == '"' || p[i + 1] == '\\'))
			i++;
		else if (p[i] == '"')
			in_string = !in_string;
		else if (!in_string && (p[i] == '{' || p[i] == '['))
			depth++;
		else if (!in_string && (p[i] == '}' || p[i] == ']') && --depth == 0)
			return i + 1;
	}
	return n;
}

static void span_finds_the_end_for_every_cut(void **state)
{
	char text[400];
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		static const char chars[] = "\"\"\\\\{}[]ab,:\" ";
		size_t expected, cut, used;
		struct json_span s = {0};

		text[0] = '{';
		for (size_t i = 1; i < sizeof(text); i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = chars[(seed >> 16) % (sizeof(chars) - 1)];
		}
		expected = plain_span(text, sizeof(text));
		cut = (seed >> 8) % sizeof(text);
		used = json_span_feed(&s, text, cut);
		if (!s.is_done)
			used += json_span_feed(&s, text + used, sizeof(text) - used);
		if (s.is_too_deep)
			continue;
		assert_int_equal(used, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(texts_are_unescaped),
	        cmocka_unit_test(structure_is_checked_where_it_is_read),
	        cmocka_unit_test(wrong_types_are_skipped_without_error),
	        cmocka_unit_test(huge_numbers_are_refused),
	        cmocka_unit_test(nesting_is_capped_in_readers_and_in_skips),
	        cmocka_unit_test(span_finds_the_end_for_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
