#include "rig.h"
#include "test.h"

extern const struct plugin whoami_plugin;

static void the_client_is_told_its_address_and_port(void **state)
{
	static const struct {
		struct rig_ask ask;
		const char *answer;
	} rows[] = {
		{{.name = "Example.org.", .type = TYPE_A, .client = "10.240.0.1:40212"},
			"NOERROR aa\n--\n--\nExample.org. 0 IN A 10.240.0.1\n"
			"_udp.Example.org. 0 IN SRV 0 0 40212 .\n"},
		{{.name = ".", .type = TYPE_MX, .client = "[2001:db8::7]:1", .transport = 1},
			"NOERROR aa\n--\n--\n. 0 IN AAAA 2001:db8::7\n_tcp. 0 IN SRV 0 0 1 .\n"},
	};
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &whoami_plugin, ". {\nwhoami\n}"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query *q = rig_query(&r, &rows[i].ask);

		assert_int_equal(rig_down(&r, q), DONE);
		assert_string_equal(rig_answer(&r, q), rows[i].answer);
		query_release(q);
	}
	rig_close(&r);
}

static void a_name_without_room_for_the_label_gets_the_address_only(void **state)
{
	struct rig_ask ask = {.type = TYPE_A};
	char name[300] = "";
	struct query *q;
	struct rig r;

	(void)state;
	for (int i = 0; i < 63; i++)
		strcat(name, "abc.");
	ask.name = name;
	assert_int_equal(rig_open(&r, &whoami_plugin, ". {\nwhoami\n}"), 0);
	q = rig_query(&r, &ask);
	assert_int_equal(rig_down(&r, q), DONE);
	assert_null(strstr(rig_answer(&r, q), "SRV"));
	assert_non_null(strstr(rig_answer(&r, q), "127.0.0.1"));
	query_release(q);
	rig_close(&r);
}

static void arguments_are_refused(void **state)
{
	(void)state;
	rig_refuses_args(&whoami_plugin, "you", "Corefile:2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_is_told_its_address_and_port),
		cmocka_unit_test(a_name_without_room_for_the_label_gets_the_address_only),
		cmocka_unit_test(arguments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
