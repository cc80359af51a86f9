#include "core/control_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"
#include "base/rcu.h"
#include "core/control_socket.h"
#include "core/cpus.h"
#include "core/shared.h"

#define RECLAIM_INTERVAL_MS 50
#define STOP_POLL_MS 50

struct shared *control_shared(struct control *c)
{
	return c->shared;
}

bool control_is_stopping(const struct control *c)
{
	return atomic_load(&c->is_stopping);
}

unsigned control_workers(const struct control *c)
{
	return c->config.workers;
}

/* --- the thread -------------------------------------------------------------------------- */

static struct call *next_call(struct control *c)
{
	struct list *node;

	pthread_mutex_lock(&c->lock);
	node = list_first(&c->calls);
	if (node != NULL)
		list_remove(node);
	pthread_mutex_unlock(&c->lock);
	return node == NULL ? NULL : container_of(node, struct call, node);
}

static void on_wake(uv_async_t *handle)
{
	struct control *c = handle->data;
	struct call *call;

	control_take_detached(c);
	while ((call = next_call(c)) != NULL) {
		call->fn(c, call->arg);
		pthread_mutex_lock(&c->lock);
		call->is_done = true;
		pthread_cond_broadcast(&c->called);
		pthread_mutex_unlock(&c->lock);
	}
}

static void on_reclaim(uv_timer_t *timer)
{
	(void)timer;
	rcu_reclaim();
}

/* After each turn that retired something, free it soon: at most once in 50 ms. */
static void on_after_io(uv_check_t *check)
{
	struct control *c = check->data;

	if (rcu_pending() > 0 && !uv_is_active((uv_handle_t *)&c->reclaim))
		uv_timer_start(&c->reclaim, on_reclaim, RECLAIM_INTERVAL_MS, 0);
}

