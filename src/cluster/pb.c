#include "cluster/pb.h"

#include <errno.h>

int pb_varint(const char *at, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < PB_MAX_VARINT; i++) {
		uint8_t c;

		if (i == n)
			return 0;
		c = (uint8_t)at[i];
		if (i == PB_MAX_VARINT - 1 && c > 1)
			return -EINVAL;
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c < 0x80) {
			*out = v;
			return (int)i + 1;
		}
	}
	return -EINVAL;
}

int pb_tag(uint64_t tag, uint32_t *field, enum pb_wire *wire)
{
	unsigned w = tag & 7;

	if (tag >> 3 == 0 || tag > UINT32_MAX)
		return -EINVAL;
	if (w != PB_VARINT && w != PB_FIXED64 && w != PB_BYTES && w != PB_FIXED32)
		return -EINVAL;
	*field = (uint32_t)(tag >> 3);
	*wire = (enum pb_wire)w;
	return 0;
}

void pb_init(struct pb *p, struct str message)
{
	*p = (struct pb){.at = message.at, .end = message.at + message.len};
}

static bool fail(struct pb *p)
{
	p->error = -EINVAL;
	p->at = p->end;
	return false;
}

/*
 * Most fields have a tag of one byte, and a length or number of one byte: take such a one. False
 * leaves all to the long way, which also finds the errors.
 */
static bool take_short(struct pb *p)
{
	const uint8_t *at = (const uint8_t *)p->at;
	size_t left = (size_t)(p->end - p->at);
	unsigned wire;

	if (left < 2 || at[0] < 8 || ((at[0] | at[1]) & 0x80) != 0)
		return false;
	wire = at[0] & 7;
	if (wire == PB_BYTES && at[1] <= left - 2) {
		p->number = 0;
		p->bytes = (struct str){p->at + 2, at[1]};
		p->at += 2 + at[1];
	} else if (wire == PB_VARINT) {
		p->number = at[1];
		p->bytes = (struct str){NULL, 0};
		p->at += 2;
	} else {
		return false;
	}
	p->field = at[0] >> 3;
	p->wire = (enum pb_wire)wire;
	return true;
}

static bool take_varint(struct pb *p, uint64_t *out)
{
	int n;

	n = pb_varint(p->at, (size_t)(p->end - p->at), out);
	if (n <= 0)
		return fail(p);
	p->at += n;
	return true;
}

static bool take_bytes(struct pb *p, uint64_t n)
{
	if (n > (uint64_t)(p->end - p->at))
		return fail(p);
	p->bytes = (struct str){p->at, (size_t)n};
	p->at += n;
	return true;
}

bool pb_next(struct pb *p)
{
	uint64_t n;

	if (take_short(p))
		return true;
	if (p->at == p->end)
		return false;
	p->number = 0;
	p->bytes = (struct str){NULL, 0};
	if (!take_varint(p, &n))
		return false;
	if (pb_tag(n, &p->field, &p->wire) != 0)
		return fail(p);
	switch (p->wire) {
	case PB_VARINT: return take_varint(p, &p->number);
	case PB_BYTES: return take_varint(p, &n) && take_bytes(p, n);
	default:
		if (!take_bytes(p, p->wire == PB_FIXED64 ? 8 : 4))
			return false;
		p->bytes = (struct str){NULL, 0};
		return true;
	}
}
