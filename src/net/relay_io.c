#include "net/relay_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/outbox.h"
#include "net/tls.h"

#define BATCH 32u
#define QUEUE OUTBOX_MAX
/* Batches in one wake-up of a socket, so that the others get their turn. */
#define ROUNDS_MAX 8
/* More messages than that leave while epoll does not watch the socket: see send_packed(). */
#define WATCHED_SENDS_MAX 15u
#define STREAM_READ 16384u

struct queued {
	struct relay_udp *socket; /* NULL: sent, or closed meanwhile */
	uint16_t len;
	uint8_t data[RELAY_QUERY_MAX];
};

struct relay_io {
	struct relay_host host;
	struct relay_io_handlers handlers;
	void *relay_arg;
	uv_timer_t timer;
	unsigned handles; /* of libuv that are not closed yet; the last one frees this */
	struct list failed; /* sockets with an error to report */
	struct list broken; /* TLS sessions with one */
	unsigned queued;
	bool has_again; /* questions that were sent before */
	struct queued queue[QUEUE];
	struct outbox out;
	uint8_t in[BATCH][RELAY_DATAGRAM_MAX];
	uint8_t stream_in[STREAM_READ];
	uint8_t tls_in[STREAM_READ]; /* what was inside of it */
};

struct relay_udp {
	struct list failed;
	struct relay_io *io;
	void *arg;
	uv_poll_t poll;
	int fd;
	int error;
	bool is_closed;
};

struct relay_tcp {
	struct list broken;
	struct relay_io *io;
	void *arg;
	uv_tcp_t tcp;
	uv_connect_t connect;
	bool is_closed, has_ended;
	struct tls_session *tls; /* NULL: plain */
	struct buf waiting; /* messages until the handshake is over */
	struct log_limit_shared *log;
	char peer[ADDR_TEXT_MAX];
};

struct tcp_write {
	uv_write_t req;
	struct relay_tcp *socket;
	uint8_t data[];
};

static void drop_handle(struct relay_io *io)
{
	if (--io->handles == 0)
		free(io);
}

/* --- timer --- */

static void on_timer(uv_timer_t *timer)
{
	struct relay_io *io = timer->data;

	io->host.enter(io->host.arg);
	io->handlers.on_timer(io->relay_arg);
}

struct relay_io *relay_io_new(
        const struct relay_host *host, const struct relay_io_handlers *h, void *relay_arg)
{
	struct relay_io *io = mem_new(struct relay_io);

	io->host = *host;
	io->handlers = *h;
	io->relay_arg = relay_arg;
	list_init(&io->failed);
	list_init(&io->broken);
	outbox_init(&io->out);
	must(uv_timer_init(host->loop, &io->timer) == 0);
	io->timer.data = io;
	io->handles = 1;
	return io;
}

static void on_timer_closed(uv_handle_t *handle)
{
	drop_handle(handle->data);
}

void relay_io_free(struct relay_io *io)
{
	uv_close((uv_handle_t *)&io->timer, on_timer_closed);
}

void relay_io_arm(struct relay_io *io, uint64_t ms)
{
	uv_update_time(io->host.loop);
	uv_timer_start(&io->timer, on_timer, ms, 0);
}

/* --- UDP --- */

/* Read what is there into io->in; the number of datagrams, or a negative errno. */
static int receive(struct relay_udp *s, struct mmsghdr *msgs)
{
	struct iovec iov[BATCH];
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){s->io->in[i], RELAY_DATAGRAM_MAX};
		memset(&msgs[i].msg_hdr, 0, sizeof(msgs[i].msg_hdr));
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(s->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n;
}

static void read_socket(struct relay_udp *s)
{
	const struct relay_io_handlers *h = &s->io->handlers;
	struct mmsghdr msgs[BATCH];
	int n = (int)BATCH;

	for (int round = 0; round < ROUNDS_MAX && n == (int)BATCH && !s->is_closed; round++) {
		n = receive(s, msgs);
		if (n < 0)
			h->on_udp_error(s->arg, n);
		for (int i = 0; i < n && !s->is_closed; i++)
			h->on_datagram(s->arg, s->io->in[i], msgs[i].msg_len,
			        (msgs[i].msg_hdr.msg_flags & MSG_TRUNC) != 0);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct relay_udp *s = poll->data;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)events;
	s->io->host.enter(s->io->host.arg);
	if (status == 0) {
		read_socket(s);
		return;
	}
	/* libuv stops a handle that reports POLLERR, which an ICMP message makes: go on */
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	uv_poll_start(poll, UV_READABLE, on_poll);
	if (error != 0)
		s->io->handlers.on_udp_error(s->arg, -error);
}

