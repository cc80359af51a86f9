#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rcu.h"
#include "hosts/hosts.h"
#include "files.h"
#include "rig.h"

extern const struct plugin hosts_plugin;

#define HOSTS SRCDIR "/tests/data/hosts"

static void open_hosts(struct rig *r, const char *rest)
{
	struct buf text = {0};

	buf_printf(&text, ".:53 {\n    hosts %s\n}\n", rest);
	if (rig_open(r, &hosts_plugin, buf_text(&text)) != 0)
		fail_msg("%s", r->err.text);
	buf_free(&text);
}

static const char *ask(struct rig *r, const char *name, uint16_t type)
{
	struct query *q = rig_query(r, &(struct rig_ask){.name = name, .type = type});
	enum verdict v = rig_down(r, q);
	const char *text = v == NEXT ? "NEXT" : rig_answer(r, q);

	query_release(q);
	return text;
}

struct row {
	const char *name;
	uint16_t type;
	const char *answer;
};

static void check(struct rig *r, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *answer = ask(r, rows[i].name, rows[i].type);

		if (strcmp(answer, rows[i].answer) != 0)
			fail_msg("%s %u: %s", rows[i].name, rows[i].type, answer);
	}
}

#define EMPTY "NOERROR aa\n--\n--\n"

static void addresses_names_and_wildcards_are_answered(void **state)
{
	static const struct row rows[] = {
	        {"localhost", TYPE_A, "NOERROR aa\nlocalhost. 3600 IN A 127.0.0.1\n--\n--\n"},
	        {"LocalHost", TYPE_AAAA, "NOERROR aa\nLocalHost. 3600 IN AAAA ::1\n--\n--\n"},
	        {"two.example.org", TYPE_A,
	                "NOERROR aa\ntwo.example.org. 3600 IN A 192.0.2.2\n"
	                "two.example.org. 3600 IN A 192.0.2.22\n--\n--\n"},
	        {"two.example.org", TYPE_AAAA, EMPTY},
	        {"two.example.org", TYPE_MX, EMPTY},
	        {"mapped.example.org", TYPE_A,
	                "NOERROR aa\nmapped.example.org. 3600 IN A 192.0.2.3\n--\n--\n"},
	        {"linklocal.example.org", TYPE_AAAA,
	                "NOERROR aa\nlinklocal.example.org. 3600 IN AAAA fe80::1\n--\n--\n"},
	        {"any.wild.example.org", TYPE_A,
	                "NOERROR aa\nany.wild.example.org. 3600 IN A 192.0.2.4\n--\n--\n"},
	        /* a wildcard is for one label, as in CoreDNS */
	        {"a.b.wild.example.org", TYPE_A, "SERVFAIL\n--\n--\n"},
	        {"known.wild.example.org", TYPE_A,
	                "NOERROR aa\nknown.wild.example.org. 3600 IN A 192.0.2.5\n--\n--\n"},
	        {"wild.example.org", TYPE_A, "SERVFAIL\n--\n--\n"},
	        {"nobody.example.org", TYPE_A, "SERVFAIL\n--\n--\n"},
	        {"2.2.0.192.in-addr.arpa", TYPE_PTR,
	                "NOERROR aa\n2.2.0.192.in-addr.arpa. 3600 IN PTR two.example.org.\n"
	                "2.2.0.192.in-addr.arpa. 3600 IN PTR zwei.example.org.\n--\n--\n"},
	        {"3.2.0.192.in-addr.arpa", TYPE_PTR,
	                "NOERROR aa\n3.2.0.192.in-addr.arpa. 3600 IN PTR mapped.example.org.\n"
	                "--\n--\n"},
	        {"4.2.0.192.in-addr.arpa", TYPE_PTR, "NEXT"},
	        {"9.2.0.192.in-addr.arpa", TYPE_PTR, "NEXT"},
	        {"9.2.0.192.in-addr.arpa", TYPE_A, "SERVFAIL\n--\n--\n"},
	        {"two.example.org", TYPE_PTR, "NEXT"},
	        {"bad.example.org", TYPE_A, "SERVFAIL\n--\n--\n"},
	};
	struct rig r;

	(void)state;
	open_hosts(&r, HOSTS);
	check(&r, rows, sizeof(rows) / sizeof(rows[0]));
	rig_close(&r);
}

