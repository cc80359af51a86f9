#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "tree_text.h"

static const char *test_env(void *arg, const char *name)
{
	(void)arg;
	if (strcmp(name, "ZONE") == 0)
		return "example.org";
	if (strcmp(name, "WORDS") == 0)
		return "two words {";
	if (strcmp(name, "SELF") == 0)
		return "{$SELF}";
	if (strcmp(name, "HUGE") == 0)
		return arg;
	return NULL;
}

static const char *const known[] = {"errors", "forward", "health", "hosts", "log", "whoami", NULL};

struct row {
	const char *text;
	const char *tree; /* expected tree, or NULL */
	const char *error; /* or the expected error, from its start */
};

static void expect_row(const struct row *row, const struct corefile_options *options)
{
	struct corefile *c = NULL;
	struct buf got = {0};
	struct err e = {""};
	int rc = corefile_parse("Corefile", str_from(row->text), options, &c, &e);

	if (row->tree != NULL && rc != 0)
		fail_msg("%s\n-> %s", row->text, e.text);
	if (row->tree != NULL) {
		tree_write(&got, c);
		assert_string_equal(buf_text(&got), row->tree);
	} else {
		if (rc == 0)
			fail_msg("accepted: %s", row->text);
		if (strncmp(e.text, row->error, strlen(row->error)) != 0)
			assert_string_equal(e.text, row->error);
	}
	corefile_free(c);
	buf_free(&got);
}

static void expect_rows(const struct row *rows, size_t n)
{
	struct corefile_options options = {.no_files = true, .env = test_env};

	for (size_t i = 0; i < n; i++)
		expect_row(&rows[i], &options);
}

#define EXPECT_ROWS(rows) expect_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void on_log(void *arg, enum log_level level, const char *text)
{
	(void)level;
	buf_printf(arg, "%s\n", text);
}

static void a_comma_in_a_zone_is_warned_of(void **state)
{
	static const char text[] = "a.org,b.org c.org,\nd.org {\nwhoami\n}\n";
	struct corefile *c = NULL;
	struct buf log = {0};
	struct err e = {""};

	(void)state;
	log_set_sink(on_log, &log);
	corefile_parse("Corefile", str_from(text), NULL, &c, &e);
	log_set_sink(NULL, NULL);
	assert_string_equal(buf_text(&log),
	        "[WARNING] Corefile:1 - the zone 'a.org,b.org' has a comma in its name; if these are "
	        "several, put a blank behind the comma\n");
	buf_free(&log);
	corefile_free(c);
}

static void server_blocks_have_keys_and_directives(void **state)
{
	static const struct row rows[] = {
	        {"", "", NULL},
	        {"# nothing\n", "", NULL},
	        {". {\n}\n", ".{}", NULL},
	        {". {\nlog\n}\n", ".{log}", NULL},
	        {". { log\n}", ".{log}", NULL},
	        {".\n{\nlog\n}", ".{log}", NULL},
	        {"a b:5353 c {\nlog\n}\nd {\nerrors\n}", "a b:5353 c{log}d{errors}", NULL},
	        {"a, b {\n}", "a b{}", NULL},
	        {"a,\n\n b,\nc {\n}", "a b c{}", NULL},
	        {"a , b {\n}", "a b{}", NULL},
	        {". {\n} b {\n}", ".{}b{}", NULL},
	        {"\"quoted zone\" {\n}", "quoted zone{}", NULL},
	        {". {\nlog\n\n\n# x\nerrors # y\n}", ".{log;errors}", NULL},
	        {". {\nlog a\nerrors\nlog b\n}", ".{log a;errors;log b}", NULL},
	};

	(void)state;
	EXPECT_ROWS(rows);
}

static void one_block_needs_no_braces(void **state)
{
	static const struct row rows[] = {
	        {".:53\nwhoami\nlog . {\nclass all\n}\n", ".:53{whoami;log .{class all}}", NULL},
	        {".", ".{}", NULL},
	        {"a,\nb\nlog", "a b{log}", NULL},
	        {".\nlog\n}\n", NULL,
	                "Corefile:3 - Error during parsing: Unexpected '}' because no matching "
	                "opening brace"},
	};

	(void)state;
	EXPECT_ROWS(rows);
}

