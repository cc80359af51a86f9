/*
 * A generation: everything that one reading of the configuration makes - server blocks, chains,
 * plugin instances, listen addresses. A reload builds the next one beside it.
 *
 * Lifetime: the control thread makes and frees it. Each worker that has it attached holds one
 * reference; so does each parked query through its worker, which detaches only when none is left.
 */
#pragma once

#include "base/err.h"
#include "base/ref.h"
#include "base/vec.h"
#include "core/server.h"
#include "core/setup.h"
#include "net/addr.h"

struct corefile;
struct metrics;
struct worker;

/* One address to listen on, and the zones served there. */
struct listen {
	union addr addr;
	struct server_group group;
};

/* What the embedding program or the command line chose. */
struct generation_options {
	const struct plugin *const *plugins; /* in chain order, NULL at the end */
	uint16_t default_port;               /* of keys without a port: 53, or -dns.port */
	unsigned workers;
	struct uv_loop_s *loop;
	struct shared *shared;
	struct control *control;
};

struct generation {
	struct ref refs;
	struct arena arena;              /* texts of servers */
	const struct corefile *corefile; /* owned */
	struct generation_options options;
	VEC(struct chain *) chains;      /* one a server block */
	VEC(struct server *) servers;    /* one a key and zone */
	VEC(struct listen *) listens;
	unsigned detached;               /* workers that are done with it; control thread */
	bool is_started;
};

/*
 * Build all server blocks of corefile, which the generation then owns whatever the outcome.
 * NULL with file, line and reason in e. Plugins that Seamark does not have are each reported
 * with log_error() and together fail the build.
 */
struct generation *generation_new(
	struct corefile *corefile, const struct generation_options *options, struct err *e);
/* Run the start hooks. On failure those already started are stopped; nothing else is changed. */
int generation_start(struct generation *g, struct err *e);
/* Run attach hooks on worker w's thread. */
void generation_attach(struct generation *g, struct worker *w);
/* Run detach hooks on worker w's thread; no query of g is left there. */
void generation_detach(struct generation *g, struct worker *w);
/* Tear all instances down and free it. Control thread, no worker attached. */
void generation_free(struct generation *g);
/* Ask every metrics hook. Any thread that holds a reference. */
void generation_metrics(struct generation *g, struct metrics *m);
/* Append the names of plugins that are not ready, separated by commas; false when there are any. */
bool generation_is_ready(struct generation *g, struct buf *names);
/* Run stop hooks; true when every plugin lets the shutdown go on. */
bool generation_stop(struct generation *g);
