/*
 * Inside of the relay, shared by relay.c (questions), relay_upstream.c (servers, health) and
 * relay_channel.c (sockets, IDs, streams). Nobody else includes it.
 *
 *   exchange  a question in flight: its waiters and everything that was sent for it
 *   attempt   one query sent for it, open for replies until the exchange ends
 *   upstream  a server: its sockets and its health
 *   channel   a UDP socket or TCP connection with the attempts outstanding on it
 */
#pragma once

#include "net/relay.h"
#include "net/reply.h"
#include "net/wheel.h"

#define SOCKETS 16u /* UDP sockets a server, chosen at random for each turn of the loop */
#define SOCKET_USES 200u /* queries after which a socket is retired, and its port with it */
#define ID_BUCKETS 4096u
#define QUESTION_BUCKETS 2048u
#define OPTIONS_MAX 64u /* octets of a client's EDNS options that are passed on */
#define UDP_SENDS_MAX 2u /* for one question to one server */
#define PROBES 2u /* a probe has failed when two more intervals went by */

struct relay;
struct upstream;

/* A question as it is sent, with ID 0. */
struct question {
	uint64_t hash; /* of everything, the name folded */
	uint16_t len, end; /* all; behind the question, where our OPT starts */
	uint16_t name_len;
	uint8_t wire[RELAY_QUERY_MAX];
};

struct channel {
	struct list node; /* in upstream->retired or relay->dead */
	struct upstream *upstream;
	struct list attempts;
	struct wheel_node timer; /* UDP: retire it; TCP: close it when idle */
	struct relay_udp *udp; /* one of the two */
	struct relay_tcp *tcp;
	uint32_t number; /* never used twice: with the ID the key of an attempt */
	uint32_t uses;
	bool is_retired, is_closed;
	bool is_single; /* TCP: for one query, see relay_channel.c */
	uint32_t answers; /* TCP: messages that came, and when the last one did */
	uint64_t heard_ns;
	uint64_t opened_ms;
	uint8_t *in; /* TCP: length and octets of the message that is arriving */
	size_t in_len;
};

struct attempt {
	struct list node; /* in exchange->attempts; or the free list */
	struct list on_channel; /* while it is open */
	struct attempt *next_id;
	struct exchange *exchange;
	struct upstream *upstream;
	struct channel *channel; /* NULL when it is not open any more */
	uint64_t sent_ns;
	uint64_t letter_case; /* of the letters of the name, when has_random_case */
	uint16_t id;
	bool is_tcp, has_edns, has_random_case;
	bool has_error; /* the kernel reported one: do not wait for it */
	bool is_unhandled; /* such an error, not yet acted upon */
	bool is_second; /* of a TCP query: sent again on a fresh connection */
	bool is_refused; /* the server answered that it cannot */
};

/* An answer with an RCODE of relay_config.failover, until the others have been asked. */
struct kept_reply {
	union addr from;
	uint16_t rcode;
	bool is_authoritative;
	bool is_authentic;
	size_t len;
	uint8_t message[];
};

struct exchange {
	struct list node; /* in relay->in_flight, oldest first; or the free list */
	struct exchange *next_question;
	struct relay *relay;
	struct upstream *probed; /* a health probe of that server; NULL: a question of clients */
	struct list waiters;
	unsigned waiters_len;
	struct list attempts;
	struct wheel_node timer;
	uint64_t start_ms;
	unsigned sends; /* those that moved the retransmit schedule on */
	bool is_done;
	bool is_settling; /* all servers were asked, one said no: a little time for the others */
	bool has_failure, has_truncated;
	uint16_t failure; /* RCODE to pass on */
	struct kept_reply *kept; /* an answer to give when no other server has a better one */
	unsigned tries; /* servers asked, repetitions included */
	int error; /* last one of the network, 0: none */
	union addr asked; /* the last server */
	bool asked_by_tcp;
	struct question question;
};

struct upstream {
	struct list node; /* in relay->gone when it is no longer configured */
	struct relay *relay;
	struct relay_route way;
	struct relay_stats *stats;
	struct channel *udp[SOCKETS];
	unsigned slot; /* the one that is used until the next flush */
	uint32_t slot_turn; /* for which the slot was drawn */
	struct channel *tcp;
	uint64_t single_until_ms; /* each TCP query has a connection of its own */
	unsigned singles; /* such connections */
	struct list retired; /* channels that wait for the end of their attempts */
	bool is_gone;
	bool is_suspect; /* did not answer: others are preferred until it is heard */
	bool is_down; /* and max_fails probes failed */
	unsigned fails;
	uint32_t rtt_us; /* smoothed time to its replies; 0: not known */
	uint64_t asked_ms; /* when it was sent something last */
	uint64_t heard_ns; /* when its last good reply came */
	struct wheel_node probe_timer;
	struct exchange *probes[PROBES];
	unsigned probe_turn;
};

