#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "conf/zonekey.h"

#define LABEL63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"

static void names_become_canonical(void **state)
{
	static const struct {
		const char *text, *zone;
	} rows[] = {
	        {".", "."},
	        {"", "."},
	        {"example.org", "example.org."},
	        {"example.org.", "example.org."},
	        {"Example.ORG", "example.org."},
	        {"_dns.x-1", "_dns.x-1."},
	        {"*.example", "*.example."},
	        {"a\\.b.c", "a\\.b.c."},
	        {"a\\046b", "a\\.b."},
	        {"\\065\\097", "aa."},
	        {"a\\032b", "a\\032b."},
	        {"a b", "a\\032b."},
	        {"a\\\\b", "a\\\\b."},
	        {"\\@\\$\\;", "\\@\\$\\;."},
	        {"\xc3\xa9", "\\195\\169."},
	        {"\\000", "\\000."},
	        {"0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa."},
	        {LABEL63 ".x", LABEL63 ".x."},
	        {LABEL63 "." LABEL63 "." LABEL63
	                 ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
	                 "fffffffffff",
	                LABEL63 "." LABEL63 "." LABEL63
	                        ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffffff."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char zone[ZONE_TEXT_MAX];
		struct err e = {""};

		if (zone_normalise(str_from(rows[i].text), zone, &e) != 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_string_equal(zone, rows[i].zone);
	}
}

static void longest_name_fits_when_every_octet_is_escaped(void **state)
{
	struct buf text = {0};
	char zone[ZONE_TEXT_MAX];
	struct err e;

	(void)state;
	for (int i = 0; i < 253; i++)
		buf_str(&text, i % 64 == 63 ? "." : "\\001");
	assert_int_equal(zone_normalise((struct str){text.at, text.len}, zone, &e), 0);
	assert_int_equal(strlen(zone), text.len + 1);
	buf_str(&text, "\\001");
	assert_int_equal(zone_normalise((struct str){text.at, text.len}, zone, &e), -EINVAL);
	buf_free(&text);
}

static void bad_names_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
	        {"..", "has an empty label"},
	        {".a", "has an empty label"},
	        {"a..b", "has an empty label"},
	        {"a..", "has an empty label"},
	        {LABEL63 "4", "has a label of more than 63 octets"},
	        {"a\\", "has a bad \\ escape"},
	        {"a\\25", "has a bad \\ escape"},
	        {"a\\256", "has a bad \\ escape"},
	        {"a\\2x5", "has a bad \\ escape"},
	        {LABEL63 "." LABEL63 "." LABEL63
	                 ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffff",
	                "specified zone is too long"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char zone[ZONE_TEXT_MAX];
		struct err e = {""};

		assert_int_equal(zone_normalise(str_from(rows[i].text), zone, &e), -EINVAL);
		if (strstr(e.text, rows[i].error) == NULL)
			assert_string_equal(e.text, rows[i].error);
	}
}

/* One key with the port of -dns.port at 1053; zones as `scheme://zone:port` with blanks between. */
static int parse_key(const char *text, struct buf *out, struct err *e)
{
	struct zone_keys keys = {0};
	struct arena a;
	int rc;

	arena_init(&a);
	rc = zone_key_parse(str_from(text), 1053, &a, &keys, e);
	vec_for_each (&keys.list, k)
		buf_printf(out, "%s%s://%s:%u%s", out->len > 0 ? " " : "", scheme_name(k->scheme),
		        k->zone, k->port, k->has_port ? "" : "?");
	vec_free(&keys.list);
	arena_reset(&a);
	return rc;
}

static void keys_have_scheme_zone_and_port(void **state)
{
	static const struct {
		const char *text, *keys;
	} rows[] = {
	        {".", "dns://.:1053?"},
	        {".:53", "dns://.:53"},
	        {":54", "dns://.:54"},
	        {"example.org", "dns://example.org.:1053?"},
	        {"Example.Org:5353", "dns://example.org.:5353"},
	        {"dns://.", "dns://.:1053?"},
	        {"dns://.:53", "dns://.:53"},
	        {"tls://example.org", "tls://example.org.:853?"},
	        {"TLS://example.org:8853", "tls://example.org.:8853"},
	        {"quic://.", "quic://.:853?"},
	        {"grpc://.", "grpc://.:443?"},
	        {"https://.", "https://.:443?"},
	        {"https3://.", "https3://.:443?"},
	        {"hostname.bind:5353", "dns://hostname.bind.:5353"},
	        {"10.0.0.0/24", "dns://0.0.10.in-addr.arpa.:1053?"},
	        {"tls://10.0.0.0/24:54", "tls://0.0.10.in-addr.arpa.:54"},
	        {"10.0.0.0/8", "dns://10.in-addr.arpa.:1053?"},
	        {"10.1.2.3/8:53", "dns://10.in-addr.arpa.:53"},
	        {"10.64.0.0/14:53", "dns://64.10.in-addr.arpa.:53 dns://65.10.in-addr.arpa.:53 "
	                            "dns://66.10.in-addr.arpa.:53 dns://67.10.in-addr.arpa.:53"},
	        {"192.0.2.128/31:53",
	                "dns://128.2.0.192.in-addr.arpa.:53 dns://129.2.0.192.in-addr.arpa.:53"},
	        {"192.0.2.7/32", "dns://7.2.0.192.in-addr.arpa.:1053?"},
	        {"0.0.0.0/0", "dns://in-addr.arpa.:1053?"},
	        {"::/0", "dns://ip6.arpa.:1053?"},
	        {"2001:db8::/32", "dns://8.b.d.0.1.0.0.2.ip6.arpa.:1053?"},
	        {"2001:db8::/32:53", "dns://8.b.d.0.1.0.0.2.ip6.arpa.:53"},
	        {"fd00:abc0::/27:53",
	                "dns://c.b.a.0.0.d.f.ip6.arpa.:53 dns://d.b.a.0.0.d.f.ip6.arpa.:53"},
	        {"fd00:abc0::/26:53",
	                "dns://c.b.a.0.0.d.f.ip6.arpa.:53 dns://d.b.a.0.0.d.f.ip6.arpa.:53 "
	                "dns://e.b.a.0.0.d.f.ip6.arpa.:53 dns://f.b.a.0.0.d.f.ip6.arpa.:53"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf got = {0};
		struct err e = {""};

		if (parse_key(rows[i].text, &got, &e) != 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_string_equal(buf_text(&got), rows[i].keys);
		buf_free(&got);
	}
}

static void bad_keys_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
	        {".:", "expecting data after last colon: \".:\""},
	        {"example.org:", "expecting data after last colon"},
	        {".:0", "'0' is no port: expected 1 to 65535"},
	        {".:65536", "'65536' is no port: expected 1 to 65535"},
	        {".:dns", "'dns' is no port"},
	        {"http://example.org", "unknown scheme in 'http://example.org'"},
	        {"a..b:53", "zone is not a valid domain name: 'a..b' has an empty label"},
	        {"10.0.0.0/33", "'10.0.0.0/33' is no valid address block"},
	        {"10.0.0.0/x", "is no valid address block"},
	        {"2001:db8::1", "'2001:db8::1' is no valid address block"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf got = {0};
		struct err e = {""};

		assert_int_equal(parse_key(rows[i].text, &got, &e), -EINVAL);
		if (strstr(e.text, rows[i].error) == NULL)
			assert_string_equal(e.text, rows[i].error);
		assert_int_equal(got.len, 0);
	}
}

static void address_blocks_expand_to_whole_labels(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		const char *first, *last;
	} rows[] = {
	        {"10.96.0.0/12", 16, "96.10.in-addr.arpa.", "111.10.in-addr.arpa."},
	        {"10.0.128.0/17", 128, "128.0.10.in-addr.arpa.", "255.0.10.in-addr.arpa."},
	        {"128.0.0.0/1", 128, "128.in-addr.arpa.", "255.in-addr.arpa."},
	        {"192.0.2.0/25", 128, "0.2.0.192.in-addr.arpa.", "127.2.0.192.in-addr.arpa."},
	        {"2001:db8:8000::/33", 8, "8.8.b.d.0.1.0.0.2.ip6.arpa.",
	                "f.8.b.d.0.1.0.0.2.ip6.arpa."},
	        {"2001:db8::/31", 2, "8.b.d.0.1.0.0.2.ip6.arpa.", "9.b.d.0.1.0.0.2.ip6.arpa."},
	        {"fe80::/10", 4, "8.e.f.ip6.arpa.", "b.e.f.ip6.arpa."},
	        {"8000::/1", 8, "8.ip6.arpa.", "f.ip6.arpa."},
	        {"::1/128", 1,
	                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
	                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6."
	                "arpa."},
	        {"example.org", 1, "example.org.", "example.org."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zone_names names = {0};
		struct arena a;
		struct err e;

		arena_init(&a);
		assert_int_equal(zone_expand(str_from(rows[i].text), &a, &names, &e), 0);
		assert_int_equal(names.list.len, rows[i].count);
		assert_string_equal(names.list.at[0], rows[i].first);
		assert_string_equal(names.list.at[names.list.len - 1], rows[i].last);
		vec_free(&names.list);
		arena_reset(&a);
	}
}

/* A block for the overlap check: key, addresses, view. */
struct block {
	const char *key;
	const char *binds[3];
	bool has_view;
};

static int check_blocks(const struct block *blocks, struct err *e)
{
	struct served list[4] = {0};
	struct zone_keys keys = {0};
	struct arena a;
	size_t n = 0;
	int rc;

	arena_init(&a);
	for (; n < 4 && blocks[n].key != NULL; n++)
		assert_int_equal(zone_key_parse(str_from(blocks[n].key), 53, &a, &keys, e), 0);
	for (size_t i = 0; i < n; i++) {
		list[i] = (struct served){.key = keys.list.at[i], .binds = blocks[i].binds};
		list[i].has_view = blocks[i].has_view;
		while (list[i].bind_count < 3 && blocks[i].binds[list[i].bind_count] != NULL)
			list[i].bind_count++;
	}
	rc = served_check(list, n, e);
	vec_free(&keys.list);
	arena_reset(&a);
	return rc;
}

static void blocks_that_serve_the_same_are_refused(void **state)
{
	static const struct {
		struct block blocks[4];
		const char *error; /* NULL: none */
	} rows[] = {
	        {{{.key = "."}, {.key = "example.org"}, {.key = "tls://."}}, NULL},
	        {{{.key = "."}, {.key = ".:54"}}, NULL},
	        {{{.key = "."}, {.key = "."}}, "cannot serve dns://.:53 - it is already defined"},
	        {{{.key = ".:53"}, {.key = "dns://."}},
	                "cannot serve dns://.:53 - it is already defined"},
	        {{{.key = "Example.org"}, {.key = "example.ORG."}},
	                "cannot serve dns://example.org.:53 - it is already defined"},
	        {{{.key = ".", .binds = {"10.0.0.1"}}, {.key = ".", .binds = {"10.0.0.2"}}}, NULL},
	        {{{.key = ".", .binds = {"10.0.0.1"}},
	                 {.key = ".", .binds = {"10.0.0.2", "10.0.0.1"}}},
	                "cannot serve dns://.:53 on 10.0.0.1 - it is already defined"},
	        {{{.key = ".", .binds = {"10.0.0.1"}}, {.key = "."}},
	                "cannot serve dns://.:53 - zone overlap listener capacity with dns://.:53 "
	                "on 10.0.0.1"},
	        {{{.key = "."}, {.key = ".", .binds = {"10.0.0.1"}}},
	                "cannot serve dns://.:53 on 10.0.0.1 - zone overlap listener capacity with "
	                "dns://.:53"},
	        {{{.key = ".", .has_view = true}, {.key = ".", .has_view = true}, {.key = "."}},
	                NULL},
	        {{{.key = "."}, {.key = ".", .has_view = true}},
	                "cannot serve dns://.:53 - it is already defined; move the block with the view "
	                "above it"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};

		assert_int_equal(
		        check_blocks(rows[i].blocks, &e), rows[i].error == NULL ? 0 : -EEXIST);
		if (rows[i].error != NULL)
			assert_string_equal(e.text, rows[i].error);
	}
}

static void overlap_error_names_both_places(void **state)
{
	struct served list[2] = {
	        {.key = {.zone = ".", .port = 53}, .file = "Corefile", .line = 1},
	        {.key = {.zone = ".", .port = 53}, .file = "extra", .line = 7},
	};
	struct err e;

	(void)state;
	assert_int_equal(served_check(list, 2, &e), -EEXIST);
	assert_string_equal(
	        e.text, "extra:7 - cannot serve dns://.:53 - it is already defined (Corefile:1)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_become_canonical),
	        cmocka_unit_test(longest_name_fits_when_every_octet_is_escaped),
	        cmocka_unit_test(bad_names_are_refused),
	        cmocka_unit_test(keys_have_scheme_zone_and_port),
	        cmocka_unit_test(bad_keys_are_refused),
	        cmocka_unit_test(address_blocks_expand_to_whole_labels),
	        cmocka_unit_test(blocks_that_serve_the_same_are_refused),
	        cmocka_unit_test(overlap_error_names_both_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
