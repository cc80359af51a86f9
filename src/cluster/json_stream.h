/*
 * Bodies of API answers, decoded while they arrive: a list ({"kind": "ServiceList", "items":
 * [...]}) or a watch (one {"type", "object"} after another). Every complete item or event goes to
 * the sink at once; only the one that is cut at the end of a read is buffered. The reflector of
 * source_api owns one for each request. A list body that is a Status (an error) is understood in
 * both modes.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/json.h"
#include "cluster/sink.h"

#define JSON_MAX_OBJECT (8u << 20) /* bytes of one item, event or other value */

enum json_mode { JSON_LIST, JSON_WATCH };

struct json_stream {
	/* private */
	enum json_mode mode;
	enum object_kind expected;
	struct object_sink sink;
	int state; /* enum place */
	int error;
	struct err why;
	struct json_span span; /* of the array or object at hand */
	char type; /* first character of the value at hand, 0: none */
	bool is_escaped; /* in a string */
	char last; /* before this member or item: '\0' nothing, ',' or 'v' another one */
	struct buf part; /* what earlier reads brought of the value at hand */
	char key[24]; /* of the member at hand; "" if it is longer */
	struct arena arena; /* of the item at hand */
	void *arena_memory;
	struct buf header; /* the top-level members but items, again as one JSON object */
	uint64_t items, bytes;
};

/*
 * Start a body in which objects are of kind expected (they may say so themselves). The sink is
 * copied. Must be ended with json_stream_fini().
 */
void json_stream_init(struct json_stream *s, enum json_mode mode, enum object_kind expected,
        const struct object_sink *sink);
/* Free what it holds. */
void json_stream_fini(struct json_stream *s);
/*
 * The next n bytes, cut anywhere. 0, or a negative errno, which is final: -EINVAL (no JSON, or
 * not what was asked for), -E2BIG (too deep), -EFBIG (an object over JSON_MAX_OBJECT).
 */
int json_stream_feed(struct json_stream *s, const char *p, size_t n);
/*
 * The body has ended. 0 when it ended where it may: behind the closing brace of a list, between
 * two events; -EPROTO when it was cut short.
 */
int json_stream_end(struct json_stream *s);
/* One sentence about the error that feed or end returned. */
const char *json_stream_error(const struct json_stream *s);
