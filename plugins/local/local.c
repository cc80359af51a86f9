/*
 * local: names of this machine are answered here and never leave it (RFC 6303, RFC 6761): localhost
 * and the reverse zones of 0, 127 and 255. localhost.DOMAIN, which search lists make, is counted.
 */
#include "plugin.h"

#include <errno.h>
#include <string.h>

#include "core/zone_list.h"
#include "dns/wire.h"
#include "names/zone_answer.h"
#include "names/zonefile.h"

#define TTL 604800u
#define COMMON "$TTL 604800\n@ SOA localhost. root.localhost. 1 0 0 0 604800\n@ NS localhost.\n"

static const struct {
	const char *zone, *text;
} sources[] = {
        {"localhost.", COMMON "@ A 127.0.0.1\n@ AAAA ::1\n* A 127.0.0.1\n* AAAA ::1\n"},
        {"0.in-addr.arpa.", COMMON},
        {"127.in-addr.arpa.", COMMON "1.0.0 PTR localhost.\n"},
        {"255.in-addr.arpa.", COMMON},
        {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
                COMMON "@ PTR localhost.\n"},
};

struct local {
	struct zone_list zones;
	struct tree *trees[ARRAY_LEN(sources)];
	struct rrset *a, *aaaa, *soa; /* of localhost.DOMAIN */
	bool takes_prefix;
	struct counters *counters;
};

static int set_prefix(void *conf, const struct directive *o, struct err *e)
{
	return args_on_off(o, 0, &((struct local *)conf)->takes_prefix, e);
}

static struct rrset *single(uint16_t type, const void *rdata, size_t n)
{
	struct rrset_builder b = {.type = type, .ttl = TTL};

	must(rrset_add(&b, rdata, n) == 0);
	return rrset_build(&b);
}

static void make_sets(struct local *l)
{
	static const uint8_t mname[] = "\11localhost", rname[] = "\4root\11localhost";
	const struct soa soa = {.mname = mname, .rname = rname, .serial = 1, .minimum = TTL};
	uint8_t rdata[64];

	l->a = single(TYPE_A, "\x7f\0\0\1", 4);
	l->aaaa = single(TYPE_AAAA, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	l->soa = single(TYPE_SOA, rdata, rrset_soa_rdata(rdata, &soa));
}

static void make_trees(struct local *l)
{
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct name origin;

		must(name_from_text(&origin, str_from(sources[i].zone), NULL) == 0);
		zone_list_add(&l->zones, &origin);
		l->trees[i] =
		        zonefile_parse("local", str_from(sources[i].text), origin.wire, NULL, NULL);
		must(l->trees[i] != NULL);
	}
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
	        {.name = "localhost_prefix", .min_args = 1, .max_args = 1, .set = set_prefix},
	        {.name = NULL},
	};
	struct local *l = mem_new(struct local);
	int rc;

	s->first = args_last(s->block, "local");
	l->takes_prefix = true;
	rc = args_count(s->first, 0, 0, e);
	if (rc == 0)
		rc = args_options(s->first, options, l, e);
	if (rc != 0) {
		free(l);
		return rc;
	}
	make_sets(l);
	make_trees(l);
	l->counters = counters_new(s->workers, 1);
	s->instance = l;
	return 0;
}

/* "localhost" in front of some domain. */
static bool has_prefix(const struct local *l, const uint8_t *folded)
{
	return l->takes_prefix && memcmp(folded, "\11localhost", 10) == 0 && folded[10] != 0;
}

static enum verdict answer_prefix(const struct local *l, struct query *q)
{
	counters_add(l->counters, q->worker->index, 0, 1);
	q->answer.is_authoritative = true;
	if (q->msg.qtype == TYPE_A || q->msg.qtype == TYPE_AAAA)
		answer_add(&q->answer, SECTION_ANSWER, q->msg.qtype == TYPE_A ? l->a : l->aaaa);
	else
		answer_add(&q->answer, SECTION_AUTHORITY, l->soa);
	return DONE;
}

static enum verdict query(struct query *q, void *instance)
{
	const struct local *l = instance;
	struct zone_question question = {
	        query_name(q), q->folded, q->msg.qtype, q->msg.edns.wants_dnssec};
	const uint8_t *target;
	int zone;

	if (has_prefix(l, q->folded))
		return answer_prefix(l, q);
	zone = zone_list_match(&l->zones, q->folded);
	if (zone < 0)
		return NEXT;
	zone_answer(l->trees[zone], &question, &q->answer, &target);
	return DONE;
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	const struct local *l = instance;
	const uint8_t *name = ask->name.wire;

	if (has_prefix(l, name)) {
		explain_say(x, EXPLAIN_ANSWER, "localhost in any domain is this machine");
		explain_add_set(x, ask->type == TYPE_AAAA ? l->aaaa : l->a);
	} else if (zone_list_match(&l->zones, name) >= 0) {
		explain_say(x, EXPLAIN_ANSWER, "names of this machine do not leave it");
	}
}

static const struct plugin_explain explain_hooks = {.explain = explain};

static void local_metrics(void *instance, struct metrics *m)
{
	static const struct metric_family requests = {"coredns_local_localhost_requests_total",
	        "Questions for localhost in some domain.", METRIC_COUNTER};
	const struct local *l = instance;

	metrics_sample(m, &requests, "", (double)counters_sum(l->counters, 0));
}

static void teardown(void *instance)
{
	struct local *l = instance;

	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		tree_free(l->trees[i]);
	zone_list_free(&l->zones);
	counters_free(l->counters);
	free(l->a);
	free(l->aaaa);
	free(l->soa);
	free(l);
}

const struct plugin local_plugin = {
        .name = "local",
        .setup = setup,
        .query = query,
        .metrics = local_metrics,
        .explain = &explain_hooks,
        .teardown = teardown,
};
