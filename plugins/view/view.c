/*
 * view: names the conditions under which the server block takes a question (core/view.h). They are
 * asked when a server block is looked for, before any plugin.
 */
#include "plugin.h"

#include <errno.h>

#include "core/view.h"

/* The words of the line as one text, which is what an expression is. */
static int add_condition(void *conf, const struct directive *option, struct err *e)
{
	struct buf text = {0};
	struct err why = {""};
	int rc;

	for (size_t i = 0; i < option->arg_count; i++)
		buf_printf(&text, "%s%s", i > 0 ? " " : "", option->args[i].text);
	rc = view_add(conf, buf_text(&text), &why);
	buf_free(&text);
	return rc == 0 ? 0 : args_error(option, e, "expr, %s", why.text);
}

static int read_options(struct setup *s, struct view *v, struct err *e)
{
	static const struct arg_option options[] = {
	        {.name = "expr", .min_args = 1, .max_args = ARGS_ANY, .set = add_condition},
	        {.name = NULL},
	};

	return args_options(s->first, options, v, e);
}

static int setup(struct setup *s, struct err *e)
{
	struct view *v;
	int rc = args_once(s->block, "view", e);

	if (rc == 0)
		rc = args_count(s->first, 1, 1, e);
	if (rc != 0)
		return rc;
	v = view_new(s->first->args[0].text, s->workers);
	rc = read_options(s, v, e);
	if (rc != 0) {
		view_free(v);
		return rc;
	}
	view_want_metadata(v, s->chain);
	s->view = v;
	s->instance = v;
	return 0;
}

/* view/name */
static bool metadata(struct query *q, void *instance, struct str label, struct str *out)
{
	const struct view *v = instance;

	(void)q;
	*out = str_from(v->name);
	return str_is(label, "name");
}

static void metrics(void *instance, struct metrics *m)
{
	static const struct metric_family failures = {"seamark_view_failures_total",
	        "Questions for which a condition of the view had no value.", METRIC_COUNTER};
	const struct view *v = instance;
	struct buf labels = {0};

	metrics_label(&labels, "view", v->name);
	metrics_sample(m, &failures, labels.at, (double)counters_sum(v->failed, 0));
	buf_free(&labels);
}

static void teardown(void *instance)
{
	view_free(instance);
}

const struct plugin view_plugin = {
        .name = "view",
        .setup = setup,
        .metadata = metadata,
        .metrics = metrics,
        .teardown = teardown,
        .explain = &explain_passes,
};
