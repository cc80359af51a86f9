/* The one place that writes an answer, or says how long it would be. */
#include "dns/answer.h"

#include <string.h>

#include "base/rand.h"
#include "dns/cookie.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define PERMUTE_MAX 16u
#define PLACES_MAX 8u
#define POINTER_MAX 0x3fffu

/* An OPT record with all that we send, but for the identity. */
#define OPT_MAX (11u + 4 + COOKIE_FULL + 6 + 6 + 4)

/* A long identity beside a long question leaves no room in 512 octets: it is left out. */
static bool sends_nsid(const struct msg *m, const struct answer_env *env)
{
	return m->edns.wants_nsid && env->nsid != NULL &&
		m->question_end + OPT_MAX + 4 + env->nsid_len <= env->limit;
}

/* Octets of the text of an extended error (RFC 8914 2), 0 when there is no room for it. */
static size_t ede_text_size(
	const struct answer *a, const struct msg *m, const struct answer_env *env)
{
	size_t n = a->ede == EDE_NONE || a->ede_text == NULL ? 0 : strlen(a->ede_text);
	size_t nsid = sends_nsid(m, env) ? 4 + env->nsid_len : 0;

	return m->question_end + OPT_MAX + nsid + n <= env->limit ? n : 0;
}

static bool pads(const struct msg *m, const struct answer_env *env)
{
	return m->edns.wants_padding && env->pad_block > 0;
}

static size_t opt_size(const struct answer *a, const struct msg *m, const struct answer_env *env)
{
	size_t n = 11;

	if (!m->edns.is_present)
		return 0;
	if (env->cookie != NULL)
		n += 4 + COOKIE_FULL;
	if (sends_nsid(m, env))
		n += 4 + env->nsid_len;
	if (m->edns.wants_keepalive && env->is_stream)
		n += 6;
	if (a->ede != EDE_NONE)
		n += 6 + ede_text_size(a, m, env);
	if (pads(m, env))
		n += 4;
	return n;
}

#define NAMED_RDATA_MAX 600 /* two names and numbers: no type whose names are compressed has more */

/* Octets of a reply, which answer_set_message() has, with all its names written out. */
static size_t message_size(const struct answer *a, const struct msg *m)
{
	uint8_t rdata[NAMED_RDATA_MAX];
	struct reader r = reader_on(a->message, a->message_len);
	struct rr_view rr;
	size_t n = m->question_end;

	r.at = m->question_end;
	while (r.at < r.len && read_rr(&r, &rr)) {
		int len = rr_rdata(&r, &rr, rdata, sizeof(rdata));

		n += rr.owner_len + 10u + (len < 0 ? rr.rdlength : (unsigned)len);
	}
	return n;
}

size_t answer_size(const struct answer *a, const struct msg *m)
{
	size_t n = a->message != NULL ? message_size(a, m) : m->question_end;

	for (unsigned i = 0; i < a->count; i++) {
		const struct answer_ref *r = &a->refs[i];
		size_t owner = r->owner == NULL ? m->qname_len : name_len(r->owner);

		n += r->set->wire_len + (size_t)r->set->count * (owner - 2);
	}
	return n + (m->edns.is_present ? 11 : 0);
}

/* Where octets of a set, or a name, ended up in the message. */
struct place {
	const uint8_t *from, *end; /* memory that was copied */
	size_t at;                 /* offset of from in the message */
};

struct encoder {
	const struct answer *a;
	const struct msg *m;
	uint8_t *out;
	size_t at, limit;
	uint16_t counts[3];
	bool is_truncated;
	unsigned places_len;
	struct place places[PLACES_MAX];
};

static void remember(struct encoder *e, const uint8_t *from, size_t n, size_t at)
{
	if (e->places_len < PLACES_MAX && at + n <= POINTER_MAX)
		e->places[e->places_len++] = (struct place){from, from + n, at};
}

/* Offset in the message where the wire name owner stands already; 0 when it does not. */
static size_t find_name(const struct encoder *e, const uint8_t *owner)
{
	const uint8_t *qname = e->out + MSG_HEADER;
	unsigned labels = name_labels(owner);

	if (owner >= qname && owner < qname + e->m->qname_len)
		return (size_t)(owner - e->out);
	for (unsigned i = 0; i < e->places_len; i++)
		if (owner >= e->places[i].from && owner < e->places[i].end)
			return e->places[i].at + (size_t)(owner - e->places[i].from);
	/* the root too: every name has one at its end, and writing it out makes records shrink */
	if (labels <= e->m->qname_labels) {
		const uint8_t *tail = name_skip(qname, e->m->qname_labels - labels);

		if (name_equal(tail, owner))
			return (size_t)(tail - e->out);
	}
	return 0;
}

