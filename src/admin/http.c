#include "admin/http.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "admin/listener.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rcu.h"

#define LISTENERS_MAX 64
#define STACK_SIZE (256u << 10)
#define PACE_MS 50
#define TURNS_MAX 500u

struct admin_route {
	struct list node;
	struct listener *listener;
	char *path;
	admin_handler_fn *fn;
	void *arg;
	unsigned running;
};

/* The registry. The HTTP thread alone frees listeners; all else happens under the lock. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a handler returned, or a listener is gone */
	struct list listeners;
	unsigned listeners_len;
	pthread_t thread;
	int epoll, wake;
	bool is_running, is_ending;
} admin = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.listeners = {&admin.listeners, &admin.listeners},
};

/* How often the thread has woken up since then. */
struct pace {
	uint64_t since_ms;
	unsigned turns;
};

static void wake_thread(void)
{
	uint64_t one = 1;

	must(write(admin.wake, &one, sizeof(one)) == sizeof(one));
}

/* The newest route of that path, marked as running. */
static struct admin_route *enter_route(struct listener *l, const char *path)
{
	struct admin_route *found = NULL;

	pthread_mutex_lock(&admin.lock);
	list_for_each(&l->routes, node) {
		struct admin_route *r = container_of(node, struct admin_route, node);

		if (strcmp(r->path, path) == 0)
			found = r;
	}
	if (found != NULL)
		found->running++;
	pthread_mutex_unlock(&admin.lock);
	return found;
}

static bool on_answer(void *owner, const char *path, struct admin_reply *reply)
{
	struct admin_route *r = enter_route(owner, path);

	if (r == NULL)
		return false;
	rcu_thread_online();
	r->fn(r->arg, reply);
	rcu_thread_offline();
	pthread_mutex_lock(&admin.lock);
	r->running--;
	pthread_cond_broadcast(&admin.changed);
	pthread_mutex_unlock(&admin.lock);
	return true;
}

static void close_listener(struct listener *l)
{
	pthread_mutex_lock(&admin.lock);
	list_remove(&l->node);
	pthread_mutex_unlock(&admin.lock);
	epoll_ctl(admin.epoll, EPOLL_CTL_DEL, listener_fd(l), NULL);
	listener_free(l);
	pthread_mutex_lock(&admin.lock);
	admin.listeners_len--;
	pthread_cond_broadcast(&admin.changed);
	pthread_mutex_unlock(&admin.lock);
}

/* Serve every listener once; returns how long to sleep. */
static int serve_all(void)
{
	struct listener *all[LISTENERS_MAX];
	bool closing[LISTENERS_MAX];
	unsigned n = 0;
	int wait_ms = -1;

	pthread_mutex_lock(&admin.lock);
	list_for_each(&admin.listeners, node) {
		all[n] = container_of(node, struct listener, node);
		closing[n] = all[n]->is_closing;
		n++;
	}
	pthread_mutex_unlock(&admin.lock);
	for (unsigned i = 0; i < n; i++) {
		int ms = -1;

		if (closing[i])
			close_listener(all[i]);
		else
			ms = listener_run(all[i]);
		if (ms >= 0 && (wait_ms < 0 || ms < wait_ms))
			wait_ms = ms;
	}
	return wait_ms;
}

/*
 * Out of descriptors, libmicrohttpd cannot accept who waits and does not say so: its descriptor
 * stays readable. Nobody else has so many turns; trying again a little later is soon enough.
 */
static void rest_if_spinning(struct pace *p)
{
	uint64_t now = clock_ms();

	if (now - p->since_ms >= PACE_MS)
		*p = (struct pace){now, 0};
	else if (++p->turns > TURNS_MAX)
		poll(NULL, 0, PACE_MS);
}

static bool is_ending(void)
{
	bool ending;

	pthread_mutex_lock(&admin.lock);
	ending = admin.is_ending;
	pthread_mutex_unlock(&admin.lock);
	return ending;
}

static void *thread_main(void *arg)
{
	struct epoll_event events[8];
	struct pace pace = {0, 0};
	uint64_t count;
	int wait_ms = 0;

	(void)arg;
	pthread_setname_np(pthread_self(), "http");
	rcu_register_thread();
	rcu_thread_offline();
	while (!is_ending()) {
		epoll_wait(admin.epoll, events, 8, wait_ms);
		while (read(admin.wake, &count, sizeof(count)) > 0)
			;
		wait_ms = serve_all();
		rest_if_spinning(&pace);
	}
	rcu_unregister_thread();
	return NULL;
}

