/*
 * The envelopes around objects: watch events, list headers, Status answers.
 */
#include <errno.h>

#include "cluster/json.h"
#include "cluster/json_object.h"

int json_list_meta_decode(struct arena *a, struct str text, struct list_meta *out)
{
	struct json j;
	struct str key;
	int64_t n;

	*out = (struct list_meta){"", NULL, 0};
	json_init(&j, text, a);
	if (!json_object_begin(&j))
		return j.error;
	while (json_object_next(&j, &key)) {
		struct str s = {NULL, 0};

		if (json_is(key, "resourceVersion") && json_text(&j, &s)) {
			out->version = arena_dup(a, s.at, s.len);
		} else if (json_is(key, "continue") && json_text(&j, &s)) {
			out->continue_token = s.len == 0 ? NULL : arena_dup(a, s.at, s.len);
		} else if (json_is(key, "remainingItemCount") && json_int(&j, &n)) {
			out->remaining = n > 0 ? (uint64_t)n : 0;
		} else if (!json_is(key, "resourceVersion") && !json_is(key, "continue") &&
		           !json_is(key, "remainingItemCount")) {
			json_skip(&j);
		}
	}
	return j.error;
}

static void read_details(struct json *j, struct api_status *out)
{
	struct str key;
	int64_t n;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (!json_is(key, "retryAfterSeconds"))
			json_skip(j);
		else if (json_int(j, &n) && n > 0 && n < 86400)
			out->retry_after_s = (uint32_t)n;
	}
}

int json_status_decode(struct arena *a, struct str text, struct api_status *out)
{
	struct json j;
	struct str key, kind = {NULL, 0}, s;
	struct list_meta meta = {"", NULL, 0};
	int64_t n;

	*out = (struct api_status){0, "", "", 0, NULL};
	json_init(&j, text, a);
	if (!json_object_begin(&j))
		return -EINVAL;
	while (json_object_next(&j, &key)) {
		if (json_is(key, "kind"))
			json_text(&j, &kind);
		else if (json_is(key, "code"))
			out->code = json_int(&j, &n) && n > 0 && n < 1000 ? (int)n : 0;
		else if (json_is(key, "details"))
			read_details(&j, out);
		else if (json_is(key, "metadata"))
			json_list_meta_decode(a, json_raw(&j), &meta);
		else if (!json_is(key, "reason") && !json_is(key, "message"))
			json_skip(&j);
		else if (json_text(&j, &s))
			*(json_is(key, "reason") ? &out->reason : &out->message) =
			        arena_dup(a, s.at, s.len);
	}
	out->continue_token = meta.continue_token;
	return j.error != 0 || !json_is(kind, "Status") ? -EINVAL : 0;
}

/* ---- watch events ---- */

static bool is_initial_end(struct arena *a, struct str metadata)
{
	struct json j;
	struct str key, name;
	bool is_end = false;

	json_init(&j, metadata, a);
	if (!json_object_begin(&j))
		return false;
	while (json_object_next(&j, &key)) {
		if (!json_is(key, "annotations") || !json_object_begin(&j)) {
			if (!json_is(key, "annotations"))
				json_skip(&j);
			continue;
		}
		while (json_object_next(&j, &name))
			if (json_is(name, "k8s.io/initial-events-end"))
				json_bool(&j, &is_end);
			else
				json_skip(&j);
	}
	return is_end && j.error == 0;
}

static int report_bookmark(struct arena *a, struct str text, const struct object_sink *sink)
{
	struct json j;
	struct str key, metadata = {NULL, 0};
	struct list_meta meta = {"", NULL, 0};
	int rc;

	json_init(&j, text, a);
	if (!json_object_begin(&j))
		return -EINVAL;
	while (json_object_next(&j, &key))
		if (json_is(key, "metadata"))
			metadata = json_raw(&j);
		else
			json_skip(&j);
	rc = j.error != 0 || metadata.len == 0 ? j.error
	                                       : json_list_meta_decode(a, metadata, &meta);
	if (rc != 0)
		return rc;
	sink_bookmark(sink, meta.version, metadata.len > 0 && is_initial_end(a, metadata));
	return 0;
}

int json_item_decode(struct arena *a, struct str text, enum object_kind expected,
        enum event_type type, const struct object_sink *sink)
{
	struct object o;
	int rc = json_object_decode(a, text, expected, &o);

	return sink_decoded(sink, rc, type, &o);
}

static int report_status(struct arena *a, struct str text, const struct object_sink *sink)
{
	struct api_status status;

	if (json_status_decode(a, text, &status) != 0)
		return -EINVAL;
	sink_status(sink, &status);
	return 0;
}

int json_event_decode(
        struct arena *a, struct str text, enum object_kind expected, const struct object_sink *sink)
{
	struct json j;
	struct str key, type = {NULL, 0}, object = {NULL, 0};

	json_init(&j, text, a);
	if (!json_object_begin(&j))
		return -EINVAL;
	while (json_object_next(&j, &key)) {
		if (json_is(key, "type"))
			json_text(&j, &type);
		else if (json_is(key, "object"))
			object = json_raw(&j);
		else
			json_skip(&j);
	}
	if (j.error != 0)
		return j.error;
	if (type.len == 0 && report_status(a, text, sink) == 0)
		return 0;
	if (json_is(type, "BOOKMARK"))
		return report_bookmark(a, object, sink);
	if (json_is(type, "ERROR"))
		return report_status(a, object, sink);
	if (json_is(type, "ADDED"))
		return json_item_decode(a, object, expected, EVENT_ADDED, sink);
	if (json_is(type, "MODIFIED"))
		return json_item_decode(a, object, expected, EVENT_MODIFIED, sink);
	if (json_is(type, "DELETED"))
		return json_item_decode(a, object, expected, EVENT_DELETED, sink);
	sink_skipped(sink, "an event of an unknown type");
	return 0;
}
