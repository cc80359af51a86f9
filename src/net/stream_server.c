#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/rand.h"
#include "net/stream_private.h"

/* Connections accepted in a turn, so that a storm of them does not starve UDP. */
#define ACCEPTS_PER_TURN 64u
/* A whole backlog, and what comes while it is emptied. */
#define ACCEPTS_AT_STOP 1024u

const struct stream_limits stream_limits_default = {
        /* stub resolvers keep a connection for seconds, not minutes */
        .idle_ms = 10000,
        /* with tick_ms at most 3 s: several round trips to the other side of the world */
        .message_ms = 2750,
        .write_ms = 10000,
        .tick_ms = 250,
        /* for each worker: 1000 descriptors of the usual limit of many thousands */
        .connections = 1000,
        /* a node-local cache or NAT speaks for many clients; one client must not take all */
        .per_client = 250,
        /* a caching forwarder sends bursts; 100 of 4096 queries that a worker has in hand */
        .in_flight = 100,
        .output_pause = 64u << 10,
        .output_max = 256u << 10,
        /* with everything that a worker needs else, it fits a container of 64 MiB */
        .memory = 16u << 20,
};

static struct stream *owner_of_wait(struct list *node, size_t offset)
{
	return (struct stream *)((char *)node - offset);
}

#define WAIT_NODE(which) (offsetof(struct stream, which) + offsetof(struct stream_wait, node))

/* The connection that waits longest in a list, or NULL. */
static struct stream *longest(const struct list *head, size_t offset)
{
	struct list *node = list_first(head);

	return node == NULL ? NULL : owner_of_wait(node, offset);
}

unsigned stream_server_connections(const struct stream_server *s)
{
	return s->open;
}

/* A client is an IPv4 address or an IPv6 /64: one host has all addresses of its /64. */
static const uint8_t *client_key(const union addr *a, size_t *len)
{
	const uint8_t *ip = addr_ip(a, len);

	if (*len > 8)
		*len = 8;
	return ip;
}

struct list *stream_bucket(struct stream_server *s, const union addr *client)
{
	size_t len;
	const uint8_t *key = client_key(client, &len);

	return &s->buckets[hash_bytes(s->seed, key, len) % STREAM_BUCKETS];
}

static bool is_same_client(const union addr *a, const union addr *b)
{
	size_t an, bn;
	const uint8_t *ak = client_key(a, &an), *bk = client_key(b, &bn);

	return an == bn && memcmp(ak, bk, an) == 0;
}

static bool is_idle(const struct stream *c)
{
	return !list_is_empty(&c->idle.node);
}

static bool evict(struct stream_server *s, struct stream *c)
{
	if (c == NULL)
		return false;
	stream_count(&s->counters->evicted);
	stream_close(c);
	return true;
}

/* Make room for one more connection of this client; false when all it has are busy. */
static bool make_room_for_client(struct stream_server *s, const union addr *client)
{
	struct stream *oldest = NULL;
	unsigned n = 0;

	list_for_each (stream_bucket(s, client), node) {
		struct stream *c = container_of(node, struct stream, bucket);

		if (!is_same_client(&c->client, client))
			continue;
		n++;
		if (is_idle(c) && (oldest == NULL || c->idle.since_ms < oldest->idle.since_ms))
			oldest = c;
	}
	return n < s->limits.per_client || evict(s, oldest);
}

/* The longest half received message of a connection that waits for no answer. */
static struct stream *oldest_unfinished(const struct stream_server *s)
{
	list_for_each (&s->partial, node) {
		struct stream *c = owner_of_wait(node, WAIT_NODE(partial));

		if (c->in_flight == 0)
			return c;
	}
	return NULL;
}

/* Close a connection that nobody will miss much. */
static bool evict_one(struct stream_server *s)
{
	return evict(s, longest(&s->idle, WAIT_NODE(idle))) || evict(s, oldest_unfinished(s));
}

