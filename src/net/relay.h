/*
 * The relay: sends questions of clients to upstream servers and gives back clean answers. One a
 * worker and forward rule. It decides everything - which server, which socket, which ID, when to
 * try another one, what counts as the answer - and runs without sockets (relay_io.h does I/O),
 * so that every fault of an upstream is a table row in tests/unit/test_relay_faults.c.
 *
 * Rules: identical questions in flight are sent once; a reply is accepted only from the connected
 * socket, with the ID, the question, QR=1 and opcode 0 (RFC 5452), and a bad one never ends
 * anything; every attempt stays open until the deadline; at most two UDP queries and one TCP query
 * a server leave for one question (RFC 9520 2.2, NXNS).
 *
 * Lifetime: made and freed on its worker's thread; nothing of it is shared but the stats.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "dns/msg.h"
#include "dns/name.h"
#include "net/addr.h"
#include "net/relay_io.h"
#include "net/relay_stats.h"

#define RELAY_TARGETS_MAX 15u

enum relay_policy {
	RELAY_RANDOM,
	RELAY_ROUND_ROBIN,
	RELAY_SEQUENTIAL,
	RELAY_NEAREST, /* a random one of those that answer soonest */
};

struct relay_config {
	enum relay_policy policy;
	bool force_tcp;
	bool probe_without_recursion; /* health_check no_rec */
	uint32_t max_fails; /* failed probes that make a server down; 0: no probes, never */
	uint32_t probe_interval_ms;
	uint32_t expire_ms; /* age at which a socket is retired, idle time of TCP */
	uint32_t deadline_ms; /* SERVFAIL after that */
	uint32_t in_flight_max; /* distinct questions; the oldest gives way */
	uint32_t read_timeout_ms; /* silence after which the next one is asked; 0: the schedule's */
	uint32_t max_age_ms; /* age at which a TCP connection takes no more queries; 0: any */
	uint32_t max_idle; /* UDP sockets a server that stay open unused; 0: all */
	uint32_t max_attempts; /* servers asked for one question, repetitions included; 0: any */
	uint32_t failover; /* bit n: RCODE n of one server is no answer while there are others */
	bool fails_fast; /* when all servers are down nobody is asked */
	bool has_random_case; /* letters of names are sent in random case (0x20) */
	union addr source; /* where queries leave from, port 0; AF_UNSPEC: the kernel chooses */
	struct name probe_name; /* asked for NS */
};

/* One upstream server; pointers outlive its use. */
struct relay_target {
	union addr addr;
	struct tls_context *tls; /* of this server and worker; NULL: plain UDP and TCP */
	const char *name; /* of its certificate; NULL: its address */
	struct log_limit_shared *tls_log; /* see relay_io.h */
	struct relay_stats *stats; /* of this worker */
};

/* What a waiter gets; everything is borrowed until it returns. */
struct relay_reply {
	uint16_t rcode;
	uint16_t ede; /* when the answer is our own SERVFAIL, else EDE_NONE */
	bool is_truncated; /* TC: TCP did not work either */
	bool is_authoritative; /* AA of the upstream: it has the zone itself */
	bool is_authentic; /* AD of the upstream */
	/* header, question (maybe in another case), records; NULL when there are no records */
	const uint8_t *message;
	size_t len;
	/* the server that answered, or the last one asked; NULL when there was none to ask */
	const union addr *from;
	bool is_tcp; /* how that server was asked */
	int error; /* when nobody answered: -ETIMEDOUT, or what the network said */
};

/* One client's interest in a question; the caller's memory, until on_reply or relay_cancel(). */
struct relay_waiter {
	struct list node;
	/* Called once; may call relay_ask() and relay_cancel() of others. */
	void (*on_reply)(struct relay_waiter *w, const struct relay_reply *reply);
	void *exchange; /* private */
};

/*
 * What a relay counts over all servers; written by its worker, read by scrapes. Lifetime: the
 * caller's, longer than the relay's.
 */
struct relay_totals {
	uint64_t shed; /* questions given up because in_flight_max was reached */
	uint64_t refused; /* bursts that the network did not take in segments */
	uint64_t all_down; /* times that a server was chosen at random because all were down */
};

struct relay;

/* Fill in the defaults: random, 2 fails, probes each 0.5 s for ". NS", 10 s, 4.5 s, 2048. */
void relay_config_init(struct relay_config *c);
/* A relay without servers. host is copied. */
struct relay *relay_new(const struct relay_host *host, struct relay_totals *totals);
/* Close everything; no waiter may be left. */
void relay_free(struct relay *r);
/*
 * Use this configuration and these servers (at most RELAY_TARGETS_MAX, each once) from now on.
 * Servers that stay keep their sockets and health; questions that are out with others finish.
 */
void relay_set(struct relay *r, const struct relay_config *c, const struct relay_target *targets,
        size_t n);
/*
 * Ask the question of the client's query at wire, as msg_parse() read it into m. w->on_reply is
 * called once, perhaps before this returns, with SERVFAIL when there is no server or no answer.
 */
void relay_ask(struct relay *r, const uint8_t *wire, const struct msg *m, struct relay_waiter *w);
/* Forget a waiter that was not called yet; the question itself goes on for the others. */
void relay_cancel(struct relay_waiter *w);
/* Send what is queued; the host calls it at the end of the loop's turn. */
void relay_flush(struct relay *r);
/* Distinct questions in flight. */
unsigned relay_in_flight(const struct relay *r);
