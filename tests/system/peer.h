/*
 * A scripted HTTP server on the loop of a test: it hands each request to the test, which decides
 * about every octet that goes back and when. For what a well-behaved server never does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/str.h"

struct peer;
struct peer_conn;

/* A request has come: its head as text. With raw set, called for each piece that arrives instead.
 */
typedef void peer_fn(void *arg, struct peer_conn *c, const char *request);

/* A server on a free port of 127.0.0.1; serve is called with arg. */
struct peer *peer_new(uv_loop_t *loop, peer_fn *serve, void *arg);
/* Stop; the loop frees it when its handles are closed. */
void peer_free(struct peer *p);
/* Hand over octets as they come, without looking for HTTP. */
void peer_set_raw(struct peer *p);
/* Where it listens. */
unsigned peer_port(const struct peer *p);
/* Connections that were accepted so far. */
unsigned peer_accepted(const struct peer *p);

/* From now on send n octets at a time, one such piece each ms (0: each turn of the loop). */
void peer_pace(struct peer_conn *c, size_t n, unsigned ms);
/* Send, after what was sent before. Nothing when the connection is gone. */
void peer_send(struct peer_conn *c, const void *data, size_t n);
/* Send text. */
void peer_text(struct peer_conn *c, const char *text);
/* Send one chunk of a chunked body, with extensions (or "") behind its size. */
void peer_chunk(struct peer_conn *c, const void *data, size_t n, const char *extensions);
/* End the connection when all is sent, by a FIN or a reset. */
void peer_close(struct peer_conn *c, bool reset);
/* Let the kernel drop all that comes from the client: not even keepalives are acknowledged. */
void peer_black_hole(struct peer_conn *c);
