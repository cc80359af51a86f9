/*
 * What an instance reports to Prometheus. CoreDNS has no figures of this plugin.
 */
#include "k8s_external/external.h"

static const struct metric_family answers = {"seamark_k8s_external_answers_total",
	"Questions for names outside the cluster, by outcome.", METRIC_COUNTER};

void external_metrics(void *instance, struct metrics *m)
{
	static const char *const outcomes[] = {
		[EXTERNAL_ANSWERS] = "outcome=\"answer\"",
		[EXTERNAL_NXDOMAIN] = "outcome=\"nxdomain\"",
		[EXTERNAL_NODATA] = "outcome=\"nodata\"",
		[EXTERNAL_UNSYNCED] = "outcome=\"unsynced\"",
	};
	const struct external *x = instance;

	for (size_t i = 0; i < EXTERNAL_COUNTERS; i++)
		metrics_sample(m, &answers, outcomes[i], (double)counters_sum(x->counters, i));
}