/* Uniform shuffle of the fixed-size records of s into out. */
static void copy_permuted(uint8_t *out, const struct rrset *s)
{
	uint8_t order[PERMUTE_MAX];
	uint64_t r = rand_u64();

	for (unsigned i = 0; i < s->count; i++) {
		unsigned j = (unsigned)((r & 0xffff) * (i + 1) >> 16);

		order[i] = order[j];
		order[j] = (uint8_t)i;
		r = i % 3 == 2 ? rand_u64() : r >> 16;
	}
	for (unsigned i = 0; i < s->count; i++)
		memcpy(out + (size_t)i * s->stride, s->wire + (size_t)order[i] * s->stride,
		        s->stride);
}

/* n records of s from a random start, around the end. */
static void copy_window(uint8_t *out, const struct rrset *s, unsigned n)
{
	unsigned start = rand_below(s->count);
	unsigned head = s->count - start < n ? s->count - start : n;

	memcpy(out, s->wire + (size_t)start * s->stride, (size_t)head * s->stride);
	memcpy(out + (size_t)head * s->stride, s->wire, (size_t)(n - head) * s->stride);
}

static bool is_rotated(const struct encoder *e, const struct rrset *s)
{
	return e->a->rotates && s->count > 1 && s->stride != 0 &&
		(s->type == TYPE_A || s->type == TYPE_AAAA || s->type == TYPE_MX);
}

/* How many of the records of s fit into room octets; *bytes is what they take. */
static unsigned fitting(const struct rrset *s, size_t room, size_t *bytes)
{
	unsigned n = 0;
	size_t at = 0;

	if (s->stride != 0) {
		n = (unsigned)(room / s->stride);
		n = n > s->count ? s->count : n;
		*bytes = (size_t)n * s->stride;
		return n;
	}
	while (n < s->count) {
		size_t len = RR_FIXED + get16(s->wire + at + 10);

		if (at + len > room)
			break;
		at += len;
		n++;
	}
	*bytes = at;
	return n;
}

/* Point the owners of the records between at and end to offset. */
static void patch_owners(struct encoder *e, size_t at, size_t end, size_t offset)
{
	while (at < end) {
		put16(e->out + at, (uint16_t)(0xc000 | offset));
		at += RR_FIXED + get16(e->out + at + 10);
	}
}

/*
 * The owner stands nowhere in the message yet: write it out before the first record. The records
 * at start..end move up by what the name is longer than a pointer.
 */
static size_t write_owner(struct encoder *e, const uint8_t *owner, size_t start, size_t end)
{
	size_t n = name_len(owner);

	memmove(e->out + start + n, e->out + start + 2, end - start - 2);
	memcpy(e->out + start, owner, n);
	if (start <= POINTER_MAX) {
		patch_owners(e, start + n + 10 + get16(e->out + start + n + 8), end + n - 2, start);
		remember(e, owner, n, start);
	}
	return end + n - 2;
}

/* Copy the set of r, as much as fits; returns false when something was left out. */
static bool write_set(struct encoder *e, const struct answer_ref *r)
{
	const struct rrset *s = r->set;
	size_t offset = r->owner == NULL ? MSG_HEADER : find_name(e, r->owner);
	size_t extra = offset == 0 ? name_len(r->owner) - 2 : 0;
	size_t start = e->at, room = e->limit - start, bytes = s->wire_len;
	unsigned n = s->count;
	bool fits = bytes + extra <= room;

	if (extra > 0 && n > 1 && start > POINTER_MAX)
		return false; /* no pointer reaches the written-out name; not worth repeating it */
	if (!fits && (r->section != SECTION_ANSWER || extra >= room))
		return false;
	if (!fits)
		n = fitting(s, room - extra, &bytes);
	if (!is_rotated(e, s))
		memcpy(e->out + start, s->wire, bytes);
	else if (fits && n <= PERMUTE_MAX)
		copy_permuted(e->out + start, s);
	else
		copy_window(e->out + start, s, n);
	e->at = start + bytes;
	e->counts[r->section] = (uint16_t)(e->counts[r->section] + n);
	if (n == 0)
		return false;
	if (offset == 0)
		e->at = write_owner(e, r->owner, start, e->at);
	else if (offset != MSG_HEADER)
		patch_owners(e, start, e->at, offset);
	if (e->a->count > 1 && !is_rotated(e, s))
		remember(e, s->wire, bytes, start + extra);
	return fits;
}

/* A referral without the addresses of its servers is of no use (RFC 9471). */
static bool is_referral(const struct encoder *e)
{
	return !e->a->is_authoritative && e->counts[SECTION_ANSWER] == 0 &&
		e->counts[SECTION_AUTHORITY] > 0;
}

static void write_section(struct encoder *e, enum section section)
{
	for (unsigned i = 0; i < e->a->count && !e->is_truncated; i++) {
		const struct answer_ref *r = &e->a->refs[i];

		if (r->section != section || write_set(e, r))
			continue;
		if (section != SECTION_ADDITIONAL || is_referral(e))
			e->is_truncated = true;
	}
}

