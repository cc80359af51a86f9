#include "../../plugins/dns64/dns64.h"
#include "rig.h"
#include "test.h"

#include "net/addr.h"

extern const struct plugin dns64_plugin;

/* The table of RFC 6052 2.4, and the well-known prefix. */
static void addresses_are_embedded_as_in_the_table_of_the_rfc(void **state)
{
	static const struct {
		const char *prefix, *address;
	} rows[] = {
		{"2001:db8::/32", "2001:db8:c000:221::"},
		{"2001:db8:100::/40", "2001:db8:1c0:2:21::"},
		{"2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
		{"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
		{"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"},
		{"2001:db8:122:344::/96", "2001:db8:122:344::c000:221"},
		{"64:ff9b::/96", "64:ff9b::c000:221"},
	};
	static const uint8_t ip[] = {192, 0, 2, 33};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cidr prefix;
		union addr want;
		uint8_t got[16];

		assert_int_equal(cidr_parse(str_from(rows[i].prefix), &prefix), 0);
		assert_int_equal(addr_from_text(&want, str_from(rows[i].address), 0), 0);
		dns64_embed(got, &prefix, ip);
		assert_memory_equal(got, want.in6.sin6_addr.s6_addr, 16);
	}
}

static void bad_directives_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"dns64 10.0.0.0/8", "'10.0.0.0/8' is no prefix for translation"},
		{"dns64 64:ff9b::/97", "it must be of IPv6 and have 32, 40, 48, 56, 64 or 96 bits"},
		{"dns64 2001:db8::ff00:0:0:0/96", "bits 64 to 71 of the prefix must be zero"},
		{"dns64 a b", "wrong number of arguments"},
		{"dns64 {\nprefix\n}", "wrong number of arguments for 'prefix'"},
		{"dns64 {\nfrom 64:ff9b::/96\n}", "unknown property 'from'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses(&dns64_plugin, rows[i].text, rows[i].error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_embedded_as_in_the_table_of_the_rfc),
		cmocka_unit_test(bad_directives_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
