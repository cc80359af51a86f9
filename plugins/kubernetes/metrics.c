#include "kubernetes/kube.h"

#include "base/clock.h"
#include "kubernetes/cluster.h"

static const struct metric_family answers = {
	"seamark_kubernetes_answers_total", "Questions answered from cluster state, by outcome.",
	METRIC_COUNTER};
static const struct metric_family synced = {"seamark_kubernetes_synced",
	"1 when every watched kind of object has been read completely.", METRIC_GAUGE};

void kube_metrics(void *instance, struct metrics *m)
{
	static const char *const outcomes[] = {
		[KUBE_ANSWERS] = "outcome=\"answer\"",
		[KUBE_NXDOMAIN] = "outcome=\"nxdomain\"",
		[KUBE_NODATA] = "outcome=\"nodata\"",
		[KUBE_UNSYNCED] = "outcome=\"unsynced\"",
	};
	struct kube *k = instance;

	for (size_t i = 0; i < KUBE_COUNTERS; i++)
		metrics_sample(m, &answers, outcomes[i], (double)counters_sum(k->counters, i));
	metrics_sample(m, &synced, "", atomic_load(&k->is_synced) ? 1 : 0);
}
