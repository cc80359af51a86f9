#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rcu.h"
#include "file/file.h"
#include "files.h"
#include "rig.h"

extern const struct plugin file_plugin;

#define SOA "@ 60 SOA ns h 1 2 3 4 5\n"

static int open_with(struct rig *r, const char *format, const char *path)
{
	struct buf text = {0};
	int rc;

	buf_str(&text, ".:53 {\n    file ");
	buf_str(&text, path);
	buf_str(&text, format);
	buf_str(&text, "\n}\n");
	rc = rig_open(r, &file_plugin, buf_text(&text));
	buf_free(&text);
	return rc;
}

static int open_example(struct rig *r, const char *rest)
{
	return open_with(r, rest, SRCDIR "/tests/data/zones/example.zone");
}

/* The whole answer as text, or "NEXT" or "PARKED". */
static const char *ask(struct rig *r, const char *name, uint16_t type)
{
	struct query *q = rig_query(r, &(struct rig_ask){.name = name, .type = type});
	const char *text = "NEXT";

	if (query_run(q) == QUERY_PARKED)
		text = "PARKED";
	else if (q->answered_by[0] != '\0')
		text = rig_answer(r, q);
	query_release(q);
	return text;
}

static void a_zone_is_served_with_authority(void **state)
{
	struct rig r;

	(void)state;
	assert_int_equal(open_example(&r, " example.org"), 0);
	assert_true(file_plugin.ready(r.setup.instance));
	assert_non_null(strstr(
	        ask(&r, "mail.example.ORG", TYPE_A), "mail.example.ORG. 300 IN A 192.0.2.25\n"));
	assert_memory_equal(ask(&r, "mail.example.org", TYPE_A), "NOERROR aa", 10);
	assert_memory_equal(ask(&r, "none.example.org", TYPE_A), "NXDOMAIN aa", 11);
	assert_memory_equal(ask(&r, "x.child.example.org", TYPE_A), "NOERROR\n", 8);
	assert_memory_equal(ask(&r, "loop1.example.org", TYPE_A), "SERVFAIL", 8);
	assert_memory_equal(ask(&r, "example.org", TYPE_AXFR), "REFUSED", 7);
	assert_string_equal(ask(&r, "example.net", TYPE_A), "NEXT");
	rig_close(&r);
}

static void only_names_that_do_not_exist_fall_through(void **state)
{
	struct rig r;

	(void)state;
	assert_int_equal(open_example(&r, " example.org {\n fallthrough wild.example.org\n }"), 0);
	assert_memory_equal(ask(&r, "none.example.org", TYPE_A), "NXDOMAIN", 8);
	assert_string_equal(ask(&r, "x.ent.wild.example.org", TYPE_A), "NEXT");
	assert_memory_equal(ask(&r, "ent.wild.example.org", TYPE_A), "NOERROR", 7);
	rig_close(&r);
	assert_int_equal(open_example(&r, " example.org {\n fallthrough\n }"), 0);
	assert_string_equal(ask(&r, "none.example.org", TYPE_A), "NEXT");
	assert_memory_equal(ask(&r, "dangling.example.org", TYPE_A), "NXDOMAIN", 8);
	rig_close(&r);
}

static void an_alias_that_leaves_the_zone_is_completed_when_someone_can(void **state)
{
	static const char other[] =
	        " example.org\n file " SRCDIR "/tests/data/zones/net.zone example.net";
	struct rig r;
	const char *text;

	(void)state;
	assert_int_equal(open_example(&r, " example.org"), 0);
	text = ask(&r, "outside.example.org", TYPE_A);
	assert_memory_equal(text, "NOERROR aa", 10);
	assert_non_null(strstr(text, "outside.example.org. 300 IN CNAME www.example.net.\n"));
	r.chain.has_forwarder = true;
	assert_memory_equal(ask(&r, "outside.example.org", TYPE_A), "SERVFAIL", 8);
	rig_close(&r);
	assert_int_equal(open_example(&r, other), 0);
	text = ask(&r, "outside.example.org", TYPE_A);
	assert_non_null(strstr(text, "outside.example.org. 300 IN CNAME www.example.net.\n"
	                             "www.example.net. 30 IN A 198.51.100.80\n"));
	text = ask(&r, "gone.away.example.org", TYPE_A);
	assert_memory_equal(text, "NXDOMAIN", 8);
	assert_non_null(strstr(text, "gone.away.example.org. 300 IN CNAME gone.example.net.\n"));
	assert_memory_equal(ask(&r, "ring.away.example.org", TYPE_A), "SERVFAIL", 8);
	rig_close(&r);
}

