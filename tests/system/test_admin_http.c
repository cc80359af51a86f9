/*
 * The HTTP server over real connections on loopback.
 */
#include "admin/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "admin/probe.h"
#include "base/must.h"
#include "test.h"

static char address[32];
static uint16_t port;

/* A port that is free now, below those that the kernel gives to clients of other tests. */
static int pick_port(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	static unsigned n;

	(void)state;
	do {
		port = (uint16_t)(30000 + ((unsigned)getpid() * 16 + n++) % 2700);
		a.sin_port = htons(port);
	} while (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0);
	close(fd);
	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	return 0;
}

static int dial(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {5, 0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Send text and read until the server closes; the answer is valid until the next call. */
static const char *talk(const char *text)
{
	static char answer[70000];
	int fd = dial();
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return "no connection";
	must(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
	while (len + 1 < sizeof(answer) &&
		(n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0)
		len += (size_t)n;
	answer[len] = '\0';
	close(fd);
	return answer;
}

static const char *get(const char *path)
{
	char request[256];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		path);
	return talk(request);
}

static void say(void *arg, struct admin_reply *reply)
{
	if (strcmp(arg, "busy") == 0)
		reply->status = 503;
	buf_str(&reply->body, arg);
}

static void paths_have_handlers_and_others_are_not_found(void **state)
{
	struct err e;
	struct admin_route *a = admin_route_add(address, "/a", say, "one", &e);
	struct admin_route *b = admin_route_add(address, "/b", say, "busy", &e);

	(void)state;
	assert_non_null(strstr(get("/a"), "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(get("/a?x=y"), "\r\n\r\none"));
	assert_non_null(strstr(get("/b"), "HTTP/1.1 503 "));
	assert_non_null(strstr(get("/c"), "HTTP/1.1 404 "));
	admin_route_del(a);
	admin_route_del(b);
	assert_string_equal(get("/a"), "no connection");
}

static void the_newest_route_answers_until_it_is_deleted(void **state)
{
	struct err e;
	struct admin_route *old = admin_route_add(address, "/", say, "old", &e);
	struct admin_route *new = admin_route_add(address, "/", say, "new", &e);

	(void)state;
	assert_non_null(strstr(get("/"), "\r\n\r\nnew"));
	admin_route_del(new);
	assert_non_null(strstr(get("/"), "\r\n\r\nold"));
	new = admin_route_add(address, "/", say, "newer", &e);
	admin_route_del(old);
	assert_non_null(strstr(get("/"), "\r\n\r\nnewer"));
	admin_route_del(new);
}

static void only_get_and_head_are_served(void **state)
{
	struct err e;
	struct admin_route *r = admin_route_add(address, "/", say, "body", &e);
	const char *head = talk("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

	(void)state;
	assert_non_null(strstr(head, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(head, "Content-Length: 4\r\n"));
	assert_null(strstr(head, "body"));
	assert_non_null(strstr(talk("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
				    "Connection: close\r\n\r\nabc"),
		"HTTP/1.1 405 "));
	assert_null(strstr(talk("\x16\x03\x01 not http\r\n\r\n"), " 200 "));
	admin_route_del(r);
}

static void a_head_that_is_too_long_is_refused(void **state)
{
	struct err e;
	struct admin_route *r = admin_route_add(address, "/", say, "body", &e);
	char *request = malloc(20000);
	int n = sprintf(request, "GET / HTTP/1.1\r\nHost: x\r\nX: ");

	(void)state;
	memset(request + n, 'x', 12000);
	strcpy(request + n + 12000, "\r\n\r\n");
	assert_null(strstr(talk(request), " 200 "));
	assert_non_null(strstr(get("/"), " 200 "));
	free(request);
	admin_route_del(r);
}

static void one_client_cannot_take_all_connections(void **state)
{
	struct err e;
	struct admin_route *r = admin_route_add(address, "/", say, "body", &e);
	int fd[ADMIN_CONNECTIONS_OF_IP_MAX];

	(void)state;
	for (unsigned i = 0; i < ADMIN_CONNECTIONS_OF_IP_MAX; i++)
		fd[i] = dial();
	assert_null(strstr(get("/"), " 200 "));
	for (unsigned i = 0; i < ADMIN_CONNECTIONS_OF_IP_MAX; i++)
		close(fd[i]);
	admin_route_del(r);
}

static void an_address_in_use_is_reported(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char wanted[128];
	struct err e;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_null(admin_route_add(address, "/", say, "x", &e));
	snprintf(wanted, sizeof(wanted), "cannot listen on %s: Address already in use", address);
	assert_string_equal(e.text, wanted);
	close(fd);
	assert_null(admin_route_add("nonsense:1", "/", say, "x", &e));
	assert_non_null(strstr(e.text, "'nonsense:1' is not an address to listen on"));
}

static void a_path_moves_between_all_addresses_and_one(void **state)
{
	struct admin_route *all, *one;
	char text[24];
	struct err e;

	(void)state;
	snprintf(text, sizeof(text), ":%u", port);
	all = admin_route_add(text, "/", say, "all", &e);
	one = admin_route_add(address, "/", say, "one", &e);
	assert_non_null(one);
	admin_route_del(all);
	assert_non_null(strstr(get("/"), "\r\n\r\none"));
	all = admin_route_add(text, "/", say, "all", &e);
	assert_non_null(all);
	admin_route_del(one);
	assert_non_null(strstr(get("/"), "\r\n\r\nall"));
	/* another path there would be hidden from one of the addresses */
	assert_null(admin_route_add(address, "/other", say, "x", &e));
	assert_non_null(strstr(e.text, "Address already in use"));
	admin_route_del(all);
}

static void a_port_alone_means_all_addresses(void **state)
{
	char text[24];
	struct admin_route *r;
	struct err e;

	(void)state;
	snprintf(text, sizeof(text), "localhost:%u", port);
	r = admin_route_add(text, "/", say, "body", &e);
	assert_non_null(strstr(get("/"), " 200 "));
	admin_route_del(r);
	snprintf(text, sizeof(text), ":%u", port);
	r = admin_route_add(text, "/", say, "body", &e);
	assert_non_null(strstr(get("/"), " 200 "));
	admin_route_del(r);
}

static int probes, answered;
static struct probe *probe;

static void on_probe(void *arg, bool was_answered, uint64_t took_ns)
{
	(void)arg;
	assert_true(took_ns < 3000000000u);
	probes++;
	answered += was_answered;
	probe_stop(probe);
}

static void on_late(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("no probe within 5 s");
}

/* Probe address once; 1 when it answered well. */
static int probe_once(const char *path)
{
	uv_timer_t keep;
	uv_loop_t loop;

	probes = answered = 0;
	uv_loop_init(&loop);
	uv_timer_init(&loop, &keep); /* the probe alone does not keep a loop alive */
	probe = probe_start(&loop, address, path, on_probe, NULL);
	assert_non_null(probe);
	uv_timer_start(&keep, on_late, 5000, 0);
	while (probes == 0 && uv_run(&loop, UV_RUN_ONCE) != 0)
		;
	uv_close((uv_handle_t *)&keep, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(probes, 1);
	return answered;
}

static void a_probe_sees_whether_the_server_answers(void **state)
{
	struct err e;
	struct admin_route *a = admin_route_add(address, "/good", say, "OK", &e);
	struct admin_route *b = admin_route_add(address, "/bad", say, "busy", &e);

	(void)state;
	assert_int_equal(probe_once("/good"), 1);
	assert_int_equal(probe_once("/bad"), 0);
	admin_route_del(a);
	admin_route_del(b);
	assert_int_equal(probe_once("/good"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(paths_have_handlers_and_others_are_not_found, pick_port),
		cmocka_unit_test_setup(the_newest_route_answers_until_it_is_deleted, pick_port),
		cmocka_unit_test_setup(only_get_and_head_are_served, pick_port),
		cmocka_unit_test_setup(a_head_that_is_too_long_is_refused, pick_port),
		cmocka_unit_test_setup(one_client_cannot_take_all_connections, pick_port),
		cmocka_unit_test_setup(an_address_in_use_is_reported, pick_port),
		cmocka_unit_test_setup(a_path_moves_between_all_addresses_and_one, pick_port),
		cmocka_unit_test_setup(a_port_alone_means_all_addresses, pick_port),
		cmocka_unit_test_setup(a_probe_sees_whether_the_server_answers, pick_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
