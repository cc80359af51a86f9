/*
 * UDP sockets of a worker: own file descriptors with SO_REUSEPORT, read and written in batches
 * by recvmmsg and sendmmsg. Called by core/udp_listener.c. Knows nothing of DNS.
 *
 * libuv's own UDP handles allocate 64 KiB a datagram, hide control messages and send one packet a
 * call, so the descriptor is ours and libuv only says when it is readable.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/addr.h"

#define UDP_BATCH 32u

/* One datagram. buf and cap are set by the caller; the rest by udp_recv(). */
struct udp_packet {
	uint8_t *buf;
	size_t cap, len;
	bool is_cut;      /* it was longer than cap */
	bool is_broadcast; /* or multicast; known of wildcard sockets, others get none */
	union addr peer;  /* who sent it, or where to send it */
	union addr
	        local; /* address it was sent to, where the socket is a wildcard; else family 0 */
	void *owner;      /* the caller's */
};

struct udp_socket {
	int fd;
	bool is_wildcard; /* needs IP_PKTINFO, to answer from the address that was asked */
	int family;
};

/*
 * Open and bind a socket on addr, non-blocking, close-on-exec, SO_REUSEPORT, 4 MiB of receive
 * buffer where the kernel allows it, without path MTU discovery (RFC 9715). 0 or a negative
 * errno with e set. The port that was bound is put into addr when it asked for port 0.
 */
int udp_open(struct udp_socket *s, union addr *addr, struct err *e);
/*
 * Take no more datagrams: from now on they go to the other sockets on the address, if there are
 * any. What was taken can still be received, and answers can be sent, until udp_close().
 */
void udp_mute(struct udp_socket *s);
/* Close it. */
void udp_close(struct udp_socket *s);
/* Receive up to n (at most UDP_BATCH) datagrams; the number of them, 0 when there is none. */
unsigned udp_recv(struct udp_socket *s, struct udp_packet **packets, unsigned n);
/*
 * Send n (at most UDP_BATCH) datagrams; the number that the kernel took. A full socket buffer is
 * tried once more; what then remains is the caller's loss to count.
 */
unsigned udp_send(struct udp_socket *s, struct udp_packet *const *packets, unsigned n);
/*
 * Fail with -EADDRINUSE when another process holds addr already: SO_REUSEPORT would share it
 * silently. type is SOCK_DGRAM or SOCK_STREAM.
 */
int socket_probe(const union addr *addr, int type, struct err *e);
/* Open, bind and listen on a TCP socket, SO_REUSEPORT; the descriptor or a negative errno. */
int tcp_listen(union addr *addr, struct err *e);
