#include "core/worker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rcu.h"

#define STREAM_BUF (65535u + 2u)

void worker_init(struct worker *w, unsigned index)
{
	memset(w, 0, sizeof(*w));
	w->index = index;
	w->queries_max = WORKER_QUERIES_MAX;
	list_init(&w->free_queries);
	list_init(&w->parked);
	list_init(&w->flush);
	list_init(&w->stream_servers);
	wheel_init(&w->timers, clock_ms());
	w->stream_buf = mem_alloc(STREAM_BUF);
}

void worker_fini(struct worker *w)
{
	must(w->in_use == 0);
	list_for_each (&w->free_queries, node)
		free(container_of(node, struct query, node));
	free(w->stream_buf);
}

void worker_enter(struct worker *w)
{
	rcu_thread_online();
	w->now_ns = clock_ns();
	w->wall_s = (uint32_t)clock_wall_s();
}

void worker_add_queries(struct worker *w, unsigned n)
{
	w->queries_max += n;
}

void worker_remove_queries(struct worker *w, unsigned n)
{
	must(w->queries_max >= n);
	w->queries_max -= n;
}

struct query *worker_query(struct worker *w)
{
	struct list *node = list_first(&w->free_queries);
	struct query *q;

	if (node != NULL) {
		q = container_of(node, struct query, node);
		list_remove(node);
	} else if (w->queries < w->queries_max) {
		q = malloc(sizeof(*q));
		must(q != NULL);
		w->queries++;
	} else {
		return NULL;
	}
	w->in_use++;
	query_init(q, w);
	return q;
}

struct query *worker_take_query(struct worker *w)
{
	struct query *q = worker_query(w);
	struct list *oldest = list_first(&w->parked);

	if (q != NULL || oldest == NULL)
		return q;
	query_cancel(container_of(oldest, struct query, node)); /* gives it back */
	return worker_query(w);
}

void worker_flush_later(struct worker *w, struct worker_flush *f)
{
	if (list_is_empty(&f->node))
		list_push(&w->flush, &f->node);
}

void worker_flush_now(struct worker *w)
{
	struct list *node;

	while ((node = list_first(&w->flush)) != NULL) {
		struct worker_flush *f = container_of(node, struct worker_flush, node);

		list_remove(node);
		f->fn(f);
	}
}

void worker_timer_set(struct worker *w, struct wheel_node *n, uint64_t after_ms)
{
	wheel_set(&w->timers, n, w->now_ns / 1000000 + after_ms);
}

void worker_run_timers(struct worker *w)
{
	wheel_run(&w->timers, w->now_ns / 1000000);
}

/* The first parked query of g, or NULL. */
static struct query *find_parked(struct worker *w, const struct generation *g)
{
	list_for_each (&w->parked, node) {
		struct query *q = container_of(node, struct query, node);

		if (g == NULL || q->generation == g)
			return q;
	}
	return NULL;
}

void worker_cancel_parked(struct worker *w, const struct generation *g)
{
	struct query *q;

	while ((q = find_parked(w, g)) != NULL)
		query_cancel(q);
}
