/*
 * What a plugin that asks other servers (forward) offers to the plugins that watch over them
 * (loop) or keep what they answer (cache): see core/offer.h. Control thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "net/addr.h"

#define UPSTREAMS "upstreams"

/* A server that questions of a zone go to. */
struct upstream {
	union addr addr;
	const char *zone; /* text, "." or "corp.example."; lives as long as the instance */
};

/*
 * Who wants to know when names go to servers of another network than before, so that answers that
 * are known may be wrong. Filled and owned by who follows; list_remove(&f->node) ends it.
 */
struct upstreams_follower {
	struct list node; /* list_init() it once */
	void (*on_change)(struct upstreams_follower *f);
};

struct upstreams_ops {
	/* The next server in use: start with *pos = 0, false at the end. */
	bool (*next)(void *instance, size_t *pos, struct upstream *out);
	/* Do not ask the server at addr, whatever names it, until it is taken back. */
	void (*leave_out)(void *instance, const union addr *addr);
	/* Take a server back. */
	void (*take_back)(void *instance, const union addr *addr);
	/* Tell f of changes from now on, after they are made. */
	void (*follow)(void *instance, struct upstreams_follower *f);
};
