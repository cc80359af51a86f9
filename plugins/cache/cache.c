#include "cache/cache.h"

#include "base/clock.h"
#include "base/rcu.h"
#include "dns/wire.h"

#define LEASE_MS 5000u /* one refresh of an entry at a time; forgotten after that */

void cache_count(const struct cache *c, const struct query *q, enum cache_counter counter)
{
	counters_add(c->state->counters, q->worker->index, counter, 1);
}

static uint64_t now_ms(const struct query *q)
{
	return q->worker->now_ns / 1000000;
}

/*
 * True for questions whose answers are the same for all who ask (no client subnet), of the zones
 * of this cache. Who does not want recursion is not told what others asked (RFC 1034 4.3.1).
 */
static bool applies(const struct cache *c, const struct query *q)
{
	if (q->msg.qclass != CLASS_IN || (q->msg.flags & FLAG_RD) == 0)
		return false;
	if (q->msg.qtype == TYPE_AXFR || q->msg.qtype == TYPE_IXFR)
		return false;
	if (zone_list_match(&c->zones, q->folded) < 0)
		return false;
	return !edns_reaches_far(q->buf, &q->msg.edns);
}

/*
 * Names go to servers of another network now: what those before answered may be wrong here, and
 * what they still answer, too. Nothing is freed: entries go when others need their place.
 */
static void on_change(struct upstreams_follower *f)
{
	struct cache *c = container_of(f, struct cache, follower);

	atomic_fetch_add(&c->state->resets, 1);
	atomic_store(&c->state->valid_ms, clock_ms() + 1);
}

/* Hooks of forward: cache starts before it, and ends before it. */
static int start(void *instance, struct err *e)
{
	struct cache *c = instance;
	struct offered o;

	(void)e;
	c->follower.on_change = on_change;
	if (offer_find(c->chain, UPSTREAMS, &o))
		((const struct upstreams_ops *)o.ops)->follow(o.instance, &c->follower);
	return 0;
}

static bool is_valid(const struct cache *c, uint64_t asked_ms)
{
	return asked_ms >= atomic_load_explicit(&c->state->valid_ms, memory_order_relaxed);
}

/* What is known about a question, but for what must not be used any more. */
static struct cache_found find(const struct cache *c, const struct cache_key *key)
{
	struct cache_found found = cache_store_find(c->state->store, key);

	if (found.answer != NULL && !is_valid(c, found.answer->stored_ms))
		found.answer = NULL;
	if (found.failure != NULL && !is_valid(c, found.failure->stored_ms))
		found.failure = NULL;
	return found;
}

/* Bring in what the lookup will touch. */
static void prefetch(struct query *q, void *instance)
{
	const struct cache *c = instance;
	struct cache_key key = cache_key_of(q);

	cache_store_hash(c->state->store, &key);
	cache_store_prefetch(c->state->store, &key);
}

void cache_answer(const struct cache *c, const struct cache_entry *e, struct query *q)
{
	cache_entry_answer(e, q, c->times.keeps_ttl ? 0 : cache_entry_age_s(e, now_ms(q)));
}

void cache_answer_stale(const struct cache *c, const struct cache_entry *e, struct query *q)
{
	cache_count(c, q, CACHE_STALE);
	cache_entry_answer_stale(e, q, c->stale.ttl_s);
}

/* Ask for the answer again in the background; false when somebody does already. */
static bool refresh(struct query *q, struct cache_entry *e)
{
	unsigned long long lease = atomic_load_explicit(&e->lease_ms, memory_order_relaxed);
	struct query_again again = {0};

	return lease <= now_ms(q) &&
	       atomic_compare_exchange_strong_explicit(&e->lease_ms, &lease, now_ms(q) + LEASE_MS,
	               memory_order_relaxed, memory_order_relaxed) &&
	       query_again(q, &again) == 0;
}

/* True when e is asked for often, and will end soon. */
static bool is_popular(const struct cache *c, struct cache_entry *e, uint64_t now)
{
	const struct cache_prefetch *p = &c->prefetch;
	uint64_t last = atomic_exchange_explicit(&e->hit_ms, now, memory_order_relaxed);
	uint64_t left_ms = e->stored_ms + e->ttl_s * 1000ull - now;
	unsigned hits = 1;

	if (now > last && now - last > p->gap_ms) /* clocks of workers differ a little */
		atomic_store_explicit(&e->hits, 1, memory_order_relaxed);
	else
		hits = atomic_fetch_add_explicit(&e->hits, 1, memory_order_relaxed) + 1;
	return hits >= p->hits && left_ms * 100 <= e->ttl_s * 1000ull * p->percent;
}

