#include "test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_line.h"
#include "base/log.h"
#include "base/rand.h"

/* What a JSON reader of others makes of the line; free with json_decref(). */
static json_t *read_back(const char *line, size_t n)
{
	json_error_t e;
	json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);

	if (o == NULL)
		fail_msg("%s: %.*s", e.text, (int)n, line);
	assert_int_equal(line[n - 1], '\n');
	assert_null(memchr(line, '\n', n - 1));
	return o;
}

static void a_line_is_one_object(void **state)
{
	struct json_line l;
	char out[512];
	size_t n;

	(void)state;
	json_line_begin(&l, out, sizeof(out));
	json_line_time(&l, "time", 1700000000123);
	json_line_text(&l, "msg", STR("a\"b\\c\n\x01\x7f\xc3\xa9\xff"), 100);
	json_line_open(&l, "in");
	json_line_raw(&l, "n", STR("0.5"));
	json_line_raw(&l, "t", STR("true"));
	json_line_close(&l);
	json_line_text(&l, "end", STR(""), 0);
	n = json_line_end(&l);
	out[n] = '\0';
	assert_string_equal(out,
		"{\"time\":\"2023-11-14T22:13:20.123Z\",\"msg\":\"a\\\"b\\\\c\\u000a\\u0001\\u007f"
		"\xc3\xa9\xef\xbf\xbd\",\"in\":{\"n\":0.5,\"t\":true},\"end\":\"\"}\n");
	json_decref(read_back(out, n));
}

static void only_utf8_gets_through(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
		{"\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"}, /* cut off */
		{"\xe2(", "\xef\xbf\xbd("},
	};
	struct json_line l;
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o;

		json_line_begin(&l, out, sizeof(out));
		json_line_text(&l, "x", str_from(rows[i].in), 100);
		o = read_back(out, json_line_end(&l));
		assert_string_equal(json_string_value(json_object_get(o, "x")), rows[i].out);
		json_decref(o);
	}
}

/* Whatever is written into however much room. */
static void every_line_can_be_read(void **state)
{
	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t cap = 64 + rand_below(200), n;
		char *out = malloc(cap), text[64], key[8];
		struct json_line l;

		json_line_begin(&l, out, cap);
		for (unsigned i = 0; i < 12; i++) {
			struct str s = {text, rand_below(sizeof(text))};

			for (size_t k = 0; k < s.len; k++)
				text[k] = (char)rand_below(256);
			snprintf(key, sizeof(key), "k%u", i);
			if (i == 4)
				json_line_open(&l, key);
			else if (i == 8)
				json_line_close(&l);
			else if (i % 3 == 0)
				json_line_raw(&l, key, STR("12345"));
			else
				json_line_text(&l, key, s, rand_below(100));
		}
		n = json_line_end(&l);
		assert_in_range(n, 3, cap);
		json_decref(read_back(out, n));
		free(out);
	}
}

static uint64_t wall_ms(void)
{
	return 0;
}

static void log_lines_begin_with_time_and_level(void **state)
{
	char out[LOG_LINE_MAX];
	struct json_line l;
	size_t n;

	(void)state;
	assert_false(log_is_json());
	log_set_json(wall_ms);
	assert_true(log_is_json());
	log_json_begin(&l, out, LOG_WARNING);
	n = json_line_end(&l);
	out[n] = '\0';
	assert_string_equal(out, "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"WARN\"}\n");
	log_set_json(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_one_object),
		cmocka_unit_test(only_utf8_gets_through),
		cmocka_unit_test(every_line_can_be_read),
		cmocka_unit_test(log_lines_begin_with_time_and_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
