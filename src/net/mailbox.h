/*
 * Messages from any thread to the thread of a loop: list nodes that the sender embeds in what it
 * hands over. Used where a plugin's workers and the control thread have something to settle that
 * is no matter of a single query.
 *
 * Lifetime: made and closed on the loop's thread; those who post hold it until mailbox_free(),
 * which the owner calls when nobody posts any more.
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"

struct mailbox;
struct uv_loop_s;

/*
 * Open a mailbox: fn(arg, node) is called from the loop for each node that was posted, in order.
 * Without a loop (NULL) it is called by mailbox_post() itself.
 */
struct mailbox *mailbox_new(
	struct uv_loop_s *loop, void (*fn)(void *arg, struct list *node), void *arg);
/* Hand node over; any thread. False when the mailbox is closed: node is still the caller's. */
bool mailbox_post(struct mailbox *m, struct list *node);
/* Take nothing more; what was not fetched goes to `left`. On the loop's thread. */
void mailbox_close(struct mailbox *m, struct list *left);
/* Free it once it is closed and the loop has let go of it. NULL is ignored. Any thread. */
void mailbox_free(struct mailbox *m);
