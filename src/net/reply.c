#include "net/reply.h"

#include <string.h>

#include "dns/msg.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/rrset.h"
#include "dns/wire.h"

#define POINTER_MAX 0x3fffu
#define CHAIN_PASSES 3u
#define OPT_FIXED 11u /* octets of an OPT record without options */

/* A reply under examination. */
struct cleaner {
	const struct reply_question *q;
	const uint8_t *data; /* the copy, then the source */
	const uint8_t *source;
	size_t n;
	uint16_t qtype, qclass, counts[3], flags;
	unsigned chain_len;
	struct name chain[REPLY_CHAIN_MAX + 1]; /* the question's name and the targets of aliases */
	uint16_t at[REPLY_CHAIN_MAX + 1]; /* where each stands in the output, 0: nowhere */
	bool is_negative;
	bool has_soa; /* a SOA has been kept */
	struct rr_places places; /* of the records that have been read */
};

static const char *const bad_texts[BAD_REASONS] = {
        [BAD_SHORT] = "short",
        [BAD_QR] = "qr",
        [BAD_OPCODE] = "opcode",
        [BAD_ID] = "id",
        [BAD_QUESTION] = "question",
        [BAD_MALFORMED] = "malformed",
};

const char *relay_bad_text(enum relay_bad reason)
{
	return bad_texts[reason];
}

enum relay_bad reply_check_header(const uint8_t *data, size_t n)
{
	uint16_t flags;

	if (n < MSG_HEADER)
		return BAD_SHORT;
	flags = get16(data + 2);
	if ((flags & FLAG_QR) == 0)
		return BAD_QR;
	return (flags & FLAG_OPCODE) != 0 ? BAD_OPCODE : BAD_REASONS;
}

bool reply_is_for(const struct reply_question *q, const uint8_t *data, size_t n)
{
	size_t name = q->end - MSG_HEADER - 4u;
	uint8_t ours[NAME_MAX_OCTETS], theirs[NAME_MAX_OCTETS];

	if (n < q->end || get16(data + 4) != 1 ||
	        memcmp(data + q->end - 4, q->query + q->end - 4, 4) != 0)
		return false;
	if (memcmp(data + MSG_HEADER, q->query + MSG_HEADER, name) == 0)
		return true;
	if (q->is_exact)
		return false;
	name_fold(ours, q->query + MSG_HEADER, name);
	name_fold(theirs, data + MSG_HEADER, name);
	return memcmp(ours, theirs, name) == 0;
}

static struct reader records_of(const struct cleaner *c)
{
	struct reader r = reader_on(c->data, c->n);

	r.at = c->q->end;
	return r;
}

/*
 * RDATA whose names or length are wrong makes the whole message malformed. So does a name that
 * leads into the header or into fixed octets of a record, for those change while the message is
 * kept; where names begin else, they stay (RFC 1035 4.1.4 has them at a label of an earlier name).
 */
static bool is_rdata_good(const struct reader *r, const struct rr_view *rr)
{
	uint8_t out[2 * NAME_MAX_OCTETS + 32];

	switch (rr->type) {
	case TYPE_A: return rr->rr_class != CLASS_IN || rr->rdlength == 4;
	case TYPE_AAAA: return rr->rr_class != CLASS_IN || rr->rdlength == 16;
	default: return !rr_has_names(rr->type) || rr_rdata(r, rr, out, sizeof(out)) >= 0;
	}
}

/* Read a record for the first time: all names of the message are judged so. */
static bool read_first(struct cleaner *c, struct reader *r, struct rr_view *rr)
{
	if (!read_rr(r, rr))
		return false;
	rr_places_add(&c->places, rr);
	return is_rdata_good(r, rr);
}

/* Index in the chain of an owner, the newest first; -1 when it is not there. */
static int chain_find(const struct cleaner *c, const uint8_t *owner, size_t len)
{
	for (int i = (int)c->chain_len - 1; i >= 0; i--)
		if (c->chain[i].len == len && name_equal(c->chain[i].wire, owner))
			return i;
	return -1;
}

