/*
 * ready: tells at /ready whether every plugin has the data that it needs.
 */
#include "plugin.h"

#include <errno.h>

#include "admin/address.h"
#include "admin/http.h"
#include "base/clock.h"

struct ready {
	char address[ADMIN_ADDRESS_MAX];
	struct control *control;
	struct admin_route *route;
	bool is_continuous; /* ask every plugin every time */
	/* HTTP thread only */
	bool was_asked;
	struct buf pending; /* "kubernetes,file": those that were not ready yet */
	struct log_limit limit;
};

static int set_monitor(void *conf, const struct directive *o, struct err *e)
{
	static const char *const words[] = {"until-ready", "continuously", NULL};
	struct ready *r = conf;
	size_t which;
	int rc = args_choice(o, 0, words, &which, e);

	if (rc == 0)
		r->is_continuous = which == 1;
	return rc;
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
		{.name = "monitor", .min_args = 1, .max_args = 1, .set = set_monitor},
		{.name = NULL},
	};
	struct ready *r;
	int rc = args_once(s->block, "ready", e);

	if (rc != 0)
		return rc;
	r = mem_new(struct ready);
	r->control = s->control;
	r->limit = (struct log_limit){.rate = 1, .burst = 1};
	rc = admin_address(s->first, ":8181", r->address, e);
	if (rc == 0)
		rc = args_options(s->first, options, r, e);
	if (rc != 0)
		free(r);
	else
		s->instance = r;
	return rc;
}

static bool is_in_list(const char *list, struct str name)
{
	struct str rest = str_from(list);

	while (rest.at != NULL)
		if (str_eq(str_cut(&rest, ','), name))
			return true;
	return false;
}

/* Keep in r->pending those of now, each once; but none that was ready before. */
static void note_pending(struct ready *r, const char *now)
{
	struct str rest = str_from(now);
	struct buf left = {0};

	while (rest.at != NULL && rest.len > 0) {
		struct str name = str_cut(&rest, ',');

		if (is_in_list(buf_text(&left), name))
			continue;
		if (!r->is_continuous && r->was_asked && !is_in_list(buf_text(&r->pending), name))
			continue;
		if (left.len > 0)
			buf_char(&left, ',');
		buf_add(&left, name.at, name.len);
	}
	buf_free(&r->pending);
	r->pending = left;
	r->was_asked = true;
}

static void on_ready(void *arg, struct admin_reply *reply)
{
	struct ready *r = arg;
	struct buf names = {0};
	uint64_t suppressed;

	if (control_is_stopping(r->control)) {
		reply->status = 503;
		buf_str(&reply->body, "Shutting down");
		return;
	}
	if (!control_is_ready(r->control, &names) && names.len == 0) {
		/* the first configuration is not in force yet: nobody can be asked */
		reply->status = 503;
		buf_str(&reply->body, "Starting");
		return;
	}
	note_pending(r, buf_text(&names));
	buf_free(&names);
	if (r->pending.len == 0) {
		buf_str(&reply->body, "OK");
		return;
	}
	reply->status = 503;
	buf_str(&reply->body, r->pending.at);
	if (log_limit_allows(&r->limit, clock_ms(), &suppressed))
		log_info("plugin/ready", "Plugins not ready: \"%s\"", r->pending.at);
}

static int start(void *instance, struct err *e)
{
	struct ready *r = instance;

	r->route = admin_route_add(r->address, "/ready", on_ready, r, e);
	return r->route == NULL ? err_prefix(e, -EADDRINUSE, "plugin/ready") : 0;
}

static void teardown(void *instance)
{
	struct ready *r = instance;

	admin_route_del(r->route);
	buf_free(&r->pending);
	free(r);
}

const struct plugin ready_plugin = {
	.name = "ready", .setup = setup, .start = start, .teardown = teardown};