static void directives_have_arguments_and_nested_braces(void **state)
{
	static const struct row rows[] = {
	        {". {\nforward . 1.1.1.1 {\nforce_tcp\nexcept a b\n}\nlog\n}",
	                ".{forward . 1.1.1.1{force_tcp;except a b};log}", NULL},
	        {". {\nrewrite {\nname a b\nanswer {\nx y\n}\nz\n}\n}",
	                ".{rewrite{name a b;answer{x y};z}}", NULL},
	        {". {\nhealth {\n}\n}", ".{health{}}", NULL},
	        {". {\nhealth { lameduck 5s }\n}", ".{health{lameduck 5s}}", NULL},
	        {". {\na { b { c } }\n}", ".{a{b{c}}}", NULL},
	        {". {\na {\nb {\nc } }\n}", ".{a{b{c}}}", NULL},
	        {". {\ntemplate IN A {\nanswer \"{{ .Name }} 60 IN A 1.2.3.4\"\n}\n}",
	                ".{template IN A{answer {{ .Name }} 60 IN A 1.2.3.4}}", NULL},
	        {". {\nlog . \"{\" \"}\"\n}", ".{log . { }}", NULL},
	        {". {\nlog \"first\nsecond\" third\nerrors\n}", ".{log first\nsecond third;errors}",
	                NULL},
	};

	(void)state;
	EXPECT_ROWS(rows);
}

static void errors_name_file_line_and_remedy(void **state)
{
	static const struct row rows[] = {
	        {". {\nlog\n", NULL,
	                "Corefile:1 - Error during parsing: Unexpected EOF: the '{' that opens "
	                "here is never closed, add a '}'"},
	        {". {\nforward . 1.1.1.1 {\nforce_tcp\n}\n", NULL,
	                "Corefile:1 - Error during parsing: Unexpected EOF"},
	        {". {\n\nforward . 1.1.1.1 {\nforce_tcp\n", NULL,
	                "Corefile:3 - Error during parsing: Unexpected EOF"},
	        {". {\nlog \"oops\n}\n", NULL,
	                "Corefile:2 - Error during parsing: Unexpected EOF: the quote that opens "
	                "here is never closed"},
	        {". {\n}\n}\n", NULL,
	                "Corefile:3 - Error during parsing: Unexpected '}' because no matching "
	                "opening brace"},
	        {"}", NULL, "Corefile:1 - Error during parsing: Unexpected '}'"},
	        {"\n{\nlog\n}", NULL,
	                "Corefile:2 - Error during parsing: Expected a zone, such as '.', in front "
	                "of the server block"},
	        {"a, {\n}", NULL,
	                "Corefile:1 - Error during parsing: Expected another address but had '{' - "
	                "check for extra comma"},
	        {"a,", NULL, "Corefile:1 - Error during parsing: Unexpected EOF"},
	        {". {\nlog }\n", NULL,
	                "Corefile:2 - Error during parsing: Unexpected '}' because no matching "
	                "opening brace is in this line"},
	        {". {\nhealth\n{\nlameduck 5s\n}\n}", NULL,
	                "Corefile:3 - Error during parsing: Unexpected '{': put it at the end of "
	                "the line it belongs to"},
	        {". {\nhealth {\n} log\n}", NULL,
	                "Corefile:3 - Error during parsing: Unexpected 'log' after '}': start a "
	                "new line"},
	        {". {\nhealth { {\n}\n}\n}", NULL,
	                "Corefile:2 - Error during parsing: Unexpected '{'"},
	};

	(void)state;
	EXPECT_ROWS(rows);
}

