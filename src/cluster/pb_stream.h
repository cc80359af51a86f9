/*
 * Bodies of API answers in Kubernetes protobuf, decoded while they arrive; the counterpart of
 * json_stream.h with the same callbacks. The reflector of source_api owns one for each request.
 *
 * A list is "k8s\0" and a runtime.Unknown whose raw is an XList: its items go to the sink one at
 * a time, each when its last byte is there, and only the one that is cut at the end of a read is
 * buffered. A watch is frames of a length (four bytes, big endian) and a WatchEvent, whose object
 * is "k8s\0" and an Unknown again. A list body that is a Status (an error) is understood.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/pb.h"
#include "cluster/sink.h"

#define PB_MAX_OBJECT (8u << 20) /* bytes of one item, event or other value */

enum pb_mode { PB_LIST, PB_WATCH };

struct pb_stream {
	/* private */
	enum pb_mode mode;
	enum object_kind expected;
	struct object_sink sink;
	int state; /* enum pb_place */
	int error;
	struct err why;
	char head[PB_MAX_VARINT]; /* of the tag, length or magic at hand */
	unsigned head_len;
	uint32_t field; /* at hand */
	enum pb_wire wire;
	uint64_t left; /* bytes of the value at hand that are still to come */
	bool has_type; /* the type of the list has come and is right */
	bool is_status; /* it is a Status */
	bool is_in_raw; /* between the fields of the list, not of the Unknown around it */
	bool is_over; /* the list was whole */
	uint64_t raw_left; /* bytes of the list that are still to come */
	struct buf part; /* what earlier reads brought of the value at hand */
	struct buf meta; /* metadata of the list */
	struct arena arena; /* of the item at hand */
	void *arena_memory;
	uint64_t items, bytes;
};

/*
 * Start a body in which objects are of kind expected; in a watch they say so themselves. The sink
 * is copied. Must be ended with pb_stream_fini().
 */
void pb_stream_init(struct pb_stream *s, enum pb_mode mode, enum object_kind expected,
        const struct object_sink *sink);
/* Free what it holds. */
void pb_stream_fini(struct pb_stream *s);
/*
 * The next n bytes, cut anywhere. 0, or a negative errno, which is final: -EINVAL (no protobuf of
 * Kubernetes, or not what was asked for), -EFBIG (an object over PB_MAX_OBJECT).
 */
int pb_stream_feed(struct pb_stream *s, const char *p, size_t n);
/*
 * The body has ended. 0 when it ended where it may: behind a list, between two events; -EPROTO
 * when it was cut short.
 */
int pb_stream_end(struct pb_stream *s);
/* One sentence about the error that feed or end returned. */
const char *pb_stream_error(const struct pb_stream *s);
