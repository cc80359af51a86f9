/*
 * From an upstream's answer to an entry of the cache and back: which answers may be kept and for
 * how long (RFC 2308, RFC 2181, RFC 9520), and TTLs that count down.
 */
#pragma once

#include "cache/store.h"

struct query;
struct answer;

/* What the directive says about how long answers are kept. Seconds. */
struct cache_times {
	uint32_t max_s[CACHE_PARTS], min_s[CACHE_PARTS];
	uint32_t failure_s; /* 0: failures are not kept */
	bool keeps_ttl; /* TTLs do not count down */
};

/* The key of q's question; hash is not filled in. */
struct cache_key cache_key_of(const struct query *q);
/*
 * An entry from the answer in q, or NULL when it must not be kept; key is of q's question. What it
 * is, is in its kind. The caller puts it into the store or frees it.
 */
struct cache_entry *cache_entry_new(
        const struct query *q, const struct cache_key *key, const struct cache_times *times);
/* The same for an answer that leaves a stale one in place, cache_refreshes() says. */
struct cache_entry *cache_entry_new_failure(
        const struct query *q, const struct cache_key *key, const struct cache_times *times);
/* True when an upstream's answer takes the place of an older one, whether it may be kept or not. */
bool cache_refreshes(const struct answer *a);
/* Seconds since the entry was stored. */
uint32_t cache_entry_age_s(const struct cache_entry *e, uint64_t now_ms);
/* True while the entry may be given out. */
bool cache_entry_is_fresh(const struct cache_entry *e, uint64_t now_ms);
/*
 * Answer q from the entry, in the memory of q: the records under the question as this client wrote
 * it, their TTLs lowered by age_s seconds.
 */
void cache_entry_answer(const struct cache_entry *e, struct query *q, uint32_t age_s);
/* The same with ttl_s in every record: a stale answer (RFC 8767 4). */
void cache_entry_answer_stale(const struct cache_entry *e, struct query *q, uint32_t ttl_s);
