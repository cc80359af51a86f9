#include "names/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"

#define SLOTS 7u
#define BUCKETS_MIN 16u
#define POINTER_BITS 48
#define POINTER_MASK ((UINT64_C(1) << POINTER_BITS) - 1)

struct bucket {
	uint64_t slots[SLOTS]; /* tag << 48 | pointer; 0: free */
	uint64_t moved_on;     /* entries whose way from their home led over this bucket */
};

struct table_array {
	size_t mask; /* buckets - 1 */
	struct bucket *buckets;
	void *memory;
};

static struct table_array *array_new(size_t buckets)
{
	struct table_array *a = mem_new(struct table_array);

	a->mask = buckets - 1;
	a->memory = mem_alloc(buckets * sizeof(struct bucket) + 63);
	a->buckets = (struct bucket *)(((uintptr_t)a->memory + 63) & ~(uintptr_t)63);
	return a;
}

static void array_free(void *object)
{
	struct table_array *a = object;

	free(a->memory);
	free(a);
}

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static uint64_t pack(const struct table_entry *e)
{
	must(((uintptr_t)e & ~POINTER_MASK) == 0);
	return (e->hash & ~POINTER_MASK) | (uintptr_t)e;
}

static struct table_entry *unpack(uint64_t slot)
{
	return (struct table_entry *)(uintptr_t)(slot & POINTER_MASK);
}

void table_init(struct table *t)
{
	t->array = array_new(BUCKETS_MIN);
	t->seed = rand_u64();
	t->count = 0;
}

void table_fini(struct table *t, rcu_free_fn *free_entry)
{
	struct table_entry *e;
	size_t pos = 0;

	while (free_entry != NULL && (e = table_next(t, &pos)) != NULL)
		free_entry(e);
	array_free(t->array);
	t->array = NULL;
}

uint64_t table_hash(const struct table *t, const void *key, size_t len)
{
	return hash_bytes(t->seed, key, len);
}

void table_prefetch(const struct table *t, uint64_t hash)
{
	const struct table_array *a = rcu_borrow(t->array);

	__builtin_prefetch(&a->buckets[hash & a->mask]);
}

void table_prefetch_entry(const struct table *t, uint64_t hash)
{
	const struct table_array *a = rcu_borrow(t->array);
	const struct bucket *b = &a->buckets[hash & a->mask];

	for (unsigned s = 0; s < SLOTS; s++) {
		uint64_t slot = load(&b->slots[s]);

		if (slot == 0 || (slot ^ hash) & ~POINTER_MASK)
			continue;
		/* the entry's head, what it holds, the key behind that, a small set behind both */
		__builtin_prefetch(unpack(slot));
		__builtin_prefetch((const char *)unpack(slot) + 64);
		__builtin_prefetch((const char *)unpack(slot) + 112);
		__builtin_prefetch((const char *)unpack(slot) + 164);
	}
}

struct table_entry *table_find(const struct table *t, const void *key, size_t len, uint64_t hash)
{
	const struct table_array *a = rcu_borrow(t->array);

	for (size_t i = hash & a->mask;; i = (i + 1) & a->mask) {
		const struct bucket *b = &a->buckets[i];

		for (unsigned s = 0; s < SLOTS; s++) {
			uint64_t slot = load(&b->slots[s]);
			struct table_entry *e;

			if (slot == 0 || (slot ^ hash) & ~POINTER_MASK)
				continue;
			e = unpack(slot);
			if (e->hash == hash && e->key_len == len && memcmp(e->key, key, len) == 0)
				return e;
		}
		if (load(&b->moved_on) == 0)
			return NULL;
	}
}

/* Slot that holds the entry with e's key, or NULL. Writer. */
static uint64_t *find_slot(const struct table_array *a, const struct table_entry *e)
{
	for (size_t i = e->hash & a->mask;; i = (i + 1) & a->mask) {
		struct bucket *b = &a->buckets[i];

		for (unsigned s = 0; s < SLOTS; s++) {
			uint64_t slot = b->slots[s];
			const struct table_entry *at;

			/* the tag first: the entries of the others need not come into the cache */
			if (slot == 0 || (slot ^ e->hash) & ~POINTER_MASK)
				continue;
			at = unpack(slot);
			if (at->hash == e->hash && at->key_len == e->key_len &&
				memcmp(at->key, e->key, e->key_len) == 0)
				return &b->slots[s];
		}
		if (b->moved_on == 0)
			return NULL;
	}
}

static uint64_t *free_slot(struct bucket *b)
{
	for (unsigned s = 0; s < SLOTS; s++)
		if (b->slots[s] == 0)
			return &b->slots[s];
	return NULL;
}

/* Put a new entry into the first bucket with room; the count says that the way goes on. */
static void insert(struct table_array *a, const struct table_entry *e)
{
	size_t i = e->hash & a->mask;
	uint64_t *slot;

	while ((slot = free_slot(&a->buckets[i])) == NULL) {
		store(&a->buckets[i].moved_on, a->buckets[i].moved_on + 1);
		i = (i + 1) & a->mask;
	}
	store(slot, pack(e));
}

static void grow(struct table *t)
{
	struct table_array *old = t->array, *a = array_new((old->mask + 1) * 2);

	for (size_t i = 0; i <= old->mask; i++)
		for (unsigned s = 0; s < SLOTS; s++)
			if (old->buckets[i].slots[s] != 0)
				insert(a, unpack(old->buckets[i].slots[s]));
	rcu_publish(t->array, a);
	rcu_retire(old, array_free);
}

struct table_entry *table_put(struct table *t, struct table_entry *e)
{
	uint64_t *slot;
	struct table_entry *old;

	e->hash = table_hash(t, e->key, e->key_len);
	slot = find_slot(t->array, e);
	if (slot != NULL) {
		old = unpack(*slot);
		store(slot, pack(e));
		return old;
	}
	/* five of seven slots on average: few ways go on to a second bucket */
	if (t->count >= (t->array->mask + 1) * 5)
		grow(t);
	insert(t->array, e);
	t->count++;
	return NULL;
}

struct table_entry *table_remove(struct table *t, const void *key, size_t len)
{
	struct table_entry probe = {table_hash(t, key, len), key, (uint32_t)len}, *e;
	struct table_array *a = t->array;
	uint64_t *slot = find_slot(a, &probe);

	if (slot == NULL)
		return NULL;
	e = unpack(*slot);
	store(slot, 0);
	for (size_t i = probe.hash & a->mask;; i = (i + 1) & a->mask) {
		struct bucket *b = &a->buckets[i];

		if (slot >= b->slots && slot < b->slots + SLOTS)
			break;
		store(&b->moved_on, b->moved_on - 1);
	}
	t->count--;
	return e;
}

struct table_entry *table_next(const struct table *t, size_t *pos)
{
	const struct table_array *a = t->array;

	while (*pos < (a->mask + 1) * SLOTS) {
		uint64_t slot = a->buckets[*pos / SLOTS].slots[*pos % SLOTS];

		(*pos)++;
		if (slot != 0)
			return unpack(slot);
	}
	return NULL;
}

size_t table_bytes(const struct table *t)
{
	return (t->array->mask + 1) * sizeof(struct bucket);
}
