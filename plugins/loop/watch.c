/*
 * Each round asks every upstream server for a name of its own, and looks one tick later which of
 * them came back. Rounds are when the server starts, when the list of servers has changed, and
 * every minute while one is left out. Nobody waits for answers.
 */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/upstreams.h"
#include "loop/loop.h"
#include "net/loop_timer.h"
#include "plugin.h"

#define TICK_MS 2000u
#define CHECK_TICKS 30u /* between rounds for servers that are left out */
#define SERVERS_MAX 64u

/* A server that was asked in this round. */
struct asked {
	struct upstream server;
	unsigned slot;
	int fd;
};

struct loop_watch {
	struct chain *chain;
	struct uv_loop_s *loop;
	struct loop_timer *timer;
	struct asked asked[SERVERS_MAX];
	size_t asked_len;
	struct upstream out[SERVERS_MAX]; /* left out */
	size_t out_len;
	union addr seen[SERVERS_MAX]; /* the list of the last round */
	size_t seen_len;
	unsigned ticks; /* since the last round */
	uint16_t port;
	atomic_ullong found, left_out;
};

static bool is_out(const struct loop_watch *w, const union addr *addr, size_t *i)
{
	for (*i = 0; *i < w->out_len; ++*i)
		if (addr_equal(&w->out[*i].addr, addr))
			return true;
	return false;
}

static bool upstreams_of(const struct loop_watch *w, struct offered *o)
{
	return offer_find(w->chain, UPSTREAMS, o);
}

/* --- a round --- */

/* The socket stays open until the end of the round, so that an answer is not refused by ICMP. */
static void ask(struct loop_watch *w, const struct upstream *server)
{
	uint8_t query[LOOP_PROBE_MAX];
	struct asked *a = &w->asked[w->asked_len];
	struct name zone;
	size_t n;

	if (w->asked_len == SERVERS_MAX || name_from_text(&zone, str_from(server->zone), NULL) != 0)
		return;
	name_fold(zone.wire, zone.wire, zone.len);
	n = loop_probe_begin(query, &zone, &a->slot);
	if (n == 0)
		return;
	a->server = *server;
	a->fd = socket(server->addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->fd >= 0 && sendto(a->fd, query, n, 0, &server->addr.sa, addr_len(&server->addr)) < 0)
		log_debug(LOOP_WHO, "cannot ask an upstream server: %s", strerror(errno));
	w->asked_len++;
}

static void begin_round(struct loop_watch *w, const struct offered *o)
{
	const struct upstreams_ops *ops = o->ops;
	struct upstream server;
	size_t pos = 0;

	w->ticks = 0;
	w->seen_len = 0;
	while (ops->next(o->instance, &pos, &server) && w->seen_len < SERVERS_MAX) {
		w->seen[w->seen_len++] = server.addr;
		ask(w, &server);
	}
	for (size_t i = 0; i < w->out_len; i++)
		ask(w, &w->out[i]);
}

/* True when the servers in use are others than in the last round. */
static bool has_changed(const struct loop_watch *w, const struct offered *o)
{
	const struct upstreams_ops *ops = o->ops;
	struct upstream server;
	size_t pos = 0, n = 0;

	while (ops->next(o->instance, &pos, &server) && n < SERVERS_MAX) {
		if (n >= w->seen_len || !addr_equal(&w->seen[n], &server.addr))
			return true;
		n++;
	}
	return n != w->seen_len;
}

/* --- its conclusion --- */

static void report(struct loop_watch *w, const struct upstream *server)
{
	char text[ADDR_TEXT_MAX];

	atomic_fetch_add(&w->found, 1);
	log_error(LOOP_WHO,
	        "Loop (%s -> :%u) detected for zone \"%s\": the upstream server %s sends our "
	        "questions "
	        "back to us; it is not asked until that ends. Let it forward somewhere else, or "
	        "name "
	        "another one in the Corefile (or in the file that it names, such as "
	        "/etc/resolv.conf)",
	        addr_to_text(text, &server->addr), w->port, server->zone, text);
}

static void leave_out(struct loop_watch *w, const struct offered *o, const struct upstream *server)
{
	const struct upstreams_ops *ops = o->ops;

	report(w, server);
	if (w->out_len == SERVERS_MAX)
		return;
	w->out[w->out_len++] = *server;
	ops->leave_out(o->instance, &server->addr);
}

static void take_back(struct loop_watch *w, const struct offered *o, size_t i)
{
	const struct upstreams_ops *ops = o->ops;
	union addr addr = w->out[i].addr;
	char text[ADDR_TEXT_MAX];

	log_info(LOOP_WHO,
	        "the upstream server %s does not send questions back any more: it is asked "
	        "again",
	        addr_to_text(text, &addr));
	w->out[i] = w->out[--w->out_len];
	ops->take_back(o->instance, &addr);
}

static void end_round(struct loop_watch *w, const struct offered *o)
{
	size_t n = w->asked_len, i;

	for (size_t k = 0; k < n; k++) {
		struct asked *a = &w->asked[k];
		bool is_back = loop_probe_end(a->slot);

		if (a->fd >= 0)
			close(a->fd);
		if (is_back && !is_out(w, &a->server.addr, &i))
			leave_out(w, o, &a->server);
		else if (!is_back && is_out(w, &a->server.addr, &i))
			take_back(w, o, i);
	}
	w->asked_len = 0;
	atomic_store(&w->left_out, w->out_len);
}

static void on_tick(void *arg)
{
	struct loop_watch *w = arg;
	struct offered o;

	if (!upstreams_of(w, &o))
		return;
	w->ticks++;
	if (w->asked_len > 0) {
		size_t before = w->out_len;

		end_round(w, &o);
		if (w->out_len != before) /* our own doing is no change */
			w->seen_len = 0;
	} else if (has_changed(w, &o) || (w->out_len > 0 && w->ticks >= CHECK_TICKS)) {
		begin_round(w, &o);
	}
}

struct loop_watch *loop_watch_new(const struct setup *s)
{
	struct loop_watch *w = mem_new(struct loop_watch);

	w->chain = s->chain;
	w->loop = s->loop;
	w->port = s->port;
	return w;
}

void loop_watch_start(struct loop_watch *w)
{
	if (w->loop != NULL)
		w->timer = loop_timer_start(w->loop, TICK_MS, on_tick, w);
}

void loop_watch_free(struct loop_watch *w)
{
	if (w == NULL)
		return;
	loop_timer_stop(w->timer);
	for (size_t i = 0; i < w->asked_len; i++) {
		loop_probe_end(w->asked[i].slot);
		if (w->asked[i].fd >= 0)
			close(w->asked[i].fd);
	}
	free(w);
}

uint64_t loop_watch_found(const struct loop_watch *w)
{
	return atomic_load(&w->found);
}

uint64_t loop_watch_left_out(const struct loop_watch *w)
{
	return atomic_load(&w->left_out);
}