static void unknown_directives_are_refused_with_the_nearest_name(void **state)
{
	static const struct row rows[] = {
	        {". {\nlog\nforwad . 1.1.1.1\n}", NULL,
	                "Corefile:3 - Error during parsing: Unknown directive 'forwad', did you "
	                "mean 'forward'?"},
	        {". {\nnonsense\n}", NULL,
	                "Corefile:2 - Error during parsing: Unknown directive 'nonsense'"},
	        {". {\nhealth{\n}\n", NULL,
	                "Corefile:2 - Error during parsing: Unknown directive 'health{': put a "
	                "blank before the '{'"},
	        /* before the lines behind it, and its brace, are misread */
	        {". {\nhealth{\nlameduck 5s\n}\n}\n", NULL,
	                "Corefile:2 - Error during parsing: Unknown directive 'health{': put a "
	                "blank before the '{'"},
	        /* options are the plugin's business */
	        {". {\nhosts {\n10.0.0.1 nonsense\n}\n}", ".{hosts{10.0.0.1 nonsense}}", NULL},
	};
	struct corefile_options options = {.no_files = true, .known = known};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_row(&rows[i], &options);
}

static void snippets_are_inserted_where_they_are_imported(void **state)
{
	static const struct row rows[] = {
	        {"(s) {\nlog\nerrors\n}\n. {\nimport s\n}", ".{log;errors}", NULL},
	        {"(s) { log }\n. {\nimport s\nimport s\n}", ".{log;log}", NULL},
	        {"(s) {\nhealth {\nlameduck 5s\n}\n}\na {\nimport s\n}\nb {\nlog\nimport s\n}",
	                "a{health{lameduck 5s}}b{log;health{lameduck 5s}}", NULL},
	        /* inside a directive's braces */
	        {"(opts) {\nforce_tcp\nexcept a\n}\n. {\nforward . 1.1.1.1 {\nimport opts\n"
	         "expire 5s\n}\n}",
	                ".{forward . 1.1.1.1{force_tcp;except a;expire 5s}}", NULL},
	        /* at the top level */
	        {"(blocks) {\na {\nlog\n}\nb {\n}\n}\nimport blocks\n. {\n}", "a{log}b{}.{}", NULL},
	        {"(z) {\na b\n}\nimport z\n{\nlog\n}", "a b{log}", NULL},
	        /* a snippet may import an earlier or later one, known when it is used */
	        {"(s) {\nimport t\n}\n(t) {\nlog\n}\n. {\nimport s\n}", ".{log}", NULL},
	        {"(empty) {\n}\n. {\nimport empty\n}", ".{}", NULL},
	        {"(s) {\nlog\n}\n. {\nimport {$UNSET}s\n}", ".{log}", NULL},
	        /* import is no keyword inside a line */
	        {". {\nlog import x\n}", ".{log import x}", NULL},
	};

	(void)state;
	EXPECT_ROWS(rows);
}

static void wrong_snippets_and_imports_are_refused(void **state)
{
	static const struct row rows[] = {
	        {"(s) {\nlog\n}\n(s) {\n}", NULL,
	                "Corefile:4 - Error during parsing: redeclaration of previously declared "
	                "snippet s (at Corefile:1)"},
	        {"(s) {\nimport s\n}\n. {\nimport s\n}", NULL,
	                "Corefile:2 - Error during parsing: Snippet 's' imports itself"},
	        {"(s) {\nimport t\n}\n(t) {\nimport s\n}\n. {\nimport s\n}", NULL,
	                "Corefile:5 - Error during parsing: Snippet 's' imports itself"},
	        {"(s)\n. {\n}", NULL,
	                "Corefile:1 - Error during parsing: Snippet 's' has no '{': write (s) {"},
	        {"(s)", NULL, "Corefile:1 - Error during parsing: Snippet 's' has no '{'"},
	        {"(s) {\nlog\n", NULL, "Corefile:1 - Error during parsing: Unexpected EOF"},
	        {". {\nimport\n}", NULL,
	                "Corefile:2 - Error during parsing: Wrong argument count after 'import'"},
	        {". {\nimport a b\n}", NULL,
	                "Corefile:2 - Error during parsing: Import takes only one argument"},
	        {"(s) {\nlog\n}\n. {\nimport s }\n", NULL,
	                "Corefile:5 - Error during parsing: Import takes only one argument"},
	        {". {\nimport \"\"\n}", NULL,
	                "Corefile:2 - Error during parsing: Import requires a non-empty filepath"},
	        {". {\nimport later\n}\n(later) {\n}", NULL,
	                "Corefile:2 - Error during parsing: Snippet 'later' is not defined above"},
	        {"import", NULL, "Corefile:1 - Error during parsing: Wrong argument count"},
	        /* braces do not match across a snippet's border */
	        {"(s) {\nhealth {\n}\n}\n. {\nimport s\nlog\n}\n}", NULL,
	                "Corefile:9 - Error during parsing: Unexpected '}'"},
	};

	(void)state;
	EXPECT_ROWS(rows);
}

