#include "cache/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/query.h"
#include "core/worker.h"
#include "dns/rr.h"
#include "dns/wire.h"

enum { KEY_DO = 1, KEY_CD = 2 };

#define TTLS_MAX 4096u /* records of a message that may be kept */
#define TTL_MAX 0x7fffffffu /* more is none at all (RFC 2181 8) */
#define RRSIG_EXPIRES 8u /* where in its RDATA (RFC 4034 3.1) */
#define SOA_LEAST 22u /* octets of its RDATA */

struct cache_key cache_key_of(const struct query *q)
{
	struct cache_key key = {
	        .name = q->folded, .name_len = q->msg.qname_len, .type = q->msg.qtype};

	if (q->msg.edns.wants_dnssec)
		key.flags |= KEY_DO;
	if ((q->msg.flags & FLAG_CD) != 0)
		key.flags |= KEY_CD;
	return key;
}

/* What one look at the records of a message tells. */
struct survey {
	uint32_t ttl_s; /* the lowest */
	bool has_type, has_soa; /* the type asked for as an answer, SOA in the authority section */
	uint16_t ttls_len;
	uint16_t ttls[TTLS_MAX]; /* offsets */
};

static void lower(uint32_t *ttl_s, uint32_t to)
{
	if (to < *ttl_s)
		*ttl_s = to;
}

/* How long a negative answer holds is the lower of the SOA record's TTL and MINIMUM (RFC 2308 5).
 */
static uint32_t negative_ttl(const uint8_t *message, const struct rr_view *rr)
{
	uint32_t minimum = get32(message + rr->rdata_at + rr->rdlength - 4);

	return minimum < rr->ttl ? minimum : rr->ttl;
}

/* Seconds until a signature ends; 0 when it has (serial arithmetic, RFC 4034 3.1.5). */
static uint32_t signature_left_s(const uint8_t *message, const struct rr_view *rr, uint32_t now_s)
{
	uint32_t left = get32(message + rr->rdata_at + RRSIG_EXPIRES) - now_s;

	return left > TTL_MAX ? 0 : left;
}

static void survey_record(
        struct survey *v, const struct query *q, const struct rr_view *rr, unsigned section)
{
	const uint8_t *message = q->answer.message;
	uint16_t type = q->msg.qtype;

	v->ttls[v->ttls_len++] = (uint16_t)rr->ttl_at;
	lower(&v->ttl_s, rr->ttl > TTL_MAX ? 0 : rr->ttl);
	if (section == SECTION_ANSWER && (rr->type == type || type == TYPE_ANY))
		v->has_type = true;
	if (section == SECTION_AUTHORITY && rr->type == TYPE_SOA && rr->rdlength >= SOA_LEAST) {
		v->has_soa = true;
		lower(&v->ttl_s, negative_ttl(message, rr));
	}
	if (rr->type == TYPE_RRSIG && rr->rdlength > RRSIG_EXPIRES + 4)
		lower(&v->ttl_s, signature_left_s(message, rr, q->worker->wall_s));
}

/* False when the message cannot be kept: malformed, or with too many records. */
static bool survey_message(struct survey *v, const struct query *q)
{
	const struct answer *a = &q->answer;
	struct reader r = reader_on(a->message, a->message_len);
	struct rr_view rr;

	v->ttl_s = TTL_MAX;
	v->has_type = v->has_soa = false;
	v->ttls_len = 0;
	r.at = q->msg.question_end;
	for (unsigned section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++) {
		for (unsigned n = get16(a->message + 6 + 2 * section); n > 0; n--) {
			if (v->ttls_len == TTLS_MAX || !read_rr(&r, &rr))
				return false;
			survey_record(v, q, &rr, section);
		}
	}
	return true;
}

/* What may be kept: RFC 2308 2 and 5 for negative answers, 7.1 and RFC 9520 for failures. */
static enum cache_kind classify(const struct survey *v, uint16_t rcode)
{
	switch (rcode) {
	case RCODE_NOERROR:
		if (v->has_type)
			return CACHE_POSITIVE;
		return v->has_soa ? CACHE_NEGATIVE : CACHE_NOT;
	case RCODE_NXDOMAIN: return v->has_soa ? CACHE_NEGATIVE : CACHE_NOT;
	default: return CACHE_NOT;
	}
}

static bool is_failure(uint16_t rcode)
{
	return rcode == RCODE_SERVFAIL || rcode == RCODE_NOTIMP;
}

static struct cache_entry *entry_alloc(
        const struct query *q, const struct cache_key *key, const struct survey *v)
{
	size_t len = v == NULL ? MSG_HEADER + key->name_len + 4u : q->answer.message_len;
	size_t n = v == NULL ? 0 : v->ttls_len;
	size_t size = sizeof(struct cache_entry) + len + n * sizeof(uint16_t);
	struct cache_entry *e = mem_alloc(size);

	e->hash = key->hash;
	e->stored_ms = q->worker->now_ns / 1000000;
	e->size = (uint32_t)size;
	e->rcode = q->answer.rcode;
	e->ede = q->answer.ede;
	e->message_len = (uint16_t)len;
	e->name_len = key->name_len;
	e->type = key->type;
	e->flags = key->flags;
	e->ttls_len = (uint16_t)n;
	e->is_authoritative = q->answer.is_authoritative;
	e->is_authentic = q->answer.is_authentic;
	memcpy(e->data + MSG_HEADER, key->name, key->name_len);
	return e;
}

