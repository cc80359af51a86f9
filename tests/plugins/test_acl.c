#include "core/metrics.h"
#include "rig.h"
#include "test.h"

extern const struct plugin acl_plugin;

struct row {
	const char *rules, *name;
	uint16_t type;
	const char *client;
	enum verdict verdict;
	const char *answer; /* of DONE */
};

#define BLOCKED "REFUSED\n--\n--\n"
#define EMPTY "NOERROR\n--\n--\n"

static const struct row rows[] = {
	{"block", "a.", TYPE_A, "10.0.0.1:1", DONE, BLOCKED},
	{"filter", "a.", TYPE_A, "10.0.0.1:1", DONE, EMPTY},
	{"drop", "a.", TYPE_A, "10.0.0.1:1", DROP, NULL},
	{"allow", "a.", TYPE_A, "10.0.0.1:1", NEXT, NULL},
	{"", "a.", TYPE_A, "10.0.0.1:1", NEXT, NULL},
	{"BLOCK NET *", "a.", TYPE_A, "10.0.0.1:1", DONE, BLOCKED},
	/* the first rule that fits decides */
	{"allow net 10.0.0.0/8\nblock", "a.", TYPE_A, "10.9.9.9:1", NEXT, NULL},
	{"allow net 10.0.0.0/8\nblock", "a.", TYPE_A, "11.0.0.1:1", DONE, BLOCKED},
	{"allow net 10.0.0.0/8\nblock", "a.", TYPE_A, "[2001:db8::1]:1", DONE, BLOCKED},
	{"block net 2001:db8::/32", "a.", TYPE_A, "[2001:db8::1]:1", DONE, BLOCKED},
	{"block net 2001:db8::/32", "a.", TYPE_A, "10.0.0.1:1", NEXT, NULL},
	{"block net 192.0.2.1", "a.", TYPE_A, "192.0.2.1:1", DONE, BLOCKED},
	{"block net 192.0.2.1", "a.", TYPE_A, "192.0.2.2:1", NEXT, NULL},
	{"block net 192.0.2.1 *", "a.", TYPE_A, "192.0.2.2:1", DONE, BLOCKED},
	/* types, and both together */
	{"filter type AAAA MX", "a.", TYPE_MX, "10.0.0.1:1", DONE, EMPTY},
	{"filter type AAAA MX", "a.", TYPE_A, "10.0.0.1:1", NEXT, NULL},
	{"filter type *", "a.", TYPE_A, "10.0.0.1:1", DONE, EMPTY},
	{"filter type ANY", "a.", TYPE_A, "10.0.0.1:1", NEXT, NULL},
	{"filter type ANY", "a.", TYPE_ANY, "10.0.0.1:1", DONE, EMPTY},
	{"filter type TYPE65", "a.", TYPE_HTTPS, "10.0.0.1:1", DONE, EMPTY},
	{"block type A net 10.0.0.0/8", "a.", TYPE_A, "10.0.0.1:1", DONE, BLOCKED},
	{"block type A net 10.0.0.0/8", "a.", TYPE_MX, "10.0.0.1:1", NEXT, NULL},
	{"block type A net 10.0.0.0/8", "a.", TYPE_A, "11.0.0.1:1", NEXT, NULL},
	{"block net 10.0.0.0/8 type A", "a.", TYPE_A, "11.0.0.1:1", NEXT, NULL},
};

static void the_first_rule_that_fits_decides(void **state)
{
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct rig_ask ask = {.name = row->name, .type = row->type, .client = row->client};
		struct query *q;
		struct rig r;

		snprintf(text, sizeof(text), ". {\nacl {\n%s\n}\n}", row->rules);
		assert_int_equal(rig_open(&r, &acl_plugin, text), 0);
		q = rig_query(&r, &ask);
		assert_int_equal(rig_down(&r, q), row->verdict);
		if (row->answer != NULL)
			assert_string_equal(rig_answer(&r, q), row->answer);
		query_release(q);
		rig_close(&r);
	}
}

static void rules_hold_for_their_zones_and_all_policies_must_allow(void **state)
{
	static const struct {
		const char *name;
		enum verdict verdict;
	} asks[] = {{"a.b.example.", DONE}, {"b.example.", DONE}, {"c.example.", DROP},
		{"example.", DROP}, {"org.", NEXT}};
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &acl_plugin,
				 ". {\nacl B.Example {\nblock\n}\nacl example {\ndrop\n}\n}"),
		0);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		struct query *q =
			rig_query(&r, &(struct rig_ask){.name = asks[i].name, .type = TYPE_A});

		assert_int_equal(rig_down(&r, q), asks[i].verdict);
		query_release(q);
	}
	rig_close(&r);
}

static void what_happened_is_counted(void **state)
{
	static const char *const clients[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};
	struct metrics *m = metrics_new();
	struct buf text = {0};
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &acl_plugin,
				 ". {\nacl example {\nblock net 10.0.0.1\nfilter net 10.0.0.2\n"
				 "}\n}"),
		0);
	for (size_t i = 0; i < 3; i++) {
		struct query *q = rig_query(&r, &(struct rig_ask){.name = "a.example.",
							.type = TYPE_A, .client = clients[i]});

		rig_down(&r, q);
		assert_int_equal(q->answer.ede, i == 0 ? 15 : i == 1 ? 17 : EDE_NONE);
		query_release(q);
	}
	acl_plugin.metrics(r.setup.instance, m);
	metrics_finish(m, &text);
	assert_non_null(strstr(text.at, "coredns_acl_allowed_requests_total{server="));
	assert_non_null(strstr(text.at, "\"example.\",view=\"\"} 1\n"));
	assert_non_null(strstr(text.at, "coredns_acl_dropped_requests_total{"));
	buf_free(&text);
	rig_close(&r);
}

static void bad_rules_are_refused(void **state)
{
	static const struct {
		const char *rule, *error;
	} bad[] = {
		{"deny", "unknown action 'deny', expected allow, block, filter or drop"},
		{"block from 10.0.0.0/8", "unexpected 'from', expected type or net"},
		{"block type", "'type' has no value"},
		{"block net type A", "'net' has no value"},
		{"block type NOPE", "unknown record type 'NOPE'"},
		{"block net 10.0.0.0/33", "10.0.0.0/33"},
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rig r;

		snprintf(text, sizeof(text), ". {\nacl {\n%s\n}\n}", bad[i].rule);
		assert_int_equal(rig_open(&r, &acl_plugin, text), -22);
		assert_non_null(strstr(r.err.text, "Corefile:3 - plugin/acl: "));
		assert_non_null(strstr(r.err.text, bad[i].error));
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_rule_that_fits_decides),
		cmocka_unit_test(rules_hold_for_their_zones_and_all_policies_must_allow),
		cmocka_unit_test(what_happened_is_counted),
		cmocka_unit_test(bad_rules_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
