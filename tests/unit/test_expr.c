/* Expressions: what each operator and function gives, and what is said about each mistake. */
#include <stdio.h>

#include "core/expr/expr.h"
#include "test.h"

/* --- functions of the test ------------------------------------------------------------------ */

static unsigned reads;

static bool read_word(void *env, struct str label, char *room, struct expr_value *out)
{
	(void)env;
	(void)label;
	memcpy(room, "Www.Example.", 12);
	out->text = (struct str){room, 12};
	reads++;
	return true;
}

static bool read_said(void *env, struct str label, char *room, struct expr_value *out)
{
	(void)env;
	(void)room;
	out->text = label;
	return true;
}

static bool read_seven(void *env, struct str label, char *room, struct expr_value *out)
{
	(void)env;
	(void)label;
	(void)room;
	out->number = 7;
	return true;
}

static bool read_yes(void *env, struct str label, char *room, struct expr_value *out)
{
	(void)env;
	(void)label;
	(void)room;
	out->truth = true;
	return true;
}

static bool read_unknown(void *env, struct str label, char *room, struct expr_value *out)
{
	(void)env;
	(void)label;
	(void)room;
	(void)out;
	return false;
}

static bool read_ip(void *env, struct str label, char *room, struct expr_value *out)
{
	(void)env;
	(void)label;
	(void)room;
	out->text = STR("[2001:db8::7]");
	return true;
}

static const uint8_t *ip_octets(void *env, size_t *n)
{
	static const uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};

	(void)env;
	*n = 16;
	return ip;
}

static const uint8_t *unknown_octets(void *env, size_t *n)
{
	(void)env;
	*n = 0;
	return NULL;
}

static const uint8_t *no_octets(void *env, size_t *n)
{
	static const uint8_t ip[1];

	(void)env;
	*n = 0;
	return ip;
}

static const struct expr_function functions[] = {
        {.name = "word", .type = EXPR_TEXT, .text_max = 12, .needs_room = true, .read = read_word},
        {.name = "said", .type = EXPR_TEXT, .takes_label = true, .text_max = 8, .read = read_said},
        {.name = "seven", .type = EXPR_INT, .read = read_seven},
        {.name = "yes", .type = EXPR_BOOL, .read = read_yes},
        {.name = "ip", .type = EXPR_TEXT, .text_max = 40, .read = read_ip, .address = ip_octets},
        {.name = "nobody",
                .type = EXPR_TEXT,
                .text_max = 4,
                .read = read_unknown,
                .address = unknown_octets},
        {.name = "noip", .type = EXPR_TEXT, .text_max = 4, .read = read_said, .address = no_octets},
        {.name = "maybe", .type = EXPR_BOOL, .read = read_unknown},
        {.name = "some", .type = EXPR_INT, .read = read_unknown},
        {.name = "large",
                .type = EXPR_TEXT,
                .text_max = 3000,
                .needs_room = true,
                .read = read_word},
        {.name = NULL},
};

/* --- values --------------------------------------------------------------------------------- */

