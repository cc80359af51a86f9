#include "core/worker_metrics.h"

#include <stdio.h>

#include "core/metrics.h"
#include "core/worker.h"

static const struct metric_family send_errors = {
        "seamark_udp_send_errors_total", "Answers that the kernel did not take.", METRIC_COUNTER};
static const struct metric_family streams = {"seamark_tcp_connections_total",
        "TCP connections of clients; evicted: for a newcomer, timeout: by a deadline, "
        "bad: not DNS.",
        METRIC_COUNTER};
static const struct metric_family stream_messages = {
        "seamark_tcp_messages_total", "Messages received over TCP.", METRIC_COUNTER};

static const struct metric_family tls_handshakes = {"seamark_tls_handshakes_total",
        "TLS handshakes with clients: completed with certificates (full), with a ticket "
        "(resumed), or broken off (failed).",
        METRIC_COUNTER};

static const struct metric_family tls_failures = {"seamark_tls_failures_total",
        "TLS handshakes and sessions with clients that failed, by reason.", METRIC_COUNTER};

static double count_of(const uint64_t *counter)
{
	return (double)__atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void failure_metrics(const struct stream_counters *s, struct metrics *m)
{
	char label[32];

	for (unsigned i = TLS_FAULT_NONE + 1; i < TLS_FAULTS; i++) {
		snprintf(label, sizeof(label), "reason=\"%s\"", tls_fault_text(i));
		metrics_sample(m, &tls_failures, label, count_of(&s->tls_faults[i]));
	}
}

void worker_metrics(const struct worker *w, struct metrics *m)
{
	const struct stream_counters *s = &w->streams;

	metrics_sample(m, &send_errors, "", count_of(&w->udp_send_errors));
	metrics_sample(m, &streams, "event=\"accepted\"", count_of(&s->accepted));
	metrics_sample(m, &streams, "event=\"closed\"", count_of(&s->closed));
	metrics_sample(m, &streams, "event=\"refused\"", count_of(&s->refused));
	metrics_sample(m, &streams, "event=\"evicted\"", count_of(&s->evicted));
	metrics_sample(m, &streams, "event=\"timeout\"", count_of(&s->timeouts));
	metrics_sample(m, &streams, "event=\"bad\"", count_of(&s->bad));
	metrics_sample(m, &stream_messages, "", count_of(&s->messages));
	metrics_sample(m, &tls_handshakes, "result=\"full\"",
	        count_of(&s->handshakes) - count_of(&s->resumed));
	metrics_sample(m, &tls_handshakes, "result=\"resumed\"", count_of(&s->resumed));
	metrics_sample(m, &tls_handshakes, "result=\"failed\"", count_of(&s->tls_failed));
	failure_metrics(s, m);
}
