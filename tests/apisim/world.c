/* The objects, their history, and going back in it. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/must.h"

struct world world = {
        .lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, .cut_after = -1, .bookmark_ms = 60000};

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void init_condition(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(c, &attr);
}

void world_init(uint64_t ring_size)
{
	init_condition(&world.changed);
	world.ring_size = ring_size;
	world.ring = mem_array(ring_size, sizeof(struct event));
	world.rv = 1;
	world.compacted = 1;
}

struct kind *kind_add(const char *group, const char *version, const char *plural, const char *name)
{
	struct kind *k = mem_new(struct kind);
	char api[256];

	snprintf(api, sizeof(api), "%s%s%s", group, *group ? "/" : "", version);
	k->group = mem_str(group);
	k->version = mem_str(version);
	k->plural = mem_str(plural);
	k->name = mem_str(name);
	k->list_api = mem_str(api);
	k->namespaced = true;
	k->bookmark = "";
	k->message = *group && strcmp(group, "discovery.k8s.io") != 0 ? NULL : message_find(name);
	init_condition(&k->changed);
	vec_push(&world.kinds, k);
	return k;
}

struct kind *kind_find(const char *group, const char *plural)
{
	vec_for_each (&world.kinds, k) {
		if ((group == NULL || strcmp((*k)->group, group) == 0) &&
		        strcmp((*k)->plural, plural) == 0)
			return *k;
	}
	return NULL;
}

struct kind *kind_find_api(const char *api, const char *name)
{
	vec_for_each (&world.kinds, k) {
		if ((api == NULL || strcmp((*k)->list_api, api) == 0) &&
		        strcmp((*k)->name, name) == 0)
			return *k;
	}
	return NULL;
}

size_t object_lower_bound(struct object *const *all, size_t n, const char *key)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(all[mid]->key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct object *object_ref(struct object *o)
{
	if (o != NULL)
		o->refs++;
	return o;
}

void object_unref(struct object *o)
{
	if (o == NULL || --o->refs > 0)
		return;
	json_decref(o->labels);
	free(o->key);
	free(o->namespace);
	free(o->name);
	free(o->uid);
	free(o->phase);
	free(o->json);
	buf_free(&o->protobuf);
	free(o);
}

struct object *object_find(struct kind *k, const char *namespace, const char *name)
{
	char key[400];
	size_t i;

	snprintf(key, sizeof(key), "%s/%s", k->namespaced ? namespace : "", name);
	i = object_lower_bound(k->objects.all.at, k->objects.all.len, key);
	if (i < k->objects.all.len && strcmp(k->objects.all.at[i]->key, key) == 0)
		return k->objects.all.at[i];
	return NULL;
}

/* Put o (or nothing) where key is in a sorted list; returns the reference that was there. */
static struct object *list_replace(struct object_list *l, const char *key, struct object *o)
{
	size_t i = object_lower_bound(l->all.at, l->all.len, key);
	struct object *old = NULL;

	if (i < l->all.len && strcmp(l->all.at[i]->key, key) == 0) {
		old = l->all.at[i];
		if (o != NULL)
			l->all.at[i] = o;
		else
			vec_remove(&l->all, i);
		return old;
	}
	if (o == NULL)
		return NULL;
	vec_push(&l->all, o);
	memmove(&l->all.at[i + 1], &l->all.at[i], (l->all.len - 1 - i) * sizeof(o));
	l->all.at[i] = o;
	return NULL;
}

static void forget_first(void)
{
	struct event *e = &world.ring[world.seq_first++ % world.ring_size];

	world.compacted = e->rv;
	object_unref(e->old);
	object_unref(e->now);
}

static void record(struct kind *k, struct object *old, struct object *now, uint64_t rv)
{
	if (world.seq_next - world.seq_first == world.ring_size)
		forget_first();
	world.ring[world.seq_next++ % world.ring_size] = (struct event){
	        .kind = k,
	        .old = object_ref(old),
	        .now = object_ref(now),
	        .rv = rv,
	        .hidden = world.hide > 0,
	};
	if (world.hide > 0)
		world.hide--;
	pthread_cond_broadcast(&k->changed);
}

bool world_put(struct kind *k, struct object *o)
{
	struct object *old = list_replace(&k->objects, o->key, o);

	record(k, old, o, o->rv);
	object_unref(old);
	return old == NULL;
}

bool world_delete(struct kind *k, const char *namespace, const char *name)
{
	struct object *o = object_find(k, namespace, name);

	if (o == NULL)
		return false;
	list_replace(&k->objects, o->key, NULL);
	record(k, o, NULL, ++world.rv);
	object_unref(o);
	return true;
}

void world_compact(void)
{
	while (world.seq_first < world.seq_next)
		forget_first();
	world.compacted = world.rv;
}

uint64_t world_seen(void)
{
	return world.lag_rv != 0 && world.lag_rv < world.rv ? world.lag_rv : world.rv;
}

/* Take back one event in a list of its kind; references are moved. */
static void undo(struct object_list *l, const struct event *e)
{
	const char *key = e->now != NULL ? e->now->key : e->old->key;

	object_unref(list_replace(l, key, object_ref(e->old)));
}

bool world_snapshot(struct kind *k, uint64_t rv, struct object_list *out)
{
	if (rv < world.compacted)
		return false;
	*out = (struct object_list){0};
	vec_for_each (&k->objects.all, o)
		vec_push(&out->all, object_ref(*o));
	for (uint64_t seq = world.seq_next; seq > world.seq_first; seq--) {
		const struct event *e = &world.ring[(seq - 1) % world.ring_size];

		if (e->rv <= rv)
			break;
		if (e->kind == k)
			undo(out, e);
	}
	return true;
}

void object_list_free(struct object_list *l)
{
	vec_for_each (&l->all, o)
		object_unref(*o);
	vec_free(&l->all);
}

bool world_rewind(uint64_t rv)
{
	if (rv < world.compacted || rv > world.rv)
		return false;
	while (world.seq_next > world.seq_first) {
		struct event *e = &world.ring[(world.seq_next - 1) % world.ring_size];

		if (e->rv <= rv)
			break;
		undo(&e->kind->objects, e);
		object_unref(e->old);
		object_unref(e->now);
		world.seq_next--;
	}
	world.rv = rv;
	return true;
}
