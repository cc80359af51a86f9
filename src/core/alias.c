#include "core/alias.h"

#include "dns/rr.h"

/* A copy of the alias's record, which is safe to keep while the query waits. */
static const struct rrset *copy_alias(struct query *q, const struct rrset *cname)
{
	uint16_t n;
	const uint8_t *target = rrset_rdata(cname, 0, &n);

	return rrset_single(
		&q->arena, TYPE_CNAME, cname->ttl, (struct str){(const char *)target, n});
}

/* Nobody was there to ask: no server block for the name, or no plugin that takes it. */
static bool was_unasked(const struct query *child)
{
	return child->server == NULL || child->answered_by[0] == '\0';
}

static void on_target(struct query *q, struct query *child, void *arg)
{
	const struct rrset *cname = arg;
	uint16_t n;

	answer_reset(&q->answer);
	q->answer.is_authoritative = true;
	answer_add(&q->answer, SECTION_ANSWER, cname);
	if (child->is_dropped) {
		/* an alias alone would say that its target has no data */
		q->answer.rcode = RCODE_SERVFAIL;
	} else if (!was_unasked(child)) {
		q->answer.rcode = child->answer.rcode;
		q->answer.ede = child->answer.ede;
		q->answer.ede_text = child->answer.ede_text;
		query_merge(q, child, rrset_rdata(cname, 0, &n));
	}
	query_resume(q, DONE);
}

enum verdict alias_answer(struct query *q, const struct rrset *cname)
{
	struct query_question ask;
	uint16_t n;

	if (q->msg.qtype == TYPE_CNAME || q->msg.qtype == TYPE_ANY) {
		answer_add(&q->answer, SECTION_ANSWER, cname);
		q->answer.is_authoritative = true;
		return DONE;
	}
	cname = copy_alias(q, cname);
	ask.name = rrset_rdata(cname, 0, &n);
	ask.type = q->msg.qtype;
	/* a chain of aliases that never ends is an error, not half an answer */
	if (query_sub(q, ask, on_target, (void *)(uintptr_t)cname) == 0)
		return WAIT;
	query_fail(q, RCODE_SERVFAIL);
	q->answer.ede = EDE_OTHER;
	q->reason = "too many aliases in a chain, or too many questions under way";
	return DONE;
}
