/*
 * A generation: everything that one reading of the configuration makes - server blocks, chains,
 * plugin instances, listen addresses. A reload builds the next one beside it.
 *
 * Lifetime: the control thread makes it, and frees it when it is replaced and every worker has
 * detached it, which a worker does only when none of its parked queries belongs to it.
 */
#pragma once

#include "base/err.h"
#include "base/arena.h"
#include "base/vec.h"
#include "core/server.h"
#include "core/setup.h"
#include "net/addr.h"
#include "net/stream.h"

struct corefile;
struct metrics;
struct worker;

/* One address to listen on, and the zones served there. */
struct listen {
	union addr addr;
	struct server_group group;
	struct stream_limits limits; /* of the first of its blocks that sets any */
	bool has_limits;
	struct tls_files *tls; /* DNS over TLS, with this certificate; NULL: UDP and TCP */
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
	struct arena arena;        /* texts of servers */
	struct corefile *corefile; /* owned */
	struct generation_options options;
	VEC(struct chain *) chains;      /* one a server block */
	VEC(struct server *) servers;    /* one a key and zone */
	VEC(struct listen *) listens;
	unsigned detached;               /* workers that are done with it; control thread */
};

/*
 * Build all server blocks of corefile, which the generation then owns whatever the outcome.
 * NULL with file, line and reason in e. Plugins that Seamark does not have are each reported
 * with log_error() and together fail the build.
 */
struct generation *generation_new(
	struct corefile *corefile, const struct generation_options *options, struct err *e);
/* Run the start hooks in chain order. On failure the caller frees g, which stops the rest. */
int generation_start(struct generation *g, struct err *e);
/* The listener of g on addr, with or without TLS, or NULL. */
const struct listen *generation_find_listen(
	const struct generation *g, const union addr *addr, bool has_tls);
/* Run attach hooks on worker w's thread. */
void generation_attach(struct generation *g, struct worker *w);
/* Run detach hooks on worker w's thread; no query of g is left there. */
void generation_detach(struct generation *g, struct worker *w);
/* Tear all instances down and free it. Control thread, no worker attached. */
void generation_free(struct generation *g);
/* Ask every metrics hook. The caller keeps g from being freed meanwhile. */
void generation_metrics(struct generation *g, struct metrics *m);
/*
 * Append the quoted names of plugins that are not ready, separated by commas; false when there are
 * any. The caller keeps g from being freed meanwhile.
 */
bool generation_is_ready(struct generation *g, struct buf *names);
/* Run stop hooks; true when every plugin lets the shutdown go on. */
bool generation_stop(struct generation *g);
