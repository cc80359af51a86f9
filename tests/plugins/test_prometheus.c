#include "rig.h"

#include <stdio.h>

#include "admin/http.h"
#include "core/control.h"
#include "core/metrics.h"
#include "core/shared.h"
#include "test.h"

extern const struct plugin prometheus_plugin;

/* In place of the HTTP server and the control thread. */
static const char *added_address;

struct admin_route *admin_route_add(
	const char *address, const char *path, admin_handler_fn *fn, void *arg, struct err *e)
{
	(void)fn;
	(void)arg;
	(void)e;
	assert_string_equal(path, "/metrics");
	added_address = address;
	return (struct admin_route *)&added_address;
}

void admin_route_del(struct admin_route *r)
{
	(void)r;
}

void control_metrics(struct control *c, struct metrics *m)
{
	(void)c;
	(void)m;
}

static void start(struct rig *r)
{
	assert_int_equal(prometheus_plugin.start(r->setup.instance, &r->err), 0);
}

static void count(struct rig *r, const struct rig_ask *ask, uint16_t rcode)
{
	struct query *q = rig_query(r, ask);

	q->answer.rcode = rcode;
	rig_up(r, q, "x");
	query_release(q);
}

static const char *report(struct rig *r)
{
	struct metrics *m = metrics_new();

	prometheus_plugin.metrics(r->setup.instance, m);
	buf_clear(&r->text);
	metrics_finish(m, &r->text);
	return buf_text(&r->text);
}

static void assert_line(const char *text, const char *line)
{
	if (strstr(text, line) == NULL)
		fail_msg("no line '%s' in:\n%s", line, text);
}

static void questions_are_counted_under_the_labels_of_coredns(void **state)
{
	struct rig_ask a = {.name = "a.", .type = TYPE_A};
	struct rig_ask srv = {.name = "a.", .type = TYPE_SRV, .client = "[::1]:5", .transport = 1};
	struct rig_ask odd = {.name = "a.", .type = 65400, .udp_size = 1232, .wants_dnssec = true};
	const char *text;
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &prometheus_plugin, ". {\nprometheus :9999\n}"), 0);
	start(&r);
	assert_string_equal(added_address, ":9999");
	count(&r, &a, RCODE_NOERROR);
	count(&r, &a, RCODE_NXDOMAIN);
	count(&r, &srv, RCODE_NOERROR);
	count(&r, &odd, RCODE_SERVFAIL);
	text = report(&r);
	assert_line(text, "coredns_dns_requests_total{family=\"1\",proto=\"udp\","
			  "server=\"dns://:53\",type=\"A\",view=\"\",zone=\".\"} 2\n");
	assert_line(text, "coredns_dns_requests_total{family=\"2\",proto=\"tcp\","
			  "server=\"dns://:53\",type=\"SRV\",view=\"\",zone=\".\"} 1\n");
	assert_line(text, "type=\"other\",view=\"\",zone=\".\"} 1\n");
	assert_line(text, "coredns_dns_responses_total{plugin=\"\",rcode=\"NOERROR\","
			  "server=\"dns://:53\",view=\"\",zone=\".\"} 2\n");
	assert_line(text, "rcode=\"NXDOMAIN\",server=\"dns://:53\",view=\"\",zone=\".\"} 1\n");
	assert_line(text, "rcode=\"SERVFAIL\",");
	assert_line(text, "coredns_dns_do_requests_total{server=\"dns://:53\",view=\"\","
			  "zone=\".\"} 1\n");
	assert_line(text, "coredns_dns_request_size_bytes_count{proto=\"udp\","
			  "server=\"dns://:53\",view=\"\",zone=\".\"} 3\n");
	assert_line(text, "coredns_dns_request_size_bytes_sum{proto=\"udp\","
			  "server=\"dns://:53\",view=\"\",zone=\".\"} 68\n");
	assert_line(text, "coredns_plugin_enabled{name=\"prometheus\",server=\"dns://:53\","
			  "view=\"\",zone=\".\"} 1\n");
	assert_line(text, "coredns_panics_total 0\n");
	assert_line(text, "coredns_build_info{goversion=\"\",revision=\"\",version=\"");
	rig_close(&r);
}

