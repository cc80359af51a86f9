#include "net/notifier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/rand.h"
#include "dns/records.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define TICK_MS 1000u
/* After 1, 2, 4, 8 and 16 s: half a minute, then the secondary's own refresh has to do. */
#define TRIES 5u
#define HEADER 12u
#define MESSAGE_MAX 1232u
/* Zones times addresses; a configuration with more is told of those only. */
#define PENDING_MAX 4096u

enum { V4, V6, FAMILIES };

struct message {
	struct list node;
	union addr to;
	struct name zone;
	uint16_t id, len;
	unsigned tries, wait; /* ticks until the next try */
	uint8_t wire[MESSAGE_MAX];
};

struct socket {
	uv_poll_t poll;
	int fd; /* -1: none */
};

struct notifier {
	uv_loop_t *loop;
	uv_timer_t timer;
	struct socket sockets[FAMILIES];
	union addr source; /* family 0: any */
	struct notifier_callbacks callbacks;
	struct list messages;
	unsigned pending, open; /* messages; handles */
};

static struct socket *socket_for(struct notifier *n, const union addr *to)
{
	return &n->sockets[to->sa.sa_family == AF_INET6 ? V6 : V4];
}

static void finish(struct notifier *n, struct message *m, int rcode)
{
	struct notify_result r = {&m->zone, &m->to, rcode, m->tries};

	list_remove(&m->node);
	n->pending--;
	n->callbacks.on_result(n->callbacks.arg, &r);
	free(m);
}

/* A reply must come from where we asked, with the ID and the opcode (RFC 1996 3.8). */
static struct message *find_reply(const struct notifier *n, const union addr *from,
	const uint8_t *wire)
{
	list_for_each (&n->messages, node) {
		struct message *m = container_of(node, struct message, node);

		if (m->id == get16(wire) && addr_equal(&m->to, from) && m->tries > 0)
			return m;
	}
	return NULL;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct notifier *n = poll->data;
	struct socket *s = (struct socket *)poll;
	uint8_t wire[MESSAGE_MAX];
	union addr from;

	(void)events;
	for (int i = 0; status == 0 && i < 64; i++) {
		socklen_t len = sizeof(from);
		ssize_t got = recvfrom(s->fd, wire, sizeof(wire), MSG_DONTWAIT, &from.sa, &len);
		struct message *m;

		if (got < 0 && errno != EINTR && errno != ECONNREFUSED)
			return;
		if (got < (ssize_t)HEADER || (wire[2] & 0xf8) != (0x80 | OPCODE_NOTIFY << 3))
			continue;
		m = find_reply(n, &from, wire);
		if (m != NULL)
			finish(n, m, wire[3] & 15);
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct notifier *n = handle->data;

	if (--n->open == 0)
		free(n);
}

/* Open the socket for a family when it is first needed. */
static bool open_socket(struct notifier *n, struct socket *s, int family)
{
	int fd;

	if (s->fd >= 0)
		return true;
	fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	if (n->source.sa.sa_family == family &&
		bind(fd, &n->source.sa, addr_len(&n->source)) != 0) {
		close(fd);
		return false;
	}
	if (uv_poll_init(n->loop, &s->poll, fd) != 0) {
		close(fd);
		return false;
	}
	s->fd = fd;
	s->poll.data = n;
	n->open++;
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
	return true;
}

static void try(struct notifier *n, struct message *m)
{
	struct socket *s = socket_for(n, &m->to);

	if (m->tries == TRIES) {
		finish(n, m, -1);
		return;
	}
	/* an address that cannot be reached now may be reached later */
	if (open_socket(n, s, m->to.sa.sa_family))
		(void)!sendto(s->fd, m->wire, m->len, MSG_DONTWAIT | MSG_NOSIGNAL, &m->to.sa,
			addr_len(&m->to));
	m->wait = 1u << m->tries++;
}

static void on_timer(uv_timer_t *timer)
{
	struct notifier *n = timer->data;

	list_for_each (&n->messages, node) {
		struct message *m = container_of(node, struct message, node);

		if (--m->wait == 0)
			try(n, m);
	}
	if (n->callbacks.on_tick != NULL)
		n->callbacks.on_tick(n->callbacks.arg);
}

struct notifier *notifier_new(struct uv_loop_s *loop, const union addr *source,
	const struct notifier_callbacks *callbacks)
{
	struct notifier *n = mem_new(struct notifier);

	n->loop = loop;
	n->callbacks = *callbacks;
	n->sockets[V4].fd = n->sockets[V6].fd = -1;
	n->open = 1;
	if (source != NULL)
		n->source = *source;
	list_init(&n->messages);
	uv_timer_init(loop, &n->timer);
	n->timer.data = n;
	uv_timer_start(&n->timer, on_timer, TICK_MS, TICK_MS);
	return n;
}

/* Header, question, and the SOA record as a hint of the serial (RFC 1996 3.7). */
static void write_message(struct message *m, const struct rrset *soa)
{
	struct buf row = {0};

	records_add_set(&row, m->zone.wire, soa);
	rand_secure(&m->id, sizeof(m->id));
	put16(m->wire, m->id);
	m->id = get16(m->wire);
	put16(m->wire + 2, OPCODE_NOTIFY << 11 | 0x0400);
	put16(m->wire + 4, 1);
	memcpy(m->wire + HEADER, m->zone.wire, m->zone.len);
	m->len = (uint16_t)(HEADER + m->zone.len);
	put16(m->wire + m->len, TYPE_SOA);
	put16(m->wire + m->len + 2, CLASS_IN);
	m->len = (uint16_t)(m->len + 4);
	if (row.len <= MESSAGE_MAX - m->len) {
		put16(m->wire + 6, 1);
		memcpy(m->wire + m->len, row.at, row.len);
		m->len = (uint16_t)(m->len + row.len);
	}
	buf_free(&row);
}

static struct message *find_pending(
	const struct notifier *n, const union addr *to, const struct name *zone)
{
	list_for_each (&n->messages, node) {
		struct message *m = container_of(node, struct message, node);

		if (addr_equal(&m->to, to) && name_equal(m->zone.wire, zone->wire))
			return m;
	}
	return NULL;
}

void notifier_send(struct notifier *n, const union addr *to, const struct name *zone,
	const struct rrset *soa)
{
	struct message *m = find_pending(n, to, zone);

	if (m == NULL && n->pending == PENDING_MAX)
		return;
	if (m == NULL) {
		m = mem_new(struct message);
		m->to = *to;
		m->zone = *zone;
		list_push(&n->messages, &m->node);
		n->pending++;
	}
	write_message(m, soa);
	try(n, m);
}

void notifier_free(struct notifier *n)
{
	if (n == NULL)
		return;
	list_for_each (&n->messages, node)
		free(container_of(node, struct message, node));
	for (int i = 0; i < FAMILIES; i++) {
		if (n->sockets[i].fd < 0)
			continue;
		uv_close((uv_handle_t *)&n->sockets[i].poll, on_closed);
		close(n->sockets[i].fd);
	}
	uv_close((uv_handle_t *)&n->timer, on_closed);
}
