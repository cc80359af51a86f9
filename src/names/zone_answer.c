#include "names/zone_answer.h"

#include <string.h>

#include "base/must.h"
#include "dns/rr.h"

/* One walk along a chain of aliases. */
struct walk {
	const struct tree *t;
	struct answer *a;
	uint16_t type;
	bool wants_dnssec;
	const uint8_t *name; /* where the chain stands */
	const uint8_t *owner; /* the same for answer_add_owned(): NULL for the question */
	const uint8_t *key; /* the same in lower case */
	const struct tree_node *proofs[4]; /* NSEC records that the answer has */
	unsigned proofs_len;
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

/* Add the NSEC record of a lower-case name, or the one that spans it, once. */
static void prove(struct walk *w, const uint8_t *folded)
{
	const struct tree_node *n;
	const struct tree_set *nsec;

	if (!w->wants_dnssec || !w->t->has_nsec || w->proofs_len == ARRAY_LEN(w->proofs))
		return;
	n = tree_nsec(w->t, folded);
	for (unsigned i = 0; i < w->proofs_len; i++)
		if (w->proofs[i] == n)
			return;
	w->proofs[w->proofs_len++] = n;
	nsec = tree_node_set(n, TYPE_NSEC);
	if (nsec != NULL) {
		/* a name of the tree, which may be gone before the answer is encoded */
		const uint8_t *owner =
		        (uint8_t *)arena_dup(w->a->arena, n->name, name_len(n->name));

		answer_add_owned(w->a, SECTION_AUTHORITY, owner, nsec->set);
		answer_add_owned(w->a, SECTION_AUTHORITY, owner, nsec->sigs);
	}
}

/* That there is no wildcard right below node, or that it is as it is. */
static void prove_wildcard(struct walk *w, const struct tree_node *encloser)
{
	uint8_t name[NAME_MAX_OCTETS + 2] = {1, '*'};

	memcpy(name + 2, encloser->name, name_len(encloser->name));
	prove(w, name);
}

/* RFC 4035 3.1.3: the name has no such type, or does not exist, and no wildcard stands in. */
static void answer_negative(struct walk *w, const struct tree_result *r)
{
	const uint8_t *apex = name_skip(w->name, name_labels(w->name) - w->t->origin_labels);

	answer_add_owned(w->a, SECTION_AUTHORITY, apex, w->t->negative_soa);
	if (w->wants_dnssec)
		answer_add_owned(w->a, SECTION_AUTHORITY, apex, w->t->negative_soa_sigs);
	prove(w, w->key);
	if (r->kind == TREE_NXDOMAIN || r->is_wildcard)
		prove_wildcard(w, r->node);
}

/* RFC 1034 4.3.2 3b: the servers of the zone below and their addresses; DS for who wants DNSSEC. */
static void answer_referral(struct walk *w, const struct tree_result *r)
{
	const struct tree_set *ds = tree_node_set(r->node, TYPE_DS);
	const uint8_t *cut = ancestor(w, r);

	answer_add_owned(w->a, SECTION_AUTHORITY, cut, r->set->set);
	if (ds != NULL && ds->sigs != NULL && w->wants_dnssec) {
		answer_add_owned(w->a, SECTION_AUTHORITY, cut, ds->set);
		answer_add_owned(w->a, SECTION_AUTHORITY, cut, ds->sigs);
	} else if (ds == NULL) {
		prove(w, r->node->name);
	}
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
	if (r->is_wildcard && r->set != NULL)
		prove(w, w->key); /* the name itself does not exist (RFC 4035 3.1.3.3) */
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
		answer_negative(w, r);
		break;
	case TREE_NODATA: answer_negative(w, r); break;
	}
	return goes_on;
}

enum zone_outcome zone_answer(const struct tree *t, const struct zone_question *question,
        struct answer *a, const uint8_t **target)
{
	struct walk w = {.t = t,
	        .a = a,
	        .type = question->type,
	        .wants_dnssec = question->wants_dnssec,
	        .name = question->name,
	        .key = question->folded};
	uint8_t folded[NAME_MAX_OCTETS];
	enum zone_outcome outcome;

	for (;;) {
		struct tree_result r = tree_lookup(t, w.key, question->type);

		a->is_authoritative = true;
		if (!step(&w, &r, &outcome))
			break;
		name_fold(folded, w.name, name_len(w.name));
		w.key = folded;
	}
	*target = w.name;
	if (outcome == ZONE_FAILED) {
		answer_reset(a);
		a->rcode = RCODE_SERVFAIL;
		a->ede = EDE_OTHER;
	}
	return outcome;
}
