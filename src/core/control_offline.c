#include "core/control_offline.h"

#include <errno.h>
#include <uv.h>

#include "base/must.h"
#include "base/rcu.h"
#include "core/explain.h"
#include "core/generation.h"
#include "core/shared.h"

#define TICK_MS 20u

struct offline {
	uv_loop_t loop;
	uv_timer_t tick;
	struct shared *shared;
	struct generation *g;
	uint64_t end_ms;
};

static struct generation *build(
	struct offline *o, const struct control_config *config, struct err *e)
{
	struct generation_options options = {
		.plugins = config->plugins,
		.default_port = config->default_port,
		.workers = 1,
		.loop = &o->loop,
		.shared = o->shared,
	};
	struct corefile *corefile;

	if (control_config_read(config, &corefile, e) != 0)
		return NULL;
	return generation_new(corefile, &options, e);
}

static bool needs_start(const struct link *l)
{
	return l->plugin->explain != NULL && l->plugin->explain->needs_start &&
		l->plugin->start != NULL;
}

static int start(struct offline *o, struct err *e)
{
	vec_for_each(&o->g->chains, c) {
		vec_for_each(&(*c)->links, l) {
			int rc = needs_start(l) ? l->plugin->start(l->instance, e) : 0;

			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

static bool is_ready(const struct offline *o)
{
	vec_for_each(&o->g->chains, c)
		vec_for_each(&(*c)->links, l)
			if (needs_start(l) && l->plugin->ready != NULL &&
				!l->plugin->ready(l->instance))
				return false;
	return true;
}

static void on_tick(uv_timer_t *t)
{
	struct offline *o = t->data;

	if (is_ready(o) || uv_now(&o->loop) >= o->end_ms)
		uv_stop(&o->loop);
}

static void wait_ready(struct offline *o)
{
	if (is_ready(o))
		return;
	o->tick.data = o;
	uv_update_time(&o->loop);
	o->end_ms = uv_now(&o->loop) + OFFLINE_WAIT_MS;
	uv_timer_start(&o->tick, on_tick, TICK_MS, TICK_MS);
	uv_run(&o->loop, UV_RUN_DEFAULT);
	uv_timer_stop(&o->tick);
}

int control_offline(
	const struct control_config *config, struct str request, struct buf *out, struct err *e)
{
	struct offline o = {.shared = shared_new()};
	int rc;

	must(uv_loop_init(&o.loop) == 0);
	must(uv_timer_init(&o.loop, &o.tick) == 0);
	o.g = build(&o, config, e);
	rc = o.g == NULL ? -EINVAL : start(&o, e);
	if (rc == 0) {
		wait_ready(&o);
		rc = explain_run(o.g, request, out, e);
	}
	if (o.g != NULL)
		generation_free(o.g);
	uv_close((uv_handle_t *)&o.tick, NULL);
	uv_run(&o.loop, UV_RUN_DEFAULT);
	rcu_reclaim();
	must(uv_loop_close(&o.loop) == 0);
	shared_free(o.shared);
	return rc;
}
