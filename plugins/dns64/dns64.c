#include "dns64/dns64.h"

#include <string.h>

#include "base/must.h"
#include "dns/wire.h"

#define TTL_WITHOUT_SOA 600u /* RFC 6147 5.1.7 */

/* Addresses that stand for IPv4 in disguise are none (RFC 6147 5.1.4). */
static bool is_excluded(const uint8_t *ip)
{
	return memcmp(ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
}

static bool has_addresses(const struct answer *a)
{
	for (unsigned i = 0; i < a->count; i++) {
		const struct rrset *s = a->refs[i].set;
		uint16_t n;

		if (a->refs[i].section != SECTION_ANSWER || s->type != TYPE_AAAA)
			continue;
		for (unsigned k = 0; k < s->count; k++)
			if (!is_excluded(rrset_rdata(s, k, &n)))
				return true;
	}
	return false;
}

/* How long the absence of an address of IPv6 holds bounds how long its substitute does. */
static uint32_t substitute_ttl(const struct answer *a)
{
	for (unsigned i = 0; i < a->count; i++)
		if (a->refs[i].section == SECTION_AUTHORITY && a->refs[i].set->type == TYPE_SOA)
			return a->refs[i].set->ttl;
	return TTL_WITHOUT_SOA;
}

static const struct rrset *translate(
        const struct dns64 *d, struct query *q, const struct rrset *a, uint32_t ttl)
{
	struct rrset_builder b = {.type = TYPE_AAAA, .arena = &q->arena};
	uint8_t ip[16];
	uint16_t n;

	b.ttl = a->ttl < ttl ? a->ttl : ttl;
	for (unsigned i = 0; i < a->count; i++) {
		dns64_embed(ip, &d->prefix, rrset_rdata(a, i, &n));
		if (rrset_add(&b, ip, sizeof(ip)) != 0)
			break;
	}
	return rrset_build_in(&b, &q->arena);
}

/* The aliases of the answer to A, and its addresses in the other family. */
static void substitute(const struct dns64 *d, struct query *q, const struct query *child)
{
	uint32_t ttl = substitute_ttl(&q->answer);
	bool has_recursion = q->answer.has_recursion;

	answer_reset(&q->answer);
	q->answer.has_recursion = has_recursion;
	q->answer.is_authoritative = child->answer.is_authoritative;
	for (unsigned i = 0; i < child->answer.count; i++) {
		const struct answer_ref *ref = &child->answer.refs[i];
		const struct rrset *s = ref->set;

		if (ref->section != SECTION_ANSWER || (s->type != TYPE_A && s->type != TYPE_CNAME))
			continue;
		answer_add_owned(&q->answer, SECTION_ANSWER, ref->owner,
		        s->type == TYPE_A ? translate(d, q, s, ttl) : s);
	}
	counters_add(d->counters, q->worker->index, 0, 1);
}

static bool has_ipv4(const struct answer *a)
{
	for (unsigned i = 0; i < a->count; i++)
		if (a->refs[i].section == SECTION_ANSWER && a->refs[i].set->type == TYPE_A)
			return true;
	return false;
}

/* Without addresses of IPv4 the first answer stands; some may be in what did not fit. */
static void on_ipv4(struct query *q, struct query *child, void *arg)
{
	answer_open(&child->answer, &child->msg);
	answer_keep(&child->answer);
	if (!child->is_dropped && child->answer.rcode == RCODE_NOERROR && has_ipv4(&child->answer))
		substitute(arg, q, child);
	q->answer.is_truncated |= !child->is_dropped && child->answer.is_truncated;
	query_resume(q, DONE);
}

static bool is_for_client(const struct dns64 *d, const struct query *q)
{
	const uint8_t *ip;
	size_t n;

	if (q->msg.qtype != TYPE_AAAA || q->is_internal)
		return false;
	/* a client that validates makes addresses itself (RFC 6147 5.5) */
	if (q->msg.edns.wants_dnssec && (q->msg.flags & FLAG_CD) != 0)
		return false;
	ip = addr_ip(&q->client, &n);
	return d->allows_ipv4 || (n == 16 && !is_excluded(ip));
}

static void reply(struct query *q, void *instance)
{
	struct dns64 *d = instance;
	struct query_question ask = {.name = query_name(q), .type = TYPE_A};

	if (!is_for_client(d, q) || q->answer.rcode == RCODE_NXDOMAIN)
		return; /* any other failure may be one of AAAA alone (RFC 6147 5.1.2) */
	answer_open(&q->answer, &q->msg);
	if (!d->translates_all && (q->answer.is_truncated || has_addresses(&q->answer)))
		return; /* what did not fit may be addresses */
	query_hold(q);
	if (query_sub(q, ask, on_ipv4, d) != 0)
		query_resume(q, DONE);
}

static void dns64_metrics(void *instance, struct metrics *m)
{
	static const struct metric_family translated = {"coredns_dns64_requests_translated_total",
	        "Answers with addresses made from those of IPv4.", METRIC_COUNTER};
	const struct dns64 *d = instance;
	struct buf labels = {0};

	metrics_label(&labels, "server", d->server);
	metrics_sample(m, &translated, labels.at, (double)counters_sum(d->counters, 0));
	buf_free(&labels);
}

static void teardown(void *instance)
{
	struct dns64 *d = instance;

	counters_free(d->counters);
	free(d->server);
	free(d);
}

const struct plugin dns64_plugin = {
        .name = "dns64",
        .setup = dns64_setup,
        .reply = reply,
        .metrics = dns64_metrics,
        .explain = &explain_passes,
        .teardown = teardown,
};
