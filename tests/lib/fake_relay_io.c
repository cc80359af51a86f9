#include "fake_relay_io.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/relay.h"

struct fake_socket {
	struct list node;
	struct relay_io *io;
	struct relay_route way;
	void *arg;
	bool is_tcp, is_closed;
};

struct fake_event {
	struct list node;
	uint64_t at_ms;
	struct fake_socket *socket;
	bool is_error;
	int error;
	size_t n;
	uint8_t data[];
};

struct fake_queued {
	struct list node;
	struct fake_sent sent;
};

struct relay_io {
	struct list node;
	const struct relay_io_handlers *h;
	void *relay_arg;
	uint64_t timer_ms;
	unsigned open;
};

struct fake_net fake_net;
static struct list events, queue, sockets, ios;
static struct relay *owner;
static bool wants_flush;

uint64_t fake_now_ms(void)
{
	return fake_net.now_ns / 1000000u;
}

static void host_enter(void *arg)
{
	(void)arg;
}

static uint64_t host_now(void *arg)
{
	(void)arg;
	return fake_net.now_ns;
}

static void host_flush_later(void *arg)
{
	(void)arg;
	wants_flush = true;
	fake_net.flushes_asked++;
}

const struct relay_host fake_host = {
        .enter = host_enter,
        .now_ns = host_now,
        .flush_later = host_flush_later,
};

static void free_all(struct list *l, size_t offset)
{
	struct list *node;

	if (l->next == NULL)
		list_init(l);
	while ((node = list_first(l)) != NULL) {
		list_remove(node);
		free((char *)node - offset);
	}
}

void fake_net_reset(void)
{
	free_all(&events, offsetof(struct fake_event, node));
	free_all(&queue, offsetof(struct fake_queued, node));
	free_all(&sockets, offsetof(struct fake_socket, node));
	if (ios.next == NULL)
		list_init(&ios);
	memset(&fake_net, 0, sizeof(fake_net));
	fake_net.now_ns = 100000000000u;
	wants_flush = false;
	owner = NULL;
}

void fake_net_own(struct relay *r)
{
	owner = r;
}

struct relay_io *relay_io_new(
        const struct relay_host *host, const struct relay_io_handlers *h, void *relay_arg)
{
	struct relay_io *io = mem_new(struct relay_io);

	(void)host;
	io->h = h;
	io->relay_arg = relay_arg;
	io->timer_ms = UINT64_MAX;
	list_push(&ios, &io->node);
	return io;
}

void relay_io_free(struct relay_io *io)
{
	must(io->open == 0);
	list_remove(&io->node);
	free(io);
}

void relay_io_arm(struct relay_io *io, uint64_t ms)
{
	io->timer_ms = fake_now_ms() + ms;
}

static struct fake_socket *socket_new(
        struct relay_io *io, const struct relay_route *way, void *arg, bool is_tcp)
{
	struct fake_socket *s = mem_new(struct fake_socket);

	s->io = io;
	s->way = *way;
	s->arg = arg;
	s->is_tcp = is_tcp;
	list_push(&sockets, &s->node);
	io->open++;
	return s;
}

int relay_udp_open(struct relay_io *io, const struct relay_route *way, void *socket_arg,
        struct relay_udp **out)
{
	if (fake_net.open_error != 0)
		return fake_net.open_error;
	*out = (struct relay_udp *)socket_new(io, way, socket_arg, false);
	fake_net.udp_open++;
	fake_net.udp_opened++;
	return 0;
}

int relay_tcp_open(struct relay_io *io, const struct relay_route *way, void *socket_arg,
        struct relay_tcp **out)
{
	if (fake_net.open_error != 0)
		return fake_net.open_error;
	*out = (struct relay_tcp *)socket_new(io, way, socket_arg, true);
	fake_net.tcp_open++;
	fake_net.tcp_opened++;
	return 0;
}

static void enqueue(struct fake_socket *s, const uint8_t *data, size_t n, bool is_again)
{
	struct fake_queued *q = mem_new(struct fake_queued);

	must(n <= RELAY_QUERY_MAX && !s->is_closed);
	q->sent.socket = s;
	q->sent.to = s->way.to;
	q->sent.from = s->way.from;
	q->sent.is_tcp = s->is_tcp;
	q->sent.is_again = is_again;
	q->sent.len = n;
	memcpy(q->sent.data, data, n);
	list_push(&queue, &q->node);
}

void relay_udp_send(struct relay_udp *s, const uint8_t *data, size_t n, bool is_again)
{
	enqueue((struct fake_socket *)s, data, n, is_again);
}

