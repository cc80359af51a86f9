/*
 * A network of the test's own in place of src/net/relay_io.c, with a clock that the test moves.
 * What the relay sends is shown to fake_net.on_send, which schedules what comes back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/relay_io.h"

struct fake_socket;

/* A query that left. */
struct fake_sent {
	struct fake_socket *socket;
	union addr to, from;
	bool is_tcp;
	bool is_again; /* as relay_udp_send() was told */
	uint64_t at_ms;
	size_t len;
	uint8_t data[RELAY_QUERY_MAX];
};

struct fake_net {
	uint64_t now_ns;
	void (*on_send)(const struct fake_sent *sent);
	int open_error; /* what opening a socket gives */
	unsigned udp_sent, tcp_sent;
	unsigned udp_open, tcp_open; /* sockets open now */
	unsigned udp_opened, tcp_opened;
	unsigned flushes_asked;
};

extern struct fake_net fake_net;

/* The host for relay_new(): the fake clock; no loop. */
extern const struct relay_host fake_host;

/* Forget everything; time starts at 100 s. */
void fake_net_reset(void);
/* Give the relay that owns the sockets, so that the end of a turn can flush it. */
struct relay;
void fake_net_own(struct relay *r);
/* In delay_ms, hand n octets to the socket that sent (a datagram, or a piece of the stream). */
void fake_reply(const struct fake_sent *sent, uint64_t delay_ms, const void *data, size_t n);
/* In delay_ms, report an error (UDP), or the end of the connection (TCP; 0: closed by the peer). */
void fake_error(const struct fake_sent *sent, uint64_t delay_ms, int error);
/* Let ms milliseconds go by. */
void fake_advance(uint64_t ms);
/* Milliseconds on the fake clock. */
uint64_t fake_now_ms(void);
