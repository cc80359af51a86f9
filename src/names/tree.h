/*
 * A zone: its names as a tree of labels, each with precompiled record sets. zonefile.c builds it
 * on the control thread; plugins look names up in it (names/zone_answer.h makes whole answers).
 *
 * Lifetime: immutable once built; swapped whole under RCU; tree_free() after a grace period, which
 * leaves it to others who have a reference (zone transfers).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/ref.h"
#include "dns/name.h"
#include "dns/rrset.h"

/* Addresses of a name in the RDATA of a set: additional records. */
struct tree_extra {
	const uint8_t *owner; /* points into the RDATA, so that the encoder can compress it */
	const struct rrset *set;
};

/* A record set with what belongs to it. */
struct tree_set {
	const struct rrset *set;
	const struct rrset *sigs; /* RRSIG records that cover it, or NULL */
	const struct tree_extra *extras;
	uint16_t extras_len;
};

struct tree_node {
	const uint8_t *name; /* wire, lower case */
	const struct tree_set *sets;
	const struct tree_node *wildcard; /* its child "*", or NULL */
	uint32_t parent; /* index */
	uint32_t nsec; /* index of the last node with NSEC up to this one */
	uint16_t sets_len; /* 0: an empty non-terminal */
	bool is_cut; /* NS below the apex: a delegation */
	bool is_below_cut; /* glue */
	bool has_dname; /* and is no wildcard */
};

struct tree {
	struct ref ref; /* its publisher's, and those of transfers under way */
	struct arena arena;
	struct name origin; /* lower case */
	unsigned origin_labels;
	struct tree_node *nodes; /* in canonical order (RFC 4034 6.1); the first is the apex */
	size_t len;
	uint32_t *table; /* (parent, label) -> index + 1 */
	size_t mask;
	uint64_t seed;
	const struct tree_set *soa;
	/* TTL as RFC 2308 5 has it: min(TTL, MINIMUM) */
	const struct rrset *negative_soa, *negative_soa_sigs;
	bool has_nsec;
	uint32_t serial;
	size_t records; /* resource records in the zone */
};

enum tree_kind {
	TREE_OUTSIDE, /* not a name of the zone */
	TREE_ANSWER, /* set holds the type asked for (type ANY: one of the sets) */
	TREE_NODATA, /* the name exists, perhaps as an empty non-terminal, without the type */
	TREE_NXDOMAIN, /* neither the name nor a wildcard for it exists */
	TREE_CNAME, /* set is the CNAME that leads on */
	TREE_DNAME, /* set is the DNAME of node, an ancestor of the name (RFC 6672) */
	TREE_DELEGATION, /* set is the NS set of node, at or above the name */
};

struct tree_result {
	enum tree_kind kind;
	bool is_wildcard; /* found by synthesis (RFC 4592) */
	const struct tree_node *node; /* where set is; else the closest encloser */
	const struct tree_set *set;
	unsigned above; /* labels of the name in front of node's (node: the closest encloser) */
};

/* A record as the builder takes it. */
struct tree_record {
	const uint8_t *owner; /* wire, any case */
	uint16_t type;
	uint32_t ttl;
	const uint8_t *rdata; /* names uncompressed */
	uint16_t rdlength;
};

struct tree_builder;

/* Start a zone at a wire name. */
struct tree_builder *tree_builder_new(const uint8_t *origin);
/* Drop a builder that tree_build() has not taken. NULL is fine. */
void tree_builder_free(struct tree_builder *b);
/*
 * Add a record (copied). 0, or -EINVAL with the reason in e: outside the zone, a second SOA, other
 * data beside a CNAME. A record that is there already is ignored.
 */
int tree_add(struct tree_builder *b, const struct tree_record *r, struct err *e);
/*
 * Make the tree and free the builder, whatever the outcome. NULL with e set: no SOA at the apex,
 * a set that is too large. *warnings (may be NULL) counts sets with unequal TTLs, which all get
 * the lowest (RFC 2181 5.2), and names below a DNAME, which nobody can see (RFC 6672 2.4).
 */
struct tree *tree_build(struct tree_builder *b, unsigned *warnings, struct err *e);
/* One more reference, for a walk that takes longer than a batch; tree_free() gives it back. */
struct tree *tree_ref(struct tree *t);
/* Give a reference back, the last one frees the tree; NULL is fine. Any thread. */
void tree_free(struct tree *t);

/* Look a lower-case wire name up. Work is linear in its labels; nothing is allocated. */
struct tree_result tree_lookup(const struct tree *t, const uint8_t *folded, uint16_t type);
/* The node of exactly that lower-case name, glue included, or NULL. */
const struct tree_node *tree_node_at(const struct tree *t, const uint8_t *folded);
/* The order of names of RFC 4034 6.1, for lower-case wire names: as memcmp(). */
int tree_compare(const uint8_t *a, const uint8_t *b);
/*
 * The node whose NSEC record is of that name or spans it (RFC 4034 4), for a name of a zone with
 * has_nsec. Work grows with the logarithm of the zone.
 */
const struct tree_node *tree_nsec(const struct tree *t, const uint8_t *folded);
/* The set of a type at a node, or NULL. */
const struct tree_set *tree_node_set(const struct tree_node *n, uint16_t type);
