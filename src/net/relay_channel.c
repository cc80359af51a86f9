#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "net/relay_internal.h"

#define STREAM_MAX (65535u + 2u)
/*
 * A server that closes its connections behind the first answer, whatever else it has been asked
 * there, gets a connection for each question, for so long and so many at a time.
 */
#define SINGLE_MS 60000u
#define SINGLES_MAX 100u

/* --- attempts by socket and ID --- */

static struct attempt **bucket(struct relay *r, uint32_t number, uint16_t id)
{
	uint64_t key = (uint64_t)number << 16 | id;

	return &r->by_id[(key * 0x9e3779b97f4a7c15u >> 40) % ID_BUCKETS];
}

static struct attempt *find_attempt(struct channel *ch, uint16_t id)
{
	struct attempt *a = *bucket(ch->upstream->relay, ch->number, id);

	while (a != NULL && (a->id != id || a->channel != ch))
		a = a->next_id;
	return a;
}

static void attach(struct attempt *a, struct channel *ch)
{
	struct attempt **at;

	do
		a->id = rand_secure_u16();
	while (find_attempt(ch, a->id) != NULL);
	at = bucket(ch->upstream->relay, ch->number, a->id);
	a->channel = ch;
	a->next_id = *at;
	*at = a;
	list_push(&ch->attempts, &a->on_channel);
	ch->uses++;
}

static void detach(struct attempt *a)
{
	struct channel *ch = a->channel;
	struct attempt **at = bucket(ch->upstream->relay, ch->number, a->id);

	while (*at != a)
		at = &(*at)->next_id;
	*at = a->next_id;
	list_remove(&a->on_channel);
	a->channel = NULL;
}

/* --- channels --- */

static struct channel *channel_new(struct upstream *up, void (*on_timer)(struct wheel_node *))
{
	struct channel *ch = mem_new(struct channel);

	list_init(&ch->node);
	list_init(&ch->attempts);
	ch->upstream = up;
	ch->number = up->relay->next_number++;
	ch->opened_ms = relay_now_ms(up->relay);
	if (up->is_gone)
		ch->uses = SOCKET_USES; /* one more query, to finish what began there */
	wheel_node_init(&ch->timer, on_timer);
	return ch;
}

/* Close the socket; the memory lives until nothing on the stack can use it. */
static void channel_close(struct channel *ch)
{
	struct relay *r = ch->upstream->relay;

	must(list_is_empty(&ch->attempts) && !ch->is_closed);
	wheel_cancel(&r->wheel, &ch->timer);
	if (ch->udp != NULL)
		relay_udp_close(ch->udp);
	if (ch->tcp != NULL)
		relay_tcp_close(ch->tcp);
	ch->is_closed = true;
	ch->upstream->singles -= ch->is_single;
	list_remove(&ch->node);
	list_push(&r->dead, &ch->node);
}

void channels_free(struct relay *r)
{
	struct list *node;

	while ((node = list_first(&r->dead)) != NULL) {
		struct channel *ch = container_of(node, struct channel, node);

		list_remove(node);
		free(ch->in);
		free(ch);
	}
}

/* No new query goes there; it is closed when nothing is outstanding any more. */
static void channel_retire(struct channel *ch)
{
	struct upstream *up = ch->upstream;

	for (unsigned i = 0; i < SOCKETS; i++)
		if (up->udp[i] == ch)
			up->udp[i] = NULL;
	if (up->tcp == ch)
		up->tcp = NULL;
	ch->is_retired = true;
	if (list_is_empty(&ch->attempts))
		channel_close(ch);
	else if (list_is_empty(&ch->node))
		list_push(&up->retired, &ch->node);
}

void channels_close(struct upstream *up)
{
	for (unsigned i = 0; i < SOCKETS; i++)
		if (up->udp[i] != NULL)
			channel_retire(up->udp[i]);
	if (up->tcp != NULL)
		channel_retire(up->tcp);
}

static void on_channel_timer(struct wheel_node *n)
{
	channel_retire(container_of(n, struct channel, timer));
}

/*
 * A random socket, the same one for all queries of a turn, so that they leave in one system call
 * and come back in one. Whoever wants to forge a reply has to guess among as many ports as before.
 */
static unsigned draw_slot(struct upstream *up)
{
	if (up->slot_turn != up->relay->flushes) {
		up->slot_turn = up->relay->flushes;
		up->slot = rand_secure_u16() % SOCKETS;
	}
	return up->slot;
}

