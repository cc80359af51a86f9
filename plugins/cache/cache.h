/*
 * cache: keeps the answers of upstream servers. This header is what the files of the plugin share;
 * store.h keeps entries, entry.h makes them, setup.c reads the directive, cache.c answers, verify.c
 * waits for a fresh answer before a stale one, metrics.c reports.
 *
 * Only answers of other servers are kept: what this server knows itself (clusters, files, hosts)
 * is at hand faster, and a change there must be visible at once.
 */
#pragma once

#include "cache/entry.h"
#include "cache/store.h"
#include "core/upstreams.h"
#include "core/zone_list.h"
#include "plugin.h"

enum cache_counter {
	CACHE_REQUESTS,
	CACHE_HITS, /* and the next: of each part */
	CACHE_HITS_NEGATIVE,
	CACHE_MISSES,
	CACHE_PREFETCHES,
	CACHE_STALE,
	CACHE_COUNTERS
};

/* What outlives a reload that leaves the block as it is. */
struct cache_state {
	struct cache_store *store;
	struct counters *counters;
	_Atomic uint64_t valid_ms; /* what was asked before is not to be given out any more */
	_Atomic uint64_t resets; /* times that it was set */
};

struct cache_prefetch {
	uint32_t hits; /* in a row that make an answer popular; 0: never */
	uint64_t gap_ms; /* that ends a row */
	uint32_t percent; /* of its time that is left when it is asked for again */
};

struct cache_stale {
	uint64_t keep_ms; /* beyond the TTL; 0: never */
	bool verifies; /* asks first, for at most verify_ms */
	uint64_t verify_ms;
	uint32_t ttl_s; /* of stale records */
	uint32_t recheck_s; /* between attempts to refresh one that failed */
};

/* Lifetime: built in setup, read-only afterwards but for follower; freed in teardown. */
struct cache {
	struct cache_state *state;
	const struct chain *chain;
	struct upstreams_follower follower; /* control thread */
	struct shared *shared;
	struct zone_list zones;
	struct zone_list disabled[CACHE_PARTS]; /* zones whose answers are not kept */
	struct cache_limits limits[CACHE_PARTS];
	struct cache_times times;
	struct cache_prefetch prefetch;
	struct cache_stale stale;
	char *server, *zones_text, *view; /* labels */
};

/* Read the directive (setup.c). */
int cache_setup(struct setup *s, struct err *e);
/* Give the store back and free the instance (setup.c). */
void cache_free(struct cache *c);
/* Report (metrics.c). */
void cache_metrics(void *instance, struct metrics *m);
/* Count for the worker of q. */
void cache_count(const struct cache *c, const struct query *q, enum cache_counter counter);
/* Answer q from an entry that is fresh. */
void cache_answer(const struct cache *c, const struct cache_entry *e, struct query *q);
/* Answer q from an entry that is not. */
void cache_answer_stale(const struct cache *c, const struct cache_entry *e, struct query *q);

/*
 * Ask the plugins below for the question of q, whose stale answer e stands ready; WAIT, or DONE
 * with the stale answer (verify.c).
 */
enum verdict cache_verify(struct cache *c, struct query *q, const struct cache_entry *e);
/* q is abandoned while it waits in cache_verify() (verify.c). */
void cache_cancel(struct query *q, void *instance);