static void watch_fd(int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	must(epoll_ctl(admin.epoll, EPOLL_CTL_ADD, fd, &ev) == 0);
}

/* Signals are for the main thread. */
static int start_thread(void)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int rc;

	admin.is_ending = false;
	admin.epoll = epoll_create1(EPOLL_CLOEXEC);
	admin.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(admin.epoll >= 0 && admin.wake >= 0);
	watch_fd(admin.wake);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&admin.thread, &attr, thread_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		close(admin.epoll);
		close(admin.wake);
		return -rc;
	}
	admin.is_running = true;
	return 0;
}

static void end_thread(void)
{
	admin.is_ending = true;
	wake_thread();
	pthread_mutex_unlock(&admin.lock);
	pthread_join(admin.thread, NULL);
	pthread_mutex_lock(&admin.lock);
	close(admin.epoll);
	close(admin.wake);
	admin.is_running = false;
}

static struct listener *find_listener(const char *address)
{
	list_for_each(&admin.listeners, node) {
		struct listener *l = container_of(node, struct listener, node);

		if (!l->is_closing && strcmp(l->address, address) == 0)
			return l;
	}
	return NULL;
}

static bool has_route(const struct listener *l, const char *path)
{
	list_for_each(&l->routes, node)
		if (strcmp(container_of(node, struct admin_route, node)->path, path) == 0)
			return true;
	return false;
}

/*
 * True when the same path is on the same port of another address: a reload that moves it from all
 * addresses to one, or back. Two different things on one port are a mistake of the configuration.
 */
static bool is_move(const char *address, const char *path)
{
	const char *port = strrchr(address, ':');

	list_for_each(&admin.listeners, node) {
		const struct listener *l = container_of(node, struct listener, node);

		if (port != NULL && strcmp(strrchr(l->address, ':'), port) == 0 &&
			has_route(l, path))
			return true;
	}
	return false;
}

static struct listener *take_listener(const char *address, const char *path, struct err *e)
{
	struct listener *l = find_listener(address);
	int rc;

	if (l != NULL)
		return l;
	if (admin.listeners_len == LISTENERS_MAX) {
		err_set(e, -EMFILE, "cannot listen on %s: more than %d addresses for HTTP", address,
			LISTENERS_MAX);
		return NULL;
	}
	l = listener_new(address, is_move(address, path), on_answer, e);
	if (l == NULL)
		return NULL;
	rc = admin.is_running ? 0 : start_thread();
	if (rc != 0) {
		err_set(e, rc, "cannot start the HTTP thread: %s", strerror(-rc));
		listener_free(l);
		return NULL;
	}
	list_push(&admin.listeners, &l->node);
	admin.listeners_len++;
	watch_fd(listener_fd(l));
	wake_thread();
	return l;
}

struct admin_route *admin_route_add(
	const char *address, const char *path, admin_handler_fn *fn, void *arg, struct err *e)
{
	struct admin_route *r = NULL;
	struct listener *l;

	pthread_mutex_lock(&admin.lock);
	l = take_listener(address, path, e);
	if (l != NULL) {
		r = mem_new(struct admin_route);
		r->listener = l;
		r->path = mem_str(path);
		r->fn = fn;
		r->arg = arg;
		list_push(&l->routes, &r->node);
	}
	pthread_mutex_unlock(&admin.lock);
	return r;
}

/* Have the HTTP thread close the port, and wait until it is free. */
static void drop_listener(struct listener *l)
{
	unsigned before = admin.listeners_len;

	l->is_closing = true;
	wake_thread();
	while (admin.listeners_len == before)
		pthread_cond_wait(&admin.changed, &admin.lock);
	if (admin.listeners_len == 0)
		end_thread();
}

void admin_route_del(struct admin_route *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&admin.lock);
	list_remove(&r->node);
	while (r->running > 0)
		pthread_cond_wait(&admin.changed, &admin.lock);
	if (list_is_empty(&r->listener->routes))
		drop_listener(r->listener);
	pthread_mutex_unlock(&admin.lock);
	free(r->path);
	free(r);
}
