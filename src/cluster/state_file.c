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
	SCRATCH_BYTES = 8192, /* an object of this size takes nothing from the heap */
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

static int bad(struct err *e, const char *why)
{
	return err_set(e, -EINVAL, "%s", why);
}

/* Take the next chunk's payload off the input; it is not empty. */
static int next_chunk(
	struct state_reader *r, struct str *input, struct str *payload, struct err *e)
{
	size_t n;

	if (input->len < HEAD_BYTES)
		return -EAGAIN;
	n = (size_t)get_le(input->at, 4);
	if (n == 0 || n > STATE_CHUNK_MAX)
		return bad(e, "the length of a chunk is wrong");
	if (n > input->len - HEAD_BYTES)
		return -EAGAIN;
	*payload = (struct str){input->at + HEAD_BYTES, n};
	if (checksum(r->chunks++, payload->at, n) != get_le(input->at + 4, 8))
		return bad(e, "a checksum is wrong");
	*input = (struct str){payload->at + n, input->len - HEAD_BYTES - n};
	return 0;
}

int state_reader_start(
	struct state_reader *r, struct str *input, struct state_meta *m, struct err *e)
{
	struct str rest = *input, p;
	size_t known = rest.len < MAGIC_BYTES ? rest.len : MAGIC_BYTES;
	int rc;

	*r = (struct state_reader){0, 0};
	if (memcmp(rest.at, MAGIC, known) != 0)
		return bad(e, "it is no state file");
	if (rest.len < START_BYTES)
		return -EAGAIN;
	if (get_le(rest.at + MAGIC_BYTES, 4) != STATE_FILE_VERSION)
		return bad(e, "it is of another version");
	rest = (struct str){rest.at + START_BYTES, rest.len - START_BYTES};
	rc = next_chunk(r, &rest, &p, e);
	if (rc != 0)
		return rc;
	if (p.len != META_BYTES || p.at[0] != CHUNK_META)
		return bad(e, "its meta data is malformed");
	m->saved_s = get_le(p.at + 1, 8);
	m->scope = get_le(p.at + 9, 8);
	memcpy(m->cluster, p.at + 17, 16);
	m->kinds = (unsigned)get_le(p.at + 33, 4);
	*input = rest;
	return 0;
}

static int read_objects(struct state_reader *r, struct str p, const struct state_sink *to,
	struct err *e)
{
	uint8_t memory[SCRATCH_BYTES];
	struct arena arena;
	int rc = 0;

	p = (struct str){p.at + 1, p.len - 1};
	while (p.len > 0 && rc == 0) {
		struct object o;

		arena_init_with(&arena, memory, sizeof(memory));
		if (!state_object_decode(&arena, &p, &o))
			rc = bad(e, "an object in it is malformed");
		else
			to->on_object(to->arg, &o);
		arena_reset(&arena);
		r->objects++;
	}
	return rc == 0 ? 1 : rc;
}

int state_reader_chunk(
	struct state_reader *r, struct str *input, const struct state_sink *to, struct err *e)
{
	struct str p;
	int rc = next_chunk(r, input, &p, e);

	if (rc != 0)
		return rc;
	if (p.at[0] == CHUNK_OBJECTS)
		return read_objects(r, p, to, e);
	if (p.len != END_BYTES || p.at[0] != CHUNK_END || get_le(p.at + 1, 8) != r->objects)
		return bad(e, "its end is malformed");
	return input->len == 0 ? 0 : bad(e, "something follows its end");
}

int state_read(
	struct str file, struct state_meta *m, const struct state_sink *to, struct err *e)
{
	struct state_reader r;
	int rc = state_reader_start(&r, &file, m, e);

	rc = rc == 0 ? 1 : rc;
	while (rc > 0)
		rc = state_reader_chunk(&r, &file, to, e);
	return rc == -EAGAIN ? bad(e, "it is cut short") : rc;
}