void relay_tcp_send(struct relay_tcp *s, const uint8_t *data, size_t n)
{
	enqueue((struct fake_socket *)s, data, n, false);
}

static void close_socket(struct fake_socket *s)
{
	must(!s->is_closed);
	s->is_closed = true;
	s->io->open--;
}

void relay_udp_close(struct relay_udp *s)
{
	close_socket((struct fake_socket *)s);
	fake_net.udp_open--;
}

void relay_tcp_close(struct relay_tcp *s)
{
	close_socket((struct fake_socket *)s);
	fake_net.tcp_open--;
}

void relay_io_flush(struct relay_io *io)
{
	(void)io;
}

static void event_add(struct fake_event *e, const struct fake_sent *sent, uint64_t delay_ms)
{
	struct list *before = &events;

	e->socket = sent->socket;
	e->at_ms = fake_now_ms() + delay_ms;
	list_for_each (&events, node) {
		if (container_of(node, struct fake_event, node)->at_ms <= e->at_ms)
			continue;
		before = node;
		break;
	}
	list_push(before, &e->node); /* in front of the first later one */
}

void fake_reply(const struct fake_sent *sent, uint64_t delay_ms, const void *data, size_t n)
{
	struct fake_event *e = mem_alloc(sizeof(*e) + n);

	e->n = n;
	memcpy(e->data, data, n);
	event_add(e, sent, delay_ms);
}

void fake_error(const struct fake_sent *sent, uint64_t delay_ms, int error)
{
	struct fake_event *e = mem_new(struct fake_event);

	e->is_error = true;
	e->error = error;
	event_add(e, sent, delay_ms);
}

/* End of a turn: what was queued leaves. */
static void end_turn(void)
{
	struct list *node;

	if (wants_flush && owner != NULL)
		relay_flush(owner);
	wants_flush = false;
	while ((node = list_first(&queue)) != NULL) {
		struct fake_queued *q = container_of(node, struct fake_queued, node);

		list_remove(node);
		q->sent.at_ms = fake_now_ms();
		fake_net.udp_sent += !q->sent.is_tcp;
		fake_net.tcp_sent += q->sent.is_tcp;
		if (fake_net.on_send != NULL && !q->sent.socket->is_closed)
			fake_net.on_send(&q->sent);
		free(q);
	}
}

static void deliver(const struct fake_event *e)
{
	const struct relay_io_handlers *h = e->socket->io->h;

	if (e->socket->is_closed)
		return;
	if (e->is_error && e->socket->is_tcp)
		h->on_tcp_end(e->socket->arg, e->error);
	else if (e->is_error)
		h->on_udp_error(e->socket->arg, e->error);
	else if (e->socket->is_tcp)
		h->on_stream(e->socket->arg, e->data, e->n);
	else
		h->on_datagram(e->socket->arg, e->data,
		        e->n < RELAY_DATAGRAM_MAX ? e->n : RELAY_DATAGRAM_MAX,
		        e->n > RELAY_DATAGRAM_MAX);
}

static void run_events(void)
{
	struct list *node;

	while ((node = list_first(&events)) != NULL) {
		struct fake_event *e = container_of(node, struct fake_event, node);

		if (e->at_ms > fake_now_ms())
			return;
		list_remove(node);
		deliver(e);
		free(e);
		end_turn();
	}
}

static uint64_t next_ms(uint64_t end_ms)
{
	uint64_t at = end_ms;
	struct list *node = list_first(&events);

	if (node != NULL && container_of(node, struct fake_event, node)->at_ms < at)
		at = container_of(node, struct fake_event, node)->at_ms;
	list_for_each (&ios, io)
		if (container_of(io, struct relay_io, node)->timer_ms < at)
			at = container_of(io, struct relay_io, node)->timer_ms;
	return at;
}

/* Fire the timers that are due; false when there was none. */
static bool run_timers(void)
{
	bool has_fired = false;

	list_for_each (&ios, node) {
		struct relay_io *io = container_of(node, struct relay_io, node);

		if (io->timer_ms > fake_now_ms())
			continue;
		io->timer_ms = UINT64_MAX;
		io->h->on_timer(io->relay_arg);
		end_turn();
		has_fired = true;
	}
	return has_fired;
}

void fake_advance(uint64_t ms)
{
	uint64_t end = fake_now_ms() + ms;

	end_turn();
	for (;;) {
		uint64_t at = next_ms(end);

		if (at > fake_now_ms())
			fake_net.now_ns = at * 1000000u;
		run_events();
		if (!run_timers() && at >= end)
			return;
	}
}
