/*
 * Coarse timer wheel for the many short timeouts of a relay: intrusive nodes, no allocation,
 * constant time to add and remove. A timeout fires on the first tick of 16 ms after it is due,
 * never early. One thread; the caller tells the time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define WHEEL_TICK_MS 16u
#define WHEEL_SLOTS 512u

struct wheel_node {
	struct list node;
	uint64_t due_ms;
	void (*fn)(struct wheel_node *n); /* called once, the node detached */
};

struct wheel {
	struct list slots[WHEEL_SLOTS];
	uint64_t tick; /* every slot up to this tick has been run */
	unsigned count;
};

/* Start an empty wheel at now_ms. */
void wheel_init(struct wheel *w, uint64_t now_ms);
/* Make n a detached node that will call fn. */
void wheel_node_init(struct wheel_node *n, void (*fn)(struct wheel_node *n));
/* True while n waits in a wheel. */
bool wheel_is_set(const struct wheel_node *n);
/* Have n->fn called at due_ms or within a tick after it; moves a node that is set already. */
void wheel_set(struct wheel *w, struct wheel_node *n, uint64_t due_ms);
/* Take n out; harmless when it is not set. */
void wheel_cancel(struct wheel *w, struct wheel_node *n);
/* Run every node that is due at now_ms; they may set and cancel nodes, their own included. */
void wheel_run(struct wheel *w, uint64_t now_ms);
/* Milliseconds from now_ms until wheel_run() should be called; 0 at once, -1 when it is empty. */
int64_t wheel_wait_ms(const struct wheel *w, uint64_t now_ms);
