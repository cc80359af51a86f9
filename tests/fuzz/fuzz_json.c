/*
 * API answers: the first octet picks list or watch, the kind and the size of the reads. Whatever
 * the cuts, the stream has to say the same as when it gets all at once; what it delivers goes
 * through a store.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/must.h"
#include "cluster/json_stream.h"
#include "cluster/store.h"

struct run {
	struct store *st;
	int source;
	uint64_t digest;
};

static void on_object(void *arg, enum event_type type, const struct object *o)
{
	struct run *r = arg;

	if (o->name == NULL) /* only kinds of no use here may have no name */
		must(o->kind == OBJECT_NONE);
	else
		r->digest = hash_bytes(r->digest, o->name, strlen(o->name) + 1);
	r->digest = hash_bytes(r->digest + o->dropped, &o->rv, sizeof(o->rv)) + type;
	if (type == EVENT_DELETED)
		store_delete(r->st, r->source, o);
	else
		store_apply(r->st, r->source, o);
}

static void on_bookmark(void *arg, const char *version, bool is_initial_end)
{
	struct run *r = arg;

	r->digest = hash_bytes(r->digest + is_initial_end, version, strlen(version));
}

static void on_status(void *arg, const struct api_status *s)
{
	struct run *r = arg;

	r->digest = hash_bytes(r->digest + (unsigned)s->code, s->message, strlen(s->message));
}

static uint64_t feed(uint8_t choice, const char *p, size_t n, size_t piece)
{
	struct run r = {.st = store_new()};
	struct object_sink sink = {.arg = &r,
	        .on_object = on_object,
	        .on_bookmark = on_bookmark,
	        .on_status = on_status};
	struct json_stream s;
	int rc = 0;

	r.source = store_source_add(r.st, "fuzz", ~0u);
	json_stream_init(&s, choice & 1 ? JSON_WATCH : JSON_LIST,
	        (enum object_kind)((choice >> 1) % OBJECT_KINDS), &sink);
	for (size_t i = 0; i < n && rc == 0; i += piece)
		rc = json_stream_feed(&s, p + i, n - i < piece ? n - i : piece);
	if (rc == 0)
		rc = json_stream_end(&s);
	json_stream_fini(&s);
	store_commit(r.st);
	store_free(r.st);
	return r.digest + (unsigned)-rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1;

	if (size < 2)
		return 0;
	must(feed(data[0], p, size - 1, size) ==
	        feed(data[0], p, size - 1, (size_t)(data[0] >> 4) * 5 + 1));
	return 0;
}
