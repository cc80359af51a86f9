/*
 * The sockets of a relay: UDP sockets connected to an upstream, TCP connections, one timer. All
 * decisions are in relay.c; this is the thin part that talks to the kernel, and scenario and unit
 * tests link tests/lib/fake_relay_io.c in its place.
 *
 * One struct relay_io a relay, on the loop of its worker. Handlers are called from the loop, after
 * the host's enter(), and by relay_io_flush(); never from inside another function of this header.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"

struct uv_loop_s;
struct relay_io;
struct relay_udp;
struct relay_tcp;
struct tls_context;
struct log_limit_shared;

/* Largest query that is sent by UDP, and by TCP without its length. */
#define RELAY_QUERY_MAX 400u
/* Largest datagram that is received whole; we offer 1232, and ask again by TCP for larger ones. */
#define RELAY_DATAGRAM_MAX 2048u

/* What the worker around a relay provides. */
struct relay_host {
	struct uv_loop_s *loop;
	/* Top of each callback from the loop: RCU online, read the clock. */
	void (*enter)(void *arg);
	/* The time that was read at the top of the callback. */
	uint64_t (*now_ns)(void *arg);
	/* Ask for one call of relay_flush() at the end of the loop's turn. */
	void (*flush_later)(void *arg);
	void *arg;
};

/* Which way to an upstream server. */
struct relay_route {
	union addr to;
	union addr from; /* source address, port 0; AF_UNSPEC: the kernel chooses */
	struct tls_context *tls; /* for connections; NULL: plain */
	const char *name; /* what the certificate must be for; NULL: the address */
	struct log_limit_shared *tls_log; /* of this server; NULL: failures are not logged */
};

struct relay_io_handlers {
	/* A datagram from the upstream; is_cut when it was longer than RELAY_DATAGRAM_MAX. */
	void (*on_datagram)(void *socket_arg, const uint8_t *data, size_t n, bool is_cut);
	/* The kernel reports a negative errno (ICMP, routing, firewall); the socket stays usable.
	 */
	void (*on_udp_error)(void *socket_arg, int error);
	/* Octets of the TCP stream. */
	void (*on_stream)(void *socket_arg, const uint8_t *data, size_t n);
	/* The connection could not be made, broke, or the peer closed it (error 0); close it now.
	 */
	void (*on_tcp_end)(void *socket_arg, int error);
	/* The timer of relay_io_arm() is due. */
	void (*on_timer)(void *relay_arg);
	/* n bursts had to leave one by one: the way does not take them in segments (outbox.h). */
	void (*on_refused)(void *relay_arg, unsigned n);
};

/* Make the I/O side of a relay; relay_arg goes to on_timer. */
struct relay_io *relay_io_new(
        const struct relay_host *host, const struct relay_io_handlers *h, void *relay_arg);
/* Give it up; every socket has been closed. Its memory is freed by the loop. */
void relay_io_free(struct relay_io *io);
/* Have on_timer called in ms milliseconds; a later call replaces the earlier. */
void relay_io_arm(struct relay_io *io, uint64_t ms);

/*
 * Open a UDP socket with a random port of the kernel, connected to way->to. 0, or a negative errno
 * (-ENETUNREACH, -EMFILE, -EADDRNOTAVAIL for a source address that this host has not...).
 */
int relay_udp_open(struct relay_io *io, const struct relay_route *way, void *socket_arg,
        struct relay_udp **out);
/*
 * Queue a copy of n (at most RELAY_QUERY_MAX) octets; they leave with relay_io_flush(). With
 * is_again the question was sent before and perhaps lost with a burst: nothing leaves in segments
 * then.
 */
void relay_udp_send(struct relay_udp *s, const uint8_t *data, size_t n, bool is_again);
/* Close it; what is queued on it is dropped and no handler is called any more. */
void relay_udp_close(struct relay_udp *s);
/*
 * Send what is queued on all UDP sockets, in as few system calls as possible; on_udp_error is
 * called for those that fail.
 */
void relay_io_flush(struct relay_io *io);

/*
 * Begin a TCP connection to way->to, with TLS when the way has a context. 0, or a negative errno.
 * on_tcp_end gives -EKEYREJECTED when TLS failed; the reason is logged.
 */
int relay_tcp_open(struct relay_io *io, const struct relay_route *way, void *socket_arg,
        struct relay_tcp **out);
/* Send n (at most RELAY_QUERY_MAX) octets with their length before them; allowed at once. */
void relay_tcp_send(struct relay_tcp *s, const uint8_t *data, size_t n);
/* Close it; no handler is called any more. */
void relay_tcp_close(struct relay_tcp *s);