static int udp_channel(struct upstream *up, struct channel **out)
{
	unsigned slot = draw_slot(up);
	struct channel *ch = up->udp[slot];
	int rc;

	if (ch != NULL) {
		stat_add(&up->stats->cache_hits_udp, 1);
		*out = ch;
		return 0;
	}
	stat_add(&up->stats->cache_misses_udp, 1);
	ch = channel_new(up, on_channel_timer);
	rc = relay_udp_open(up->relay->io, &up->way, ch, &ch->udp);
	if (rc != 0) {
		free(ch);
		return rc;
	}
	up->udp[slot] = ch;
	relay_timer(up->relay, &ch->timer, up->relay->config.expire_ms);
	*out = ch;
	return 0;
}

static bool is_too_old(const struct channel *ch)
{
	const struct relay *r = ch->upstream->relay;

	return r->config.max_age_ms != 0 && relay_now_ms(r) >= ch->opened_ms + r->config.max_age_ms;
}

static int tcp_channel(struct upstream *up, struct channel **out)
{
	struct channel *ch = up->tcp;
	int rc;

	if (ch != NULL && is_too_old(ch)) {
		channel_retire(ch);
		ch = NULL;
	}
	if (ch != NULL) {
		stat_add(&up->stats->cache_hits_tcp, 1);
		wheel_cancel(&up->relay->wheel, &ch->timer);
		*out = ch;
		return 0;
	}
	stat_add(&up->stats->cache_misses_tcp, 1);
	ch = channel_new(up, on_channel_timer);
	rc = relay_tcp_open(up->relay->io, &up->way, ch, &ch->tcp);
	if (rc != 0) {
		free(ch);
		return rc;
	}
	up->tcp = ch;
	*out = ch;
	return 0;
}

static bool wants_single(const struct upstream *up)
{
	return relay_now_ms(up->relay) < up->single_until_ms && up->singles < SINGLES_MAX;
}

/* A query has gone there: perhaps no other one will. */
static void after_query(struct channel *ch)
{
	struct upstream *up = ch->upstream;

	if (wants_single(up)) {
		ch->is_single = true;
		up->singles++;
	}
	if (ch->is_single || up->is_gone)
		channel_retire(ch);
}

int attempt_send(struct attempt *a)
{
	struct upstream *up = a->upstream;
	struct relay *r = up->relay;
	uint8_t wire[RELAY_QUERY_MAX];
	struct channel *ch;
	size_t n;
	int rc = a->is_tcp ? tcp_channel(up, &ch) : udp_channel(up, &ch);

	a->sent_ns = r->host.now_ns(r->host.arg);
	up->asked_ms = a->sent_ns / 1000000u;
	if (rc != 0)
		return rc;
	attach(a, ch);
	a->has_random_case = r->config.has_random_case && !a->is_tcp && a->exchange->probed == NULL;
	if (a->has_random_case)
		rand_secure(&a->letter_case, sizeof(a->letter_case));
	n = question_write(&a->exchange->question, a, wire);
	if (a->is_tcp) {
		stat_add(&up->stats->sends_tcp, 1);
		relay_tcp_send(ch->tcp, wire, n);
		after_query(ch);
		return 0;
	}
	stat_add(&up->stats->sends_udp, 1);
	relay_udp_send(ch->udp, wire, n, a->exchange->tries > 1);
	r->host.flush_later(r->host.arg);
	if (ch->uses >= SOCKET_USES)
		channel_retire(ch);
	return 0;
}

/* More sockets of the server are open without a question than max_idle allows. */
static bool has_too_many_idle(const struct upstream *up)
{
	unsigned idle = 0;

	if (up->relay->config.max_idle == 0)
		return false;
	for (unsigned i = 0; i < SOCKETS; i++)
		idle += up->udp[i] != NULL && list_is_empty(&up->udp[i]->attempts);
	return idle > up->relay->config.max_idle;
}

void attempt_close(struct attempt *a)
{
	struct channel *ch = a->channel;

	if (ch == NULL)
		return;
	detach(a);
	if (!list_is_empty(&ch->attempts) || ch->is_closed)
		return;
	if (ch->is_retired)
		channel_close(ch);
	else if (ch->tcp != NULL)
		relay_timer(ch->upstream->relay, &ch->timer, ch->upstream->relay->config.expire_ms);
	else if (has_too_many_idle(ch->upstream))
		channel_retire(ch);
}

/* --- what the sockets report --- */

static void on_message(struct channel *ch, const uint8_t *data, size_t n, bool is_cut)
{
	enum relay_bad bad = reply_check_header(data, n);
	struct attempt *a = bad == BAD_REASONS ? find_attempt(ch, get16(data)) : NULL;

	if (a != NULL)
		attempt_reply(a, data, n, is_cut);
	else
		stat_add(&ch->upstream->stats->bad[bad == BAD_REASONS ? BAD_ID : bad], 1);
}

