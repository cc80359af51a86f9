/*
 * The HTTP server of health, readiness, metrics and the web page (libmicrohttpd). One thread
 * serves all listening addresses; it is started with the first route and ends with the last.
 *
 * Plugins add routes when they start and delete them when they are torn down. On a reload two
 * generations overlap: the second route for the same address and path takes the first one's place
 * without closing the port, and when it is deleted again - the reload failed - the first is back.
 * A path may move between all addresses and one of them without another port.
 *
 * Lifetime: the registry is one for the process, guarded by a lock. Handlers run on the HTTP
 * thread and may borrow published data (RCU). They must not wait for the control thread, which may
 * be waiting for them to end.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Limits of each address. */
#define ADMIN_CONNECTIONS_MAX 16u
#define ADMIN_CONNECTIONS_OF_IP_MAX 8u
#define ADMIN_HEAD_MAX 8192u      /* octets of a request's head */
#define ADMIN_IDLE_TIMEOUT_S 5u   /* without a byte */
#define ADMIN_REQUEST_TIMEOUT_MS 10000u /* from connection to answer, however lively */

/* What a handler fills in; it starts as 200 with an empty text/plain body. */
struct admin_reply {
	unsigned status;
	const char *content_type; /* static */
	struct buf body;
};

/* Answers GET and HEAD of one path. */
typedef void admin_handler_fn(void *arg, struct admin_reply *reply);

struct admin_route;

/*
 * Serve path on address ("127.0.0.1:8080", "[::1]:8080", "localhost:8080", or ":8080" for all
 * addresses). NULL with a sentence in e when the address cannot be listened on. Control thread.
 */
struct admin_route *admin_route_add(
	const char *address, const char *path, admin_handler_fn *fn, void *arg, struct err *e);
/*
 * End a route (NULL is ignored). When this returns its handler does not run and will not run
 * again; with the last route of an address its port is closed. Control thread.
 */
void admin_route_del(struct admin_route *r);