static void inline_entries_stand_beside_those_of_the_file(void **state)
{
	static const struct row rows[] = {
	        {"two.example.org", TYPE_A,
	                "NOERROR aa\ntwo.example.org. 60 IN A 192.0.2.2\n"
	                "two.example.org. 60 IN A 192.0.2.22\n"
	                "two.example.org. 60 IN A 198.51.100.2\n--\n--\n"},
	        {"localhost", TYPE_A, "NOERROR aa\nlocalhost. 60 IN A 127.0.0.1\n--\n--\n"},
	        {"localhost", TYPE_AAAA,
	                "NOERROR aa\nlocalhost. 60 IN AAAA ::1\n"
	                "localhost. 60 IN AAAA 2001:db8::3\n--\n--\n"},
	        {"new.example.org", TYPE_AAAA,
	                "NOERROR aa\nnew.example.org. 60 IN AAAA 2001:db8::2\n--\n--\n"},
	        {"zwei.example.org", TYPE_A,
	                "NOERROR aa\nzwei.example.org. 60 IN A 192.0.2.2\n--\n--\n"},
	        {"2.2.0.192.in-addr.arpa", TYPE_PTR, "NEXT"},
	        {"nobody.example.org", TYPE_A, "NEXT"},
	        {"nobody.example.org", TYPE_MX, "NEXT"},
	};
	struct rig r;

	(void)state;
	open_hosts(&r, HOSTS " {\n198.51.100.2 two.example.org # of the Corefile\n"
	                     "2001:db8::2 new.example.org\n2001:db8::3 localhost\nttl 60\nno_reverse\nfallthrough\n}");
	check(&r, rows, sizeof(rows) / sizeof(rows[0]));
	rig_close(&r);
}

static void zones_limit_what_is_answered_but_not_ptr(void **state)
{
	static const struct row rows[] = {
	        {"localhost", TYPE_A, "NEXT"},
	        {"known.wild.example.org", TYPE_A,
	                "NOERROR aa\nknown.wild.example.org. 3600 IN A 192.0.2.5\n--\n--\n"},
	        {"5.2.0.192.in-addr.arpa", TYPE_PTR,
	                "NOERROR aa\n5.2.0.192.in-addr.arpa. 3600 IN PTR known.wild.example.org.\n"
	                "--\n--\n"},
	        {"1.0.0.127.in-addr.arpa", TYPE_PTR, "NEXT"},
	        {"known.wild.example.org", TYPE_MX, "NEXT"},
	        {"x.wild.example.org", TYPE_AAAA, EMPTY},
	};
	struct rig r;

	(void)state;
	open_hosts(&r, HOSTS " wild.example.org {\nfallthrough\nfallthrough_unsupported\n}");
	check(&r, rows, sizeof(rows) / sizeof(rows[0]));
	rig_close(&r);
}

static void fallthrough_can_be_limited_to_zones(void **state)
{
	static const struct row rows[] = {
	        {"nobody.example.org", TYPE_A, "NEXT"},
	        {"nobody.example.net", TYPE_A, "SERVFAIL\n--\n--\n"},
	};
	struct rig r;

	(void)state;
	open_hosts(&r, HOSTS " {\nfallthrough example.org\n}");
	check(&r, rows, sizeof(rows) / sizeof(rows[0]));
	rig_close(&r);
}

