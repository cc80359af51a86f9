/*
 * The control socket: a Unix socket on which a running server answers what a person asks about it
 * (core/explain.h). One request a connection: a line; the answer is a line "ok" or "error: ..."
 * and then text up to the end of the connection. Owner and mode (0600) of the socket decide who may
 * ask.
 *
 * Owned by the control thread and served on its loop, which is the only writer of what is read.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Where the daemon has it unless told otherwise. */
#define CONTROL_SOCKET_PATH "/run/seamark/control.sock"
/* Connections at a time; further ones wait. */
#define CONTROL_SOCKET_CLIENTS 8u
/* A client that has not sent its request and taken its answer after this is cut off. */
#define CONTROL_SOCKET_TIMEOUT_MS 5000u

/* Environment variable that names another place, for the daemon and for those who ask it. */
#define CONTROL_SOCKET_ENV "SEAMARK_CONTROL"

struct control_socket;
struct uv_loop_s;

/* Where it is when no flag says so: the environment's place, or CONTROL_SOCKET_PATH. */
const char *control_socket_usual(void);

/* Answers a request line, appending to out. 0, or a negative errno with a sentence in e. */
typedef int control_socket_fn(void *arg, struct str request, struct buf *out, struct err *e);

/*
 * Listen at path; the directory is made when only its last part is missing, and a socket that
 * nobody serves any more is replaced. NULL with a sentence in e and errno; EADDRINUSE when another
 * server has it.
 */
struct control_socket *control_socket_open(struct uv_loop_s *loop, const char *path,
	control_socket_fn *fn, void *arg, struct err *e);
/*
 * Stop listening, remove the socket and cut all clients off. Memory is freed by the loop, which
 * must run until the handles are closed. NULL is ignored.
 */
void control_socket_close(struct control_socket *s);