bool stream_server_shed_memory(struct stream_server *s, const struct stream *c)
{
	struct stream *writer = longest(&s->write, WAIT_NODE(write));
	struct stream *reader = longest(&s->partial, WAIT_NODE(partial));

	if (writer != NULL && writer != c)
		return evict(s, writer);
	if (reader != NULL && reader != c)
		return evict(s, reader);
	return false;
}

static void pause_accepting(struct stream_server *s)
{
	s->is_paused = true;
	uv_poll_stop(&s->listener);
	stream_server_watch_time(s);
}

static void admit(struct stream_server *s, int fd, const union addr *client)
{
	bool has_room = make_room_for_client(s, client) &&
	                (s->open < s->limits.connections || evict_one(s));

	if (has_room && stream_open(s, fd, client)) {
		stream_count(&s->counters->accepted);
		return;
	}
	close(fd);
	stream_count(&s->counters->refused);
}

static int accept_one(const struct stream_server *s, union addr *client)
{
	socklen_t len = sizeof(*client);
	int fd = accept4(s->fd, &client->sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd >= 0 ? fd : -errno;
}

static void open_reserve(struct stream_server *s)
{
	if (s->reserve_fd < 0)
		s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/*
 * Out of descriptors, which the kernel says even when nobody waits: accept with the one in
 * reserve, then let an idle connection make room, or turn the newcomer away. 0 or -errno.
 */
static int accept_with_reserve(struct stream_server *s)
{
	union addr client;
	int fd;

	if (s->reserve_fd < 0)
		return -EMFILE;
	close(s->reserve_fd);
	s->reserve_fd = -1;
	fd = accept_one(s, &client);
	if (fd >= 0 && evict_one(s)) {
		admit(s, fd, &client);
	} else if (fd >= 0) {
		close(fd);
		stream_count(&s->counters->refused);
	}
	open_reserve(s);
	return fd >= 0 ? 0 : fd;
}

/* True when accepting may go on at once. */
static bool on_accept_error(struct stream_server *s, int code)
{
	if (code == -EMFILE || code == -ENFILE)
		code = accept_with_reserve(s);
	switch (-code) {
	case EAGAIN: return false;
	case 0:
	case EINTR:
	case ECONNABORTED:
	case EPERM:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH: return true; /* of one connection: accept(2), "Error handling" */
	default: break;
	}
	pause_accepting(s); /* trying at once again would only keep the processor busy */
	return false;
}

static void accept_up_to(struct stream_server *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		union addr client;
		int fd = accept_one(s, &client);

		if (fd >= 0)
			admit(s, fd, &client);
		else if (!on_accept_error(s, fd))
			break;
	}
	if (s->open > 0)
		stream_server_watch_time(s);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct stream_server *s = poll->data;

	(void)events;
	if (s->callbacks.on_turn != NULL)
		s->callbacks.on_turn(s->callbacks.arg);
	if (status < 0)
		pause_accepting(s);
	else
		accept_up_to(s, ACCEPTS_PER_TURN);
}

static bool resume_accepting(struct stream_server *s)
{
	open_reserve(s);
	if (uv_poll_start(&s->listener, UV_READABLE, on_acceptable) != 0)
		return false;
	s->is_paused = false;
	return true;
}

/* Close what has waited in a list for limit_ms. */
static void expire(
        struct stream_server *s, const struct list *head, size_t offset, uint32_t limit_ms)
{
	struct stream *c;

	while ((c = longest(head, offset)) != NULL) {
		const struct stream_wait *w = container_of(head->next, struct stream_wait, node);

		if (w->since_ms + limit_ms > uv_now(s->loop))
			return;
		stream_count(&s->counters->timeouts);
		stream_close(c);
	}
}

static void close_all(struct stream_server *s)
{
	struct list *node;

	while ((node = list_first(&s->all)) != NULL)
		stream_close(container_of(node, struct stream, all));
}

static void on_handle_closed(uv_handle_t *h)
{
	stream_server_unref(h->data);
}

static void on_tick(uv_timer_t *timer)
{
	struct stream_server *s = timer->data;

	if (s->callbacks.on_turn != NULL)
		s->callbacks.on_turn(s->callbacks.arg);
	expire(s, &s->idle, WAIT_NODE(idle), s->limits.idle_ms);
	expire(s, &s->partial, WAIT_NODE(partial), s->limits.message_ms);
	expire(s, &s->write, WAIT_NODE(write), s->limits.write_ms);
	if (s->is_paused && !s->is_stopping)
		resume_accepting(s);
	if (s->is_stopping && uv_now(s->loop) >= s->stop_at_ms)
		close_all(s);
	if (s->open == 0 && !s->is_paused)
		uv_timer_stop(timer);
}

void stream_server_watch_time(struct stream_server *s)
{
	uint32_t tick_ms = s->limits.tick_ms;

	if (!uv_is_active((uv_handle_t *)&s->timer) && !uv_is_closing((uv_handle_t *)&s->timer))
		uv_timer_start(&s->timer, on_tick, tick_ms, tick_ms);
}

void stream_server_flush(struct stream_server *s)
{
	struct list *node;

	while ((node = list_first(&s->dirty)) != NULL) {
		list_remove(node);
		stream_settle(container_of(node, struct stream, dirty));
	}
}

static void init_lists(struct stream_server *s)
{
	list_init(&s->all);
	list_init(&s->dirty);
	list_init(&s->idle);
	list_init(&s->partial);
	list_init(&s->write);
	for (size_t i = 0; i < STREAM_BUCKETS; i++)
		list_init(&s->buckets[i]);
}

struct stream_server *stream_server_new(int fd, const struct stream_config *config)
{
	struct stream_server *s = calloc(1, sizeof(*s));
	int on = 1;

	if (s == NULL || uv_poll_init(config->loop, &s->listener, fd) != 0) {
		free(s);
		return NULL;
	}
	must(uv_timer_init(config->loop, &s->timer) == 0);
	s->listener.data = s->timer.data = s;
	s->alive = 2; /* the two handles */
	s->loop = config->loop;
	s->fd = fd;
	s->reserve_fd = -1;
	s->limits = config->limits != NULL ? *config->limits : stream_limits_default;
	s->callbacks = config->callbacks;
	s->counters = config->counters;
	rand_secure(&s->seed, sizeof(s->seed));
	init_lists(s);
	/* accepted sockets inherit it; answers leave in one piece, waiting for more is pointless */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!resume_accepting(s))
		pause_accepting(s);
	return s;
}

