#include "cluster/touches.h"

#include "cluster/ip_index.h"

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

/* The key in the arena the first time that it is seen, else NULL. */
static char *keep_first(struct touches *t, const void *key, size_t len)
{
	char *kept;

	if (map_get(&t->seen, (struct str){key, len}) != NULL)
		return NULL;
	kept = arena_dup(&t->arena, key, len);
	map_put(&t->seen, (struct str){kept, len}, &mark);
	return kept;
}

void touches_add(struct touches *t, enum touch_kind kind, const char *ns, const char *name)
{
	size_t n = ns == NULL ? 0 : strlen(ns), m = name == NULL ? 0 : strlen(name);
	char key[2 * OBJECT_MAX_NAME + 3], *kept;

	/* what there is to say, in one piece: the kind and both texts with their ends */
	if (n > OBJECT_MAX_NAME || m > OBJECT_MAX_NAME)
		return;
	key[0] = (char)kind;
	memcpy(key + 1, ns == NULL ? "" : ns, n + 1);
	memcpy(key + n + 2, name == NULL ? "" : name, m + 1);
	kept = keep_first(t, key, n + m + 3);
	if (kept == NULL)
		return;
	vec_push(&t->list, (struct touch){.kind = kind,
		.ns = ns == NULL ? NULL : kept + 1,
		.name = name == NULL ? NULL : kept + n + 2});
}

void touches_add_ip(struct touches *t, const struct ip *ip)
{
	if (keep_first(t, ip, sizeof(*ip)) != NULL)
		vec_push(&t->list, (struct touch){.kind = TOUCH_IP, .ip = *ip});
}

static void add_state(struct touches *t, const struct object *o)
{
	switch (o->kind) {
	case OBJECT_NAMESPACE: touches_add(t, TOUCH_NAMESPACE, o->name, NULL); return;
	case OBJECT_SLICE:
		if (o->slice.service != NULL)
			touches_add(t, TOUCH_SERVICE, o->ns, o->slice.service);
		if (o->slice.import != NULL)
			touches_add(t, TOUCH_IMPORT, o->ns, o->slice.import);
		return;
	case OBJECT_SERVICE: touches_add(t, TOUCH_SERVICE, o->ns, o->name); return;
	case OBJECT_IMPORT: touches_add(t, TOUCH_IMPORT, o->ns, o->name); return;
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
		add_state(t, old);
	if (now != NULL)
		add_state(t, now);
	if (now != NULL && now->kind == OBJECT_SLICE && now->slice.trigger_ms != 0 &&
		(t->trigger_ms == 0 || now->slice.trigger_ms < t->trigger_ms))
		t->trigger_ms = now->slice.trigger_ms;
}
