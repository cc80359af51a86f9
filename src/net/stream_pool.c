#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/stream_private.h"

/* Connections accepted in a turn, so that a storm of them does not starve UDP. */
#define ACCEPTS_PER_TURN 64u
/* Descriptors that connections of clients leave to the rest of the process, if there are enough. */
#define LEFT_TO_OTHERS 64
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

unsigned stream_pool_connections(const struct stream_pool *p)
{
	return p->open;
}

bool stream_pool_is_sending(const struct stream_pool *p)
{
	return !list_is_empty(&p->write);
}

/* A client is an IPv4 address or an IPv6 /64: one host has all addresses of its /64. */
static const uint8_t *client_key(const union addr *a, size_t *len)
{
	const uint8_t *ip = addr_ip(a, len);

	if (*len > 8)
		*len = 8;
	return ip;
}

struct list *stream_bucket(struct stream_pool *p, const union addr *client)
{
	size_t len;
	const uint8_t *key = client_key(client, &len);

	return &p->buckets[hash_bytes(p->seed, key, len) % STREAM_BUCKETS];
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

/* A message has begun and nothing else goes on: slow, or on purpose (slowloris). */
static bool is_unfinished(const struct stream *c)
{
	return !list_is_empty(&c->partial.node) && c->in_flight == 0;
}

static bool evict(struct stream_pool *p, struct stream *c)
{
	if (c == NULL)
		return false;
	stream_count(&p->counters->evicted);
	stream_close(c);
	return true;
}

/* Make room for one more connection of this client; false when all it has are busy. */
static bool make_room_for_client(struct stream_pool *p, const union addr *client)
{
	struct stream *idle = NULL, *half = NULL;
	unsigned n = 0;

	list_for_each (stream_bucket(p, client), node) {
		struct stream *c = container_of(node, struct stream, bucket);

		if (!is_same_client(&c->client, client))
			continue;
		n++;
		if (is_idle(c) && (idle == NULL || c->idle.since_ms < idle->idle.since_ms))
			idle = c;
		if (is_unfinished(c) &&
		        (half == NULL || c->partial.since_ms < half->partial.since_ms))
			half = c;
	}
	return n < p->limits.per_client || evict(p, idle) || evict(p, half);
}

/* The longest half received message of a connection that waits for no answer. */
static struct stream *oldest_unfinished(const struct stream_pool *p)
{
	list_for_each (&p->partial, node) {
		struct stream *c = owner_of_wait(node, WAIT_NODE(partial));

		if (is_unfinished(c))
			return c;
	}
	return NULL;
}

/* Close a connection that nobody will miss much. */
static bool evict_one(struct stream_pool *p)
{
	return evict(p, longest(&p->idle, WAIT_NODE(idle))) || evict(p, oldest_unfinished(p));
}

/* A session takes memory before it has shown that it is good for anything. */
static bool make_room_for_tls(struct stream_pool *p)
{
	while (p->tls != NULL && p->memory + STREAM_TLS_COST > p->limits.memory)
		if (!evict_one(p))
			return false;
	return true;
}

bool stream_pool_shed_memory(struct stream_pool *p, const struct stream *c)
{
	struct stream *writer = longest(&p->write, WAIT_NODE(write));
	struct stream *reader = longest(&p->partial, WAIT_NODE(partial));

	if (writer != NULL && writer != c)
		return evict(p, writer);
	if (reader != NULL && reader != c)
		return evict(p, reader);
	return false;
}

static void pause_accepting(struct stream_pool *p)
{
	p->is_paused = true;
	uv_poll_stop(&p->listener);
	stream_pool_watch_time(p);
}

static void admit(struct stream_pool *p, int fd, const union addr *client)
{
	bool has_room = make_room_for_client(p, client) &&
	                (p->open < p->limits.connections || evict_one(p)) &&
	                make_room_for_tls(p);

	if (has_room && stream_open(p, fd, client)) {
		stream_count(&p->counters->accepted);
		return;
	}
	close(fd);
	stream_count(&p->counters->refused);
}

static int accept_one(const struct stream_pool *p, union addr *client)
{
	socklen_t len = sizeof(*client);
	int fd = accept4(p->fd, &client->sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd >= 0 ? fd : -errno;
}

static void open_reserve(struct stream_pool *p)
{
	if (p->reserve_fd < 0)
		p->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/*
 * Few descriptors are left: an idle connection gives its own to the newcomer, or that is turned
 * away.
 */
static void replace_one(struct stream_pool *p, int fd, const union addr *client)
{
	int low = evict_one(p) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

	close(fd);
	if (low >= 0 && low < p->last_fd) {
		admit(p, low, client);
		return;
	}
	if (low >= 0)
		close(low);
	stream_count(&p->counters->refused);
}

/*
 * Out of descriptors, which the kernel says even when nobody waits: accept with the one in
 * reserve, then let an idle connection make room, or turn the newcomer away. 0 or -errno.
 */
static int accept_with_reserve(struct stream_pool *p)
{
	union addr client;
	int fd;

	if (p->reserve_fd < 0)
		return -EMFILE;
	close(p->reserve_fd);
	p->reserve_fd = -1;
	fd = accept_one(p, &client);
	if (fd >= 0)
		replace_one(p, fd, &client);
	open_reserve(p);
	return fd >= 0 ? 0 : fd;
}

/* True when accepting may go on at once. */
static bool on_accept_error(struct stream_pool *p, int code)
{
	if (code == -EMFILE || code == -ENFILE)
		code = accept_with_reserve(p);
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
	pause_accepting(p); /* trying at once again would only keep the processor busy */
	return false;
}

static void accept_up_to(struct stream_pool *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		union addr client;
		int fd = accept_one(p, &client);

		if (fd >= p->last_fd)
			replace_one(p, fd, &client);
		else if (fd >= 0)
			admit(p, fd, &client);
		else if (!on_accept_error(p, fd))
			break;
	}
	if (p->open > 0)
		stream_pool_watch_time(p);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct stream_pool *p = poll->data;

	(void)events;
	if (p->callbacks.on_turn != NULL)
		p->callbacks.on_turn(p->callbacks.arg);
	if (status < 0)
		pause_accepting(p);
	else
		accept_up_to(p, ACCEPTS_PER_TURN);
}

static bool resume_accepting(struct stream_pool *p)
{
	open_reserve(p);
	if (uv_poll_start(&p->listener, UV_READABLE, on_acceptable) != 0)
		return false;
	p->is_paused = false;
	return true;
}

/* Close what has waited in a list for limit_ms. */
static void expire(struct stream_pool *p, const struct list *head, size_t offset, uint32_t limit_ms)
{
	struct stream *c;

	while ((c = longest(head, offset)) != NULL) {
		const struct stream_wait *w = container_of(head->next, struct stream_wait, node);

		if (w->since_ms + limit_ms > uv_now(p->loop))
			return;
		stream_count(&p->counters->timeouts);
		c->is_late = true;
		stream_close(c);
	}
}

static void close_all(struct stream_pool *p)
{
	struct list *node;

	while ((node = list_first(&p->all)) != NULL)
		stream_close(container_of(node, struct stream, all));
}

static void on_handle_closed(uv_handle_t *h)
{
	stream_pool_unref(h->data);
}

static void on_tick(uv_timer_t *timer)
{
	struct stream_pool *p = timer->data;

	if (p->callbacks.on_turn != NULL)
		p->callbacks.on_turn(p->callbacks.arg);
	expire(p, &p->idle, WAIT_NODE(idle), p->limits.idle_ms);
	expire(p, &p->partial, WAIT_NODE(partial), p->limits.message_ms);
	expire(p, &p->write, WAIT_NODE(write), p->limits.write_ms);
	if (p->is_paused && !p->is_stopping)
		resume_accepting(p);
	if (p->is_stopping && uv_now(p->loop) >= p->stop_at_ms)
		close_all(p);
	if (p->open == 0 && !p->is_paused)
		uv_timer_stop(timer);
}

void stream_pool_watch_time(struct stream_pool *p)
{
	uint32_t tick_ms = p->limits.tick_ms;

	if (!uv_is_active((uv_handle_t *)&p->timer) && !uv_is_closing((uv_handle_t *)&p->timer))
		uv_timer_start(&p->timer, on_tick, tick_ms, tick_ms);
}

void stream_pool_limit(struct stream_pool *p, const struct stream_limits *limits)
{
	p->limits = *limits;
}

void stream_pool_flush(struct stream_pool *p)
{
	struct list *node;

	p->handshakes = 0;
	while ((node = list_first(&p->dirty)) != NULL) {
		list_remove(node);
		stream_settle(container_of(node, struct stream, dirty));
	}
}

static void init_lists(struct stream_pool *p)
{
	list_init(&p->all);
	list_init(&p->dirty);
	list_init(&p->idle);
	list_init(&p->partial);
	list_init(&p->write);
	for (size_t i = 0; i < STREAM_BUCKETS; i++)
		list_init(&p->buckets[i]);
}

/* The kernel hands out the lowest descriptor that is free. */
static int last_descriptor(void)
{
	struct rlimit limit;
	rlim_t left;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	left = limit.rlim_cur / 8 < LEFT_TO_OTHERS ? limit.rlim_cur / 8 : LEFT_TO_OTHERS;
	return (int)(limit.rlim_cur - left);
}

struct stream_pool *stream_pool_new(int fd, const struct stream_config *config)
{
	struct stream_pool *p = calloc(1, sizeof(*p));
	int on = 1;

	if (p == NULL || uv_poll_init(config->loop, &p->listener, fd) != 0) {
		free(p);
		return NULL;
	}
	must(uv_timer_init(config->loop, &p->timer) == 0);
	p->listener.data = p->timer.data = p;
	p->alive = 2; /* the two handles */
	p->loop = config->loop;
	p->fd = fd;
	p->reserve_fd = -1;
	p->last_fd = last_descriptor();
	p->limits = config->limits != NULL ? *config->limits : stream_limits_default;
	p->callbacks = config->callbacks;
	p->counters = config->counters;
	p->tls = config->tls;
	if (p->tls != NULL)
		p->tls_buf = mem_alloc(FRAME_PREFIX + FRAME_MESSAGE_MAX);
	rand_secure(&p->seed, sizeof(p->seed));
	init_lists(p);
	/* accepted sockets inherit it; answers leave in one piece, waiting for more is pointless */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!resume_accepting(p))
		pause_accepting(p);
	return p;
}

/* Nobody is accepted any more: what waits in the kernel would be reset, so take it first. */
static void stop_accepting(struct stream_pool *p)
{
	accept_up_to(p, ACCEPTS_AT_STOP);
	uv_close((uv_handle_t *)&p->listener, on_handle_closed);
	close(p->fd);
	p->fd = -1;
	if (p->reserve_fd >= 0)
		close(p->reserve_fd);
	p->reserve_fd = -1;
	p->is_paused = false;
}

/* Read all connections for the last time. Any of them may be closed meanwhile, also by another's.
 */
static void read_all_out(struct stream_pool *p)
{
	struct list todo, *node;

	list_init(&todo);
	while ((node = list_first(&p->all)) != NULL) {
		list_remove(node);
		list_push(&todo, node);
	}
	while ((node = list_first(&todo)) != NULL) {
		list_remove(node);
		list_push(&p->all, node);
		stream_read_out(container_of(node, struct stream, all));
	}
}

void stream_pool_stop(struct stream_pool *p, uint32_t grace_ms)
{
	p->stop_at_ms = uv_now(p->loop) + grace_ms;
	if (p->callbacks.on_turn != NULL)
		p->callbacks.on_turn(p->callbacks.arg);
	if (!p->is_stopping) {
		stop_accepting(p);
		p->is_stopping = true;
		if (grace_ms > 0) {
			read_all_out(p);
			stream_pool_flush(p);
		}
	}
	if (grace_ms == 0)
		close_all(p);
	stream_pool_watch_time(p);
}

void stream_pool_unref(struct stream_pool *p)
{
	p->alive--;
	if (p->alive == 1 && p->is_stopping)
		uv_close((uv_handle_t *)&p->timer, on_handle_closed);
	if (p->alive > 0)
		return;
	p->callbacks.on_stopped(p->callbacks.arg);
	free(p->tls_buf);
	free(p);
}
