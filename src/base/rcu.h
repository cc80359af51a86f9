/*
 * Read-copy-update (liburcu, QSBR flavour): how the control thread publishes data that workers
 * borrow for one callback.
 *
 * A worker registers once, is *offline* while it sleeps in its loop, goes online at the top of
 * each callback and reports a quiescent state after each batch. What it borrowed before that
 * point is gone after it. The writer swaps a pointer with rcu_publish() and hands the old object
 * to rcu_retire(), which frees it after a grace period.
 */
#pragma once

#ifndef __SANITIZE_THREAD__

#define _LGPL_SOURCE
#include <urcu-qsbr.h>

/* Borrow a published pointer until the next quiescent state. */
#define rcu_borrow(p) rcu_dereference(p)
/* Publish v in p; readers see the old or the new object, whole. Writer only. */
#define rcu_publish(p, v) rcu_assign_pointer(p, v)

#else
#include "base/rcu_tsan.h"
#endif

typedef void rcu_free_fn(void *object);

/*
 * Free object with fn after every reader has passed a quiescent state. Queued: the work is done
 * by rcu_reclaim(), and by rcu_retire() itself when the queue is long. Writer thread only.
 */
void rcu_retire(void *object, rcu_free_fn *fn);
/* Wait for one grace period and free all that was retired before. Writer thread only. */
void rcu_reclaim(void);
/* What rcu_free_later() needs; part of the object. */
struct rcu_later {
	struct rcu_head head;
	void *object;
};

/*
 * free() object, which holds later, after every reader has passed a quiescent state. For objects
 * that readers themselves replace (caches): any registered thread, never waits. A thread of liburcu
 * does it, made when it is first needed.
 */
void rcu_free_later(struct rcu_later *later, void *object);
/* Wait until all that rcu_free_later() took is free. Borrowed pointers are gone after it. */
void rcu_drain(void);
/* Objects that wait for rcu_reclaim(). */
unsigned long rcu_pending(void);
