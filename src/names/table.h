/*
 * The name table: a hash of immutable entries that one writer (the control thread) changes while
 * all workers read it without locks, retries or shared writes.
 *
 * Buckets are one cache line: seven slots of a 16-bit tag and a 48-bit pointer, and the number of
 * entries that had to move on to a later bucket. A lookup touches one line of buckets and one
 * entry; a miss usually touches the bucket alone. The writer replaces an entry with one store
 * and frees the old one after a grace period.
 *
 * Lifetime: published (RCU). What a reader finds is its own until its next quiescent state.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/rcu.h"

struct table_array;

struct table {
	struct table_array *array; /* published */
	uint64_t seed;
	size_t count;              /* writer only */
};

/* The head of every entry; embed it first. The key is folded and lives in the entry. */
struct table_entry {
	uint64_t hash; /* table_hash() of the key */
	const uint8_t *key;
	uint32_t key_len;
};

/* An empty table with a random seed. */
void table_init(struct table *t);
/*
 * Free the table; no reader is left. Every entry goes to free_entry first (NULL: to nobody).
 */
void table_fini(struct table *t, rcu_free_fn *free_entry);
/* Hash of a key; any thread. */
uint64_t table_hash(const struct table *t, const void *key, size_t len);
/* Bring the line of a hash into the cache, for a lookup a little later. Any thread. */
void table_prefetch(const struct table *t, uint64_t hash);
/*
 * The next step, once the line is there: bring the entries in, whose tags are those of the hash.
 * Any thread.
 */
void table_prefetch_entry(const struct table *t, uint64_t hash);
/* The entry with this key and hash, or NULL. Readers and the writer. */
struct table_entry *table_find(
	const struct table *t, const void *key, size_t len, uint64_t hash);
/*
 * Put e, whose key and key_len are set, in place of the entry with the same key; returns that
 * one, which the caller hands to rcu_retire(), or NULL. Writer.
 */
struct table_entry *table_put(struct table *t, struct table_entry *e);
/* Take the entry with this key out; returns it for rcu_retire(), or NULL. Writer. */
struct table_entry *table_remove(struct table *t, const void *key, size_t len);
/* Walk in no order: start with *pos = 0, until NULL. No writes meanwhile, but table_remove(). */
struct table_entry *table_next(const struct table *t, size_t *pos);
/* Octets of the bucket array. */
size_t table_bytes(const struct table *t);
