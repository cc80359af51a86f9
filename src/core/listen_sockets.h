/*
 * The sockets that the workers listen on: one for UDP and one for TCP for each address and worker.
 * A reload opens what is new and keeps the rest. Owns the list of addresses; the sockets belong to
 * the workers once they were handed over. Control thread only (control_load.c).
 */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "core/worker_thread.h"

struct generation;

/* Sockets just opened: as many in a row for each address as there are workers. */
struct socket_list {
	struct worker_sockets *at;
	size_t len, cap;
};

/* What the workers listen on. */
struct listen_address {
	union addr addr;
	bool has_tls;
};

struct listen_sockets {
	VEC(struct listen_address) open;
	VEC(union addr) held; /* the same since the start: some may be closing yet */
};

/* Free the lists; the sockets are not touched. */
void listen_sockets_fini(struct listen_sockets *l);
/* Close sockets that were not handed over, and free the list. */
void socket_list_close(struct socket_list *list);
/*
 * Open what g listens on and the workers do not yet, for so many workers, appending to out. 0, or
 * a negative errno with a sentence in e; then all of out is closed again.
 */
int listen_sockets_open(const struct listen_sockets *l, const struct generation *g,
	unsigned workers, struct socket_list *out, struct err *e);
/* From now on the workers listen on what g wants, as far as it could be opened. */
void listen_sockets_note(struct listen_sockets *l, const struct generation *g,
	const struct socket_list *opened);
