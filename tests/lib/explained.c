#include "explained.h"

#include "test.h"

#include "dns/rr.h"

static enum explain_outcome outcome_of(const struct query *q, const char *by)
{
	if (strcmp(q->answered_by, by) != 0)
		return EXPLAIN_PASSES;
	switch (q->answer.rcode) {
	case RCODE_NXDOMAIN: return EXPLAIN_NXDOMAIN;
	case RCODE_SERVFAIL: return EXPLAIN_SERVFAIL;
	case RCODE_REFUSED: return EXPLAIN_REFUSED;
	default: return answer_is_empty(&q->answer) ? EXPLAIN_NODATA : EXPLAIN_ANSWER;
	}
}

static void compare_values(const struct explanation *x, const struct query *q, const char *name)
{
	struct explanation real = {.n_values = 0};

	for (unsigned i = 0; i < q->answer.count; i++)
		if (q->answer.refs[i].section == SECTION_ANSWER)
			explain_add_set(&real, q->answer.refs[i].set);
	if (strcmp(buf_text(&real.values), buf_text(&x->values)) != 0)
		fail_msg("%s: explained as \"%s\", answered with \"%s\"", name,
		        buf_text(&x->values), buf_text(&real.values));
	explanation_fini(&real);
}

void explained_as_answered(
        const struct explanation *x, const struct query *q, const char *by, const char *name)
{
	if (x->outcome != outcome_of(q, by))
		fail_msg("%s %u: explained as %d (%s), answered as %d", name, q->msg.qtype,
		        (int)x->outcome, buf_text(&x->why), (int)outcome_of(q, by));
	if (x->outcome == EXPLAIN_ANSWER && q->msg.qtype != TYPE_SRV)
		compare_values(x, q, name);
}
