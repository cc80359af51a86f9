/*
 * Prometheus text exposition: plugins report samples of families; the families are grouped, so
 * that each has one HELP and one TYPE line however many instances report to it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* A family, static and constant: "coredns_dns_requests_total". Families of one name are one. */
struct metric_family {
	const char *name, *help;
	enum metric_type type;
};

struct metrics;

/* Start a collection. */
struct metrics *metrics_new(void);
/* Write the collected families to out as text format 0.0.4 and free the collection. */
void metrics_finish(struct metrics *m, struct buf *out);
/*
 * Add one sample. labels is a ready list such as `server="dns://:53",zone="."` (metrics_label()
 * helps) or "". Several samples with the same labels are one line: counters add up, of gauges the
 * last one stands.
 */
void metrics_sample(
	struct metrics *m, const struct metric_family *f, const char *labels, double value);
/* n bucket bounds, counts of n + 1 buckets (not cumulative; the last is +Inf), sum of values. */
struct metric_histogram {
	const double *bounds;
	size_t n;
	const uint64_t *counts;
	double sum;
};
/* Add a histogram; bounds must live until metrics_finish(). Same labels: added up. */
void metrics_histogram(struct metrics *m, const struct metric_family *f, const char *labels,
	const struct metric_histogram *h);
/* Append `name="value"` to b, with a comma before it when b is not empty, value escaped. */
void metrics_label(struct buf *b, const char *name, const char *value);
