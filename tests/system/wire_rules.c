/*
 * The verdict on a reply: rules that hold for every reply (the tags of ISC's compliance tests
 * among them: noopt, opt, version, echoed, mbz, toobig, noaa, ra, rd, ad, cd, z, malformed), then
 * what the row says.
 */
#include "wire.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEGATIVE_TTL = 300, REVERSE_NEGATIVE_TTL = 30 };

const char *text(const char *fmt, ...)
{
	char buf[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return strdup(buf);
}

static unsigned u16_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static unsigned query_flags(const struct exchange *x)
{
	return x->query.len >= 4 ? u16_at(x->query.at + 2) : 0;
}

static unsigned query_opcode(const struct exchange *x)
{
	return query_flags(x) >> 11 & 15;
}

/* Length of the query's only question, or 0 when it has none that can be echoed. */
static size_t asked_question(const struct exchange *x)
{
	size_t off = 12;

	if (x->query.len < 12 || u16_at(x->query.at + 4) != 1 ||
	        !skip_name(x->query.at, x->query.len, &off) || off + 4 > x->query.len)
		return 0;
	return off + 4 - 12;
}

static bool rcode_allowed(const char *list, unsigned rcode)
{
	const char *name = rcode_name(rcode);
	size_t n = strlen(name);

	for (const char *s = list; *s != '\0';) {
		size_t len = strcspn(s, "|");

		if (len == n && memcmp(s, name, n) == 0)
			return true;
		s += len + (s[len] == '|');
	}
	return false;
}

static size_t length_limit(const struct exchange *x)
{
	const struct row *row = x->row;
	unsigned size = row->opt & 0xffff;

	if (row->max != 0)
		return row->max;
	if ((x->transport & TCP) != 0)
		return MSG_MAX;
	if (row->opt == 0)
		return row->is & ANY_OPT ? 1232 : 512;
	return size < 512 ? 512 : size > 1232 ? 1232 : size;
}

static const char *check_header(const struct exchange *x, const struct reply *r)
{
	unsigned asked = query_flags(x), opcode = query_opcode(x);

	if (r->id != u16_at(x->query.at))
		return "ID differs";
	if ((r->flags & QR) == 0)
		return "QR is clear";
	if ((r->flags >> 11 & 15u) != opcode)
		return "opcode differs";
	if (!rcode_allowed(x->row->rcode == NULL ? "NOERROR" : x->row->rcode, r->rcode))
		return text("rcode %s (%u)", rcode_name(r->rcode), r->rcode);
	if (r->len > length_limit(x))
		return text("toobig: %zu octets", r->len);
	if (r->flags & Z)
		return "z: Z is set";
	if (r->flags & RA)
		return "ra: RA is set";
	if (opcode != 0 && (r->flags & (AA | TC | RD | AD | CD)) != 0)
		return text("flags %04x on opcode %u", r->flags, opcode);
	if ((r->flags & RD) != 0 && (asked & RD) == 0)
		return "rd: RD set unasked";
	if ((r->flags & RD) == 0 && (asked & RD) != 0 && opcode == 0 && r->rcode != 1)
		return "nord: RD not echoed";
	if ((r->flags & AD) != 0 && (asked & AD) == 0 && (x->row->eflags & DO) == 0)
		return "ad: AD set unasked";
	if ((r->flags & CD) != 0 && (asked & CD) == 0)
		return "cd: CD set unasked";
	return NULL;
}

static const char *check_question(const struct exchange *x, const struct reply *r)
{
	size_t asked = asked_question(x);

	if (x->row->is & HEADER_ONLY) {
		if (r->len != 12)
			return text("%zu octets, wanted a bare header", r->len);
		return NULL;
	}
	if (r->count[0] == 0) {
		if (asked == 0 || x->row->is & ANY_QUESTION || r->rcode == 1 || r->rcode == 4)
			return NULL;
		return "no question";
	}
	if (r->count[0] > 1)
		return text("%u questions echoed", r->count[0]);
	if (asked == 0)
		return x->row->is & ANY_QUESTION ? NULL : "a question that was not asked";
	if (r->question_len != asked || memcmp(r->question, x->query.at + 12, asked) != 0)
		return "question differs";
	return NULL;
}

static const char *check_aa_tc(const struct exchange *x, const struct reply *r)
{
	unsigned is = x->row->is;
	bool must_aa = (r->rcode == 0 || r->rcode == 3) && query_opcode(x) == 0 &&
	               r->count[0] == 1 && (is & (NO_AA | ANY_AA)) == 0;

	if (must_aa && (r->flags & AA) == 0)
		return "noaa: AA is clear";
	if ((r->flags & AA) != 0 && (is & NO_AA || r->rcode == 5 || r->rcode == 1))
		return "aa: AA is set";
	if (is & TC_ANY)
		return NULL;
	if (is & TC_SET && x->transport & UDP)
		return r->flags & TC ? NULL : "TC is clear";
	return r->flags & TC ? "tc: TC is set" : NULL;
}

/* True when the query's OPT carries this option. */
static bool is_option_asked(const struct exchange *x, unsigned code)
{
	struct pkt p;
	bool found = false;

	p.len = 0;
	if (x->row->options != NULL)
		put_hex(&p, x->row->options);
	for (size_t at = 0; at + 4 <= p.len && !found; at += 4 + u16_at(p.at + at + 2))
		found = u16_at(p.at + at) == code;
	return found;
}

static const char *check_cookie(const struct exchange *x, const struct reply *r)
{
	const uint8_t *c;
	struct pkt p;
	size_t len, at = 0;

	c = reply_option(r, 10, &len);
	if (c == NULL)
		return x->row->is & COOKIE && target.cookies ? "no COOKIE" : NULL;
	if (x->row->is & NO_COOKIE || !is_option_asked(x, 10))
		return "a COOKIE that was not asked for";
	if (len < 16 || len > 40)
		return text("COOKIE of %zu octets", len);
	p.len = 0;
	put_hex(&p, x->row->options);
	while (u16_at(p.at + at) != 10)
		at += 4 + u16_at(p.at + at + 2);
	return memcmp(p.at + at + 4, c, 8) != 0 ? "COOKIE: another client's" : NULL;
}

static const char *check_options(const struct exchange *x, const struct reply *r)
{
	unsigned seen_cookies = 0;

	for (size_t at = 0; at + 4 <= r->opt_rdlen; at += 4 + u16_at(r->opt_rdata + at + 2)) {
		unsigned code = u16_at(r->opt_rdata + at);

		if (code == 10 && seen_cookies++ > 0)
			return "two COOKIEs";
		if (code == 15)
			continue; /* EDE may come unasked, RFC 8914 */
		if (code == 12)
			return "PADDING in clear text";
		if (code == 11 && x->transport & UDP)
			return "TCP-KEEPALIVE over UDP";
		if (code != 3 && code != 8 && code != 9 && code != 10 && code != 11)
			return text("echoed: option %u", code);
		if (!is_option_asked(x, code))
			return text("option %u unasked", code);
	}
	return check_cookie(x, r);
}

static const char *check_opt(const struct exchange *x, const struct reply *r)
{
	bool asked = x->row->opt != 0;

	if (r->opts == 0)
		return asked && (x->row->is & ANY_OPT) == 0 && r->rcode != 1 && r->rcode != 4
		               ? "noopt: OPT is missing"
		               : NULL;
	if (!asked && (x->row->is & ANY_OPT) == 0)
		return "opt: OPT unasked";
	if (r->opt_version != 0)
		return text("version-not-zero: %u", r->opt_version);
	if (r->opt_flags & 0x7fff)
		return text("mbz: EDNS flags %04x", r->opt_flags);
	if (r->opt_flags & DO && (x->row->eflags & DO) == 0)
		return "DO set unasked";
	if (r->opt_size < 512)
		return text("OPT with size %u", r->opt_size);
	return check_options(x, r);
}

/* Whether RDATA is one uncompressed name behind skip octets (and then rest octets more or less). */
static bool is_plain_name(const struct record *rec, size_t skip, bool to_end)
{
	size_t off = skip;

	while (off < rec->rdlen) {
		uint8_t c = rec->rdata[off];

		if (c > 63)
			return false;
		off += 1u + c;
		if (c == 0)
			return !to_end || off == rec->rdlen;
	}
	return false;
}

static const char *check_rdata(const struct reply *r, const struct record *rec)
{
	size_t off = (size_t)(rec->rdata - r->at);

	switch (rec->type) {
	case 1: return rec->rdlen == 4 ? NULL : "A of a wrong length";
	case 28: return rec->rdlen == 16 ? NULL : "AAAA of a wrong length";
	case 2:
	case 5:
	case 12:
		if (!skip_name(r->at, r->len, &off) ||
		        off != (size_t)(rec->rdata - r->at) + rec->rdlen)
			return "name in RDATA";
		return NULL;
	case 33: return is_plain_name(rec, 6, true) ? NULL : "SRV target compressed or cut";
	case 64:
	case 65: return is_plain_name(rec, 2, false) ? NULL : "SVCB target compressed or cut";
	default: return NULL;
	}
}

static int compare_names(const struct record *a, const struct record *b)
{
	if (a->owner_len != b->owner_len)
		return a->owner_len < b->owner_len ? -1 : 1;
	for (size_t i = 0; i < a->owner_len; i++) {
		int d = tolower(a->owner[i]) - tolower(b->owner[i]);

		if (d != 0)
			return d;
	}
	return 0;
}

static int compare_sets(const struct record *a, const struct record *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return compare_names(a, b);
}

static int compare_records(const void *pa, const void *pb)
{
	const struct record *a = *(const struct record *const *)pa,
	                    *b = *(const struct record *const *)pb;
	int d = compare_sets(a, b);

	if (d != 0)
		return d;
	if (a->rdlen != b->rdlen)
		return a->rdlen < b->rdlen ? -1 : 1;
	return memcmp(a->rdata, b->rdata, a->rdlen);
}

/* RFC 2181 5: no record twice in a message, one TTL in a record set. */
static const char *check_sets(const struct reply *r)
{
	const struct record **v = calloc(r->n_records + 1, sizeof(*v));
	const char *why = NULL;

	for (size_t i = 0; i < r->n_records; i++)
		v[i] = &r->records[i];
	qsort(v, r->n_records, sizeof(*v), compare_records);
	for (size_t i = 1; i < r->n_records && why == NULL; i++) {
		if (compare_records(&v[i - 1], &v[i]) == 0)
			why = "a record twice";
		else if (compare_sets(v[i - 1], v[i]) == 0 && v[i - 1]->ttl != v[i]->ttl)
			why = "two TTLs in a record set";
	}
	free(v);
	return why;
}

static const char *check_answer_section(const struct exchange *x, const struct reply *r)
{
	unsigned an = x->row->an, want = an & 0xffff, qtype;
	const struct record *first = reply_find(r, 1, 0, 0);

	if (an & 0x10000 && r->count[1] != want)
		return text("%u answers", r->count[1]);
	if (an & 0x20000 && r->count[1] < want)
		return text("%u answers", r->count[1]);
	if (first == NULL)
		return NULL;
	if (r->question == NULL)
		return "answers without a question";
	if (first->owner_len != r->question_len - 4 ||
	        memcmp(first->owner, r->question, first->owner_len) != 0)
		return "owner of the answer is not the name as asked";
	qtype = u16_at(r->question + r->question_len - 4);
	for (size_t i = 0; i < r->n_records; i++) {
		const struct record *rec = &r->records[i];

		if (rec->section == 1 && rec->type != qtype && rec->type != 5 && rec->type != 46 &&
		        qtype != 255)
			return text("answer of type %u", rec->type);
	}
	return NULL;
}

/* RFC 2308: SOA in authority with the lower of its TTL and MINIMUM. */
static const char *check_negative(const struct exchange *x, const struct reply *r)
{
	const struct record *soa = reply_find(r, 2, 6, 0);
	unsigned ttl = x->row->is & PTR_ZONE ? REVERSE_NEGATIVE_TTL : NEGATIVE_TTL;
	bool nodata = r->rcode == 0 && r->count[1] == 0;

	if (query_opcode(x) != 0 || (r->rcode != 3 && !nodata) || x->row->is & NO_SOA ||
	        r->flags & TC || r->count[0] == 0 || (r->flags & AA) == 0)
		return NULL;
	if (soa == NULL)
		return "nosoa: negative without SOA";
	return soa->ttl == ttl ? NULL : text("negative TTL %u", soa->ttl);
}

static const char *check_records(const struct exchange *x, const struct reply *r)
{
	const char *why = check_answer_section(x, r);

	if (why == NULL)
		why = check_negative(x, r);
	if (query_opcode(x) != 0 && r->n_records != (size_t)r->opts)
		why = "records in a reply to another opcode";
	for (size_t i = 0; i < r->n_records && why == NULL; i++)
		why = check_rdata(r, &r->records[i]);
	return why != NULL ? why : check_sets(r);
}

static const char *check_reply(const struct exchange *x, const struct reply *r)
{
	static const char *(*const checks[])(const struct exchange *, const struct reply *) = {
	        check_header, check_question, check_aa_tc, check_opt, check_records};

	if (r->malformed != NULL)
		return text("malformed: %s", r->malformed);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const char *why = checks[i](x, r);

		if (why != NULL)
			return why;
	}
	return x->row->check == NULL ? NULL : x->row->check(x, r);
}

const char *judge(const struct exchange *x)
{
	struct reply r;
	const char *why;

	if (x->failed)
		return "cannot send";
	if (x->row->is & SILENT)
		return x->answered ? text("a reply of %zu octets", x->rx_len) : NULL;
	if (!x->answered)
		return x->closed ? "connection closed" : "timeout: no reply";
	reply_parse(&r, x->rx, x->rx_len);
	why = check_reply(x, &r);
	reply_free(&r);
	return why;
}
