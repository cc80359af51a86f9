#include "admin/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/addr.h"

/* Enough of an answer to see its status. */
#define STATUS_LINE "HTTP/1.1 200"
#define STATUS_LEN (sizeof(STATUS_LINE) - 1)

struct probe {
	uv_timer_t timer;
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	union addr addr;
	probe_result_fn *fn;
	void *arg;
	uint64_t begun_ns;
	size_t got;
	bool is_asking;  /* tcp is open, or not closed yet */
	bool is_decided; /* this probe's result is told */
	bool is_stopped;
	char request[256];
	char status[64];
};

static int read_address(union addr *a, const char *address)
{
	struct str text = str_from(address);
	bool is_local = str_has_prefix(text, "localhost:");

	if (is_local)
		text = (struct str){text.at + 9, text.len - 9};
	if (addr_from_hostport(a, text, 0) != 0)
		return -1;
	if (!addr_is_wildcard(a))
		return 0;
	return addr_from_text(
		a, a->sa.sa_family == AF_INET6 ? STR("::1") : STR("127.0.0.1"), addr_port(a));
}

static void free_if_closed(struct probe *p)
{
	if (p->is_stopped && !p->is_asking && p->timer.data == NULL)
		free(p);
}

static void on_tcp_closed(uv_handle_t *h)
{
	struct probe *p = h->data;

	p->is_asking = false;
	free_if_closed(p);
}

static void on_timer_closed(uv_handle_t *h)
{
	struct probe *p = h->data;

	h->data = NULL;
	free_if_closed(p);
}

/* Tell the result of this probe, once, and hang up. */
static void decide(struct probe *p, bool was_answered)
{
	if (p->is_decided)
		return;
	p->is_decided = true;
	if (!p->is_stopped)
		p->fn(p->arg, was_answered, clock_ns() - p->begun_ns);
	uv_close((uv_handle_t *)&p->tcp, on_tcp_closed);
}

static void on_room(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
	struct probe *p = h->data;

	(void)wanted;
	*out = uv_buf_init(p->status + p->got, (unsigned)(sizeof(p->status) - p->got));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct probe *p = stream->data;

	(void)b;
	if (n < 0) {
		decide(p, false);
		return;
	}
	p->got += (size_t)n;
	if (p->got >= STATUS_LEN)
		decide(p, memcmp(p->status, STATUS_LINE, STATUS_LEN) == 0);
}

static void on_written(uv_write_t *req, int status)
{
	if (status != 0 && status != UV_ECANCELED)
		decide(req->handle->data, false);
}

static void on_connected(uv_connect_t *req, int status)
{
	struct probe *p = req->handle->data;
	uv_buf_t b = uv_buf_init(p->request, (unsigned)strlen(p->request));

	if (status == UV_ECANCELED)
		return;
	if (status != 0 ||
		uv_write(&p->write, (uv_stream_t *)&p->tcp, &b, 1, on_written) != 0 ||
		uv_read_start((uv_stream_t *)&p->tcp, on_room, on_read) != 0)
		decide(p, false);
}

static void ask(struct probe *p)
{
	p->begun_ns = clock_ns();
	p->got = 0;
	p->is_decided = false;
	if (uv_tcp_init(p->timer.loop, &p->tcp) != 0)
		return;
	p->tcp.data = p;
	p->is_asking = true;
	if (uv_tcp_connect(&p->connect, &p->tcp, &p->addr.sa, on_connected) != 0)
		decide(p, false);
}

static void on_timer(uv_timer_t *timer)
{
	struct probe *p = timer->data;

	if (!p->is_asking)
		ask(p);
	else if (clock_ns() - p->begun_ns > PROBE_TIMEOUT_MS * 1000000ull)
		decide(p, false);
}

struct probe *probe_start(struct uv_loop_s *loop, const char *address, const char *path,
	probe_result_fn *fn, void *arg)
{
	struct probe *p = mem_new(struct probe);

	if (read_address(&p->addr, address) != 0 || uv_timer_init(loop, &p->timer) != 0) {
		free(p);
		return NULL;
	}
	snprintf(p->request, sizeof(p->request),
		"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
	p->fn = fn;
	p->arg = arg;
	p->timer.data = p;
	uv_timer_start(&p->timer, on_timer, PROBE_INTERVAL_MS, PROBE_INTERVAL_MS);
	uv_unref((uv_handle_t *)&p->timer);
	return p;
}

void probe_stop(struct probe *p)
{
	if (p == NULL)
		return;
	p->is_stopped = true;
	if (p->is_asking)
		decide(p, false);
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}
