#include "rig.h"
#include "test.h"

extern const struct plugin timeouts_plugin;

static void what_is_given_replaces_the_default(void **state)
{
	const struct stream_limits *d = &stream_limits_default;
	const struct {
		const char *text;
		uint32_t read, write, idle, messages;
	} rows[] = {
	        {"read 5s", 5000, d->write_ms, d->idle_ms, 0},
	        {"write 20", d->message_ms, 20000, d->idle_ms, 0},
	        {"idle 2m", d->message_ms, d->write_ms, 120000, 0},
	        {"read 1s\nwrite 24h\nidle 1m30s", 1000, 86400000, 90000, 0},
	        {"maxtcpqueries 100", d->message_ms, d->write_ms, d->idle_ms, 100},
	        {"maxtcpqueries -1", d->message_ms, d->write_ms, d->idle_ms, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;
		char text[128];

		snprintf(text, sizeof(text), ". {\ntimeouts {\n%s\n}\n}", rows[i].text);
		assert_int_equal(rig_open(&r, &timeouts_plugin, text), 0);
		assert_true(r.setup.has_limits);
		assert_int_equal(r.setup.limits.message_ms, rows[i].read);
		assert_int_equal(r.setup.limits.write_ms, rows[i].write);
		assert_int_equal(r.setup.limits.idle_ms, rows[i].idle);
		assert_int_equal(r.setup.limits.messages, rows[i].messages);
		rig_close(&r);
	}
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const char *const rows[] = {"", "5s", "{\n}", "{\nread\n}", "{\nread 1s 2s\n}",
	        "{\nread 999ms\n}", "{\nidle 25h\n}", "{\nwrite x\n}", "{\nother 1s\n}",
	        "{\nmaxtcpqueries 0\n}", "{\nmaxtcpqueries -2\n}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rig_refuses_args(&timeouts_plugin, rows[i], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_given_replaces_the_default),
	        cmocka_unit_test(what_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
