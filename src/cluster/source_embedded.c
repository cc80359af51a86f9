#include "cluster/source_embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"
#include "cluster/endpoints.h"
#include "cluster/store.h"
#include "cluster/yaml.h"

#define LOG_NAME "plugin/kubernetes"

/* A namespace with objects of ours, or one that was given as an object. */
struct space {
	size_t objects;
	bool is_declared;
	char name[];
};

/* An object that was given: so that it is counted once in its namespace. */
struct held {
	struct space *space;
	char key[]; /* "kind/ns/name" */
};

struct embedded_source {
	struct store *store;
	struct endpoints *endpoints;
	int number;
	struct map spaces; /* name -> struct space */
	struct map held; /* key -> struct held */
};

struct embedded_source *embedded_source_new(struct store *store)
{
	struct embedded_source *s = mem_new(struct embedded_source);

	s->store = store;
	s->number = store_source_add(store, "embedded", STORE_ALL_KINDS);
	must(s->number >= 0);
	s->endpoints = endpoints_new(store, s->number, NULL);
	must(s->endpoints != NULL);
	map_init(&s->spaces);
	map_init(&s->held);
	for (int kind = OBJECT_NAMESPACE; kind < OBJECT_KINDS; kind++)
		store_source_synced(store, s->number, (enum object_kind)kind, true);
	endpoints_synced(s->endpoints);
	return s;
}

void embedded_source_free(struct embedded_source *s)
{
	void *value;
	size_t pos = 0;

	if (s == NULL)
		return;
	endpoints_free(s->endpoints);
	while ((value = map_next(&s->held, &pos)) != NULL)
		free(value);
	for (pos = 0; (value = map_next(&s->spaces, &pos)) != NULL;)
		free(value);
	map_fini(&s->held);
	map_fini(&s->spaces);
	free(s);
}

/* ---- namespaces ---- */

static struct space *space_get(struct embedded_source *s, const char *name)
{
	struct space *space = map_get(&s->spaces, str_from(name));
	size_t n = strlen(name) + 1;

	if (space != NULL)
		return space;
	space = mem_alloc(sizeof(*space) + n);
	memcpy(space->name, name, n);
	map_put(&s->spaces, str_from(space->name), space);
	return space;
}

/* Bring the Namespace object in line with what is known of it. */
static void space_update(struct embedded_source *s, struct space *space)
{
	struct object o = {.kind = OBJECT_NAMESPACE, .ns = "", .name = space->name};

	if (space->is_declared)
		return;
	if (space->objects > 0) {
		store_apply(s->store, s->number, &o);
		return;
	}
	store_delete(s->store, s->number, &o);
	map_del(&s->spaces, str_from(space->name));
	free(space);
}

static char *key_of(const struct object *o, struct buf *b)
{
	buf_clear(b);
	buf_printf(b, "%d/%s/%s", (int)o->kind, o->ns, o->name);
	return b->at;
}

static void hold(struct embedded_source *s, const struct object *o)
{
	struct space *space = space_get(s, o->ns);
	struct buf key = {0};
	struct held *h;

	key_of(o, &key);
	if (map_get(&s->held, (struct str){key.at, key.len}) == NULL) {
		h = mem_alloc(sizeof(*h) + key.len + 1);
		memcpy(h->key, key.at, key.len + 1);
		h->space = space;
		map_put(&s->held, str_from(h->key), h);
		if (space->objects++ == 0)
			space_update(s, space);
	}
	buf_free(&key);
}

static void let_go(struct embedded_source *s, const struct object *o)
{
	struct buf key = {0};
	struct held *h;

	key_of(o, &key);
	h = map_del(&s->held, (struct str){key.at, key.len});
	buf_free(&key);
	if (h == NULL)
		return;
	if (--h->space->objects == 0)
		space_update(s, h->space);
	free(h);
}

/* ---- objects ---- */

static void apply_one(struct embedded_source *s, const struct object *o)
{
	if (o->kind == OBJECT_NAMESPACE)
		space_get(s, o->name)->is_declared = true;
	else
		hold(s, o);
	store_apply(s->store, s->number, o);
}

static void delete_one(struct embedded_source *s, const struct object *o)
{
	if (o->kind == OBJECT_NAMESPACE) {
		struct space *space = space_get(s, o->name);

		space->is_declared = false;
		space_update(s, space);
		return;
	}
	store_delete(s->store, s->number, o);
	let_go(s, o);
}

static void log_left_out(const struct yaml_object *y)
{
	if (y->problem != NULL)
		log_warning(LOG_NAME, "%s %s/%s: left out %u: %s",
		        object_kind_name(y->object->kind), y->object->ns,
		        y->object->name, y->object->dropped, y->problem);
}

static int each_object(struct embedded_source *s, struct str text, struct err *e,
        void (*fn)(struct embedded_source *s, const struct object *o))
{
	struct yaml_objects objects = {.n_ignored = 0};
	int rc = yaml_objects_read(&objects, text, e);

	if (rc != 0)
		return rc;
	vec_for_each (&objects.list, y) {
		log_left_out(y);
		fn(s, y->object);
	}
	yaml_objects_fini(&objects);
	store_commit(s->store);
	return 0;
}

int embedded_apply(struct embedded_source *s, struct str text, struct err *e)
{
	return each_object(s, text, e, apply_one);
}

int embedded_delete(struct embedded_source *s, struct str text, struct err *e)
{
	return each_object(s, text, e, delete_one);
}
