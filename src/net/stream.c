#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream_private.h"

/* Reads of one connection in a turn of the loop, so that a fast peer does not starve others. */
#define READS_PER_TURN 4u
/*
 * Octets that a peer must take within write_ms to be given more time. A peer that takes one octet
 * now and then keeps its answers in our memory just as one that takes none.
 */
#define FAIR_READ (16u << 10)
/* Buffers of idle connections up to these sizes are kept for the next message. */
#define KEEP_IN 512u
#define KEEP_OUT 4096u

const union addr *stream_client(const struct stream *c)
{
	return &c->client;
}

const union addr *stream_local(const struct stream *c)
{
	return &c->local;
}

bool stream_is_closed(const struct stream *c)
{
	return c->is_closed;
}

bool stream_has_tls(const struct stream *c)
{
	return c->tls != NULL;
}

bool stream_is_full(const struct stream *c)
{
	return c->out.len > c->pool->limits.output_pause;
}

uint16_t stream_keepalive(const struct stream *c)
{
	uint32_t units = c->pool->limits.idle_ms / 100;

	if (c->pool->is_stopping)
		return 0;
	return units > UINT16_MAX ? UINT16_MAX : (uint16_t)units;
}

static void release(struct stream *c)
{
	struct stream_pool *p = c->pool;

	if (c->has_handle || c->in_flight > 0)
		return;
	free(c);
	stream_pool_unref(p);
}

/* Call those who wait for room. They may wait again, for the next time. */
static void call_waiters(struct stream *c)
{
	struct list now, *node;

	list_init(&now);
	while ((node = list_first(&c->waiters)) != NULL) {
		list_remove(node);
		list_push(&now, node);
	}
	while ((node = list_first(&now)) != NULL) {
		list_remove(node);
		container_of(node, struct stream_waiter, node)
			->fn(container_of(node, struct stream_waiter, node));
	}
}

static void on_handle_closed(uv_handle_t *h)
{
	struct stream *c = h->data;
	struct stream_pool *p = c->pool;

	if (!list_is_empty(&c->waiters) && p->callbacks.on_turn != NULL)
		p->callbacks.on_turn(p->callbacks.arg);
	call_waiters(c); /* they have messages of c in hand, so it lives until after this */
	/* nobody stands in them any more, and what is in flight may take seconds */
	fifo_fini(&c->in);
	fifo_fini(&c->out);
	tls_free(c->tls);
	c->tls = NULL;
	c->has_handle = false;
	release(c);
}

void stream_wait_room(struct stream *c, struct stream_waiter *w)
{
	must(c->in_flight > 0 && (c->has_handle || !c->is_closed));
	list_push(&c->waiters, &w->node);
	stream_mark_dirty(c);
}

void stream_close(struct stream *c)
{
	struct stream_pool *p = c->pool;

	if (c->is_closed)
		return;
	c->is_closed = true;
	stream_tls_end(c);
	list_remove(&c->all);
	list_remove(&c->bucket);
	list_remove(&c->dirty);
	list_remove(&c->idle.node);
	list_remove(&c->partial.node);
	list_remove(&c->write.node);
	p->open--;
	stream_count(&p->counters->closed);
	/* the buffers go later: a caller up the stack may stand in them */
	p->memory -= c->in.cap + c->out.cap;
	uv_close((uv_handle_t *)&c->poll, on_handle_closed);
	close(c->fd);
	c->fd = -1;
}

void stream_abort(struct stream *c)
{
	stream_close(c);
}

void stream_mark_dirty(struct stream *c)
{
	struct stream_pool *p = c->pool;
	bool was_empty = list_is_empty(&p->dirty);

	if (c->is_closed || !list_is_empty(&c->dirty))
		return;
	list_push(&p->dirty, &c->dirty);
	if (was_empty)
		p->callbacks.flush_later(p->callbacks.arg);
}

bool stream_make_room(struct stream *c, struct fifo *f, size_t n)
{
	struct stream_pool *p = c->pool;
	size_t before = f->cap;
	bool is_enough = true;

	if (fifo_room(f) >= n)
		return true;
	while (is_enough && p->memory + n > p->limits.memory)
		is_enough = stream_pool_shed_memory(p, c);
	if (is_enough && fifo_reserve(f, n) == 0) {
		p->memory += f->cap - before;
		return true;
	}
	stream_count(&p->counters->evicted);
	stream_close(c);
	return false;
}

static void trim(struct stream *c)
{
	size_t before = c->in.cap + c->out.cap;

	fifo_trim(&c->in, KEEP_IN);
	fifo_trim(&c->out, KEEP_OUT);
	c->pool->memory -= before - c->in.cap - c->out.cap;
}

