#include "rig.h"
#include "test.h"

extern const struct plugin bind_plugin;

static void addresses_and_interfaces_are_collected(void **state)
{
	static const struct {
		const char *text, *binds;
	} rows[] = {
		{"bind 127.0.0.1", "127.0.0.1 "},
		{"bind 127.0.0.2 ::1\nbind 127.0.0.3", "127.0.0.2 ::1 127.0.0.3 "},
		{"bind 127.0.0.1 127.0.0.1", "127.0.0.1 "},
		{"bind lo 127.0.0.9 {\nexcept ::1\n}", "127.0.0.1 127.0.0.9 "},
		{"bind lo 10.0.0.1 {\nexcept lo\n}", "10.0.0.1 "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128] = ". {\n", ip[ADDR_TEXT_MAX];
		struct buf binds = {0};
		struct rig r;

		strcat(strcat(text, rows[i].text), "\n}");
		assert_int_equal(rig_open(&r, &bind_plugin, text), 0);
		assert_null(r.setup.instance);
		vec_for_each(&r.setup.binds, b) {
			buf_str(&binds, addr_ip_to_text(ip, b));
			buf_char(&binds, ' ');
		}
		assert_string_equal(buf_text(&binds), rows[i].binds);
		buf_free(&binds);
		rig_close(&r);
	}
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"bind", "wrong number of arguments"},
		{"bind nosuch0", "'nosuch0' is neither an IP address nor a network interface"},
		{"bind 127.0.0.1:53", "is neither an IP address nor"},
		{"bind lo {\nexcept lo\n}", "every address is excepted"},
		{"bind lo {\nexcept\n}", "wrong number of arguments"},
		{"bind lo {\nexcept lo nosuch0\n}",
			"'nosuch0' is neither an IP address nor a network interface"},
		{"bind lo {\nexclude lo\n}", "unknown property 'exclude'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses(&bind_plugin, rows[i].text, rows[i].why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_interfaces_are_collected),
		cmocka_unit_test(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
