/*
 * The keys that writes touch between two commits of the store, each once.
 */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "cluster/store.h"

struct touches {
	struct arena arena; /* texts of the touches */
	struct map seen;
	VEC(struct touch) list;
	uint64_t trigger_ms;
};

/* Start empty. */
void touches_init(struct touches *t);
/* Free everything. */
void touches_fini(struct touches *t);
/* Note a key (ns and name may be NULL as in struct touch); copied. */
void touches_add(struct touches *t, enum touch_kind kind, const char *ns, const char *name);
/* Note an address. */
void touches_add_ip(struct touches *t, const struct ip *ip);
/* Note what is different between two states of one object; either may be NULL. */
void touches_add_change(struct touches *t, const struct object *old, const struct object *now);