static void ds_of_a_zone_is_asked_of_its_parent(void **state)
{
	static const char child[] =
	        " example.org\n file " SRCDIR "/tests/data/zones/net.zone child.example.org";
	struct rig r;

	(void)state;
	assert_int_equal(open_example(&r, child), 0);
	assert_non_null(strstr(ask(&r, "child.example.org", TYPE_DS), " IN DS 12345 13 2 "));
	assert_non_null(strstr(ask(&r, "child.example.org", TYPE_SOA), " IN SOA "));
	rig_close(&r);
}

static void a_bad_file_changes_nothing_and_a_new_serial_is_taken(void **state)
{
	char path[] = "/tmp/seamark-zone-XXXXXX";
	int fd = mkstemp(path);
	struct rig r;
	struct file_zone *z;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, SOA "www 60 A 192.0.2.1\n");
	assert_int_equal(open_with(&r, " example.org", path), 0);
	z = ((struct file_instance *)r.setup.instance)->zones.at[0];
	assert_int_equal(z->reload_ms, 60000);
	write_file(path, SOA "www 60 A 192.0.2.2\n");
	file_zone_reload(z);
	assert_non_null(strstr(ask(&r, "www.example.org", TYPE_A), "192.0.2.1\n"));
	z->by_mtime = true;
	file_zone_reload(z);
	assert_non_null(strstr(ask(&r, "www.example.org", TYPE_A), "192.0.2.2\n"));
	z->by_mtime = false;
	write_file(path, "@ 60 SOA ns h 2 2 3 4 5\nwww 60 B 192.0.2.1\n");
	file_zone_reload(z);
	assert_non_null(strstr(ask(&r, "www.example.org", TYPE_A), "192.0.2.2\n"));
	write_file(path, "@ 60 SOA ns h 2 2 3 4 5\nwww 60 A 192.0.2.3\n");
	file_zone_reload(z);
	assert_non_null(strstr(ask(&r, "www.example.org", TYPE_A), "192.0.2.3\n"));
	assert_int_equal(unlink(path), 0);
	file_zone_reload(z);
	assert_non_null(strstr(ask(&r, "www.example.org", TYPE_A), "192.0.2.3\n"));
	rcu_reclaim();
	rig_close(&r);
}

static void a_missing_file_gives_servfail_until_it_comes(void **state)
{
	char path[] = "/tmp/seamark-zone-XXXXXX";
	int fd = mkstemp(path);
	struct rig r;

	(void)state;
	close(fd);
	unlink(path);
	assert_int_equal(open_with(&r, " example.org", path), 0);
	assert_false(file_plugin.ready(r.setup.instance));
	assert_memory_equal(ask(&r, "www.example.org", TYPE_A), "SERVFAIL", 8);
	write_file(path, SOA "www 60 A 192.0.2.1\n");
	file_zone_reload(((struct file_instance *)r.setup.instance)->zones.at[0]);
	assert_true(file_plugin.ready(r.setup.instance));
	assert_memory_equal(ask(&r, "www.example.org", TYPE_A), "NOERROR", 7);
	unlink(path);
	rig_close(&r);
	assert_int_not_equal(open_with(&r, " example.org {\n reload 0\n }", path), 0);
	assert_non_null(strstr(r.err.text, "Corefile:2 - plugin/file: /tmp/seamark-zone-"));
	rig_close(&r);
}

