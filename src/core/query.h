/*
 * One question on its way through a chain: the object that every plugin hook gets.
 *
 * A query belongs to one worker for its whole life. On the hot path it is answered inside the
 * callback that received it; a plugin that must wait returns WAIT and calls query_resume() later,
 * on the same worker. Nothing borrowed from published data (RCU) survives a WAIT: copy it into
 * q->arena first, or look it up again.
 *
 * Lifetime: taken from the worker's pool, given back after the answer was sent; never shared.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "core/plugin.h"
#include "core/server.h"
#include "dns/answer.h"
#include "dns/msg.h"
#include "dns/name.h"
#include "net/addr.h"
#include "net/stream.h"

/* Octets of a query that we look at; a longer one gets FORMERR. UDP answers fit too. */
#define QUERY_BUF 2048u
/* Scratch memory of a query before its arena goes to the heap. */
#define QUERY_SCRATCH 2048u
/* Largest UDP answer, whatever the client offers (DNS Flag Day 2020). */
#define QUERY_UDP_MAX 1232u
#define QUERY_SUB_DEPTH 8u
/* Answers over TLS are padded to multiples of this when the question is padded (RFC 8467 4.1). */
#define QUERY_PAD_BLOCK 468u

struct generation;
struct metadata_value;
struct table;
struct worker;

struct query;

/*
 * A stream that carries several messages as one answer. Called on the query's worker while the
 * query is parked; the plugin sets q->is_sent before it says DONE.
 */
struct query_channel {
	/* Queue a message of n <= 65535 octets; dropped when the client has gone. */
	void (*send)(struct query *q, const uint8_t *message, size_t n);
	/* True when the client has gone. */
	bool (*is_closed)(const struct query *q);
	/*
	 * Have q->on_room called in a later turn of the loop, when the client takes more or has
	 * gone. Not to be called when is_closed().
	 */
	void (*wait_room)(struct query *q);
	/* Disconnect, because the answer cannot be completed. */
	void (*abort)(struct query *q);
};

/* How the client asked: also known of questions that the server asks itself for one. */
struct query_origin {
	uint16_t id;
	uint16_t bufsize; /* what the client takes: 512, what EDNS says, or 65535 */
	bool is_udp;
};

struct query {
	struct list node;      /* pool, or list of parked queries */
	struct worker *worker;
	struct generation *generation;
	const struct server *server;
	struct chain *chain;
	const struct server_group *group;
	uint64_t start_ns;     /* when the batch that it came in was read */
	size_t wire_len;
	uint16_t position;     /* next query hook */
	uint16_t reply_at;     /* reply hooks that are left, from the front */
	uint16_t reply_floor;  /* those in front of this one are not asked: query_again() */
	uint16_t udp_cap;      /* largest UDP answer; bufsize lowers it */
	uint16_t keepalive;    /* of the connection, RFC 7828: units of 100 ms */
	uint8_t transport;     /* enum transport */
	uint8_t depth;         /* of query_sub() */
	bool is_internal;      /* asked by query_sub(), not by a client */
	bool is_running;       /* a hook of it is on the stack */
	bool is_parked;
	bool was_resumed;
	bool is_dropped;
	bool is_replying;      /* the plugins below have answered: reply hooks are next */
	bool is_held;          /* private to query_hold() */
	bool has_origin;       /* asked by query_again(): origin is that of the query it was for */
	struct query_origin origin; /* use query_origin() */
	uint8_t resumed_with;  /* enum verdict */
	const char *answered_by; /* name of the plugin that said DONE, or "" */
	const char *reason;    /* why it failed, for the log: static or in the arena; or NULL */
	const char *nsid;      /* identity to send when asked for (RFC 5001), or NULL */
	size_t nsid_len;
	void *socket;          /* of the transport: where the answer goes */
	void *plugin_data;     /* of the plugin that said WAIT */
	struct metadata_value *metadata; /* left by plugins (core/metadata.h), newest first */
	const struct table *table; /* of prefetch hooks: where the lookup will be, or NULL */
	uint64_t hash;         /* ... and under which hash */
	union addr client;
	union addr local;      /* address the query was sent to; family 0 when not known */
	struct arena arena;    /* scratch memory, freed with the query */
	struct answer answer;
	struct msg msg;
	/* query_sub() */
	struct query *parent;
	struct list children, sibling;
	void (*on_sub)(struct query *parent, struct query *child, void *arg);
	void *on_sub_arg;
	/* called when a query that was parked is complete; set by the transport */
	void (*on_done)(struct query *q);
	/* an answer of several messages (zone transfers); NULL where the transport has no room */
	const struct query_channel *channel;
	struct stream_waiter waiter; /* of the channel */
	void (*on_room)(struct query *q); /* see query_channel.wait_room */
	bool is_sent; /* a plugin has sent all over the channel: nothing to encode */
	uint8_t folded[256];   /* the question's name in lower case */
	_Alignas(16) uint8_t scratch[QUERY_SCRATCH];
	uint8_t buf[QUERY_BUF]; /* the query, then its answer */
};

