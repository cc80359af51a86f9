#include "decode.h"

#include "base/hash.h"
#include "base/must.h"
#include "cluster/decoder.h"
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

static int end(struct decoder *d)
{
	return d->is_protobuf ? pb_stream_end(&d->pb) : json_stream_end(&d->json);
}

static uint64_t decode(const struct decoder_options *o, const char *p, size_t n, size_t piece)
{
	struct run r = {.st = store_new()};
	struct object_sink sink = {.arg = &r,
	        .on_object = on_object,
	        .on_bookmark = on_bookmark,
	        .on_status = on_status};
	struct decoder d;
	int rc = 0;

	r.source = store_source_add(r.st, "fuzz", ~0u);
	decoder_init(&d, o, &sink);
	for (size_t i = 0; i < n && rc == 0; i += piece)
		rc = decoder_feed(&d, p + i, n - i < piece ? n - i : piece);
	if (rc == 0)
		rc = end(&d);
	decoder_fini(&d);
	store_commit(r.st);
	store_free(r.st);
	return r.digest + (unsigned)-rc;
}

int decode_answer(const char *content_type, const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1;
	struct decoder_options o = {.content_type = content_type};

	if (size < 2)
		return 0;
	o.is_watch = data[0] & 1;
	o.kind = (enum object_kind)((data[0] >> 1) % OBJECT_KINDS);
	must(decode(&o, p, size - 1, size) ==
	        decode(&o, p, size - 1, (size_t)(data[0] >> 4) * 5 + 1));
	return 0;
}
