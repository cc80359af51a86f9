#include "base/ptrset.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"

#define POINTER_MASK ((UINT64_C(1) << 48) - 1)
#define REMOVED UINT64_C(1)
#define SLOTS_MIN 16u

void ptrset_init(struct ptrset *s, ptrset_key_fn *key)
{
	*s = (struct ptrset){.seed = rand_u64(), .key = key};
}

void ptrset_fini(struct ptrset *s)
{
	free(s->slots);
	s->slots = NULL;
	s->cap = s->len = s->used = 0;
}

static uint64_t hash_of(const struct ptrset *s, struct str key)
{
	return hash_bytes(s->seed, key.at, key.len);
}

static void *element_of(uint64_t slot)
{
	return (void *)(uintptr_t)(slot & POINTER_MASK);
}

static uint64_t slot_for(const void *element, uint64_t hash)
{
	must(((uintptr_t)element & ~POINTER_MASK) == 0 && (uintptr_t)element > REMOVED);
	return (hash & ~POINTER_MASK) | (uintptr_t)element;
}

/* The slot of the key, or NULL. */
static uint64_t *find(const struct ptrset *s, struct str key, uint64_t hash)
{
	if (s->cap == 0)
		return NULL;
	for (size_t i = hash & (s->cap - 1); s->slots[i] != 0; i = (i + 1) & (s->cap - 1))
		if (s->slots[i] != REMOVED && ((s->slots[i] ^ hash) & ~POINTER_MASK) == 0 &&
			str_eq(s->key(element_of(s->slots[i])), key))
			return &s->slots[i];
	return NULL;
}

static void insert(struct ptrset *s, uint64_t slot, uint64_t hash)
{
	size_t i = hash & (s->cap - 1);

	while (s->slots[i] != 0)
		i = (i + 1) & (s->cap - 1);
	s->slots[i] = slot;
	s->used++;
}

/* Twice as many slots, or as many as before when most of them are of removed elements. */
static void resize(struct ptrset *s)
{
	struct ptrset old = *s;

	s->cap = old.cap == 0 ? SLOTS_MIN : old.len * 2 > old.cap ? old.cap * 2 : old.cap;
	s->slots = mem_array(s->cap, sizeof(*s->slots));
	s->used = 0;
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i] > REMOVED)
			insert(s, old.slots[i], hash_of(s, s->key(element_of(old.slots[i]))));
	free(old.slots);
}

void *ptrset_get(const struct ptrset *s, struct str key)
{
	uint64_t *slot = find(s, key, hash_of(s, key));

	return slot == NULL ? NULL : element_of(*slot);
}

void *ptrset_put(struct ptrset *s, void *element)
{
	struct str key = s->key(element);
	uint64_t hash = hash_of(s, key), *slot = find(s, key, hash);
	void *old;

	if (slot != NULL) {
		old = element_of(*slot);
		*slot = slot_for(element, hash);
		return old;
	}
	if ((s->used + 1) * 5 > s->cap * 4)
		resize(s);
	insert(s, slot_for(element, hash), hash);
	s->len++;
	return NULL;
}

void *ptrset_del(struct ptrset *s, struct str key)
{
	uint64_t *slot = find(s, key, hash_of(s, key));
	void *old;

	if (slot == NULL)
		return NULL;
	old = element_of(*slot);
	*slot = REMOVED;
	s->len--;
	return old;
}

void *ptrset_next(const struct ptrset *s, size_t *pos)
{
	while (*pos < s->cap) {
		uint64_t slot = s->slots[(*pos)++];

		if (slot > REMOVED)
			return element_of(slot);
	}
	return NULL;
}
