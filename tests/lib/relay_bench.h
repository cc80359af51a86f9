/*
 * A relay on the fake network, with upstream servers that do as a script of words says. What the
 * unit tests of the relay share.
 *
 *   UDP words  ok, servfail, refused, notimp, nxdomain, nodata, formerr, noedns (FORMERR to EDNS),
 *              badvers, bareformerr, tc, ttl, extra, opt, sixty: replies; drop: none; icmp, eperm,
 *              nonet, nobufs: errors of the kernel; wrongid, wrongq, wrongtype, qr0, notify,
 *              malformed, loop, header, short, empty: replies that must not be believed
 *              WORD@MS: after so long; ONE+TWO: the second 50 ms after the first
 *   TCP words  those, and close, reset, refuse, zero, cutN (reset after N octets of the reply),
 *              last (reply, then close), bytes (an octet a time), glue (with the next reply), drop
 */
#pragma once

#include "test.h"

#include "fake_relay_io.h"
#include "net/relay.h"

#define SERVERS_MAX 4

struct server {
	const char *udp, *tcp; /* what it does, one word a query; the last one repeats */
	unsigned udp_count, tcp_count;
	uint8_t carry[1024]; /* a reply that is glued to the next */
	size_t carry_len;
};

/* A question and what came back. */
struct asked {
	struct relay_waiter waiter;
	bool is_done;
	uint64_t done_ms;
	uint16_t rcode, ede;
	bool is_truncated, is_authentic;
	int error;
	size_t len;
	uint8_t message[65535];
};

extern struct server servers[SERVERS_MAX];
extern struct relay_stats stats[SERVERS_MAX];
extern struct relay *relay;
extern struct relay_totals totals;
extern struct relay_config config;
extern const uint8_t good_ip[4], bad_ip[4]; /* of the true answer, and of all others */

/* A relay to the first n servers, 192.0.2.1 port 53 and following, asked in their order. */
void set_up(unsigned n);
/* A relay to one server with these scripts. */
void one_question(const char *udp, const char *tcp);
/* Free the relay. */
void tear_down(void);
/* A client's query with ID 0x1234, parsed into m; its length. */
size_t make_query(uint8_t *out, struct msg *m, const char *name, uint16_t type);
/* Ask for the addresses of name. */
void ask(struct asked *a, const char *name);
/* What came back in a few words: RCODE, TC, whether the last octets are those of good_ip. */
const char *outcome(const struct asked *a);
/* For relay_waiter.on_reply of a struct asked. */
void on_reply(struct relay_waiter *w, const struct relay_reply *reply);
/* The reply to query that a word stands for; its length, 0: none. */
size_t make(uint8_t *out, const uint8_t *query, const char *word);
/* True for health probes. */
bool is_probe(const struct fake_sent *sent);
/* For fake_net.on_send: nobody answers; what was sent is in last_sent. */
void keep_sent(const struct fake_sent *sent);
extern struct fake_sent last_sent;
