#include "net/wheel.h"

#include <stddef.h>

static struct list *slot_of(struct wheel *w, uint64_t tick)
{
	return &w->slots[tick % WHEEL_SLOTS];
}

/* The tick that starts at or after due_ms. */
static uint64_t tick_of(uint64_t due_ms)
{
	return (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
}

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		list_init(&w->slots[i]);
	w->tick = now_ms / WHEEL_TICK_MS;
	w->count = 0;
}

void wheel_node_init(struct wheel_node *n, void (*fn)(struct wheel_node *n))
{
	list_init(&n->node);
	n->due_ms = 0;
	n->fn = fn;
}

bool wheel_is_set(const struct wheel_node *n)
{
	return !list_is_empty(&n->node);
}

void wheel_cancel(struct wheel *w, struct wheel_node *n)
{
	if (!wheel_is_set(n))
		return;
	list_remove(&n->node);
	w->count--;
}

void wheel_set(struct wheel *w, struct wheel_node *n, uint64_t due_ms)
{
	uint64_t tick = tick_of(due_ms);

	wheel_cancel(w, n);
	n->due_ms = due_ms;
	list_push(slot_of(w, tick > w->tick ? tick : w->tick + 1), &n->node);
	w->count++;
}

/* Run one slot. Nodes of a later turn of the wheel stay; new ones never land in this slot's turn.
 */
static void run_slot(struct wheel *w, struct list *slot)
{
	struct list due, *node;

	list_init(&due);
	list_for_each (slot, at) {
		struct wheel_node *n = container_of(at, struct wheel_node, node);

		if (tick_of(n->due_ms) > w->tick)
			continue;
		list_remove(at);
		list_push(&due, at);
	}
	/* a callback may cancel others that are due: take them from the front one by one */
	while ((node = list_first(&due)) != NULL) {
		struct wheel_node *n = container_of(node, struct wheel_node, node);

		list_remove(node);
		w->count--;
		n->fn(n);
	}
}

void wheel_run(struct wheel *w, uint64_t now_ms)
{
	uint64_t now = now_ms / WHEEL_TICK_MS;
	/* after a long sleep one turn visits every slot, and each node is checked by its due time
	 */
	uint64_t turns = now > w->tick ? now - w->tick : 0;

	if (turns > WHEEL_SLOTS)
		w->tick = now - WHEEL_SLOTS;
	while (w->tick < now && w->count > 0) {
		w->tick++;
		run_slot(w, slot_of(w, w->tick));
	}
	if (w->tick < now)
		w->tick = now;
}

int64_t wheel_wait_ms(const struct wheel *w, uint64_t now_ms)
{
	if (w->count == 0)
		return -1;
	for (uint64_t i = 1; i <= WHEEL_SLOTS; i++) {
		uint64_t at = (w->tick + i) * WHEEL_TICK_MS;

		if (!list_is_empty(&w->slots[(w->tick + i) % WHEEL_SLOTS]))
			return at > now_ms ? (int64_t)(at - now_ms) : 0;
	}
	return (int64_t)(WHEEL_SLOTS * WHEEL_TICK_MS);
}