static void on_datagram(void *socket_arg, const uint8_t *data, size_t n, bool is_cut)
{
	struct channel *ch = socket_arg;
	struct relay *r = ch->upstream->relay;

	on_message(ch, data, n, is_cut);
	relay_reap(r);
}

/*
 * ICMP says that the server is not there. The attempts stay open, because such a message can be
 * forged or old, but nobody waits for them: each question goes on to the next server.
 */
static void on_udp_error(void *socket_arg, int error)
{
	struct channel *ch = socket_arg;
	struct relay *r = ch->upstream->relay;
	struct list *node;

	list_for_each (&ch->attempts, at) {
		struct attempt *a = container_of(at, struct attempt, on_channel);

		a->exchange->error = error;
		a->has_error = true;
		a->is_unhandled = true;
	}
	upstream_suspect(ch->upstream);
	while (!ch->is_closed && (node = list_first(&ch->attempts)) != NULL) {
		struct attempt *a = container_of(node, struct attempt, on_channel);

		if (!a->is_unhandled)
			break;
		a->is_unhandled = false;
		list_remove(node);
		list_push(&ch->attempts, node);
		attempt_error(a);
	}
	relay_reap(r);
}

/* Send a again on a fresh connection, or give it up. */
static void resend(struct attempt *a, bool may_retry, int error)
{
	bool was_second = a->is_second;

	detach(a);
	a->is_second = true;
	a->exchange->error = error == 0 ? -ECONNRESET : error;
	if (may_retry && !was_second && attempt_send(a) == 0)
		return;
	a->has_error = true;
	attempt_error(a);
}

/* One answer came, and the end, although more had been asked before it. */
static bool answers_once(const struct channel *ch)
{
	struct list *node = list_first(&ch->attempts);

	return ch->answers == 1 && node != NULL &&
	       container_of(node, struct attempt, on_channel)->sent_ns < ch->heard_ns;
}

/*
 * The connection ended. A peer may close an idle connection while we send on it (RFC 7766 6.2.1):
 * what was outstanding is sent once more on a new connection.
 */
static void end_stream(struct channel *ch, int error)
{
	bool was_open = error == 0 || error == -ECONNRESET || error == -EPIPE || error == -EPROTO;
	struct upstream *up = ch->upstream;
	struct list *node;

	if (up->tcp == ch)
		up->tcp = NULL;
	if (!was_open)
		upstream_suspect(up);
	else if (answers_once(ch))
		up->single_until_ms = relay_now_ms(up->relay) + SINGLE_MS;
	ch->is_retired = true;
	while ((node = list_first(&ch->attempts)) != NULL)
		resend(container_of(node, struct attempt, on_channel), was_open, error);
	if (!ch->is_closed)
		channel_close(ch);
}

static void on_tcp_end(void *socket_arg, int error)
{
	struct channel *ch = socket_arg;
	struct relay *r = ch->upstream->relay;

	end_stream(ch, error);
	relay_reap(r);
}

/* Hand out the whole messages in ch->in; false when the stream is not DNS. */
static bool take_messages(struct channel *ch)
{
	size_t at = 0;

	while (ch->in_len - at >= 2) {
		size_t n = get16(ch->in + at);

		if (n < MSG_HEADER)
			return false;
		if (ch->in_len - at < 2 + n)
			break;
		ch->answers++;
		ch->heard_ns = ch->upstream->relay->host.now_ns(ch->upstream->relay->host.arg);
		on_message(ch, ch->in + at + 2, n, false);
		if (ch->is_closed)
			return true;
		at += 2 + n;
	}
	ch->in_len -= at;
	memmove(ch->in, ch->in + at, ch->in_len);
	return true;
}

static void on_stream(void *socket_arg, const uint8_t *data, size_t n)
{
	struct channel *ch = socket_arg;
	struct relay *r = ch->upstream->relay;
	bool is_good = true;

	if (ch->in == NULL)
		ch->in = mem_alloc(STREAM_MAX);
	while (n > 0 && is_good && !ch->is_closed) {
		size_t part = STREAM_MAX - ch->in_len < n ? STREAM_MAX - ch->in_len : n;

		memcpy(ch->in + ch->in_len, data, part);
		ch->in_len += part;
		data += part;
		n -= part;
		is_good = take_messages(ch);
	}
	if (!is_good)
		end_stream(ch, -EPROTO);
	relay_reap(r);
}

static void on_refused(void *arg, unsigned n)
{
	struct relay *r = arg;

	stat_add(&r->totals->refused, n);
}

const struct relay_io_handlers relay_handlers = {
        .on_datagram = on_datagram,
        .on_udp_error = on_udp_error,
        .on_stream = on_stream,
        .on_tcp_end = on_tcp_end,
        .on_timer = relay_on_timer,
        .on_refused = on_refused,
};