void control_call(struct control *c, void (*fn)(struct control *c, void *arg), void *arg)
{
	struct call call = {.fn = fn, .arg = arg};

	if (pthread_equal(pthread_self(), c->thread)) {
		fn(c, arg);
		return;
	}
	pthread_mutex_lock(&c->lock);
	list_push(&c->calls, &call.node);
	uv_async_send(&c->wake);
	while (!call.is_done)
		pthread_cond_wait(&c->called, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

static void init_loop(struct control *c)
{
	must(uv_loop_init(&c->loop) == 0);
	must(uv_async_init(&c->loop, &c->wake, on_wake) == 0);
	uv_timer_init(&c->loop, &c->reclaim);
	uv_timer_init(&c->loop, &c->stop_poll);
	uv_check_init(&c->loop, &c->after_io);
	c->wake.data = c->reclaim.data = c->stop_poll.data = c->after_io.data = c;
	uv_check_start(&c->after_io, on_after_io);
	uv_unref((uv_handle_t *)&c->after_io);
}

static int start_workers(struct control *c, struct err *e)
{
	for (unsigned i = 0; i < c->config.workers; i++) {
		struct worker_thread_config config = {i, &c->secrets, control_on_detached, c};
		struct worker_thread *t = worker_thread_start(&config, e);

		if (t == NULL)
			return -EAGAIN;
		vec_push(&c->workers, t);
	}
	return 0;
}

static void stop_workers(struct control *c)
{
	struct worker_thread **threads = c->workers.at;
	size_t n = c->workers.len;

	pthread_mutex_lock(&c->current_lock); /* other threads look at the counters */
	c->workers.at = NULL;
	c->workers.len = c->workers.cap = 0;
	pthread_mutex_unlock(&c->current_lock);
	for (size_t i = 0; i < n; i++)
		worker_thread_drain(threads[i]);
	for (size_t i = 0; i < n; i++)
		worker_thread_join(threads[i]);
	free(threads);
	control_take_detached(c);
}

/* Everything that could keep the loop alive is closed; the thread ends. */
static void shut_down(struct control *c)
{
	struct generation *last = c->current;

	control_socket_close(c->socket);
	stop_workers(c);
	pthread_mutex_lock(&c->current_lock);
	c->current = NULL;
	pthread_mutex_unlock(&c->current_lock);
	if (last != NULL)
		generation_free(last);
	while (c->retired.len > 0)
		generation_free(c->retired.at[--c->retired.len]);
	rcu_reclaim();
	uv_close((uv_handle_t *)&c->wake, NULL);
	uv_close((uv_handle_t *)&c->reclaim, NULL);
	uv_close((uv_handle_t *)&c->stop_poll, NULL);
	uv_close((uv_handle_t *)&c->after_io, NULL);
}

/* A server without it serves as well. */
static void open_socket(struct control *c)
{
	struct err e = {""};

	if (c->config.socket == NULL)
		return;
	c->socket = control_socket_open(&c->loop, c->config.socket, control_on_request, c, &e);
	if (c->socket != NULL)
		return;
	/* one that was asked for is missed; in a pod the usual place is often read-only */
	if (errno == EADDRINUSE)
		log_warning(NULL,
			"no control socket for seamark explain and names: %s, and what they say "
			"there is not about this one; start it with -control and another path, "
			"or off",
			e.text);
	else if (strcmp(c->config.socket, CONTROL_SOCKET_PATH) != 0)
		log_warning(NULL, "no control socket for seamark explain and names: %s", e.text);
	else
		log_debug(NULL, "no control socket: %s", e.text);
}

static void signal_started(struct control *c, int code)
{
	pthread_mutex_lock(&c->lock);
	c->start_code = code;
	pthread_cond_broadcast(&c->called);
	pthread_mutex_unlock(&c->lock);
}

static void *thread_main(void *arg)
{
	struct control *c = arg;
	int rc;

	pthread_setname_np(pthread_self(), "control");
	init_loop(c);
	c->shared = shared_new();
	rand_secure(c->secrets.current, sizeof(c->secrets.current));
	rc = start_workers(c, &c->start_error);
	if (rc == 0)
		rc = control_load(c, &c->start_error);
	if (rc == 0)
		open_socket(c);
	if (rc != 0)
		shut_down(c);
	else
		signal_started(c, 0);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	rcu_reclaim();
	must(uv_loop_close(&c->loop) == 0);
	shared_free(c->shared);
	if (rc != 0)
		signal_started(c, rc);
	return NULL;
}

static void control_free(struct control *c)
{
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->current_lock);
	pthread_cond_destroy(&c->called);
	vec_free(&c->workers);
	listen_sockets_fini(&c->sockets);
	vec_free(&c->retired);
	free(c);
}

struct control *control_start(const struct control_config *config, struct err *e)
{
	struct control *c = mem_new(struct control);
	int rc;

	c->config = *config;
	if (c->config.workers == 0)
		c->config.workers = cpus_usable();
	list_init(&c->calls);
	list_init(&c->detached);
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->current_lock, NULL);
	pthread_cond_init(&c->called, NULL);
	c->start_code = 1;
	must(pthread_create(&c->thread, NULL, thread_main, c) == 0);
	pthread_mutex_lock(&c->lock);
	while (c->start_code == 1)
		pthread_cond_wait(&c->called, &c->lock);
	rc = c->start_code;
	pthread_mutex_unlock(&c->lock);
	if (rc == 0)
		return c;
	pthread_join(c->thread, NULL);
	if (e != NULL)
		*e = c->start_error;
	control_free(c);
	errno = -rc;
	return NULL;
}

struct reload {
	int rc;
	struct err *e;
};

static void do_reload(struct control *c, void *arg)
{
	struct reload *r = arg;

	r->rc = control_load(c, r->e);
}

int control_reload(struct control *c, struct err *e)
{
	struct reload r = {0, e};

	control_call(c, do_reload, &r);
	return r.rc;
}

static void on_stop_poll(uv_timer_t *timer)
{
	struct control *c = timer->data;

	if (!generation_stop(c->current))
		return;
	uv_timer_stop(timer);
	shut_down(c);
}

static void begin_stop(struct control *c, void *arg)
{
	(void)arg;
	uv_timer_start(&c->stop_poll, on_stop_poll, 0, STOP_POLL_MS);
}

void control_stop(struct control *c)
{
	atomic_store(&c->is_stopping, true);
	control_call(c, begin_stop, NULL);
	pthread_join(c->thread, NULL);
	control_free(c);
}
