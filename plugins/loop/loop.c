#include "loop/loop.h"

#include "plugin.h"

struct loop {
	struct loop_watch *watch;
	char *zone;
};

static int setup(struct setup *s, struct err *e)
{
	struct loop *l;
	int rc = args_once(s->block, "loop", e);

	if (rc == 0)
		rc = args_count(s->first, 0, 0, e);
	if (rc == 0)
		rc = args_no_block(s->first, e);
	if (rc != 0)
		return rc;
	l = mem_new(struct loop);
	l->watch = loop_watch_new(s);
	l->zone = mem_str(s->zones.at[0]);
	s->instance = l;
	return 0;
}

static int start(void *instance, struct err *e)
{
	struct loop *l = instance;

	(void)e;
	loop_watch_start(l->watch);
	return 0;
}

/* One of our own questions is back: that is all we want to know, and it ends here. */
static enum verdict query(struct query *q, void *instance)
{
	(void)instance;
	if (q->msg.qtype != TYPE_HINFO || q->is_internal || !loop_probe_is_back(q->folded))
		return NEXT;
	return query_fail(q, RCODE_REFUSED);
}

static void loop_metrics(void *instance, struct metrics *m)
{
	static const struct metric_family found = {"seamark_loop_detected_total",
	        "Loops through upstream servers that were found.", METRIC_COUNTER};
	static const struct metric_family left_out = {"seamark_loop_upstreams_left_out",
	        "Upstream servers that are not asked because they send questions back.",
	        METRIC_GAUGE};
	const struct loop *l = instance;
	struct buf labels = {0};

	metrics_label(&labels, "zone", l->zone);
	metrics_sample(m, &found, labels.at, (double)loop_watch_found(l->watch));
	metrics_sample(m, &left_out, labels.at, (double)loop_watch_left_out(l->watch));
	buf_free(&labels);
}

static void teardown(void *instance)
{
	struct loop *l = instance;

	loop_watch_free(l->watch);
	free(l->zone);
	free(l);
}

const struct plugin loop_plugin = {
        .name = "loop",
        .setup = setup,
        .start = start,
        .query = query,
        .metrics = loop_metrics,
        .explain = &explain_passes,
        .teardown = teardown,
};
