#include "core/control_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/list.h"
#include "base/mem.h"
#include "core/explain.h"

struct control_socket {
	uv_pipe_t listener;
	struct list clients;
	unsigned n_clients;
	control_socket_fn *fn;
	void *arg;
	bool is_closing, is_waiting; /* waiting: a connection was not accepted yet */
	bool is_listener_closed;
};

struct client {
	struct list node;
	struct control_socket *socket;
	uv_pipe_t pipe;
	uv_timer_t timeout;
	uv_write_t write;
	struct buf answer;
	char request[EXPLAIN_REQUEST_MAX];
	size_t len;
	unsigned open; /* handles */
	bool is_closing;
};

/* --- clients ----------------------------------------------------------------------------- */

static void accept_one(struct control_socket *s);

static void free_if_done(struct control_socket *s)
{
	if (s->is_listener_closed && s->n_clients == 0)
		free(s);
}

static void on_client_closed(uv_handle_t *h)
{
	struct client *c = h->data;
	struct control_socket *s = c->socket;

	if (--c->open > 0)
		return;
	list_remove(&c->node);
	s->n_clients--;
	buf_free(&c->answer);
	free(c);
	if (s->is_waiting && !s->is_closing) {
		s->is_waiting = false;
		accept_one(s);
	}
	free_if_done(s);
}

static void close_client(struct client *c)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	uv_close((uv_handle_t *)&c->pipe, on_client_closed);
	uv_close((uv_handle_t *)&c->timeout, on_client_closed);
}

static void on_timeout(uv_timer_t *t)
{
	close_client(t->data);
}

static void on_written(uv_write_t *w, int status)
{
	(void)status;
	close_client(w->data);
}

static void answer(struct client *c, struct str request)
{
	struct buf text = {0};
	struct err e = {""};
	uv_buf_t out;

	uv_read_stop((uv_stream_t *)&c->pipe);
	if (c->socket->fn(c->socket->arg, request, &text, &e) == 0)
		buf_printf(&c->answer, "ok\n%s", buf_text(&text));
	else
		buf_printf(&c->answer, "error: %s\n", e.text);
	buf_free(&text);
	out = uv_buf_init(c->answer.at, (unsigned)c->answer.len);
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &out, 1, on_written) != 0)
		close_client(c);
}

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
	struct client *c = h->data;

	(void)wanted;
	*out = uv_buf_init(c->request + c->len, (unsigned)(sizeof(c->request) - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct client *c = stream->data;
	const char *end;

	(void)b;
	if (n < 0) {
		close_client(c);
		return;
	}
	c->len += (size_t)n;
	end = memchr(c->request, '\n', c->len);
	if (end != NULL)
		answer(c, (struct str){c->request, (size_t)(end - c->request)});
	else if (c->len == sizeof(c->request))
		close_client(c);
}

static void accept_one(struct control_socket *s)
{
	struct client *c = mem_new(struct client);

	c->socket = s;
	uv_pipe_init(s->listener.loop, &c->pipe, 0);
	uv_timer_init(s->listener.loop, &c->timeout);
	c->pipe.data = c->timeout.data = c;
	c->open = 2;
	list_push(&s->clients, &c->node);
	s->n_clients++;
	uv_timer_start(&c->timeout, on_timeout, CONTROL_SOCKET_TIMEOUT_MS, 0);
	if (uv_accept((uv_stream_t *)&s->listener, (uv_stream_t *)&c->pipe) != 0 ||
		uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0)
		close_client(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct control_socket *s = listener->data;

	if (status != 0)
		return;
	if (s->n_clients >= CONTROL_SOCKET_CLIENTS)
		s->is_waiting = true;
	else
		accept_one(s);
}

/* --- the socket -------------------------------------------------------------------------- */

/* 0 when path is free, or was left by a server that has gone. */
static int make_way(const char *path, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, -EEXIST, "%s: is there and no socket", path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	rc = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ? 0 : errno;
	close(fd);
	if (rc != ECONNREFUSED)
		return err_set(e, -EADDRINUSE, "%s: another server has it", path);
	return unlink(path) == 0 ? 0 : err_set(e, -errno, "%s: %s", path, strerror(errno));
}

/* The last part of the directory, when it is missing. */
static void make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;

	if (slash == NULL || slash == path)
		return;
	dir = mem_dup(path, (size_t)(slash - path));
	mkdir(dir, 0755); /* binding tells whether that was enough */
	free(dir);
}

static void on_listener_closed(uv_handle_t *h)
{
	struct control_socket *s = h->data;

	s->is_listener_closed = true;
	free_if_done(s);
}

static int listen_at(struct control_socket *s, const char *path, struct err *e)
{
	int rc = uv_pipe_bind(&s->listener, path);

	/* nobody can connect before listen() */
	if (rc == 0 && chmod(path, 0600) != 0)
		rc = -errno;
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&s->listener, 16, on_connection);
	return rc == 0 ? 0 : err_set(e, rc, "%s: %s", path, uv_strerror(rc));
}

const char *control_socket_usual(void)
{
	const char *path = getenv(CONTROL_SOCKET_ENV);

	return path == NULL || *path == '\0' ? CONTROL_SOCKET_PATH : path;
}

struct control_socket *control_socket_open(struct uv_loop_s *loop, const char *path,
	control_socket_fn *fn, void *arg, struct err *e)
{
	struct control_socket *s;
	int rc;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		errno = -err_set(e, -ENAMETOOLONG, "%s: too long for a socket", path);
		return NULL;
	}
	make_directory(path);
	rc = make_way(path, e);
	if (rc != 0) {
		errno = -rc;
		return NULL;
	}
	s = mem_new(struct control_socket);
	list_init(&s->clients);
	s->fn = fn;
	s->arg = arg;
	uv_pipe_init(loop, &s->listener, 0);
	s->listener.data = s;
	rc = listen_at(s, path, e);
	if (rc == 0)
		return s;
	control_socket_close(s);
	errno = -rc;
	return NULL;
}

void control_socket_close(struct control_socket *s)
{
	if (s == NULL)
		return;
	s->is_closing = true;
	list_for_each(&s->clients, node)
		close_client(container_of(node, struct client, node));
	/* removes the file */
	uv_close((uv_handle_t *)&s->listener, on_listener_closed);
}