static const char *const holds[] = {
        "true",
        "!false",
        "not false",
        "yes()",
        "(true)",
        " true ",
        /* and, or: precedence, and nothing more is asked than is needed */
        "true || true && false",
        "false or true",
        "not false and true",
        "true or maybe()",
        "not (true and false)",
        "!true || true",
        /* comparison */
        "1 == 1",
        "1 != 2",
        "1 < 2",
        "2 <= 2",
        "3 > 2",
        "3 >= 3",
        "'a' == 'a'",
        "'a' != 'b'",
        "'a' < 'b'",
        "'a' < 'aa'",
        "'b' > 'aa'",
        "'' < 'a'",
        "'a' >= 'a'",
        "true == true",
        "true != false",
        "1 == 1.0",
        "1.5 > 1",
        "0.5 < 1",
        "seven() == 7",
        /* numbers as they can be written */
        "0x10 == 16",
        "0o17 == 15",
        "0b101 == 5",
        "1_000 == 1000",
        ".5 == 0.5",
        "1e3 == 1000",
        "1.5e1 == 15",
        "9223372036854775807 > 0",
        "-1 < 0",
        "+1 == 1",
        "- 1 == -1",
        "-1.5 < -1",
        /* arithmetic; a division gives a decimal number */
        "1 + 2 == 3",
        "5 - 2 - 1 == 2",
        "2 * 3 + 1 == 7",
        "1 + 2 * 3 == 7",
        "(1 + 2) * 3 == 9",
        "7 / 2 == 3.5",
        "7 % 4 == 3",
        "-7 % 4 == -3",
        "1 + 0.5 == 1.5",
        "0.5 + 1 == 1.5",
        "2 * 0.5 == 1",
        "0.5 - 1 == -0.5",
        "1 / 0 > 9223372036854775807",
        "7.0 / 2 == 3.5",
        "9223372036854775807 + 1 < 0",
        "-9223372036854775807 - 1 < 0",
        "1 % -1 == 0",
        "(0 - 9223372036854775807 - 1) % (0 - 1) == 0",
        /* in */
        "'A' in ['A', 'AAAA']",
        "'B' not in ['A']",
        "2 in [1, 2]",
        "-1 in [-1]",
        "1 not in []",
        "1.5 in [1.5, -2.5]",
        "2 in 1..3",
        "seven() in 7..7",
        "4 not in 1..3",
        "2 in [1, 2,]",
        "seven() in (1+1)..seven()",
        "not (1 in 2..3)",
        /* texts */
        "word() == 'Www.Example.'",
        "'abc' contains 'b'",
        "'abc' contains ''",
        "'' contains ''",
        "'abc' not contains 'd'",
        "'abc' startsWith 'ab'",
        "'abc' not startsWith 'b'",
        "'abc' endsWith 'bc'",
        "'abc' not endsWith 'b'",
        "'a' not endsWith 'aa'",
        "'abc' matches '^a.c$'",
        "'abc' not matches '^b'",
        "word() matches '(?i)^www\\\\.'",
        "'ab' + 'cd' == 'abcd'",
        "'' + '' == ''",
        "word() + word() contains '.Www'",
        "word() + 'x' + word() endsWith 'xWww.Example.'",
        "'a' in ['a'] == true",
        "\"a\" == 'a'",
        "`a\\` == 'a\\\\'",
        "'\\x41\\u00e9\\n' == 'A\u00e9\\n'",
        "'\\'' == \"'\"",
        "'\\U0001f600' == '\\xf0\\x9f\\x98\\x80'",
        "'a  b' != 'a b'",
        /* functions */
        "lower('AbC-1') == 'abc-1'",
        "upper('AbC-1') == 'ABC-1'",
        "len('abc') == 3",
        "len('\u00e9') == 1",
        "len('') == 0",
        "trim('  a ') == 'a'",
        "trim('__a_', '_') == 'a'",
        "trim('') == ''",
        "trimPrefix('abc', 'ab') == 'c'",
        "trimPrefix('abc', 'x') == 'abc'",
        "trimSuffix('abc', 'bc') == 'a'",
        "trimSuffix('abc', 'ab') == 'abc'",
        "hasPrefix('abc', 'a')",
        "hasSuffix('abc', 'c')",
        "!hasSuffix('abc', 'a')",
        "int('42') == 42",
        "int('-42') == -42",
        "int('+7') == 7",
        "string(-42) == '-42'",
        "string(seven()) == '7'",
        "lower(word()) + upper(word()) == 'www.example.WWW.EXAMPLE.'",
        "said('a/b') == 'a/b'",
        "said('a') != said('b')",
        /* networks */
        "incidr('10.1.2.3', '10.0.0.0/8')",
        "!incidr('11.1.2.3', '10.0.0.0/8')",
        "incidr('10.0.0.1', '10.0.0.1')",
        "incidr('1:2::3:4', '1:2::/64')",
        "!incidr('1:2::3:4', '10.0.0.0/8')",
        "incidr('[1:2::3]', '1:2::/64')",
        "incidr(ip(), '2001:db8::/32')",
        "!incidr(ip(), '10.0.0.0/8')",
        "incidr(said('10.0.0.1'), '10.0.0.0/8')",
        "incidr(ip(), '2001:db8::' + '/32')",
        "incidr((ip()), ('2001:db8::/32'))",
        /* a choice */
        "true ? true : false",
        "1 < 2 ? 'a' == 'a' : false",
        "(false ? 1 : 2) == 2",
        "(true ? 'ab' : 'c') + 'd' == 'abd'",
        "false ? false : true ? true : false",
        "(true ? 'a' : 'b') == 'a'",
        "(false ? 'a' : 'b') matches 'b'",
        /* lists */
        "any(['a', 'b'], # == 'b')",
        "any(['x.', 'ample.'], {word() endsWith #})",
        "any(['^x', '^W+'], word() matches #)",
        "any(['10.0.0.0/8', '2001:db8::/32'], incidr(ip(), #))",
        "any([1, 7], # == seven()) and any([2.5], # > 2)",
        "any([1], true) and not any([1, 2], false)",
        "all([1, 2, 3], # < 4)",
        "!all([1, 2, 3], # < 3)",
        "none([1, 2, 3], # > 3)",
        "one([1, 2, 3], # == 2)",
        "!one([1, 2, 2], # == 2) and !one([1], # == 2)",
        "count(['a', 'b', 'ab'], # contains 'a') == 2",
        "any([1, 2], any([2, 3], # == 3) and # == 2)",
        "all([2, 3], {count([1, 2, 3], {# == 2}) == 1})",
        "any(['a', 'b'], (# == 'b' ? 1 : 0) == 1)",
        "any(['WWW', 'www'], lower(word() + #) == 'www.example.www')",
        "any([1, 2], # in [2, 3])",
        "any(['a', 'b'], # in ['b'])",
        "true or any([1], maybe())",
        "any([1, 2], # == 2 or maybe())",
        "none([1, 2], # == 3 and maybe())",
        /* pipes */
        "word() | lower() == 'www.example.'",
        "word() | lower() | trimSuffix('.') | hasPrefix('www')",
        "'10.0.0.1' | incidr('10.0.0.0/8')",
        "ip() | incidr('2001:db8::/32')",
        "seven() + 1 | string() == '8'",
        "('A' | lower()) + 'b' == 'ab' and (' x ' | trim()) == 'x'",
};

