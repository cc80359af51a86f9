#include "rig.h"
#include "test.h"

extern const struct plugin any_plugin;

static void only_questions_for_all_types_are_answered(void **state)
{
	struct rig r;
	struct query *q;

	(void)state;
	assert_int_equal(rig_open(&r, &any_plugin, ". {\nany\n}"), 0);
	q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	assert_int_equal(rig_down(&r, q), NEXT);
	query_release(q);
	q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_ANY});
	assert_int_equal(rig_down(&r, q), DONE);
	assert_string_equal(rig_answer(&r, q),
		"NOERROR\na. 8482 IN HINFO \"ANY obsoleted\" \"See RFC 8482\"\n--\n--\n");
	query_release(q);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_questions_for_all_types_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
