#include "peer.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

enum { HEAD_MAX = 16384 };

struct peer {
	uv_tcp_t listener;
	uv_loop_t *loop;
	peer_fn *serve;
	void *arg;
	bool is_raw;
	unsigned port, accepted;
	struct list conns;
};

struct peer_conn {
	struct list node;
	struct peer *peer;
	uv_tcp_t tcp;
	uv_timer_t timer;
	struct buf in, out;
	size_t out_at, piece;
	unsigned ms, open_handles;
	bool wants_close, wants_reset, is_closing;
	char room[4096];
};

static void pump(struct peer_conn *c);

static void on_conn_closed(uv_handle_t *h)
{
	struct peer_conn *c = h->data;

	if (--c->open_handles > 0)
		return;
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static void conn_end(struct peer_conn *c, bool reset)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	list_remove(&c->node);
	if (!reset || uv_tcp_close_reset(&c->tcp, on_conn_closed) < 0)
		uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
	uv_close((uv_handle_t *)&c->timer, on_conn_closed);
}

static void on_timer(uv_timer_t *t)
{
	pump(t->data);
}

static void pump(struct peer_conn *c)
{
	size_t left = c->out.len - c->out_at;
	size_t n = c->piece > 0 && c->piece < left ? c->piece : left;
	uv_buf_t b = uv_buf_init(n > 0 ? c->out.at + c->out_at : NULL, (unsigned)n);
	int rc;

	if (c->is_closing)
		return;
	rc = n > 0 ? uv_try_write((uv_stream_t *)&c->tcp, &b, 1) : 0;
	if (rc > 0)
		c->out_at += (size_t)rc;
	if (c->out_at < c->out.len)
		uv_timer_start(&c->timer, on_timer, c->piece > 0 ? c->ms : 1, 0);
	else if (c->wants_close)
		conn_end(c, c->wants_reset);
}

void peer_pace(struct peer_conn *c, size_t n, unsigned ms)
{
	c->piece = n;
	c->ms = ms;
}

void peer_send(struct peer_conn *c, const void *data, size_t n)
{
	if (c->out_at == c->out.len) {
		buf_clear(&c->out);
		c->out_at = 0;
	}
	buf_add(&c->out, data, n);
	if (!uv_is_active((uv_handle_t *)&c->timer))
		pump(c);
}

void peer_text(struct peer_conn *c, const char *text)
{
	peer_send(c, text, strlen(text));
}

void peer_chunk(struct peer_conn *c, const void *data, size_t n, const char *extensions)
{
	struct buf b = {0};

	buf_printf(&b, "%zx%s\r\n", n, extensions);
	buf_add(&b, data, n);
	buf_str(&b, "\r\n");
	peer_send(c, b.at, b.len);
	buf_free(&b);
}

void peer_close(struct peer_conn *c, bool reset)
{
	c->wants_close = true;
	c->wants_reset = reset;
	if (!uv_is_active((uv_handle_t *)&c->timer))
		pump(c);
}

void peer_black_hole(struct peer_conn *c)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {1, &drop};
	uv_os_fd_t fd;

	must(uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0);
	must(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
	struct peer_conn *c = h->data;

	(void)suggested;
	*out = uv_buf_init(c->room, sizeof(c->room));
}

/* Serve each whole head in what has come. */
static void take_requests(struct peer_conn *c)
{
	char *end;

	while (!c->is_closing && c->in.len > 0 && (end = strstr(c->in.at, "\r\n\r\n")) != NULL) {
		struct buf rest = {0};

		*end = '\0';
		buf_add(&rest, end + 4, c->in.len - (size_t)(end + 4 - c->in.at));
		c->peer->serve(c->peer->arg, c, c->in.at);
		buf_free(&c->in);
		c->in = rest;
	}
	must(c->in.len < HEAD_MAX);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct peer_conn *c = s->data;

	(void)b;
	if (n < 0) {
		conn_end(c, false);
		return;
	}
	buf_add(&c->in, c->room, (size_t)n);
	if (!c->peer->is_raw)
		take_requests(c);
	else if (n > 0)
		c->peer->serve(c->peer->arg, c, buf_text(&c->in));
}

static void on_connection(uv_stream_t *s, int status)
{
	struct peer *p = s->data;
	struct peer_conn *c = mem_new(struct peer_conn);

	must(status == 0);
	c->peer = p;
	c->tcp.data = c->timer.data = c;
	c->open_handles = 2;
	must(uv_tcp_init(p->loop, &c->tcp) == 0);
	must(uv_timer_init(p->loop, &c->timer) == 0);
	list_init(&c->node);
	list_push(&p->conns, &c->node);
	p->accepted++;
	if (uv_accept(s, (uv_stream_t *)&c->tcp) < 0) {
		conn_end(c, false);
		return;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

struct peer *peer_new(uv_loop_t *loop, peer_fn *serve, void *arg)
{
	struct peer *p = mem_new(struct peer);
	struct sockaddr_in at;
	int len = sizeof(at);

	p->loop = loop;
	p->serve = serve;
	p->arg = arg;
	list_init(&p->conns);
	must(uv_tcp_init(loop, &p->listener) == 0);
	p->listener.data = p;
	must(uv_ip4_addr("127.0.0.1", 0, &at) == 0);
	must(uv_tcp_bind(&p->listener, (struct sockaddr *)&at, 0) == 0);
	must(uv_listen((uv_stream_t *)&p->listener, 128, on_connection) == 0);
	must(uv_tcp_getsockname(&p->listener, (struct sockaddr *)&at, &len) == 0);
	p->port = ntohs(at.sin_port);
	return p;
}

static void on_listener_closed(uv_handle_t *h)
{
	free(h->data);
}

void peer_free(struct peer *p)
{
	list_for_each (&p->conns, node)
		conn_end(container_of(node, struct peer_conn, node), false);
	uv_close((uv_handle_t *)&p->listener, on_listener_closed);
}

void peer_set_raw(struct peer *p)
{
	p->is_raw = true;
}

unsigned peer_port(const struct peer *p)
{
	return p->port;
}

unsigned peer_accepted(const struct peer *p)
{
	return p->accepted;
}