static const char *const holds_not[] = {
        "false",
        "!true",
        "true && false",
        "false || false",
        "1 == 2",
        "'a' == 'A'",
        "'A' in []",
        "7 in 8..9",
        "'abc' matches '^b'",
        "incidr('10.0.0.1', '10.0.0.2')",
        "true ? false : true",
        "0.0 / 0 == 0.0 / 0",
        "0.0 / 0 < 1",
        "0.0 / 0 >= 1",
        "false and maybe()",
        "maybe() and false",
};

/* What cannot be computed: the view does not take the question. */
static const char *const fails[] = {
        "1 % 0 == 0",
        "seven() % (seven() - 7) == 0",
        "int('x') == 1",
        "int('') == 0",
        "int('1234567890123456789') > 0",
        "incidr('nowhere', '10.0.0.0/8')",
        "incidr(word(), '10.0.0.0/8')",
        "incidr(noip(), '10.0.0.0/8')",
        "incidr('10.0.0.1', word())",
        "!incidr('', '10.0.0.0/8')",
        "said('123456789') == ''",
};

/* With a value that is not known, unless the others decide. */
static const char *const depends[] = {
        "maybe()",
        "!maybe()",
        "maybe() and true",
        "true and maybe()",
        "maybe() or false",
        "nobody() == 'a'",
        "nobody() in ['a']",
        "nobody() + 'a' == 'a'",
        "some() / 2 > 1",
        "any([1, 2], # == 3 or maybe())",
        "all([1, 2], # < 3 and maybe())",
        "count([1, 2], maybe()) == 1",
        "one([1, 2], # == 1 and maybe())",
        "some() + 0.5 > 1",
        "incidr(nobody(), '10.0.0.0/8')",
        "maybe() ? true : false",
        "(maybe() ? 1 : 2) > 0",
        "lower(nobody()) matches 'a'",
        "-some() in 1..2",
        "maybe() and nobody() == 'a'",
};

static enum expr_result value(const char *text)
{
	struct err e = {""};
	struct expr *x = expr_new(str_from(text), functions, &e);
	enum expr_result result;