static void environment_variables_are_replaced_in_every_token(void **state)
{
	static const struct row rows[] = {
	        {"{$ZONE}:53 {\nlog\n}", "example.org:53{log}", NULL},
	        {"{%ZONE%}.{$ZONE} {\n}", "example.org.example.org{}", NULL},
	        {". {\n{$UNSET}log a{$UNSET}b {%UNSET%}c\n}", ".{log ab c}", NULL},
	        /* the value stays one token, is no brace, and is not looked at again */
	        {". {\nlog {$WORDS} {$SELF}\n}", ".{log two words { {$SELF}}", NULL},
	        {". {\nlog {$} {%} {$ZONE {%ZONE} {}\n}", ".{log {$} {%} {$ZONE {%ZONE} {}}", NULL},
	        {". {\nlog \"a {$ZONE}\"\n}", ".{log a example.org}", NULL},
	        {"{$UNSET} {\n}", NULL,
	                "Corefile:1 - Error during parsing: Expected a zone, such as '.'"},
	};

	(void)state;
	EXPECT_ROWS(rows);
}

/* n copies of a text as a Corefile. */
static int parse_many(const char *head, const char *part, size_t n, const char *tail, struct err *e)
{
	struct corefile_options options = {.no_files = true, .env = test_env};
	struct corefile *c = NULL;
	struct buf text = {0};
	int rc;

	options.env_arg = mem_alloc(300001);
	memset(options.env_arg, 'x', 300000);
	buf_str(&text, head);
	for (size_t i = 0; i < n; i++)
		buf_str(&text, part);
	buf_str(&text, tail);
	rc = corefile_parse("Corefile", (struct str){text.at, text.len}, &options, &c, e);
	corefile_free(c);
	buf_free(&text);
	free(options.env_arg);
	return rc;
}

static void everything_has_a_limit(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(parse_many("", "# comment\n", 110000, "", &e), -EFBIG);
	assert_non_null(strstr(e.text, "Corefile is larger than"));
	assert_int_equal(parse_many(". {\n", "a\n", 300000, "}", &e), -E2BIG);
	assert_non_null(strstr(e.text, "More than 262144 tokens"));
	assert_int_equal(parse_many(". {\n", "a {\n", 17, "", &e), -EINVAL);
	assert_non_null(strstr(e.text, "More than 16 braces inside braces"));
	assert_int_equal(parse_many(". {\n", "{$HUGE}\n", 60, "}", &e), -E2BIG);
	assert_non_null(strstr(e.text, "Environment variables make more than"));
	assert_int_equal(parse_many("(e) {\n}\n. {\n", "import e\n", 10001, "}", &e), -E2BIG);
	assert_non_null(strstr(e.text, "Corefile:10004 - Error during parsing: Snippets are"));
	/* within the limits */
	assert_int_equal(parse_many(". {\n", "a b c\n", 80000, "}", &e), 0);
	assert_int_equal(parse_many("(e) {\n}\n. {\n", "import e\n", 10000, "}", &e), 0);
}

