#include "rig.h"

#include <stdio.h>
#include <unistd.h>

#include "test.h"

extern const struct plugin chaos_plugin;

static void the_names_of_old_custom_are_answered(void **state)
{
	static const struct {
		const char *name, *answer;
	} rows[] = {
		{"version.bind.", "NOERROR\nversion.bind. 0 CH TXT \"v 1\"\n--\n--\n"},
		{"VERSION.Server.", "NOERROR\nVERSION.Server. 0 CH TXT \"v 1\"\n--\n--\n"},
		{"authors.bind.", "NOERROR\nauthors.bind. 0 CH TXT \"Alice\"\n"
				  "authors.bind. 0 CH TXT \"Bob\"\n--\n--\n"},
	};
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &chaos_plugin, ". {\nchaos \"v 1\" Alice Bob\n}"), 0);
	assert_true(r.chain.takes_any_class);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query *q = rig_query(&r,
			&(struct rig_ask){
				.name = rows[i].name, .type = TYPE_TXT, .rr_class = CLASS_CH});

		assert_int_equal(rig_down(&r, q), DONE);
		assert_string_equal(rig_answer(&r, q), rows[i].answer);
		query_release(q);
	}
	rig_close(&r);
}

static void host_names_are_this_host(void **state)
{
	static const char *const names[] = {"hostname.bind.", "id.server."};
	char host[256], wanted[600];
	struct rig r;

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_int_equal(rig_open(&r, &chaos_plugin, ". {\nchaos\n}"), 0);
	for (size_t i = 0; i < 2; i++) {
		struct query *q = rig_query(&r,
			&(struct rig_ask){
				.name = names[i], .type = TYPE_TXT, .rr_class = CLASS_CH});

		assert_int_equal(rig_down(&r, q), DONE);
		snprintf(wanted, sizeof(wanted), "0 CH TXT \"%s\"", host);
		assert_non_null(strstr(rig_answer(&r, q), wanted));
		query_release(q);
	}
	rig_close(&r);
}

static void other_questions_go_on(void **state)
{
	static const struct rig_ask rows[] = {
		{.name = "version.bind.", .type = TYPE_TXT},
		{.name = "version.bind.", .type = TYPE_A, .rr_class = CLASS_CH},
		{.name = "x.version.bind.", .type = TYPE_TXT, .rr_class = CLASS_CH},
		{.name = ".", .type = TYPE_TXT, .rr_class = CLASS_CH},
	};
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &chaos_plugin, ". {\nchaos\n}"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query *q = rig_query(&r, &rows[i]);

		assert_int_equal(rig_down(&r, q), NEXT);
		query_release(q);
	}
	rig_close(&r);
}

static enum verdict answer_in(struct query *q, void *instance)
{
	(void)instance;
	q->answer.is_authoritative = true;
	return DONE;
}

static const struct plugin in_plugin = {.name = "in", .query = answer_in};

static void plugins_of_class_in_never_see_such_questions(void **state)
{
	struct rig_ask ask = {.name = "a.", .type = TYPE_A, .rr_class = CLASS_CH};
	struct query *q;
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &chaos_plugin, ". {\nchaos\n}"), 0);
	vec_push(&r.chain.query_hooks, (struct link){.plugin = &in_plugin, .order = 1});
	q = rig_query(&r, &ask);
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	assert_string_equal(rig_answer(&r, q), "REFUSED\n--\n--\n");
	query_release(q);
	ask.rr_class = CLASS_IN;
	q = rig_query(&r, &ask);
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	assert_string_equal(rig_answer(&r, q), "NOERROR aa\n--\n--\n");
	query_release(q);
	rig_close(&r);
}

static void texts_that_are_too_long_are_refused(void **state)
{
	char text[400] = ". {\nchaos a ";
	struct rig r;

	(void)state;
	memset(text + strlen(text), 'x', 256);
	strcat(text, "\n}");
	assert_int_equal(rig_open(&r, &chaos_plugin, text), -22);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_names_of_old_custom_are_answered),
		cmocka_unit_test(host_names_are_this_host),
		cmocka_unit_test(other_questions_go_on),
		cmocka_unit_test(plugins_of_class_in_never_see_such_questions),
		cmocka_unit_test(texts_that_are_too_long_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