	if (x == NULL)
		fail_msg("%s: %s", text, e.text);
	result = expr_run(x, NULL);
	/* nothing is left behind by a run */
	assert_int_equal(expr_run(x, NULL), result);
	expr_free(x);
	return result;
}

static void check(const char *const *texts, size_t n, enum expr_result wanted)
{
	for (size_t i = 0; i < n; i++)
		if (value(texts[i]) != wanted)
			fail_msg("%s", texts[i]);
}

#define CHECK(texts, wanted) check(texts, sizeof(texts) / sizeof((texts)[0]), wanted)

static void expressions_are_true(void **state)
{
	(void)state;
	CHECK(holds, EXPR_TRUE);
}

static void expressions_are_false(void **state)
{
	(void)state;
	CHECK(holds_not, EXPR_FALSE);
}

static void what_has_no_value_fails(void **state)
{
	(void)state;
	CHECK(fails, EXPR_FAILED);
}

static void what_is_not_known_matters_only_when_it_decides(void **state)
{
	(void)state;
	CHECK(depends, EXPR_UNKNOWN);
}

static void a_function_is_read_once_and_only_when_needed(void **state)
{
	(void)state;
	reads = 0;
	value("word() == 'a' or word() == 'b' or len(word()) == 12");
	assert_int_equal(reads, 2); /* in two runs */
	value("true or word() == ''");
	value("false and word() == ''");
	value("true ? true : word() == ''");
	assert_int_equal(reads, 2);
}

static void labels_can_be_asked_for(void **state)
{
	struct expr *x = expr_new(
	        STR("said('a') == 'x' or said('b') == word() or said('a') == ''"), functions, NULL);
	struct str label;

	(void)state;
	assert_non_null(x);
	assert_true(expr_label(x, 0, &label) && str_is(label, "a"));
	assert_true(expr_label(x, 1, &label) && str_is(label, "b"));
	assert_false(expr_label(x, 2, &label));
	expr_free(x);
}

/* --- mistakes ------------------------------------------------------------------------------- */

