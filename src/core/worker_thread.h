/*
 * The thread of a worker: its loop, its listeners and the generations attached to it. The control
 * thread talks to it through messages only.
 *
 * Lifetime: made and joined by the control thread.
 */
#pragma once

#include <stdint.h>

#include "core/generation.h"
#include "net/addr.h"
#include "net/udp.h"

struct worker_thread;

/* Sockets for one address that the worker does not listen on yet. */
struct worker_sockets {
	union addr addr;
	bool has_tls; /* TCP alone, with TLS inside */
	struct udp_socket udp; /* fd -1: none */
	int tcp; /* listening descriptor */
};

/* Called on the worker's thread when its last query of g is gone and g is detached there. */
typedef void worker_detached_fn(void *arg, struct generation *g);

struct worker_thread_config {
	unsigned index;
	const struct cookie_secrets *secrets;
	worker_detached_fn *on_detached;
	void *arg;
};

/* Start the thread. NULL with e set. */
struct worker_thread *worker_thread_start(const struct worker_thread_config *config, struct err *e);
/*
 * Serve generation g from now on: attach it, open listeners on the n new sockets (taken over,
 * array copied), close listeners whose address is not in g, and detach the generation before it
 * once its queries are done. Returns at once.
 */
void worker_thread_serve(struct worker_thread *t, struct generation *g,
	const struct worker_sockets *sockets, size_t n);
/*
 * Stop listening, answer what waits and send it, for a few seconds at most; then abandon the rest,
 * detach and end the thread. Returns at once.
 */
void worker_thread_drain(struct worker_thread *t);
/* Wait for the end of a thread that worker_thread_drain() was called for, and free it. */
void worker_thread_join(struct worker_thread *t);
/* The worker inside, for reading counters. */
const struct worker *worker_thread_worker(const struct worker_thread *t);
