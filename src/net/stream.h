/*
 * DNS over TCP, server side (RFC 7766, RFC 9210): accepts connections, cuts them into messages,
 * sends answers in whatever order they come, and keeps every client within limits of time,
 * memory and number. Knows nothing of what a message says. Called by core/stream_server.c.
 *
 * A message that is handed over keeps its connection's memory until stream_done(), even when the
 * peer has gone meanwhile: answers to it are then thrown away. All on the thread of one loop.
 *
 * The same over TLS (RFC 7858) when the owner gives certificates: below the framing, with the
 * limits of TCP; the handshake counts as the first message, and only messages renew the idle time.
 *
 * The callbacks may send at once, later, or never; what they send in a turn of the loop goes out
 * in one write when the owner calls stream_pool_flush() at the end of the turn.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "net/addr.h"
#include "net/tls.h"

struct uv_loop_s;
struct stream; /* a connection */
struct stream_pool; /* a listening socket and its connections */

/* What one listening socket allows; zero members are not special. */
struct stream_limits {
	uint32_t idle_ms; /* nothing in flight, nothing half received (RFC 7766 6.2.3) */
	uint32_t message_ms; /* from the first octet of a message to its last */
	uint32_t write_ms; /* in which a peer must read a fair part of what waits for it */
	uint32_t tick_ms; /* how late a deadline may be noticed */
	uint32_t connections; /* at once; a newcomer takes the place of the oldest idle one */
	uint32_t per_client; /* of them from one IPv4 address or IPv6 /64 */
	uint32_t in_flight; /* messages of one connection; then it is not read */
	uint32_t output_pause; /* octets that wait to be sent; above it a connection is not read */
	uint32_t output_max; /* octets that wait to be sent; above it the connection is closed */
	size_t memory; /* octets of all buffers of all connections */
	uint32_t messages; /* of one connection, which is then closed; 0: any number */
};

/* Defaults; the reasons stand beside the numbers. */
extern const struct stream_limits stream_limits_default;

/* Counts of events. Written by the thread of the loop, read by any (relaxed). */
struct stream_counters {
	uint64_t accepted, closed;
	uint64_t refused; /* no room for a newcomer, or no descriptor */
	uint64_t evicted; /* closed to make room for another */
	uint64_t timeouts; /* closed by a deadline */
	uint64_t bad; /* impossible length field */
	uint64_t messages;
	uint64_t handshakes; /* of TLS, completed */
	uint64_t resumed; /* of them without certificates */
	uint64_t tls_failed; /* of TLS, not completed or broken later */
	uint64_t tls_faults[TLS_FAULTS]; /* of them, by their kind */
};

/* The owner's side. arg is given to each. */
struct stream_callbacks {
	/* The top of a turn of the loop in which on_message may be called; may be NULL. */
	void (*on_turn)(void *arg);
	/*
	 * A whole message of 12 to 65535 octets, valid during the call. The owner calls
	 * stream_send() any number of times (usually once, a zone transfer more) and then
	 * stream_done() once.
	 */
	void (*on_message)(struct stream *c, const uint8_t *message, size_t len, void *arg);
	/* Call stream_pool_flush() at the end of this turn. */
	void (*flush_later)(void *arg);
	/*
	 * TLS with the peer failed; why is a clause such as "wrong version number", valid during
	 * the call. Not called for peers that just left. May be NULL.
	 */
	void (*on_tls_failed)(struct stream *c, const char *why, void *arg);
	/* No connection, handle or unanswered message is left; the pool is freed right after. */
	void (*on_stopped)(void *arg);
	void *arg;
};

struct stream_config {
	struct uv_loop_s *loop;
	const struct stream_limits *limits; /* NULL: the defaults */
	struct stream_callbacks callbacks;
	struct stream_counters *counters;
	/*
	 * With what the next connection begins TLS; borrowed for the turn of the loop, NULL turns
	 * the peer away. Itself NULL: without TLS. Gets the argument of the callbacks.
	 */
	struct tls_context *(*tls)(void *arg);
};
/*
 * Serve the bound, listening, non-blocking socket fd, which then belongs to the pool. counters
 * must outlive it. NULL when the loop cannot watch fd, which is then still the caller's.
 */
struct stream_pool *stream_pool_new(int fd, const struct stream_config *config);
/*
 * Stop gracefully: take what waits to be accepted, close the listening socket and idle
 * connections, answer what has arrived, close the rest after grace_ms. on_stopped follows, never
 * before this returns. May be called again with a shorter grace; 0 closes everything at once.
 */
void stream_pool_stop(struct stream_pool *p, uint32_t grace_ms);
/* Other limits from now on, for connections that are open too. */
void stream_pool_limit(struct stream_pool *p, const struct stream_limits *limits);
/* Send what was queued in this turn and go on with connections that were held back. */
void stream_pool_flush(struct stream_pool *p);
/* True while a peer has not taken all that was sent to it. */
bool stream_pool_is_sending(const struct stream_pool *p);
/* Open connections. */
unsigned stream_pool_connections(const struct stream_pool *p);

/*
 * Queue a message of len <= 65535 octets for the peer; dropped when the connection has gone. A
 * peer that lets too much wait is disconnected.
 */
void stream_send(struct stream *c, const uint8_t *message, size_t len);
/* Give back a message of on_message; after it c must not be used on its behalf. */
void stream_done(struct stream *c);
/* Disconnect: an answer of several messages cannot be completed. */
void stream_abort(struct stream *c);
/* True when more than output_pause octets wait: a sender of many messages should pause. */
bool stream_is_full(const struct stream *c);
/* Someone who waits for a connection to take more; list_init() its node once. */
struct stream_waiter {
	struct list node;
	void (*fn)(struct stream_waiter *w);
};
/*
 * Have w->fn called once, in a later turn of the loop, when no more than output_pause octets wait
 * and the kernel takes more; also when the peer has gone. The caller has a message of on_message
 * in hand; who does not want to be called any more takes the node out.
 */
void stream_wait_room(struct stream *c, struct stream_waiter *w);
/* True when the peer has gone, and with it the use of computing an answer. */
bool stream_is_closed(const struct stream *c);
/* True when the connection is inside TLS. */
bool stream_has_tls(const struct stream *c);
/* The peer's address. */
const union addr *stream_client(const struct stream *c);
/* The address that the peer connected to; family 0 when the kernel would not tell. */
const union addr *stream_local(const struct stream *c);
/* Idle time to announce (RFC 7828 3.1), units of 100 ms; 0 asks the peer to close. */
uint16_t stream_keepalive(const struct stream *c);
