/*
 * Messages of clients. The records of any message can be walked without harm; a good question
 * gets an answer made of sets of any number and shape, under any limit, and ldns has to read the
 * same records from it. The first eight octets choose the answer, the rest is the query.
 */
#include "fuzz.h"

#include <ldns/ldns.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"
#include "dns/answer.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define QUERY_MAX 2048u

/* Read every record from behind the header on, as if there were no question. */
static void walk(const uint8_t *wire, size_t n, size_t at)
{
	static uint8_t rdata[70000];
	struct reader r = reader_on(wire, n);
	struct rr_view rr;

	for (r.at = at < n ? at : n; read_rr(&r, &rr);) {
		int len = rr_rdata(&r, &rr, rdata, sizeof(rdata));

		must(name_check(rr.owner, rr.owner_len) == rr.owner_len);
		must(len <= (int)sizeof(rdata));
		must(r.at <= n && r.at == rr.rdata_at + rr.rdlength);
		if (len > 0)
			must(rr_rdata(&r, &rr, rdata, (size_t)len - 1) == -1);
	}
}

static struct rrset *make_set(struct arena *a, unsigned kind)
{
	static const uint16_t types[] = {
	        TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_SRV, TYPE_TXT, TYPE_MX};
	struct rrset_builder b = {.type = types[kind % ARRAY_LEN(types)], .ttl = kind};
	unsigned n = b.type == TYPE_CNAME ? 1 : 1 + rand_below(kind & 64 ? 400 : 12);
	uint8_t rdata[300] = {0};

	for (unsigned i = 0; i < n; i++) {
		size_t len = b.type == TYPE_AAAA ? 16 : 4;

		put32(rdata, i);
		if (b.type == TYPE_CNAME)
			len = (size_t)(stpcpy((char *)rdata, "\6target\7example") - (char *)rdata) +
			      1;
		if (b.type == TYPE_SRV) {
			put16(rdata + 4, (uint16_t)i);
			len = 6 + sizeof("\2ep\3svc");
			memcpy(rdata + 6, "\2ep\3svc", sizeof("\2ep\3svc"));
		}
		if (b.type == TYPE_MX) {
			memcpy(rdata + 2, "\2mx", 4);
			len = 6;
		}
		if (b.type == TYPE_TXT) {
			rdata[0] = (uint8_t)(i * 7);
			len = rdata[0] + 1u;
		}
		must(rrset_add(&b, rdata, len) == 0);
	}
	return rrset_build_in(&b, a);
}

/* The question, part of it, a name in a set that stands before, or another. */
static const uint8_t *pick_owner(const struct answer *a, const struct msg *m, const uint8_t *qname)
{
	unsigned kind = rand_below(8);
	const struct rrset *set;
	uint16_t n;

	if (kind == 0)
		return name_skip(qname, rand_below(m->qname_labels + 1u));
	if (kind == 1)
		return (const uint8_t *)"\5other\7example";
	if (kind == 2)
		return (const uint8_t *)"";
	if (kind > 4 || a->count == 0)
		return NULL;
	set = a->refs[rand_below(a->count)].set;
	if (set->type == TYPE_CNAME)
		return name_skip(rrset_rdata(set, 0, &n), rand_below(3));
	if (set->type == TYPE_SRV)
		return rrset_rdata(set, rand_below(set->count), &n) + 6;
	return NULL;
}

static void fill(struct answer *a, const struct msg *m, const uint8_t *qname, const uint8_t *choice)
{
	for (unsigned i = choice[0] % 24; i > 0; i--) {
		const uint8_t *owner = pick_owner(a, m, qname);

		answer_add_owned(a, (enum section)rand_below(3), owner,
		        make_set(a->arena, choice[1] + rand_below(6)));
	}
	a->rotates = choice[2] & 1;
	a->is_authoritative = choice[2] & 2;
	a->ede = choice[2] & 4 ? EDE_STALE : EDE_NONE;
	a->rcode = choice[2] & 8 ? RCODE_NXDOMAIN : RCODE_NOERROR;
}

/* The record that ldns read is one of the set. */
static bool is_record_of(const ldns_rr *rr, const struct answer_ref *r, const uint8_t *qname)
{
	const struct rrset *s = r->set;
	ldns_buffer *b;
	bool found = false;
	uint16_t n;

	if (ldns_rr_get_type(rr) != s->type || ldns_rr_ttl(rr) != s->ttl ||
	        !name_equal(ldns_rdf_data(ldns_rr_owner(rr)), r->owner == NULL ? qname : r->owner))
		return false;
	b = ldns_buffer_new(512);
	must(ldns_rr_rdata2buffer_wire(b, rr) == LDNS_STATUS_OK);
	for (unsigned i = 0; i < s->count && !found; i++) {
		const uint8_t *rdata = rrset_rdata(s, i, &n);

		found = ldns_buffer_position(b) == n && memcmp(ldns_buffer_begin(b), rdata, n) == 0;
	}
	ldns_buffer_free(b);
	return found;
}

