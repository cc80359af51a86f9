#include "test.h"

#include <arpa/inet.h>

#include "dns/name.h"

static void text_and_wire_are_two_forms_of_one_name(void **state)
{
	static const struct {
		const char *text, *back;
		size_t len; /* 0: refused */
	} rows[] = {
		{"example.org", "example.org.", 13},
		{"example.org.", "example.org.", 13},
		{".", ".", 1},
		{"WWW.Example", "WWW.Example.", 13},
		{"a\\.b.c", "a\\.b.c.", 7},
		{"a\\046b", "a\\.b.", 5},
		{"\\000\\255", "\\000\\255.", 4},
		{"*.wild", "*.wild.", 8},
		{"", NULL, 0},
		{"a..b", NULL, 0},
		{".a", NULL, 0},
		{"\\", NULL, 0},
		{"\\25", NULL, 0},
		{"\\256", NULL, 0},
		{"\\25x", NULL, 0},
		{"a234567890123456789012345678901234567890123456789012345678901234", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct name n;
		struct err e = {""};
		char text[NAME_TEXT_MAX];
		int rc = name_from_text(&n, str_from(rows[i].text), &e);

		assert_int_equal(rc == 0, rows[i].len > 0);
		if (rc != 0) {
			assert_true(e.text[0] != '\0');
			continue;
		}
		assert_int_equal(n.len, rows[i].len);
		assert_int_equal(name_check(n.wire, sizeof(n.wire)), n.len);
		name_to_text(text, n.wire);
		assert_string_equal(text, rows[i].back);
	}
}

static void names_end_at_255_octets(void **state)
{
	char text[600] = "";
	struct name n;

	(void)state;
	for (int i = 0; i < 127; i++)
		strcat(text, "a.");
	assert_int_equal(name_from_text(&n, str_from(text), NULL), 0);
	assert_int_equal(n.len, 255);
	strcat(text, "a");
	assert_int_equal(name_from_text(&n, str_from(text), NULL), -22);
	assert_int_not_equal(name_prepend(&n, STR("x")), 0);
}

static void folding_changes_only_capital_letters(void **state)
{
	uint8_t in[256], out[256];

	(void)state;
	for (size_t start = 0; start < 9; start++) {
		for (int i = 0; i < 256; i++)
			in[i] = (uint8_t)i;
		name_fold(out, in + start, 256 - start);
		for (size_t i = start; i < 256; i++) {
			uint8_t want = i >= 'A' && i <= 'Z' ? (uint8_t)(i + 32) : (uint8_t)i;

			assert_int_equal(out[i - start], want);
		}
	}
}

static void suffixes_are_compared_by_labels(void **state)
{
	static const struct {
		const char *name, *zone;
		bool is_under;
	} rows[] = {
		{"www.example.org", "example.org", true},
		{"example.org", "EXAMPLE.org", true},
		{"example.org", ".", true},
		{"badexample.org", "example.org", false},
		{"org", "example.org", false},
		{"www\\.example.org", "example.org", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct name a, b;

		name_from_text(&a, str_from(rows[i].name), NULL);
		name_from_text(&b, str_from(rows[i].zone), NULL);
		assert_int_equal(name_is_under(a.wire, b.wire), rows[i].is_under);
	}
}

static void reverse_names_carry_addresses(void **state)
{
	static const struct {
		const char *name;
		int len;
		const char *addr;
	} rows[] = {
		{"1.0.96.10.in-addr.arpa", 4, "10.96.0.1"},
		{"255.255.255.255.IN-ADDR.ARPA", 4, "255.255.255.255"},
		{"0.96.10.in-addr.arpa", 0, NULL},
		{"01.0.96.10.in-addr.arpa", 0, NULL},
		{"256.0.96.10.in-addr.arpa", 0, NULL},
		{"x.0.96.10.in-addr.arpa", 0, NULL},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.ip6.arpa", 16,
			"0db8::1"},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.ip6.int", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct name n, back;
		uint8_t got[16], want[16];

		assert_int_equal(name_from_text(&n, str_from(rows[i].name), NULL), 0);
		assert_int_equal(name_to_addr(n.wire, got), rows[i].len);
		if (rows[i].len == 0)
			continue;
		inet_pton(rows[i].len == 4 ? AF_INET : AF_INET6, rows[i].addr, want);
		assert_memory_equal(got, want, (size_t)rows[i].len);
		name_from_addr(&back, rows[i].len == 4 ? AF_INET : AF_INET6, want);
		assert_true(name_equal(back.wire, n.wire));
	}
}

static void partial_reverse_names_are_prefixes(void **state)
{
	static const struct {
		const char *name;
		int len;
		unsigned bits;
		uint8_t addr[4];
	} rows[] = {
		{"10.in-addr.arpa", 4, 8, {10}},
		{"96.10.In-Addr.ARPA", 4, 16, {10, 96}},
		{"1.0.96.10.in-addr.arpa", 4, 32, {10, 96, 0, 1}},
		{"1.1.0.96.10.in-addr.arpa", 0, 0, {0}},
		{"010.in-addr.arpa", 0, 0, {0}},
		{"256.in-addr.arpa", 0, 0, {0}},
		{"x.10.in-addr.arpa", 0, 0, {0}},
		{"in-addr.arpa", 0, 0, {0}},
		{"arpa", 0, 0, {0}},
		{".", 0, 0, {0}},
		{"f.ip6.arpa", 16, 4, {0xf0}},
		{"d.F.ip6.arpa", 16, 8, {0xfd}},
		{"1.d.f.ip6.arpa", 16, 12, {0xfd, 0x10}},
		{"1d.f.ip6.arpa", 0, 0, {0}},
		{"g.ip6.arpa", 0, 0, {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct name n;
		uint8_t addr[16];
		unsigned bits;

		assert_int_equal(name_from_text(&n, str_from(rows[i].name), NULL), 0);
		assert_int_equal(name_to_prefix(n.wire, addr, &bits), rows[i].len);
		if (rows[i].len == 0)
			continue;
		assert_int_equal(bits, rows[i].bits);
		assert_memory_equal(addr, rows[i].addr, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_wire_are_two_forms_of_one_name),
		cmocka_unit_test(names_end_at_255_octets),
		cmocka_unit_test(partial_reverse_names_are_prefixes),
		cmocka_unit_test(folding_changes_only_capital_letters),
		cmocka_unit_test(suffixes_are_compared_by_labels),
		cmocka_unit_test(reverse_names_carry_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
