#include "cluster/pb_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cluster/pb_object.h"

#define ARENA_SIZE (32u << 10)

enum { UNKNOWN_TYPE = 1, UNKNOWN_RAW = 2, LIST_METADATA = 1, LIST_ITEMS = 2, FRAME_BYTES = 4 };

enum pb_place {
	AT_MAGIC, /* of a list */
	AT_FRAME, /* of a watch: before or in the length of an event */
	AT_TAG,
	AT_NUMBER, /* of no use here */
	AT_LENGTH,
	IN_SKIPPED,
	IN_VALUE,
};

void pb_stream_init(struct pb_stream *s, enum pb_mode mode, enum object_kind expected,
        const struct object_sink *sink)
{
	memset(s, 0, sizeof(*s));
	s->mode = mode;
	s->state = mode == PB_LIST ? AT_MAGIC : AT_FRAME;
	s->expected = expected;
	s->sink = *sink;
	s->arena_memory = mem_alloc(ARENA_SIZE);
	arena_init_with(&s->arena, s->arena_memory, ARENA_SIZE);
}

void pb_stream_fini(struct pb_stream *s)
{
	arena_reset(&s->arena);
	free(s->arena_memory);
	buf_free(&s->part);
	buf_free(&s->meta);
}

static int fail(struct pb_stream *s, int code, const char *what)
{
	s->error = err_set(&s->why, code, "%s at byte %llu", what, (unsigned long long)s->bytes);
	return code;
}

/* ---- values that are complete ---- */

static int take_type(struct pb_stream *s, struct str value)
{
	struct pb_unknown u = {{"", 0}, {"", 0}, {"", 0}, {"", 0}};

	if (pb_type_decode(value, &u) != 0)
		return -EINVAL;
	s->is_status = str_is(u.kind, "Status");
	s->has_type = true;
	if (s->is_status)
		return 0;
	if (!str_has_suffix(u.kind, "List") ||
	        (s->expected != OBJECT_NONE &&
	                object_kind_from(u.api_version, u.kind) != s->expected))
		return -EINVAL;
	return 0;
}

static int take_status(struct pb_stream *s, struct str value)
{
	struct api_status status;

	if (pb_status_raw_decode(&s->arena, value, &status) != 0)
		return -EINVAL;
	s->is_over = true;
	sink_status(&s->sink, &status);
	return 0;
}

static int take_list_field(struct pb_stream *s, struct str value)
{
	if (s->field == LIST_ITEMS) {
		s->items++;
		return pb_item_decode(&s->arena, value, s->expected, EVENT_ADDED, &s->sink);
	}
	buf_clear(&s->meta);
	buf_add(&s->meta, value.at, value.len);
	return 0;
}

static int take_value(struct pb_stream *s, struct str value)
{
	int rc;

	if (s->mode == PB_WATCH) {
		s->items++;
		rc = pb_event_decode(&s->arena, value, s->expected, &s->sink);
	} else if (s->is_in_raw) {
		rc = take_list_field(s, value);
	} else {
		rc = s->field == UNKNOWN_TYPE ? take_type(s, value) : take_status(s, value);
	}
	arena_reset(&s->arena);
	return rc;
}

static void finish_value(struct pb_stream *s, struct str value)
{
	if (take_value(s, value) != 0)
		fail(s, -EINVAL, "not what was asked for, or no protobuf of Kubernetes,");
	buf_clear(&s->part);
	if (s->part.cap > 256 * 1024)
		buf_free(&s->part);
	s->state = s->mode == PB_LIST ? AT_TAG : AT_FRAME;
}

static void finish_list(struct pb_stream *s)
{
	struct list_meta meta;

	s->is_in_raw = false;
	s->is_over = true;
	if (pb_list_meta_decode(&s->arena, (struct str){buf_text(&s->meta), s->meta.len}, &meta) !=
	        0)
		fail(s, -EINVAL, "broken metadata of a list");
	else sink_list_end(&s->sink, &meta);
	arena_reset(&s->arena);
}

/* ---- the bytes of the value at hand ---- */

static size_t feed_value(struct pb_stream *s, const char *p, size_t n)
{
	bool is_done = n >= s->left;
	size_t used = is_done ? (size_t)s->left : n;

	s->left -= used;
	if (s->part.len == 0 && is_done) {
		finish_value(s, (struct str){p, used});
		return used;
	}
	buf_add(&s->part, p, used);
	if (is_done)
		finish_value(s, (struct str){s->part.at, s->part.len});
	return used;
}

static size_t feed_skipped(struct pb_stream *s, size_t n)
{
	size_t used = n < s->left ? n : (size_t)s->left;

	s->left -= used;
	if (s->left == 0)
		s->state = AT_TAG;
	return used;
}