/* The records of a section are those of its sets, in order; true when none is missing. */
static bool check_section(const struct answer *a, const uint8_t *qname, enum section section,
        const ldns_rr_list *list)
{
	size_t at = 0, n = ldns_rr_list_rr_count(list);
	bool is_whole = true;

	for (unsigned i = 0; i < a->count; i++) {
		const struct answer_ref *r = &a->refs[i];
		unsigned k = 0;

		if (r->section != section)
			continue;
		for (; k < r->set->count && at < n; k++)
			must(is_record_of(ldns_rr_list_rr(list, at++), r, qname));
		is_whole = is_whole && k == r->set->count;
	}
	must(at == n);
	return is_whole;
}

/* Each additional record is of one of the sets; any set may be missing. */
static void check_additional(const struct answer *a, const uint8_t *qname, const ldns_rr_list *list)
{
	for (size_t at = 0; at < ldns_rr_list_rr_count(list); at++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, at);
		bool found = false;

		for (unsigned i = 0; i < a->count && !found; i++)
			found = a->refs[i].section == SECTION_ADDITIONAL &&
			        is_record_of(rr, &a->refs[i], qname);
		must(found);
	}
}

static void check_answer(const struct answer *a, const struct msg *m, const uint8_t *query,
        const uint8_t *out, size_t n)
{
	const uint8_t *qname = query + MSG_HEADER;
	bool is_whole, is_referral;
	ldns_pkt *pkt;

	must(memcmp(out + MSG_HEADER, qname, m->question_end - (size_t)MSG_HEADER) == 0);
	must(get16(out) == m->id && (out[2] & 0x80) != 0);
	must(ldns_wire2pkt(&pkt, out, n) == LDNS_STATUS_OK);
	must(ldns_pkt_size(pkt) == n);
	must(ldns_pkt_edns(pkt) == m->edns.is_present);
	is_whole = check_section(a, qname, SECTION_ANSWER, ldns_pkt_answer(pkt));
	is_whole = check_section(a, qname, SECTION_AUTHORITY, ldns_pkt_authority(pkt)) && is_whole;
	check_additional(a, qname, ldns_pkt_additional(pkt));
	is_referral =
	        !a->is_authoritative && ldns_pkt_ancount(pkt) == 0 && ldns_pkt_nscount(pkt) > 0;
	if (!is_whole)
		must(ldns_pkt_tc(pkt));
	else if (!is_referral)
		must(!ldns_pkt_tc(pkt));
	ldns_pkt_free(pkt);
}

static void answer_it(const struct msg *m, const uint8_t *query, const uint8_t *choice)
{
	static const uint8_t cookie[24];
	static const char nsid[255];
	enum transport transport = choice[3] & 1 ? TRANSPORT_TCP : TRANSPORT_UDP;
	struct answer_env env = {
	        .nsid = choice[3] & 2 ? nsid : NULL,
	        .nsid_len = choice[4],
	        .cookie = m->edns.cookie_len > 0 ? cookie : NULL,
	        .keepalive = 1,
	        .is_stream = transport == TRANSPORT_TCP,
	        .udp_size = 1232,
	        .limit = msg_reply_limit(m, transport, 512 + choice[5] * 8u),
	};
	uint8_t *out = mem_alloc(env.limit); /* so that a sanitizer sees one octet too many */
	struct arena arena;
	struct answer a;
	size_t n;

	arena_init(&arena);
	answer_init(&a, &arena);
	if (m->qname_len > 0)
		fill(&a, m, query + MSG_HEADER, choice);
	memcpy(out, query, m->question_end);
	n = answer_encode(&a, m, &env, out);
	must(n <= env.limit);
	check_answer(&a, m, query, out, n);
	arena_reset(&arena);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *query = data + 8;
	enum msg_verdict v;
	struct msg m;

	if (size < 8 || size - 8 > QUERY_MAX)
		return 0;
	rand_seed(get32(data) | (uint64_t)get32(data + 4) << 32);
	walk(query, size - 8, MSG_HEADER);
	v = msg_parse(&m, query, size - 8);
	if (v == MSG_DROP)
		return 0;
	must(m.question_end <= size - 8);
	if (v == MSG_ANSWER)
		must(name_check(query + MSG_HEADER, m.qname_len) == m.qname_len);
	walk(query, size - 8, m.question_end);
	if (v == MSG_ANSWER)
		answer_it(&m, query, data);
	return 0;
}
