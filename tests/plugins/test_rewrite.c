/* How rules are read, what becomes of names, and options of questions. */
#include "rig.h"
#include "test.h"

#include "../../plugins/rewrite/rewrite.h"
#include "core/metadata.h"
#include "core/zone_list.h"
#include "dns/wire.h"

extern const struct plugin rewrite_plugin;

static const struct {
	enum match_kind kind;
	const char *from, *to, *name, *result; /* NULL: the rule is not about it */
} rows[] = {
	{MATCH_EXACT, "a.b.", "c.", "a.b.", "c."},
	{MATCH_EXACT, "a.b.", "c.", "x.a.b.", NULL},
	{MATCH_PREFIX, "a", "bb", "a.x.", "bb.x."},
	{MATCH_PREFIX, "a", "bb", "x.a.", NULL},
	{MATCH_SUFFIX, ".a.", ".b.c.", "x.a.", "x.b.c."},
	{MATCH_SUFFIX, ".a.", ".b.", "xa.", NULL},
	{MATCH_SUBSTRING, "a", "", "banana.", "bnn."},
	{MATCH_SUBSTRING, "na", "x", "banana.", "baxx."},
	{MATCH_SUBSTRING, "q", "x", "banana.", NULL},
	{MATCH_REGEX, "^(a+)\\.(b+)\\.$", "{2}.{1}", "aa.b.", "b.aa."},
	{MATCH_REGEX, "(?P<x>a)", "{1}{0}{9}", "bab.", "aa{9}."},
	{MATCH_REGEX, "^\\d+", "n.", "12.", "n."},
	{MATCH_REGEX, "^\\d+", "n.", "x12.", NULL},
	{MATCH_REGEX, "(?i)ABC", "n", "xabcx.", "n."},
};

static void names_become_what_the_rule_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct matcher m = {.kind = rows[i].kind};
		char out[REWRITE_TEXT_MAX];
		struct arena a;
		size_t n;

		arena_init(&a);
		assert_int_equal(
			matcher_init(&m, &a, rows[i].from, rows[i].to, NULL), 0);
		n = matcher_apply(&m, str_from(rows[i].name), out);
		assert_int_equal(matcher_has(&m, str_from(rows[i].name)), n > 0);
		if (rows[i].result == NULL)
			assert_int_equal(n, 0);
		else
			assert_string_equal(out, rows[i].result);
		matcher_fini(&m);
		arena_reset(&a);
	}
}

static void a_name_that_gets_too_long_is_left_alone(void **state)
{
	struct matcher m = {.kind = MATCH_SUBSTRING};
	char name[300], to[900], out[REWRITE_TEXT_MAX];
	struct arena a;

	(void)state;
	memset(name, 'a', 254);
	name[254] = '\0';
	memset(to, 'b', sizeof(to) - 1);
	to[sizeof(to) - 1] = '\0';
	arena_init(&a);
	assert_int_equal(matcher_init(&m, &a, "a", to, NULL), 0);
	assert_int_equal(matcher_apply(&m, str_from(name), out), 0);
	arena_reset(&a);
}

/* The time of a match is bounded, whatever the pattern. */
static void catastrophic_patterns_end(void **state)
{
	struct pattern *p = pattern_new("^(a+)+$", NULL);
	char text[64];

	(void)state;
	assert_non_null(p);
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 'b';
	assert_false(pattern_match(p, (struct str){text, sizeof(text)}, NULL));
	pattern_free(p);
}

static void bad_rules_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"rewrite", "unknown rule ''"},
		{"rewrite continue", "unknown rule ''"},
		{"rewrite nam a b", "unknown rule 'nam', expected name, type, class"},
		{"rewrite name a", "expected FROM and TO"},
		{"rewrite name a b c", "unexpected 'c', expected answer"},
		{"rewrite name a b answer", "`answer` needs auto, name FROM TO"},
		{"rewrite name a b answer name x", "expected FROM and TO"},
		{"rewrite name regex a( b", "'a(' is wrong at character 3: missing closing"},
		{"rewrite name regex (a)\\1 b", "uses what Go has not: back references"},
		{"rewrite name regex a(?=b) b", "uses what Go has not: looking around"},
		{"rewrite type A", "a type rule needs FROM and TO"},
		{"rewrite type A NOPE", "unknown record type 'NOPE'"},
		{"rewrite class IN XX", "unknown class 'XX'"},
		{"rewrite ttl a", "a ttl rule needs a name and seconds"},
		{"rewrite ttl a -", "'-' is no TTL"},
		{"rewrite ttl a 9-5", "'9-5' is no TTL"},
		{"rewrite rcode a NXDOMAIN", "an rcode rule needs a name, FROM and TO"},
		{"rewrite rcode a NXDOMAIN OOPS", "unknown response code 'OOPS'"},
		{"rewrite rcode a 3 24", "unknown response code '24'"},
		{"rewrite edns0 cookie set", "an edns0 rule is about local, nsid or subnet"},
		{"rewrite edns0 local add 1 2", "needs set, append, replace or unset"},
		{"rewrite edns0 local set 0xffff1 a", "'0xffff1' is no code of an option"},
		{"rewrite edns0 local set 0xfffe 0xabc", "'0xabc' is no hexadecimal data"},
		{"rewrite edns0 local set 0xfffe {who}", "unknown variable '{who}'"},
		{"rewrite edns0 local set 0xfffe {teller/}", "unknown variable '{teller/}'"},
		{"rewrite edns0 local set 0xfffe 0x+1", "'0x+1' is no hexadecimal data"},
		{"rewrite edns0 subnet set 33 0", "the bits of IPv4 (0-32)"},
		{"rewrite edns0 nsid set revert more", "unexpected 'more'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		rig_refuses(&rewrite_plugin, bad[i].text, bad[i].error);
}

