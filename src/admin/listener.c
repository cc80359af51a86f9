#include "admin/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/addr.h"

#define SWEEP_MS 1000

struct connection {
	struct list node;
	int fd;
	uint64_t since_ms; /* when it was opened, or its last request was answered */
};

static int try_socket(const union addr *a, bool is_dual, bool shares_port)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, only_v6 = is_dual ? 0 : 1, rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (shares_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (a->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6));
	if (bind(fd, &a->sa, addr_len(a)) == 0 && listen(fd, 64) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/*
 * All sockets may share their port with the next ones, which a reload opens before it closes these;
 * so whether somebody else has it is tried out first.
 */
static int open_shared(const union addr *a, bool is_dual, bool shares_port)
{
	int fd = shares_port ? 0 : try_socket(a, is_dual, false);

	if (fd < 0)
		return fd;
	if (!shares_port)
		close(fd);
	return try_socket(a, is_dual, true);
}

/* ":8080" is one socket for IPv6 and IPv4, or IPv4 alone on hosts without IPv6. */
static int open_wildcard(uint16_t port, bool shares_port)
{
	union addr a;
	int fd;

	must(addr_from_text(&a, STR("::"), port) == 0);
	fd = open_shared(&a, true, shares_port);
	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	must(addr_from_text(&a, STR("0.0.0.0"), port) == 0);
	return open_shared(&a, false, shares_port);
}

static int open_address(const char *address, bool shares_port, struct err *e)
{
	struct str text = str_from(address);
	union addr a;
	int fd;

	if (str_has_prefix(text, "localhost:")) {
		text = (struct str){text.at + 9, text.len - 9};
		if (addr_from_hostport(&a, text, 0) != 0)
			return err_set(e, -EINVAL, "'%s' is not an address to listen on", address);
		must(addr_from_text(&a, STR("127.0.0.1"), addr_port(&a)) == 0);
	} else if (addr_from_hostport(&a, text, 0) != 0) {
		return err_set(e, -EINVAL,
			"'%s' is not an address to listen on: expected an IP address and a port",
			address);
	}
	fd = address[0] == ':' ? open_wildcard(addr_port(&a), shares_port)
			       : open_shared(&a, false, shares_port);
	if (fd < 0)
		err_set(e, fd, "cannot listen on %s: %s", address, strerror(-fd));
	return fd;
}

static enum MHD_Result send_reply(struct MHD_Connection *c, struct admin_reply *reply)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		reply->body.len, reply->body.at, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;

	if (response == NULL) {
		buf_free(&reply->body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
	if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = MHD_queue_response(c, reply->status, response);
	MHD_destroy_response(response);
	return rc;
}

/* libmicrohttpd's access handler: its eight parameters are not ours to choose. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *path,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **state)
{
	struct admin_reply reply = {200, "text/plain; charset=utf-8", {0}};
	static char begun;

	(void)version;
	(void)upload;
	if (*state == NULL) {
		*state = &begun;
		return MHD_YES;
	}
	if (*upload_size > 0) {
		*upload_size = 0; /* a body is read and thrown away */
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		reply.status = MHD_HTTP_METHOD_NOT_ALLOWED;
		buf_str(&reply.body, "method not allowed\n");
	} else if (!((struct listener *)arg)->answer(arg, path, &reply)) {
		reply.status = MHD_HTTP_NOT_FOUND;
		buf_str(&reply.body, "404 page not found\n");
	}
	return send_reply(c, &reply);
}

static void on_connection(void *arg, struct MHD_Connection *c, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct listener *l = arg;
	struct connection *conn = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

		conn = mem_new(struct connection);
		conn->fd = info->connect_fd;
		conn->since_ms = clock_ms();
		list_push(&l->connections, &conn->node);
		*context = conn;
	} else if (conn != NULL) {
		list_remove(&conn->node);
		free(conn);
		*context = NULL;
	}
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state,
	enum MHD_RequestTerminationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *conn = info == NULL ? NULL : info->socket_context;

	(void)arg;
	(void)state;
	(void)code;
	if (conn != NULL)
		conn->since_ms = clock_ms();
}

static struct MHD_Daemon *start_daemon(struct listener *l, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, l,
		MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, ADMIN_CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, ADMIN_CONNECTIONS_OF_IP_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ADMIN_HEAD_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, ADMIN_IDLE_TIMEOUT_S,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, l,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, l, MHD_OPTION_END);
}

struct listener *listener_new(
	const char *address, bool shares_port, listener_answer_fn *answer, struct err *e)
{
	struct listener *l;
	int fd = open_address(address, shares_port, e);

	if (fd < 0)
		return NULL;
	l = mem_new(struct listener);
	list_init(&l->node);
	list_init(&l->routes);
	list_init(&l->connections);
	l->address = mem_str(address);
	l->answer = answer;
	l->daemon = start_daemon(l, fd);
	if (l->daemon == NULL) {
		err_set(e, -ENOMEM, "cannot start the HTTP server on %s", address);
		close(fd);
		free(l->address);
		free(l);
		return NULL;
	}
	return l;
}

int listener_fd(const struct listener *l)
{
	return MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

/* A client that drips byte after byte would hold its place for ever. */
static void sweep(struct listener *l)
{
	uint64_t now = clock_ms();

	list_for_each(&l->connections, node) {
		struct connection *c = container_of(node, struct connection, node);

		if (now - c->since_ms > ADMIN_REQUEST_TIMEOUT_MS)
			shutdown(c->fd, SHUT_RDWR);
	}
}

int listener_run(struct listener *l)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(l->daemon);
	if (list_is_empty(&l->connections))
		return -1;
	sweep(l);
	if (MHD_get_timeout(l->daemon, &ms) != MHD_YES || ms > SWEEP_MS)
		return SWEEP_MS;
	return (int)ms;
}

void listener_free(struct listener *l)
{
	MHD_stop_daemon(l->daemon);
	free(l->address);
	free(l);
}
