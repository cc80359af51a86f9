/*
 * The messages around objects: Unknown, watch events, list headers, Status answers.
 */
#include <errno.h>

#include "cluster/pb.h"
#include "cluster/pb_object.h"

enum {
	UNKNOWN_TYPE = 1,
	UNKNOWN_RAW = 2,
	UNKNOWN_CONTENT_ENCODING = 3,
	TYPE_API_VERSION = 1,
	TYPE_KIND = 2,
	LIST_VERSION = 2,
	LIST_CONTINUE = 3,
	LIST_REMAINING = 4,
	STATUS_METADATA = 1,
	STATUS_MESSAGE = 3,
	STATUS_REASON = 4,
	STATUS_DETAILS = 5,
	STATUS_CODE = 6,
	DETAILS_RETRY_AFTER = 5,
	EVENT_TYPE = 1,
	EVENT_OBJECT = 2,
	EXTENSION_RAW = 1,
	BOOKMARK_METADATA = 1,
	METADATA_VERSION = 6,
	METADATA_ANNOTATIONS = 12,
	PAIR_KEY = 1,
	PAIR_VALUE = 2,
};

int pb_type_decode(struct str message, struct pb_unknown *out)
{
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p)) {
		if (pb_is_bytes(&p, TYPE_API_VERSION))
			out->api_version = p.bytes;
		else if (pb_is_bytes(&p, TYPE_KIND))
			out->kind = p.bytes;
	}
	return p.error;
}

int pb_unknown_decode(struct str text, struct pb_unknown *out)
{
	static const struct str none = {"", 0};
	struct pb p;
	int rc = 0;

	*out = (struct pb_unknown){none, none, none, none};
	if (text.len < PB_MAGIC_SIZE || memcmp(text.at, PB_MAGIC, PB_MAGIC_SIZE) != 0)
		return -EINVAL;
	pb_init(&p, (struct str){text.at + PB_MAGIC_SIZE, text.len - PB_MAGIC_SIZE});
	while (rc == 0 && pb_next(&p)) {
		if (pb_is_bytes(&p, UNKNOWN_TYPE))
			rc = pb_type_decode(p.bytes, out);
		else if (pb_is_bytes(&p, UNKNOWN_RAW))
			out->raw = p.bytes;
		else if (pb_is_bytes(&p, UNKNOWN_CONTENT_ENCODING))
			out->content_encoding = p.bytes;
	}
	if (rc != 0 || p.error != 0 || out->content_encoding.len > 0)
		return -EINVAL;
	return 0;
}

int pb_list_meta_decode(struct arena *a, struct str message, struct list_meta *out)
{
	struct pb p;

	*out = (struct list_meta){"", NULL, 0};
	pb_init(&p, message);
	while (pb_next(&p)) {
		struct str s = p.bytes;

		if (pb_is_bytes(&p, LIST_VERSION))
			out->version = arena_dup(a, s.at, s.len);
		else if (pb_is_bytes(&p, LIST_CONTINUE))
			out->continue_token = s.len == 0 ? NULL : arena_dup(a, s.at, s.len);
		else if (pb_is_number(&p, LIST_REMAINING))
			out->remaining = p.number <= INT64_MAX ? p.number : 0;
	}
	return p.error;
}

static int read_details(struct str message, struct api_status *out)
{
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p))
		if (pb_is_number(&p, DETAILS_RETRY_AFTER) && p.number > 0 && p.number < 86400)
			out->retry_after_s = (uint32_t)p.number;
	return p.error;
}

int pb_status_raw_decode(struct arena *a, struct str raw, struct api_status *out)
{
	struct list_meta meta = {"", NULL, 0};
	struct pb p;
	int rc = 0;

	*out = (struct api_status){0, "", "", 0, NULL};
	pb_init(&p, raw);
	while (rc == 0 && pb_next(&p)) {
		if (pb_is_bytes(&p, STATUS_METADATA))
			rc = pb_list_meta_decode(a, p.bytes, &meta);
		else if (pb_is_bytes(&p, STATUS_MESSAGE))
			out->message = arena_dup(a, p.bytes.at, p.bytes.len);
		else if (pb_is_bytes(&p, STATUS_REASON))
			out->reason = arena_dup(a, p.bytes.at, p.bytes.len);
		else if (pb_is_bytes(&p, STATUS_DETAILS))
			rc = read_details(p.bytes, out);
		else if (pb_is_number(&p, STATUS_CODE))
			out->code = p.number < 1000 ? (int)p.number : 0;
	}
	out->continue_token = meta.continue_token;
	return rc != 0 ? rc : p.error;
}

