#include "core/udp_listener.h"

#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/rcu.h"
#include "dns/rr.h"

/* Batches in one wake-up, so that timers and TCP get their turn under load. */
#define ROUNDS_MAX 16
/* Turns that empty the largest receive buffer, and more. */
#define TURNS_AT_CLOSE 64
/* More answers than that leave while epoll does not watch the socket: see unwatch(). */
#define WATCHED_SENDS_MAX 15u

struct udp_listener {
	struct worker *w;
	const struct serving *serving;
	struct udp_socket socket;
	union addr bound; /* for q->local where the kernel does not tell */
	uv_poll_t poll;
	struct udp_packet slots[UDP_BATCH];
	struct list done; /* parked queries whose answers wait for the flush */
	struct worker_flush flush;
	unsigned in_flight; /* parked queries that came through this listener */
	bool is_unwatched; /* until the flush */
	bool is_closing, is_closed;
};

static void on_parked_done(struct query *q);
static void on_readable(uv_poll_t *poll, int status, int events);

static bool fill_slot(struct udp_listener *l, struct udp_packet *slot)
{
	struct query *q = worker_take_query(l->w);

	if (q == NULL)
		return false;
	slot->owner = q;
	slot->buf = q->buf;
	slot->cap = sizeof(q->buf);
	return true;
}

/* Forged to make two servers talk to each other (CVE-2024-2169), or not for us alone. */
static bool is_unanswerable(const struct udp_packet *p)
{
	return addr_port(&p->peer) == 0 || p->is_broadcast;
}

/* First pass for one packet; true when the chain has to run. */
static bool prepare(struct udp_listener *l, struct udp_packet *p)
{
	struct query *q = p->owner;

	q->wire_len = p->len;
	q->start_ns = l->w->now_ns;
	q->client = p->peer;
	q->local = p->local.sa.sa_family == AF_UNSPEC ? l->bound : p->local;
	q->generation = l->serving->generation;
	q->socket = l;
	if (is_unanswerable(p)) {
		q->is_dropped = true;
		return false;
	}
	if (!p->is_cut)
		return query_prepare(q, l->serving->group);
	q->is_dropped = msg_parse(&q->msg, q->buf, MSG_HEADER) == MSG_DROP;
	q->answer.rcode = q->msg.opcode == OPCODE_QUERY ? RCODE_FORMERR : RCODE_NOTIMP;
	return false;
}

/* A query left the slot to wait; the slot needs a fresh one before the next batch. */
static void keep_parked(struct udp_listener *l, struct udp_packet *p)
{
	struct query *q = p->owner;

	q->on_done = on_parked_done;
	l->in_flight++;
	p->owner = NULL;
}

/*
 * For each datagram that leaves a socket the kernel tells whoever watches it that there is room.
 * Nobody here wants to know; for a batch it costs more than to stop watching until the flush.
 */
static void unwatch(struct udp_listener *l)
{
	if (l->is_unwatched)
		return;
	l->is_unwatched = true;
	uv_poll_stop(&l->poll);
	worker_flush_later(l->w, &l->flush);
}

static void watch_again(struct udp_listener *l)
{
	if (l->is_unwatched && !l->is_closing)
		must(uv_poll_start(&l->poll, UV_READABLE, on_readable) == 0);
	l->is_unwatched = false;
}

static void send_answers(struct udp_listener *l, struct udp_packet *const *packets, unsigned n)
{
	unsigned sent;

	if (n == 0)
		return;
	if (n > WATCHED_SENDS_MAX)
		unwatch(l);
	sent = udp_send(&l->socket, packets, n);
	worker_count(&l->w->answers, sent);
	worker_count(&l->w->udp_send_errors, n - sent);
}

