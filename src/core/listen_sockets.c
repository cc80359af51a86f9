#include "core/listen_sockets.h"

#include <errno.h>
#include <unistd.h>

#include "core/generation.h"

void listen_sockets_fini(struct listen_sockets *l)
{
	vec_free(&l->open);
	vec_free(&l->held);
}

static bool is_listening(const struct listen_sockets *l, const struct listen *want)
{
	vec_for_each(&l->open, a)
		if (addr_equal(&a->addr, &want->addr) && a->has_tls == (want->tls != NULL))
			return true;
	return false;
}

void socket_list_close(struct socket_list *list)
{
	vec_for_each(list, s) {
		if (s->udp.fd >= 0)
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
static bool conflicts_with_ours(const struct listen_sockets *l, const union addr *addr)
{
	vec_for_each(&l->held, h) {
		if (addr_equal(h, addr))
			return true;
		if (h->sa.sa_family == addr->sa.sa_family && addr_port(h) == addr_port(addr) &&
			(addr_is_wildcard(addr) || addr_is_wildcard(h)))
			return true;
	}
	return false;
}

static void remember_held(struct listen_sockets *l, const union addr *addr)
{
	vec_for_each(&l->held, h)
		if (addr_equal(h, addr))
			return;
	vec_push(&l->held, *addr);
}

/* Fail when another process holds addr. */
static int probe_address(const struct listen_sockets *l, const struct listen *want, struct err *e)
{
	int rc = 0;

	if (conflicts_with_ours(l, &want->addr))
		return 0;
	if (want->tls == NULL)
		rc = socket_probe(&want->addr, SOCK_DGRAM, e);
	return rc != 0 ? rc : socket_probe(&want->addr, SOCK_STREAM, e);
}

/* The sockets of one worker, appended to out. */
static int open_pair(const struct listen *want, struct socket_list *out, struct err *e)
{
	struct worker_sockets s = {
		.addr = want->addr, .has_tls = want->tls != NULL, .udp.fd = -1, .tcp = -1};
	union addr bound = want->addr;
	int rc = s.has_tls ? 0 : udp_open(&s.udp, &bound, e);

	if (rc != 0)
		return rc;
	vec_push(out, s);
	rc = tcp_listen(&bound, e);
	if (rc < 0)
		return rc;
	out->at[out->len - 1].tcp = rc;
	return 0;
}

int listen_sockets_open(const struct listen_sockets *l, const struct generation *g,
	unsigned workers, struct socket_list *out, struct err *e)
{
	vec_for_each(&g->listens, at) {
		const struct listen *want = *at;
		int rc = is_listening(l, want) ? 0 : probe_address(l, want, e);

		if (is_listening(l, want) || (rc != 0 && may_skip(&want->addr, rc)))
			continue;
		for (unsigned i = 0; i < workers && rc == 0; i++)
			rc = open_pair(want, out, e);
		if (rc != 0) {
			socket_list_close(out);
			return rc;
		}
	}
	return 0;
}

void listen_sockets_note(struct listen_sockets *l, const struct generation *g,
	const struct socket_list *opened)
{
	__typeof__(l->open) now = {NULL, 0, 0};

	vec_for_each(&g->listens, at) {
		struct listen_address a = {(*at)->addr, (*at)->tls != NULL};
		bool is_open = is_listening(l, *at);

		vec_for_each(opened, o)
			is_open = is_open || addr_equal(&o->addr, &a.addr);
		if (!is_open)
			continue;
		vec_push(&now, a);
		remember_held(l, &a.addr);
	}
	vec_free(&l->open);
	l->open = now;
}