/* The question's name as asked, in wire form. */
static inline const uint8_t *query_name(const struct query *q)
{
	return q->buf + MSG_HEADER;
}

/* How the client asked the question that q is, or is asked for. */
struct query_origin query_origin(const struct query *q);

enum query_state {
	QUERY_ANSWERED, /* encode and send q->answer */
	QUERY_PARKED,   /* q->on_done will be called later */
	QUERY_DROPPED,  /* send nothing */
};

/*
 * First pass: parse the q->wire_len octets in q->buf, match the server in g and run prefetch
 * hooks. False when the query is decided already: see q->is_dropped, else its answer is ready.
 */
bool query_prepare(struct query *q, const struct server_group *g);
/* Between the passes: bring in what the lookup will touch, now that prefetch hooks know where. */
void query_prefetch(const struct query *q);
/* Second pass, for a query that query_prepare() said true to: run the chain. */
enum query_state query_run(struct query *q);
/*
 * Go on with a parked query: NEXT asks the plugins below the one that waited, DONE and DROP end
 * it. May be called before the hook that returns WAIT has returned. Calls q->on_done at the end.
 */
void query_resume(struct query *q, enum verdict verdict);
/*
 * A reply hook that needs another answer first (dns64) calls this, before query_sub(): the query
 * is parked when the hook returns, and query_resume() goes on with the reply hooks above it,
 * whatever the verdict. The answer so far is kept; on_sub may change it.
 */
void query_hold(struct query *q);
/*
 * Third pass: write the answer into out, which holds room for limit octets and may be q->buf.
 * Returns its length.
 */
size_t query_encode(struct query *q, uint8_t *out, size_t room);
/* What query_sub() asks. */
struct query_question {
	const uint8_t *name; /* wire */
	uint16_t type;
};
/*
 * Ask name/type through the chain from the top on behalf of q (CNAME targets, autopath, dns64).
 * on_sub is called exactly once, maybe before this returns; child->answer lives until q is
 * released, but what it borrowed from published data only during on_sub. The hook that calls this
 * returns WAIT, and on_sub calls query_resume(q, ...). 0, or -ELOOP beyond QUERY_SUB_DEPTH,
 * -ENOBUFS when the pool is empty (then on_sub is not called).
 */
int query_sub(struct query *q, struct query_question question,
	void (*on_sub)(struct query *parent, struct query *child, void *arg), void *arg);
/*
 * Add the answer records of child, a finished query_sub() whose name stands at target in a set
 * of q->answer (a CNAME's RDATA), behind those of q; when there are none, the SOA record that says
 * so. What is truncated there is so here. Records carried as an upstream's message are copied to
 * q->arena.
 */
void query_merge(struct query *q, const struct query *child, const uint8_t *target);
/* What query_again() tells the plugin. All may be NULL. */
struct query_again {
	/*
	 * The answer is there, or child->is_dropped. Called once, maybe before query_again()
	 * returns; parent is NULL; child is released behind it.
	 */
	void (*on_answer)(struct query *parent, struct query *child, void *arg);
	void *arg;
	struct query **child; /* set before anything is asked; valid until on_answer */
	/* Another message to ask instead of q's: a query with one question, at most QUERY_BUF. */
	const uint8_t *wire;
	size_t wire_len;
	bool is_foreground; /* on behalf of q's client, as if it had sent that */
};

/*
 * Ask q's question again: of the plugins below the one whose query hook runs, for nobody. The
 * reply hook of that plugin (a cache that refreshes what it has) and those below it see the
 * answer, the ones above do not. It goes on when q is long gone. 0, or -ENOBUFS when the pool is
 * empty, -EINVAL for a message that is no query.
 */
int query_again(struct query *q, const struct query_again *again);
/* Nobody wants to hear of that child of query_again() any more; it goes on. */
void query_disown(struct query *child);
/*
 * Answer q with the answer of a child that is released afterwards, all in q's memory, as record
 * sets. Owners that are the child's question become q's.
 */
void query_adopt(struct query *q, const struct query *child);
/* Prepare a fresh or reused query object for a new message on worker w. */
void query_init(struct query *q, struct worker *w);
/* Make a query that was answered at once ready for the next message, in place. */
void query_recycle(struct query *q);
/* Release everything that the query owns, children included; back to the worker's pool. */
void query_release(struct query *q);
/* Abandon a parked query: cancel hooks run, nothing is sent. */
void query_cancel(struct query *q);
/* Answer with rcode and no records; returns DONE, for use as `return query_fail(q, ...)`. */
enum verdict query_fail(struct query *q, uint16_t rcode);