/* Send what waits, as far as the kernel takes it; false when the connection broke. */
static bool write_out(struct stream *c)
{
	while (!c->is_closed && c->out.len > 0) {
		ssize_t n =
		        send(c->fd, fifo_head(&c->out), c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			fifo_take(&c->out, (size_t)n);
			c->taken += (uint32_t)n;
		} else if (errno == EAGAIN) {
			return true;
		} else if (errno != EINTR) {
			stream_close(c);
		}
	}
	return !c->is_closed;
}

void stream_send(struct stream *c, const uint8_t *message, size_t len)
{
	uint8_t prefix[FRAME_PREFIX] = {(uint8_t)(len >> 8), (uint8_t)len};
	struct stream_pool *p = c->pool;
	size_t need = FRAME_PREFIX + len;

	must(len <= FRAME_MESSAGE_MAX);
	if (c->is_closed)
		return;
	/* too much waits: before giving up, offer it to the kernel ahead of the turn's end */
	if (c->out.len + need > p->limits.output_max && !write_out(c))
		return;
	if (c->out.len + need > p->limits.output_max) {
		stream_count(&p->counters->evicted);
		stream_close(c);
		return;
	}
	stream_mark_dirty(c);
	if (c->tls != NULL) {
		stream_tls_put(c, message, len);
		return;
	}
	if (!stream_make_room(c, &c->out, need))
		return;
	fifo_put(&c->out, prefix, sizeof(prefix));
	fifo_put(&c->out, message, len);
}

void stream_done(struct stream *c)
{
	must(c->in_flight > 0);
	c->in_flight--;
	if (c->is_closed)
		release(c);
	else
		stream_mark_dirty(c);
}

/* True when the peer has to wait: too much is in flight, or it does not read. */
static bool is_held(const struct stream *c)
{
	return c->in_flight >= c->pool->limits.in_flight || stream_is_full(c);
}

static bool has_had_enough(const struct stream *c)
{
	return c->pool->limits.messages > 0 && c->delivered >= c->pool->limits.messages;
}

/* Hand over the whole messages among len octets; how many octets are done with. */
static size_t deliver(struct stream *c, const uint8_t *at, size_t len)
{
	struct stream_pool *p = c->pool;
	size_t used = 0;
	struct frame f;

	while (!c->is_closed && !is_held(c)) {
		enum frame_status status = frame_next(at + used, len - used, &f);

		if (has_had_enough(c)) {
			c->is_read_out = true;
			return len;
		}
		if (status == FRAME_PARTIAL)
			return used;
		if (status == FRAME_BAD) {
			stream_count(&p->counters->bad);
			c->is_read_out = true;
			return len;
		}
		used += FRAME_PREFIX + f.len;
		c->in_flight++;
		c->delivered++;
		stream_count(&p->counters->messages);
		p->callbacks.on_message(c, f.message, f.len, p->callbacks.arg);
	}
	return used;
}

/* The same, knowing that on_message may flush and so come back to c in the middle of it. */
static size_t deliver_once(struct stream *c, const uint8_t *at, size_t len)
{
	size_t used;

	c->is_delivering = true;
	used = deliver(c, at, len);
	c->is_delivering = false;
	return used;
}

static void deliver_kept(struct stream *c)
{
	if (c->in.len > 0)
		fifo_take(&c->in, deliver_once(c, fifo_head(&c->in), c->in.len));
}

