#include "core/stream_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "dns/rr.h"
#include "net/stream.h"
#include "net/tls_files.h"

/* Answers of upstream servers take at most a few seconds. */
#define CLOSE_GRACE_MS 5000u

/* Of handshakes that fail: anybody may begin one, with any worker. */
static struct log_limit_shared tls_log = LOG_LIMIT_SHARED(1, 3);

struct stream_server {
	struct list node; /* in w->stream_servers */
	struct worker *w;
	const struct serving *serving; /* NULL once it is closed */
	struct stream_pool *pool;
	struct worker_flush flush;
};

static void channel_send(struct query *q, const uint8_t *message, size_t n)
{
	stream_send(q->socket, message, n);
}

static bool channel_is_closed(const struct query *q)
{
	return stream_is_closed(q->socket);
}

static void on_room(struct stream_waiter *w)
{
	struct query *q = container_of(w, struct query, waiter);

	q->on_room(q);
}

static void channel_wait_room(struct query *q)
{
	q->waiter.fn = on_room;
	stream_wait_room(q->socket, &q->waiter);
}

static void channel_abort(struct query *q)
{
	stream_abort(q->socket);
}

static const struct query_channel channel = {
	channel_send, channel_is_closed, channel_wait_room, channel_abort};

/* The end of a query's way, at once or after it was parked. */
static void finish(struct query *q)
{
	struct worker *w = q->worker;
	struct stream *c = q->socket;

	list_remove(&q->waiter.node);
	if (q->is_sent) {
		worker_count(&w->answers, 1);
	} else if (!q->is_dropped && !stream_is_closed(c)) {
		q->keepalive = stream_keepalive(c);
		stream_send(c, w->stream_buf, query_encode(q, w->stream_buf, UINT16_MAX));
		worker_count(&w->answers, 1);
	}
	stream_done(c);
	query_release(q);
}

/* More than any question needs: its header alone is looked at and answered. */
static bool refuse_long(struct query *q)
{
	q->is_dropped = msg_parse(&q->msg, q->buf, MSG_HEADER) == MSG_DROP;
	q->answer.rcode = q->msg.opcode == OPCODE_QUERY ? RCODE_FORMERR : RCODE_NOTIMP;
	return false;
}

static void on_message(struct stream *c, const uint8_t *message, size_t len, void *arg)
{
	struct stream_server *s = arg;
	struct query *q = s->serving == NULL ? NULL : worker_take_query(s->w);
	bool runs;

	if (q == NULL) {
		stream_done(c);
		return;
	}
	q->transport = stream_has_tls(c) ? TRANSPORT_TLS : TRANSPORT_TCP;
	q->client = *stream_client(c);
	q->local = *stream_local(c);
	q->generation = s->serving->generation;
	q->socket = c;
	q->on_done = finish;
	q->channel = &channel;
	q->wire_len = len > QUERY_BUF ? MSG_HEADER : len;
	memcpy(q->buf, message, q->wire_len);
	runs = len > QUERY_BUF ? refuse_long(q) : query_prepare(q, s->serving->group);
	if (!runs || query_run(q) != QUERY_PARKED)
		finish(q);
}

static void on_turn(void *arg)
{
	struct stream_server *s = arg;

	worker_enter(s->w);
}

static void flush_later(void *arg)
{
	struct stream_server *s = arg;

	worker_flush_later(s->w, &s->flush);
}

static void on_flush(struct worker_flush *f)
{
	struct stream_server *s = container_of(f, struct stream_server, flush);

	stream_pool_flush(s->pool);
}

static void on_tls_failed(struct stream *c, const char *why, void *arg)
{
	struct stream_server *s = arg;
	char client[ADDR_TEXT_MAX];
	uint64_t swallowed;

	if (!log_limit_shared_allows(&tls_log, s->w->now_ns / 1000000, &swallowed))
		return;
	addr_to_text(client, stream_client(c));
	if (swallowed > 0)
		log_warning("tls", "TLS with %s failed: %s (and %llu more that are not shown)",
			client, why, (unsigned long long)swallowed);
	else
		log_warning("tls", "TLS with %s failed: %s", client, why);
}

static void on_stopped(void *arg)
{
	struct stream_server *s = arg;

	list_remove(&s->flush.node);
	list_remove(&s->node);
	free(s);
}

static struct tls_context *get_tls(void *arg)
{
	struct stream_server *s = arg;

	return s->serving == NULL ? NULL : tls_files_context(s->serving->tls);
}

static const struct stream_limits *limits_of(const struct serving *serving)
{
	return serving->limits != NULL ? serving->limits : &stream_limits_default;
}

struct stream_server *stream_server_open(struct worker *w, int fd, const struct serving *serving)
{
	struct stream_server *s = mem_new(struct stream_server);
	struct stream_config config = {
	        .loop = w->loop,
	        .limits = limits_of(serving),
	        .tls = serving->tls != NULL ? get_tls : NULL,
	        .callbacks = {on_turn, on_message, flush_later, on_tls_failed, on_stopped, s},
	        .counters = &w->streams,
	};

	s->w = w;
	s->serving = serving;
	s->flush.fn = on_flush;
	list_init(&s->flush.node);
	list_push(&w->stream_servers, &s->node);
	s->pool = stream_pool_new(fd, &config);
	must(s->pool != NULL); /* a listening socket can always be watched */
	return s;
}

void stream_server_update(struct stream_server *s)
{
	stream_pool_limit(s->pool, limits_of(s->serving));
}

static void close_within(struct stream_server *s, uint32_t grace_ms)
{
	stream_pool_stop(s->pool, grace_ms);
	s->serving = NULL;
}

void stream_server_close(struct stream_server *s)
{
	close_within(s, CLOSE_GRACE_MS);
}

bool stream_server_is_sending(const struct worker *w)
{
	list_for_each (&w->stream_servers, node)
		if (stream_pool_is_sending(container_of(node, struct stream_server, node)->pool))
			return true;
	return false;
}

void stream_server_close_all(struct worker *w)
{
	list_for_each (&w->stream_servers, node)
		close_within(container_of(node, struct stream_server, node), 0);
}
