/*
 * What an instance reports to Prometheus. Names that CoreDNS has, as far as there is something to
 * report, and Seamark's own.
 */
#include "kubernetes/kube.h"

#include "base/clock.h"
#include "kubernetes/cluster.h"

static const struct metric_family answers = {
	"seamark_kubernetes_answers_total", "Questions answered from cluster state, by outcome.",
	METRIC_COUNTER};
static const struct metric_family synced = {"seamark_kubernetes_synced",
	"1 when every watched kind of object has been read completely.", METRIC_GAUGE};
static const struct metric_family programming = {
	"coredns_kubernetes_dns_programming_duration_seconds",
	"Time from the change of a pod to its names, by kind of service.", METRIC_HISTOGRAM};
static const struct metric_family connected = {"seamark_kubernetes_connected",
	"1 while a watch of this resource is open.", METRIC_GAUGE};
static const struct metric_family event_age = {"seamark_kubernetes_last_event_age_seconds",
	"Time since an object or a bookmark was received.", METRIC_GAUGE};
static const struct metric_family list_age = {"seamark_kubernetes_last_list_age_seconds",
	"Time since the resource was listed completely.", METRIC_GAUGE};
static const struct metric_family events = {
	"seamark_kubernetes_events_total", "Objects received.", METRIC_COUNTER};
static const struct metric_family stale = {"seamark_kubernetes_stale_events_total",
	"Objects of watches that were older than what was known.", METRIC_COUNTER};
static const struct metric_family json_only = {"seamark_kubernetes_json_fallback",
	"1 when the API server refuses protobuf, or breaks it, and JSON is read.", METRIC_GAUGE};
static const struct metric_family relists = {"seamark_kubernetes_relists_total",
	"Complete lists after the first one.", METRIC_COUNTER};
static const struct metric_family audits = {"seamark_kubernetes_audits_total",
	"Comparisons of the metadata of all objects with the API server's.", METRIC_COUNTER};
static const struct metric_family gaps = {"seamark_kubernetes_gaps_healed_total",
	"Complete lists because a comparison found changes that a watch had left out.",
	METRIC_COUNTER};
static const struct metric_family errors = {"seamark_kubernetes_watch_errors_total",
	"Lists and watches that failed, by reason.", METRIC_COUNTER};

static const struct metric_family state_age = {"seamark_kubernetes_state_file_age_seconds",
	"Age of the state in the state file.", METRIC_GAUGE};
static const struct metric_family state_in_use = {"seamark_kubernetes_state_file_in_use",
	"1 while a kind of object is answered from the state file.", METRIC_GAUGE};
static const struct metric_family state_writes = {"seamark_kubernetes_state_file_writes_total",
	"State files written.", METRIC_COUNTER};
static const struct metric_family state_failures = {"seamark_kubernetes_state_file_failures_total",
	"State files that could not be written.", METRIC_COUNTER};

static const double latency_bounds[LATENCY_BOUNDS] = {.001, .002, .004, .008, .016, .032, .064,
	.128, .256, .512, 1.024, 2.048, 4.096, 8.192, 16.384, 32.768, 65.536, 131.072, 262.144,
	524.288};

/* --- how long a change took ---------------------------------------------------------------- */

