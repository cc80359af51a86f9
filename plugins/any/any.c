/*
 * any: a minimal answer to questions for all types (RFC 8482), so that they are of no use for
 * amplification.
 */
#include "plugin.h"

#include <errno.h>

#define HINFO_TTL 8482u

struct any {
	struct rrset *hinfo;
};

static int setup(struct setup *s, struct err *e)
{
	static const char rdata[] = "\15ANY obsoleted\14See RFC 8482";
	struct rrset_builder b = {.type = TYPE_HINFO, .ttl = HINFO_TTL};
	struct any *a;
	int rc;

	s->first = args_first(s->block, "any");
	rc = args_count(s->first, 0, 0, e);
	if (rc == 0)
		rc = args_no_block(s->first, e);
	if (rc != 0)
		return rc;
	a = mem_new(struct any);
	must(rrset_add(&b, rdata, sizeof(rdata) - 1) == 0);
	a->hinfo = rrset_build(&b);
	s->instance = a;
	return 0;
}

static enum verdict query(struct query *q, void *instance)
{
	const struct any *a = instance;

	if (q->msg.qtype != TYPE_ANY)
		return NEXT;
	answer_add(&q->answer, SECTION_ANSWER, a->hinfo);
	return DONE;
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	const struct any *a = instance;

	if (ask->type != TYPE_ANY)
		return;
	explain_say(x, EXPLAIN_ANSWER, "questions for all types get one HINFO record (RFC 8482)");
	explain_add_set(x, a->hinfo);
}

static const struct plugin_explain explain_hooks = {.explain = explain};

static void teardown(void *instance)
{
	struct any *a = instance;

	free(a->hinfo);
	free(a);
}

const struct plugin any_plugin = {
	.name = "any",
	.setup = setup,
	.query = query,
	.teardown = teardown,
	.explain = &explain_hooks,
};
