#include "dns/rrset.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define RRSET_WIRE_MAX (1u << 20)
/* First room of a set in an arena: two SRV records, or a dozen addresses. */
#define RRSET_ARENA_FIRST 192u

/* Room for n octets more; in an arena the set itself begins right before them. */
static void make_room(struct rrset_builder *b, size_t n)
{
	size_t need = b->wire.len + n, cap = b->wire.cap == 0 ? RRSET_ARENA_FIRST : b->wire.cap * 2;
	struct rrset *s;

	if (need <= b->wire.cap)
		return;
	s = arena_alloc(b->arena, sizeof(*s) + (cap > need ? cap : need));
	if (b->wire.len > 0)
		memcpy(s->wire, b->wire.at, b->wire.len);
	b->wire.at = (char *)s->wire;
	b->wire.cap = cap > need ? cap : need;
}

static void append(struct rrset_builder *b, const void *p, size_t n)
{
	if (b->arena == NULL) {
		buf_add(&b->wire, p, n);
		return;
	}
	make_room(b, n);
	memcpy(b->wire.at + b->wire.len, p, n);
	b->wire.len += n;
}

int rrset_add(struct rrset_builder *b, const void *rdata, size_t n)
{
	uint8_t fixed[RR_FIXED] = {0xc0, MSG_QNAME_AT};
	size_t record = RR_FIXED + n;

	if (b->count == UINT16_MAX || n > UINT16_MAX || b->wire.len + record > RRSET_WIRE_MAX)
		return -E2BIG;
	put16(fixed + 2, b->type);
	put16(fixed + 4, b->rr_class ? b->rr_class : CLASS_IN);
	put32(fixed + 6, b->ttl);
	put16(fixed + 10, (uint16_t)n);
	append(b, fixed, sizeof(fixed));
	if (n > 0)
		append(b, rdata, n);
	if (b->count == 0)
		b->stride = record <= UINT16_MAX ? (uint16_t)record : 0;
	else if (b->stride != record)
		b->stride = 0;
	b->count++;
	return 0;
}

static void fill(struct rrset *s, struct rrset_builder *b)
{
	s->wire_len = (uint32_t)b->wire.len;
	s->ttl = b->ttl;
	s->type = b->type;
	s->count = b->count;
	s->stride = b->stride;
	if ((char *)s->wire != b->wire.at)
		memcpy(s->wire, b->wire.at, b->wire.len);
	if (b->arena == NULL)
		buf_free(&b->wire);
	b->wire = (struct buf){NULL, 0, 0};
	b->count = 0;
	b->stride = 0;
}

struct rrset *rrset_build(struct rrset_builder *b)
{
	struct rrset *s;

	if (b->count == 0)
		return NULL;
	s = mem_alloc(sizeof(*s) + b->wire.len);
	fill(s, b);
	return s;
}

struct rrset *rrset_build_in(struct rrset_builder *b, struct arena *a)
{
	struct rrset *s;

	if (b->count == 0)
		return NULL;
	if (b->arena == a)
		s = (struct rrset *)(void *)(b->wire.at - offsetof(struct rrset, wire));
	else
		s = arena_alloc(a, sizeof(*s) + b->wire.len);
	fill(s, b);
	return s;
}

struct rrset *rrset_single(struct arena *a, uint16_t type, uint32_t ttl, struct str rdata)
{
	size_t n = RR_FIXED + rdata.len;
	struct rrset *s = arena_alloc(a, sizeof(*s) + n);

	s->wire_len = (uint32_t)n;
	s->ttl = ttl;
	s->type = type;
	s->count = 1;
	s->stride = n <= UINT16_MAX ? (uint16_t)n : 0;
	s->wire[0] = 0xc0;
	s->wire[1] = MSG_QNAME_AT;
	put16(s->wire + 2, type);
	put16(s->wire + 4, CLASS_IN);
	put32(s->wire + 6, ttl);
	put16(s->wire + 10, (uint16_t)rdata.len);
	memcpy(s->wire + RR_FIXED, rdata.at, rdata.len);
	return s;
}

const uint8_t *rrset_rdata(const struct rrset *s, unsigned i, uint16_t *n)
{
	const uint8_t *p = s->wire;

	if (s->stride != 0)
		p += (size_t)i * s->stride;
	else
		for (; i > 0; i--)
			p += RR_FIXED + get16(p + 10);
	*n = get16(p + 10);
	return p + RR_FIXED;
}

size_t rrset_soa_rdata(uint8_t *out, const struct soa *soa)
{
	const uint32_t numbers[] = {
		soa->serial, soa->refresh, soa->retry, soa->expire, soa->minimum};
	size_t m = name_len(soa->mname), r = name_len(soa->rname), n = m + r;

	memcpy(out, soa->mname, m);
	memcpy(out + m, soa->rname, r);
	for (size_t i = 0; i < 5; i++, n += 4)
		put32(out + n, numbers[i]);
	return n;
}

size_t rrset_txt_rdata(uint8_t *out, struct str text)
{
	size_t n = 0;

	do {
		size_t part = text.len > 255 ? 255 : text.len;

		out[n++] = (uint8_t)part;
		memcpy(out + n, text.at, part);
		n += part;
		text = (struct str){text.at + part, text.len - part};
	} while (text.len > 0);
	return n;
}
