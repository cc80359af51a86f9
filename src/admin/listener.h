/*
 * A listening address of the HTTP server, for http.c: opens the socket, speaks HTTP through
 * libmicrohttpd without threads of its own, and ends connections that take too long. Only
 * listener_new() may be called from another thread than the HTTP thread.
 */
#pragma once

#include <stdint.h>

#include "admin/http.h"
#include "base/list.h"

struct MHD_Daemon;

/* Finds the handler of a path and runs it; false when there is none. */
typedef bool listener_answer_fn(void *owner, const char *path, struct admin_reply *reply);

struct listener {
	struct list node;
	struct list routes;      /* of http.c, newest last */
	char *address;           /* as configured */
	struct MHD_Daemon *daemon;
	struct list connections;
	listener_answer_fn *answer;
	bool is_closing;
};

/*
 * Open address; beside others that a listener of ours has the port on, if it shares the port. NULL
 * with a sentence in e.
 */
struct listener *listener_new(
	const char *address, bool shares_port, listener_answer_fn *answer, struct err *e);
/* Descriptor that becomes readable when listener_run() has something to do. */
int listener_fd(const struct listener *l);
/* Serve what is ready, end connections past their time. Returns ms to wait, or -1: for ever. */
int listener_run(struct listener *l);
/* Close the port and all connections, and free it. */
void listener_free(struct listener *l);
