/*
 * Requests to the API server, under the names that client-go's metrics have in CoreDNS.
 */
#include "kubernetes/kube.h"

#include <stdio.h>

#include "cluster/rest_stats.h"

static const struct metric_family requests = {
	"coredns_kubernetes_rest_client_requests_total",
	"Requests to the API server, by status of the answer.", METRIC_COUNTER};
static const struct metric_family durations = {
	"coredns_kubernetes_rest_client_request_duration_seconds",
	"Time from a request to the head of its answer.", METRIC_HISTOGRAM};
static const struct metric_family waits = {
	"coredns_kubernetes_rest_client_rate_limiter_duration_seconds",
	"Time that requests waited for a rate limiter: none does.", METRIC_HISTOGRAM};

static const double bounds[REST_BOUNDS_LEN] = REST_BOUNDS;

static void report_codes(struct metrics *m, const struct rest_stats *s, const char *host)
{
	struct buf labels = {0};
	char code[16];

	for (unsigned i = 0; i < REST_CODES; i++) {
		if (s->codes[i].n == 0)
			continue;
		snprintf(code, sizeof(code), "%u", s->codes[i].status);
		labels.len = 0;
		metrics_label(&labels, "code", s->codes[i].status == 0 ? "<error>" : code);
		metrics_label(&labels, "method", "GET");
		metrics_label(&labels, "host", host);
		metrics_sample(m, &requests, buf_text(&labels), (double)s->codes[i].n);
	}
	buf_free(&labels);
}

void kube_report_requests(struct metrics *m, const struct rest_stats *s, const char *host)
{
	uint64_t at_once[REST_BOUNDS_LEN + 1] = {rest_stats_total(s)};
	struct metric_histogram took = {
		bounds, REST_BOUNDS_LEN, s->durations, (double)s->duration_ms / 1000};
	struct metric_histogram waited = {bounds, REST_BOUNDS_LEN, at_once, 0};
	struct buf labels = {0};

	report_codes(m, s, host);
	metrics_label(&labels, "verb", "GET");
	metrics_label(&labels, "host", host);
	metrics_histogram(m, &durations, buf_text(&labels), &took);
	metrics_histogram(m, &waits, buf_text(&labels), &waited);
	buf_free(&labels);
}
