#include "core/metrics.h"
#include "rig.h"
#include "test.h"

extern const struct plugin local_plugin;

#define LOOPBACK6 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."
#define SOA(zone) zone " 604800 IN SOA localhost. root.localhost. 1 0 0 0 604800\n"

static const struct {
	const char *name;
	uint16_t type;
	const char *answer; /* NULL: the next plugin is asked */
} rows[] = {
	{"localhost.", TYPE_A, "NOERROR aa\nlocalhost. 604800 IN A 127.0.0.1\n--\n--\n"},
	{"LocalHost.", TYPE_AAAA, "NOERROR aa\nLocalHost. 604800 IN AAAA ::1\n--\n--\n"},
	{"localhost.", TYPE_MX, "NOERROR aa\n--\n" SOA("localhost.") "--\n"},
	{"a.b.localhost.", TYPE_A, "NOERROR aa\na.b.localhost. 604800 IN A 127.0.0.1\n--\n--\n"},
	{"1.0.0.127.in-addr.arpa.", TYPE_PTR,
		"NOERROR aa\n1.0.0.127.in-addr.arpa. 604800 IN PTR localhost.\n--\n--\n"},
	{"2.0.0.127.in-addr.arpa.", TYPE_PTR,
		"NXDOMAIN aa\n--\n" SOA("127.in-addr.arpa.") "--\n"},
	{"0.127.in-addr.arpa.", TYPE_PTR, "NOERROR aa\n--\n" SOA("127.in-addr.arpa.") "--\n"},
	{"0.in-addr.arpa.", TYPE_PTR, "NOERROR aa\n--\n" SOA("0.in-addr.arpa.") "--\n"},
	{"255.255.255.255.in-addr.arpa.", TYPE_PTR,
		"NXDOMAIN aa\n--\n" SOA("255.in-addr.arpa.") "--\n"},
	{LOOPBACK6, TYPE_PTR, "NOERROR aa\n" LOOPBACK6 " 604800 IN PTR localhost.\n--\n--\n"},
	{"Localhost.example.", TYPE_A,
		"NOERROR aa\nLocalhost.example. 604800 IN A 127.0.0.1\n--\n--\n"},
	{"localhost.shop.svc.", TYPE_AAAA,
		"NOERROR aa\nlocalhost.shop.svc. 604800 IN AAAA ::1\n--\n--\n"},
	{"localhost.example.", TYPE_TXT, "NOERROR aa\n--\n" SOA("localhost.example.") "--\n"},
	{"localhosts.example.", TYPE_A, NULL},
	{"a.localhost.example.", TYPE_A, NULL},
	{"1.in-addr.arpa.", TYPE_PTR, NULL},
};

static void names_of_this_machine_stay_here(void **state)
{
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &local_plugin, ". {\nlocal\n}"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query *q = rig_query(
			&r, &(struct rig_ask){.name = rows[i].name, .type = rows[i].type});

		assert_int_equal(rig_down(&r, q), rows[i].answer == NULL ? NEXT : DONE);
		if (rows[i].answer != NULL)
			assert_string_equal(rig_answer(&r, q), rows[i].answer);
		query_release(q);
	}
	rig_close(&r);
}

static void localhost_of_a_domain_is_counted_and_can_be_left_alone(void **state)
{
	static const char *const texts[] = {"localhost_prefix on", "localhost_prefix off"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rig_ask ask = {.name = "localhost.example.", .type = TYPE_A};
		struct metrics *m = metrics_new();
		struct buf out = {0};
		struct query *q;
		char text[100];
		struct rig r;

		snprintf(text, sizeof(text), ". {\nlocal {\n%s\n}\n}", texts[i]);
		assert_int_equal(rig_open(&r, &local_plugin, text), 0);
		q = rig_query(&r, &ask);
		assert_int_equal(rig_down(&r, q), i == 0 ? DONE : NEXT);
		query_release(q);
		local_plugin.metrics(r.setup.instance, m);
		metrics_finish(m, &out);
		assert_non_null(strstr(out.at, i == 0 ? "_total 1\n" : "_total 0\n"));
		buf_free(&out);
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_this_machine_stay_here),
		cmocka_unit_test(localhost_of_a_domain_is_counted_and_can_be_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
