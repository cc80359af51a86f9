#include "core/worker_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "base/rcu.h"
#include "core/stream_server.h"
#include "core/udp_listener.h"
#include "core/worker.h"

/*
 * How long queries may wait for upstream servers after a stop, and clients may take to read;
 * clients give up about then.
 */
#define DRAIN_MS 5000u

/* What the control thread asks of the worker. */
struct request {
	struct list node;
	struct generation *generation; /* NULL: stop */
	struct worker_sockets *sockets;
	size_t n;
};

/* One address that the worker listens on. */
struct endpoint {
	union addr addr;
	struct serving serving;
	struct udp_listener *udp; /* NULL with TLS */
	struct stream_server *tcp;
};

struct worker_thread {
	struct worker w;
	struct worker_thread_config config;
	uv_loop_t loop;
	uv_async_t wake;
	uv_prepare_t before_sleep;
	uv_timer_t drain, timers;
	pthread_t thread;
	pthread_mutex_t lock; /* guards requests */
	struct list requests;
	/* of the worker's thread alone */
	struct generation *current;
	VEC(struct generation *) retiring;
	VEC(struct endpoint *) endpoints;
	bool is_stopping;
};

static bool has_parked(const struct worker *w, const struct generation *g)
{
	list_for_each(&w->parked, node)
		if (container_of(node, struct query, node)->generation == g)
			return true;
	return false;
}

/* Detach old generations whose last query is gone. */
static void retire(struct worker_thread *t)
{
	for (size_t i = t->retiring.len; i > 0; i--) {
		struct generation *g = t->retiring.at[i - 1];

		if (has_parked(&t->w, g))
			continue;
		vec_remove(&t->retiring, i - 1);
		generation_detach(g, &t->w);
		t->config.on_detached(t->config.arg, g);
	}
}

/* Its sockets finish what they have taken, without it. */
static void close_endpoint(struct endpoint *p)
{
	if (p->udp != NULL)
		udp_listener_close(p->udp);
	stream_server_close(p->tcp);
	free(p);
}

static void set_serving(struct serving *s, const struct listen *l, struct generation *g)
{
	*s = (struct serving){&l->group, g, &l->limits, l->tls};
}

/* Point the listeners at the zones of g; those whose address is gone are closed. */
static void switch_endpoints(struct worker_thread *t, struct generation *g)
{
	for (size_t i = t->endpoints.len; i > 0; i--) {
		struct endpoint *p = t->endpoints.at[i - 1];
		const struct listen *l = generation_find_listen(g, &p->addr, p->udp == NULL);

		if (l == NULL) {
			close_endpoint(p);
			vec_remove(&t->endpoints, i - 1);
			continue;
		}
		set_serving(&p->serving, l, g);
		stream_server_update(p->tcp);
	}
}

static void open_endpoint(
	struct worker_thread *t, const struct worker_sockets *s, struct generation *g)
{
	struct endpoint *p = mem_new(struct endpoint);
	const struct listen *l = generation_find_listen(g, &s->addr, s->has_tls);

	must(l != NULL);
	p->addr = s->addr;
	set_serving(&p->serving, l, g);
	p->udp = s->has_tls ? NULL : udp_listener_open(&t->w, s->udp, &p->serving);
	p->tcp = stream_server_open(&t->w, s->tcp, &p->serving);
	vec_push(&t->endpoints, p);
}

static void serve(struct worker_thread *t, const struct request *r)
{
	generation_attach(r->generation, &t->w);
	switch_endpoints(t, r->generation);
	for (size_t i = 0; i < r->n; i++)
		open_endpoint(t, &r->sockets[i], r->generation);
	if (t->current != NULL)
		vec_push(&t->retiring, t->current);
	t->current = r->generation;
	retire(t);
}

/* Nothing waits any more, or for too long. The loop ends when what is closed here is closed. */
static void finish(struct worker_thread *t)
{
	worker_enter(&t->w);
	worker_cancel_parked(&t->w, NULL);
	worker_flush_now(&t->w);
	stream_server_close_all(&t->w);
	if (t->current != NULL)
		vec_push(&t->retiring, t->current);
	t->current = NULL;
	retire(t);
	uv_close((uv_handle_t *)&t->wake, NULL);
	uv_close((uv_handle_t *)&t->before_sleep, NULL);
	uv_close((uv_handle_t *)&t->drain, NULL);
	uv_close((uv_handle_t *)&t->timers, NULL);
}

static void on_timers(uv_timer_t *timer)
{
	struct worker_thread *t = timer->data;

	worker_enter(&t->w);
	worker_run_timers(&t->w);
}

