/*
 * Big-endian numbers in octets, and a sticky reader for messages of the network: after the first
 * read past the end every read gives zeros and is_bad stays set, so one check at the end is enough.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 16 bits, network order. */
static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* 32 bits, network order. */
static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Store 16 bits, network order. */
static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Store 32 bits, network order. */
static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

/* Records whose fixed octets a pointer can reach: 11 octets each, below offset 2^14. */
#define RR_PLACES_MAX 1490u

/* Where the fixed octets of records (type to RDLENGTH) are: the offset of each, ascending. */
struct rr_places {
	unsigned len;
	uint16_t at[RR_PLACES_MAX];
};

struct reader {
	const uint8_t *base;
	size_t at, len;
	bool is_bad;
	/*
	 * NULL, or where names may not lead, as they may not into the header: a TTL there that
	 * counts down, or another ID, would change them.
	 */
	const struct rr_places *closed;
};

/* Start to read len octets at base. */
static inline struct reader reader_on(const uint8_t *base, size_t len)
{
	return (struct reader){base, 0, len, false, NULL};
}

/* n octets and move on, or NULL when there are fewer. */
static inline const uint8_t *read_bytes(struct reader *r, size_t n)
{
	const uint8_t *p = r->base + r->at;

	if (r->is_bad || r->len - r->at < n) {
		r->is_bad = true;
		return NULL;
	}
	r->at += n;
	return p;
}

/* One octet, 0 past the end. */
static inline uint8_t read8(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 1);

	return p == NULL ? 0 : *p;
}

/* 16 bits, 0 past the end. */
static inline uint16_t read16(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 2);

	return p == NULL ? 0 : get16(p);
}

/* 32 bits, 0 past the end. */
static inline uint32_t read32(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 4);

	return p == NULL ? 0 : get32(p);
}

/*
 * A possibly compressed name (RFC 1035 4.1.4) into out (255 octets), uncompressed. Pointers must
 * go strictly backwards, which bounds the work. Returns its length, 0 and is_bad on error. The
 * reader moves behind the name as it stands in the message. out may be NULL to skip the name.
 */
size_t read_name(struct reader *r, uint8_t *out);

/* One resource record of a message; pointers are into the message. */
struct rr_view {
	uint8_t owner[255];
	uint8_t owner_len;
	uint16_t type, rr_class, rdlength;
	uint32_t ttl;
	size_t start;    /* offset of the owner name */
	size_t ttl_at;   /* offset of the TTL field */
	size_t rdata_at; /* offset of RDATA */
};

/* Read the next record and move behind it. False on error or past the end. */
bool read_rr(struct reader *r, struct rr_view *rr);
/* Add where the fixed octets of rr are, which stands behind those of before; out of reach: none. */
void rr_places_add(struct rr_places *places, const struct rr_view *rr);
/* True when RDATA of the type is names, numbers, and nothing else: see rr_rdata(). */
bool rr_has_names(uint16_t type);
/*
 * RDATA of rr, with the compressed names of the types of RFC 1035 (and the other types whose
 * names old software compresses, RFC 3597 4) written out, into out of cap octets. Returns the
 * length, or -1 when it is malformed (octets behind the last name included) or too long. r is the
 * reader of the same message.
 */
int rr_rdata(const struct reader *r, const struct rr_view *rr, uint8_t *out, size_t cap);