/* Records of an upstream's message, cut after the last that fits. */
static void write_message(struct encoder *e)
{
	const uint8_t *wire = e->a->message;
	struct reader r = reader_on(wire, e->a->message_len);
	size_t good = e->m->question_end;
	struct rr_view rr;

	if (e->a->message_len <= e->limit) {
		for (int i = 0; i < 3; i++)
			e->counts[i] = get16(wire + 6 + 2 * i);
		good = e->a->message_len;
	} else {
		r.at = good;
		while (e->counts[0] < get16(wire + 6) && read_rr(&r, &rr) && r.at <= e->limit) {
			good = r.at;
			e->counts[0]++;
		}
		e->is_truncated = true;
	}
	memcpy(e->out + e->at, wire + e->at, good - e->at);
	e->at = good;
}

static void put_option(struct encoder *e, uint16_t code, const void *data, size_t n)
{
	put16(e->out + e->at, code);
	put16(e->out + e->at + 2, (uint16_t)n);
	memcpy(e->out + e->at + 4, data, n);
	e->at += 4 + n;
}

/* So that the length of the message says less about what is in it (RFC 7830, RFC 8467). */
static void put_padding(struct encoder *e, const struct answer_env *env)
{
	size_t end = e->at + 4, block = env->pad_block;
	size_t n = block - 1 - (end + block - 1) % block;

	if (n > env->limit - end)
		n = env->limit - end;
	put16(e->out + e->at, 12);
	put16(e->out + e->at + 2, (uint16_t)n);
	memset(e->out + end, 0, n);
	e->at = end + n;
}

static void put_extended_error(struct encoder *e, const struct answer_env *env)
{
	size_t n = ede_text_size(e->a, e->m, env);
	uint8_t code[2];

	put16(code, e->a->ede);
	put_option(e, 15, code, 2);
	if (n == 0)
		return;
	put16(e->out + e->at - 4, (uint16_t)(2 + n));
	memcpy(e->out + e->at, e->a->ede_text, n);
	e->at += n;
}

static void write_opt(struct encoder *e, const struct answer_env *env)
{
	uint8_t *p = e->out + e->at, two[2];
	size_t start = e->at;

	p[0] = 0;
	put16(p + 1, TYPE_OPT);
	put16(p + 3, env->udp_size);
	p[5] = (uint8_t)(e->a->rcode >> 4);
	p[6] = 0;
	put16(p + 7, e->m->edns.wants_dnssec ? 0x8000 : 0);
	e->at += 11;
	if (env->cookie != NULL)
		put_option(e, 10, env->cookie, COOKIE_FULL);
	if (sends_nsid(e->m, env))
		put_option(e, 3, env->nsid, env->nsid_len);
	if (e->m->edns.wants_keepalive && env->is_stream) {
		put16(two, env->keepalive);
		put_option(e, 11, two, 2);
	}
	if (e->a->ede != EDE_NONE)
		put_extended_error(e, env);
	if (pads(e->m, env))
		put_padding(e, env);
	put16(p + 9, (uint16_t)(e->at - start - 11));
	e->counts[2]++;
}

/* A code of more than four bits needs an OPT record; without one its half would say another. */
static unsigned header_rcode(const struct encoder *e)
{
	unsigned rcode = e->a->rcode;

	return rcode > 15 && !e->m->edns.is_present ? RCODE_SERVFAIL : rcode & 15u;
}

static uint16_t header_flags(const struct encoder *e)
{
	const struct answer *a = e->a;
	unsigned flags = FLAG_QR | (unsigned)e->m->opcode << 11 | header_rcode(e);

	if (e->m->opcode != OPCODE_QUERY)
		return (uint16_t)flags;
	flags |= e->m->flags & (FLAG_RD | FLAG_CD);
	if (a->is_authoritative)
		flags |= FLAG_AA;
	if (a->has_recursion)
		flags |= FLAG_RA;
	if (e->is_truncated || a->is_truncated || a->is_full)
		flags |= FLAG_TC;
	if (a->is_authentic && ((e->m->flags & FLAG_AD) != 0 || e->m->edns.wants_dnssec))
		flags |= FLAG_AD;
	return (uint16_t)flags;
}

size_t answer_encode(
	const struct answer *a, const struct msg *m, const struct answer_env *env, uint8_t *out)
{
	size_t opt = opt_size(a, m, env);
	struct answer_env without;
	struct encoder e;

	if (m->question_end + opt > env->limit) { /* a long identity on a long name */
		without = *env;
		without.nsid = NULL;
		env = &without;
		opt = opt_size(a, m, env);
	}
	e.a = a;
	e.m = m;
	e.out = out;
	e.at = m->question_end;
	e.limit = env->limit - opt;
	e.counts[0] = e.counts[1] = e.counts[2] = 0;
	e.is_truncated = false;
	e.places_len = 0;
	if (a->message != NULL) {
		write_message(&e);
	} else {
		write_section(&e, SECTION_ANSWER);
		write_section(&e, SECTION_AUTHORITY);
		write_section(&e, SECTION_ADDITIONAL);
	}
	if (opt > 0)
		write_opt(&e, env);
	put16(out, m->id);
	put16(out + 2, header_flags(&e));
	put16(out + 4, m->question_end > MSG_HEADER ? 1 : 0);
	for (int i = 0; i < 3; i++)
		put16(out + 6 + 2 * i, e.counts[i]);
	return e.at;
}