static void observe(struct kube_latency *l, uint64_t took_ms)
{
	unsigned i = 0;

	while (i < LATENCY_BOUNDS && (double)took_ms > latency_bounds[i] * 1000)
		i++;
	atomic_fetch_add_explicit(&l->counts[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&l->sum_ms, took_ms, memory_order_relaxed);
}

void kube_count_latency(struct kube *k, const struct touch *t, uint64_t trigger_ms)
{
	const struct store *st = cluster_store(k->cluster);
	const struct object *o = store_service(st, t->ns, t->name);
	struct object_list slices = store_slices_of(st, t->ns, t->name);
	uint64_t newest = 0, now = clock_wall_ms();

	/* what was there at the start changed long ago */
	if (trigger_ms == 0 || o == NULL || !atomic_load(&k->is_synced))
		return;
	for (size_t i = 0; i < slices.len; i++)
		if (slices.at[i]->slice.trigger_ms > newest)
			newest = slices.at[i]->slice.trigger_ms;
	if (newest < trigger_ms)
		return; /* another service was the cause */
	observe(&k->latency[o->service.is_headless ? LATENCY_HEADLESS : LATENCY_CLUSTER_IP],
		now > newest ? now - newest : 0);
}

static void report_latency(const struct kube *k, struct metrics *m)
{
	static const char *const labels[LATENCY_KINDS] = {
		[LATENCY_CLUSTER_IP] = "service_kind=\"cluster_ip\"",
		[LATENCY_HEADLESS] = "service_kind=\"headless_with_selector\"",
	};

	for (unsigned kind = 0; kind < LATENCY_KINDS; kind++) {
		const struct kube_latency *l = &k->latency[kind];
		uint64_t counts[LATENCY_BOUNDS + 1];
		struct metric_histogram h = {latency_bounds, LATENCY_BOUNDS, counts,
			(double)atomic_load_explicit(&l->sum_ms, memory_order_relaxed) / 1000};

		for (unsigned i = 0; i <= LATENCY_BOUNDS; i++)
			counts[i] = atomic_load_explicit(&l->counts[i], memory_order_relaxed);
		metrics_histogram(m, &programming, labels[kind], &h);
	}
}

/* --- the API server ------------------------------------------------------------------------ */

static void report_errors(
	struct metrics *m, const char *resource, const struct reflector_stats *f)
{
	static const char *const reasons[REFLECTOR_ERRORS] = {
		[REFLECTOR_CONNECT] = "connect",
		[REFLECTOR_UNAUTHORIZED] = "unauthorized",
		[REFLECTOR_FORBIDDEN] = "forbidden",
		[REFLECTOR_NOT_FOUND] = "not_found",
		[REFLECTOR_EXPIRED] = "expired",
		[REFLECTOR_THROTTLED] = "throttled",
		[REFLECTOR_SERVER] = "server",
		[REFLECTOR_DECODE] = "decode",
		[REFLECTOR_SILENT] = "silent",
	};
	struct buf labels = {0};

	for (unsigned i = 0; i < REFLECTOR_ERRORS; i++) {
		labels.len = 0;
		metrics_label(&labels, "resource", resource);
		metrics_label(&labels, "reason", reasons[i]);
		if (f->errors[i] > 0)
			metrics_sample(m, &errors, buf_text(&labels), (double)f->errors[i]);
	}
	buf_free(&labels);
}

/* Ages are of this moment, whenever the figures were taken; what never was has none. */
static void report_age(struct metrics *m, const struct metric_family *f, const char *labels,
	uint64_t at_ms)
{
	uint64_t now = clock_ms();

	if (at_ms != 0)
		metrics_sample(m, f, labels, now > at_ms ? (double)(now - at_ms) / 1000 : 0);
}

static void report_kind(
	struct metrics *m, const char *resource, const struct source_kind_stats *k)
{
	const struct reflector_stats *f = &k->figures;
	struct buf labels = {0};

	metrics_label(&labels, "resource", resource);
	metrics_sample(m, &json_only, buf_text(&labels), k->is_json_fallback ? 1 : 0);
	metrics_sample(m, &connected, buf_text(&labels), f->is_connected ? 1 : 0);
	metrics_sample(m, &events, buf_text(&labels), (double)f->events);
	metrics_sample(m, &stale, buf_text(&labels), (double)f->stale_events);
	metrics_sample(m, &relists, buf_text(&labels), (double)f->relists);
	metrics_sample(m, &audits, buf_text(&labels), (double)f->audits);
	metrics_sample(m, &gaps, buf_text(&labels), (double)f->gaps_healed);
	report_age(m, &event_age, buf_text(&labels), f->last_event_ms);
	report_age(m, &list_age, buf_text(&labels), f->last_list_ms);
	buf_free(&labels);
	report_errors(m, resource, f);
}

static void report_state(const struct kube *k, struct metrics *m)
{
	struct source_state_stats s;
	uint64_t now = clock_wall_s();

	if (!cluster_state_stats(k->cluster, &s))
		return;
	if (s.saved_s != 0)
		metrics_sample(m, &state_age, "", now > s.saved_s ? (double)(now - s.saved_s) : 0);
	metrics_sample(m, &state_in_use, "", s.is_in_use);
	metrics_sample(m, &state_writes, "", (double)s.writes);
	metrics_sample(m, &state_failures, "", (double)s.failures);
}

static void report_api(const struct kube *k, struct metrics *m)
{
	struct source_api_stats s;

	if (!cluster_api_stats(k->cluster, &s))
		return;
	kube_report_requests(m, &s.requests, s.host);
	report_state(k, m);
	for (unsigned i = 0; i < SOURCE_KINDS; i++)
		if (s.kinds[i].is_watched)
			report_kind(m, source_kind_name(i), &s.kinds[i]);
}

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
	/* blocks with one source see the same changes */
	if (cluster_is_reporter(k->cluster, k)) {
		report_latency(k, m);
		report_api(k, m);
	}
}
