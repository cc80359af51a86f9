#include "core/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"
#include "base/rcu.h"
#include "conf/corefile.h"
#include "core/control_socket.h"
#include "core/cpus.h"
#include "core/explain.h"
#include "core/metrics.h"
#include "core/shared.h"
#include "core/worker.h"
#include "core/worker_metrics.h"
#include "core/worker_thread.h"

#define RECLAIM_INTERVAL_MS 50
#define STOP_POLL_MS 50

/* A call of another thread, waiting for the control thread to make it. */
struct call {
	struct list node;
	void (*fn)(struct control *c, void *arg);
	void *arg;
	bool is_done;
};

/* A worker has finished with a generation. */
struct detached {
	struct list node;
	struct generation *generation;
};

struct control {
	struct control_config config;
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t reclaim, stop_poll;
	uv_check_t after_io;
	pthread_t thread;
	pthread_mutex_t lock; /* guards calls and detached */
	pthread_cond_t called;
	struct list calls, detached;
	_Atomic bool is_stopping;
	/* control thread only */
	struct shared *shared;
	struct control_socket *socket;
	struct cookie_secrets secrets;
	VEC(struct worker_thread *) workers;
	VEC(struct worker_sockets) sockets; /* addresses that the workers listen on */
	VEC(union addr) held;               /* the same since the start: some may be closing yet */
	VEC(struct generation *) retired;
	/* written by the control thread under current_lock, read by others under it */
	pthread_mutex_t current_lock;
	struct generation *current;
	struct err start_error;
	int start_code;
};

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

/* --- generations ------------------------------------------------------------------------- */

static int read_corefile(struct control *c, struct corefile **out, struct err *e)
{
	const struct control_config *f = &c->config;

	if (f->path != NULL)
		return corefile_read(f->path, NULL, out, e);
	return corefile_parse(f->name == NULL ? "Corefile" : f->name, str_from(f->text), NULL, out,
		e);
}

int control_hash(struct control *c, uint8_t sha512[64], struct err *e)
{
	struct corefile *corefile;
	int rc = read_corefile(c, &corefile, e);

	if (rc != 0)
		return rc;
	memcpy(sha512, corefile->sha512, sizeof(corefile->sha512));
	corefile_free(corefile);
	return 0;
}

static struct generation *build(struct control *c, struct err *e)
{
	struct generation_options options = {
		.plugins = c->config.plugins,
		.default_port = c->config.default_port,
		.workers = c->config.workers,
		.loop = &c->loop,
		.shared = c->shared,
		.control = c,
	};
	struct corefile *corefile;

	if (read_corefile(c, &corefile, e) != 0)
		return NULL;
	return generation_new(corefile, &options, e);
}

static void free_if_done(struct control *c, struct generation *g)
{
	if (g->detached < c->config.workers)
		return;
	for (size_t i = 0; i < c->retired.len; i++) {
		if (c->retired.at[i] != g)
			continue;
		vec_remove(&c->retired, i);
		generation_free(g);
		return;
	}
}

/* Worker thread: the generation is detached there. */
static void on_worker_detached(void *arg, struct generation *g)
{
	struct control *c = arg;
	struct detached *d = mem_new(struct detached);

	d->generation = g;
	pthread_mutex_lock(&c->lock);
	list_push(&c->detached, &d->node);
	pthread_mutex_unlock(&c->lock);
	uv_async_send(&c->wake);
}

static void take_detached(struct control *c)
{
	for (;;) {
		struct detached *d;
		struct list *node;

		pthread_mutex_lock(&c->lock);
		node = list_first(&c->detached);
		if (node != NULL)
			list_remove(node);
		pthread_mutex_unlock(&c->lock);
		if (node == NULL)
			return;
		d = container_of(node, struct detached, node);
		d->generation->detached++;
		free_if_done(c, d->generation);
		free(d);
	}
}

/* --- listening sockets ------------------------------------------------------------------- */

static bool is_listening(const struct control *c, const union addr *addr)
{
	vec_for_each(&c->sockets, s)
		if (addr_equal(&s->addr, addr))
			return true;
	return false;
}

typedef VEC(struct worker_sockets) socket_list;

static void close_sockets(socket_list *list)
{
	vec_for_each(list, s) {
		udp_close(&s->udp);
		if (s->tcp >= 0)
			close(s->tcp);
	}
	vec_free(list);
}

/* A host without IPv6 still serves a block that is bound to nothing. */
static bool may_skip(const union addr *addr, int rc)
{
	return addr_is_wildcard(addr) && addr->sa.sa_family == AF_INET6 &&
		(rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL);
}

/*
 * True when the kernel may find addr in use because of sockets of ours: the wildcard address and
 * the others conflict, and workers close theirs on their own after a reload.
 */
static bool conflicts_with_ours(const struct control *c, const union addr *addr)
{
	vec_for_each(&c->held, h) {
		if (addr_equal(h, addr))
			return true;
		if (h->sa.sa_family == addr->sa.sa_family && addr_port(h) == addr_port(addr) &&
			(addr_is_wildcard(addr) || addr_is_wildcard(h)))
			return true;
	}
	return false;
}