static bool is_wanted(const struct pb_stream *s)
{
	if (s->wire != PB_BYTES)
		return false;
	if (s->is_in_raw)
		return s->field == LIST_METADATA || s->field == LIST_ITEMS;
	return s->field == UNKNOWN_TYPE || s->field == UNKNOWN_RAW;
}

/* A value of length bytes begins. */
static void begin_value(struct pb_stream *s, uint64_t length)
{
	bool is_raw = s->mode == PB_LIST && !s->is_in_raw && s->field == UNKNOWN_RAW &&
	              s->wire == PB_BYTES;

	s->left = length;
	if (is_raw && (!s->has_type || s->is_over)) {
		fail(s, -EINVAL, s->is_over ? "a second list" : "a list without a type");
	} else if (is_raw && !s->is_status) {
		s->is_in_raw = true;
		s->raw_left = length;
		s->state = AT_TAG;
		if (length == 0)
			finish_list(s);
	} else if (length > PB_MAX_OBJECT) {
		fail(s, -EFBIG, "an object of more than 8 MiB");
	} else if (s->mode == PB_LIST && !is_wanted(s)) {
		s->state = length == 0 ? AT_TAG : IN_SKIPPED;
	} else {
		s->state = IN_VALUE;
		if (length == 0)
			finish_value(s, STR(""));
	}
}

/* ---- between values ---- */

static void take_tag(struct pb_stream *s, uint64_t tag)
{
	if (pb_tag(tag, &s->field, &s->wire) != 0) {
		fail(s, -EINVAL, "a broken tag");
		return;
	}
	switch (s->wire) {
	case PB_VARINT: s->state = AT_NUMBER; break;
	case PB_BYTES: s->state = AT_LENGTH; break;
	default: begin_value(s, s->wire == PB_FIXED64 ? 8 : 4);
	}
}

static void feed_varint(struct pb_stream *s, char c)
{
	uint64_t v;
	int used;

	s->head[s->head_len++] = c;
	used = pb_varint(s->head, s->head_len, &v);
	if (used == 0)
		return;
	s->head_len = 0;
	if (used < 0)
		fail(s, -EINVAL, "a number of more than 64 bits");
	else if (s->state == AT_TAG)
		take_tag(s, v);
	else if (s->state == AT_LENGTH)
		begin_value(s, v);
	else
		s->state = AT_TAG;
}

/* The four bytes before a list or an event. */
static void feed_start(struct pb_stream *s, char c)
{
	const uint8_t *h = (const uint8_t *)s->head;

	s->head[s->head_len++] = c;
	if (s->state == AT_MAGIC && c != PB_MAGIC[s->head_len - 1]) {
		fail(s, -EINVAL, "no protobuf of Kubernetes");
		return;
	}
	if (s->head_len < FRAME_BYTES)
		return;
	s->head_len = 0;
	if (s->state == AT_MAGIC)
		s->state = AT_TAG;
	else
		begin_value(s,
		        (uint64_t)h[0] << 24 | (uint64_t)h[1] << 16 | (uint64_t)h[2] << 8 | h[3]);
}

static size_t feed_some(struct pb_stream *s, const char *p, size_t n)
{
	switch ((enum pb_place)s->state) {
	case IN_VALUE: return feed_value(s, p, n);
	case IN_SKIPPED: return feed_skipped(s, n);
	case AT_MAGIC:
	case AT_FRAME: feed_start(s, *p); return 1;
	default: feed_varint(s, *p); return 1;
	}
}

/* The same inside the list, which has to end between two of its fields. */
static size_t feed_raw(struct pb_stream *s, const char *p, size_t n)
{
	size_t used = feed_some(s, p, n < s->raw_left ? n : (size_t)s->raw_left);

	s->raw_left -= used;
	if (s->raw_left > 0 || s->error != 0)
		return used;
	if (s->state == AT_TAG && s->head_len == 0)
		finish_list(s);
	else
		fail(s, -EINVAL, "a field that is longer than its list");
	return used;
}

int pb_stream_feed(struct pb_stream *s, const char *p, size_t n)
{
	const char *end = p + n;

	while (p < end && s->error == 0) {
		size_t left = (size_t)(end - p);
		size_t used = s->is_in_raw ? feed_raw(s, p, left) : feed_some(s, p, left);

		p += used;
		s->bytes += used;
	}
	return s->error;
}

int pb_stream_end(struct pb_stream *s)
{
	bool is_good = s->mode == PB_LIST ? s->is_over && s->state == AT_TAG : s->state == AT_FRAME;

	if (s->error == 0 && (!is_good || s->head_len > 0))
		fail(s, -EPROTO, "the answer was cut short");
	return s->error;
}

const char *pb_stream_error(const struct pb_stream *s)
{
	return s->why.text;
}