static size_t cname_target(const struct reader *r, const struct rr_view *rr, uint8_t *out)
{
	struct reader in = reader_on(r->base, rr->rdata_at + rr->rdlength);

	in.at = rr->rdata_at;
	return read_name(&in, out);
}

/* Follow the alias rr when it starts at the end of the chain. False when it does not belong. */
static bool extend_chain(struct cleaner *c, const struct reader *r, const struct rr_view *rr)
{
	struct name *next = &c->chain[c->chain_len];
	int i = chain_find(c, rr->owner, rr->owner_len);

	if (i < 0)
		return false;
	if (rr->type != TYPE_CNAME || c->qtype == TYPE_CNAME || c->qtype == TYPE_ANY ||
	        i != (int)c->chain_len - 1 || c->chain_len > REPLY_CHAIN_MAX)
		return true;
	next->len = (uint8_t)cname_target(r, rr, next->wire);
	if (next->len > 0 && chain_find(c, next->wire, next->len) < 0)
		c->chain_len++;
	return true;
}

/*
 * Check the answer section and follow its aliases. They come in order nearly always; a reply with
 * another order gets two more passes, not one for each alias, so that the work stays linear.
 */
static bool build_chain(struct cleaner *c)
{
	for (unsigned pass = 0; pass < CHAIN_PASSES; pass++) {
		struct reader r = records_of(c);
		unsigned before = c->chain_len;
		bool has_strangers = false;
		struct rr_view rr;

		r.closed = pass == 0 ? &c->places : NULL; /* read once, a name is good */
		for (unsigned i = 0; i < c->counts[0]; i++) {
			if (!(pass == 0 ? read_first(c, &r, &rr) : read_rr(&r, &rr)))
				return false;
			if (rr.rr_class == c->qclass && !extend_chain(c, &r, &rr))
				has_strangers = true;
		}
		if (!has_strangers || c->chain_len == before)
			break;
	}
	return true;
}

static uint16_t covered_type(const struct cleaner *c, const struct rr_view *rr)
{
	return rr->rdlength < 2 ? 0 : get16(c->data + rr->rdata_at);
}

/* A DNAME above one of the aliased names. */
static bool is_dname_used(const struct cleaner *c, const struct rr_view *rr)
{
	for (unsigned i = 0; i + 1 < c->chain_len; i++)
		if (rr->owner_len < c->chain[i].len && name_is_under(c->chain[i].wire, rr->owner))
			return true;
	return false;
}

static bool keeps_cname(const struct cleaner *c, const struct rr_view *rr, int i)
{
	struct reader r = reader_on(c->data, c->n);
	uint8_t target[NAME_MAX_OCTETS];

	return i + 1 < (int)c->chain_len && cname_target(&r, rr, target) > 0 &&
	       name_equal(target, c->chain[i + 1].wire);
}

/* Belongs to a message, not to a name, whatever ANY asks for. */
static bool is_of_message(uint16_t type)
{
	return type == TYPE_OPT || type == TYPE_TSIG || type == TYPE_TKEY;
}

static bool is_final(const struct cleaner *c, const struct rr_view *rr, int i)
{
	return i == (int)c->chain_len - 1 && rr->rr_class == c->qclass &&
	       (rr->type == c->qtype || (c->qtype == TYPE_ANY && !is_of_message(rr->type)));
}

/* i: index of its owner in the chain, or -1. */
static bool keeps_answer(const struct cleaner *c, const struct rr_view *rr, int i)
{
	if (rr->rr_class != c->qclass)
		return false;
	if (i >= 0 && is_final(c, rr, i))
		return true;
	if (rr->type == TYPE_CNAME)
		return i >= 0 && keeps_cname(c, rr, i);
	if (rr->type == TYPE_DNAME)
		return is_dname_used(c, rr);
	if (rr->type == TYPE_RRSIG && c->q->wants_dnssec)
		return i >= 0 || (covered_type(c, rr) == TYPE_DNAME && is_dname_used(c, rr));
	return false;
}

