#include "cluster/state_file.h"

#include <errno.h>

#include "base/hash.h"

#define MAGIC "SEAMARK STATE\n"

enum {
	MAGIC_BYTES = sizeof(MAGIC) - 1,
	START_BYTES = MAGIC_BYTES + 4,
	HEAD_BYTES = 12, /* of a chunk: length and checksum */
	META_BYTES = 1 + 8 + 8 + 16 + 4,
	END_BYTES = 1 + 8,
};

/* First octet of a payload. */
enum { CHUNK_META = 'M', CHUNK_OBJECTS = 'O', CHUNK_END = 'E' };

static void put_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const char *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | (uint8_t)p[n];
	return v;
}

static uint64_t checksum(uint64_t number, const void *p, size_t n)
{
	uint8_t key[16] = "seamark";

	put_le(key + 8, number, 8);
	return siphash24(key, p, n);
}

uint64_t state_scope(struct str text)
{
	return checksum(UINT64_MAX, text.at, text.len);
}

/* ---- writing ---- */

static void close_chunk(struct state_writer *w)
{
	uint8_t head[HEAD_BYTES];

	put_le(head, w->part.len, 4);
	put_le(head + 4, checksum(w->chunks++, w->part.at, w->part.len), 8);
	buf_add(&w->out, head, sizeof(head));
	buf_add(&w->out, w->part.at, w->part.len);
	buf_clear(&w->part);
}

void state_writer_init(struct state_writer *w, const struct state_meta *meta)
{
	uint8_t version[4], body[META_BYTES] = {CHUNK_META};

	memset(w, 0, sizeof(*w));
	put_le(version, STATE_FILE_VERSION, 4);
	buf_add(&w->out, MAGIC, MAGIC_BYTES);
	buf_add(&w->out, version, sizeof(version));
	put_le(body + 1, meta->saved_s, 8);
	put_le(body + 9, meta->scope, 8);
	memcpy(body + 17, meta->cluster, 16);
	put_le(body + 33, meta->kinds, 4);
	buf_add(&w->part, body, sizeof(body));
	close_chunk(w);
}

void state_writer_add(struct state_writer *w, const struct object *o)
{
	if (w->part.len == 0)
		buf_char(&w->part, CHUNK_OBJECTS);
	state_object_encode(&w->part, o);
	w->objects++;
	if (w->part.len >= STATE_CHUNK_BYTES)
		close_chunk(w);
}

void state_writer_end(struct state_writer *w)
{
	uint8_t body[END_BYTES] = {CHUNK_END};

	if (w->part.len > 0)
		close_chunk(w);
	put_le(body + 1, w->objects, 8);
	buf_add(&w->part, body, sizeof(body));
	close_chunk(w);
}

void state_writer_fini(struct state_writer *w)
{
	buf_free(&w->out);
	buf_free(&w->part);
}

/* ---- reading ---- */

struct reader {
	struct str rest;
	uint64_t chunks, objects;
	state_object_fn *fn; /* NULL: only check */
	void *arg;
	struct err *err;
};

static int bad(struct err *e, const char *why)
{
	return err_set(e, -EINVAL, "%s", why);
}

/* Take the next chunk's payload off; it is not empty. */
static int next_chunk(struct reader *r, struct str *payload)
{
	size_t n;

	if (r->rest.len < HEAD_BYTES)
		return bad(r->err, "it is cut short");
	n = (size_t)get_le(r->rest.at, 4);
	if (n > r->rest.len - HEAD_BYTES)
		return bad(r->err, "it is cut short or damaged");
	*payload = (struct str){r->rest.at + HEAD_BYTES, n};
	if (n == 0 || checksum(r->chunks++, payload->at, n) != get_le(r->rest.at + 4, 8))
		return bad(r->err, "a checksum is wrong");
	r->rest = (struct str){payload->at + n, r->rest.len - HEAD_BYTES - n};
	return 0;
}

static int read_start(struct reader *r, struct state_meta *m)
{
	struct str p;
	int rc;

	if (r->rest.len < START_BYTES || memcmp(r->rest.at, MAGIC, MAGIC_BYTES) != 0)
		return bad(r->err, "it is no state file");
	if (get_le(r->rest.at + MAGIC_BYTES, 4) != STATE_FILE_VERSION)
		return bad(r->err, "it is of another version");
	r->rest = (struct str){r->rest.at + START_BYTES, r->rest.len - START_BYTES};
	rc = next_chunk(r, &p);
	if (rc != 0)
		return rc;
	if (p.len != META_BYTES || p.at[0] != CHUNK_META)
		return bad(r->err, "its meta data is malformed");
	m->saved_s = get_le(p.at + 1, 8);
	m->scope = get_le(p.at + 9, 8);
	memcpy(m->cluster, p.at + 17, 16);
	m->kinds = (unsigned)get_le(p.at + 33, 4);
	return 0;
}

int state_read_meta(struct str file, struct state_meta *out, struct err *e)
{
	struct reader r = {.rest = file, .err = e};

	return read_start(&r, out);
}

static int read_objects(struct reader *r, struct str p)
{
	struct arena arena;
	int rc = 0;

	p = (struct str){p.at + 1, p.len - 1};
	while (p.len > 0 && rc == 0) {
		struct object o;

		arena_init(&arena);
		if (!state_object_decode(&arena, &p, &o))
			rc = bad(r->err, "an object in it is malformed");
		else if (r->fn != NULL)
			r->fn(r->arg, &o);
		arena_reset(&arena);
		r->objects++;
	}
	return rc;
}

static int read_end(const struct reader *r, struct str p)
{
	if (p.len != END_BYTES || p.at[0] != CHUNK_END || get_le(p.at + 1, 8) != r->objects)
		return bad(r->err, "its end is malformed");
	return r->rest.len == 0 ? 0 : bad(r->err, "something follows its end");
}

static int read_all(struct reader *r)
{
	struct state_meta meta;
	struct str p;
	int rc = read_start(r, &meta);

	while (rc == 0) {
		rc = next_chunk(r, &p);
		if (rc == 0 && p.at[0] != CHUNK_OBJECTS)
			return read_end(r, p);
		if (rc == 0)
			rc = read_objects(r, p);
	}
	return rc;
}

int state_read(struct str file, state_object_fn *fn, void *arg, struct err *e)
{
	struct reader check = {.rest = file, .err = e};
	struct reader tell = {.rest = file, .fn = fn, .arg = arg, .err = e};
	int rc = read_all(&check);

	return rc == 0 ? read_all(&tell) : rc;
}
