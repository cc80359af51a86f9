#include <string.h>

#include "dns/wire.h"
#include "rewrite/rewrite.h"

/* What a rule makes of a wire name, in q's memory; NULL when it is not about it. */
static const uint8_t *changed_name(struct query *q, const struct matcher *m, const uint8_t *wire)
{
	uint8_t folded[NAME_MAX_OCTETS];
	char text[NAME_TEXT_MAX], out[REWRITE_TEXT_MAX];
	struct name name;
	size_t n;

	name_fold(folded, wire, name_len(wire));
	n = name_to_text(text, folded);
	n = matcher_apply(m, (struct str){text, n}, out);
	if (n == 0 || name_from_text(&name, (struct str){out, n}, NULL) != 0)
		return NULL;
	return (uint8_t *)arena_dup(&q->arena, name.wire, name.len);
}

static void change_owner(struct query *q, struct answer_ref *r, const struct matcher *m)
{
	const uint8_t *name = r->owner == NULL ? NULL : changed_name(q, m, r->owner);

	if (name != NULL)
		r->owner = name_equal(name, query_name(q)) ? NULL : name;
}

/* Where in the RDATA of a type its name stands; false for types without one that rules change. */
static bool name_offset(uint16_t type, size_t *at)
{
	switch (type) {
	case TYPE_CNAME:
	case TYPE_DNAME:
	case TYPE_NS:
	case TYPE_PTR:
	case TYPE_SOA: *at = 0; return true;
	case TYPE_MX: *at = 2; return true;
	case TYPE_SRV: *at = 6; return true;
	default: return false;
	}
}

struct piece {
	const uint8_t *at;
	size_t n;
};

/* The record's RDATA with another name at that place. */
static void add_changed(struct rrset_builder *b, struct piece rdata, size_t at, const uint8_t *name)
{
	uint8_t out[3 * NAME_MAX_OCTETS + 64];
	size_t old = name_len(rdata.at + at), new = name_len(name), rest = rdata.n - at - old;

	if (at + new + rest > sizeof(out))
		return;
	memcpy(out, rdata.at, at);
	memcpy(out + at, name, new);
	memcpy(out + at + new, rdata.at + at + old, rest);
	rrset_add(b, out, at + new + rest);
}

/* A copy of s whose names are changed by m; s itself when m is about none of them. */
static const struct rrset *change_values(
        struct query *q, const struct rrset *s, const struct matcher *m)
{
	struct rrset_builder b = {.type = s->type, .ttl = s->ttl, .arena = &q->arena};
	bool is_changed = false;
	size_t at;

	if (!name_offset(s->type, &at))
		return s;
	for (unsigned i = 0; i < s->count; i++) {
		struct piece rdata;
		const uint8_t *name;
		uint16_t n;

		rdata.at = rrset_rdata(s, i, &n);
		rdata.n = n;
		name = changed_name(q, m, rdata.at + at);
		is_changed |= name != NULL;
		add_changed(&b, rdata, at, name != NULL ? name : rdata.at + at);
	}
	return is_changed ? rrset_build_in(&b, &q->arena) : s;
}

static void apply_answer_rule(struct query *q, enum answer_part part, const struct matcher *m)
{
	for (unsigned i = 0; i < q->answer.count; i++) {
		struct answer_ref *r = &q->answer.refs[i];

		if (part == ANSWER_NAME)
			change_owner(q, r, m);
		else
			r->set = change_values(q, r->set, m);
	}
}

/* A set with another TTL, in q's memory. */
static const struct rrset *with_ttl(struct query *q, const struct rrset *s, uint32_t ttl)
{
	struct rrset *copy = arena_alloc(&q->arena, sizeof(*copy) + s->wire_len);
	size_t at = 0;

	memcpy(copy, s, sizeof(*copy) + s->wire_len);
	copy->ttl = ttl;
	for (unsigned i = 0; i < s->count; i++) {
		put32(copy->wire + at + 6, ttl);
		at += RR_FIXED + get16(copy->wire + at + 10);
	}
	return copy;
}

/* Owners that point into old point to the same octets of its copy. */
static void move_owners(struct answer *a, const struct rrset *old, const struct rrset *copy)
{
	for (unsigned i = 0; i < a->count; i++) {
		const uint8_t *owner = a->refs[i].owner;

		if (owner != NULL && owner >= old->wire && owner < old->wire + old->wire_len)
			a->refs[i].owner = copy->wire + (owner - old->wire);
	}
}

static void limit_ttls(struct query *q, const struct rule *r)
{
	for (unsigned i = 0; i < q->answer.count; i++) {
		const struct rrset *s = q->answer.refs[i].set, *copy;
		uint32_t ttl = s->ttl;

		ttl = ttl < r->ttl_min ? r->ttl_min : ttl > r->ttl_max ? r->ttl_max : ttl;
		if (ttl == s->ttl)
			continue;
		copy = with_ttl(q, s, ttl);
		q->answer.refs[i].set = copy;
		move_owners(&q->answer, s, copy);
	}
}

/* What the rule says about the answer, the last first; then the name is again what it was. */
static void undo_name(struct query *q, const struct applied *a)
{
	const struct matcher back = {.kind = MATCH_DOMAIN, .from = a->after, .to = a->before};

	for (size_t i = a->rule->answers.len; i > 0; i--) {
		const struct answer_rule *answer = &a->rule->answers.at[i - 1];

		apply_answer_rule(q, answer->part, &answer->matcher);
	}
	if (!a->rule->is_undone)
		return;
	apply_answer_rule(q, ANSWER_VALUE, &back);
	apply_answer_rule(q, ANSWER_NAME, &back);
}

static void undo(struct query *q, const struct applied *applied)
{
	const struct rule *r = applied->rule;

	switch (r->kind) {
	case RULE_NAME: undo_name(q, applied); break;
	case RULE_TTL: limit_ttls(q, r); break;
	case RULE_RCODE:
		if (q->answer.rcode == r->from)
			q->answer.rcode = r->to;
		break;
	default: break;
	}
}

void rewrite_answer(struct query *q, const struct applied *applied, size_t n)
{
	for (size_t i = n; i > 0; i--)
		undo(q, &applied[i - 1]);
}

const uint8_t *rewrite_alias(struct query *q, const struct rule *r)
{
	struct answer *a = &q->answer;

	for (uint16_t i = 0; i < a->count; i++) {
		const struct rrset *s = a->refs[i].set, *copy;

		if (a->refs[i].section != SECTION_ANSWER || s->type != TYPE_CNAME)
			continue;
		copy = change_values(q, s, &r->matcher);
		if (copy == s || copy == NULL)
			continue;
		a->refs[i].set = copy;
		a->count = (uint16_t)(i + 1);
		return copy->wire + RR_FIXED;
	}
	return NULL;
}
