/*
 * Follows the zones of a kubernetes instance as a secondary would: after each change, what is
 * transferred must be what is answered, and the changes since earlier copies must lead to it.
 */
#pragma once

#include "kubernetes/kube.h"

#define COPIES_KEPT 5

struct zone_copy {
	uint32_t serial;
	struct buf row;
};

struct zone_copies {
	struct zone_copy at[COPIES_KEPT];
	unsigned incremental, full; /* copies that could be brought up to date with changes, or not */
};

/* The answer section as lines of presentation form. */
typedef const char *copies_ask(void *arg, const char *name, uint16_t type);

/* Have the instance keep changes of all zones. */
void copies_begin(struct kube *k);
/* Compare, and keep a copy of zone z; ask is asked for every record set. */
void copies_check(struct zone_copies *c, struct kube *k, struct kube_zone *z, copies_ask *ask,
	void *arg);
/* Free the copies. */
void copies_free(struct zone_copies *c);
