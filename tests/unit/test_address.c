#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "conf/address.h"
#include "conf/cidr.h"

static void addresses_are_cut_into_scheme_host_and_port(void **state)
{
	static const struct {
		const char *text;
		enum scheme scheme;
		const char *host;
		uint16_t port;
		bool is_ip, is_v6;
	} rows[] = {
	        {"8.8.8.8", SCHEME_DNS, "8.8.8.8", 0, true, false},
	        {"8.8.8.8:5353", SCHEME_DNS, "8.8.8.8", 5353, true, false},
	        {"2001:db8::1", SCHEME_DNS, "2001:db8::1", 0, true, true},
	        {"[2001:db8::1]", SCHEME_DNS, "2001:db8::1", 0, true, true},
	        {"[2001:db8::1]:53", SCHEME_DNS, "2001:db8::1", 53, true, true},
	        {"[fe80::1%eth0]:53", SCHEME_DNS, "fe80::1%eth0", 53, true, true},
	        {"fe80::1%eth0", SCHEME_DNS, "fe80::1%eth0", 0, true, true},
	        {"tls://9.9.9.9", SCHEME_TLS, "9.9.9.9", 0, true, false},
	        {"tls://[2620:fe::fe]:853", SCHEME_TLS, "2620:fe::fe", 853, true, true},
	        {"https://dns.example:443", SCHEME_HTTPS, "dns.example", 443, false, false},
	        {":9153", SCHEME_DNS, "", 9153, false, false},
	        {"localhost:8080", SCHEME_DNS, "localhost", 8080, false, false},
	        {"dns-1.example_x.org", SCHEME_DNS, "dns-1.example_x.org", 0, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;
		struct err e = {""};

		if (address_parse(str_from(rows[i].text), &a, &e) != 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_int_equal(a.scheme, rows[i].scheme);
		assert_int_equal(a.has_scheme, strstr(rows[i].text, "://") != NULL);
		assert_string_equal(a.host, rows[i].host);
		assert_int_equal(a.port, rows[i].port);
		assert_int_equal(a.has_port, rows[i].port != 0);
		assert_int_equal(a.is_ip, rows[i].is_ip);
		assert_int_equal(a.is_v6, rows[i].is_v6);
	}
}

static void wrong_addresses_are_refused(void **state)
{
	static const char *const rows[] = {"", "8.8.8.8:", "8.8.8.8:0", "8.8.8.8:65536",
	        "8.8.8.8:x", "[8.8.8.8]:53", "[::1", "[::1]53", "[::1]:", "::1:x", "8.8.8.8%eth0",
	        "fe80::1%", "ftp://8.8.8.8", "/etc/resolv.conf", "a b", "-x", ".x", "{", ":"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;
		struct err e = {""};

		if (address_parse(str_from(rows[i]), &a, &e) == 0)
			fail_msg("accepted: %s", rows[i]);
		assert_non_null(strstr(e.text, "is not a valid address"));
	}
}

static void blocks_contain_their_addresses(void **state)
{
	static const struct {
		const char *block, *ip;
		bool is_in;
	} rows[] = {
	        {"10.0.0.0/8", "10.255.0.1", true},
	        {"10.0.0.0/8", "11.0.0.1", false},
	        {"10.96.0.0/12", "10.111.255.255", true},
	        {"10.96.0.0/12", "10.112.0.0", false},
	        {"0.0.0.0/0", "8.8.8.8", true},
	        {"0.0.0.0/0", "::1", false},
	        {"::/0", "::1", true},
	        {"10.0.0.1", "10.0.0.1", true},
	        {"10.0.0.1", "10.0.0.0", false},
	        {"2001:db8::/33", "2001:db8:7fff::1", true},
	        {"2001:db8::/33", "2001:db8:8000::1", false},
	        {"2001:db8::1", "2001:db8::1", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cidr block, ip;

		assert_int_equal(cidr_parse_any(str_from(rows[i].block), &block), 0);
		assert_int_equal(cidr_parse_ip(str_from(rows[i].ip), &ip), 0);
		assert_int_equal(cidr_has(&block, ip.addr, ip.is_v6), rows[i].is_in);
	}
}

static void wrong_blocks_are_refused(void **state)
{
	static const char *const rows[] = {"", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "/8",
	        "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/0008", "x/8",
	        "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cidr c;

		assert_int_equal(cidr_parse_any(str_from(rows[i]), &c), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(addresses_are_cut_into_scheme_host_and_port),
	        cmocka_unit_test(wrong_addresses_are_refused),
	        cmocka_unit_test(blocks_contain_their_addresses),
	        cmocka_unit_test(wrong_blocks_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