/* Take n received packets through the passes and send what was answered. */
static void handle_batch(struct udp_listener *l, unsigned n)
{
	struct udp_packet *out[UDP_BATCH];
	bool runs[UDP_BATCH];
	unsigned answers = 0;

	for (unsigned i = 0; i < n; i++)
		runs[i] = prepare(l, &l->slots[i]);
	for (unsigned i = 0; i < n; i++)
		if (runs[i])
			query_prefetch(l->slots[i].owner);
	for (unsigned i = 0; i < n; i++) {
		struct query *q = l->slots[i].owner;

		if (!runs[i])
			continue;
		q->on_done = on_parked_done;
		if (query_run(q) == QUERY_PARKED)
			keep_parked(l, &l->slots[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		struct query *q = l->slots[i].owner;

		if (q == NULL || q->is_dropped)
			continue;
		l->slots[i].len = query_encode(q, q->buf, sizeof(q->buf));
		out[answers++] = &l->slots[i];
	}
	send_answers(l, out, answers);
}

/* Make each slot of the last batch ready for the next packet. */
static unsigned refresh_slots(struct udp_listener *l, unsigned used)
{
	unsigned n = 0;

	for (; n < UDP_BATCH; n++) {
		struct udp_packet *p = &l->slots[n];
		struct query *q = p->owner;

		if (q == NULL) {
			if (!fill_slot(l, p))
				break;
		} else if (n < used) {
			query_recycle(q);
		}
	}
	return n;
}

/* Read and answer until nothing waits, or enough was done for one turn of the loop: then true. */
static bool serve_queue(struct udp_listener *l)
{
	unsigned got = UDP_BATCH, room = refresh_slots(l, 0);

	for (int round = 0; round < ROUNDS_MAX && got == UDP_BATCH; round++) {
		struct udp_packet *packets[UDP_BATCH];

		if (round > 0)
			worker_enter(l->w);
		for (unsigned i = 0; i < room; i++)
			packets[i] = &l->slots[i];
		got = room == 0 ? 0 : udp_recv(&l->socket, packets, room);
		if (got > 0)
			handle_batch(l, got);
		room = refresh_slots(l, got);
		rcu_quiescent_state();
	}
	return got == UDP_BATCH;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct udp_listener *l = poll->data;

	(void)events;
	if (status < 0) {
		int error;
		socklen_t len = sizeof(error);

		/* libuv stops a handle that reports POLLERR; clear the error and go on */
		getsockopt(l->socket.fd, SOL_SOCKET, SO_ERROR, &error, &len);
		uv_poll_start(poll, UV_READABLE, on_readable);
		return;
	}
	worker_enter(l->w);
	serve_queue(l);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct udp_listener *l = handle->data;

	udp_close(&l->socket);
	for (unsigned i = 0; i < UDP_BATCH; i++)
		if (l->slots[i].owner != NULL)
			query_release(l->slots[i].owner);
	worker_remove_queries(l->w, UDP_BATCH);
	free(l);
}

static void maybe_free(struct udp_listener *l)
{
	if (!l->is_closing || l->is_closed || l->in_flight > 0)
		return;
	l->is_closed = true;
	list_remove(&l->flush.node);
	uv_close((uv_handle_t *)&l->poll, on_poll_closed);
}

/* Encode and send up to a batch of finished queries; false when none was left. */
static bool flush_batch(struct udp_listener *l)
{
	struct udp_packet packets[UDP_BATCH], *out[UDP_BATCH];
	struct query *queries[UDP_BATCH];
	unsigned n = 0;
	struct list *node;

	while (n < UDP_BATCH && (node = list_first(&l->done)) != NULL) {
		struct query *q = container_of(node, struct query, node);

		list_remove(node);
		queries[n] = q;
		packets[n].buf = q->buf;
		packets[n].len = q->wire_len;
		packets[n].peer = q->client;
		packets[n].local = q->local;
		out[n] = &packets[n];
		n++;
	}
	send_answers(l, out, n);
	for (unsigned i = 0; i < n; i++)
		query_release(queries[i]);
	l->in_flight -= n;
	return n == UDP_BATCH;
}

static void on_flush(struct worker_flush *f)
{
	struct udp_listener *l = container_of(f, struct udp_listener, flush);

	while (flush_batch(l))
		;
	watch_again(l);
	maybe_free(l);
}

/*
 * A parked query is complete. It is encoded now, because what its answer borrowed from published
 * data may be gone at the end of the turn, and sent with the others then.
 */
static void on_parked_done(struct query *q)
{
	struct udp_listener *l = q->socket;

	worker_flush_later(l->w, &l->flush);
	if (q->is_dropped) {
		query_release(q);
		l->in_flight--;
		return;
	}
	q->wire_len = query_encode(q, q->buf, sizeof(q->buf));
	list_remove(&q->node);
	list_push(&l->done, &q->node);
}

struct udp_listener *udp_listener_open(
	struct worker *w, struct udp_socket socket, const struct serving *serving)
{
	struct udp_listener *l = mem_new(struct udp_listener);
	socklen_t len = sizeof(l->bound);

	l->w = w;
	worker_add_queries(w, UDP_BATCH);
	l->serving = serving;
	l->socket = socket;
	if (socket.is_wildcard || getsockname(socket.fd, &l->bound.sa, &len) != 0)
		l->bound.sa.sa_family = AF_UNSPEC;
	l->poll.data = l;
	l->flush.fn = on_flush;
	list_init(&l->done);
	list_init(&l->flush.node);
	must(uv_poll_init(w->loop, &l->poll, socket.fd) == 0);
	must(uv_poll_start(&l->poll, UV_READABLE, on_readable) == 0);
	return l;
}

void udp_listener_close(struct udp_listener *l)
{
	uv_poll_stop(&l->poll);
	udp_mute(&l->socket);
	/* what the kernel has taken for us nobody else will answer; a flood may not hold us here */
	for (int turns = 0; turns < TURNS_AT_CLOSE && serve_queue(l); turns++)
		;
	l->is_closing = true;
	maybe_free(l);
}
