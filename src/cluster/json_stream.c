#include "cluster/json_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cluster/json_object.h"

#define ARENA_SIZE (32u << 10)
#define NOT_A_LIST "not a list of what was asked for"

enum place {
	AT_TOP, /* before the list's brace, or between events */
	AT_MEMBER, /* before a key, comma or closing brace of the list */
	IN_KEY,
	AT_COLON,
	AT_VALUE, /* before the value of a member */
	IN_VALUE,
	AT_ITEM, /* in items: before an item, comma or closing bracket */
	IN_ITEM,
	IN_EVENT,
	AT_END, /* behind the list's closing brace */
};

void json_stream_init(struct json_stream *s, enum json_mode mode, enum object_kind expected,
        const struct object_sink *sink)
{
	memset(s, 0, sizeof(*s));
	s->mode = mode;
	s->expected = expected;
	s->sink = *sink;
	s->arena_memory = mem_alloc(ARENA_SIZE);
	arena_init_with(&s->arena, s->arena_memory, ARENA_SIZE);
}

void json_stream_fini(struct json_stream *s)
{
	arena_reset(&s->arena);
	free(s->arena_memory);
	buf_free(&s->part);
	buf_free(&s->header);
}

static int fail(struct json_stream *s, int code, const char *what)
{
	s->error = err_set(&s->why, code, "%s at byte %llu", what, (unsigned long long)s->bytes);
	return code;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Length of the string whose opening quote is behind us, up to and with its closing quote. */
static size_t take_string(struct json_stream *s, const char *p, size_t n, bool *is_done)
{
	for (size_t i = 0; i < n; i++) {
		if (s->is_escaped)
			s->is_escaped = false;
		else if (p[i] == '\\')
			s->is_escaped = true;
		else if (p[i] == '"') {
			*is_done = true;
			return i + 1;
		}
	}
	return n;
}

static size_t take_scalar(const char *p, size_t n, bool *is_done)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == ',' || p[i] == '}' || p[i] == ']' || is_blank(p[i])) {
			*is_done = true;
			return i;
		}
	return n;
}

/* How many of the n bytes belong to the value at hand. */
static size_t take_value(struct json_stream *s, const char *p, size_t n, bool *is_done)
{
	size_t used, skip = s->type == '\0'; /* the first byte is new */

	if (s->type == '\0') {
		s->type = p[0];
		memset(&s->span, 0, sizeof(s->span));
		s->is_escaped = false;
	}
	if (s->type == '"')
		return skip + take_string(s, p + skip, n - skip, is_done);
	if (s->type != '{' && s->type != '[')
		return take_scalar(p, n, is_done);
	used = json_span_feed(&s->span, p, n);
	*is_done = s->span.is_done;
	return used;
}

/* Another member of the list, for the header that is decoded when the list ends. */
static void keep_member(struct json_stream *s, struct str value)
{
	if (s->key[0] == '\0')
		return;
	buf_char(&s->header, s->header.len == 0 ? '{' : ',');
	buf_printf(&s->header, "\"%s\":", s->key);
	buf_add(&s->header, value.at, value.len);
}

/* The kind of a body says that it is a list of what was asked for. */
static bool is_wanted_list(const struct json_stream *s, struct str kind)
{
	if (!str_has_suffix(kind, "List"))
		return false;
	return json_is(kind, "List") || s->expected == OBJECT_NONE ||
	       object_kind_from(STR(""), kind) == s->expected;
}

/* Before the first item is taken for something that it is not; most servers say the kind first. */
static int check_kind(struct json_stream *s, struct str value)
{
	struct str kind;
	struct json j;

	json_init(&j, value, &s->arena);
	if (json_text(&j, &kind) && !json_is(kind, "Status") && !is_wanted_list(s, kind))
		return fail(s, -EINVAL, NOT_A_LIST);
	return 0;
}

static int finish_value(struct json_stream *s, struct str value)
{
	int rc = 0;

	if (s->state == IN_VALUE) {
		if (s->header.len + value.len > JSON_MAX_OBJECT)
			return -EFBIG;
		keep_member(s, value);
		s->state = AT_MEMBER;
		return strcmp(s->key, "kind") == 0 ? check_kind(s, value) : 0;
	}
	s->items++;
	if (s->state == IN_EVENT) {
		rc = json_event_decode(&s->arena, value, s->expected, &s->sink);
		s->state = AT_TOP;
	} else {
		if (s->type == '{')
			rc = json_item_decode(&s->arena, value, s->expected, EVENT_ADDED, &s->sink);
		s->state = AT_ITEM;
	}
	arena_reset(&s->arena);
	return rc;
}

static bool is_value_start(char c)
{
	return c != '\0' && strchr("{[\"-0123456789tfn", c) != NULL;
}