size_t stream_receive(struct stream *c, uint8_t *at, size_t room)
{
	ssize_t n;

	do
		n = recv(c->fd, at, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	if (n == 0)
		c->is_read_out = true; /* the peer may still read: answers in flight are sent */
	else if (errno != EAGAIN)
		stream_close(c);
	return 0;
}

void stream_take(struct stream *c, size_t n)
{
	const uint8_t *at = c->pool->scratch;
	size_t used = 0;

	if (c->in.len == 0) /* the usual case: handed over from the shared memory */
		used = deliver_once(c, at, n);
	if (c->is_closed || used == n || !stream_make_room(c, &c->in, n - used))
		return;
	fifo_put(&c->in, at + used, n - used);
	if (used == 0)
		deliver_kept(c);
}

/* Nothing is kept. */
static bool read_fresh(struct stream *c)
{
	struct stream_pool *p = c->pool;
	size_t n = stream_receive(c, p->scratch, sizeof(p->scratch));

	stream_take(c, n);
	return n == sizeof(p->scratch);
}

/* Go on with a message that began in an earlier read. */
static bool read_more(struct stream *c)
{
	size_t n, room;

	if (!stream_make_room(c, &c->in, frame_room(fifo_head(&c->in), c->in.len)))
		return false;
	room = fifo_room(&c->in);
	n = stream_receive(c, fifo_tail(&c->in), room);
	if (c->is_closed)
		return false;
	c->in.len += n;
	deliver_kept(c);
	return n == room;
}

static void read_turn(struct stream *c)
{
	bool has_more = true;

	for (unsigned i = 0; has_more && i < READS_PER_TURN; i++) {
		if (c->is_closed || c->is_read_out || is_held(c))
			return;
		if (c->tls != NULL)
			has_more = stream_tls_read(c);
		else
			has_more = c->in.len == 0 ? read_fresh(c) : read_more(c);
	}
}

void stream_read_out(struct stream *c)
{
	read_turn(c);
	c->is_read_out = true;
	stream_mark_dirty(c);
}

/* In the list exactly while it waits; begins anew when told so. */
static void set_wait(struct stream_wait *w, struct list *head, bool is_waiting, bool is_new)
{
	bool was_waiting = !list_is_empty(&w->node);

	if (!is_waiting || is_new)
		list_remove(&w->node);
	if (is_waiting && (is_new || !was_waiting))
		list_push(head, &w->node);
}

static void renew_deadlines(struct stream *c)
{
	struct stream_pool *p = c->pool;
	uint64_t now = uv_now(p->loop);
	bool is_reading = !c->is_read_out && !is_held(c);
	bool has_part = is_reading && (c->in.len > 0 || stream_is_shaking_hands(c));
	bool is_new_part = list_is_empty(&c->partial.node) || c->message_mark != c->delivered;
	/* who waits for room has more, although the kernel took all so far */
	bool has_output = c->out.len > 0 || !list_is_empty(&c->waiters);
	bool is_new_output = list_is_empty(&c->write.node) || c->taken >= FAIR_READ;
	bool is_idle = c->in_flight == 0 && c->in.len == 0 && !has_output && !has_part;
	/* records of TLS without messages keep nothing open */
	bool is_new_idle = list_is_empty(&c->idle.node) || c->idle_mark != c->delivered ||
	                   c->tls == NULL;

	set_wait(&c->partial, &p->partial, has_part, is_new_part);
	if (is_new_part) {
		c->partial.since_ms = now;
		c->message_mark = c->delivered;
	}
	set_wait(&c->write, &p->write, has_output, is_new_output);
	if (is_new_output) {
		c->write.since_ms = now;
		c->taken = 0;
	}
	set_wait(&c->idle, &p->idle, is_idle, is_new_idle);
	if (is_new_idle) {
		c->idle.since_ms = now;
		c->idle_mark = c->delivered;
	}
}

static void on_ready(uv_poll_t *poll, int status, int events);

/* Ask libuv for what c can make use of. */
static void renew_interest(struct stream *c)
{
	int events = 0;

	if (!c->is_read_out && !is_held(c))
		events |= UV_READABLE;
	if (c->out.len > 0 || !list_is_empty(&c->waiters))
		events |= UV_WRITABLE;
	if (events == c->events)
		return;
	c->events = events;
	if (events == 0)
		uv_poll_stop(&c->poll);
	else if (uv_poll_start(&c->poll, events, on_ready) != 0)
		stream_close(c);
}

void stream_settle(struct stream *c)
{
	uint32_t before;

	do {
		before = c->delivered;
		if (!write_out(c) || c->is_delivering)
			return; /* gone, or settled again once the message that is handled is done
			           with */
		deliver_kept(c);
		if (c->is_closed)
			return;
	} while (c->delivered != before);
	if (c->is_read_out && c->in_flight == 0 && c->out.len == 0) {
		stream_close(c);
		return;
	}
	trim(c);
	renew_deadlines(c);
	renew_interest(c);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct stream *c = poll->data;
	struct stream_pool *p = c->pool;

	if (p->callbacks.on_turn != NULL)
		p->callbacks.on_turn(p->callbacks.arg);
	if (status < 0) { /* reset by the peer; libuv has stopped watching */
		stream_close(c);
		return;
	}
	if (events & UV_READABLE)
		read_turn(c);
	if ((events & UV_WRITABLE) && write_out(c) && !stream_is_full(c))
		call_waiters(c);
	stream_mark_dirty(c);
}

bool stream_open(struct stream_pool *p, int fd, const union addr *client)
{
	struct tls_context *tls = p->tls == NULL ? NULL : p->tls(p->callbacks.arg);
	struct stream *c = p->tls != NULL && tls == NULL ? NULL : calloc(1, sizeof(*c));
	socklen_t len = sizeof(union addr);

	if (c == NULL || uv_poll_init(p->loop, &c->poll, fd) != 0) {
		free(c);
		return false;
	}
	c->poll.data = c;
	c->has_handle = true;
	c->pool = p;
	c->fd = fd;
	c->client = *client;
	if (getsockname(fd, &c->local.sa, &len) != 0)
		c->local.sa.sa_family = AF_UNSPEC;
	list_init(&c->dirty);
	list_init(&c->waiters);
	list_init(&c->idle.node);
	list_init(&c->partial.node);
	list_init(&c->write.node);
	if (tls != NULL)
		stream_tls_begin(c, tls);
	list_push(&p->all, &c->all);
	list_push(stream_bucket(p, client), &c->bucket);
	p->open++;
	p->alive++;
	stream_mark_dirty(c); /* settling begins to read and starts the idle time */
	return true;
}
