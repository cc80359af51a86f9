#include "test.h"

#include "conf/lexer.h"

/* Tokens as `text` joined by |; a token that starts its line has ^ in front, a quoted one ~. */
static void lex(struct str text, struct buf *out, struct lexer *l)
{
	struct raw_token t;
	struct arena a;

	arena_init(&a);
	lexer_init(l, text);
	while (lexer_next(l, &a, &t))
		buf_printf(out, "%s%s%s%s", out->len > 0 ? "|" : "", t.starts_line ? "^" : "",
		        t.is_quoted ? "~" : "", t.text);
	arena_reset(&a);
}

struct row {
	const char *text, *tokens;
};

static void expect_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf got = {0};
		struct lexer l;
		/* exact heap copy, so that reads behind the end are found by ASan */
		char *copy = test_malloc(strlen(rows[i].text));

		memcpy(copy, rows[i].text, strlen(rows[i].text));
		lex((struct str){copy, strlen(rows[i].text)}, &got, &l);
		assert_string_equal(buf_text(&got), rows[i].tokens);
		buf_free(&got);
		test_free(copy);
	}
}

static void words_are_split_at_blanks_of_unicode(void **state)
{
	static const struct row rows[] = {
	        {"", ""},
	        {" \t\r\n\v\f", ""},
	        {"a b", "^a|b"},
	        {"a\tb\vc\fd", "^a|b|c|d"},
	        {"a\nb c\n\nd", "^a|^b|c|^d"},
	        {"a\xc2\xa0z\xc2\x85q", "^a|z|q"},
	        {"a\xe1\x9a\x80"
	         "b\xe2\x80\x83"
	         "c\xe2\x80\xa8"
	         "d\xe2\x81\x9f"
	         "e\xe3\x80\x80"
	         "f\xe2\x80\xafg",
	                "^a|b|c|d|e|f|g"},
	        /* not blanks: zero width space, a lone lead byte, letters */
	        {"a\xe2\x80\x8b"
	         "b",
	                "^a\xe2\x80\x8b"
	                "b"},
	        {"\xc3\xa9 \xe2", "^\xc3\xa9|\xe2"},
	};

	(void)state;
	expect_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void quotes_open_only_at_the_start_of_a_token(void **state)
{
	static const struct row rows[] = {
	        {"\"a b\"", "^~a b"},
	        {"\"a\"b", "^~a|b"},
	        {"\"a\"\"b\"", "^~a|~b"},
	        {"a\"b c\"", "^a\"b|c\""},
	        {"\"\" x", "^~|x"},
	        {"\"say \\\"hi\\\"\"", "^~say \"hi\""},
	        {"\"C:\\dir\\n\"", "^~C:\\dir\\n"},
	        {"\"a\\\\\" b", "^~a\\\\|b"},
	        {"\"a # b\" c", "^~a # b|c"},
	        {"\"two\nlines\" same\nnext", "^~two\nlines|same|^next"},
	        {"\"cr\r\" x", "^~cr\r|x"},
	        {"\"{\" {", "^~{|{"},
	};

	(void)state;
	expect_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void comments_last_to_the_end_of_the_line_except_inside_a_token(void **state)
{
	static const struct row rows[] = {
	        {"# all comment\na", "^a"},
	        {"a # rest is gone\nb", "^a|^b"},
	        {"foo#bar baz", "^foo|baz"},
	        {"foo#bar\nbaz", "^foo|^baz"},
	        {"foo#\"bar baz\" q", "^foo|baz\"|q"},
	        {"#", ""},
	        {"a #", "^a"},
	};

	(void)state;
	expect_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void bom_and_carriage_returns_vanish(void **state)
{
	static const struct row rows[] = {
	        {"\xef\xbb\xbf.:53 {\r\n  log\r\n}\r\n", "^.:53|{|^log|^}"},
	        {"a\rb c", "^ab|c"},
	        {"\xef\xbb\xbf", ""},
	        {"a \xef\xbb\xbf", "^a|\xef\xbb\xbf"},
	};

	(void)state;
	expect_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void braces_are_ordinary_tokens_that_stand_alone(void **state)
{
	static const struct row rows[] = {
	        {"health{", "^health{"},
	        {". { }", "^.|{|}"},
	        {"{}", "^{}"},
	};

	(void)state;
	expect_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void unclosed_quote_gives_what_there_is_and_its_line(void **state)
{
	static const struct {
		const char *text, *tokens;
		uint32_t line;
	} rows[] = {
	        {"a\n\"b c", "^a|^~b c", 2},
	        {"a \"", "^a", 1},
	        {"\"x\\", "^~x", 1},
	        {"\"x\\\"", "^~x\"", 1},
	        {"\"closed\"", "^~closed", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf got = {0};
		struct lexer l;

		lex(str_from(rows[i].text), &got, &l);
		assert_string_equal(buf_text(&got), rows[i].tokens);
		assert_int_equal(l.unclosed_quote_line, rows[i].line);
		buf_free(&got);
	}
}

static void tokens_know_their_lines(void **state)
{
	struct lexer l;
	struct arena a;
	struct raw_token t;

	(void)state;
	arena_init(&a);
	lexer_init(&l, STR("# c\na \"b\n\nc\" d\ne"));
	assert_true(lexer_next(&l, &a, &t));
	assert_int_equal(t.line, 2);
	assert_true(lexer_next(&l, &a, &t));
	assert_int_equal(t.line, 2);
	assert_int_equal(t.end_line, 4);
	assert_true(lexer_next(&l, &a, &t));
	assert_int_equal(t.line, 4);
	assert_false(t.starts_line);
	assert_true(lexer_next(&l, &a, &t));
	assert_int_equal(t.line, 5);
	assert_true(t.starts_line);
	assert_false(lexer_next(&l, &a, &t));
	arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(words_are_split_at_blanks_of_unicode),
	        cmocka_unit_test(quotes_open_only_at_the_start_of_a_token),
	        cmocka_unit_test(comments_last_to_the_end_of_the_line_except_inside_a_token),
	        cmocka_unit_test(bom_and_carriage_returns_vanish),
	        cmocka_unit_test(braces_are_ordinary_tokens_that_stand_alone),
	        cmocka_unit_test(unclosed_quote_gives_what_there_is_and_its_line),
	        cmocka_unit_test(tokens_know_their_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