/* Bind to the configured source address; the port is chosen when the socket is connected. */
static int bind_source(int fd, const union addr *from)
{
	static const int on = 1;

	if (from->sa.sa_family == AF_UNSPEC)
		return 0;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, &from->sa, addr_len(from)) == 0 ? 0 : -errno;
}

static int connect_udp(const struct relay_route *way)
{
	int fd = socket(way->to.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	rc = bind_source(fd, &way->from);
	/* the kernel binds it to a random port */
	if (rc == 0 && connect(fd, &way->to.sa, addr_len(&way->to)) == 0)
		return fd;
	rc = rc == 0 ? -errno : rc;
	close(fd);
	return rc;
}

int relay_udp_open(struct relay_io *io, const struct relay_route *way, void *socket_arg,
        struct relay_udp **out)
{
	struct relay_udp *s;
	int fd = connect_udp(way), rc;

	if (fd < 0)
		return fd;
	s = mem_new(struct relay_udp);
	s->io = io;
	s->arg = socket_arg;
	s->fd = fd;
	list_init(&s->failed);
	outbox_probe(&io->out, fd);
	rc = uv_poll_init(io->host.loop, &s->poll, fd);
	if (rc != 0) {
		close(fd);
		free(s);
		return rc;
	}
	s->poll.data = s;
	io->handles++;
	uv_poll_start(&s->poll, UV_READABLE, on_poll);
	*out = s;
	return 0;
}

static void note_error(struct relay_udp *s, int error)
{
	s->error = error;
	if (list_is_empty(&s->failed))
		list_push(&s->io->failed, &s->failed);
}

/*
 * Send what is packed. For each message that leaves a socket the kernel tells whoever watches it
 * that there is room. Nobody here wants to know; for many it costs more than to stop watching.
 */
static int send_packed(struct relay_udp *s, unsigned n)
{
	int rc;

	if (n <= WATCHED_SENDS_MAX)
		return outbox_send(&s->io->out, s->fd);
	uv_poll_stop(&s->poll);
	rc = outbox_send(&s->io->out, s->fd);
	uv_poll_start(&s->poll, UV_READABLE, on_poll);
	return rc;
}

/*
 * Send all queued datagrams of the socket of queue entry `first`. What does not leave is
 * retransmitted by the schedule.
 */
static void send_socket(struct relay_io *io, unsigned first)
{
	struct relay_udp *s = io->queue[first].socket;
	int rc;

	for (unsigned i = first; i < io->queued; i++) {
		struct queued *q = &io->queue[i];

		if (q->socket != s)
			continue;
		outbox_add(&io->out, q->data, q->len);
		q->socket = NULL;
	}
	rc = send_packed(s, outbox_pack(&io->out, !io->has_again));
	if (rc != 0)
		note_error(s, rc);
}

static void transmit(struct relay_io *io)
{
	for (unsigned i = 0; i < io->queued; i++)
		if (io->queue[i].socket != NULL)
			send_socket(io, i);
	io->queued = 0;
	io->has_again = false;
}

void relay_udp_send(struct relay_udp *s, const uint8_t *data, size_t n, bool is_again)
{
	struct relay_io *io = s->io;
	struct queued *q;

	if (io->queued == QUEUE)
		transmit(io);
	q = &io->queue[io->queued++];
	q->socket = s;
	q->len = (uint16_t)n;
	io->has_again |= is_again;
	memcpy(q->data, data, n);
}

static void on_udp_closed(uv_handle_t *handle)
{
	struct relay_udp *s = handle->data;

	close(s->fd);
	drop_handle(s->io);
	free(s);
}

void relay_udp_close(struct relay_udp *s)
{
	struct relay_io *io = s->io;

	s->is_closed = true;
	list_remove(&s->failed);
	for (unsigned i = 0; i < io->queued; i++)
		if (io->queue[i].socket == s)
			io->queue[i].socket = NULL;
	uv_close((uv_handle_t *)&s->poll, on_udp_closed);
}

/* --- TCP --- */

static void end_tcp(struct relay_tcp *s, int error)
{
	if (s->is_closed || s->has_ended)
		return;
	s->has_ended = true;
	s->io->host.enter(s->io->host.arg);
	s->io->handlers.on_tcp_end(s->arg, error);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct relay_tcp *s = handle->data;

	(void)suggested;
	*buf = uv_buf_init((char *)s->io->stream_in, STREAM_READ);
}

static void on_written(uv_write_t *req, int status)
{
	struct tcp_write *w = req->data;
	struct relay_tcp *s = w->socket;

	free(w);
	if (status != 0)
		end_tcp(s, status);
}

/* Write a copy of n octets; those before the connection is there wait for it. */
static void write_tcp(struct relay_tcp *s, const uint8_t *data, size_t n)
{
	struct tcp_write *w = mem_alloc(sizeof(*w) + n);
	uv_buf_t buf = uv_buf_init((char *)w->data, (unsigned)n);

	w->socket = s;
	w->req.data = w;
	memcpy(w->data, data, n);
	/* a connection that broke already is reported by reading from it */
	if (uv_write(&w->req, (uv_stream_t *)&s->tcp, &buf, 1, on_written) != 0)
		free(w);
}

/* --- TLS --- */

/* Hand to the network what TLS has for it. */
static void push_tls(struct relay_tcp *s)
{
	size_t n;
	const uint8_t *data = tls_output(s->tls, &n);

	if (n == 0)
		return;
	write_tcp(s, data, n);
	tls_sent(s->tls, n);
}

static void log_tls(struct relay_tcp *s)
{
	uint64_t now_ms = s->io->host.now_ns(s->io->host.arg) / 1000000u, swallowed;
	const char *why = tls_problem(s->tls);

	if (s->log == NULL || !log_limit_shared_allows(s->log, now_ms, &swallowed))
		return;
	if (swallowed > 0)
		log_warning("plugin/forward", "TLS with %s failed: %s (and %llu times more)",
		        s->peer, why, (unsigned long long)swallowed);
	else
		log_warning("plugin/forward", "TLS with %s failed: %s", s->peer, why);
}

static void fail_tls(struct relay_tcp *s)
{
	push_tls(s); /* the alert */
	list_remove(&s->broken);
	log_tls(s);
	end_tcp(s, -EKEYREJECTED);
}

/* Hand out what is inside; the handler may close the socket. */
static void take_tls(struct relay_tcp *s)
{
	struct relay_io *io = s->io;
	size_t n;

	while (!s->is_closed && (n = tls_read(s->tls, io->tls_in, sizeof(io->tls_in))) > 0)
		io->handlers.on_stream(s->arg, io->tls_in, n);
	if (s->is_closed)
		return;
	push_tls(s); /* an answer to a change of keys */
	if (tls_state(s->tls) == TLS_FAILED)
		fail_tls(s);
	else if (tls_state(s->tls) == TLS_CLOSED)
		end_tcp(s, 0);
}

static void read_tls(struct relay_tcp *s, const uint8_t *data, size_t n)
{
	enum tls_state state = tls_feed(s->tls, data, n);

	if (state == TLS_FAILED) {
		fail_tls(s);
		return;
	}
	if (state == TLS_OPEN && s->waiting.len > 0) {
		tls_write(s->tls, (const uint8_t *)s->waiting.at, s->waiting.len);
		buf_free(&s->waiting);
	}
	push_tls(s);
	take_tls(s); /* which tells a failure */
}

static void send_tls(struct relay_tcp *s, const uint8_t *data, size_t n)
{
	if (tls_state(s->tls) == TLS_HANDSHAKE) {
		buf_add(&s->waiting, (const char *)data, n);
		return;
	}
	if (tls_write(s->tls, data, n) != 0 && list_is_empty(&s->broken)) {
		list_push(&s->io->broken, &s->broken); /* the caller does not expect handlers */
		s->io->host.flush_later(s->io->host.arg);
	}
	push_tls(s);
}

/* --- TCP connections --- */

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct relay_tcp *s = stream->data;

	if (n < 0) {
		end_tcp(s, n == UV_EOF ? 0 : (int)n);
		return;
	}
	if (n == 0 || s->is_closed)
		return;
	s->io->host.enter(s->io->host.arg);
	if (s->tls != NULL)
		read_tls(s, (const uint8_t *)buf->base, (size_t)n);
	else
		s->io->handlers.on_stream(s->arg, (const uint8_t *)buf->base, (size_t)n);
}

