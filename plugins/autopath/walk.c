/*
 * The steps of a walk. Each name is asked for through the whole chain, as the client itself would
 * have asked, so that what refuses or counts a name does it here, too.
 */
#include "autopath/autopath.h"

#include "dns/answer.h"

/* What an answer means for the walk. */
enum outcome {
	GO_ON,  /* the name does not exist */
	FOUND,  /* it does, with records of the type or without */
	FAILED, /* nobody knows: nor do we */
	STOP,   /* nobody answers such names here: the client may try elsewhere */
};

/* BASE in the letters of the client, and a domain behind it. False: the name is too long. */
static bool put_name(struct autopath_walk *w, const uint8_t *name, const uint8_t *domain)
{
	memcpy(w->name.wire, name, w->base_len);
	w->name.wire[w->base_len] = 0;
	w->name.len = (uint8_t)(w->base_len + 1);
	return name_append(&w->name, domain) == 0;
}

/*
 * The next domain. Those of our own resolv.conf that are the cluster's are left out: they are the
 * namespace that we run in, which is not the client's.
 */
static const uint8_t *next_domain(struct autopath_walk *w)
{
	const uint8_t *at;

	if (w->own_left > 0) {
		at = w->own;
		w->own = name_skip(at, 1);
		w->own_left--;
		return at;
	}
	while (w->domains_left > 0) {
		at = w->domains;
		w->domains += name_len(at);
		w->domains_left--;
		if (w->cluster == NULL ||
			(!name_is_under(at, w->cluster) &&
				(*at == 0 || !name_equal(at, name_skip(w->cluster, 1)))))
			return at;
	}
	return NULL;
}

bool autopath_next(struct autopath_walk *w, const uint8_t *name)
{
	const uint8_t *domain;

	while ((domain = next_domain(w)) != NULL)
		if (put_name(w, name, domain))
			return true;
	return false;
}

/* --- answers ------------------------------------------------------------------------------- */

static enum outcome judge(const struct query *child)
{
	/* no server block has the name, no plugin takes it, or nobody may ask for it */
	if (child->is_dropped || child->server == NULL || child->answered_by[0] == '\0')
		return STOP;
	switch (child->answer.rcode) {
	case RCODE_NXDOMAIN: return GO_ON;
	case RCODE_NOERROR: return FOUND;
	default: return FAILED;
	}
}

/*
 * An owner in the child's question moves to the same place of `to`. What it borrows from published
 * data is valid as long as the callback, and so is q's answer then.
 */
static void add_ref(
	struct query *q, const struct query *child, const struct answer_ref *r, const uint8_t *to)
{
	const uint8_t *name = query_name(child), *owner = r->owner;

	if (owner == NULL)
		owner = to;
	else if (owner >= name && owner < name + child->msg.qname_len)
		owner = to + (owner - name);
	answer_add_owned(&q->answer, r->section, owner, r->set);
}

/* The child's answer is that of q, whose question is the same. */
static enum verdict adopt(struct query *q, struct query *child)
{
	if (child->is_dropped)
		return DROP;
	query_adopt(q, child);
	return DONE;
}

/* The TTL of the alias: that of the first record it leads to, or of the SOA record. */
static uint32_t alias_ttl(const struct answer *from)
{
	for (unsigned i = 0; i < from->count; i++)
		if (from->refs[i].section == SECTION_ANSWER)
			return from->refs[i].set->ttl;
	return from->count > 0 ? from->refs[0].set->ttl : 0;
}

/*
 * An alias from the name asked for to the one that exists, and what that one has. When that is
 * nothing, its SOA record says how long (RFC 2308 2.2): A and AAAA then end at the same name.
 */
static enum verdict answer_found(struct query *q, const struct autopath_walk *w)
{
	struct query *child = w->child;
	struct answer *from = &child->answer;
	const struct rrset *alias;
	const uint8_t *target;
	uint16_t n;

	answer_open(from, &child->msg);
	alias = rrset_single(&q->arena, TYPE_CNAME, alias_ttl(from),
		(struct str){(const char *)w->name.wire, w->name.len});
	target = rrset_rdata(alias, 0, &n);
	answer_reset(&q->answer);
	answer_copy_head(&q->answer, from);
	q->answer.is_authentic = q->answer.is_relayed = false; /* the alias is ours */
	answer_add(&q->answer, SECTION_ANSWER, alias);
	for (unsigned i = 0; i < from->count; i++)
		if (from->refs[i].section == SECTION_ANSWER ||
			(from->refs[i].section == SECTION_AUTHORITY &&
				from->refs[i].set->type == TYPE_SOA))
			add_ref(q, child, &from->refs[i], target);
	counters_add(w->autopath->successes, q->worker->index, 0, 1);
	return DONE;
}

/* A step that failed: to go on would give A and AAAA different ends. */
static enum verdict answer_failed(struct query *q, const struct query *child)
{
	query_fail(q, child->answer.rcode);
	q->answer.ede = child->answer.ede;
	q->reason = child->reason;
	return DONE;
}

/* --- steps --------------------------------------------------------------------------------- */

static enum verdict walk_on(struct query *q, struct autopath_walk *w);

/* Look at the answer of a step. False: go on, with the child released when it is not needed. */
static bool is_over(struct query *q, struct autopath_walk *w, enum verdict *v)
{
	enum outcome outcome = judge(w->child);
	bool is_first = w->first == NULL;

	if (is_first)
		w->first = w->child;
	if (outcome == GO_ON) {
		if (!is_first)
			query_release(w->child);
		return false;
	}
	if (is_first || outcome == STOP)
		*v = adopt(q, w->first);
	else if (outcome == FOUND)
		*v = answer_found(q, w);
	else
		*v = answer_failed(q, w->child);
	return true;
}

static void on_step(struct query *q, struct query *child, void *arg)
{
	struct autopath_walk *w = arg;
	enum verdict v;

	w->child = child;
	if (w->is_asking)
		return; /* walk_on() looks at it */
	if (!is_over(q, w, &v))
		v = walk_on(q, w);
	if (v != WAIT)
		query_resume(q, v);
}

/* What the first answer borrowed ends with this callback. */
static enum verdict wait_for_step(struct autopath_walk *w)
{
	if (w->first != NULL && !w->is_kept) {
		answer_keep(&w->first->answer);
		w->is_kept = true;
	}
	return WAIT;
}

static int ask(struct query *q, struct autopath_walk *w)
{
	struct query_question question = {w->name.wire, q->msg.qtype};
	int rc;

	w->child = NULL;
	w->is_asking = true;
	rc = query_sub(q, question, on_step, w);
	w->is_asking = false;
	return rc;
}

/* Ask for w->name, and for what comes after it. */
static enum verdict walk_from(struct query *q, struct autopath_walk *w)
{
	enum verdict v;

	do {
		if (ask(q, w) != 0) {
			q->reason = "too many questions under way";
			return query_fail(q, RCODE_SERVFAIL);
		}
		if (w->child == NULL)
			return wait_for_step(w);
		if (is_over(q, w, &v))
			return v;
	} while (autopath_next(w, query_name(q)));
	/* none exists: so does the one asked for, and the client may look elsewhere itself */
	return adopt(q, w->first);
}

static enum verdict walk_on(struct query *q, struct autopath_walk *w)
{
	if (!autopath_next(w, query_name(q)))
		return adopt(q, w->first);
	return walk_from(q, w);
}

bool autopath_is_step(const struct query *q)
{
	return q->on_sub == on_step;
}

enum verdict autopath_walk(struct query *q, struct autopath_walk *w)
{
	name_set(&w->name, query_name(q));
	return walk_from(q, w);
}