static bool keeps_authority(struct cleaner *c, const struct rr_view *rr)
{
	uint16_t type = rr->type;

	if (rr->rr_class != c->qclass)
		return false;
	if (type == TYPE_SOA) {
		if (!c->is_negative || c->has_soa ||
		        !name_is_under(c->chain[c->chain_len - 1].wire, rr->owner))
			return false;
		c->has_soa = true;
		return true;
	}
	if (!c->q->wants_dnssec)
		return false;
	if (type == TYPE_RRSIG)
		type = covered_type(c, rr);
	return type == TYPE_NSEC || type == TYPE_NSEC3 || (type == TYPE_SOA && c->is_negative);
}

/* What one walk over all records found out. */
struct survey {
	size_t prefix; /* end of the kept records, when no dropped one lies between them */
	bool is_prefix;
	bool has_ns, has_opt;
	bool has_final;
	bool has_long_ttl; /* a kept record has a TTL with the high bit set */
	uint16_t kept[3];
	uint16_t extended_rcode;
};

static void survey_record(
        struct cleaner *c, struct survey *s, unsigned section, const struct rr_view *rr)
{
	size_t end = rr->rdata_at + rr->rdlength;
	int i = section == 0 ? chain_find(c, rr->owner, rr->owner_len) : -1;
	bool keeps = section == 0 ? keeps_answer(c, rr, i) : section == 1 && keeps_authority(c, rr);

	s->has_final = s->has_final || (section == 0 && is_final(c, rr, i));
	s->has_ns = s->has_ns || (section == 1 && rr->type == TYPE_NS);
	if (section == 2 && rr->type == TYPE_OPT && !s->has_opt) {
		s->has_opt = true;
		s->extended_rcode = (uint16_t)(rr->ttl >> 24 << 4);
	}
	if (!keeps)
		return;
	if (s->prefix != rr->start)
		s->is_prefix = false;
	s->prefix = end;
	s->has_long_ttl = s->has_long_ttl || rr->ttl > INT32_MAX;
	s->kept[section]++;
}

static bool survey_section(struct cleaner *c, struct survey *s, struct reader *r, unsigned section)
{
	struct rr_view rr;

	for (unsigned i = 0; i < c->counts[section]; i++) {
		if (!(section == 1 ? read_first(c, r, &rr) : read_rr(r, &rr)))
			return false;
		survey_record(c, s, section, &rr);
	}
	return true;
}

static bool survey(struct cleaner *c, struct survey *s)
{
	struct reader r = records_of(c);

	memset(s, 0, sizeof(*s));
	s->prefix = c->q->end;
	s->is_prefix = true;
	if (!survey_section(c, s, &r, 0))
		return false;
	c->is_negative = !s->has_final;
	r.closed = &c->places;
	return survey_section(c, s, &r, 1) && survey_section(c, s, &r, 2);
}

/* Where a name stands in the output, or a longer one that ends in it; 0 when it does not. */
static size_t find_written(const struct cleaner *c, const uint8_t *owner, size_t len)
{
	for (unsigned i = 0; i < c->chain_len; i++) {
		size_t skip = c->chain[i].len - len;

		if (c->at[i] == 0 || c->chain[i].len < len || c->at[i] + skip > POINTER_MAX)
			continue;
		if (name_is_under(c->chain[i].wire, owner))
			return c->at[i] + skip;
	}
	return 0;
}

static size_t write_owner(
        const struct cleaner *c, const struct rr_view *rr, uint8_t *out, size_t room)
{
	size_t at = rr->owner_len > 1 ? find_written(c, rr->owner, rr->owner_len) : 0;

	if (room < rr->owner_len || room < 2)
		return 0;
	if (at != 0) {
		put16(out, (uint16_t)(0xc000u | at));
		return 2;
	}
	memcpy(out, rr->owner, rr->owner_len);
	return rr->owner_len;
}

