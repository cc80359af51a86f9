/*
 * A set of keys of one length that knows whether any key begins with given bits: which partial
 * reverse names have something below them. A crit-bit tree: one node for each key but the first,
 * whatever the keys are. One writer (the control thread), readers without locks.
 *
 * Only the first bits of a key count, and keys that agree in them are kept once, with their
 * number: for the names of octets above IPv4 addresses 24 bits are enough.
 *
 * Lifetime: published (RCU). Nodes are immutable but for their children, which are replaced with
 * one store; what is taken out is freed after a grace period.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFIX_SET_BITS_MAX 128u

struct prefix_set {
	void *root; /* published: a node, or a key marked as such; NULL: empty */
	unsigned bits; /* of a key that count */
	size_t count; /* different keys; writer only */
};

/* An empty set of keys of which so many bits count, at most PREFIX_SET_BITS_MAX. */
void prefix_set_init(struct prefix_set *s, unsigned bits);
/* Free the set at once; no reader is left. */
void prefix_set_fini(struct prefix_set *s);
/* Add key (copied), as often as it is called. Writer. */
void prefix_set_add(struct prefix_set *s, const uint8_t *key);
/* Undo one prefix_set_add() of the key; false when it is not there. Writer. */
bool prefix_set_remove(struct prefix_set *s, const uint8_t *key);
/* True when a key begins with the first bits of prefix; for more than count false. Any thread. */
bool prefix_set_has(const struct prefix_set *s, const uint8_t *prefix, unsigned bits);
