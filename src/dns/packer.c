#include "dns/packer.h"

#include <string.h>

#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define HEADER 12u
/* A pointer has 14 bits. */
#define POINTER_MAX 0x3fffu
#define LABELS_MAX 128u
/* Fuller, and finding a free slot would take long; later names are written out. */
#define USED_MAX (PACKER_SLOTS / 4 * 3)

/* A name's labels and the hashes of its suffixes, each made from the one behind it. */
struct parts {
	const uint8_t *at[LABELS_MAX];
	uint32_t hash[LABELS_MAX];
	unsigned n;
	const uint8_t *end; /* the root octet */
};

static uint32_t mix(uint32_t hash, const uint8_t *label)
{
	for (unsigned i = 0; i <= label[0]; i++)
		hash = (hash ^ label[i]) * 0x01000193u;
	return hash ^ hash >> 15;
}

static void split(struct parts *parts, const uint8_t *name)
{
	uint32_t hash = 0x811c9dc5u;

	parts->n = 0;
	for (; name[0] != 0; name += name[0] + 1u)
		parts->at[parts->n++] = name;
	parts->end = name;
	for (unsigned i = parts->n; i > 0; i--)
		parts->hash[i - 1] = hash = mix(hash, parts->at[i - 1]);
}

/* True when the name at an offset of the message, which may end in pointers, is this one. */
static bool is_name_at(const struct packer *p, size_t offset, const uint8_t *name)
{
	const uint8_t *at = p->out + offset;

	for (;;) {
		while (at[0] >= 0xc0)
			at = p->out + (get16(at) & POINTER_MAX);
		if (at[0] != name[0] || memcmp(at, name, name[0] + 1u) != 0)
			return false;
		if (name[0] == 0)
			return true;
		at += at[0] + 1u;
		name += name[0] + 1u;
	}
}

/* The slot of a suffix: its offset, or 0 where it can be put. */
static uint16_t *find(struct packer *p, const uint8_t *suffix, uint32_t hash)
{
	for (uint32_t i = hash % PACKER_SLOTS;; i = (i + 1) % PACKER_SLOTS)
		if (p->slots[i] == 0 || is_name_at(p, p->slots[i], suffix))
			return &p->slots[i];
}

/* Write the name, its known suffix as a pointer. False when there is no room. */
static bool write_name(struct packer *p, const uint8_t *name)
{
	struct parts parts;
	size_t n, at = p->at;
	unsigned i = 0;
	uint16_t *slot;

	split(&parts, name);
	for (; i < parts.n; i++) {
		slot = find(p, parts.at[i], parts.hash[i]);
		if (*slot != 0)
			break;
	}
	n = (size_t)((i < parts.n ? parts.at[i] : parts.end) - name);
	if (p->limit - at < n + 2)
		return false;
	memcpy(p->out + at, name, n);
	if (i < parts.n)
		put16(p->out + at + n, (uint16_t)(0xc000 | *slot));
	else
		p->out[at + n] = 0;
	p->at = at + n + (i < parts.n ? 2 : 1);
	while (i-- > 0) {
		size_t offset = at + (size_t)(parts.at[i] - name);

		if (offset > POINTER_MAX || p->used >= USED_MAX)
			continue;
		*find(p, parts.at[i], parts.hash[i]) = (uint16_t)offset;
		p->used++;
	}
	return true;
}

void packer_init(struct packer *p, uint8_t *out, size_t at, size_t limit)
{
	memset(p, 0, sizeof(*p));
	p->out = out;
	p->at = at;
	p->limit = limit;
	if (at > HEADER) {
		p->at = HEADER;
		write_name(p, out + HEADER);
		p->at = at;
	}
}

static bool write_owner(struct packer *p, const struct record *r)
{
	size_t at = p->at;

	if (p->last_owner != 0 && is_name_at(p, p->last_owner, r->owner)) {
		if (p->limit - at < 2)
			return false;
		put16(p->out + at, (uint16_t)(0xc000 | p->last_owner));
		p->at += 2;
		return true;
	}
	if (!write_name(p, r->owner))
		return false;
	p->last_owner = at <= POINTER_MAX ? at : 0;
	return true;
}

static bool write_octets(struct packer *p, const uint8_t *octets, size_t n)
{
	if (p->limit - p->at < n)
		return false;
	memcpy(p->out + p->at, octets, n);
	p->at += n;
	return true;
}

/* How RDATA begins, for the types whose names may be compressed (RFC 3597 4). */
struct layout {
	unsigned fixed, names;
};

static struct layout layout_of(uint16_t type)
{
	switch (type) {
	case TYPE_NS:
	case TYPE_CNAME:
	case TYPE_PTR: return (struct layout){0, 1};
	case TYPE_MX: return (struct layout){2, 1};
	case TYPE_SOA: return (struct layout){0, 2};
	default: return (struct layout){0, 0};
	}
}

static bool write_rdata(struct packer *p, const struct record *r)
{
	struct layout l = layout_of(r->type);
	const uint8_t *at = r->rdata + l.fixed, *end = r->rdata + r->rdlength;
	size_t start = p->at;

	if (!write_octets(p, r->rdata, l.fixed))
		return false;
	for (; l.names > 0; l.names--) {
		if (!write_name(p, at))
			return false;
		at += name_len(at);
	}
	if (!write_octets(p, at, (size_t)(end - at)))
		return false;
	put16(p->out + start - 2, (uint16_t)(p->at - start));
	return true;
}

bool packer_add(struct packer *p, const struct record *r)
{
	size_t before = p->at;

	/* what stands between owner and RDATA is as in the row */
	if (write_owner(p, r) && write_octets(p, r->owner + r->owner_len, 10) &&
		write_rdata(p, r)) {
		p->count++;
		return true;
	}
	p->at = before;
	return false;
}
