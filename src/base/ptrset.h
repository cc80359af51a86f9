/*
 * Hash set of pointers, found by a key that is read from what they point to: eight octets an
 * element, for the many objects of a large cluster. Control plane only, single thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* The key of an element; it stays the same while the element is in the set. */
typedef struct str ptrset_key_fn(const void *element);

struct ptrset {
	uint64_t *slots; /* tag << 48 | pointer; 0: never used, 1: removed */
	size_t cap, len, used;
	uint64_t seed;
	ptrset_key_fn *key;
};

/* Start an empty set with a random seed. */
void ptrset_init(struct ptrset *s, ptrset_key_fn *key);
/* Free the table; elements belong to the caller. */
void ptrset_fini(struct ptrset *s);
/* The element with the key, or NULL. */
void *ptrset_get(const struct ptrset *s, struct str key);
/* Put an element in the place of the one with its key; returns that one, or NULL. */
void *ptrset_put(struct ptrset *s, void *element);
/* Take the element with the key out; returns it, or NULL when there is none. */
void *ptrset_del(struct ptrset *s, struct str key);
/*
 * Walk in no special order: start with *pos = 0; returns elements until NULL. Removing the element
 * just returned is allowed; adding is not.
 */
void *ptrset_next(const struct ptrset *s, size_t *pos);
