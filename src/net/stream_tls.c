/*
 * TLS below the framing. What comes from the network goes through the session into the pool's
 * scratch, from where messages are handed over as ever; what is sent goes through the session into
 * the connection's output queue, whose limits and deadlines so hold for TLS too. The session itself
 * keeps nothing but a part of a record.
 */
#include <string.h>
#include <sys/socket.h>

#include "net/stream_private.h"

/* A whole record may be waiting for its end: with it, what comes fits the scratch. */
#define CHUNK (12u << 10)
#define RECORD_MAX (16u << 10)
/* Steps of handshakes in a turn: each costs as much as a hundred answers. */
#define HANDSHAKES_PER_TURN 8u

_Static_assert(CHUNK + RECORD_MAX + 1024 <= STREAM_SCRATCH, "a record and a read fit the scratch");

void stream_tls_begin(struct stream *c, struct tls_context *context)
{
	c->tls = tls_accept(context);
	c->tls_cost = STREAM_TLS_COST;
	c->pool->memory += c->tls_cost;
}

/* Count what the session takes now; false: there is no room for it, c is closed. */
static bool renew_cost(struct stream *c)
{
	struct stream_pool *p = c->pool;
	size_t cost = STREAM_TLS_COST + (tls_has_part(c->tls) ? STREAM_TLS_PART_COST : 0);

	p->memory = p->memory - c->tls_cost + cost;
	c->tls_cost = cost;
	while (p->memory > p->limits.memory && cost > STREAM_TLS_COST) {
		if (stream_pool_shed_memory(p, c))
			continue;
		stream_count(&p->counters->evicted);
		stream_close(c);
		return false;
	}
	return true;
}

bool stream_is_shaking_hands(const struct stream *c)
{
	return c->tls != NULL && tls_state(c->tls) == TLS_HANDSHAKE;
}

/* Put what the session has for the network behind what waits; false: c is closed. */
static bool pump(struct stream *c)
{
	size_t n;
	const uint8_t *at = tls_output(c->tls, &n);

	if (n == 0)
		return true;
	if (!stream_make_room(c, &c->out, n))
		return false;
	fifo_put(&c->out, at, n);
	tls_sent(c->tls, n);
	return true;
}

/* The peer has sent what must be answered (key updates), but reads no answers. */
static bool has_flooded(struct stream *c)
{
	struct stream_pool *p = c->pool;

	if (c->out.len <= p->limits.output_max)
		return false;
	stream_count(&p->counters->evicted);
	stream_close(c);
	return true;
}

static void note_failure(struct stream *c, enum tls_fault fault, const char *why)
{
	const struct stream_callbacks *owner = &c->pool->callbacks;

	stream_count(&c->pool->counters->tls_failed);
	stream_count(&c->pool->counters->tls_faults[fault]);
	/* who connects and leaves is a probe more often than a client */
	if (owner->on_tls_failed != NULL && fault != TLS_FAULT_CLOSED)
		owner->on_tls_failed(c, why, owner->arg);
}

static void note_state(struct stream *c, enum tls_state before)
{
	struct stream_counters *counters = c->pool->counters;
	enum tls_state now = tls_state(c->tls);

	if (now == before)
		return;
	if (now == TLS_FAILED)
		note_failure(c, tls_fault(c->tls), tls_problem(c->tls));
	if (before == TLS_HANDSHAKE && now != TLS_FAILED) {
		stream_count(&counters->handshakes);
		if (tls_is_resumed(c->tls))
			stream_count(&counters->resumed);
	}
	if (now != TLS_OPEN) /* the end, or a fault: an alert says so */
		c->is_read_out = true;
}

bool stream_tls_read(struct stream *c)
{
	struct stream_pool *p = c->pool;
	enum tls_state before = tls_state(c->tls);
	size_t n, part, got = 0;

	if (before == TLS_HANDSHAKE && p->handshakes++ >= HANDSHAKES_PER_TURN)
		return false; /* in the next turn */
	n = stream_receive(c, p->tls_buf, CHUNK);
	if (n == 0)
		return false;
	tls_feed(c->tls, p->tls_buf, n);
	while ((part = tls_read(c->tls, p->scratch + got, STREAM_SCRATCH - got)) > 0)
		got += part;
	note_state(c, before);
	if (!renew_cost(c) || !pump(c) || has_flooded(c))
		return false;
	stream_take(c, got);
	return n == CHUNK && !c->is_closed;
}

void stream_tls_put(struct stream *c, const uint8_t *message, size_t len)
{
	uint8_t *at = c->pool->tls_buf;
	size_t left = FRAME_PREFIX + len;
	enum tls_state before = tls_state(c->tls);

	/* with its length in one record: some clients cannot wait for the rest (RFC 7858 3.3) */
	at[0] = (uint8_t)(len >> 8);
	at[1] = (uint8_t)len;
	memcpy(at + FRAME_PREFIX, message, len);
	while (left > 0) {
		size_t part = left < RECORD_MAX ? left : RECORD_MAX;

		if (tls_write(c->tls, at, part) != 0) {
			note_state(c, before);
			stream_close(c);
			return;
		}
		if (!pump(c))
			return;
		at += part;
		left -= part;
	}
}

void stream_tls_end(struct stream *c)
{
	const uint8_t *at;
	size_t n;

	if (c->tls == NULL)
		return;
	c->pool->memory -= c->tls_cost;
	if (stream_is_shaking_hands(c))
		note_failure(c, c->is_late ? TLS_FAULT_TIMEOUT : TLS_FAULT_CLOSED,
		        "the handshake takes too long");
	if (c->out.len > 0)
		return;
	tls_close(c->tls);
	at = tls_output(c->tls, &n);
	if (n > 0 && send(c->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return; /* it was a courtesy */
}