static const struct {
	const char *text, *error;
} mistakes[] = {
        {"", "the expression is empty"},
        {"  ", "the expression is empty"},
        /* words */
        {"'a", "column 1: the text that begins here has no ' at its end"},
        {"'a\\", "column 1: the text that begins here has no ' at its end"},
        {"word() matches '^a\\.b'", "column 19: '\\.' means nothing in a text; write '\\\\'"},
        {"'\\x4' == ''", "'\\x' means nothing in a text"},
        {"'\\ud800' == ''", "'\\u' means nothing in a text"},
        {"1x == 1", "column 1: this is no number"},
        {"0x == 1", "column 1: this is no number"},
        {"0b2 == 1", "column 1: this is no number"},
        {"1.5.2 == 1", "column 1: this is no number"},
        {"1e == 1", "column 1: this is no number"},
        {"true or 9223372036854775808 > 1", "column 9: the number is too large"},
        {"word() @ 'a'", "column 8: the character '@' means nothing here"},
        /* names */
        {"wort() == 'a'", "column 1: unknown function 'wort'; did you mean 'word'?"},
        {"word() == example.org",
                "column 11: unknown name 'example'; a text stands in single quotes"},
        {"word == 'a'", "column 1: 'word' is a function; write word()"},
        {"said == 'a'", "column 1: 'said' is a function; write said(...)"},
        {"lower == 'a'", "column 1: 'lower' is a function; write lower(...)"},
        {"nil == nil", "unknown name 'nil'"},
        {"map ([1], true)", "column 1: there is no function 'map' here; the manual of the plugin"},
        {"any", "column 1: 'any' is a function; write any(...)"},
        /* lists and pipes */
        {"any()", "column 5: any() takes a list, as in ['a', 'b'], and a condition"},
        {"any(word(), true)", "column 5: any() takes a list"},
        {"any([], true)", "column 5: the list of any() is empty"},
        {"any([1])", "column 8: ')' stands where ',' and a condition should"},
        {"any([1, 'a'], true)", "column 9: this is a text in a list of which each element is a whole"},
        {"any([1], #)", "column 10: any takes true or false, and this is a whole number"},
        {"any([1], # == 'a')", "column 10: '==' compares a whole number with a text"},
        {"any([1], {true)", "column 15: ')' stands where '}' should"},
        {"any([1], true", "column 14: the expression ends where ')' should stand"},
        {"any([1], true, 1)", "column 14: ',' stands where ')' should"},
        {"count([1], true)", "column 1: the expression gives a whole number"},
        {"# == 1", "column 1: '#' stands for an element of the list in any(), all()"},
        {"any([1], true) and # == 1", "column 20: '#' stands for an element"},
        {"word() | 'a'", "column 10: behind '|' stands a function that takes what"},
        {"word() | word() == ''", "column 10: behind '|' stands a function that takes what"},
        {"true | lower()", "column 1: lower takes a text, and this is true or false"},
        {"word() | trimSuffix() == ''", "column 21: trimSuffix() takes 2 arguments"},
        {"word() | lower == ''", "column 16: '==' stands where '(' should"},
        /* calls */
        {"word('a') == ''", "column 6: word() takes no arguments; write ')'"},
        {"said() == ''", "column 6: said() takes a text in single quotes"},
        {"said('a', 'b') == ''", "column 9: said() takes one text in single quotes; write ')'"},
        {"said(word()) == ''", "column 6: said() takes a text in single quotes"},
        {"len() == 0", "column 5: len() takes 1 argument"},
        {"len('a', 'b') == 0", "column 10: len() takes 1 argument"},
        {"hasPrefix('a')", "column 14: hasPrefix() takes 2 arguments"},
        {"len(1) == 1", "column 5: len takes a text, and this is a whole number"},
        {"string('a') == 'a'", "column 8: string takes a whole number, and this is a text"},
        {"len('a' 'b') == 0", "column 9: 'b' stands where ',' or ')' should"},
        {"incidr('10.0.0.1', '10.0.0.0/33')", "column 20: '10.0.0.0/33' is no network; write"},
        {"incidr('10.0.0.1', 'lan')", "column 20: 'lan' is no network; write an address"},
        {"incidr('10.0.0.1')", "column 18: incidr() takes 2 arguments"},
        /* operators and brackets */
        {"true true", "column 6: 'true' stands where an operator or the end should"},
        {"word() = 'a'", "column 8: '=' stands where an operator or the end should; write '=='"},
        {"true & true", "column 6: '&' stands where an operator or the end should; write '&&'"},
        {"word() | lower()", "column 1: the expression gives a text"},
        {"lower(word()) == 'a' | 'b'", "column 24: behind '|' stands a function"},
        {"2 ** 2 == 4", "column 3: '**' stands where an operator or the end should; there are no"},
        {"true // no", "there are no comments"},
        {"[1] == [1]", "column 1: '[' stands where a value should; a list can only stand behind"},
        {"true and", "column 9: the expression ends where a value should stand"},
        {"(true", "column 6: the expression ends where ')' should stand"},
        {"true)", "column 5: ')' stands where an operator or the end should"},
        {"true not true", "column 10: 'true' stands where 'in', 'matches', 'contains',"},
        {"true ? true", "column 12: the expression ends where ':' should stand"},
        {"{true}", "column 1: '{' stands where a value should"},
        /* types */
        {"word()", "column 1: the expression gives a text; it must give true or false"},
        {"1 + 1", "column 1: the expression gives a whole number; it must give true or false"},
        {"1 / 2", "the expression gives a decimal number"},
        {"word() == 1",
                "column 1: '==' compares a text with a whole number, which are never alike"},
        {"1 < 2 < 3", "'<' compares true or false with a whole number"},
        {"true < false", "column 1: '<' takes numbers or texts, not true or false"},
        {"not word() == 'a'", "column 5: 'not' takes true or false, and this is a text; compare it "
                              "with something, or put brackets around what belongs together"},
        {"-word() == 'a'", "column 2: a sign stands before numbers only, and this is a text"},
        {"true and 'a'", "column 10: and takes true or false, and this is a text"},
        {"1 || true", "column 1: || takes true or false, and this is a whole number"},
        {"1 + 'a' == 'a'", "column 1: '+' takes two numbers or two texts, and this is a whole"},
        {"'b' - 'a' == ''", "column 1: '-' takes two numbers, and this is a text and a text"},
        {"1.5 % 1 == 0", "'%' takes two whole numbers, and this is a decimal number"},
        {"'a' / 2 == 0", "'/' takes two numbers, and this is a text and a whole number"},
        {"1 contains 'a'", "column 1: contains takes a text, and this is a whole number"},
        {"'a' startsWith 1", "column 16: startsWith takes a text, and this is a whole number"},
        {"true ? 1 : 'a'",
                "column 12: this is a text, and what stands before ':' is a whole number"},
        {"1 ? true : false", "column 1: '?' takes true or false, and this is a whole number"},
        /* in */
        {"'a' in 'abc'", "column 8: 'abc' stands where a list, as in ['A', 'AAAA'], or a range"},
        {"'a' in [1]", "column 9: this is a whole number in a list of which each element is a"},
        {"'a' in [word()]", "column 9: 'word' stands where a number or a text in single quotes"},
        {"'a' in ['a'", "column 12: the expression ends where ',' or ']' should stand"},
        {"'a' in [-'a']", "column 9: a sign stands before numbers only"},
        {"1 in 2", "column 7: the expression ends where the '..' of a range should stand"},
        {"'a' in 1..2", "column 1: 'in' before a range takes a whole number, and this is a text"},
        {"1 in 1..2.5", "'..' takes a whole number, and this is a decimal number"},
        /* patterns */
        {"word() matches '('", "column 16: the regular expression '(' is wrong at character 2"},
        {"word() matches '(?=a)'", "uses what Go has not: looking around"},
        {"word() matches word()", "column 16: the expression behind 'matches' must be a text"},
        /* limits */
        {"large() + large() + large() == ''", "the texts that this makes may be too long: 8192"},
        {"((((((((((((((((((((((((((((((((((true))))))))))))))))))))))))))))))))))",
                "more than 32 brackets stand in each other"},
};

