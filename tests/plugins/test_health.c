#include "rig.h"

#include "admin/http.h"
#include "base/clock.h"
#include "base/log.h"
#include "admin/probe.h"
#include "core/metrics.h"
#include "test.h"

extern const struct plugin health_plugin;

/* In place of the HTTP server, the probe and the clock. */
static admin_handler_fn *handler;
static const char *address;
static probe_result_fn *result;
static void *result_arg;
static uint64_t now_ms;

struct admin_route *admin_route_add(
	const char *at, const char *path, admin_handler_fn *fn, void *arg, struct err *e)
{
	(void)arg;
	assert_string_equal(path, "/health");
	address = at;
	handler = fn;
	if (strcmp(at, "127.0.0.1:1") == 0) {
		err_set(e, -98, "cannot listen");
		return NULL;
	}
	return (struct admin_route *)&handler;
}

void admin_route_del(struct admin_route *r)
{
	(void)r;
}

struct probe *probe_start(struct uv_loop_s *loop, const char *at, const char *path,
	probe_result_fn *fn, void *arg)
{
	(void)loop;
	(void)at;
	assert_string_equal(path, "/health");
	result = fn;
	result_arg = arg;
	return NULL;
}

void probe_stop(struct probe *p)
{
	(void)p;
}

uint64_t clock_ms(void)
{
	return now_ms;
}

uint64_t clock_ns(void)
{
	return now_ms * 1000000;
}

uint64_t clock_wall_s(void)
{
	return 0;
}

static unsigned lines;
static char last_line[256];

static void keep_line(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	lines++;
	strncpy(last_line, text, sizeof(last_line) - 1);
}

static void open_health(struct rig *r, const char *text)
{
	assert_int_equal(rig_open(r, &health_plugin, text), 0);
	r->setup.loop = NULL;
	assert_int_equal(health_plugin.start(r->setup.instance, &r->err), 0);
	now_ms = 5000;
	lines = 0;
}

static void health_is_ok(void **state)
{
	struct admin_reply reply = {200, "", {0}};
	struct rig r;

	(void)state;
	open_health(&r, ". {\nhealth\n}");
	assert_string_equal(address, ":8080");
	handler(NULL, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(buf_text(&reply.body), "OK");
	buf_free(&reply.body);
	rig_close(&r);
}

static void a_shutdown_waits_for_the_lameduck(void **state)
{
	struct rig r;

	(void)state;
	open_health(&r, ". {\nhealth {\nlameduck 5s\n}\n}");
	assert_false(health_plugin.stop(r.setup.instance));
	assert_string_equal(last_line, "[INFO] plugin/health: Going into lameduck mode for 5s");
	now_ms += 4999;
	assert_false(health_plugin.stop(r.setup.instance));
	now_ms += 1;
	assert_true(health_plugin.stop(r.setup.instance));
	assert_int_equal(lines, 1);
	rig_close(&r);
	open_health(&r, ". {\nhealth\n}");
	assert_true(health_plugin.stop(r.setup.instance));
	rig_close(&r);
}

static void probes_are_observed_and_failures_counted(void **state)
{
	struct metrics *m = metrics_new();
	struct buf out = {0};
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &health_plugin, ". {\nhealth :8080\n}"), 0);
	health_plugin.teardown(r.setup.instance);
	r.setup.loop = (struct uv_loop_s *)&r;
	assert_int_equal(health_plugin.setup(&r.setup, &r.err), 0);
	assert_int_equal(health_plugin.start(r.setup.instance, &r.err), 0);
	lines = 0;
	result(result_arg, true, 200000);
	result(result_arg, true, 3000000);
	result(result_arg, false, 3000000000);
	result(result_arg, false, 3000000000);
	assert_int_equal(lines, 1);
	assert_string_equal(last_line, "[WARNING] plugin/health: Local health request to "
				       "\"http://:8080/health\" failed");
	health_plugin.metrics(r.setup.instance, m);
	metrics_finish(m, &out);
	assert_non_null(strstr(out.at, "duration_seconds_bucket{le=\"0.00025\"} 1\n"));
	assert_non_null(strstr(out.at, "duration_seconds_bucket{le=\"0.025\"} 2\n"));
	assert_non_null(strstr(out.at, "duration_seconds_sum 0.0032\n"));
	assert_non_null(strstr(out.at, "coredns_health_request_failures_total 2\n"));
	buf_free(&out);
	rig_close(&r);
}

static void a_port_that_cannot_be_had_fails_the_start(void **state)
{
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &health_plugin, ". {\nhealth 127.0.0.1:1\n}"), 0);
	assert_true(health_plugin.start(r.setup.instance, &r.err) < 0);
	assert_string_equal(r.err.text, "plugin/health: cannot listen");
	rig_close(&r);
}

static void mistakes_are_refused(void **state)
{
	static const char *const rows[] = {
		"{\nlameduck\n}", "{\nlameduck 5\n}", "{\nlameduck -1s\n}", "x:y", "{\nduck 1s\n}"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses_args(&health_plugin, rows[i], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_is_ok),
		cmocka_unit_test(a_shutdown_waits_for_the_lameduck),
		cmocka_unit_test(probes_are_observed_and_failures_counted),
		cmocka_unit_test(a_port_that_cannot_be_had_fails_the_start),
		cmocka_unit_test(mistakes_are_refused),
	};

	log_set_sink(keep_line, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