/* Go on with the value at hand; returns the bytes used. */
static size_t feed_value(struct json_stream *s, const char *p, size_t n)
{
	bool is_done = false;
	struct str value;
	size_t used;
	int rc;

	if (s->type == '\0' && !is_value_start(p[0])) {
		fail(s, -EINVAL, "something that is no value");
		return 0;
	}
	used = take_value(s, p, n, &is_done);
	value = (struct str){p, used};
	if (s->span.is_too_deep) {
		fail(s, -E2BIG, "nested too deep");
		return used;
	}
	if (s->part.len + used > JSON_MAX_OBJECT) {
		fail(s, -EFBIG, "an object of more than 8 MiB");
		return used;
	}
	if (!is_done || s->part.len > 0)
		buf_add(&s->part, p, used);
	if (!is_done)
		return used;
	if (s->part.len > 0)
		value = (struct str){s->part.at, s->part.len};
	rc = finish_value(s, value);
	if (rc != 0 && s->error == 0)
		fail(s, rc, rc == -EINVAL ? "not JSON as it should be" : "too big");
	buf_clear(&s->part);
	if (s->part.cap > 256 * 1024)
		buf_free(&s->part);
	s->type = '\0';
	return used;
}

static void feed_key(struct json_stream *s, char c)
{
	if (c == '"') {
		size_t n = s->part.len < sizeof(s->key) ? s->part.len : 0;

		memcpy(s->key, buf_text(&s->part), n);
		s->key[n] = '\0';
		buf_clear(&s->part);
		s->state = AT_COLON;
	} else if (c == '\\' || (unsigned char)c < 0x20) {
		fail(s, -EINVAL, "an odd key");
	} else if (s->part.len < sizeof(s->key)) {
		buf_char(&s->part, c);
	}
}

/* The list is whole: report its metadata, or the Status that came in its place. */
static int finish_list(struct json_stream *s)
{
	struct api_status status;
	struct list_meta meta = {"", NULL, 0};
	struct json j;
	struct str key, kind = {NULL, 0};
	int rc = 0;

	buf_str(&s->header, s->header.len == 0 ? "{}" : "}");
	json_init(&j, (struct str){s->header.at, s->header.len}, &s->arena);
	json_object_begin(&j);
	while (json_object_next(&j, &key)) {
		if (json_is(key, "kind"))
			json_text(&j, &kind);
		else if (json_is(key, "metadata"))
			rc = json_list_meta_decode(&s->arena, json_raw(&j), &meta);
		else
			json_skip(&j);
	}
	if (rc != 0 || j.error != 0)
		return -EINVAL;
	if (json_status_decode(&s->arena, (struct str){s->header.at, s->header.len}, &status) ==
	        0) {
		sink_status(&s->sink, &status);
		return 0;
	}
	if (!is_wanted_list(s, kind))
		return -EINVAL;
	sink_list_end(&s->sink, &meta);
	return 0;
}

static void on_member_char(struct json_stream *s, char c)
{
	if (c == '}' && s->last != ',') {
		s->state = AT_END;
		if (finish_list(s) != 0)
			fail(s, -EINVAL, NOT_A_LIST);
		arena_reset(&s->arena);
	} else if (c == ',' && s->last == 'v') {
		s->last = ',';
	} else if (c == '"' && s->last != 'v') {
		s->last = 'v';
		s->state = IN_KEY;
	} else {
		fail(s, -EINVAL, "a broken list");
	}
}

/* Between items; false when c is the first character of one. */
static bool on_item_char(struct json_stream *s, char c)
{
	if (c == ']' && s->last != ',') {
		s->state = AT_MEMBER;
		s->last = 'v';
	} else if (c == ',' && s->last == 'v') {
		s->last = ',';
	} else if (c != ',' && c != ']' && s->last != 'v') {
		s->last = 'v';
		s->state = IN_ITEM;
		return false;
	} else {
		fail(s, -EINVAL, "broken items");
	}
	return true;
}

/* One character outside values; false when it is the first one of a value and was not used. */
static bool feed_char(struct json_stream *s, char c)
{
	if (s->state == IN_KEY) {
		feed_key(s, c);
		return true;
	}
	if (is_blank(c))
		return true;
	switch (s->state) {
	case AT_TOP:
		if (c != '{')
			fail(s, -EINVAL, "text that is no JSON object");
		s->state = s->mode == JSON_LIST ? AT_MEMBER : IN_EVENT;
		s->last = '\0';
		return s->mode == JSON_LIST;
	case AT_MEMBER: on_member_char(s, c); return true;
	case AT_COLON:
		if (c != ':')
			fail(s, -EINVAL, "a key without a value");
		s->state = AT_VALUE;
		return true;
	case AT_VALUE:
		if (strcmp(s->key, "items") == 0 && c == '[') {
			s->state = AT_ITEM;
			s->last = '\0';
			return true;
		}
		s->state = IN_VALUE;
		return false;
	case AT_ITEM: return on_item_char(s, c);
	default: fail(s, -EINVAL, "text behind the list"); return true;
	}
}

int json_stream_feed(struct json_stream *s, const char *p, size_t n)
{
	const char *end = p + n;

	while (p < end && s->error == 0) {
		size_t used = 1;

		if (s->state == IN_VALUE || s->state == IN_ITEM || s->state == IN_EVENT)
			used = feed_value(s, p, (size_t)(end - p));
		else if (!feed_char(s, *p))
			continue;
		p += used;
		s->bytes += used;
	}
	return s->error;
}

int json_stream_end(struct json_stream *s)
{
	int good = s->mode == JSON_LIST ? AT_END : AT_TOP;

	if (s->error == 0 && s->state != good)
		fail(s, -EPROTO, "the answer was cut short");
	return s->error;
}

const char *json_stream_error(const struct json_stream *s)
{
	return s->why.text;
}
