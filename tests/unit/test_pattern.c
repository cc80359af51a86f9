/* Regular expressions: Go's syntax, groups, templates, and bounds. */
#include "base/pattern.h"

#include <string.h>

#include "test.h"

static void what_fits_and_what_not(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} rows[] = {
		{"", "", true},
		{"^$", "", true},
		{"^a$", "a\n", false}, /* $ is the end, not the line before it */
		{"(?i)A\\.b", "xa.Bx", true},
		{"^[[:alpha:]]+\\d{2}\\z", "ab12", true},
		{"a.c", "a\nc", false},
		{"(?s)a.c", "a\nc", true},
		{"^\\x{41}\\Q.\\E$", "A.", true},
		{"^.$", "\xc3\xa4", false}, /* names are octets */
		{"^\\v$", "\v", true}, /* Go's is one character, PCRE2's a class */
		{"^\\v$", "\n", false},
		{"^[\\v]\\101\\0\\x62$", "\vA", false},
		{"^\\101\\x62[\\102-\\103]$", "AbC", true}, /* octal, no back reference */
		{"^(?<n>a)(?P<m>b)(?:c)(?i-s:D)$", "abcd", true},
		{"^a{2}?b{1,1000}c{,2}$", "aabc{,2}", true},
		{"^[]a]+[^]]$", "]ab", true},
		{"^[a\\]()*+?{]+$", "a](*+?{", true}, /* signs in brackets */
		{"^\\Q(?=a)++\\E+$", "(?=a)++++", true},
		{"^\\(\\?=\\*\\+$", "(?=*+", true},
		{"^a{x}b{$", "a{x}b{", true},
		{"^a{2}b,2000$", "aab,2000", true},
		{"^[[:^alpha:][:digit:]]\\pL\\p{^L}$", "1a2", true},
		{"(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};
		struct pattern *p = pattern_new(rows[i].pattern, &e);

		if (p == NULL)
			fail_msg("%s", e.text);
		if (pattern_match(p, str_from(rows[i].text), NULL) != rows[i].fits)
			fail_msg("'%s' on '%s'", rows[i].pattern, rows[i].text);
		pattern_free(p);
	}
}

static void what_go_has_not_is_refused(void **state)
{
	static const struct {
		const char *pattern, *why;
	} rows[] = {
		{"(", "is wrong at character 2"},
		{"(a)\\1", "back references"},
		{"a(?=b)", "looking around"},
		{"(?<!a)b", "looking around"},
		{"(?!a)b", "looking around, in '(?!'"},
		{"(?>a)", "atomic groups"},
		{"(?|(a)|(b))", "groups that share numbers"},
		{"a(?#note)", "comments"},
		{"(a)?(?(1)b|c)", "conditions"},
		{"(?C1)", "callouts"},
		{"(?'n'a)", "names in quotes"},
		{"(?P<n>a)(?P=n)", "back references"},
		{"(?P<n>a)(?P>n)", "recursion"},
		{"(?P<n>a)(?&n)", "recursion"},
		{"a(?R)?b", "recursion"},
		{"(a)(?1)", "recursion"},
		{"(a)(?-1)", "recursion"},
		{"(a)(?+1)(b)", "recursion"},
		{"(*UTF)a", "verbs"},
		{"(?x)a b", "other flags"},
		{"(?^:a)", "other flags"},
		{"a++", "possessive"},
		{"a{2}+", "possessive"},
		{"a{2}{3}", "a repetition of a repetition"},
		{"a{1001}", "more than 1000"},
		{"a{1,2000}", "more than 1000"},
		{"(a)\\9", "back references, in '\\9'"},
		{"\\Ca", "this escape, in '\\C'"},
		{"a\\Z", "this escape"},
		{"a\\Kb", "this escape"},
		{"\\R|\\h", "this escape"},
		{"\\k<n>", "this escape"},
		{"[\\b]", "this escape"},
		{"\\x7", "\\x without two digits"},
		{"\\x{}", "\\x without two digits"},
		{"[[:<:]]a", "this class"},
		{"[a", "is wrong at character"},
		{"a\\", "is wrong at character"},
	};
	static char is_long[5000];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(pattern_new(rows[i].pattern, &e));
		assert_non_null(strstr(e.text, rows[i].why));
	}
	memset(is_long, 'a', sizeof(is_long) - 1);
	assert_null(pattern_new(is_long, &e));
	assert_non_null(strstr(e.text, "is too long"));
}

static void groups_are_found_by_name(void **state)
{
	struct pattern *p = pattern_new("(?P<first>a)|(b)(?P<third>c)", NULL);

	(void)state;
	assert_int_equal(pattern_group(p, STR("first")), 1);
	assert_int_equal(pattern_group(p, STR("third")), 3);
	assert_int_equal(pattern_group(p, STR("second")), -1);
	assert_int_equal(pattern_group(p, STR("")), -1);
	assert_int_equal(pattern_group(p, (struct str){NULL, 0}), -1); /* rest of a cut text */
	pattern_free(p);
}

static void groups_are_put_into_templates(void **state)
{
	static const struct {
		const char *template, *text;
		size_t len;
	} rows[] = {
		{"{2}.{1}", "12.web", 6},
		{"{0}{3}!", "web-12!", 7}, /* group 3 took no part */
		{"{4}{x}{", "{4}{x}{", 7}, /* there is no group 4 */
		{"{1}{2}{1}{2}", "", 0}, /* too long */
		{"", "", 0},
	};
	struct pattern *p = pattern_new("^([a-z]+)-([0-9]+)(x)?$", NULL);
	struct pattern_match m;
	char out[8];

	(void)state;
	assert_true(pattern_match(p, STR("web-12"), &m));
	assert_int_equal(m.n, 4);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = pattern_expand(out, sizeof(out), rows[i].template, &m);

		assert_int_equal(n, rows[i].len);
		if (n > 0)
			assert_string_equal(out, rows[i].text);
	}
	pattern_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_and_what_not),
		cmocka_unit_test(what_go_has_not_is_refused),
		cmocka_unit_test(groups_are_found_by_name),
		cmocka_unit_test(groups_are_put_into_templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
