#include "base/map.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"

static char dead_mark;
#define MAP_DEAD ((void *)&dead_mark)

void map_init(struct map *m)
{
	*m = (struct map){NULL, 0, 0, 0, rand_u64()};
}

void map_fini(struct map *m)
{
	free(m->slots);
	*m = (struct map){NULL, 0, 0, 0, 0};
}

/* The slot of key, or the slot where it should go; NULL only for a table without slots. */
static struct map_slot *map_find(const struct map *m, struct str key, uint64_t hash)
{
	struct map_slot *grave = NULL;

	if (m->cap == 0)
		return NULL;
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];

		if (s->value == NULL)
			return grave != NULL ? grave : s;
		if (s->value == MAP_DEAD)
			grave = grave != NULL ? grave : s;
		else if (s->hash == hash && str_eq(s->key, key))
			return s;
	}
}

static void map_resize(struct map *m, size_t cap)
{
	struct map old = *m;

	m->slots = mem_array(cap, sizeof(*m->slots));
	m->cap = cap;
	m->used = m->len;
	for (size_t i = 0; i < old.cap; i++) {
		struct map_slot *s = &old.slots[i];

		if (s->value != NULL && s->value != MAP_DEAD)
			*map_find(m, s->key, s->hash) = *s;
	}
	free(old.slots);
}

void *map_get(const struct map *m, struct str key)
{
	struct map_slot *s = map_find(m, key, hash_bytes(m->seed, key.at, key.len));

	return s == NULL || s->value == MAP_DEAD ? NULL : s->value;
}

void *map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = hash_bytes(m->seed, key.at, key.len);
	struct map_slot *s;
	void *old;

	if ((m->used + 1) * 4 > m->cap * 3)
		map_resize(m, m->len * 2 < 8 ? 16 : (m->len * 4 > m->cap ? m->cap * 2 : m->cap));
	s = map_find(m, key, hash);
	old = s->value == MAP_DEAD ? NULL : s->value;
	if (s->value == NULL)
		m->used++;
	if (old == NULL)
		m->len++;
	*s = (struct map_slot){key, value, hash};
	return old;
}

void *map_del(struct map *m, struct str key)
{
	struct map_slot *s = map_find(m, key, hash_bytes(m->seed, key.at, key.len));
	void *old;

	if (s == NULL || s->value == NULL || s->value == MAP_DEAD)
		return NULL;
	old = s->value;
	*s = (struct map_slot){{NULL, 0}, MAP_DEAD, 0};
	m->len--;
	return old;
}

void *map_next(const struct map *m, size_t *pos)
{
	while (*pos < m->cap) {
		struct map_slot *s = &m->slots[(*pos)++];

		if (s->value != NULL && s->value != MAP_DEAD)
			return s->value;
	}
	return NULL;
}
