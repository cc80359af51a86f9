#include "stream_fixture.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "net/stream_private.h"

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

int stream_setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.limits = stream_limits_default;
	f.limits.tick_ms = 5;
	*state = &f;
	return 0;
}

int stream_teardown(void **state)
{
	stop(*state);
	return 0;
}

void start(struct fixture *f)
{
	start_tls(f, NULL);
}

void start_tls(struct fixture *f, struct tls_context *tls)
{
	struct stream_config config = {
	        .loop = &f->loop,
	        .limits = &f->limits,
	        .callbacks = {NULL, on_message, flush_later, on_tls_failed, on_stopped, f},
	        .counters = &f->counters,
	        .tls = tls == NULL ? NULL : get_tls,
	};

	*f = (struct fixture){.limits = f->limits, .tls = tls};
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
	while (f->n_clients > 0)
		close(f->clients[--f->n_clients]);
	if (f->pool == NULL)
		return;
	if (!f->is_stopped) {
		run_until(f, stream_pool_connections(f->pool) == 0);
		assert_int_equal(f->pool->memory, 0);
		stream_pool_stop(f->pool, 0);
	}
	run_until(f, f->is_stopped);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	f->pool = NULL;
}

int add_client(struct fixture *f, int fd)
{
	assert_true(f->n_clients < CLIENTS_MAX);
	f->clients[f->n_clients++] = fd;
	return fd;
}

void hang_up(struct fixture *f, int fd)
{
	unsigned i = 0;

	while (f->clients[i] != fd)
		assert_true(++i < f->n_clients);
	f->clients[i] = f->clients[--f->n_clients];
	close(fd);
}

int connect_from(struct fixture *f, uint32_t ip)
{
	return add_client(f, connect_to(&f->addr, ip));
}

int connected(struct fixture *f)
{
	uint64_t before = f->counters.accepted;
	int fd = connect_from(f, INADDR_LOOPBACK);

	run_until(f, f->counters.accepted == before + 1);
	return fd;
}

int start_connected(struct fixture *f)
{
	start(f);
	return connected(f);
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

unsigned inbox_answers(unsigned i, uint16_t *id)
{
	unsigned n = 0;

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

unsigned answers(int fd, unsigned i, uint16_t *id)
{
	fetch(fd);
	return inbox_answers(i, id);
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
