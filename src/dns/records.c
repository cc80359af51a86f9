#include "dns/records.h"

#include "base/map.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"

/* Type, class, TTL and length behind the owner. */
#define FIXED 10u

static void add(struct buf *row, struct str owner, const uint8_t *fixed, size_t n)
{
	buf_add(row, owner.at, owner.len);
	buf_add(row, fixed, n);
}

void records_add(struct buf *row, const uint8_t *owner, const struct record *r)
{
	uint8_t fixed[FIXED];

	put16(fixed, r->type);
	put16(fixed + 2, CLASS_IN);
	put32(fixed + 4, r->ttl);
	put16(fixed + 8, r->rdlength);
	add(row, (struct str){(const char *)owner, name_len(owner)}, fixed, sizeof(fixed));
	buf_add(row, r->rdata, r->rdlength);
}

bool records_add_some(struct buf *row, const uint8_t *owner, const struct rrset *set, size_t *at,
	size_t enough)
{
	struct str name = {(const char *)owner, name_len(owner)};
	const uint8_t *p;
	uint16_t n;

	if (set == NULL || *at >= set->count)
		return false;
	p = rrset_rdata(set, (unsigned)*at, &n) - RR_FIXED;
	for (; *at < set->count && row->len < enough; (*at)++) {
		n = get16(p + 10);
		/* a set's record has a pointer of two octets where ours has the owner */
		add(row, name, p + 2, FIXED + n);
		p += RR_FIXED + n;
	}
	return *at < set->count;
}

void records_add_set(struct buf *row, const uint8_t *owner, const struct rrset *set)
{
	size_t at = 0;

	records_add_some(row, owner, set, &at, SIZE_MAX);
}

bool records_next(const struct buf *row, size_t *pos, struct record *out)
{
	const uint8_t *p;

	if (*pos >= row->len)
		return false;
	p = (const uint8_t *)row->at + *pos;
	out->owner = p;
	out->owner_len = name_len(p);
	p += out->owner_len;
	out->type = get16(p);
	out->ttl = get32(p + 4);
	out->rdlength = get16(p + 8);
	out->rdata = p + FIXED;
	out->size = out->owner_len + FIXED + out->rdlength;
	*pos += out->size;
	return true;
}

static struct str key_of(const struct record *r)
{
	return (struct str){(const char *)r->owner, r->size};
}

void records_diff(const struct buf *before, const struct buf *after, struct buf *removed,
	struct buf *added)
{
	struct record r;
	struct map map;
	size_t pos = 0;

	map_init(&map);
	while (records_next(before, &pos, &r))
		map_put(&map, key_of(&r), (void *)(uintptr_t)r.owner);
	for (pos = 0; records_next(after, &pos, &r);)
		if (map_del(&map, key_of(&r)) == NULL)
			buf_add(added, r.owner, r.size);
	for (pos = 0; records_next(before, &pos, &r);)
		if (map_del(&map, key_of(&r)) != NULL)
			buf_add(removed, r.owner, r.size);
	map_fini(&map);
}