/* Append a record; returns the new length, 0 when there is no room. */
static size_t write_record(
        struct cleaner *c, const struct rr_view *rr, struct reply *out, size_t at)
{
	struct reader r = reader_on(c->data, c->n);
	size_t room = sizeof(out->wire) - at;
	size_t n = write_owner(c, rr, out->wire + at, room);
	int rdlength, i;

	if (n == 0 || room - n < 10)
		return 0;
	put16(out->wire + at + n, rr->type);
	put16(out->wire + at + n + 2, rr->rr_class);
	put32(out->wire + at + n + 4, rr->ttl > INT32_MAX ? 0 : rr->ttl);
	rdlength = rr_rdata(&r, rr, out->wire + at + n + 10, room - n - 10);
	if (rdlength < 0 || rdlength > UINT16_MAX)
		return 0;
	put16(out->wire + at + n + 8, (uint16_t)rdlength);
	if (rr->type == TYPE_CNAME) {
		i = chain_find(c, out->wire + at + n + 10, (size_t)rdlength);
		if (i > 0 && c->at[i] == 0 && at + n + 10 <= POINTER_MAX)
			c->at[i] = (uint16_t)(at + n + 10);
	}
	return at + n + 10 + (size_t)rdlength;
}

/* Write the kept records one by one, because a dropped one lies between them. */
static size_t rewrite(struct cleaner *c, struct reply *out)
{
	struct reader r;
	size_t at = c->q->end;
	struct rr_view rr;
	int link;

	c->data = c->source; /* out holds the copy; every name was read from it once and is good */
	r = records_of(c);
	c->at[0] = MSG_HEADER;
	c->has_soa = false;
	for (unsigned section = 0; section < 2; section++) {
		for (unsigned i = 0; i < c->counts[section]; i++) {
			if (!read_rr(&r, &rr))
				return 0;
			link = chain_find(c, rr.owner, rr.owner_len);
			if (section == 0 ? !keeps_answer(c, &rr, link) : !keeps_authority(c, &rr))
				continue;
			at = write_record(c, &rr, out, at);
			if (at == 0)
				return 0;
		}
	}
	return at;
}

/* The kept records are the first ones: they stay as they are, but for their TTL. */
static void limit_ttls(struct reply *out, size_t start)
{
	struct reader r = reader_on(out->wire, out->len);
	struct rr_view rr;

	r.at = start;
	while (r.at < out->len && read_rr(&r, &rr))
		if (rr.ttl > INT32_MAX)
			put32(out->wire + rr.ttl_at, 0);
}

static void write_header(struct reply *out, const struct reply_question *q, const uint16_t *kept)
{
	memset(out->wire, 0, MSG_HEADER);
	put16(out->wire + 2, FLAG_QR);
	put16(out->wire + 4, 1);
	put16(out->wire + 6, kept[0]);
	put16(out->wire + 8, kept[1]);
	memcpy(out->wire + MSG_HEADER, q->query + MSG_HEADER, q->end - (size_t)MSG_HEADER);
}

static void start(struct cleaner *c, const struct reply_question *q, const uint8_t *data)
{
	c->q = q;
	c->source = data;
	c->qtype = get16(q->query + q->end - 4);
	c->qclass = get16(q->query + q->end - 2);
	c->flags = get16(data + 2);
	for (unsigned i = 0; i < 3; i++)
		c->counts[i] = get16(data + 6 + 2 * (size_t)i);
	c->is_negative = false;
	c->has_soa = false;
}