/* Nobody is accepted any more: what waits in the kernel would be reset, so take it first. */
static void stop_accepting(struct stream_server *s)
{
	accept_up_to(s, ACCEPTS_AT_STOP);
	uv_close((uv_handle_t *)&s->listener, on_handle_closed);
	close(s->fd);
	s->fd = -1;
	if (s->reserve_fd >= 0)
		close(s->reserve_fd);
	s->reserve_fd = -1;
	s->is_paused = false;
}

/* Read all connections for the last time. Any of them may be closed meanwhile, also by another's.
 */
static void read_all_out(struct stream_server *s)
{
	struct list todo, *node;

	list_init(&todo);
	while ((node = list_first(&s->all)) != NULL) {
		list_remove(node);
		list_push(&todo, node);
	}
	while ((node = list_first(&todo)) != NULL) {
		list_remove(node);
		list_push(&s->all, node);
		stream_read_out(container_of(node, struct stream, all));
	}
}

void stream_server_stop(struct stream_server *s, uint32_t grace_ms)
{
	s->stop_at_ms = uv_now(s->loop) + grace_ms;
	if (s->callbacks.on_turn != NULL)
		s->callbacks.on_turn(s->callbacks.arg);
	if (!s->is_stopping) {
		stop_accepting(s);
		s->is_stopping = true;
		read_all_out(s);
		stream_server_flush(s);
	}
	if (grace_ms == 0)
		close_all(s);
	stream_server_watch_time(s);
}

void stream_server_unref(struct stream_server *s)
{
	s->alive--;
	if (s->alive == 1 && s->is_stopping)
		uv_close((uv_handle_t *)&s->timer, on_handle_closed);
	if (s->alive > 0)
		return;
	s->callbacks.on_stopped(s->callbacks.arg);
	free(s);
}
