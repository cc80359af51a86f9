/*
 * The decoder of one API answer, JSON or protobuf, whichever the server chose to send. source_api
 * makes one when an answer begins; objects go to the sink of its reflector.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cluster/json_stream.h"
#include "cluster/pb_stream.h"

/*
 * What to ask for. Servers without protobuf for a resource (all custom ones) answer JSON. Watches
 * are asked for with the same words: the server adds ";stream=watch" to its answer by itself.
 */
#define DECODER_ACCEPT "application/vnd.kubernetes.protobuf,application/json"
#define DECODER_ACCEPT_JSON "application/json"

/* What is to be expected of an answer. */
struct decoder_options {
	const char *content_type; /* of the answer; "" if absent */
	bool is_watch;
	enum object_kind kind;
};

struct decoder {
	bool is_protobuf;
	union {
		struct json_stream json;
		struct pb_stream pb;
	};
};

/*
 * Start to decode an answer: as protobuf when its content type says so, else as JSON. The sink is
 * copied. Must be ended with decoder_fini().
 */
void decoder_init(
        struct decoder *d, const struct decoder_options *o, const struct object_sink *sink);
/* Free what it holds. */
void decoder_fini(struct decoder *d);
/* The next n bytes, cut anywhere. 0, or a negative errno, which is final. */
int decoder_feed(struct decoder *d, const char *p, size_t n);
/* One sentence about the error that feed returned. */
const char *decoder_error(const struct decoder *d);
/* Read the body of an error answer, a Status in either encoding. 0, or -EINVAL: something else. */
int decoder_read_status(struct arena *a, struct str body, struct api_status *out);
