/*
 * A walk over the fields of a protobuf message that is complete in memory, without generated code:
 * one field after another, those of no use skipped by their length. pb_object.c reads Kubernetes
 * objects with it, pb_stream.c the messages around them. Owns nothing; texts point into the input.
 *
 * The input is hostile: every length is checked, and an error is sticky, so that a caller may
 * check once at the end. The walk never descends by itself: nesting costs nothing here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define PB_MAX_VARINT 10u /* bytes of a varint of 64 bits */

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb {
	const char *at, *end;
	int error; /* 0 or -EINVAL */
	/* the field at hand */
	uint32_t field;
	enum pb_wire wire;
	uint64_t number; /* of a PB_VARINT, else 0 */
	struct str bytes; /* of a PB_BYTES, else empty */
};

/* Start to walk over message. */
void pb_init(struct pb *p, struct str message);
/* Go to the next field; false at the end, and for ever after an error. */
bool pb_next(struct pb *p);
/* True when the field at hand is a text, bytes or a message with that number. */
static inline bool pb_is_bytes(const struct pb *p, uint32_t field)
{
	return p->field == field && p->wire == PB_BYTES;
}
/* True when the field at hand is a number or bool with that number. */
static inline bool pb_is_number(const struct pb *p, uint32_t field)
{
	return p->field == field && p->wire == PB_VARINT;
}
/*
 * Read a varint from n bytes at at: the bytes used, 0 when it is cut, -EINVAL when it has more
 * than 64 bits.
 */
int pb_varint(const char *at, size_t n, uint64_t *out);
/*
 * Split a tag into field number and wire type. 0, or -EINVAL for field 0, numbers over 2^29 - 1
 * and groups, which Kubernetes never sends.
 */
int pb_tag(uint64_t tag, uint32_t *field, enum pb_wire *wire);