static void configuration_errors_say_where(void **state)
{
	static const struct {
		const char *rest, *error;
	} rows[] = {
	        {" example.net", "example.zone:"},
	        {" example.org {\n reload soon\n }", "Corefile:3 - plugin/file: "},
	        {" example.org {\n frobnicate\n }", "Corefile:3 - plugin/file: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig r;

		assert_int_not_equal(open_example(&r, rows[i].rest), 0);
		if (strstr(r.err.text, rows[i].error) == NULL)
			fail_msg("%s", r.err.text);
		rig_close(&r);
	}
}

static void the_shipped_zones_answer_for_names_that_must_not_leave(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		const char *answer;
	} rows[] = {
	        {"localhost", TYPE_A, "NOERROR aa\nlocalhost. 10800 IN A 127.0.0.1\n--\n--\n"},
	        {"a.localhost", TYPE_AAAA, "NOERROR aa\na.localhost. 10800 IN AAAA ::1\n--\n--\n"},
	        {"1.0.0.127.in-addr.arpa", TYPE_PTR,
	                "NOERROR aa\n1.0.0.127.in-addr.arpa. 10800 IN PTR localhost.\n--\n--\n"},
	        {"2.0.0.127.in-addr.arpa", TYPE_PTR, "NXDOMAIN aa\n--\n127.in-addr.arpa. 10800"},
	        {"1.2.3.10.in-addr.arpa", TYPE_PTR, "NXDOMAIN aa\n--\n10.in-addr.arpa. 10800"},
	        {"1.0.31.172.in-addr.arpa", TYPE_PTR, "NXDOMAIN aa\n--\n31.172.in-addr.arpa. 10"},
	        {"1.0.32.172.in-addr.arpa", TYPE_PTR, "NEXT"},
	        {"1.0.127.100.in-addr.arpa", TYPE_PTR, "NXDOMAIN aa\n--\n127.100.in-addr.arpa. 1"},
	        {"1.0.128.100.in-addr.arpa", TYPE_PTR, "NEXT"},
	        {"1.2.0.192.in-addr.arpa", TYPE_PTR, "NXDOMAIN aa\n--\n2.0.192.in-addr.arpa. 10"},
	        {"255.255.255.255.in-addr.arpa", TYPE_PTR, "NOERROR aa\n--\n255.255.255.255"},
	        {"8.8.8.8.in-addr.arpa", TYPE_PTR, "NEXT"},
	        {"b.e.f.ip6.arpa", TYPE_NS, "NOERROR aa\nb.e.f.ip6.arpa. 10800 IN NS b.e.f.ip6"},
	        {"1.0.0.0.d.f.ip6.arpa", TYPE_PTR, "NXDOMAIN aa\n--\nd.f.ip6.arpa. 10800 IN"},
	        {"1.0.0.0.c.f.ip6.arpa", TYPE_PTR, "NEXT"},
	        {"_dns.resolver.arpa", 64, "NXDOMAIN aa\n--\nresolver.arpa. 10800 IN SOA"},
	        {"x.onion", TYPE_A, "NXDOMAIN aa\n--\nonion. 10800 IN SOA onion. nobody.invalid. "},
	        {"www.example.org", TYPE_A, "NEXT"},
	        {"arpa", TYPE_NS, "NEXT"},
	};
	struct rig r;

	(void)state;
	if (rig_open(&r, &file_plugin,
	            "import " SRCDIR "/zones/rfc6303.conf\n.:53 {\n    import rfc6303\n}\n") != 0)
		fail_msg("%s", r.err.text);
	assert_int_equal(
	        ((struct file_instance *)r.setup.instance)->zones.len, 1 + 2 + 13 + 19 + 64 + 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = ask(&r, rows[i].name, rows[i].type);

		if (strncmp(text, rows[i].answer, strlen(rows[i].answer)) != 0)
			fail_msg("%s: %s", rows[i].name, text);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_zone_is_served_with_authority),
	        cmocka_unit_test(only_names_that_do_not_exist_fall_through),
	        cmocka_unit_test(an_alias_that_leaves_the_zone_is_completed_when_someone_can),
	        cmocka_unit_test(ds_of_a_zone_is_asked_of_its_parent),
	        cmocka_unit_test(a_bad_file_changes_nothing_and_a_new_serial_is_taken),
	        cmocka_unit_test(a_missing_file_gives_servfail_until_it_comes),
	        cmocka_unit_test(configuration_errors_say_where),
	        cmocka_unit_test(the_shipped_zones_answer_for_names_that_must_not_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