/* All but NOERROR and NXDOMAIN is a failure to refresh (RFC 8767 4), and so is TC. */
bool cache_refreshes(const struct answer *a)
{
	return (a->rcode == RCODE_NOERROR || a->rcode == RCODE_NXDOMAIN) && !a->is_truncated;
}

/*
 * Failures have no records. They are kept for a short while (RFC 9520 3.2), so that a name whose
 * servers are out of order does not cost a timeout for each question.
 */
struct cache_entry *cache_entry_new_failure(
        const struct query *q, const struct cache_key *key, const struct cache_times *times)
{
	struct cache_entry *e;

	if (times->failure_s == 0)
		return NULL;
	e = entry_alloc(q, key, NULL);
	if (q->answer.is_truncated)
		e->rcode = RCODE_SERVFAIL; /* it is not for those without a stale answer */
	e->kind = CACHE_FAILURE;
	e->ttl_s = times->failure_s;
	return e;
}

static uint32_t clamp(uint32_t v, uint32_t min, uint32_t max)
{
	return v < min ? min : v > max ? max : v;
}

/* Copy the message, its TTLs limited to between the entry's own and the longest allowed. */
static void fill(struct cache_entry *e, const struct query *q, const struct survey *v, uint32_t max)
{
	size_t from = MSG_HEADER + e->name_len;

	memcpy(e->data + from, q->answer.message + from, e->message_len - from);
	memcpy(e->data + 6, q->answer.message + 6, 6);
	memcpy(e->data + e->message_len, v->ttls, v->ttls_len * sizeof(uint16_t));
	for (unsigned i = 0; i < v->ttls_len; i++) {
		uint8_t *at = e->data + v->ttls[i];
		uint32_t ttl = get32(at) > TTL_MAX ? 0 : get32(at);
		uint32_t kept = clamp(ttl, e->ttl_s, max > e->ttl_s ? max : e->ttl_s);

		/* nobody may keep a negative answer longer than we do */
		if (e->kind == CACHE_NEGATIVE)
			kept = clamp(kept, 0, e->ttl_s);
		e->is_clamped |= kept != get32(at);
		put32(at, kept);
	}
}

struct cache_entry *cache_entry_new(
        const struct query *q, const struct cache_key *key, const struct cache_times *times)
{
	struct survey v;
	struct cache_entry *e;
	enum cache_kind kind;
	uint32_t ttl;

	if (is_failure(q->answer.rcode))
		return cache_entry_new_failure(q, key, times);
	if (q->answer.is_truncated || q->answer.message == NULL || !survey_message(&v, q))
		return NULL;
	kind = classify(&v, q->answer.rcode);
	if (kind == CACHE_NOT)
		return NULL;
	ttl = clamp(v.ttl_s, times->min_s[kind], times->max_s[kind]);
	if (ttl == 0)
		return NULL; /* for this question alone (RFC 1035 3.2.1) */
	e = entry_alloc(q, key, &v);
	e->kind = (uint8_t)kind;
	e->ttl_s = ttl;
	fill(e, q, &v, times->max_s[kind]);
	return e;
}

uint32_t cache_entry_age_s(const struct cache_entry *e, uint64_t now_ms)
{
	return now_ms > e->stored_ms ? (uint32_t)((now_ms - e->stored_ms) / 1000) : 0;
}

bool cache_entry_is_fresh(const struct cache_entry *e, uint64_t now_ms)
{
	return cache_entry_age_s(e, now_ms) < e->ttl_s;
}

/* A copy of the message in q's memory, with the question in this client's letters. */
static uint8_t *copy_message(const struct cache_entry *e, struct query *q)
{
	uint8_t *copy = arena_alloc(&q->arena, e->message_len);
	bool has_recursion = q->answer.has_recursion;

	memcpy(copy, e->data, e->message_len);
	memcpy(copy + MSG_HEADER, query_name(q), e->name_len);
	answer_reset(&q->answer);
	q->answer.has_recursion = has_recursion;
	q->answer.rcode = e->rcode;
	q->answer.ede = e->ede;
	q->answer.is_authoritative = e->is_authoritative;
	q->answer.is_authentic = e->is_authentic;
	q->answer.is_relayed = true;
	if (e->kind != CACHE_FAILURE)
		answer_set_message(&q->answer, copy, e->message_len);
	return copy;
}

static uint16_t ttl_at(const struct cache_entry *e, unsigned i)
{
	uint16_t at;

	memcpy(&at, e->data + e->message_len + i * sizeof(at), sizeof(at));
	return at;
}

void cache_entry_answer(const struct cache_entry *e, struct query *q, uint32_t age_s)
{
	uint8_t *copy = copy_message(e, q);

	if (age_s == 0)
		return;
	for (unsigned i = 0; i < e->ttls_len; i++) {
		uint8_t *at = copy + ttl_at(e, i);
		uint32_t ttl = get32(at);

		put32(at, ttl > age_s ? ttl - age_s : 0);
	}
}

void cache_entry_answer_stale(const struct cache_entry *e, struct query *q, uint32_t ttl_s)
{
	uint8_t *copy = copy_message(e, q);

	for (unsigned i = 0; i < e->ttls_len; i++)
		put32(copy + ttl_at(e, i), ttl_s);
	q->answer.ede = e->rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE;
}
