#include "cache/store.h"

#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"
#include "dns/msg.h"

#define SHARDS_MAX 32u
#define SHARD_ENTRIES 64u /* a shard has at least so many, so that SIEVE has a choice */

/* The entries of one kind in a shard; guarded by its lock but for the figures. */
struct part {
	struct list queue; /* oldest first */
	struct list *hand; /* of SIEVE; NULL: at the oldest */
	struct cache_limits limits;
	atomic_ullong n, bytes, evictions;
};

struct shard {
	pthread_mutex_t lock;
	struct cache_entry **buckets;
	size_t mask;
	struct part parts[CACHE_PARTS];
} __attribute__((aligned(64)));

struct cache_store {
	uint64_t seed;
	unsigned n; /* shards, a power of two */
	struct shard *shards;
};

static unsigned part_of(const struct cache_entry *e)
{
	return e->kind == CACHE_POSITIVE ? 0 : 1;
}

static size_t power_of_two(size_t n)
{
	size_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static void shard_init(struct shard *sh, const struct cache_limits limits[CACHE_PARTS], unsigned n)
{
	size_t buckets;

	pthread_mutex_init(&sh->lock, NULL);
	for (unsigned i = 0; i < CACHE_PARTS; i++) {
		list_init(&sh->parts[i].queue);
		sh->parts[i].limits.capacity = (limits[i].capacity + n - 1) / n;
		sh->parts[i].limits.bytes = limits[i].bytes / n;
	}
	buckets = power_of_two(sh->parts[0].limits.capacity + sh->parts[1].limits.capacity);
	sh->buckets = mem_array(buckets, sizeof(struct cache_entry *));
	sh->mask = buckets - 1;
}

struct cache_store *cache_store_new(const struct cache_limits limits[CACHE_PARTS])
{
	struct cache_store *s = mem_new(struct cache_store);
	size_t least =
	        limits[0].capacity < limits[1].capacity ? limits[0].capacity : limits[1].capacity;

	s->seed = rand_u64();
	s->n = SHARDS_MAX;
	while (s->n > 1 && least / s->n < SHARD_ENTRIES)
		s->n /= 2;
	s->shards = aligned_alloc(64, s->n * sizeof(struct shard));
	must(s->shards != NULL);
	memset(s->shards, 0, s->n * sizeof(struct shard));
	for (unsigned i = 0; i < s->n; i++)
		shard_init(&s->shards[i], limits, s->n);
	return s;
}

void cache_store_free(struct cache_store *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		struct shard *sh = &s->shards[i];

		for (unsigned k = 0; k < CACHE_PARTS; k++) {
			struct list *node;

			while ((node = list_first(&sh->parts[k].queue)) != NULL) {
				list_remove(node);
				free(container_of(node, struct cache_entry, queue));
			}
		}
		free(sh->buckets);
		pthread_mutex_destroy(&sh->lock);
	}
	free(s->shards);
	free(s);
}

void cache_store_hash(const struct cache_store *s, struct cache_key *key)
{
	uint64_t more = (uint64_t)key->flags << 16 | key->type;

	key->hash = hash_bytes(s->seed + more, key->name, key->name_len);
}

/* The high bits choose the shard, the low ones the bucket in it. */
static struct shard *shard_of(const struct cache_store *s, uint64_t hash)
{
	return &s->shards[(hash >> 48) & (s->n - 1)];
}

void cache_store_prefetch(const struct cache_store *s, const struct cache_key *key)
{
	const struct shard *sh = shard_of(s, key->hash);

	__builtin_prefetch(&sh->buckets[key->hash & sh->mask]);
}

static bool is_for(const struct cache_entry *e, const struct cache_key *key)
{
	return e->hash == key->hash && e->flags == key->flags && e->type == key->type &&
	       e->name_len == key->name_len &&
	       memcmp(e->data + MSG_HEADER, key->name, key->name_len) == 0;
}

struct cache_found cache_store_find(const struct cache_store *s, const struct cache_key *key)
{
	const struct shard *sh = shard_of(s, key->hash);
	struct cache_entry *e = rcu_borrow(sh->buckets[key->hash & sh->mask]);
	struct cache_found found = {NULL, NULL};

	for (; e != NULL; e = rcu_borrow(e->next)) {
		if (!is_for(e, key))
			continue;
		/* the newest comes first */
		if (e->kind == CACHE_FAILURE && found.failure == NULL)
			found.failure = e;
		else if (e->kind != CACHE_FAILURE && found.answer == NULL)
			found.answer = e;
	}
	return found;
}