static void remember_held(struct control *c, const union addr *addr)
{
	vec_for_each(&c->held, h)
		if (addr_equal(h, addr))
			return;
	vec_push(&c->held, *addr);
}

/* Fail when another process holds addr. */
static int probe_address(const struct control *c, const union addr *addr, struct err *e)
{
	int rc;

	if (conflicts_with_ours(c, addr))
		return 0;
	rc = socket_probe(addr, SOCK_DGRAM, e);
	return rc != 0 ? rc : socket_probe(addr, SOCK_STREAM, e);
}

/* Sockets of one address for every worker, appended to out. */
static int open_address(struct control *c, const union addr *addr, socket_list *out, struct err *e)
{
	int rc = probe_address(c, addr, e);

	if (rc != 0)
		return may_skip(addr, rc) ? 0 : rc;
	for (unsigned i = 0; i < c->config.workers; i++) {
		struct worker_sockets s = {.addr = *addr, .tcp = -1};
		union addr bound = *addr;

		rc = udp_open(&s.udp, &bound, e);
		if (rc != 0)
			return rc;
		vec_push(out, s);
		rc = tcp_listen(&bound, e);
		if (rc < 0)
			return rc;
		out->at[out->len - 1].tcp = rc;
	}
	return 0;
}

/* Open what g listens on and the workers do not yet: W sockets for each new address, in a row. */
static int open_sockets(struct control *c, struct generation *g, socket_list *out, struct err *e)
{
	vec_for_each(&g->listens, l) {
		int rc = is_listening(c, &(*l)->addr) ? 0 : open_address(c, &(*l)->addr, out, e);

		if (rc != 0) {
			close_sockets(out);
			return rc;
		}
	}
	return 0;
}

/* Hand worker i its share of the new sockets. */
static void serve_on(struct control *c, unsigned i, struct generation *g, const socket_list *opened)
{
	socket_list mine = {NULL, 0, 0};

	for (size_t k = i; k < opened->len; k += c->config.workers)
		vec_push(&mine, opened->at[k]);
	worker_thread_serve(c->workers.at[i], g, mine.at, mine.len);
	vec_free(&mine);
}

/* Remember what is listened on now, one entry an address. */
static void note_sockets(struct control *c, const struct generation *g, const socket_list *opened)
{
	socket_list now = {NULL, 0, 0};

	vec_for_each(&g->listens, l) {
		struct worker_sockets s = {.addr = (*l)->addr};
		bool is_open = is_listening(c, &s.addr);

		vec_for_each(opened, o)
			is_open = is_open || addr_equal(&o->addr, &s.addr);
		if (!is_open)
			continue;
		vec_push(&now, s);
		remember_held(c, &s.addr);
	}
	vec_free(&c->sockets);
	c->sockets.at = now.at;
	c->sockets.len = now.len;
	c->sockets.cap = now.cap;
}

static void publish(struct control *c, struct generation *g, const socket_list *opened)
{
	struct generation *old = c->current;

	pthread_mutex_lock(&c->current_lock);
	c->current = g;
	pthread_mutex_unlock(&c->current_lock);
	for (unsigned i = 0; i < c->config.workers; i++)
		serve_on(c, i, g, opened);
	if (old == NULL)
		return;
	vec_push(&c->retired, old);
	free_if_done(c, old);
}

/* Read the configuration, build, open, start, publish; on failure nothing has changed. */
static int load(struct control *c, struct err *e)
{
	socket_list opened = {NULL, 0, 0};
	struct generation *g = build(c, e);
	int rc;

	if (g == NULL)
		return -EINVAL;
	rc = open_sockets(c, g, &opened, e);
	if (rc == 0) {
		rc = generation_start(g, e);
		if (rc != 0)
			close_sockets(&opened);
	}
	if (rc != 0) {
		generation_free(g);
		return rc;
	}
	note_sockets(c, g, &opened);
	publish(c, g, &opened);
	vec_free(&opened);
	return 0;
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

	take_detached(c);
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
		struct worker_thread_config config = {i, &c->secrets, on_worker_detached, c};
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
	take_detached(c);
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

static int on_request(void *arg, struct str request, struct buf *out, struct err *e)
{
	struct explain_call x = {request, out, e, 0};

	do_explain(arg, &x);
	return x.rc;
}

/* A server without it serves as well. */
static void open_socket(struct control *c)
{
	struct err e = {""};

	if (c->config.socket == NULL)
		return;
	c->socket = control_socket_open(&c->loop, c->config.socket, on_request, c, &e);
	if (c->socket == NULL)
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
		rc = load(c, &c->start_error);
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
	vec_free(&c->sockets);
	vec_free(&c->held);
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

	r->rc = load(c, r->e);
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

/* --- questions of other threads ---------------------------------------------------------- */

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
			buf_printf(out, "%s:%u", s->zone_text, s->port);
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

	f->is_found = f->i < c->sockets.len;
	if (f->is_found)
		*f->out = c->sockets.at[f->i].addr;
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