struct relay {
	struct relay_host host;
	struct relay_io *io;
	struct relay_config config;
	struct wheel wheel;
	uint64_t armed_ms; /* when the timer fires; UINT64_MAX: not armed */
	struct upstream *upstreams[RELAY_TARGETS_MAX];
	unsigned upstreams_len;
	struct list gone;
	struct list in_flight;
	unsigned count; /* of in_flight */
	struct list free_exchanges, free_attempts;
	struct list dead; /* channels to free when no function uses them any more */
	unsigned turn; /* of round_robin */
	uint32_t flushes; /* counts the loop's turns */
	uint32_t next_number;
	uint64_t seed;
	struct relay_totals *totals;
	struct exchange *by_question[QUESTION_BUCKETS];
	struct attempt *by_id[ID_BUCKETS];
	struct reply reply; /* the one that is being handed out */
};

/* relay_question.c: what is sent */

/* Make the query for a client's: our own OPT, end-to-end options kept. Hash under seed. */
void question_make(struct question *q, const uint8_t *wire, const struct msg *m, uint64_t seed);
/* Copy what there is of it. */
void question_copy(struct question *to, const struct question *from);
/* Make a query of our own for name/type, with recursion desired or not. */
void question_probe(struct question *q, const struct name *name, bool is_recursive);
/* Equal questions that may share one reply. */
bool question_equal(const struct question *a, const struct question *b);
/* Write what leaves for the attempt: its ID, its case, with or without OPT. Returns its length. */
size_t question_write(const struct question *q, const struct attempt *a, uint8_t *out);
/* True when the reply carries the question of the attempt, in the case that it was sent in. */
bool question_is_answered(
        const struct question *q, const struct attempt *a, const uint8_t *data, size_t n);
/* What reply_is_for() and reply_clean() want to know. */
struct reply_question question_view(const struct question *q);

/* relay_channel.c: sockets */

/* Send the exchange's question to up and register the attempt a. 0 or a negative errno. */
int attempt_send(struct attempt *a);
/* The attempt takes no reply any more. */
void attempt_close(struct attempt *a);
/* Send nothing more on the present sockets; each is closed when its last attempt has ended. */
void channels_close(struct upstream *up);
/* Free the channels that were closed; nothing on the stack may use one. */
void channels_free(struct relay *r);
/* The handlers that relay_io calls. */
extern const struct relay_io_handlers relay_handlers;

/* relay_upstream.c: servers */

/* The server to ask next, or NULL. is_scheduled: a second query to the same one is fine. */
struct upstream *upstream_pick(struct exchange *x, bool is_scheduled);
/* A reply took so many nanoseconds. */
void upstream_took(struct upstream *up, uint64_t ns);
/* It gave a sign of life. */
void upstream_heard(struct upstream *up);
/* It did not answer, or the kernel says that it cannot be reached: prefer others, probe it. */
void upstream_suspect(struct upstream *up);
/* Stop its probes. */
void upstream_quiet(struct upstream *up);
/* True when all servers are down. */
bool upstreams_are_down(const struct relay *r);
/* True when it is asked over connections only. */
bool upstream_is_stream(const struct upstream *up);
/* Count for the server there from now on; NULL: for none. */
void upstream_count(struct upstream *up, struct relay_stats *stats);
/* A server that is configured from now on. */
struct upstream *upstream_new(struct relay *r, const struct relay_target *t);
/* It is no longer configured: sockets close when their last attempt has ended. */
void upstream_remove(struct upstream *up);
/* Free the servers that are gone and have nothing open any more. */
void upstreams_free(struct relay *r);

/* relay.c: questions */

/* The monotonic time of this callback. */
uint64_t relay_now_ms(const struct relay *r);
/* Set a timer in the relay's wheel, milliseconds from now. */
void relay_timer(struct relay *r, struct wheel_node *n, uint64_t in_ms);
/* Free what ended; only where nothing on the stack can use it: at the end of handlers. */
void relay_reap(struct relay *r);
/* The wheel's timer is due. */
void relay_on_timer(void *arg);
/* A message with the right ID came for a. */
void attempt_reply(struct attempt *a, const uint8_t *data, size_t n, bool is_cut);
/* The kernel reported an error for a; a TCP attempt is closed already. */
void attempt_error(struct attempt *a);
/* A fresh exchange for a probe of up. */
struct exchange *exchange_probe(struct upstream *up);
/* End it without a word: close its attempts, give it back to the pool. */
void exchange_drop(struct exchange *x);