static void a_changed_file_is_taken_and_a_lost_one_forgotten_not(void **state)
{
	char path[] = "/tmp/seamark-hosts-XXXXXX";
	int fd = mkstemp(path);
	struct hosts *h;
	struct rig r;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "192.0.2.1 a.example\n");
	open_hosts(&r, path);
	h = r.setup.instance;
	assert_int_equal(h->reload_ms, 5000);
	assert_int_equal(h->records, 1);
	write_file(path, "192.0.2.2 a.example b.example\n");
	hosts_load(h);
	assert_int_equal(h->records, 2);
	assert_non_null(strstr(ask(&r, "a.example", TYPE_A), "192.0.2.2\n"));
	unlink(path);
	hosts_load(h);
	assert_non_null(strstr(ask(&r, "a.example", TYPE_A), "192.0.2.2\n"));
	rcu_reclaim();
	rig_close(&r);
	open_hosts(&r, path); /* a missing file stops nothing */
	rig_close(&r);
}

static void bad_options_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *rest, *error;
	} rows[] = {
	        {"{\nfallthrough\n10.0.0.1 late.example\n}", "unknown property '10.0.0.1'"},
	        {"{\nttl 0\n}", "Corefile:3 - plugin/hosts: "},
	        {"{\nttl 65536\n}", "Corefile:3 - plugin/hosts: "},
	        {"{\nfrobnicate\n}", "'frobnicate' is neither an option nor ADDRESS NAME..."},
	        {"{\n10.0.0.1\n}", "'10.0.0.1' is neither an option nor ADDRESS NAME..."},
	        {"{\nfallthrough_unsupported\n}", "'fallthrough_unsupported' needs 'fallthrough'"},
	        {"{\nfallthrough\nfallthrough_unsupported a.example\n}",
	                "wrong number of arguments"},
	        {"\nhosts", "this plugin can only be used once per Server Block"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf text = {0};
		struct rig r;

		buf_printf(&text, ".:53 {\n    hosts %s\n}\n", rows[i].rest);
		assert_int_not_equal(rig_open(&r, &hosts_plugin, buf_text(&text)), 0);
		if (strstr(r.err.text, rows[i].error) == NULL)
			fail_msg("%s", r.err.text);
		rig_close(&r);
		buf_free(&text);
	}
}

static void a_list_of_many_names_with_one_address_stays_cheap(void **state)
{
	struct zone_list all = {0};
	struct hosts_rules rules = {&all, 3600, false};
	struct buf text = {0};
	struct hosts_table *t;
	struct hosts_odd odd;
	struct name n;

	(void)state;
	vec_push(&all.zones, (struct name){.len = 1});
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "0.0.0.0 ad%d.example\n10.%d.%d.1 many.example\nbad line\n", i,
		        i >> 8 & 255, i & 255);
	t = hosts_table_new(&rules, (struct str){0}, (struct str){text.at, text.len}, &odd);
	assert_int_equal(odd.lines, 20000);
	assert_int_equal(odd.first_line, 3);
	assert_int_equal(hosts_table_records(t), 20000 + HOSTS_ADDRESSES_MAX);
	name_from_text(&n, STR("0.0.0.0.in-addr.arpa"), NULL);
	assert_int_equal(hosts_table_find(t, n.wire)->ptr->count, HOSTS_NAMES_MAX);
	name_from_text(&n, STR("ad19999.example"), NULL);
	assert_int_equal(hosts_table_find(t, n.wire)->a->count, 1);
	hosts_table_free(t);
	zone_list_free(&all);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(addresses_names_and_wildcards_are_answered),
	        cmocka_unit_test(inline_entries_stand_beside_those_of_the_file),
	        cmocka_unit_test(zones_limit_what_is_answered_but_not_ptr),
	        cmocka_unit_test(fallthrough_can_be_limited_to_zones),
	        cmocka_unit_test(a_changed_file_is_taken_and_a_lost_one_forgotten_not),
	        cmocka_unit_test(bad_options_are_refused_with_their_place),
	        cmocka_unit_test(a_list_of_many_names_with_one_address_stays_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
