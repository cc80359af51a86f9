#include "rewrite/rewrite.h"

#include <string.h>

#include "dns/wire.h"

/* A query that was asked anew; in its own memory. */
struct asked {
	struct query *query, *child;
	size_t n;
	struct applied applied[REWRITE_APPLIED_MAX];
};

/* --- the question --- */

static bool apply_name(struct subject *s, const struct rule *r)
{
	char out[REWRITE_TEXT_MAX];
	size_t n = matcher_apply(&r->matcher, (struct str){s->name, s->name_len}, out);

	if (n == 0)
		return false;
	memcpy(s->name, out, n + 1);
	s->name_len = n;
	s->is_changed = true;
	return true;
}

static bool apply_number(uint16_t *v, const struct rule *r, bool *is_changed)
{
	if (*v != r->from)
		return false;
	*v = r->to;
	*is_changed = true;
	return true;
}

/* True when the rule is about the question, which it may have changed. */
static bool apply(struct subject *s, const struct rule *r)
{
	switch (r->kind) {
	case RULE_NAME: return apply_name(s, r);
	case RULE_TYPE: return apply_number(&s->type, r, &s->is_changed);
	case RULE_CLASS: return apply_number(&s->rr_class, r, &s->is_changed);
	case RULE_EDNS: return subject_edit_options(s, r->edns);
	case RULE_CNAME: return true; /* about the answer */
	default: return matcher_has(&r->matcher, (struct str){s->name, s->name_len});
	}
}

static void subject_init(struct subject *s, struct query *q)
{
	s->query = q;
	s->name_len = name_to_text(s->name, q->folded);
	s->type = q->msg.qtype;
	s->rr_class = q->msg.qclass;
	s->is_changed = false;
	subject_read_options(s, q);
}

/* The same, and what it takes to undo it. */
static bool apply_noted(struct subject *s, const struct rule *r, struct applied *out)
{
	struct arena *arena = &s->query->arena;
	char before[REWRITE_TEXT_MAX];

	*out = (struct applied){.rule = r};
	if (!r->is_undone)
		return apply(s, r);
	memcpy(before, s->name, s->name_len + 1);
	if (!apply(s, r))
		return false;
	out->before = arena_str(arena, before);
	out->after = arena_str(arena, s->name);
	return true;
}

static size_t apply_all(const struct rewrite *r, struct subject *s, struct applied *applied)
{
	size_t n = 0;

	vec_for_each (&r->rules, rule) {
		if (n == REWRITE_APPLIED_MAX || !apply_noted(s, *rule, &applied[n]))
			continue;
		n++;
		if (!(*rule)->goes_on)
			break;
	}
	return n;
}

/* The question as the rules left it, as a message; its length, or 0 when its name is none. */
static size_t write_question(const struct subject *s, uint8_t *out, size_t room)
{
	const struct query *q = s->query;
	struct name name;
	size_t n = MSG_HEADER;

	if (name_from_text(&name, (struct str){s->name, s->name_len}, NULL) != 0 ||
	        MSG_HEADER + name.len + 4u + 11 + s->options_len > room)
		return 0;
	memcpy(out, q->buf, MSG_HEADER);
	put16(out + 4, 1);
	put32(out + 6, 0);
	put16(out + 10, s->has_edns ? 1 : 0);
	memcpy(out + n, name.wire, name.len);
	n += name.len;
	put16(out + n, s->type);
	put16(out + n + 2, s->rr_class);
	n += 4;
	if (!s->has_edns)
		return n;
	out[n] = 0;
	put16(out + n + 1, TYPE_OPT);
	put16(out + n + 3, q->msg.edns.is_present ? q->msg.edns.udp_size : QUERY_UDP_MAX);
	put32(out + n + 5, q->msg.edns.wants_dnssec ? 0x8000 : 0);
	put16(out + n + 9, (uint16_t)s->options_len);
	memcpy(out + n + 11, s->options, s->options_len);
	return n + 11 + s->options_len;
}

