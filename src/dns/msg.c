#include "dns/msg.h"

#include <string.h>

#include "dns/rr.h"
#include "dns/wire.h"

#define EDNS_OPTIONS_MAX 1200u

enum option { OPTION_NSID = 3, OPTION_COOKIE = 10, OPTION_KEEPALIVE = 11, OPTION_PADDING = 12 };

static enum msg_verdict refuse(struct msg *m, uint8_t rcode)
{
	m->rcode = rcode;
	return MSG_REFUSE;
}

/*
 * The first name of a message cannot be compressed: there is nothing before it but the header.
 * Returns its length, 0 when it is malformed.
 */
static size_t parse_qname(struct msg *m, const uint8_t *wire, size_t len)
{
	size_t at = MSG_HEADER;
	unsigned labels = 0;

	while (at < len && wire[at] != 0) {
		if (wire[at] > 63)
			return 0;
		at += wire[at] + 1u;
		labels++;
	}
	if (at >= len || at - MSG_HEADER + 1 > 255)
		return 0;
	m->qname_labels = (uint8_t)labels;
	return at - MSG_HEADER + 1;
}

static bool parse_question(struct msg *m, const uint8_t *wire, size_t len)
{
	size_t n = parse_qname(m, wire, len);

	if (n == 0 || len - MSG_HEADER - n < 4)
		return false;
	m->qname_len = (uint8_t)n;
	m->qtype = get16(wire + MSG_HEADER + n);
	m->qclass = get16(wire + MSG_HEADER + n + 2);
	m->question_end = (uint16_t)(MSG_HEADER + n + 4);
	return true;
}

/* A cookie has 8 octets, or 16 to 40 with the server's part (RFC 7873 4). */
static bool take_cookie(struct edns *o, const uint8_t *p, uint16_t n)
{
	if (n != 8 && (n < 16 || n > 40))
		return false;
	if (o->cookie_len == 0) {
		memcpy(o->cookie, p, n);
		o->cookie_len = (uint8_t)n;
	}
	return true;
}

static bool parse_options(struct edns *o, const uint8_t *p, size_t len)
{
	struct reader r = reader_on(p, len);
	unsigned count = 0;

	while (r.at < r.len) {
		uint16_t code = read16(&r), n = read16(&r);
		const uint8_t *data = read_bytes(&r, n);

		if (data == NULL || ++count > EDNS_OPTIONS_MAX)
			return false;
		if (code == OPTION_NSID)
			o->wants_nsid = true;
		else if (code == OPTION_KEEPALIVE)
			o->wants_keepalive = true;
		else if (code == OPTION_PADDING)
			o->wants_padding = true;
		else if (code == OPTION_COOKIE && !take_cookie(o, data, n))
			return false;
	}
	return true;
}

static bool parse_opt(struct edns *o, const uint8_t *wire, const struct rr_view *rr)
{
	if (o->is_present || rr->owner_len != 1)
		return false;
	o->is_present = true;
	o->udp_size = rr->rr_class;
	o->version = (uint8_t)(rr->ttl >> 16);
	o->wants_dnssec = (rr->ttl & 0x8000) != 0;
	o->offset = (uint16_t)rr->start;
	o->end = (uint16_t)(rr->rdata_at + rr->rdlength);
	if (parse_options(o, wire + rr->rdata_at, rr->rdlength))
		return true;
	if (o->version == 0)
		return false;
	/* BADVERS with or without a cookie: options of a later version may look different */
	o->cookie_len = 0;
	return true;
}

/* The additional section: at most one OPT; anything else is skipped but must be well formed. */
static bool parse_additional(struct msg *m, const uint8_t *wire, struct reader *r, unsigned count)
{
	struct rr_view rr;

	for (; count > 0; count--) {
		if (!read_rr(r, &rr))
			return false;
		if (rr.type == TYPE_OPT && !parse_opt(&m->edns, wire, &rr))
			return false;
		/* No keys are configured; an answer without a signature would look like a fault. */
		if (rr.type == TYPE_TSIG)
			return false;
	}
	return r->at == r->len;
}

/* The usual OPT: root owner, no options, at the end of the message. */
static bool parse_plain_opt(struct msg *m, const uint8_t *wire, size_t len)
{
	const uint8_t *p = wire + m->question_end;

	if (len - m->question_end != 11 || p[0] != 0 || get16(p + 1) != TYPE_OPT ||
	        get16(p + 9) != 0)
		return false;
	m->edns.is_present = true;
	m->edns.udp_size = get16(p + 3);
	m->edns.version = p[6];
	m->edns.wants_dnssec = (p[7] & 0x80) != 0;
	m->edns.offset = m->question_end;
	m->edns.end = (uint16_t)len;
	return true;
}

