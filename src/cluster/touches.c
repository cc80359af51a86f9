#include "cluster/touches.h"

#include <stdio.h>

#include "cluster/ip_index.h"

#define MATCH_WINDOW 8u /* endpoints */

void touches_init(struct touches *t)
{
	memset(t, 0, sizeof(*t));
	arena_init(&t->arena);
	map_init(&t->seen);
}

void touches_fini(struct touches *t)
{
	arena_reset(&t->arena);
	map_fini(&t->seen);
	vec_free(&t->list);
}

static char mark; /* the value of every key in seen */

/* True the first time that key is seen; then it is kept. */
static bool is_first(struct touches *t, const void *key, size_t len)
{
	if (map_get(&t->seen, (struct str){key, len}) != NULL)
		return false;
	map_put(&t->seen, (struct str){arena_dup(&t->arena, key, len), len}, &mark);
	return true;
}

void touches_add(struct touches *t, enum touch_kind kind, const char *ns, const char *name)
{
	char key[2 * OBJECT_MAX_NAME + 8];
	int n = snprintf(key, sizeof(key), "%d/%s/%s", (int)kind, ns == NULL ? "" : ns,
		name == NULL ? "" : name);
	struct touch touch = {.kind = kind};

	if (n < 0 || (size_t)n >= sizeof(key) || !is_first(t, key, (size_t)n))
		return;
	touch.ns = ns == NULL ? NULL : arena_str(&t->arena, ns);
	touch.name = name == NULL ? NULL : arena_str(&t->arena, name);
	vec_push(&t->list, touch);
}

void touches_add_ip(struct touches *t, const struct ip *ip)
{
	if (is_first(t, ip, sizeof(*ip)))
		vec_push(&t->list, (struct touch){.kind = TOUCH_IP, .ip = *ip});
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return ip_eq(&a->ip, &b->ip) && a->is_ready == b->is_ready &&
		a->target_kind == b->target_kind && same_text(a->hostname, b->hostname) &&
		same_text(a->target_name, b->target_name);
}

/* Where p is in s from there on, looking MATCH_WINDOW places ahead; the end when it is not. */
static uint32_t find_ahead(const struct endpoint *p, const struct slice_data *s, uint32_t from)
{
	uint32_t n = s->n_endpoints, stop = n - from > MATCH_WINDOW ? from + MATCH_WINDOW : n;

	for (uint32_t i = from; i < stop; i++) {
		struct endpoint e = slice_endpoint(s, i);

		if (same_endpoint(p, &e))
			return i;
	}
	return n;
}

/*
 * Endpoints of old that are not the same in now. The controller keeps their order, so that one
 * pass with a little look-ahead finds the equal ones; to touch too many does no harm.
 */
static void add_endpoints(struct touches *t, const struct object *old, const struct object *now)
{
	bool may_skip = now != NULL && old->slice.is_imported == now->slice.is_imported &&
		same_text(old->slice.service, now->slice.service);
	uint32_t k = 0;

	for (uint32_t i = 0; i < old->slice.n_endpoints; i++) {
		struct endpoint p = slice_endpoint(&old->slice, i);
		uint32_t n = may_skip ? now->slice.n_endpoints : 0;
		uint32_t found = may_skip ? find_ahead(&p, &now->slice, k) : n;

		if (found < n)
			k = found + 1;
		else
			touches_add_ip(t, &p.ip);
	}
}

static void add_state(struct touches *t, const struct object *o, const struct object *other)
{
	switch (o->kind) {
	case OBJECT_NAMESPACE: touches_add(t, TOUCH_NAMESPACE, o->name, NULL); return;
	case OBJECT_SLICE:
		if (o->slice.service != NULL)
			touches_add(t, o->slice.is_imported ? TOUCH_IMPORT : TOUCH_SERVICE, o->ns,
				o->slice.service);
		add_endpoints(t, o, other);
		return;
	case OBJECT_SERVICE: touches_add(t, TOUCH_SERVICE, o->ns, o->name); break;
	case OBJECT_IMPORT: touches_add(t, TOUCH_IMPORT, o->ns, o->name); break;
	case OBJECT_POD: touches_add(t, TOUCH_POD, o->ns, o->name); break;
	default: return;
	}
	for (uint32_t i = 0; i < object_ip_count(o); i++) {
		struct ip ip = object_ip(o, i);

		touches_add_ip(t, &ip);
	}
}

void touches_add_change(struct touches *t, const struct object *old, const struct object *now)
{
	if (old != NULL)
		add_state(t, old, now);
	if (now != NULL)
		add_state(t, now, old);
	if (now != NULL && now->kind == OBJECT_SLICE && now->slice.trigger_ms != 0 &&
		(t->trigger_ms == 0 || now->slice.trigger_ms < t->trigger_ms))
		t->trigger_ms = now->slice.trigger_ms;
}
