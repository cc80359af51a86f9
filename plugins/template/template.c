#include "template/template.h"

#include "names/zonefile_rr.h"

#define RECORD_MAX 4096u /* octets of a record's text */

/* A question that a rule is about. */
struct question {
	struct query *q;
	const struct template_rule *rule;
	char name[NAME_TEXT_MAX], zone[NAME_TEXT_MAX], remote[ADDR_TEXT_MAX];
	char class_text[16], type_text[16];
	struct pattern_match match;
	const struct pattern *pattern;
};

static void count(const struct template_instance *t, const struct question *x, size_t counter)
{
	counters_add(t->counters, x->q->worker->index, counter, 1);
}

/* The first pattern that fits; without any, every name does. */
static bool find_pattern(struct question *x, struct str name)
{
	x->pattern = NULL;
	x->match.n = 1;
	x->match.at[0] = name;
	vec_for_each (&x->rule->patterns, p) {
		if (pattern_match(*p, name, &x->match)) {
			x->pattern = *p;
			return true;
		}
	}
	return x->rule->patterns.len == 0;
}

static bool get_meta(void *arg, struct str key, struct str *out)
{
	return metadata_get(arg, key, out);
}

static struct filling filling_of(struct question *x)
{
	const struct query *q = x->q;

	return (struct filling){
	        .name = str_from(x->name),
	        .zone = str_from(x->zone),
	        .class_text = str_from(rr_class_text(q->msg.qclass, x->class_text)),
	        .type_text = str_from(q->msg.qtype == TYPE_ANY
	                                      ? x->rule->type_text
	                                      : rr_type_text(q->msg.qtype, x->type_text)),
	        .remote = str_from(addr_ip_to_text(x->remote, &q->client)),
	        .qtype = q->msg.qtype,
	        .qclass = q->msg.qclass,
	        .id = q->msg.id,
	        .pattern = x->pattern,
	        .match = &x->match,
	        .meta = get_meta,
	        .arg = x->q,
	};
}

static bool add_record(const struct template_instance *t, struct question *x,
        const struct template_record *r, enum section section)
{
	struct filling f = filling_of(x);
	struct query *q = x->q;
	struct rrset_builder b = {.arena = &q->arena};
	char text[RECORD_MAX];
	struct text_rr rr;
	int n = program_expand(&r->program, &f, text, sizeof(text));

	if (n < 0) {
		count(t, x, r->first_counter + TEMPLATE_FAILURES);
		return false;
	}
	if (zonefile_rr((struct str){text, (size_t)n}, &q->arena, &rr, NULL) != 0) {
		count(t, x, r->first_counter + TEMPLATE_RR_FAILURES);
		return false;
	}
	b.type = rr.type;
	b.rr_class = rr.rr_class;
	b.ttl = rr.ttl;
	if (rrset_add(&b, rr.rdata, rr.rdlength) != 0)
		return false;
	answer_add_owned(&q->answer, section,
	        name_equal(rr.owner.wire, query_name(q))
	                ? NULL
	                : (uint8_t *)arena_dup(&q->arena, rr.owner.wire, rr.owner.len),
	        rrset_build_in(&b, &q->arena));
	return true;
}

static bool add_records(const struct template_instance *t, struct question *x)
{
	for (unsigned i = 0; i < TEMPLATE_SECTIONS; i++)
		vec_for_each (&x->rule->records[i], r)
			if (!add_record(t, x, r, (enum section)i))
				return false;
	return true;
}

/* The last record when it is an alias that the question is not about. */
static const uint8_t *open_alias(const struct query *q)
{
	const struct answer *a = &q->answer;
	const struct rrset *last = NULL;
	uint16_t n;

	for (unsigned i = 0; i < a->count; i++)
		if (a->refs[i].section == SECTION_ANSWER)
			last = a->refs[i].set;
	if (last == NULL || last->type != TYPE_CNAME || q->msg.qclass != CLASS_IN ||
	        (q->msg.qtype != TYPE_A && q->msg.qtype != TYPE_AAAA))
		return NULL;
	return rrset_rdata(last, 0, &n);
}

/* Where nobody knows the target the alias stands alone. */
static void on_target(struct query *q, struct query *child, void *arg)
{
	uint16_t rcode = child->is_dropped ? RCODE_SERVFAIL : child->answer.rcode;

	if (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN) {
		query_merge(q, child, arg);
		q->answer.rcode = rcode;
	}
	query_resume(q, DONE);
}

static enum verdict answer(const struct template_instance *t, struct question *x)
{
	struct query *q = x->q;
	struct query_question ask = {.type = q->msg.qtype};

	count(t, x, x->rule->matches);
	q->answer.rcode = x->rule->rcode;
	q->answer.ede = x->rule->ede;
	q->answer.ede_text = x->rule->ede_text;
	q->answer.is_authoritative = true;
	if (!add_records(t, x)) {
		q->reason = "a record of the template is none";
		return query_fail(q, RCODE_SERVFAIL);
	}
	ask.name = open_alias(q);
	if (ask.name == NULL)
		return DONE;
	return query_sub(q, ask, on_target, (void *)(uintptr_t)ask.name) == 0 ? WAIT : DONE;
}

