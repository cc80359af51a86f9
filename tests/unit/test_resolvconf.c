#include "test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "net/resolvconf.h"

static void add_list(struct buf *b, const union addr *a, unsigned n)
{
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < n; i++)
		buf_printf(b, "%s%s", i > 0 ? " " : "", addr_to_text(text, &a[i]));
}

static void check_servers(struct str text, const char *expected, unsigned skipped)
{
	struct resolvconf rc;
	struct buf b = {0};

	assert_int_equal(resolvconf_parse(&rc, text), 0);
	add_list(&b, rc.servers, rc.servers_len);
	assert_string_equal(buf_text(&b), expected);
	assert_int_equal(rc.skipped, skipped);
	buf_free(&b);
}

static void nameservers_are_read_as_people_write_them(void **state)
{
	static const struct {
		struct str text;
		const char *servers;
		unsigned skipped;
	} rows[] = {
	        {{"", 0}, "", 0},
	        {STR("nameserver 1.1.1.1\n"), "1.1.1.1:53", 0},
	        {STR("nameserver\t1.1.1.1 # quick\nnameserver 9.9.9.9"), "1.1.1.1:53 9.9.9.9:53",
	                0},
	        {STR("nameserver 1.1.1.1\r\nnameserver 9.9.9.9\r\n"), "1.1.1.1:53 9.9.9.9:53", 0},
	        {STR("# nameserver 1.1.1.1\n; nameserver 2.2.2.2\n"), "", 0},
	        {STR("nameserver ::1\nnameserver fd00::53\n"), "[::1]:53 [fd00::53]:53", 0},
	        {STR("nameserver fe80::1%lo\n"), "[fe80::1%1]:53", 0},
	        {STR("nameserver fe80::1%nosuchif0\n"), "", 1},
	        {STR("nameserver 127.0.0.1:5353\nnameserver [::1]:5354\n"),
	                "127.0.0.1:5353 [::1]:5354", 0},
	        {STR("nameserver 1.1.1.1\nnameserver 1.1.1.1\n"), "1.1.1.1:53", 0},
	        {STR("nameserver dns.example.org\nnameserver\nnameserver 1.1.1.1:0\n"), "", 3},
	        {STR("nameserver 224.0.0.251\n"), "", 1},
	        {STR("\0nameserver 6.6.6.6\nnameserver 1.1.1.1\n"), "1.1.1.1:53", 1},
	        {STR("nameserver 6.6.6.6\0\nnameserver 1.1.1.1\n"), "1.1.1.1:53", 1},
	        {STR("  nameserver 1.1.1.1\n"), "1.1.1.1:53", 0},
	        {STR("nameservers 1.1.1.1\nwhat is this\nsortlist 10.0.0.0\n"), "", 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_servers(rows[i].text, rows[i].servers, rows[i].skipped);
}

static void at_most_fifteen_servers_are_taken(void **state)
{
	struct buf b = {0};
	struct resolvconf rc;

	(void)state;
	for (int i = 1; i <= 20; i++)
		buf_printf(&b, "nameserver 10.0.0.%d\n", i);
	assert_int_equal(resolvconf_parse(&rc, (struct str){b.at, b.len}), 0);
	assert_int_equal(rc.servers_len, 15);
	assert_int_equal(rc.skipped, 5);
	buf_free(&b);
}

static void options_and_search_lists_are_read(void **state)
{
	struct resolvconf rc;
	char text[NAME_TEXT_MAX];

	(void)state;
	assert_int_equal(
	        resolvconf_parse(&rc, STR("domain old.example\nsearch a.example b.example.\n"
	                                  "options rotate timeout:2 attempts:9 ndots:5\noptions "
	                                  "use-vc edns0 trust-ad "
	                                  "unknown ndots:x\n")),
	        0);
	assert_true(rc.rotate && rc.use_vc && rc.edns0 && rc.trust_ad);
	assert_int_equal(rc.timeout_s, 2);
	assert_int_equal(rc.attempts, 5);
	assert_int_equal(rc.ndots, 5);
	assert_int_equal(rc.search_len, 2);
	name_to_text(text, rc.search[1].wire);
	assert_string_equal(text, "b.example.");
}

static void without_options_the_defaults_hold(void **state)
{
	struct resolvconf rc;

	(void)state;
	assert_int_equal(resolvconf_parse(&rc, STR("nameserver 1.1.1.1\n")), 0);
	assert_int_equal(rc.ndots, 1);
	assert_false(rc.rotate || rc.use_vc || rc.edns0 || rc.trust_ad);
	assert_int_equal(rc.timeout_s + rc.attempts + rc.search_len, 0);
}

static void hostile_sizes_are_bounded(void **state)
{
	size_t n = RESOLVCONF_MAX_SIZE + 1;
	char *big = mem_alloc(n);
	struct resolvconf rc;

	(void)state;
	memset(big, 'x', n);
	memcpy(big, "nameserver 1.1.1.1\nnameserver ", 30);
	assert_int_equal(resolvconf_parse(&rc, (struct str){big, n}), -EFBIG);
	assert_int_equal(rc.servers_len, 0);
	assert_int_equal(resolvconf_parse(&rc, (struct str){big, n - 1}), 0);
	assert_int_equal(rc.servers_len, 1);
	assert_int_equal(rc.skipped, 1);
	memset(big, '\n', n);
	assert_int_equal(resolvconf_parse(&rc, (struct str){big, n - 1}), 0);
	free(big);
}

static void a_million_lines_are_too_many_and_as_many_as_fit_are_read(void **state)
{
	static const char line[] = "nameserver 10.0.0.1\r\n";
	struct resolvconf rc;
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 1000000; i++)
		buf_add(&b, line, sizeof(line) - 1);
	assert_int_equal(resolvconf_parse(&rc, (struct str){buf_text(&b), b.len}), -EFBIG);
	assert_int_equal(rc.servers_len, 0);
	assert_int_equal(resolvconf_parse(&rc, (struct str){buf_text(&b), RESOLVCONF_MAX_SIZE}), 0);
	assert_int_equal(rc.servers_len, 1);
	buf_free(&b);
}

struct choice_row {
	const char *file, *systemd; /* systemd NULL: not readable */
	const char *listens, *locals;
	const char *servers, *text;
};

static size_t read_addrs(union addr *out, const char *text)
{
	struct str rest = str_from(text), word;
	size_t n = 0;

	while ((word = str_word(&rest)).len > 0)
		assert_int_equal(addr_from_hostport(&out[n++], word, 53), 0);
	return n;
}

static void check_choice(const struct choice_row *row)
{
	struct resolvconf file, systemd;
	union addr listens[8], locals[8];
	struct upstream_inputs in = {.path = "/etc/resolv.conf", .file = &file};
	struct upstream_choice out;
	struct buf b = {0};

	resolvconf_parse(&file, str_from(row->file));
	resolvconf_parse(&systemd, str_from(row->systemd));
	in.systemd = row->systemd == NULL ? NULL : &systemd;
	in.listens = listens;
	in.listens_len = read_addrs(listens, row->listens);
	in.locals = locals;
	in.locals_len = read_addrs(locals, row->locals);
	upstream_choose(&in, &out);
	add_list(&b, out.servers, out.len);
	assert_string_equal(buf_text(&b), row->servers);
	assert_string_equal(out.text, row->text);
	buf_free(&b);
}

#define NS(a) "nameserver " a "\n"

static void stubs_and_own_addresses_are_never_forwarded_to(void **state)
{
	static const struct choice_row rows[] = {
	        {NS("1.1.1.1"), NS("2.2.2.2"), "0.0.0.0:53", "10.0.0.1", "1.1.1.1:53", ""},
	        {NS("127.0.0.53"), NS("2.2.2.2") NS("3.3.3.3"), "", "", "2.2.2.2:53 3.3.3.3:53",
	                "/etc/resolv.conf names only 127.0.0.53:53, which is the stub of "
	                "systemd-resolved: using /run/systemd/resolve/resolv.conf instead"},
	        {NS("127.0.0.54") NS("9.9.9.9"), NULL, "", "", "9.9.9.9:53",
	                "/etc/resolv.conf: left out 127.0.0.54:53, which is the stub of "
	                "systemd-resolved"},
	        {NS("10.0.0.1"), NS("2.2.2.2"), "0.0.0.0:53", "10.0.0.1", "2.2.2.2:53",
	                "/etc/resolv.conf names only 10.0.0.1:53, which is this server itself: "
	                "using "
	                "/run/systemd/resolve/resolv.conf instead"},
	        {NS("127.0.0.1"), NULL, "127.0.0.1:53", "", "",
	                "/etc/resolv.conf names only 127.0.0.1:53, which is this server itself, "
	                "and "
	                "/run/systemd/resolve/resolv.conf has no other server: outside names get "
	                "SERVFAIL "
	                "until one appears"},
	        {NS("127.0.0.1"), NULL, "127.0.0.1:5300", "", "127.0.0.1:53", ""},
	        {NS("127.0.0.1"), NULL, "10.0.0.1:53", "10.0.0.1", "127.0.0.1:53", ""},
	        {"", NS("2.2.2.2"), "", "", "2.2.2.2:53",
	                "/etc/resolv.conf names no nameserver: using "
	                "/run/systemd/resolve/resolv.conf instead"},
	        {"", NULL, "", "", "",
	                "/etc/resolv.conf names no nameserver: outside names get SERVFAIL until "
	                "one "
	                "appears"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_choice(&rows[i]);
}

static void a_list_that_only_leads_back_to_us_is_empty(void **state)
{
	static const char *const rows[][3] = {
	        {NS("127.0.0.7"), "[::]:53", ""},
	        {NS("::1"), "[::]:53", ""},
	        {NS("0.0.0.0"), "127.0.0.1:53", ""},
	        {NS("fd00::1"), "[::]:53", "[fd00::1]:1"},
	        {NS("127.0.0.53"), "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct resolvconf file;
		union addr listens[2], locals[2];
		struct upstream_inputs in = {.path = "x", .file = &file, .systemd = &file};
		struct upstream_choice out;

		resolvconf_parse(&file, str_from(rows[i][0]));
		in.listens = listens;
		in.listens_len = read_addrs(listens, rows[i][1]);
		in.locals = locals;
		in.locals_len = read_addrs(locals, rows[i][2]);
		upstream_choose(&in, &out);
		assert_int_equal(out.len, 0);
		assert_true(out.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        {"U32: nameservers are read as people write them",
	                nameservers_are_read_as_people_write_them, NULL, NULL, NULL},
	        {"U32: at most fifteen servers are taken", at_most_fifteen_servers_are_taken, NULL,
	                NULL, NULL},
	        {"U32: options and search lists are read", options_and_search_lists_are_read, NULL,
	                NULL, NULL},
	        cmocka_unit_test(without_options_the_defaults_hold),
	        {"U29: hostile sizes are bounded", hostile_sizes_are_bounded, NULL, NULL, NULL},
	        {"U29: 10^6 lines are too many, as many as fit are read",
	                a_million_lines_are_too_many_and_as_many_as_fit_are_read, NULL, NULL, NULL},
	        {"U31: stubs and own addresses are never forwarded to",
	                stubs_and_own_addresses_are_never_forwarded_to, NULL, NULL, NULL},
	        {"U31: a list that only leads back to us is empty",
	                a_list_that_only_leads_back_to_us_is_empty, NULL, NULL, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