/* Wake up for the next timer of a plugin. */
static void arm_timers(struct worker_thread *t)
{
	int64_t wait = wheel_wait_ms(&t->w.timers, t->w.now_ns / 1000000);

	if (wait >= 0)
		uv_timer_start(&t->timers, on_timers, (uint64_t)wait, 0);
}

static void on_before_sleep(uv_prepare_t *handle)
{
	struct worker_thread *t = handle->data;

	worker_flush_now(&t->w);
	if (t->w.timers.count > 0)
		arm_timers(t);
	if (t->retiring.len > 0)
		retire(t);
	if (t->is_stopping && list_is_empty(&t->w.parked) && !stream_server_is_sending(&t->w))
		finish(t);
	rcu_thread_offline();
}

static void on_drained_long_enough(uv_timer_t *timer)
{
	finish(timer->data);
}

static void stop(struct worker_thread *t)
{
	t->is_stopping = true;
	vec_for_each(&t->endpoints, p)
		close_endpoint(*p);
	vec_free(&t->endpoints);
	uv_timer_start(&t->drain, on_drained_long_enough, DRAIN_MS, 0);
}

static struct request *next_request(struct worker_thread *t)
{
	struct list *node;

	pthread_mutex_lock(&t->lock);
	node = list_first(&t->requests);
	if (node != NULL)
		list_remove(node);
	pthread_mutex_unlock(&t->lock);
	return node == NULL ? NULL : container_of(node, struct request, node);
}

static void on_wake(uv_async_t *handle)
{
	struct worker_thread *t = handle->data;
	struct request *r;

	worker_enter(&t->w);
	while (!t->is_stopping && (r = next_request(t)) != NULL) {
		if (r->generation == NULL)
			stop(t);
		else
			serve(t, r);
		free(r->sockets);
		free(r);
	}
}

static void *thread_main(void *arg)
{
	struct worker_thread *t = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", t->w.index);
	pthread_setname_np(pthread_self(), name);
	rcu_register_thread();
	rcu_thread_offline();
	uv_run(&t->loop, UV_RUN_DEFAULT);
	worker_enter(&t->w);
	worker_flush_now(&t->w);
	must(uv_loop_close(&t->loop) == 0);
	rcu_unregister_thread();
	return NULL;
}

struct worker_thread *worker_thread_start(const struct worker_thread_config *config, struct err *e)
{
	struct worker_thread *t = mem_new(struct worker_thread);
	int rc;

	worker_init(&t->w, config->index);
	t->w.secrets = *config->secrets;
	t->config = *config;
	list_init(&t->requests);
	pthread_mutex_init(&t->lock, NULL);
	must(uv_loop_init(&t->loop) == 0);
	t->w.loop = &t->loop;
	must(uv_async_init(&t->loop, &t->wake, on_wake) == 0);
	must(uv_prepare_init(&t->loop, &t->before_sleep) == 0);
	must(uv_timer_init(&t->loop, &t->drain) == 0);
	must(uv_timer_init(&t->loop, &t->timers) == 0);
	t->wake.data = t->before_sleep.data = t->drain.data = t->timers.data = t;
	uv_prepare_start(&t->before_sleep, on_before_sleep);
	rc = pthread_create(&t->thread, NULL, thread_main, t);
	if (rc != 0) {
		err_set(e, -rc, "cannot start worker thread: %s", strerror(rc));
		return NULL; /* at start only; the process ends */
	}
	return t;
}

static void post(struct worker_thread *t, struct request *r)
{
	pthread_mutex_lock(&t->lock);
	list_push(&t->requests, &r->node);
	pthread_mutex_unlock(&t->lock);
	uv_async_send(&t->wake);
}

void worker_thread_serve(struct worker_thread *t, struct generation *g,
	const struct worker_sockets *sockets, size_t n)
{
	struct request *r = mem_new(struct request);

	list_init(&r->node);
	r->generation = g;
	r->n = n;
	r->sockets = n == 0 ? NULL : mem_dup(sockets, n * sizeof(*sockets));
	post(t, r);
}

void worker_thread_drain(struct worker_thread *t)
{
	struct request *r = mem_new(struct request);

	list_init(&r->node);
	post(t, r);
}

void worker_thread_join(struct worker_thread *t)
{
	pthread_join(t->thread, NULL);
	pthread_mutex_destroy(&t->lock);
	vec_free(&t->retiring);
	worker_fini(&t->w);
	free(t);
}

const struct worker *worker_thread_worker(const struct worker_thread *t)
{
	return &t->w;
}
