#include "cache/cache.h"

static const char *const types[CACHE_PARTS] = {"success", "denial"};

/* One collection. */
struct report {
	const struct cache *c;
	struct metrics *m;
	struct buf labels;
};

/* Labels in the order of CoreDNS: server, type (NULL: none), zones, view. */
static const char *labels_of(struct report *r, const char *type)
{
	buf_clear(&r->labels);
	metrics_label(&r->labels, "server", r->c->server);
	if (type != NULL)
		metrics_label(&r->labels, "type", type);
	metrics_label(&r->labels, "zones", r->c->zones_text);
	metrics_label(&r->labels, "view", r->c->view);
	return r->labels.at;
}

static void report_parts(struct report *r)
{
	static const struct metric_family entries = {
	        "coredns_cache_entries", "The number of elements in the cache.", METRIC_GAUGE};
	static const struct metric_family bytes = {
	        "seamark_cache_bytes", "Octets of the elements in the cache.", METRIC_GAUGE};
	static const struct metric_family hits = {
	        "coredns_cache_hits_total", "The count of cache hits.", METRIC_COUNTER};
	static const struct metric_family evictions = {
	        "coredns_cache_evictions_total", "The count of cache evictions.", METRIC_COUNTER};
	const struct cache_state *s = r->c->state;

	for (unsigned i = 0; i < CACHE_PARTS; i++) {
		const char *labels = labels_of(r, types[i]);

		metrics_sample(r->m, &entries, labels, (double)cache_store_entries(s->store, i));
		metrics_sample(r->m, &bytes, labels, (double)cache_store_bytes(s->store, i));
		metrics_sample(
		        r->m, &hits, labels, (double)counters_sum(s->counters, CACHE_HITS + i));
		metrics_sample(
		        r->m, &evictions, labels, (double)cache_store_evictions(s->store, i));
	}
}

void cache_metrics(void *instance, struct metrics *m)
{
	static const struct {
		struct metric_family family;
		enum cache_counter counter;
	} rows[] = {
	        {{"coredns_cache_requests_total", "The count of cache requests.", METRIC_COUNTER},
	                CACHE_REQUESTS},
	        {{"coredns_cache_misses_total", "The count of cache misses.", METRIC_COUNTER},
	                CACHE_MISSES},
	        {{"coredns_cache_prefetch_total",
	                 "The number of times the cache has prefetched a cached item.",
	                 METRIC_COUNTER},
	                CACHE_PREFETCHES},
	        {{"coredns_cache_served_stale_total",
	                 "The number of requests served from stale cache entries.", METRIC_COUNTER},
	                CACHE_STALE},
	};
	static const struct metric_family resets = {"seamark_cache_resets_total",
	        "Times that all answers were given up, because names go to servers of another "
	        "network.",
	        METRIC_COUNTER};
	/* CoreDNS counts replies to other questions here; ours never get this far */
	static const struct metric_family drops = {"coredns_cache_drops_total",
	        "The number of responses that are not cached, because the reply is malformed.",
	        METRIC_COUNTER};
	struct report r = {.c = instance, .m = m};

	report_parts(&r);
	metrics_sample(m, &drops, labels_of(&r, NULL), 0);
	metrics_sample(m, &resets, labels_of(&r, NULL), (double)atomic_load(&r.c->state->resets));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		metrics_sample(m, &rows[i].family, labels_of(&r, NULL),
		        (double)counters_sum(r.c->state->counters, rows[i].counter));
	buf_free(&r.labels);
}
