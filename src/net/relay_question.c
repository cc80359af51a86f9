#include <string.h>

#include "base/hash.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "net/relay_internal.h"

#define OPT_FIXED 11u
#define UDP_SIZE 1232u
#define PAD_BLOCK 128u
#define EDNS_PADDING 12u
#define DO_BIT 0x8000u

/* Copy the options that are meant for the far end (client subnet); all or none. */
static size_t copy_options(uint8_t *out, const uint8_t *wire, const struct edns *edns)
{
	struct reader r = reader_on(wire, edns->end);
	size_t n = 0;

	r.at = edns->offset + OPT_FIXED;
	while (edns->is_present && r.at < r.len) {
		const uint8_t *at = r.base + r.at;
		uint16_t code = read16(&r), len = read16(&r);

		if (read_bytes(&r, len) == NULL)
			return 0;
		if (edns_is_hop_by_hop(code))
			continue;
		if (n + 4u + len > OPTIONS_MAX)
			return 0;
		memcpy(out + n, at, 4u + len);
		n += 4u + len;
	}
	return n;
}

static void put_opt(struct question *q, bool wants_dnssec, const uint8_t *options, size_t n)
{
	uint8_t *p = q->wire + q->end;

	memset(p, 0, OPT_FIXED);
	put16(p + 1, TYPE_OPT);
	put16(p + 3, UDP_SIZE);
	put16(p + 7, wants_dnssec ? DO_BIT : 0);
	put16(p + 9, (uint16_t)n);
	memcpy(p + OPT_FIXED, options, n);
	q->len = (uint16_t)(q->end + OPT_FIXED + n);
}

static void put_header(struct question *q, uint16_t flags)
{
	memset(q->wire, 0, MSG_HEADER);
	put16(q->wire + 2, flags);
	put16(q->wire + 4, 1);
	put16(q->wire + 10, 1);
}

void question_make(struct question *q, const uint8_t *wire, const struct msg *m, uint64_t seed)
{
	uint8_t folded[NAME_MAX_OCTETS], options[OPTIONS_MAX];
	size_t n = copy_options(options, wire, &m->edns), tail = MSG_HEADER + (size_t)m->qname_len;

	put_header(q, (uint16_t)(FLAG_RD | (m->flags & (FLAG_AD | FLAG_CD))));
	q->name_len = m->qname_len;
	q->end = (uint16_t)(MSG_HEADER + q->name_len + 4);
	memcpy(q->wire + MSG_HEADER, wire + MSG_HEADER, q->name_len + 4u);
	put_opt(q, m->edns.wants_dnssec, options, n);
	name_fold(folded, q->wire + MSG_HEADER, q->name_len);
	q->hash = hash_bytes(seed, folded, q->name_len);
	q->hash = hash_bytes(q->hash, q->wire + tail, q->len - tail);
}

void question_copy(struct question *to, const struct question *from)
{
	memcpy(to, from, offsetof(struct question, wire) + from->len);
}

void question_probe(struct question *q, const struct name *name, bool is_recursive)
{
	put_header(q, is_recursive ? FLAG_RD : 0);
	q->hash = 0;
	q->name_len = name->len;
	memcpy(q->wire + MSG_HEADER, name->wire, name->len);
	put16(q->wire + MSG_HEADER + name->len, TYPE_NS);
	put16(q->wire + MSG_HEADER + name->len + 2, CLASS_IN);
	q->end = (uint16_t)(MSG_HEADER + name->len + 4);
	put_opt(q, false, (const uint8_t *)"", 0);
}

bool question_equal(const struct question *a, const struct question *b)
{
	size_t tail = MSG_HEADER + (size_t)a->name_len;

	return a->hash == b->hash && a->len == b->len && a->name_len == b->name_len &&
	       memcmp(a->wire, b->wire, MSG_HEADER) == 0 &&
	       memcmp(a->wire + tail, b->wire + tail, a->len - tail) == 0 &&
	       name_equal(a->wire + MSG_HEADER, b->wire + MSG_HEADER);
}

/*
 * Give the first 64 letters the case that the bits say: as many bits more that a forger has to
 * guess. Octets of length are below those of letters.
 */
static void spread_case(uint8_t *name, size_t n, uint64_t bits)
{
	for (size_t i = 0, used = 0; i < n && used < 64; i++) {
		uint8_t low = name[i] | 0x20;

		if (low < 'a' || low > 'z')
			continue;
		name[i] = (uint8_t)(low ^ (bits >> used & 1u) << 5);
		used++;
	}
}

/* Let all queries have one of a few lengths, where nobody can read them (RFC 8467 4.1). */
static size_t pad(const struct question *q, uint8_t *out, size_t n)
{
	size_t whole = (n + 4 + PAD_BLOCK - 1) / PAD_BLOCK * PAD_BLOCK;

	if (whole > RELAY_QUERY_MAX)
		return n;
	put16(out + n, EDNS_PADDING);
	put16(out + n + 2, (uint16_t)(whole - n - 4));
	memset(out + n + 4, 0, whole - n - 4);
	put16(out + q->end + 9, (uint16_t)(whole - q->end - OPT_FIXED));
	return whole;
}

size_t question_write(const struct question *q, const struct attempt *a, uint8_t *out)
{
	size_t n = a->has_edns ? q->len : q->end;

	memcpy(out, q->wire, n);
	put16(out, a->id);
	put16(out + 10, a->has_edns ? 1 : 0);
	if (a->has_random_case)
		spread_case(out + MSG_HEADER, q->name_len, a->letter_case);
	if (a->has_edns && a->upstream->way.tls != NULL)
		return pad(q, out, n);
	return n;
}

bool question_is_answered(
        const struct question *q, const struct attempt *a, const uint8_t *data, size_t n)
{
	struct reply_question view = question_view(q);
	uint8_t sent[RELAY_QUERY_MAX];

	if (a->has_random_case) {
		question_write(q, a, sent);
		view.query = sent;
		view.is_exact = true;
	}
	return reply_is_for(&view, data, n);
}

struct reply_question question_view(const struct question *q)
{
	bool wants_dnssec = (get16(q->wire + q->end + 7) & DO_BIT) != 0;

	return (struct reply_question){
	        .query = q->wire,
	        .end = q->end,
	        .wants_dnssec = wants_dnssec,
	};
}
