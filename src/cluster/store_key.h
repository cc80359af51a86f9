/*
 * Keys "namespace/name" of the store, and its lists of objects that have something in common: a
 * namespace, the Service or the ServiceImport of slices. Used by store.c alone.
 */
#pragma once

#include "base/map.h"
#include "cluster/store.h"

struct key {
	char text[2 * OBJECT_MAX_NAME + 2];
	size_t len;
};

/* Make the key of a name in a namespace ("" without one). False when they are too long. */
bool make_key(struct key *k, const char *ns, const char *name);
/* The key as text; borrowed. */
struct str key_str(const struct key *k);

/* Add o at the end of the list of a key; returns its place there. */
uint32_t group_push(struct map *groups, struct str key, const struct object *o);
/*
 * Take out what is at a place of the list of a key, and free the list when it was the last. The
 * last one moves to that place and is returned, NULL when it was the last itself.
 */
const struct object *group_take(struct map *groups, struct str key, uint32_t at);
/* The list of a key; empty when there is none. Valid until it changes. */
struct object_list group_list(const struct map *groups, struct str key);
/* Free all lists and the map. */
void groups_fini(struct map *groups);
