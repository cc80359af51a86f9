#include "test.h"

#include <stdio.h>

#include "base/must.h"
#include "cluster/yaml_tree.h"

/* Parse text and compare all documents, one JSON text a line, or the error. */
static void check(const char *text, const char *expected)
{
	struct arena a;
	struct buf out = {0};
	struct err e = {""};
	const struct ynode *doc;

	arena_init(&a);
	if (yaml_tree_parse(&a, str_from(text), &doc, &e) != 0)
		buf_str(&out, e.text);
	for (; doc != NULL; doc = doc->next) {
		ynode_to_json(doc, &out);
		buf_str(&out, doc->next != NULL ? "\n" : "");
	}
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
	arena_reset(&a);
}

static void documents_become_trees(void **state)
{
	static const char *const rows[][2] = {
	        {"", ""},
	        {"# only a comment\n", ""},
	        {"a: 1\nb: [x, \"y\", ~]\n", "{\"a\":\"1\",\"b\":[\"x\",\"y\",null]}"},
	        {"---\na: 1\n---\n---\nb: 2\n...\n", "{\"a\":\"1\"}\nnull\n{\"b\":\"2\"}"},
	        {"{\"a\": {\"b\": [1, true, null, \"null\"]}}",
	                "{\"a\":{\"b\":[\"1\",\"true\",null,\"null\"]}}"},
	        {"a: |\n  two\n  \"lines\"\n", "{\"a\":\"two\\u000a\\\"lines\\\"\\u000a\"}"},
	        {"a: &x {k: v}\nb: *x\n", "{\"a\":{\"k\":\"v\"},\"b\":{\"k\":\"v\"}}"},
	        {"a: &x {k: v, l: w}\nb:\n  k: own\n  <<: *x\n",
	                "{\"a\":{\"k\":\"v\",\"l\":\"w\"},\"b\":{\"k\":\"own\",\"l\":\"w\"}}"},
	        {"a:\nb: \"\"\n", "{\"a\":null,\"b\":\"\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i][0], rows[i][1]);
}

static void errors_name_the_line(void **state)
{
	static const char *const rows[][2] = {
	        {"a: 1\nb: 2\na: 3\n", "line 3: key \"a\" was given at line 1 already; keep one"},
	        {"a: 1\nb: *nope\n", "line 2: alias *nope has no anchor before it"},
	        {"a: &x [*x]\n", "line 1: alias *x has no finished anchor before it"},
	        {"[a]: b\n", "line 1: a key has to be plain text"},
	        {"a: 1\n<<: 5\n", "line 2: << needs a map behind it"},
	        {"a: \"x\\0y\"\n", "line 1: a NUL character; remove it"},
	        {"a:\n\t- b\n", "line 2: this is not YAML: found character that cannot start any "
	                        "token while "
	                        "scanning for the next token"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i][0], rows[i][1]);
}

static void depth_is_capped(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_char(&b, '[');
	check(buf_text(&b), "line 1: nested deeper than 64");
	buf_free(&b);
}

static void aliases_cannot_explode(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_str(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 12; i++) {
		buf_printf(&b, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			buf_printf(&b, "*a%d,", i - 1);
		buf_str(&b, "]\n");
	}
	check(buf_text(&b), "line 6: more than 1000000 values (aliases count as what they stand "
	                    "for); split the file");
	buf_free(&b);
}

static void members_are_found_by_key(void **state)
{
	struct arena a;
	const struct ynode *doc;

	(void)state;
	arena_init(&a);
	assert_int_equal(
	        yaml_tree_parse(&a, STR("s: text\nt: true\nq: 'true'\nm: {k: v}\n"), &doc, NULL),
	        0);
	assert_string_equal(ynode_text(doc, "s"), "text");
	assert_null(ynode_text(doc, "m"));
	assert_null(ynode_text(doc, "absent"));
	assert_string_equal(ynode_text(ynode_get(doc, "m"), "k"), "v");
	assert_true(ynode_is_true(doc, "t"));
	assert_false(ynode_is_true(doc, "q"));
	assert_int_equal(ynode_get(doc, "q")->line, 3);
	assert_null(ynode_get(NULL, "s"));
	arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(documents_become_trees),
	        cmocka_unit_test(errors_name_the_line),
	        cmocka_unit_test(depth_is_capped),
	        cmocka_unit_test(aliases_cannot_explode),
	        cmocka_unit_test(members_are_found_by_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
