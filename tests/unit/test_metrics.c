#include "core/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/process.h"
#include "test.h"

static const struct metric_family requests = {
	"coredns_requests_total", "Requests, by \\ zone.\nAll.", METRIC_COUNTER};
static const struct metric_family entries = {"coredns_entries", "Entries.", METRIC_GAUGE};
static const struct metric_family seconds = {"coredns_seconds", "Seconds.", METRIC_HISTOGRAM};

static void families_are_grouped_however_samples_arrive(void **state)
{
	struct metrics *m = metrics_new();
	struct buf out = {0};

	(void)state;
	metrics_sample(m, &requests, "zone=\".\"", 1);
	metrics_sample(m, &entries, "", 7.5);
	metrics_sample(m, &requests, "zone=\"a.\"", 2);
	metrics_finish(m, &out);
	assert_string_equal(out.at,
		"# HELP coredns_requests_total Requests, by \\\\ zone.\\nAll.\n"
		"# TYPE coredns_requests_total counter\n"
		"coredns_requests_total{zone=\".\"} 1\n"
		"coredns_requests_total{zone=\"a.\"} 2\n"
		"# HELP coredns_entries Entries.\n"
		"# TYPE coredns_entries gauge\n"
		"coredns_entries 7.5\n");
	buf_free(&out);
}

static void equal_labels_make_one_line(void **state)
{
	struct metrics *m = metrics_new();
	struct buf out = {0};

	(void)state;
	for (int i = 1; i <= 3; i++) {
		metrics_sample(m, &requests, "a=\"b\"", i);
		metrics_sample(m, &entries, "", i);
	}
	metrics_finish(m, &out);
	assert_non_null(strstr(out.at, "coredns_requests_total{a=\"b\"} 6\n"));
	assert_non_null(strstr(out.at, "coredns_entries 3\n"));
	buf_free(&out);
}

static void histograms_are_cumulative_and_end_with_infinity(void **state)
{
	static const double bounds[] = {0.00025, 1, 16e3};
	static const uint64_t counts[] = {1, 2, 3, 4};
	const struct metric_histogram h = {bounds, 3, counts, 0.125};
	struct metrics *m = metrics_new();
	struct buf out = {0};

	(void)state;
	metrics_histogram(m, &seconds, "zone=\".\"", &h);
	metrics_histogram(m, &seconds, "", &h);
	metrics_histogram(m, &seconds, "", &h);
	metrics_finish(m, &out);
	assert_string_equal(out.at,
		"# HELP coredns_seconds Seconds.\n"
		"# TYPE coredns_seconds histogram\n"
		"coredns_seconds_bucket{zone=\".\",le=\"0.00025\"} 1\n"
		"coredns_seconds_bucket{zone=\".\",le=\"1\"} 3\n"
		"coredns_seconds_bucket{zone=\".\",le=\"16000\"} 6\n"
		"coredns_seconds_bucket{zone=\".\",le=\"+Inf\"} 10\n"
		"coredns_seconds_sum{zone=\".\"} 0.125\n"
		"coredns_seconds_count{zone=\".\"} 10\n"
		"coredns_seconds_bucket{le=\"0.00025\"} 2\n"
		"coredns_seconds_bucket{le=\"1\"} 6\n"
		"coredns_seconds_bucket{le=\"16000\"} 12\n"
		"coredns_seconds_bucket{le=\"+Inf\"} 20\n"
		"coredns_seconds_sum 0.25\n"
		"coredns_seconds_count 20\n");
	buf_free(&out);
}

static void label_values_are_escaped(void **state)
{
	struct buf b = {0};

	(void)state;
	metrics_label(&b, "server", "dns://:53");
	metrics_label(&b, "zone", "a\\b\"c\nd");
	assert_string_equal(b.at, "server=\"dns://:53\",zone=\"a\\\\b\\\"c\\nd\"");
	buf_clear(&b);
	metrics_label(&b, "view", "\xc3\xbc\xffz\xc3");
	assert_string_equal(b.at, "view=\"\xc3\xbc\xef\xbf\xbdz\xef\xbf\xbd\"");
	buf_free(&b);
}

static void numbers_read_back_as_they_were(void **state)
{
	static const double rows[] = {0, 1, -1, 0.1, 1.0 / 3, 1e100, 123456789012345678.0, 5e-324};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct metrics *m = metrics_new();
		struct buf out = {0};

		metrics_sample(m, &entries, "", rows[i]);
		metrics_finish(m, &out);
		assert_true(strtod(strrchr(out.at, ' '), NULL) == rows[i]);
		buf_free(&out);
	}
}

static void no_sample_gives_no_text(void **state)
{
	struct buf out = {0};

	(void)state;
	metrics_finish(metrics_new(), &out);
	assert_string_equal(buf_text(&out), "");
	buf_free(&out);
}

/* The figure behind name at the start of a line; -1 when it is not there. */
static double figure(const char *text, const char *name)
{
	char line[64];
	const char *at;

	snprintf(line, sizeof(line), "\n%s ", name);
	at = strstr(text, line);
	return at == NULL ? -1 : strtod(at + strlen(line), NULL);
}

static void the_process_tells_plausible_figures(void **state)
{
	struct metrics *m = metrics_new();
	struct buf out = {0};

	(void)state;
	process_metrics(m);
	metrics_finish(m, &out);
	assert_true(figure(out.at, "process_cpu_seconds_total") >= 0);
	assert_true(figure(out.at, "process_resident_memory_bytes") > 100000);
	assert_true(figure(out.at, "process_virtual_memory_bytes") >
		figure(out.at, "process_resident_memory_bytes"));
	assert_true(figure(out.at, "process_open_fds") >= 1);
	assert_true(figure(out.at, "process_max_fds") >= figure(out.at, "process_open_fds"));
	assert_true(figure(out.at, "process_start_time_seconds") > 1.6e9);
	assert_non_null(strstr(out.at, "\nseamark_build_info{version=\""));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_are_grouped_however_samples_arrive),
		cmocka_unit_test(equal_labels_make_one_line),
		cmocka_unit_test(histograms_are_cumulative_and_end_with_infinity),
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(numbers_read_back_as_they_were),
		cmocka_unit_test(no_sample_gives_no_text),
		cmocka_unit_test(the_process_tells_plausible_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