static bool keep_records(struct cleaner *c, struct reply *out, struct survey *s)
{
	if (!build_chain(c) || !survey(c, s))
		return false;
	out->has_edns = s->has_opt;
	out->rcode = (uint16_t)((c->flags & FLAG_RCODE) | s->extended_rcode);
	out->is_referral = out->rcode == RCODE_NOERROR && s->kept[0] == 0 && !c->has_soa &&
	                   s->has_ns && (c->flags & FLAG_AA) == 0;
	if (s->is_prefix) {
		out->len = s->prefix;
		if (s->has_long_ttl)
			limit_ttls(out, c->q->end);
		return true;
	}
	out->len = rewrite(c, out);
	return out->len != 0;
}

/* An OPT record at p, the only one of its section. */
static bool survey_plain_opt(struct survey *s, const uint8_t *p, size_t n)
{
	if (n < OPT_FIXED || p[0] != 0 || get16(p + 1) != TYPE_OPT || get16(p + 9) > n - OPT_FIXED)
		return false;
	s->has_opt = true;
	s->extended_rcode = (uint16_t)(p[5] << 4);
	return true;
}

/*
 * The usual reply needs no walk over names: addresses of the name that was asked for, each with a
 * pointer to the question as its owner, then an OPT record or nothing. False for all others.
 */
static bool survey_plain(const struct cleaner *c, size_t n, struct survey *s)
{
	size_t at = c->q->end, rdlength = c->qtype == TYPE_A ? 4 : 16;

	if ((c->qtype != TYPE_A && c->qtype != TYPE_AAAA) || c->qclass != CLASS_IN ||
	        c->counts[0] == 0 || c->counts[1] != 0 || c->counts[2] > 1 ||
	        (n - at) / (RR_FIXED + rdlength) < c->counts[0])
		return false;
	for (unsigned i = 0; i < c->counts[0]; i++) {
		const uint8_t *p = c->source + at;

		if (get16(p) != (0xc000u | MSG_HEADER) || get16(p + 2) != c->qtype ||
		        get16(p + 4) != CLASS_IN || (p[6] & 0x80) != 0 || get16(p + 10) != rdlength)
			return false;
		at += RR_FIXED + rdlength;
	}
	memset(s, 0, sizeof(*s));
	s->kept[0] = c->counts[0];
	s->prefix = at;
	return c->counts[2] == 0 || survey_plain_opt(s, c->source + at, n - at);
}

/* The records as they came. */
static void keep_plain(const struct cleaner *c, struct reply *out, const struct survey *s)
{
	size_t start = c->q->end;

	memcpy(out->wire + start, c->source + start, s->prefix - start);
	out->len = s->prefix;
	out->has_edns = s->has_opt;
	out->rcode |= s->extended_rcode;
}

/* Go through all records; false when one is malformed. */
static bool keep_any(struct cleaner *c, struct reply *out, struct survey *s, size_t n)
{
	name_set(&c->chain[0], c->q->query + MSG_HEADER);
	c->chain_len = 1;
	memset(c->at, 0, sizeof(c->at));
	c->places.len = 0;
	memcpy(out->wire + MSG_HEADER, c->source + MSG_HEADER, n - MSG_HEADER);
	c->data = out->wire;
	c->n = n;
	return keep_records(c, out, s);
}

bool reply_clean(struct reply *out, const struct reply_question *q, const uint8_t *data, size_t n)
{
	struct cleaner c;
	struct survey s = {.is_prefix = true};

	if (n > sizeof(out->wire))
		return false;
	start(&c, q, data);
	out->rcode = c.flags & FLAG_RCODE;
	out->is_truncated = (c.flags & FLAG_TC) != 0;
	out->is_authoritative = (c.flags & FLAG_AA) != 0;
	out->is_authentic = (c.flags & FLAG_AD) != 0;
	out->is_referral = false;
	out->has_edns = false;
	out->len = q->end;
	if (!out->is_truncated && survey_plain(&c, n, &s))
		keep_plain(&c, out, &s);
	else if (!out->is_truncated && !keep_any(&c, out, &s, n))
		return false;
	write_header(out, q, s.kept);
	return true;
}
