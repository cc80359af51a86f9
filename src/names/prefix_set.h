/*
 * A set of keys of one length that knows whether any key begins with given bits: which partial
 * reverse names have something below them. A crit-bit tree: one node for each key but the first,
 * whatever the keys are. One writer (the control thread), readers without locks.
 *
 * Keys are not copied: they belong to what the caller publishes beside the set.
 *
 * Lifetime: published (RCU). Nodes are immutable but for their children, which are replaced with
 * one store; what is taken out is freed after a grace period.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prefix_set {
	void *root; /* published: a node, or a key marked as such; NULL: empty */
	unsigned octets; /* of a key, at most 32 */
	size_t count; /* writer only */
};

/* An empty set of keys of so many octets. */
void prefix_set_init(struct prefix_set *s, unsigned octets);
/* Free the set at once; no reader is left. */
void prefix_set_fini(struct prefix_set *s);
/*
 * Add key, or put it in the place of an equal one, which may be freed after a grace period. It
 * must be aligned to 2 and stay as it is until it is replaced or removed. Writer.
 */
void prefix_set_put(struct prefix_set *s, const uint8_t *key);
/* Take the key with these octets out; false when there is none. Writer. */
bool prefix_set_remove(struct prefix_set *s, const uint8_t *key);
/* True when a key begins with the first bits of prefix (at most all of a key). Any thread. */
bool prefix_set_has(const struct prefix_set *s, const uint8_t *prefix, unsigned bits);
