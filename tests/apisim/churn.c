/*
 * Changes that go on: random endpoints whose readiness flips, and markers. A thousand a second
 * must cost little, so a flip edits the bytes of the object that is there, in JSON and protobuf;
 * only where that cannot be done in place, the object is built anew.
 */
#include "sim.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"
#include "cluster/pb.h"

enum {
	OBJECT_METADATA = 1,
	METADATA_VERSION = 6,
	SLICE_ENDPOINTS = 2,
	ENDPOINT_CONDITIONS = 2,
	CONDITIONS_READY = 1,
};

/* ---- flips ---- */

/* The field of bytes with that number, the skip-th of them; NULL when there is none. */
static struct str find_field(struct str message, uint32_t number, unsigned skip)
{
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p)) {
		if (pb_is_bytes(&p, number) && skip-- == 0)
			return p.bytes;
	}
	return (struct str){NULL, 0};
}

static unsigned count_fields(struct str message, uint32_t number)
{
	unsigned n = 0;
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p))
		n += pb_is_bytes(&p, number);
	return n;
}

/* Change version and readiness in place; false when that is not possible. */
static bool flip_protobuf(struct buf *b, const char *version, unsigned pick)
{
	struct str all = {b->at, b->len};
	struct str metadata = find_field(all, OBJECT_METADATA, 0);
	struct str rv = find_field(metadata, METADATA_VERSION, 0);
	struct str endpoint = find_field(all, SLICE_ENDPOINTS, pick);
	struct str conditions = find_field(endpoint, ENDPOINT_CONDITIONS, 0);
	struct pb p;

	if (rv.len == 0 || rv.len != strlen(version) || conditions.len == 0)
		return false;
	memcpy(b->at + (rv.at - b->at), version, rv.len);
	pb_init(&p, conditions);
	while (pb_next(&p)) {
		if (pb_is_number(&p, CONDITIONS_READY)) {
			b->at[p.at - b->at - 1] ^= 1; /* its only byte is the one before the next */
			return true;
		}
	}
	return false;
}

/* The same in JSON, with the skip-th "ready" of all. */
static bool flip_json(struct buf *out, const char *json, const char *version, unsigned skip)
{
	static const char rv[] = "\"resourceVersion\":\"", ready[] = "\"ready\":";
	const char *at = strstr(json, rv), *value = NULL;

	if (at == NULL)
		return false;
	at += sizeof(rv) - 1;
	buf_add(out, json, (size_t)(at - json));
	buf_str(out, version);
	at += strcspn(at, "\"");
	for (const char *p = at; skip != UINT32_MAX; skip--) {
		p = strstr(p, ready);
		if (p == NULL)
			return false;
		value = p += sizeof(ready) - 1;
	}
	buf_add(out, at, (size_t)(value - at));
	buf_str(out, *value == 't' ? "false" : "true");
	buf_str(out, value + (*value == 't' ? 4 : 5));
	return true;
}

/* A copy of o with the next version and one endpoint flipped; NULL when bytes do not allow it. */
static struct object *flip_bytes(const struct object *o, unsigned pick)
{
	struct buf json = {0}, protobuf = {0};
	struct object *x;
	char version[24];

	snprintf(version, sizeof(version), "%llu", (unsigned long long)world.rv + 1);
	buf_add(&protobuf, o->protobuf.at, o->protobuf.len);
	if (!flip_protobuf(&protobuf, version, pick) || !flip_json(&json, o->json, version, pick)) {
		buf_free(&json);
		buf_free(&protobuf);
		return NULL;
	}
	x = mem_new(struct object);
	x->refs = 1;
	x->rv = ++world.rv;
	x->key = mem_str(o->key);
	x->namespace = mem_str(o->namespace);
	x->name = mem_str(o->name);
	x->uid = mem_str(o->uid);
	x->phase = mem_str(o->phase);
	x->labels = json_incref(o->labels);
	x->len = json.len;
	buf_char(&json, '\0');
	x->json = json.at;
	x->protobuf = protobuf;
	return x;
}

static struct object *flip_manifest(struct kind *k, const struct object *o, unsigned pick)
{
	json_t *j = json_loadb(o->json, o->len, 0, NULL);
	json_t *e = json_array_get(json_object_get(j, "endpoints"), pick);
	json_t *conditions = json_object_get(e, "conditions");
	struct object *x = NULL;
	const char *why = "";

	if (conditions != NULL) {
		json_object_set_new(conditions, "ready",
		        json_boolean(!json_is_true(json_object_get(conditions, "ready"))));
		x = object_build(k, j, &why);
		must(x != NULL);
	}
	json_decref(j);
	return x;
}

/* Some slice whose "namespace/name" begins so, if there are enough of those to meet one. */
static struct object *any_slice(struct kind *k, const char *prefix)
{
	struct object *o = NULL;

	for (int tries = 0; tries < 1000 && k->objects.all.len > 0; tries++) {
		o = k->objects.all.at[rand_below((uint32_t)k->objects.all.len)];
		if (strncmp(o->key, prefix, strlen(prefix)) == 0)
			return o;
	}
	return NULL;
}

/* One endpoint of some slice becomes ready, or is so no more; false when there is no such slice. */
static bool flip_one(struct kind *k, const char *prefix)
{
	struct object *o = any_slice(k, prefix), *next;
	unsigned n, pick;

	if (o == NULL)
		return false;
	n = count_fields((struct str){o->protobuf.at, o->protobuf.len}, SLICE_ENDPOINTS);
	pick = rand_below(n > 0 ? n : 1);
	next = n > 0 ? flip_bytes(o, pick) : NULL;
	if (next == NULL)
		next = flip_manifest(k, o, pick);
	if (next != NULL)
		world_put(k, next);
	return true;
}

void storm(unsigned flips, const char *prefix)
{
	struct kind *k = kind_find("discovery.k8s.io", "endpointslices");

	while (flips > 0 && flip_one(k, prefix))
		flips--;
}

/* ---- the thread ---- */

/* How many of something that comes rate times a second are due. */
static uint64_t due(uint64_t start_ms, unsigned rate)
{
	return (now_ms() - start_ms) * rate / 1000;
}

static void *run_churn(void *arg)
{
	struct churn c = *(struct churn *)arg;
	uint64_t start = now_ms(), flips = 0, marks = 0;
	struct kind *k = kind_find("discovery.k8s.io", "endpointslices");

	free(arg);
	while (now_ms() - start < c.seconds * 1000u) {
		pthread_mutex_lock(&world.lock);
		/* who cannot keep up must let the others have the lock, too */
		for (uint64_t all = due(start, c.rate); flips < all && !world.stopping; flips++)
			flip_one(k, c.prefix);
		for (; c.markers > 0 && marks < due(start, c.marks) && !world.stopping; marks++)
			marker_change((unsigned)(marks % c.markers));
		pthread_mutex_unlock(&world.lock);
		poll(NULL, 0, 1);
	}
	return NULL;
}

void churn_start(const struct churn *c)
{
	struct churn *copy = mem_new(struct churn);
	pthread_t thread;

	*copy = *c;
	must(pthread_create(&thread, NULL, run_churn, copy) == 0);
	pthread_detach(thread);
}
