/* What other threads ask the control thread, or look up under its lock. */
#include <errno.h>

#include "core/control_private.h"
#include "core/explain.h"
#include "core/metrics.h"
#include "core/worker.h"
#include "core/worker_metrics.h"

struct explain_call {
	struct str request;
	struct buf *out;
	struct err *e;
	int rc;
};

static void do_explain(struct control *c, void *arg)
{
	struct explain_call *x = arg;

	x->rc = c->current == NULL ? err_set(x->e, -ENOENT, "nothing is served yet")
				   : explain_run(c->current, x->request, x->out, x->e);
}

int control_explain(struct control *c, struct str request, struct buf *out, struct err *e)
{
	struct explain_call x = {request, out, e, 0};

	control_call(c, do_explain, &x);
	return x.rc;
}

int control_on_request(void *arg, struct str request, struct buf *out, struct err *e)
{
	struct explain_call x = {request, out, e, 0};

	do_explain(arg, &x);
	return x.rc;
}

void control_metrics(struct control *c, struct metrics *m)
{
	pthread_mutex_lock(&c->current_lock);
	if (c->current != NULL)
		generation_metrics(c->current, m);
	vec_for_each(&c->workers, t)
		worker_metrics(worker_thread_worker(*t), m);
	pthread_mutex_unlock(&c->current_lock);
}

bool control_is_ready(struct control *c, struct buf *names)
{
	bool is_ready = false;

	pthread_mutex_lock(&c->current_lock);
	if (c->current != NULL)
		is_ready = generation_is_ready(c->current, names);
	pthread_mutex_unlock(&c->current_lock);
	return is_ready;
}

static void do_configure(struct control *c, void *arg)
{
	const struct control_config *config = arg;

	c->config.path = config->path;
	c->config.text = config->text;
	c->config.name = config->name;
}

void control_configure(struct control *c, const struct control_config *config)
{
	control_call(c, do_configure, (void *)(uintptr_t)config);
}

static void do_describe(struct control *c, void *arg)
{
	struct buf *out = arg;

	vec_for_each(&c->current->servers, at) {
		struct server *s = *at;

		vec_for_each(&c->current->listens, l) {
			char ip[ADDR_TEXT_MAX];
			bool is_wildcard = addr_is_wildcard(&(*l)->addr);

			if (!server_group_has(&(*l)->group, s) ||
				(is_wildcard && (*l)->addr.sa.sa_family == AF_INET6))
				continue;
			buf_printf(out, "%s%s:%u", s->has_tls ? "tls://" : "", s->zone_text,
				s->port);
			if (!is_wildcard)
				buf_printf(out, " on %s", addr_ip_to_text(ip, &(*l)->addr));
			buf_char(out, '\n');
		}
	}
}

void control_describe(struct control *c, struct buf *out)
{
	control_call(c, do_describe, out);
}

struct find_address {
	unsigned i;
	union addr *out;
	bool is_found;
};

static void find_address(struct control *c, void *arg)
{
	struct find_address *f = arg;

	f->is_found = f->i < c->sockets.open.len;
	if (f->is_found)
		*f->out = c->sockets.open.at[f->i].addr;
}

bool control_listen_address(struct control *c, unsigned i, union addr *out)
{
	struct find_address f = {i, out, false};

	control_call(c, find_address, &f);
	return f.is_found;
}

uint64_t control_answers(struct control *c)
{
	uint64_t n = 0;

	pthread_mutex_lock(&c->current_lock);
	vec_for_each(&c->workers, t)
		n += __atomic_load_n(&worker_thread_worker(*t)->answers, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&c->current_lock);
	return n;
}
