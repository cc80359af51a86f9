/*
 * Servers given by name: their addresses are looked up when the server starts and again when their
 * TTL ends. What was found last stays in use while that fails, and over reloads.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/shared.h"
#include "forward/forward.h"
#include "net/lookup.h"
#include "net/loop_timer.h"

#define TTL_MIN_MS 2000u
#define TTL_MAX_MS 3600000u
#define RETRY_MIN_MS 500u
#define RETRY_MAX_MS 30000u

static void look_up(struct forward_named *n);

static void *create(const char *key, void *arg, struct err *e)
{
	(void)key;
	(void)arg;
	(void)e;
	return mem_new(struct forward_known);
}

static const struct shared_kind known_kind = {"forward names", create, free};

void forward_named_new(struct forward_rule *rule, const char *name, const struct forward_to *to)
{
	struct forward_named *n = arena_new(&rule->forward->arena, struct forward_named);

	n->rule = rule;
	n->name = name;
	n->to = *to;
	n->retry_ms = RETRY_MIN_MS;
	vec_push(&rule->named, n);
}

/* The name, and who is asked for it. */
static void make_key(struct buf *key, const struct forward_rule *rule, const char *name)
{
	buf_clear(key);
	buf_str(key, name);
	vec_for_each (&rule->resolvers, addr) {
		char text[ADDR_TEXT_MAX];

		buf_printf(key, " %s", addr_to_text(text, addr));
	}
}

int forward_named_setup(struct forward_rule *rule, struct err *e)
{
	struct buf key = {0};
	int rc = 0;

	vec_for_each (&rule->named, at) {
		struct forward_named *n = *at;

		make_key(&key, rule, n->name);
		n->known = shared_take(rule->forward->shared, &known_kind, buf_text(&key), NULL, e);
		if (n->known == NULL)
			rc = -EINVAL;
	}
	buf_free(&key);
	return rc;
}

/* --- time --- */

static void on_due(void *arg)
{
	struct forward_named *n = arg;

	loop_timer_stop(n->timer);
	n->timer = NULL;
	look_up(n);
}

static void wait_ms(struct forward_named *n, uint64_t ms)
{
	n->timer = loop_timer_start(n->rule->forward->loop, ms, on_due, n);
}

static void retry(struct forward_named *n, const char *problem)
{
	if (!n->has_failed)
		log_warning(FORWARD_WHO,
		        "cannot look up the upstream server %s: %s; trying again, %s", n->name,
		        problem,
		        n->known->len > 0 ? "its last addresses stay in use"
		                          : "it is not used until that works");
	n->has_failed = true;
	wait_ms(n, n->retry_ms);
	n->retry_ms = n->retry_ms * 2 < RETRY_MAX_MS ? n->retry_ms * 2 : RETRY_MAX_MS;
}

static uint64_t ttl_ms(const struct lookup_result *r)
{
	uint64_t ms = (uint64_t)r->ttl_s * 1000u;

	if (ms > TTL_MAX_MS)
		return TTL_MAX_MS;
	return ms < TTL_MIN_MS ? TTL_MIN_MS : ms;
}

/* --- looking up --- */

static void on_result(void *arg, const struct lookup_result *r)
{
	struct forward_named *n = arg;
	bool was_empty = n->rule->set->len == 0;

	n->lookup = NULL;
	if (r->len == 0) {
		retry(n, r->problem);
		return;
	}
	if (n->has_failed)
		log_info(FORWARD_WHO, "the upstream server %s could be looked up again", n->name);
	n->has_failed = false;
	n->retry_ms = RETRY_MIN_MS;
	n->known->len = r->len;
	memcpy(n->known->addrs, r->addrs, r->len * sizeof(r->addrs[0]));
	forward_publish(n->rule);
	if (was_empty) /* failures for want of a server are no news any more */
		forward_tell_followers(n->rule->forward);
	wait_ms(n, ttl_ms(r));
}

static void look_up(struct forward_named *n)
{
	union addr servers[RELAY_TARGETS_MAX];
	struct lookup_servers whom = {servers, forward_resolvers(n->rule, servers)};

	if (whom.len == 0)
		retry(n, "there is no server to ask, set one with 'resolver IP'");
	else
		n->lookup = lookup_start(n->rule->forward->loop, n->name, &whom, on_result, n);
}

void forward_named_start(struct forward_rule *rule)
{
	vec_for_each (&rule->named, n)
		look_up(*n);
}

void forward_named_free(struct forward_rule *rule)
{
	vec_for_each (&rule->named, at) {
		struct forward_named *n = *at;

		lookup_stop(n->lookup);
		loop_timer_stop(n->timer);
		shared_drop(rule->forward->shared, n->known);
	}
	vec_free(&rule->named);
	vec_free(&rule->resolvers);
}
