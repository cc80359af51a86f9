#include "cluster/touches.h"

#include <stdio.h>

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