/* IXFR: the SOA record that the client has, in the authority section (RFC 1995 3). */
static bool parse_serial(struct msg *m, struct reader *r)
{
	struct rr_view rr;
	struct reader rdata;

	if (!read_rr(r, &rr) || rr.type != TYPE_SOA || rr.rr_class != CLASS_IN)
		return false;
	rdata = *r;
	rdata.at = rr.rdata_at;
	read_name(&rdata, NULL);
	read_name(&rdata, NULL);
	m->serial = read32(&rdata);
	m->has_serial = !rdata.is_bad && rdata.at + 16 == rr.rdata_at + rr.rdlength;
	return m->has_serial;
}

static bool parse_tail(struct msg *m, const uint8_t *wire, size_t len)
{
	struct reader r = reader_on(wire, len);
	unsigned arcount = get16(wire + 10);

	if (get16(wire + 8) != 0) {
		r.at = m->question_end;
		return parse_serial(m, &r) && parse_additional(m, wire, &r, arcount);
	}
	if (arcount == 0)
		return len == m->question_end;
	if (arcount == 1 && parse_plain_opt(m, wire, len))
		return true;
	r.at = m->question_end;
	return parse_additional(m, wire, &r, arcount);
}

/* Types that are no questions: an OPT, TSIG or TKEY record asked for as data. */
static bool is_bad_qtype(uint16_t type)
{
	return type == TYPE_OPT || type == TYPE_TKEY || type == TYPE_TSIG;
}

static enum msg_verdict parse_query(struct msg *m, const uint8_t *wire, size_t len)
{
	uint16_t qdcount = get16(wire + 4), nscount = get16(wire + 8);

	if (get16(wire + 6) != 0 || nscount > 1 || qdcount > 1)
		return refuse(m, RCODE_FORMERR);
	if (qdcount == 1 && !parse_question(m, wire, len))
		return refuse(m, RCODE_FORMERR);
	if (nscount != 0 && m->qtype != TYPE_IXFR)
		return refuse(m, RCODE_FORMERR);
	if (!parse_tail(m, wire, len)) {
		memset(&m->edns, 0, sizeof(m->edns));
		return refuse(m, RCODE_FORMERR);
	}
	if (m->edns.version != 0)
		return refuse(m, RCODE_BADVERS);
	if (qdcount == 0)
		return refuse(m, m->edns.cookie_len > 0 ? RCODE_NOERROR : RCODE_FORMERR);
	if (is_bad_qtype(m->qtype))
		return refuse(m, RCODE_FORMERR);
	return MSG_ANSWER;
}

enum msg_verdict msg_parse(struct msg *m, const uint8_t *wire, size_t len)
{
	memset(m, 0, offsetof(struct msg, edns) + offsetof(struct edns, cookie));
	if (len < MSG_HEADER)
		return MSG_DROP;
	m->id = get16(wire);
	m->flags = get16(wire + 2);
	m->len = (uint16_t)len;
	m->question_end = MSG_HEADER;
	if ((m->flags & FLAG_QR) != 0)
		return MSG_DROP;
	m->opcode = (uint8_t)((m->flags & FLAG_OPCODE) >> 11);
	if (m->opcode != OPCODE_QUERY)
		return refuse(m, RCODE_NOTIMP);
	return parse_query(m, wire, len);
}

size_t msg_reply_limit(const struct msg *m, enum transport transport, size_t cap)
{
	size_t offer = m->edns.is_present && m->edns.udp_size > 512 ? m->edns.udp_size : 512;

	if (transport != TRANSPORT_UDP)
		return 65535;
	return offer < cap ? offer : cap;
}

bool edns_is_hop_by_hop(uint16_t code)
{
	return code == 3 /* NSID */ || code == 10 /* COOKIE */ || code == 11 /* keepalive */ ||
	       code == 12 /* padding */ || code == 15 /* extended error */;
}

bool edns_reaches_far(const uint8_t *wire, const struct edns *edns)
{
	struct reader r = reader_on(wire, edns->end);

	r.at = edns->offset + 11u; /* behind the fixed part of OPT */
	while (edns->is_present && r.at < r.len && !r.is_bad) {
		uint16_t code = read16(&r), len = read16(&r);

		if (!edns_is_hop_by_hop(code))
			return true;
		read_bytes(&r, len);
	}
	return false;
}
