#include "rig.h"
#include "test.h"

extern const struct plugin bufsize_plugin;

static void the_cap_is_lowered_and_never_raised(void **state)
{
	static const struct {
		const char *text;
		int cap;
	} rows[] = {
		{". {\nbufsize\n}", 1232},
		{". {\nbufsize 512\n}", 512},
		{". {\nbufsize 4096\n}", 1232},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig r;
		struct query *q;

		assert_int_equal(rig_open(&r, &bufsize_plugin, rows[i].text), 0);
		q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
		assert_int_equal(rig_down(&r, q), NEXT);
		assert_int_equal(q->udp_cap, rows[i].cap);
		query_release(q);
		rig_close(&r);
	}
}

static void sizes_out_of_range_are_refused(void **state)
{
	static const char *const rows[] = {"511", "4097", "x", "-1", "1 2", "{\na\n}"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses_args(&bufsize_plugin, rows[i], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cap_is_lowered_and_never_raised),
		cmocka_unit_test(sizes_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