static void on_connect(uv_connect_t *req, int status)
{
	struct relay_tcp *s = req->data;

	if (status == 0 && !s->is_closed)
		status = uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
	if (status != 0)
		end_tcp(s, status);
}

static void on_tcp_closed(uv_handle_t *handle)
{
	struct relay_tcp *s = handle->data;

	drop_handle(s->io);
	tls_free(s->tls);
	buf_free(&s->waiting);
	free(s);
}

/* A socket of its own where there is a source address to bind; else libuv makes one. */
static int start_tcp(struct relay_tcp *s, const struct relay_route *way)
{
	int fd = -1, rc = 0;

	if (way->from.sa.sa_family != AF_UNSPEC) {
		fd = socket(way->to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		rc = fd < 0 ? -errno : bind_source(fd, &way->from);
		if (rc == 0)
			rc = uv_tcp_open(&s->tcp, fd);
		if (rc != 0 && fd >= 0)
			close(fd);
	}
	return rc == 0 ? uv_tcp_connect(&s->connect, &s->tcp, &way->to.sa, on_connect) : rc;
}

int relay_tcp_open(struct relay_io *io, const struct relay_route *way, void *socket_arg,
        struct relay_tcp **out)
{
	struct relay_tcp *s = mem_new(struct relay_tcp);
	int rc = uv_tcp_init(io->host.loop, &s->tcp);

	if (rc != 0) {
		free(s);
		return rc;
	}
	io->handles++;
	s->io = io;
	s->arg = socket_arg;
	list_init(&s->broken);
	s->log = way->tls_log;
	s->tcp.data = s;
	s->connect.data = s;
	rc = start_tcp(s, way);
	if (rc != 0) {
		relay_tcp_close(s);
		return rc;
	}
	uv_tcp_nodelay(&s->tcp, 1);
	if (way->tls != NULL) {
		addr_to_text(s->peer, &way->to);
		s->tls = tls_connect(way->tls, way->name, &way->to);
		push_tls(s);
	}
	*out = s;
	return 0;
}

void relay_tcp_send(struct relay_tcp *s, const uint8_t *data, size_t n)
{
	uint8_t framed[RELAY_QUERY_MAX + 2];

	framed[0] = (uint8_t)(n >> 8);
	framed[1] = (uint8_t)n;
	memcpy(framed + 2, data, n);
	if (s->tls != NULL)
		send_tls(s, framed, n + 2);
	else
		write_tcp(s, framed, n + 2);
}

/* Say goodbye, if the socket takes it at once. */
static void close_tls(struct relay_tcp *s)
{
	uv_buf_t buf;
	size_t n;

	tls_close(s->tls);
	buf.base = (char *)tls_output(s->tls, &n);
	buf.len = n;
	if (n > 0 && uv_is_writable((uv_stream_t *)&s->tcp))
		uv_try_write((uv_stream_t *)&s->tcp, &buf, 1);
}

void relay_tcp_close(struct relay_tcp *s)
{
	s->is_closed = true;
	list_remove(&s->broken);
	if (s->tls != NULL)
		close_tls(s);
	uv_close((uv_handle_t *)&s->tcp, on_tcp_closed);
}

/* --- the end of a turn --- */

void relay_io_flush(struct relay_io *io)
{
	struct list *node;

	transmit(io);
	if (io->out.refused > 0) {
		io->handlers.on_refused(io->relay_arg, io->out.refused);
		io->out.refused = 0;
	}
	while ((node = list_first(&io->failed)) != NULL) {
		struct relay_udp *s = container_of(node, struct relay_udp, failed);

		list_remove(node);
		io->handlers.on_udp_error(s->arg, s->error);
	}
	while ((node = list_first(&io->broken)) != NULL)
		fail_tls(container_of(node, struct relay_tcp, broken));
}
