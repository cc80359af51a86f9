/*
 * Hash map from byte strings to pointers; control plane only, single thread. The map keeps a
 * pointer to the key, which must live as long as the entry: keep it inside the value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct map_slot {
	struct str key;
	void *value; /* NULL: never used; MAP_DEAD inside: removed */
	uint64_t hash;
};

struct map {
	struct map_slot *slots;
	size_t cap, len, used;
	uint64_t seed;
};

/* Start an empty map with a random seed. */
void map_init(struct map *m);
/* Free the table; keys and values belong to the caller. */
void map_fini(struct map *m);
/* The value stored under key, or NULL. */
void *map_get(const struct map *m, struct str key);
/* Store value (not NULL) under key; returns the value it replaces, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
/* Remove key; returns its value, or NULL when there is none. */
void *map_del(struct map *m, struct str key);
/*
 * Walk in no special order: start with *pos = 0; returns values until NULL. Deleting the entry
 * just returned is allowed; adding is not.
 */
void *map_next(const struct map *m, size_t *pos);
