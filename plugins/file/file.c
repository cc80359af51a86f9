#include "file/file.h"

#include "base/rcu.h"
#include "names/zone_answer.h"
#include "net/file_watch.h"

/*
 * The zone that answers: the longest that the name lies in; but DS of a zone's own apex belongs to
 * the parent when that is served here too (RFC 4035 3.1.4.1).
 */
static struct file_zone *find_zone(const struct file_instance *f, const struct query *q)
{
	int i = zone_list_match(&f->origins, q->folded), parent;

	if (i < 0)
		return NULL;
	if (q->msg.qtype == TYPE_DS && q->folded[0] != 0 &&
	        f->origins.zones.at[i].len == q->msg.qname_len) {
		parent = zone_list_match(&f->origins, name_skip(q->folded, 1));
		i = parent >= 0 ? parent : i;
	}
	return f->zones.at[i];
}

/* The name that the last alias in the answer leads to. */
static const uint8_t *last_target(const struct answer *a)
{
	uint16_t n;

	for (unsigned i = a->count; i > 0; i--)
		if (a->refs[i - 1].set->type == TYPE_CNAME)
			return rrset_rdata(a->refs[i - 1].set, 0, &n);
	return NULL;
}

/*
 * The target of an alias that leaves the zone was asked for. Where nobody serves it the alias
 * stands alone; when somebody does and failed (a forwarder, a loop between zones), so do we.
 */
static void on_target(struct query *q, struct query *child, void *arg)
{
	uint16_t rcode = child->is_dropped ? RCODE_SERVFAIL : child->answer.rcode;

	(void)arg;
	if (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN) {
		query_merge(q, child, last_target(&q->answer));
		q->answer.rcode = rcode; /* of the last name: RFC 6604 3 */
	} else if (q->chain->has_forwarder || child->answered_by[0] != '\0') {
		q->answer.rcode = RCODE_SERVFAIL;
	}
	query_resume(q, DONE);
}

static enum verdict leave_zone(struct query *q)
{
	struct query_question ask = {.type = q->msg.qtype};

	answer_keep(&q->answer); /* the tree may be gone when the target comes */
	ask.name = last_target(&q->answer);
	if (query_sub(q, ask, on_target, NULL) == 0)
		return WAIT;
	q->reason = "too many aliases";
	return query_fail(q, RCODE_SERVFAIL);
}

static enum verdict answer_from(struct query *q, const struct file_zone *z, const struct tree *t)
{
	struct zone_question question = {
	        query_name(q), q->folded, q->msg.qtype, q->msg.edns.wants_dnssec};
	const uint8_t *target;

	switch (zone_answer(t, &question, &q->answer, &target)) {
	case ZONE_MISS:
		if (!fall_has(z->fall, q->folded))
			return DONE;
		answer_reset(&q->answer);
		return NEXT;
	case ZONE_LEAVES: return leave_zone(q);
	case ZONE_FAILED: q->reason = "loop of aliases"; return DONE;
	case ZONE_ANSWERED: break;
	}
	return DONE;
}

static enum verdict file_query(struct query *q, void *instance)
{
	struct file_zone *z = find_zone(instance, q);
	const struct tree *t;

	if (z == NULL)
		return NEXT;
	if (q->msg.qtype == TYPE_AXFR || q->msg.qtype == TYPE_IXFR)
		return query_fail(q, RCODE_REFUSED);
	t = rcu_borrow(z->tree);
	if (t == NULL) {
		q->reason = "zone is not loaded";
		return query_fail(q, RCODE_SERVFAIL);
	}
	return answer_from(q, z, t);
}

static void on_change(void *arg)
{
	file_zone_reload(arg);
}

static int file_start(void *instance, struct err *e)
{
	struct file_instance *f = instance;

	(void)e;
	if (f->loop == NULL)
		return 0;
	vec_for_each (&f->zones, z)
		if ((*z)->reload_ms > 0)
			(*z)->watch = file_watch_start(
			        f->loop, (*z)->path, (*z)->reload_ms, on_change, *z);
	return 0;
}

static bool file_ready(void *instance)
{
	const struct file_instance *f = instance;

	vec_for_each (&f->zones, z)
		if ((*z)->tree == NULL)
			return false;
	return true;
}

static void file_teardown(void *instance)
{
	struct file_instance *f = instance;

	vec_for_each (&f->zones, z)
		file_watch_stop((*z)->watch);
	file_instance_free(f);
}

const struct plugin file_plugin = {
        .name = "file",
        .setup = file_setup,
        .start = file_start,
        .query = file_query,
        .ready = file_ready,
        .teardown = file_teardown,
        .explain = &file_explain_hooks,
        .transfer = &file_transfer_hooks,
};