static enum verdict hit(const struct cache *c, struct query *q, struct cache_entry *e)
{
	cache_count(c, q, e->kind == CACHE_POSITIVE ? CACHE_HITS : CACHE_HITS_NEGATIVE);
	if (!atomic_load_explicit(&e->used, memory_order_relaxed))
		atomic_store_explicit(&e->used, true, memory_order_relaxed);
	cache_answer(c, e, q);
	if (c->prefetch.hits > 0 && e->kind != CACHE_FAILURE && is_popular(c, e, now_ms(q)) &&
	        refresh(q, e))
		cache_count(c, q, CACHE_PREFETCHES);
	return DONE;
}

/* The answer that is known, although its time is over, when such ones may be given out. */
static struct cache_entry *stale_answer(
        const struct cache *c, const struct cache_found *found, uint64_t now)
{
	struct cache_entry *e = found->answer;

	if (e == NULL || c->stale.keep_ms == 0 ||
	        now > e->stored_ms + e->ttl_s * 1000ull + c->stale.keep_ms)
		return NULL;
	return e;
}

/* e is stale. While the last attempt to refresh it failed a short time ago it stands (RFC 8767). */
static enum verdict serve_stale(
        struct cache *c, struct query *q, struct cache_entry *e, bool has_failed)
{
	if (c->stale.verifies && !has_failed)
		return cache_verify(c, q, e);
	cache_answer_stale(c, e, q);
	if (!has_failed)
		refresh(q, e);
	return DONE;
}

static enum verdict query(struct query *q, void *instance)
{
	struct cache *c = instance;
	struct cache_key key = cache_key_of(q);
	struct cache_found found;
	struct cache_entry *stale;
	bool has_failed;

	if (!applies(c, q))
		return NEXT;
	cache_count(c, q, CACHE_REQUESTS);
	cache_store_hash(c->state->store, &key);
	found = find(c, &key);
	if (found.answer != NULL && cache_entry_is_fresh(found.answer, now_ms(q)))
		return hit(c, q, found.answer);
	has_failed = found.failure != NULL && cache_entry_is_fresh(found.failure, now_ms(q));
	stale = stale_answer(c, &found, now_ms(q));
	if (stale != NULL)
		return serve_stale(c, q, stale, has_failed);
	if (has_failed)
		return hit(c, q, found.failure);
	cache_count(c, q, CACHE_MISSES);
	return NEXT;
}

static bool is_disabled(const struct cache *c, const struct query *q, const struct cache_entry *e)
{
	return zone_list_match(&c->disabled[e->kind == CACHE_POSITIVE ? 0 : 1], q->folded) >= 0;
}

/* How long a failure keeps others from asking when there is a stale answer to give meanwhile. */
static void set_recheck(const struct cache *c, struct cache_entry *failure)
{
	if (c->stale.recheck_s > 0)
		failure->ttl_s = c->stale.recheck_s;
}

static void reply(struct query *q, void *instance)
{
	const struct cache *c = instance;
	struct cache_key key = cache_key_of(q);
	struct cache_entry *e, *stale = NULL;

	if (!q->answer.is_relayed || !applies(c, q))
		return;
	cache_store_hash(c->state->store, &key);
	e = cache_entry_new(q, &key, &c->times);
	if (e != NULL && is_disabled(c, q, e)) {
		free(e);
		return;
	}
	if (!cache_refreshes(&q->answer)) {
		struct cache_found found = find(c, &key);

		stale = stale_answer(c, &found, now_ms(q));
		if (e == NULL && stale != NULL)
			e = cache_entry_new_failure(q, &key, &c->times);
		if (e != NULL && stale != NULL)
			set_recheck(c, e);
	}
	if (stale != NULL && !q->is_internal)
		cache_answer_stale(c, stale, q);
	else if (e != NULL && e->is_clamped)
		cache_entry_answer(e, q, 0);
	if (e != NULL && is_valid(c, q->start_ns / 1000000))
		cache_store_put(c->state->store, e);
	else
		free(e);
}

static void teardown(void *instance)
{
	cache_free(instance);
}

const struct plugin cache_plugin = {
        .name = "cache",
        .setup = cache_setup,
        .start = start,
        .prefetch = prefetch,
        .query = query,
        .reply = reply,
        .cancel = cache_cancel,
        .metrics = cache_metrics,
        .explain = &explain_passes,
        .teardown = teardown,
};
