#include "names/zone_answer.h"

#include <string.h>

#include "dns/rr.h"

/* One walk along a chain of aliases. */
struct walk {
	const struct tree *t;
	struct answer *a;
	uint16_t type;
	bool wants_dnssec;
	const uint8_t *name; /* where the chain stands */
	const uint8_t *owner; /* the same for answer_add_owned(): NULL for the question */
	unsigned aliases;
};

static void add_set(struct walk *w, enum section section, const struct tree_set *s)
{
	answer_add_owned(w->a, section, w->owner, s->set);
	if (w->wants_dnssec)
		answer_add_owned(w->a, section, w->owner, s->sigs);
}

static void add_extras(struct walk *w, const struct tree_set *s)
{
	for (unsigned i = 0; i < s->extras_len; i++)
		answer_add_owned(w->a, SECTION_ADDITIONAL, s->extras[i].owner, s->extras[i].set);
}

/* The suffix of the current name that node of r is: labels in front are not part of it. */
static const uint8_t *ancestor(const struct walk *w, const struct tree_result *r)
{
	return name_skip(w->name, r->above);
}

static void answer_negative(struct walk *w)
{
	const uint8_t *apex = name_skip(w->name, name_labels(w->name) - w->t->origin_labels);

	answer_add_owned(w->a, SECTION_AUTHORITY, apex, w->t->negative_soa);
	if (w->wants_dnssec)
		answer_add_owned(w->a, SECTION_AUTHORITY, apex, w->t->soa->sigs);
}

/* RFC 1034 4.3.2 3b: the servers of the zone below, their addresses, and DS (RFC 4035 3.1.4). */
static void answer_referral(struct walk *w, const struct tree_result *r)
{
	const struct tree_set *ds = tree_node_set(r->node, TYPE_DS);
	const uint8_t *cut = ancestor(w, r);

	answer_add_owned(w->a, SECTION_AUTHORITY, cut, r->set->set);
	if (ds != NULL)
		answer_add_owned(w->a, SECTION_AUTHORITY, cut, ds->set);
	if (ds != NULL && w->wants_dnssec)
		answer_add_owned(w->a, SECTION_AUTHORITY, cut, ds->sigs);
	add_extras(w, r->set);
	if (w->aliases == 0)
		w->a->is_authoritative = false;
}

/* Go on at the name in RDATA. False when the chain is too long. */
static bool follow(struct walk *w, const uint8_t *target)
{
	w->name = w->owner = target;
	return ++w->aliases <= ZONE_CHAIN_MAX;
}

/*
 * Put the labels of the current name that stand in front of the DNAME's owner before its target
 * and make a CNAME of that (RFC 6672 3.1). NULL when the name gets too long.
 */
static const struct rrset *synthesise_cname(struct walk *w, const struct tree_result *r)
{
	uint16_t n;
	const uint8_t *target = rrset_rdata(r->set->set, 0, &n);
	size_t front = (size_t)(ancestor(w, r) - w->name);
	uint8_t name[NAME_MAX_OCTETS];

	if (front + n > sizeof(name))
		return NULL;
	memcpy(name, w->name, front);
	memcpy(name + front, target, n);
	return rrset_single(w->a->arena, TYPE_CNAME, r->set->set->ttl,
	        (struct str){(const char *)name, front + n});
}

static bool follow_dname(struct walk *w, const struct tree_result *r)
{
	const struct rrset *cname = synthesise_cname(w, r);
	const uint8_t *owner = w->owner;
	uint16_t n;

	w->owner = ancestor(w, r);
	add_set(w, SECTION_ANSWER, r->set);
	w->owner = owner;
	if (cname == NULL) {
		w->a->rcode = RCODE_YXDOMAIN;
		return true;
	}
	answer_add_owned(w->a, SECTION_ANSWER, owner, cname);
	return follow(w, rrset_rdata(cname, 0, &n));
}

/*
 * Take one step. True when it led to another name, with the chain at w->name; *outcome says what
 * became of the answer otherwise.
 */
static bool step(struct walk *w, const struct tree_result *r, enum zone_outcome *outcome)
{
	bool goes_on = false;
	uint16_t n;

	*outcome = ZONE_ANSWERED;
	switch (r->kind) {
	case TREE_OUTSIDE: *outcome = ZONE_LEAVES; break;
	case TREE_ANSWER:
		add_set(w, SECTION_ANSWER, r->set);
		add_extras(w, r->set);
		break;
	case TREE_CNAME:
		add_set(w, SECTION_ANSWER, r->set);
		goes_on = follow(w, rrset_rdata(r->set->set, 0, &n));
		*outcome = ZONE_FAILED;
		break;
	case TREE_DNAME:
		goes_on = follow_dname(w, r);
		*outcome = goes_on ? ZONE_ANSWERED : ZONE_FAILED;
		goes_on = goes_on && w->a->rcode != RCODE_YXDOMAIN && w->type != TYPE_CNAME;
		break;
	case TREE_DELEGATION: answer_referral(w, r); break;
	case TREE_NXDOMAIN:
		w->a->rcode = RCODE_NXDOMAIN;
		*outcome = w->aliases == 0 ? ZONE_MISS : ZONE_ANSWERED;
		answer_negative(w);
		break;
	case TREE_NODATA: answer_negative(w); break;
	}
	return goes_on;
}

enum zone_outcome zone_answer(const struct tree *t, const struct zone_question *question,
        struct answer *a, const uint8_t **target)
{
	struct walk w = {t, a, question->type, question->wants_dnssec, question->name, NULL, 0};
	uint8_t folded[NAME_MAX_OCTETS];
	const uint8_t *key = question->folded;
	enum zone_outcome outcome;

	for (;;) {
		struct tree_result r = tree_lookup(t, key, question->type);

		a->is_authoritative = true;
		if (!step(&w, &r, &outcome))
			break;
		name_fold(folded, w.name, name_len(w.name));
		key = folded;
	}
	*target = w.name;
	if (outcome == ZONE_FAILED) {
		answer_reset(a);
		a->rcode = RCODE_SERVFAIL;
		a->ede = EDE_OTHER;
	}
	return outcome;
}