/* A question for any type is one for that of the template. */
static bool has_type(const struct template_rule *r, uint16_t qtype)
{
	return r->type == 0 || r->type == qtype || qtype == TYPE_ANY;
}

static bool is_about(const struct template_rule *r, const struct query *q, int *zone)
{
	if ((r->rr_class != 0 && r->rr_class != q->msg.qclass) || !has_type(r, q->msg.qtype))
		return false;
	*zone = zone_list_match(&r->zones, q->folded);
	return *zone >= 0;
}

static enum verdict template_query(struct query *q, void *instance)
{
	const struct template_instance *t = instance;
	struct question x = {.q = q};

	x.name[0] = '\0';
	vec_for_each (&t->rules, at) {
		int zone;

		if (!is_about(*at, q, &zone))
			continue;
		x.rule = *at;
		if (x.name[0] == '\0')
			name_to_text(x.name, q->folded);
		if (find_pattern(&x, str_from(x.name))) {
			name_to_text(x.zone, x.rule->zones.zones.at[zone].wire);
			return answer(t, &x);
		}
		if (fall_has(&x.rule->fall, q->folded))
			continue;
		/* not NXDOMAIN: other templates, for other types, may know the name */
		q->reason = "no pattern of the template fits";
		return query_fail(q, RCODE_SERVFAIL);
	}
	return NEXT;
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	const struct template_instance *t = instance;
	char text[NAME_TEXT_MAX];

	name_to_text(text, ask->name.wire);
	vec_for_each (&t->rules, at) {
		const struct template_rule *r = *at;
		bool fits = r->patterns.len == 0;

		if (!has_type(r, ask->type) || zone_list_match(&r->zones, ask->name.wire) < 0)
			continue;
		vec_for_each (&r->patterns, p)
			fits = fits || pattern_match(*p, str_from(text), NULL);
		if (fits || !fall_has(&r->fall, ask->name.wire)) {
			explain_say(x, fits ? EXPLAIN_UNKNOWN : EXPLAIN_SERVFAIL,
			        fits ? "a template answers: ask for what it makes"
			             : "no pattern of the template fits");
			return;
		}
	}
}

static const struct plugin_explain explain_hooks = {.explain = explain};

/* What failed, with the record that did. */
static void report_record(const struct template_instance *t, const struct template_record *r,
        const char *labels, struct metrics *m)
{
	static const struct metric_family families[TEMPLATE_COUNTERS] = {
	        {"coredns_template_template_failures_total",
	                "Questions whose template could not be filled.", METRIC_COUNTER},
	        {"coredns_template_rr_failures_total", "Questions whose template made no record.",
	                METRIC_COUNTER},
	};

	for (unsigned i = 0; i < TEMPLATE_COUNTERS; i++)
		metrics_sample(m, &families[i], labels,
		        (double)counters_sum(t->counters, r->first_counter + i));
}

static void report_records(const struct template_instance *t, const struct template_rule *r,
        const char *labels, struct metrics *m)
{
	static const char *const sections[TEMPLATE_SECTIONS] = {
	        "answer", "authority", "additional"};

	for (unsigned i = 0; i < TEMPLATE_SECTIONS; i++) {
		vec_for_each (&r->records[i], record) {
			struct buf all = {0};

			buf_str(&all, labels);
			metrics_label(&all, "section", sections[i]);
			metrics_label(&all, "template", record->text);
			report_record(t, record, buf_text(&all), m);
			buf_free(&all);
		}
	}
}

static void report_rule(
        const struct template_instance *t, const struct template_rule *r, struct metrics *m)
{
	static const struct metric_family matches = {"coredns_template_matches_total",
	        "Questions that a template was about.", METRIC_COUNTER};

	char text[NAME_TEXT_MAX];
	struct buf labels = {0};

	/* the figures are those of the rule: told once, with its first zone */
	name_to_text(text, r->zones.zones.at[0].wire);
	metrics_label(&labels, "server", t->server);
	metrics_label(&labels, "zone", text);
	metrics_label(&labels, "view", t->view);
	metrics_label(&labels, "class", r->class_text);
	metrics_label(&labels, "type", r->type_text);
	metrics_sample(m, &matches, labels.at, (double)counters_sum(t->counters, r->matches));
	report_records(t, r, buf_text(&labels), m);
	buf_free(&labels);
}

static void template_metrics(void *instance, struct metrics *m)
{
	const struct template_instance *t = instance;

	vec_for_each (&t->rules, r)
		report_rule(t, *r, m);
}

static void teardown(void *instance)
{
	template_free(instance);
}

const struct plugin template_plugin = {
        .name = "template",
        .takes_any_class = true,
        .setup = template_setup,
        .query = template_query,
        .metrics = template_metrics,
        .explain = &explain_hooks,
        .teardown = teardown,
};
