/*
 * What net/stream.c (one connection), net/stream_tls.c (TLS below it) and net/stream_pool.c (all of
 * them: accepting, deadlines, making room) know of each other. Included by these only.
 */
#pragma once

#include <uv.h>

#include "base/list.h"
#include "net/frame.h"
#include "net/stream.h"
#include "net/tls.h"

/* Connections are found by client address, to count them, in so many lists. */
#define STREAM_BUCKETS 512u
/* Octets read in one system call into memory that all connections of a pool share. */
#define STREAM_SCRATCH (32u << 10)
/* Octets that a TLS session takes beside our buffers, more with a part of a record; measured. */
#define STREAM_TLS_COST (24u << 10)
#define STREAM_TLS_PART_COST (40u << 10)

/* Waiting in a list that is ordered by time because everything in it waits equally long. */
struct stream_wait {
	struct list node;
	uint64_t since_ms; /* uv_now() */
};

struct stream {
	uv_poll_t poll;
	struct stream_pool *pool;
	int fd;
	int events; /* what poll asks for */
	uint32_t in_flight; /* messages handed over and not given back */
	uint32_t delivered; /* messages handed over so far; wraps */
	uint32_t message_mark; /* delivered, when the half received message began */
	uint32_t taken; /* octets that the peer took since write.since_ms */
	bool has_handle; /* libuv still knows poll */
	bool is_closed;
	bool is_late; /* a deadline has closed it */
	bool is_delivering; /* on_message is on the stack */
	bool is_read_out; /* nothing more is read: end of stream, framing error, shutdown */
	uint32_t idle_mark; /* delivered, when the idle time began */
	struct tls_session *tls; /* NULL: without */
	size_t tls_cost; /* of it, in the pool's memory */
	struct list all, bucket, dirty;
	struct list waiters; /* struct stream_waiter */
	struct stream_wait idle, partial, write;
	struct fifo in; /* the start of a message, or messages that are held back */
	struct fifo out; /* answers with their length fields */
	union addr client, local;
};

struct stream_pool {
	uv_loop_t *loop;
	uv_poll_t listener;
	uv_timer_t timer;
	int fd; /* listening socket, or -1 */
	int reserve_fd; /* given up for a moment when descriptors run out */
	int last_fd; /* those from here on are for others: upstream servers, HTTP, files */
	unsigned open; /* connections that are not closed */
	unsigned alive; /* connections and handles whose memory is in use */
	size_t memory; /* of all buffers */
	bool is_paused; /* not accepting until the next tick */
	bool is_stopping;
	uint64_t stop_at_ms;
	uint64_t seed;
	struct stream_limits limits;
	struct stream_callbacks callbacks;
	struct stream_counters *counters;
	struct list all, dirty;
	struct list idle, partial, write; /* struct stream_wait, longest wait first */
	struct list buckets[STREAM_BUCKETS];
	struct tls_context *(*tls)(void *arg);
	uint8_t *tls_buf; /* a message with its length, or octets from the network; NULL: no TLS */
	unsigned handshakes; /* steps of them in this turn */
	uint8_t scratch[STREAM_SCRATCH];
};

/* Add one to a counter that other threads read. */
static inline void stream_count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/*
 * Make a connection of the accepted socket fd and begin to read. False when memory or the loop
 * refuses it; fd is still the caller's then.
 */
bool stream_open(struct stream_pool *p, int fd, const union addr *client);
/* Disconnect at once; the memory goes when libuv and the last message have let go of it. */
void stream_close(struct stream *c);
/* Make room for n more octets in one of c's buffers, within the memory of all; false: c is closed.
 */
bool stream_make_room(struct stream *c, struct fifo *f, size_t n);
/* Read once into at. Octets, or 0 when that was all for now or for ever. */
size_t stream_receive(struct stream *c, uint8_t *at, size_t room);
/* Hand over the messages in what is kept and the n new octets in the pool's scratch. */
void stream_take(struct stream *c, size_t n);
/* Take what has arrived, for the last time. */
void stream_read_out(struct stream *c);
/* Send, go on with messages held back, close what is finished, renew deadlines. */
void stream_settle(struct stream *c);
/* Put c into the list of what stream_pool_flush() settles. */
void stream_mark_dirty(struct stream *c);
/* The list head of the client's connections. */
struct list *stream_bucket(struct stream_pool *p, const union addr *client);
/*
 * Close the connection, other than c, that has kept its buffers for the longest time without
 * getting on. False when there is none.
 */
bool stream_pool_shed_memory(struct stream_pool *p, const struct stream *c);
/* One connection's or handle's memory has gone; the last one ends a stopping pool. */
void stream_pool_unref(struct stream_pool *p);
/* ---- stream_tls.c ---- */

/* Begin TLS on a new connection. */
void stream_tls_begin(struct stream *c, struct tls_context *context);
/* Read once, through TLS. True when there may be more. */
bool stream_tls_read(struct stream *c);
/* Queue a message with its length, through TLS; the output limit was checked. */
void stream_tls_put(struct stream *c, const uint8_t *message, size_t len);
/* Say goodbye when the connection can still be written, and give back the memory counted. */
void stream_tls_end(struct stream *c);
/* True until data can pass. */
bool stream_is_shaking_hands(const struct stream *c);

/* ---- stream_pool.c ---- */

/* Start the timer that notices deadlines, when it does not run. */
void stream_pool_watch_time(struct stream_pool *p);
