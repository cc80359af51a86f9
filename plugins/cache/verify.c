/*
 * serve_stale verify: a stale answer is given out only when the upstream servers do not answer in
 * time (RFC 8767 5). The question goes on then, so that what comes late is kept at least.
 */
#include "cache/cache.h"

/* A query that waits; in its own memory. Its answer is the stale one already. */
struct waiting {
	struct wheel_node timer;
	struct query *query, *child;
	struct cache *cache;
};

static void end(struct waiting *v)
{
	wheel_cancel(&v->query->worker->timers, &v->timer);
	v->query->plugin_data = NULL;
	query_resume(v->query, DONE);
}

static void on_timeout(struct wheel_node *node)
{
	struct waiting *v = container_of(node, struct waiting, timer);

	query_disown(v->child);
	v->child = NULL;
	cache_count(v->cache, v->query, CACHE_STALE);
	end(v);
}

static void on_answer(struct query *parent, struct query *child, void *arg)
{
	struct waiting *v = arg;
	const struct answer *a = &child->answer;

	(void)parent;
	v->child = NULL;
	/* also one that is not kept, because it holds for this question alone */
	if (!child->is_dropped && a->is_relayed && cache_refreshes(a))
		query_adopt(v->query, child);
	else
		cache_count(v->cache, v->query, CACHE_STALE);
	end(v);
}

enum verdict cache_verify(struct cache *c, struct query *q, const struct cache_entry *e)
{
	struct waiting *v = arena_new(&q->arena, struct waiting);
	struct query_again again = {.on_answer = on_answer, .arg = v, .child = &v->child};

	v->query = q;
	v->cache = c;
	wheel_node_init(&v->timer, on_timeout);
	cache_entry_answer_stale(e, q, c->stale.ttl_s);
	q->plugin_data = v;
	worker_timer_set(q->worker, &v->timer, c->stale.verify_ms);
	if (query_again(q, &again) == 0)
		return WAIT;
	wheel_cancel(&q->worker->timers, &v->timer);
	cache_count(c, q, CACHE_STALE);
	return DONE;
}

void cache_cancel(struct query *q, void *instance)
{
	struct waiting *v = q->plugin_data;

	(void)instance;
	if (v == NULL)
		return;
	q->plugin_data = NULL;
	wheel_cancel(&q->worker->timers, &v->timer);
	if (v->child != NULL)
		query_disown(v->child);
}
