#include "dns/wire.h"

#include <limits.h>

#include "dns/msg.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/rrset.h"

/* One step over a label at *at: copies it, or follows a pointer. False when it is malformed. */
struct walk {
	size_t at;    /* where the next label is */
	size_t limit; /* pointers must aim below this */
	size_t bound; /* octets of the name must lie below this */
	size_t len;   /* octets of the name so far */
	size_t end;   /* offset behind the name as it stands, 0 until known */
};

/* No octet of a name from target on may lie in fixed octets of a record: let it end before them. */
static bool stay_out(const struct rr_places *places, size_t target, size_t *bound)
{
	unsigned low = 0, high = places->len;

	while (low < high) { /* the first that begins behind target */
		unsigned mid = (low + high) / 2;

		if (places->at[mid] <= target)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < places->len && places->at[low] < *bound)
		*bound = places->at[low];
	return target >= MSG_HEADER && (low == 0 || target >= places->at[low - 1] + RR_FIXED - 2u);
}

static bool follow_pointer(const struct reader *r, struct walk *w)
{
	size_t target;

	if (w->at + 1 >= w->bound)
		return false;
	target = get16(r->base + w->at) & 0x3fffu;
	if (w->end == 0)
		w->end = w->at + 2;
	if (target >= w->limit)
		return false;
	/* to a name that has ended before this one began (RFC 1035 4.1.4), not into itself */
	w->bound = w->limit;
	w->limit = target;
	w->at = target;
	return r->closed == NULL || stay_out(r->closed, target, &w->bound);
}

static bool copy_label(const struct reader *r, struct walk *w, uint8_t *out)
{
	size_t n = r->base[w->at] + 1u;

	if (w->at + n > w->bound || w->len + n > NAME_MAX_OCTETS)
		return false;
	if (out != NULL)
		memcpy(out + w->len, r->base + w->at, n);
	w->len += n;
	w->at += n;
	return true;
}

size_t read_name(struct reader *r, uint8_t *out)
{
	struct walk w = {r->at, r->at, r->len, 0, 0};

	while (!r->is_bad && w.at < w.bound) {
		uint8_t n = r->base[w.at];
		bool ok = (n & 0xc0) == 0xc0 ? follow_pointer(r, &w)
					     : (n & 0xc0) == 0 && copy_label(r, &w, out);

		if (!ok)
			break;
		if (n == 0) {
			r->at = w.end != 0 ? w.end : w.at;
			return w.len;
		}
	}
	r->is_bad = true;
	return 0;
}

void rr_places_add(struct rr_places *places, const struct rr_view *rr)
{
	if (rr->ttl_at < 0x4000u && places->len < RR_PLACES_MAX)
		places->at[places->len++] = (uint16_t)(rr->ttl_at - 4);
}

bool read_rr(struct reader *r, struct rr_view *rr)
{
	rr->start = r->at;
	rr->owner_len = (uint8_t)read_name(r, rr->owner);
	rr->type = read16(r);
	rr->rr_class = read16(r);
	rr->ttl_at = r->at;
	rr->ttl = read32(r);
	rr->rdlength = read16(r);
	rr->rdata_at = r->at;
	return read_bytes(r, rr->rdlength) != NULL;
}

/* RDATA with names in it: octets before the first, names, octets behind the last. */
struct layout {
	unsigned skip, names, tail;
};

#define TAIL_ANY UINT_MAX

static struct layout rdata_layout(uint16_t type)
{
	switch (type) {
	case TYPE_NS:
	case TYPE_CNAME:
	case TYPE_PTR:
	case 3: /* MD */
	case 4: /* MF */
	case 7: /* MB */
	case 8: /* MG */
	case 9: /* MR */
	case TYPE_DNAME: return (struct layout){0, 1, 0};
	case TYPE_NXT: return (struct layout){0, 1, TAIL_ANY};
	case TYPE_SOA: return (struct layout){0, 2, 20};
	case 14: /* MINFO */
	case TYPE_RP: return (struct layout){0, 2, 0};
	case TYPE_MX:
	case TYPE_AFSDB:
	case 21: /* RT */
	case TYPE_KX: return (struct layout){2, 1, 0};
	case TYPE_PX: return (struct layout){2, 2, 0};
	case TYPE_SRV: return (struct layout){6, 1, 0};
	case TYPE_SIG: return (struct layout){18, 1, TAIL_ANY};
	default: return (struct layout){0, 0, TAIL_ANY};
	}
}

bool rr_has_names(uint16_t type)
{
	struct layout is = rdata_layout(type);

	return is.names > 0 && is.tail != TAIL_ANY;
}

int rr_rdata(const struct reader *r, const struct rr_view *rr, uint8_t *out, size_t cap)
{
	struct reader in = reader_on(r->base, rr->rdata_at + rr->rdlength);
	struct layout is = rdata_layout(rr->type);
	size_t n = is.skip, tail;
	const uint8_t *p;

	in.closed = r->closed;
	in.at = rr->rdata_at;
	if (n > cap || (p = read_bytes(&in, n)) == NULL)
		return -1;
	memcpy(out, p, n);
	for (; is.names > 0; is.names--) {
		uint8_t name[NAME_MAX_OCTETS];
		size_t len = read_name(&in, name);

		if (len == 0 || n + len > cap)
			return -1;
		memcpy(out + n, name, len);
		n += len;
	}
	tail = in.len - in.at;
	if (tail > cap - n || (is.tail != TAIL_ANY && tail != is.tail))
		return -1;
	memcpy(out + n, in.base + in.at, tail);
	return (int)(n + tail);
}