static void mistakes_are_named_with_column_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct err e = {""};

		if (expr_new(str_from(mistakes[i].text), functions, &e) != NULL)
			fail_msg("accepted: %s", mistakes[i].text);
		if (strstr(e.text, mistakes[i].error) == NULL)
			fail_msg("%s: %s", mistakes[i].text, e.text);
	}
}

static void limits_are_named(void **state)
{
	static const char term[] = "said('%u') == '' or ", deep[] = "1+(2*(";
	char text[6000] = "";
	struct err e;

	(void)state;
	for (unsigned i = 0; i < 33; i++)
		snprintf(text + strlen(text), 40, term, i);
	strcat(text, "false");
	assert_null(expr_new(str_from(text), functions, &e));
	assert_non_null(strstr(e.text, "there are more than 32 different calls"));
	memset(text, ' ', 5000);
	text[5000] = '\0';
	assert_null(expr_new(str_from(text), functions, &e));
	assert_non_null(strstr(e.text, "the expression is longer than 4096 characters"));
	/* lists in lists are written out, up to a limit */
	strcpy(text, "any([1");
	for (unsigned i = 0; i < 99; i++)
		strcat(text, ",2");
	strcat(text, "], any([1");
	for (unsigned i = 0; i < 99; i++)
		strcat(text, ",2");
	strcat(text, "], # in [1, 2]))");
	assert_null(expr_new(str_from(text), functions, &e));
	assert_non_null(strstr(e.text, "the list is too long for what any() asks of each"));
	/* as deep as brackets go, the stack is large enough */
	text[0] = '\0';
	for (unsigned i = 0; i < 15; i++)
		strcat(text, deep);
	strcat(text, "1");
	for (unsigned i = 0; i < 15; i++)
		strcat(text, "))");
	strcat(text, " > 0");
	assert_int_equal(value(text), EXPR_TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(expressions_are_true),
	        cmocka_unit_test(expressions_are_false),
	        cmocka_unit_test(what_has_no_value_fails),
	        cmocka_unit_test(what_is_not_known_matters_only_when_it_decides),
	        cmocka_unit_test(a_function_is_read_once_and_only_when_needed),
	        cmocka_unit_test(labels_can_be_asked_for),
	        cmocka_unit_test(mistakes_are_named_with_column_and_remedy),
	        cmocka_unit_test(limits_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