static void options_of_the_question_are_edited(void **state)
{
	static const struct {
		const char *rule;
		bool has_nsid;
		const char *hex; /* of all options; NULL: nothing changed */
	} edits[] = {
		{"local set 0xffee 0x6162", false, "ffee00026162"},
		{"local set 65518 ab", false, "ffee00026162"},
		{"local set 0xffee {client_ip}", false, "ffee0004c0000207"},
		{"local set 0xffee {client_port}", false, "ffee00029c40"},
		{"local set 0xffee {qtype}", false, "ffee00020001"},
		{"local set 0xffee {protocol}", false, "ffee0003756470"},
		{"local append 0xffee a", true, "00030000ffee000161"},
		{"local set 3 a", true, "0003000161"},
		{"local append 3 a", true, "000300000003000161"},
		{"local replace 3 a", true, "0003000161"},
		{"local replace 3 a", false, NULL},
		{"local unset 3", true, ""},
		{"local unset 3", false, NULL},
		{"nsid set", false, "00030000"},
		{"nsid append", true, NULL},
		{"subnet set 20 56", false, "000800070001140" "0c00000"},
		{"subnet set 0 0", false, "0008000400010000"},
		{"subnet unset", false, NULL},
	};
	char text[300], hex[200];

	(void)state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		struct rig_ask ask = {.name = "a.", .type = TYPE_A, .client = "192.0.2.7:40000",
			.udp_size = edits[i].has_nsid ? 1232 : 0, .wants_nsid = edits[i].has_nsid};
		const struct rewrite *instance;
		struct subject s;
		struct query *q;
		struct rig r;

		snprintf(text, sizeof(text), ". {\nrewrite edns0 %s\n}", edits[i].rule);
		assert_int_equal(rig_open(&r, &rewrite_plugin, text), 0);
		instance = r.setup.instance;
		q = rig_query(&r, &ask);
		s.query = q;
		s.type = TYPE_A;
		s.is_changed = false;
		subject_read_options(&s, q);
		assert_int_equal(subject_edit_options(&s, instance->rules.at[0]->edns),
			edits[i].hex != NULL);
		for (size_t k = 0; k < s.options_len; k++)
			snprintf(hex + 2 * k, 3, "%02x", s.options[k]);
		hex[2 * s.options_len] = '\0';
		if (edits[i].hex != NULL)
			assert_string_equal(hex, edits[i].hex);
		query_release(q);
		rig_close(&r);
	}
}

/* The data of the only option after one rule, with a value of metadata in the query or without. */
static const char *data_from_metadata(const char *rule, const char *value)
{
	static char data[REWRITE_VALUE_MAX + 1];
	struct zone_list all = {.zones = {NULL, 0, 0}};
	const struct rewrite *instance;
	struct subject s = {.type = TYPE_A};
	struct query *q;
	char text[300];
	struct rig r;

	zone_list_add(&all, &(struct name){1, {0}});
	snprintf(text, sizeof(text), ". {\nrewrite edns0 local set 0xffee %s\n}", rule);
	assert_int_equal(rig_open(&r, &rewrite_plugin, text), 0);
	metadata_enable(&r.chain, &all);
	q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	if (value != NULL)
		metadata_put(q, STR("teller/who"), str_from(value));
	s.query = q;
	subject_read_options(&s, q);
	instance = r.setup.instance;
	assert_true(subject_edit_options(&s, instance->rules.at[0]->edns));
	assert_int_equal(get16(s.options + 2) + 4, s.options_len);
	memcpy(data, s.options + 4, s.options_len - 4);
	data[s.options_len - 4] = '\0';
	query_release(q);
	rig_close(&r);
	zone_list_free(&all);
	return data;
}

static void options_can_carry_metadata(void **state)
{
	char is_long[700];

	(void)state;
	memset(is_long, 'a', sizeof(is_long) - 1);
	is_long[sizeof(is_long) - 1] = '\0';
	assert_string_equal(data_from_metadata("{teller/who}", "me"), "me");
	assert_string_equal(data_from_metadata("{/teller/who}", "me"), "me"); /* as log has it */
	assert_string_equal(data_from_metadata("{teller/who}", NULL), "");
	assert_string_equal(data_from_metadata("{teller/what}", "me"), "");
	assert_int_equal(strlen(data_from_metadata("{teller/who}", is_long)), REWRITE_VALUE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_what_the_rule_says),
		cmocka_unit_test(a_name_that_gets_too_long_is_left_alone),
		cmocka_unit_test(catastrophic_patterns_end),
		cmocka_unit_test(bad_rules_are_refused),
		cmocka_unit_test(options_of_the_question_are_edited),
		cmocka_unit_test(options_can_carry_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
