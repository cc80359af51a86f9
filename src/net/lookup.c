#include "net/lookup.h"

#include <ares.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

#define TIMEOUT_MS 1500
#define TRIES 3
#define TICK_MS 100u /* how often c-ares looks at its timeouts */
#define SERVERS_MAX 15u

/* A socket of c-ares on our loop. */
struct watched {
	struct list node;
	uv_poll_t poll;
	struct lookup *lookup;
	ares_socket_t fd;
};

struct lookup {
	ares_channel channel;
	uv_timer_t timer;
	struct list sockets;
	lookup_fn *fn;
	void *arg;
	bool is_done; /* result is there; fn is called when c-ares is off the stack */
	struct lookup_result result;
};

/* --- sockets and time --- */

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void watched_free(struct watched *w)
{
	list_remove(&w->node);
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, on_poll_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void lookup_stop(struct lookup *l)
{
	struct list *node;

	if (l == NULL)
		return;
	l->is_done = true; /* c-ares reports its end to on_result() */
	ares_destroy(l->channel);
	while ((node = list_first(&l->sockets)) != NULL)
		watched_free(container_of(node, struct watched, node));
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

static void finish_if_done(struct lookup *l)
{
	struct lookup_result result;
	lookup_fn *fn = l->fn;
	void *arg = l->arg;

	if (!l->is_done)
		return;
	result = l->result;
	lookup_stop(l);
	fn(arg, &result);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watched *w = poll->data;
	struct lookup *l = w->lookup;
	ares_socket_t fd = w->fd;

	/* an error is found by reading */
	ares_process_fd(l->channel, status < 0 || (events & UV_READABLE) ? fd : ARES_SOCKET_BAD,
	        status < 0 || (events & UV_WRITABLE) ? fd : ARES_SOCKET_BAD);
	finish_if_done(l);
}

static void on_timer(uv_timer_t *timer)
{
	struct lookup *l = timer->data;

	if (!l->is_done)
		ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	finish_if_done(l);
}

static struct watched *find_socket(struct lookup *l, ares_socket_t fd)
{
	list_for_each (&l->sockets, node) {
		struct watched *w = container_of(node, struct watched, node);

		if (w->fd == fd)
			return w;
	}
	return NULL;
}

static struct watched *watched_new(struct lookup *l, ares_socket_t fd)
{
	struct watched *w = mem_new(struct watched);

	w->lookup = l;
	w->fd = fd;
	list_init(&w->node);
	if (uv_poll_init(l->timer.loop, &w->poll, fd) != 0) {
		free(w); /* the timeout ends it */
		return NULL;
	}
	w->poll.data = w;
	list_push(&l->sockets, &w->node);
	return w;
}

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct lookup *l = arg;
	struct watched *w = find_socket(l, fd);
	int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);

	if (w == NULL && events != 0)
		w = watched_new(l, fd);
	if (w == NULL)
		return;
	if (events == 0)
		watched_free(w);
	else
		uv_poll_start(&w->poll, events, on_poll);
}

/* --- results --- */

static void take_family(struct lookup_result *r, const struct ares_addrinfo_node *node, int family)
{
	for (; node != NULL && r->len < LOOKUP_ADDRS_MAX; node = node->ai_next) {
		union addr *a = &r->addrs[r->len];

		if (node->ai_family != family || node->ai_addrlen > sizeof(*a))
			continue;
		memset(a, 0, sizeof(*a));
		memcpy(a, node->ai_addr, node->ai_addrlen);
		addr_set_port(a, 0);
		r->len++;
		if (node->ai_ttl >= 0 && (uint32_t)node->ai_ttl < r->ttl_s)
			r->ttl_s = (uint32_t)node->ai_ttl;
	}
}

static void on_result(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *l = arg;
	struct lookup_result *r = &l->result;

	(void)timeouts;
	if (!l->is_done && status == ARES_SUCCESS) {
		r->ttl_s = UINT32_MAX;
		take_family(r, info->nodes, AF_INET);
		take_family(r, info->nodes, AF_INET6);
		for (struct ares_addrinfo_cname *c = info->cnames; c != NULL; c = c->next)
			if (c->ttl >= 0 && (uint32_t)c->ttl < r->ttl_s)
				r->ttl_s = (uint32_t)c->ttl;
	}
	if (!l->is_done && r->len == 0)
		r->problem = status == ARES_SUCCESS ? "it has no address" : ares_strerror(status);
	l->is_done = true;
	if (info != NULL)
		ares_freeaddrinfo(info);
}

/* --- start --- */

static void set_servers(struct lookup *l, const union addr *servers, size_t n)
{
	struct ares_addr_port_node nodes[SERVERS_MAX];

	must(n > 0);
	n = n < SERVERS_MAX ? n : SERVERS_MAX;
	memset(nodes, 0, sizeof(nodes));
	for (size_t i = 0; i < n; i++) {
		size_t len;
		const uint8_t *ip = addr_ip(&servers[i], &len);

		nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
		nodes[i].family = servers[i].sa.sa_family;
		memcpy(&nodes[i].addr, ip, len);
		nodes[i].udp_port = nodes[i].tcp_port = addr_port(&servers[i]);
	}
	must(ares_set_servers_ports(l->channel, nodes) == ARES_SUCCESS);
}

/* Everything is set here, so that c-ares does not read resolv.conf on its own. */
static void open_channel(struct lookup *l)
{
	struct in_addr nobody = {htonl(INADDR_LOOPBACK)};
	char files_then_dns[] = "fb";
	struct ares_options o = {
	        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
	        .timeout = TIMEOUT_MS,
	        .tries = TRIES,
	        .ndots = 1,
	        .servers = &nobody,
	        .nservers = 1,
	        .lookups = files_then_dns,
	        .sock_state_cb = on_socket,
	        .sock_state_cb_data = l,
	};

	must(ares_init_options(&l->channel, &o,
	             ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
	                     ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
	                     ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB) == ARES_SUCCESS);
}

struct lookup *lookup_start(struct uv_loop_s *loop, const char *name,
        const struct lookup_servers *servers, lookup_fn *fn, void *arg)
{
	struct ares_addrinfo_hints hints = {
	        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
	struct lookup *l = mem_new(struct lookup);

	l->fn = fn;
	l->arg = arg;
	list_init(&l->sockets);
	must(uv_timer_init(loop, &l->timer) == 0);
	l->timer.data = l;
	open_channel(l);
	set_servers(l, servers->at, servers->len);
	uv_timer_start(&l->timer, on_timer, 1, TICK_MS);
	ares_getaddrinfo(l->channel, name, NULL, &hints, on_result, l);
	return l;
}
