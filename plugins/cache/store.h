/*
 * What a cache keeps: answers of upstream servers in wire form, by question. One store for each
 * server block that has *cache*; it outlives reloads that leave the block's upstreams alone.
 *
 * Workers read without locks, and write: each shard has a lock that is held while one entry is
 * put in its place, and never by a reader. Which entry must go when there is no room decides
 * SIEVE: a pointer goes round the queue, spares those that were used since it passed and takes
 * the first that was not. A hit costs nothing but one bit.
 *
 * Lifetime: entries are published under RCU, immutable but for the fields marked atomic, and
 * freed after a grace period. The store is made and freed on the control thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/rcu.h"

/* What an answer is; also the part of the cache that keeps it: failures live with negatives. */
enum cache_kind { CACHE_POSITIVE, CACHE_NEGATIVE, CACHE_FAILURE, CACHE_NOT };

#define CACHE_PARTS 2u

/* A question; two with the same key get the same answer. */
struct cache_key {
	const uint8_t *name; /* folded; the class is IN */
	uint16_t name_len, type;
	uint8_t flags; /* DO and CD of the query */
	uint64_t hash;
};

struct cache_entry {
	struct cache_entry *next; /* in its bucket */
	struct list queue; /* under the shard's lock: oldest first */
	struct rcu_later later;
	uint64_t hash;
	uint64_t stored_ms; /* monotonic */
	uint32_t ttl_s; /* how long it is fresh */
	uint32_t size; /* octets in all */
	uint16_t rcode, ede;
	uint16_t message_len; /* octets; of a failure header and question alone */
	uint16_t name_len, type; /* of the question */
	uint16_t ttls_len;
	uint8_t kind; /* enum cache_kind */
	uint8_t flags;
	bool is_authoritative;
	bool is_authentic;
	bool is_clamped; /* the TTLs in it are not those that came */
	atomic_bool used; /* since the hand of SIEVE passed */
	atomic_uint hits; /* in a row, for prefetch */
	atomic_ullong hit_ms, lease_ms; /* last hit; nobody refreshes it before */
	/* a message (header, folded question, records), then offsets of its TTLs (16 bits each) */
	uint8_t data[];
};

struct cache_limits {
	size_t capacity; /* entries */
	size_t bytes;
};

struct cache_store;

/* An empty store with limits for positive and for negative answers. */
struct cache_store *cache_store_new(const struct cache_limits limits[CACHE_PARTS]);
/* Free it; no reader is left. NULL is ignored. */
void cache_store_free(struct cache_store *s);
/* Fill in key->hash. */
void cache_store_hash(const struct cache_store *s, struct cache_key *key);
/* Bring the bucket of key into the processor's cache. */
void cache_store_prefetch(const struct cache_store *s, const struct cache_key *key);

/* What is known about a question, fresh or not. Borrowed. */
struct cache_found {
	struct cache_entry *answer, *failure;
};

/* Look a question up. */
struct cache_found cache_store_find(const struct cache_store *s, const struct cache_key *key);
/*
 * Keep an entry (from malloc(), hash filled in) instead of what is known: an answer replaces the
 * answer and the failure, a failure only the failure. It may be gone when this returns, but stays
 * readable until the caller's next quiescent state. Any worker.
 */
void cache_store_put(struct cache_store *s, struct cache_entry *e);
/* Entries in a part now, and how many it gave up for others; any thread. */
uint64_t cache_store_entries(const struct cache_store *s, unsigned part);
/* See cache_store_entries(). */
uint64_t cache_store_evictions(const struct cache_store *s, unsigned part);
/* Octets of all entries of a part; any thread. */
uint64_t cache_store_bytes(const struct cache_store *s, unsigned part);