int pb_status_decode(struct arena *a, struct str text, struct api_status *out)
{
	struct pb_unknown u;

	if (pb_unknown_decode(text, &u) != 0 || !str_is(u.kind, "Status"))
		return -EINVAL;
	return pb_status_raw_decode(a, u.raw, out);
}

/* ---- watch events ---- */

int pb_item_decode(struct arena *a, struct str raw, enum object_kind kind, enum event_type type,
        const struct object_sink *sink)
{
	struct object o;
	int rc = pb_object_decode(a, raw, kind, &o);

	return sink_decoded(sink, rc, type, &o);
}

static int read_initial_end(struct str annotation, bool *is_end)
{
	struct str key = {"", 0}, value = {"", 0};
	struct pb p;

	pb_init(&p, annotation);
	while (pb_next(&p)) {
		if (pb_is_bytes(&p, PAIR_KEY))
			key = p.bytes;
		else if (pb_is_bytes(&p, PAIR_VALUE))
			value = p.bytes;
	}
	if (str_is(key, "k8s.io/initial-events-end"))
		*is_end = str_eq_nocase(value, STR("true"));
	return p.error;
}

static int read_bookmark(
        struct arena *a, struct str metadata, const char **version, bool *is_initial_end)
{
	struct pb p;
	int rc = 0;

	pb_init(&p, metadata);
	while (rc == 0 && pb_next(&p)) {
		if (pb_is_bytes(&p, METADATA_VERSION))
			*version = arena_dup(a, p.bytes.at, p.bytes.len);
		else if (pb_is_bytes(&p, METADATA_ANNOTATIONS))
			rc = read_initial_end(p.bytes, is_initial_end);
	}
	return rc != 0 ? rc : p.error;
}

static int report_bookmark(struct arena *a, struct str raw, const struct object_sink *sink)
{
	const char *version = "";
	bool is_initial_end = false;
	struct pb p;
	int rc = 0;

	pb_init(&p, raw);
	while (rc == 0 && pb_next(&p))
		if (pb_is_bytes(&p, BOOKMARK_METADATA))
			rc = read_bookmark(a, p.bytes, &version, &is_initial_end);
	if (rc != 0 || p.error != 0)
		return -EINVAL;
	sink_bookmark(sink, version, is_initial_end);
	return 0;
}

static int report_status(
        struct arena *a, const struct pb_unknown *u, const struct object_sink *sink)
{
	struct api_status status;

	if (!str_is(u->kind, "Status") || pb_status_raw_decode(a, u->raw, &status) != 0)
		return -EINVAL;
	sink_status(sink, &status);
	return 0;
}

static int report_object(struct arena *a, const struct pb_unknown *u, enum object_kind expected,
        enum event_type type, const struct object_sink *sink)
{
	if (u->kind.len > 0)
		expected = object_kind_from(u->api_version, u->kind);
	return pb_item_decode(a, u->raw, expected, type, sink);
}

/* RawExtension: the object as it would be alone, "k8s\0" and an Unknown. */
static int read_extension(struct str message, struct str *object)
{
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p))
		if (pb_is_bytes(&p, EXTENSION_RAW))
			*object = p.bytes;
	return p.error;
}

int pb_event_decode(struct arena *a, struct str message, enum object_kind expected,
        const struct object_sink *sink)
{
	struct str type = {"", 0}, object = {"", 0};
	struct pb_unknown u;
	struct pb p;
	int rc = 0;

	pb_init(&p, message);
	while (rc == 0 && pb_next(&p)) {
		if (pb_is_bytes(&p, EVENT_TYPE))
			type = p.bytes;
		else if (pb_is_bytes(&p, EVENT_OBJECT))
			rc = read_extension(p.bytes, &object);
	}
	if (rc != 0 || p.error != 0)
		return -EINVAL;
	if (!str_is(type, "ADDED") && !str_is(type, "MODIFIED") && !str_is(type, "DELETED") &&
	        !str_is(type, "BOOKMARK") && !str_is(type, "ERROR")) {
		sink_skipped(sink, "an event of an unknown type");
		return 0;
	}
	if (pb_unknown_decode(object, &u) != 0)
		return -EINVAL;
	if (str_is(type, "BOOKMARK"))
		return report_bookmark(a, u.raw, sink);
	if (str_is(type, "ERROR"))
		return report_status(a, &u, sink);
	return report_object(a, &u, expected,
	        str_is(type, "ADDED")      ? EVENT_ADDED
	        : str_is(type, "MODIFIED") ? EVENT_MODIFIED
	                                   : EVENT_DELETED,
	        sink);
}
