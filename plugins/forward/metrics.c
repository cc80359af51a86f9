#include "base/rcu.h"
#include "dns/rr.h"
#include "forward/forward.h"

static const struct metric_family duration = {
        "coredns_proxy_request_duration_seconds",
        "Histogram of the time each request took.",
        METRIC_HISTOGRAM,
};
static const struct metric_family probe_failures = {
        "coredns_proxy_healthcheck_failures_total",
        "Counter of the number of failed healthchecks.",
        METRIC_COUNTER,
};
static const struct metric_family cache_hits = {
        "coredns_proxy_conn_cache_hits_total",
        "Counter of queries that found a socket to the upstream open.",
        METRIC_COUNTER,
};
static const struct metric_family cache_misses = {
        "coredns_proxy_conn_cache_misses_total",
        "Counter of queries that had to open a socket to the upstream.",
        METRIC_COUNTER,
};
static const struct metric_family all_down = {
        "coredns_forward_healthcheck_broken_total",
        "Counter of queries that went to a random upstream because all were down.",
        METRIC_COUNTER,
};
static const struct metric_family rejects = {
        "coredns_forward_max_concurrent_rejects_total",
        "Counter of queries refused because max_concurrent was reached.",
        METRIC_COUNTER,
};
static const struct metric_family bad_replies = {
        "seamark_forward_bad_replies_total",
        "Counter of datagrams and messages from an upstream that were ignored, by reason.",
        METRIC_COUNTER,
};
static const struct metric_family shed = {
        "seamark_forward_shed_total",
        "Counter of questions given up because too many were in flight.",
        METRIC_COUNTER,
};
static const struct metric_family refused = {
        "seamark_forward_segments_refused_total",
        "Counter of bursts that left one by one because the network takes no segments.",
        METRIC_COUNTER,
};
static const struct metric_family down = {
        "seamark_forward_upstream_down",
        "Workers for which the upstream is down.",
        METRIC_GAUGE,
};

static const double bounds[RELAY_BUCKETS - 1] = {0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016,
        0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192};

/* One collection, about one server. */
struct report {
	struct metrics *m;
	const struct forward_server *server;
	unsigned workers;
};

static uint64_t sum(const struct report *r, size_t offset)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < r->workers; i++)
		total += stat_read((const uint64_t *)((const char *)&r->server->stats[i] + offset));
	return total;
}

#define SUM(r, field) sum((r), offsetof(struct relay_stats, field))

static void labels_of(struct buf *b, const struct report *r, const char *name, const char *value)
{
	buf_clear(b);
	metrics_label(b, "proxy_name", "forward");
	metrics_label(b, "to", r->server->text);
	if (name != NULL)
		metrics_label(b, name, value);
}

static void report_durations(const struct report *r, struct buf *b)
{
	char text[16];

	for (unsigned code = 0; code < RELAY_RCODES; code++) {
		uint64_t counts[RELAY_BUCKETS], all = 0;
		struct metric_histogram h = {bounds, RELAY_BUCKETS - 1, counts, 0};

		for (unsigned i = 0; i < RELAY_BUCKETS; i++) {
			counts[i] = sum(r, offsetof(struct relay_stats, count) +
			                           (code * RELAY_BUCKETS + i) * sizeof(uint64_t));
			all += counts[i];
		}
		if (all == 0)
			continue;
		h.sum = (double)sum(
		                r, offsetof(struct relay_stats, sum_ns) + code * sizeof(uint64_t)) /
		        1e9;
		labels_of(b, r, "rcode",
		        code == RELAY_RCODES - 1 ? "other" : rcode_text((uint16_t)code, text));
		metrics_histogram(r->m, &duration, buf_text(b), &h);
	}
}

static void report_bad(const struct report *r, struct buf *b)
{
	for (unsigned i = 0; i < BAD_REASONS; i++) {
		uint64_t n = sum(r, offsetof(struct relay_stats, bad) + i * sizeof(uint64_t));

		buf_clear(b);
		metrics_label(b, "to", r->server->text);
		metrics_label(b, "reason", relay_bad_text((enum relay_bad)i));
		metrics_sample(r->m, &bad_replies, buf_text(b), (double)n);
	}
}

static void report_server(const struct report *r, struct buf *b)
{
	labels_of(b, r, NULL, NULL);
	metrics_sample(r->m, &probe_failures, buf_text(b), (double)SUM(r, probe_failures));
	labels_of(b, r, "proto", "udp");
	metrics_sample(r->m, &cache_hits, buf_text(b), (double)SUM(r, cache_hits_udp));
	metrics_sample(r->m, &cache_misses, buf_text(b), (double)SUM(r, cache_misses_udp));
	labels_of(b, r, "proto", r->server->to.is_tls ? "tcp-tls" : "tcp");
	metrics_sample(r->m, &cache_hits, buf_text(b), (double)SUM(r, cache_hits_tcp));
	metrics_sample(r->m, &cache_misses, buf_text(b), (double)SUM(r, cache_misses_tcp));
	buf_clear(b);
	metrics_label(b, "to", r->server->text);
	metrics_sample(r->m, &down, buf_text(b), (double)SUM(r, is_down));
	report_durations(r, b);
	report_bad(r, b);
}

void forward_metrics(void *instance, struct metrics *m)
{
	struct forward *f = instance;
	struct buf b = {0};

	vec_for_each (&f->rules, at) {
		struct forward_rule *rule = *at;
		uint64_t rejected = atomic_load_explicit(&rule->rejects, memory_order_relaxed);

		metrics_sample(m, &rejects, "", (double)rejected);
		for (unsigned i = 0; i < f->workers; i++) {
			const struct relay_totals *t = &rule->workers[i].totals;

			metrics_sample(m, &all_down, "", (double)stat_read(&t->all_down));
			metrics_sample(m, &shed, "", (double)stat_read(&t->shed));
			metrics_sample(m, &refused, "", (double)stat_read(&t->refused));
		}
		for (const struct forward_server *s = rcu_borrow(rule->servers); s != NULL;
		        s = s->next)
			report_server(&(struct report){m, s, f->workers}, &b);
	}
	buf_free(&b);
}
