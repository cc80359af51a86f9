/* Texts with holes: what they compile to, what they are filled with, what is refused. */
#include "core/metrics.h"
#include "rig.h"
#include "test.h"

#include "../../plugins/template/program.h"

extern const struct plugin template_plugin;

static bool give_meta(void *arg, struct str key, struct str *out)
{
	(void)arg;
	if (!str_is(key, "kubernetes/kind"))
		return false;
	*out = STR("svc");
	return true;
}

static const struct {
	const char *text, *result; /* NULL: it cannot be filled */
} rows[] = {
	{"plain", "plain"},
	{"", ""},
	{"{{.Name}}|{{ .Zone }}|{{ .Class }} {{ .Type }}", "a.b.|b.|IN A"},
	{"{{ .Question.Name }}{{ .Question.Qtype }}{{ .Question.Qclass }}", "a.b.11"},
	{"{{ .Message.Id }} {{ .Remote }}", "7 10.0.0.1"},
	{"{{ .Group.x }}{{ index .Group \"x\" }}{{ index .Match 1 }}{{ index .Match 0 }}", "aaaa"},
	{"{{ .Group.none }}-{{ index .Match 9 }}", "-"},
	{"{{ .Meta \"kubernetes/kind\" }}{{ .Meta \"kubernetes/none\" }}", "svc"},
	{"a  {{- .Zone -}}  b", "ab.b"},
	{"{{ parseInt .Group.x 16 8 }}", "10"},
	{"{{ parseInt (index .Match 1) 16 8 }}", "10"},
	{"{{ parseInt .Group.x 10 8 }}", NULL},
	{"{{ parseInt .Group.x 16 3 }}", NULL},
	{"{{ parseInt .Group.none 16 8 }}", NULL},
};

static void holes_are_filled(void **state)
{
	struct pattern *p = pattern_new("^(?P<x>a)", NULL);
	struct pattern_match m;
	struct filling f = {
		.name = STR("a.b."), .zone = STR("b."), .class_text = STR("IN"),
		.type_text = STR("A"), .remote = STR("10.0.0.1"), .qtype = 1, .qclass = 1, .id = 7,
		.pattern = p, .match = &m, .meta = give_meta};
	char out[200];

	(void)state;
	assert_true(pattern_match(p, f.name, &m));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct program program = {{NULL, 0, 0}};
		struct arena a;
		struct err e = {{0}};

		arena_init(&a);
		if (program_init(&program, &a, rows[i].text, &e) != 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		if (rows[i].result == NULL) {
			assert_int_equal(program_expand(&program, &f, out, sizeof(out)), -1);
		} else {
			assert_int_equal(program_expand(&program, &f, out, sizeof(out)),
				strlen(rows[i].result));
			assert_string_equal(out, rows[i].result);
			if (rows[i].result[0] != '\0')
				assert_int_equal(program_expand(&program, &f, out,
							 strlen(rows[i].result)),
					-1);
		}
		program_fini(&program);
		arena_reset(&a);
	}
	pattern_free(p);
}

static void failures_are_counted_with_the_record_that_failed(void **state)
{
	static const char *const lines[] = {
		"matches_total{server=\"dns://:53\",zone=\".\",view=\"\",class=\"IN\",type=\"A\"} 2\n",
		"template_failures_total{server=\"dns://:53\",zone=\".\",view=\"\",class=\"IN\","
		"type=\"A\",section=\"answer\",template=\"{{ .Name }} A {{ parseInt .Group.x 10 8 }}\"} 1\n",
		"rr_failures_total{server=\"dns://:53\",zone=\".\",view=\"\",class=\"IN\","
		"type=\"A\",section=\"answer\",template=\"{{ .Name }} A {{ parseInt .Group.x 10 8 }}\"} 0\n",
		"rr_failures_total{server=\"dns://:53\",zone=\".\",view=\"\",class=\"IN\","
		"type=\"A\",section=\"additional\",template=\"x. 60 IN A \\\"b\\\"\"} 1\n",
	};
	struct metrics *m = metrics_new();
	struct buf text = {0};
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &template_plugin,
				 ". {\ntemplate IN A {\nmatch ^(?P<x>a)\n"
				 "answer \"{{ .Name }} A {{ parseInt .Group.x 10 8 }}\"\nfallthrough\n}\n"
				 "template IN A {\nadditional \"x. 60 IN A \\\"b\\\"\"\n}\n}"),
		0);
	for (unsigned i = 0; i < 2; i++) {
		struct query *q = rig_query(
			&r, &(struct rig_ask){.name = i == 0 ? "a." : "b.", .type = TYPE_A});

		assert_int_equal(rig_down(&r, q), DONE);
		assert_int_equal(q->answer.rcode, RCODE_SERVFAIL);
		query_release(q);
	}
	template_plugin.metrics(r.setup.instance, m);
	metrics_finish(m, &text);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strstr(buf_text(&text), lines[i]) == NULL)
			fail_msg("%s is not in %s", lines[i], buf_text(&text));
	buf_free(&text);
	rig_close(&r);
}

static void bad_directives_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"template IN", "wrong number of arguments"},
		{"template XX A", "invalid class 'XX', expected IN, CH, HS or ANY"},
		{"template IN NOPE", "invalid type 'NOPE'"},
		{"template IN A {\nmatch a(\n}", "'a(' is wrong at character 3"},
		{"template IN A {\nanswer \"{{ .Nam }}\"\n}", "'{{ .Nam }}' is nothing"},
		{"template IN A {\nanswer \"{{ if .Name }}\"\n}", "'{{ if .Name }}' is nothing"},
		{"template IN A {\nanswer \"{{ .Name\"\n}", "a '{{' without its '}}'"},
		{"template IN A {\nanswer \"{{ index .Match 99 }}\"\n}", "is nothing"},
		{"template IN A {\nanswer \"{{ parseInt .Name 1 8 }}\"\n}", "is nothing"},
		{"template IN A {\nanswer \"{{ .Name .Zone }}\"\n}", "is nothing"},
		{"template IN A {\nrcode OOPS\n}", "unknown response code 'OOPS'"},
		{"template IN A {\nederror 70000\n}", "ederror"},
		{"template IN A {\nexpr true\n}", "unknown property 'expr'"},
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rig r;

		snprintf(text, sizeof(text), ". {\n%s\n}", bad[i].text);
		assert_int_equal(rig_open(&r, &template_plugin, text), -22);
		if (strstr(r.err.text, "plugin/template: ") == NULL ||
			strstr(r.err.text, bad[i].error) == NULL)
			fail_msg("%s: %s", bad[i].text, r.err.text);
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holes_are_filled),
		cmocka_unit_test(failures_are_counted_with_the_record_that_failed),
		cmocka_unit_test(bad_directives_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
