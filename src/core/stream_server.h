/*
 * DNS over TCP (RFC 7766) or TLS (RFC 7858) on one address for one worker: the listening socket and
 * its connections, with pipelining and answers out of order.
 *
 * Lifetime: owned by the worker thread that opened it.
 */
#pragma once

#include "core/worker.h"

struct stream_server;

/*
 * Serve the listening descriptor fd (taken over) on w; serving must live until it is closed. With
 * serving->tls it is a listener with TLS, and remains one.
 */
struct stream_server *stream_server_open(struct worker *w, int fd, const struct serving *serving);
/* What s serves has other limits now. */
void stream_server_update(struct stream_server *s);
/*
 * Stop accepting, close idle connections, let queries in flight be answered for a few seconds;
 * memory is freed when the last connection is closed. Messages that wait behind others are not
 * looked at any more: their zones may be gone, and their clients ask again (RFC 7766 6.2.4).
 */
void stream_server_close(struct stream_server *s);
/* True while a client of w has not taken all its answers. */
bool stream_server_is_sending(const struct worker *w);
/* Close all servers of w at once, those included that stream_server_close() has begun with. */
void stream_server_close_all(struct worker *w);
