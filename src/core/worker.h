/*
 * A worker: one thread with its own loop, sockets, query pool and counters. This header is what
 * plugins and the query path see; the thread itself is in worker_thread.c, and tests make a bare
 * worker without one.
 *
 * Lifetime: made before the first generation is attached, freed after the last one is detached.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/query.h"
#include "dns/cookie.h"
#include "net/stream.h"
#include "net/wheel.h"

/* Queries that a worker has in hand at once; more are dropped, oldest first (water torture). */
#define WORKER_QUERIES_MAX 4096u

struct tls_files;
struct uv_loop_s;

/* Something with packets to send at the end of the loop's turn: a relay socket, the UDP socket. */
struct worker_flush {
	struct list node; /* list_init() it once */
	void (*fn)(struct worker_flush *f);
};

/*
 * What a listener of a worker serves now: replaced as a whole, on the worker's thread, when a new
 * generation is attached. Listeners keep a pointer to it and look through it for each query.
 */
struct serving {
	const struct server_group *group;
	struct generation *generation;
	const struct stream_limits *limits; /* of connections; NULL: the defaults */
	struct tls_files *tls; /* certificate of a listener with TLS; NULL: without */
};

struct worker {
	unsigned index;            /* 0 .. workers - 1 */
	struct uv_loop_s *loop;    /* NULL in tests without a loop */
	uint64_t now_ns;           /* monotonic, read once at the top of each callback */
	uint32_t wall_s;           /* seconds since 1970, read with it */
	struct list free_queries;
	struct list parked;        /* queries that wait, oldest first */
	struct list flush;         /* struct worker_flush */
	struct wheel timers;       /* of plugins: worker_timer_set() */
	struct list stream_servers;
	struct cookie_secrets secrets; /* the same on all workers */
	unsigned queries;          /* made so far */
	unsigned queries_max;      /* WORKER_QUERIES_MAX, and those that wait in UDP listeners */
	unsigned in_use;
	uint8_t *stream_buf;       /* 64 KiB + 2: scratch for TCP answers */
	/* counters of the worker itself, read by other threads */
	uint64_t answers, udp_send_errors;
	struct stream_counters streams;
};

/* Add n to a counter of this worker that other threads read. */
static inline void worker_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* Set up a bare worker (no thread, no loop). */
void worker_init(struct worker *w, unsigned index);
/* Free the pool; no query may be in use. */
void worker_fini(struct worker *w);
/* Top of each callback: RCU online, and the time. */
void worker_enter(struct worker *w);
/*
 * Let n more queries be in use: a UDP listener keeps that many in its slots, idle or not, which
 * with hundreds of addresses would be all there are.
 */
void worker_add_queries(struct worker *w, unsigned n);
/* Take n of them back; what was made stays for others. */
void worker_remove_queries(struct worker *w, unsigned n);
/* A fresh query, initialised, or NULL when WORKER_QUERIES_MAX are in use beside those. */
struct query *worker_query(struct worker *w);
/*
 * The same for a message that was received: when all are in use, the query that waits longest is
 * given up for it. NULL when none waits.
 */
struct query *worker_take_query(struct worker *w);
/* Have f->fn called once at the end of this turn of the loop; harmless when asked already. */
void worker_flush_later(struct worker *w, struct worker_flush *f);
/* Run what worker_flush_later() collected. The loop does it before it sleeps. */
void worker_flush_now(struct worker *w);
/* Have n->fn called after_ms from now, on this worker's thread; wheel_cancel() takes it back. */
void worker_timer_set(struct worker *w, struct wheel_node *n, uint64_t after_ms);
/* Run the timers that are due. The loop does it. */
void worker_run_timers(struct worker *w);
/* Abandon every parked query of generation g (NULL: of all). */
void worker_cancel_parked(struct worker *w, const struct generation *g);
