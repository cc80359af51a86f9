#include "stream_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

struct stream_limits patient(void)
{
	struct stream_limits l = stream_limits_default;

	l.tick_ms = 5;
	return l;
}

static void answer(struct fixture *f, struct stream *c, const uint8_t *id)
{
	static uint8_t message[65535];
	size_t len = f->answer_len > 0 ? f->answer_len : 12;

	memcpy(message, id, 2);
	stream_send(c, message, len);
	stream_done(c);
}

static void on_message(struct stream *c, const uint8_t *message, size_t len, void *arg)
{
	struct fixture *f = arg;

	assert_true(len >= 12);
	if (f->flushes_early)
		stream_pool_flush(f->pool);
	if (!f->keeps) {
		answer(f, c, message);
		return;
	}
	assert_true(f->n_kept < KEPT_MAX);
	f->kept[f->n_kept].c = c;
	memcpy(f->kept[f->n_kept++].id, message, 2);
}

static void flush_later(void *arg)
{
	((struct fixture *)arg)->wants_flush = true;
}

static void on_stopped(void *arg)
{
	((struct fixture *)arg)->is_stopped = true;
}

static void on_tls_failed(struct stream *c, const char *why, void *arg)
{
	struct fixture *f = arg;

	must(stream_client(c)->sa.sa_family == AF_INET);
	f->tls_failures++;
	snprintf(f->tls_why, sizeof(f->tls_why), "%s", why);
}

static int listen_on_loopback(union addr *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*addr);

	memset(addr, 0, sizeof(*addr));
	addr->in.sin_family = AF_INET;
	addr->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(fd, &addr->sa, sizeof(addr->in)) == 0 && listen(fd, 511) == 0);
	must(getsockname(fd, &addr->sa, &len) == 0);
	return fd;
}

struct inbox inbox;

void empty_inbox(void)
{
	inbox.len = 0;
	inbox.is_closed = false;
}

static struct tls_context *get_tls(void *arg)
{
	return ((struct fixture *)arg)->tls;
}

void start(struct fixture *f, const struct stream_limits *limits)
{
	start_tls(f, limits, NULL);
}

void start_tls(struct fixture *f, const struct stream_limits *limits, struct tls_context *tls)
{
	struct stream_config config = {
	        .loop = &f->loop,
	        .limits = limits,
	        .callbacks = {NULL, on_message, flush_later, on_tls_failed, on_stopped, f},
	        .counters = &f->counters,
	        .tls = tls == NULL ? NULL : get_tls,
	};

	memset(f, 0, sizeof(*f));
	f->tls = tls;
	empty_inbox();
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->pool = stream_pool_new(listen_on_loopback(&f->addr), &config);
	assert_non_null(f->pool);
}

void turn(struct fixture *f)
{
	uv_run(&f->loop, UV_RUN_NOWAIT);
	if (f->wants_flush && !f->is_stopped) {
		f->wants_flush = false;
		stream_pool_flush(f->pool);
	}
}

void run_for_ms(struct fixture *f, int ms)
{
	for (; ms > 0; ms--) {
		turn(f);
		poll(NULL, 0, 1);
	}
}

void answer_kept(struct fixture *f, unsigned i)
{
	assert_true(i < f->n_kept);
	answer(f, f->kept[i].c, f->kept[i].id);
}

void stop(struct fixture *f)
{
	if (!f->is_stopped)
		stream_pool_stop(f->pool, 0);
	run_until(f, f->is_stopped);
	assert_int_equal(uv_loop_close(&f->loop), 0);
}

int connect_from(const struct fixture *f, uint32_t ip)
{
	union addr from = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_int_equal(bind(fd, &from.sa, sizeof(from.in)), 0);
	assert_int_equal(connect(fd, &f->addr.sa, sizeof(f->addr.in)), 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

int connected(struct fixture *f)
{
	uint64_t before = f->counters.accepted;
	int fd = connect_from(f, INADDR_LOOPBACK);

	run_until(f, f->counters.accepted == before + 1);
	return fd;
}

size_t put_query(uint8_t *out, uint16_t id, size_t len)
{
	memset(out, 0, 2 + len);
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	out[2] = (uint8_t)(id >> 8);
	out[3] = (uint8_t)id;
	return 2 + len;
}

void send_all(int fd, const uint8_t *at, size_t len)
{
	assert_int_equal(send(fd, at, len, MSG_NOSIGNAL), (ssize_t)len);
}

void ask(int fd, uint16_t id)
{
	uint8_t q[64];

	send_all(fd, q, put_query(q, id, 30));
}

static void fetch(int fd)
{
	ssize_t n;

	while ((n = recv(fd, inbox.at + inbox.len, sizeof(inbox.at) - inbox.len, 0)) > 0)
		inbox.len += (size_t)n;
	if (n == 0 || errno != EAGAIN)
		inbox.is_closed = true;
}

unsigned answers(int fd, unsigned i, uint16_t *id)
{
	unsigned n = 0;

	fetch(fd);
	for (size_t at = 0; at + 2 <= inbox.len; n++) {
		size_t len = (size_t)inbox.at[at] << 8 | inbox.at[at + 1];

		if (at + 2 + len > inbox.len)
			break;
		if (n == i && id != NULL)
			*id = (uint16_t)(inbox.at[at + 2] << 8 | inbox.at[at + 3]);
		at += 2 + len;
	}
	return n;
}

uint16_t answer_id(int fd, unsigned i)
{
	uint16_t id = 0;

	assert_true(answers(fd, i, &id) > i);
	return id;
}

bool is_closed(int fd)
{
	fetch(fd);
	return inbox.is_closed;
}