/* Take e out of the bucket, the queue and the figures, and free it when no reader is left. */
static void drop(struct shard *sh, struct cache_entry *e)
{
	struct cache_entry **at = &sh->buckets[e->hash & sh->mask];
	struct part *part = &sh->parts[part_of(e)];

	while (*at != e)
		at = &(*at)->next;
	rcu_publish(*at, e->next);
	if (part->hand == &e->queue)
		part->hand = e->queue.next == &part->queue ? NULL : e->queue.next;
	list_remove(&e->queue);
	atomic_fetch_sub_explicit(&part->n, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&part->bytes, e->size, memory_order_relaxed);
	rcu_free_later(&e->later, e);
}

/* Give up one entry: the next one that was not used since the hand passed it. */
static void evict(struct shard *sh, struct part *part)
{
	struct list *at = part->hand != NULL ? part->hand : list_first(&part->queue);
	struct cache_entry *e = container_of(at, struct cache_entry, queue);

	while (atomic_load_explicit(&e->used, memory_order_relaxed)) {
		atomic_store_explicit(&e->used, false, memory_order_relaxed);
		at = at->next == &part->queue ? list_first(&part->queue) : at->next;
		e = container_of(at, struct cache_entry, queue);
	}
	part->hand = at; /* drop() moves it on */
	drop(sh, e);
	atomic_fetch_add_explicit(&part->evictions, 1, memory_order_relaxed);
}

static bool is_over(const struct part *part)
{
	return part->n > part->limits.capacity || part->bytes > part->limits.bytes;
}

/* Drop what e makes out of date. True when that was used since the hand passed it. */
static bool drop_older(struct shard *sh, struct cache_entry *e)
{
	struct cache_key key = {e->data + MSG_HEADER, e->name_len, e->type, e->flags, e->hash};
	struct cache_entry *at = sh->buckets[e->hash & sh->mask], *next;
	bool was_used = false;

	for (; at != NULL; at = next) {
		next = at->next;
		if (at == e || !is_for(at, &key) ||
		        (e->kind == CACHE_FAILURE && at->kind != CACHE_FAILURE))
			continue;
		was_used |= atomic_load_explicit(&at->used, memory_order_relaxed);
		drop(sh, at);
	}
	return was_used;
}

static void insert(struct shard *sh, struct part *part, struct cache_entry *e)
{
	struct cache_entry **bucket = &sh->buckets[e->hash & sh->mask];

	e->next = *bucket;
	rcu_publish(*bucket, e);
	list_push(&part->queue, &e->queue);
	atomic_fetch_add_explicit(&part->n, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&part->bytes, e->size, memory_order_relaxed);
}

void cache_store_put(struct cache_store *s, struct cache_entry *e)
{
	struct shard *sh = shard_of(s, e->hash);
	struct part *part = &sh->parts[part_of(e)];
	bool fits = part->limits.capacity > 0 && e->size <= part->limits.bytes, was_used;

	pthread_mutex_lock(&sh->lock);
	list_init(&e->queue);
	if (fits)
		insert(sh, part, e); /* before the older one goes: no moment without either */
	was_used = drop_older(sh, e);
	atomic_store_explicit(&e->used, true, memory_order_relaxed); /* not this one */
	while (fits && is_over(part))
		evict(sh, part);
	atomic_store_explicit(&e->used, was_used, memory_order_relaxed);
	if (!fits)
		rcu_free_later(&e->later, e);
	pthread_mutex_unlock(&sh->lock);
}

enum figure { ENTRIES, BYTES, EVICTIONS };

static uint64_t sum(const struct cache_store *s, unsigned part, enum figure figure)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct part *p = &s->shards[i].parts[part];

		total += figure == ENTRIES ? p->n : figure == BYTES ? p->bytes : p->evictions;
	}
	return total;
}

uint64_t cache_store_entries(const struct cache_store *s, unsigned part)
{
	return sum(s, part, ENTRIES);
}

uint64_t cache_store_evictions(const struct cache_store *s, unsigned part)
{
	return sum(s, part, EVICTIONS);
}

uint64_t cache_store_bytes(const struct cache_store *s, unsigned part)
{
	return sum(s, part, BYTES);
}