/* --- the answer --- */

static void on_target(struct query *q, struct query *child, void *arg)
{
	const uint8_t *target = arg;

	if (child->is_dropped || child->answer.rcode == RCODE_SERVFAIL)
		q->answer.rcode = RCODE_SERVFAIL;
	else
		q->answer.rcode = child->answer.rcode; /* of the last name: RFC 6604 3 */
	query_merge(q, child, target);
	query_resume(q, DONE);
}

/* Follow an alias that a cname rule has turned; true when q waits for it. */
static bool follow_alias(struct query *q, const struct asked *a)
{
	for (size_t i = a->n; i > 0; i--) {
		struct query_question ask = {.type = q->msg.qtype};

		if (a->applied[i - 1].rule->kind != RULE_CNAME)
			continue;
		ask.name = rewrite_alias(q, a->applied[i - 1].rule);
		if (ask.name == NULL || ask.type == TYPE_CNAME)
			continue;
		if (query_sub(q, ask, on_target, (void *)(uintptr_t)ask.name) == 0)
			return true;
		query_fail(q, RCODE_SERVFAIL);
		q->reason = "too many aliases";
		return false;
	}
	return false;
}

static void on_answer(struct query *parent, struct query *child, void *arg)
{
	struct asked *a = arg;
	struct query *q = a->query;

	(void)parent;
	a->child = NULL;
	q->plugin_data = NULL;
	if (child->is_dropped) {
		query_resume(q, DROP);
		return;
	}
	query_adopt(q, child);
	rewrite_answer(q, a->applied, a->n);
	if (!follow_alias(q, a))
		query_resume(q, DONE);
}

static enum verdict ask_anew(struct query *q, const struct subject *s, struct asked *a)
{
	struct query_again again = {
	        .on_answer = on_answer, .arg = a, .child = &a->child, .is_foreground = true};
	uint8_t wire[QUERY_BUF];

	again.wire = wire;
	again.wire_len = write_question(s, wire, sizeof(wire));
	q->plugin_data = a;
	if (again.wire_len > 0 && query_again(q, &again) == 0)
		return WAIT;
	q->plugin_data = NULL;
	q->reason = again.wire_len > 0 ? "too many queries" : "rewritten to what is no name";
	return query_fail(q, RCODE_SERVFAIL);
}

static enum verdict rewrite_query(struct query *q, void *instance)
{
	const struct rewrite *r = instance;
	struct asked *a;
	struct subject s;

	if (q->msg.qtype == TYPE_AXFR || q->msg.qtype == TYPE_IXFR)
		return NEXT;
	subject_init(&s, q);
	a = arena_new(&q->arena, struct asked);
	a->query = q;
	a->n = apply_all(r, &s, a->applied);
	return a->n == 0 ? NEXT : ask_anew(q, &s, a);
}

static void cancel(struct query *q, void *instance)
{
	struct asked *a = q->plugin_data;

	(void)instance;
	if (a == NULL)
		return;
	q->plugin_data = NULL;
	if (a->child != NULL)
		query_disown(a->child);
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	const struct rewrite *r = instance;
	char text[NAME_TEXT_MAX], out[REWRITE_TEXT_MAX];
	struct str name = {text, name_to_text(text, ask->name.wire)};

	vec_for_each (&r->rules, rule) {
		if ((*rule)->kind != RULE_NAME || matcher_apply(&(*rule)->matcher, name, out) == 0)
			continue;
		explain_say(x, EXPLAIN_UNKNOWN, "the name is rewritten to %s; ask for that", out);
		return;
	}
}

static const struct plugin_explain explain_hooks = {.explain = explain};

static void teardown(void *instance)
{
	rewrite_free(instance);
}

const struct plugin rewrite_plugin = {
        .name = "rewrite",
        .takes_any_class = true,
        .setup = rewrite_setup,
        .query = rewrite_query,
        .cancel = cancel,
        .explain = &explain_hooks,
        .teardown = teardown,
};