/* Answers of every size up to 65535 octets must fall into the bucket that their size says. */
static void sizes_fall_into_their_buckets(void **state)
{
	static const unsigned bounds[] = {
		0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000};
	static const char labels[] = "proto=\"udp\",server=\"dns://:53\",view=\"\",zone=\".\"";
	struct query *q;
	char line[200];
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &prometheus_plugin, ". {\nprometheus\n}"), 0);
	start(&r);
	q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	for (size_t n = 0; n < 65536; n++) {
		q->wire_len = n;
		rig_up(&r, q, "x");
	}
	report(&r);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		snprintf(line, sizeof(line), "request_size_bytes_bucket{%s,le=\"%u\"} %u\n", labels,
			bounds[i], bounds[i] + 1);
		assert_line(r.text.at, line);
	}
	query_release(q);
	rig_close(&r);
}

static void time_spent_waiting_is_observed(void **state)
{
	static const char labels[] = "server=\"dns://:53\",view=\"\",zone=\".\"";
	struct rig_ask ask = {.name = "a.", .type = TYPE_A};
	struct query *q;
	char line[200];
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &prometheus_plugin, ". {\nprometheus\n}"), 0);
	start(&r);
	assert_string_equal(added_address, "localhost:9153");
	count(&r, &ask, 0);
	q = rig_query(&r, &ask);
	r.worker.now_ns += 250000001;
	rig_up(&r, q, "forward");
	query_release(q);
	report(&r);
	snprintf(line, sizeof(line), "duration_seconds_bucket{%s,le=\"0.00025\"} 1\n", labels);
	assert_line(r.text.at, line);
	snprintf(line, sizeof(line), "duration_seconds_bucket{%s,le=\"0.128\"} 1\n", labels);
	assert_line(r.text.at, line);
	snprintf(line, sizeof(line), "duration_seconds_bucket{%s,le=\"0.256\"} 2\n", labels);
	assert_line(r.text.at, line);
	snprintf(line, sizeof(line), "duration_seconds_count{%s} 2\n", labels);
	assert_line(r.text.at, line);
	assert_line(r.text.at, "} 0.250000001\n");
	rig_close(&r);
}

static void questions_of_plugins_are_not_counted(void **state)
{
	struct rig r;
	struct query *q;

	(void)state;
	assert_int_equal(rig_open(&r, &prometheus_plugin, ". {\nprometheus\n}"), 0);
	start(&r);
	q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	q->is_internal = true;
	rig_up(&r, q, "x");
	query_release(q);
	assert_null(strstr(report(&r), "coredns_dns_"));
	rig_close(&r);
}

static void counters_outlive_a_reload_that_changes_nothing(void **state)
{
	struct rig_ask ask = {.name = "a.", .type = TYPE_A};
	struct shared *shared = shared_new();
	struct prometheus *old, *new;
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &prometheus_plugin, ". {\nprometheus\n}"), 0);
	prometheus_plugin.teardown(r.setup.instance);
	r.setup.shared = shared;
	assert_int_equal(prometheus_plugin.setup(&r.setup, &r.err), 0);
	old = r.setup.instance;
	start(&r);
	count(&r, &ask, 0);
	assert_int_equal(prometheus_plugin.setup(&r.setup, &r.err), 0);
	new = r.setup.instance;
	start(&r);
	count(&r, &ask, 0);
	prometheus_plugin.teardown(old);
	r.setup.instance = new;
	assert_line(report(&r), "type=\"A\",view=\"\",zone=\".\"} 2\n");
	rig_close(&r);
	shared_free(shared);
}

static void mistakes_are_refused(void **state)
{
	static const char *const rows[] = {":x", "example.org:1", "tls://:1", ":1 :2",
		"{\ntls a b\n}", "{\nwhat\n}"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses_args(&prometheus_plugin, rows[i], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_counted_under_the_labels_of_coredns),
		cmocka_unit_test(sizes_fall_into_their_buckets),
		cmocka_unit_test(time_spent_waiting_is_observed),
		cmocka_unit_test(questions_of_plugins_are_not_counted),
		cmocka_unit_test(counters_outlive_a_reload_that_changes_nothing),
		cmocka_unit_test(mistakes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