static void doubling_snippets_stop_at_the_token_limit(void **state)
{
	struct corefile_options options = {.no_files = true};
	struct corefile *c = NULL;
	struct buf text = {0};
	struct err e;

	(void)state;
	buf_str(&text, "(s0) {\nlog\n}\n");
	for (int i = 1; i < 28; i++)
		buf_printf(&text, "(s%d) {\nimport s%d\nimport s%d\n}\n", i, i - 1, i - 1);
	buf_str(&text, ". {\nimport s27\n}\n");
	assert_int_equal(
	        corefile_parse("Corefile", (struct str){text.at, text.len}, &options, &c, &e),
	        -E2BIG);
	buf_free(&text);
}

static void nul_bytes_are_refused(void **state)
{
	struct corefile *c = NULL;
	struct err e;

	(void)state;
	assert_int_equal(corefile_parse("Corefile", STR(". {\nlo\0g\n}"), NULL, &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "NUL"));
	assert_null(c);
}

static void lines_know_parent_block_and_place(void **state)
{
	struct corefile *c = NULL;
	struct err e;
	const struct directive *d, *o, *inner;

	(void)state;
	assert_int_equal(corefile_parse("dir/Corefile",
	                         STR("a {\nlog x\n}\nb {\nlog\nrewrite {\nanswer {\nname\n}\n}\n"
	                             "log z\n}"),
	                         NULL, &c, &e),
	        0);
	assert_int_equal(c->block_count, 2);
	assert_int_equal(c->file_count, 0);
	d = block_find(&c->blocks[1], "rewrite", NULL);
	o = &d->lines[0];
	inner = &o->lines[0];
	assert_ptr_equal(directive_top(inner), d);
	assert_ptr_equal(inner->parent, o);
	assert_ptr_equal(inner->block, &c->blocks[1]);
	assert_null(d->parent);
	assert_string_equal(inner->file, "dir/Corefile");
	assert_int_equal(inner->line, 8);
	assert_int_equal(c->blocks[1].line, 4);
	d = block_find(&c->blocks[1], "log", NULL);
	assert_int_equal(d->line, 5);
	assert_null(directive_arg(d, 0));
	d = block_find(&c->blocks[1], "log", d);
	assert_string_equal(directive_arg(d, 0), "z");
	assert_null(block_find(&c->blocks[1], "log", d));
	corefile_free(c);
}

static void hash_of(const char *text, char hex[129])
{
	struct corefile *c = NULL;
	struct err e;

	assert_int_equal(corefile_parse("Corefile", str_from(text), NULL, &c, &e), 0);
	corefile_hash_text(c, hex);
	assert_int_equal(strlen(hex), 128);
	corefile_free(c);
}

static void hash_changes_with_tokens_and_not_with_blanks(void **state)
{
	static const char *const others[] = {
	        ". {\nlog b\n}",
	        ". {\nlog\n}",
	        ". {\nlog a {\n}\n}",
	        ". {\n\nlog a\n}",
	        ". b {\nlog a\n}",
	        ".\n",
	};
	char base[129], hex[129];

	(void)state;
	hash_of(". {\nlog a\n}", base);
	hash_of(".   {  # comment\n\tlog  \"a\"\n\n}\n\n", hex);
	assert_string_equal(hex, base);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		hash_of(others[i], hex);
		assert_string_not_equal(hex, base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(server_blocks_have_keys_and_directives),
	        cmocka_unit_test(a_comma_in_a_zone_is_warned_of),
	        cmocka_unit_test(one_block_needs_no_braces),
	        cmocka_unit_test(directives_have_arguments_and_nested_braces),
	        cmocka_unit_test(errors_name_file_line_and_remedy),
	        cmocka_unit_test(unknown_directives_are_refused_with_the_nearest_name),
	        cmocka_unit_test(snippets_are_inserted_where_they_are_imported),
	        cmocka_unit_test(wrong_snippets_and_imports_are_refused),
	        cmocka_unit_test(environment_variables_are_replaced_in_every_token),
	        cmocka_unit_test(everything_has_a_limit),
	        cmocka_unit_test(doubling_snippets_stop_at_the_token_limit),
	        cmocka_unit_test(nul_bytes_are_refused),
	        cmocka_unit_test(lines_know_parent_block_and_place),
	        cmocka_unit_test(hash_changes_with_tokens_and_not_with_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
