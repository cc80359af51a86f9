/*
 * The control thread with real workers on loopback: reloads that move the listeners, and a stop
 * that answers what waits. The chain ends in a plugin of our own that takes its time.
 */
#include "loopback.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/control.h"
#include "core/metrics.h"
#include "core/query.h"
#include "core/worker.h"
#include "dns/rr.h"
#include "plugin.h"

#define SLOW_MS 30

extern const struct plugin bind_plugin;

static _Atomic unsigned asked;

static int slow_setup(struct setup *s, struct err *e)
{
	static int instance;

	(void)e;
	s->instance = &instance;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	free(h);
}

static void on_time(uv_timer_t *timer)
{
	struct query *q = timer->data;

	worker_enter(q->worker);
	uv_close((uv_handle_t *)timer, on_closed);
	query_resume(q, DONE);
}

static struct rrset *large; /* some 60000 octets */

/* Names that begin with "s" are answered late, those with "l" at length. */
static enum verdict slow_query(struct query *q, void *instance)
{
	uv_timer_t *timer;

	(void)instance;
	atomic_fetch_add(&asked, 1);
	if (query_name(q)[1] == 'l')
		answer_add(&q->answer, SECTION_ANSWER, large);
	if (query_name(q)[1] != 's')
		return DONE;
	timer = mem_new(uv_timer_t);
	uv_timer_init(q->worker->loop, timer);
	timer->data = q;
	uv_timer_start(timer, on_time, SLOW_MS, 0);
	return WAIT;
}

static const struct plugin slow = {.name = "slow", .setup = slow_setup, .query = slow_query};
static const struct plugin *const plugins[] = {&bind_plugin, &slow, NULL};

/* A port that is free over TCP on 127.0.0.1, and hopefully over UDP. */
static bool is_free(uint16_t port, int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	bool is_bound;
	union addr a;

	assert_int_equal(addr_from_text(&a, str_from("0.0.0.0"), port), 0);
	is_bound = bind(fd, &a.sa, sizeof(a.in)) == 0;
	close(fd);
	return is_bound;
}

/* Over UDP and TCP; the kernel gives those from 32768 on to clients, of other tests too. */
static uint16_t free_port(void)
{
	static unsigned n;
	uint16_t port;

	do
		port = (uint16_t)(30000 + ((unsigned)getpid() * 16 + n++) % 2700);
	while (!is_free(port, SOCK_DGRAM) || !is_free(port, SOCK_STREAM));
	return port;
}

static char text[256];

static struct control_config config_of(uint16_t port, const char *where)
{
	snprintf(text, sizeof(text), ".:%u {\n\tbind %s\n\tslow\n}\n", port, where);
	return (struct control_config){
	        .text = text, .name = "test", .workers = 2, .plugins = plugins};
}

/* A connected socket with a deadline that a busy machine keeps, too; -1 when it is refused. */
static int client_of(const char *ip, uint16_t port, int type)
{
	struct timeval patience = {.tv_sec = 10};
	union addr a;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(addr_from_text(&a, str_from(ip), port), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, &a.sa, sizeof(a.in)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Ask for "f." at once, "s." slowly; with a length field before it on TCP. */
static bool ask(int fd, int type, char name)
{
	const uint8_t q[] = {
	        0, 19, 1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (uint8_t)name, 0, 0, 1, 0, 1};
	size_t skip = type == SOCK_STREAM ? 0 : 2;

	return send(fd, q + skip, sizeof(q) - skip, MSG_NOSIGNAL) == (ssize_t)(sizeof(q) - skip);
}

static bool is_answered(int fd)
{
	uint8_t reply[512];

	return recv(fd, reply, sizeof(reply), 0) >= 19;
}

static const int types[] = {SOCK_DGRAM, SOCK_STREAM};

/* Over UDP and TCP. */
static bool answers_at(const char *ip, uint16_t port)
{
	bool is_good = true;

	for (unsigned i = 2; is_good && i-- > 0;) { /* TCP first: it says at once that it is not */
		int fd = client_of(ip, port, types[i]);

		if (fd < 0)
			return false;
		is_good = is_good && ask(fd, types[i], 'f') && is_answered(fd);
		close(fd);
	}
	return is_good;
}

/* Workers switch on their own after a reload; who comes to a listener that closes asks again. */
static bool soon_answers_at(const char *ip, uint16_t port, bool expected)
{
	bool answers = answers_at(ip, port);

	for (int left = 100; answers != expected && left > 0; left--) {
		poll(NULL, 0, 5);
		answers = answers_at(ip, port);
	}
	return answers == expected;
}

static void a_stop_answers_what_waits(void **state)
{
	uint16_t port = free_port();
	struct control_config config = config_of(port, "127.0.0.1");
	struct err e = {""};
	struct control *c = control_start(&config, &e);
	int fd[2];

	(void)state;
	assert_string_equal(e.text, "");
	atomic_store(&asked, 0);
	for (unsigned i = 0; i < 2; i++) {
		fd[i] = client_of("127.0.0.1", port, types[i]);
		ask(fd[i], types[i], 's');
	}
	for (int left = 2000; atomic_load(&asked) < 2 && left > 0; left--)
		poll(NULL, 0, 1);
	control_stop(c);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(is_answered(fd[i]));
		close(fd[i]);
	}
}

static void *stop_control(void *c)
{
	control_stop(c);
	return NULL;
}

/* Octets until the server hangs up. */
static size_t read_all(int fd)
{
	static uint8_t some[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = recv(fd, some, sizeof(some), 0)) > 0)
		all += (size_t)n;
	assert_int_equal(n, 0);
	return all;
}

#define LARGE_QUESTIONS 120u

/* More than the kernel keeps for a client that has begun to read is on its way. */
static void a_stop_sends_what_is_answered(void **state)
{
	static const uint8_t question[] = {
	        0, 19, 1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'l', 0, 0, 16, 0, 1};
	struct rrset_builder b = {.type = TYPE_TXT, .ttl = 5};
	uint8_t rdata[201] = {200}, all[LARGE_QUESTIONS][sizeof(question)];
	struct timeval patience = {.tv_sec = 20};
	uint16_t port = free_port();
	struct control_config config = config_of(port, "127.0.0.1");
	struct err e = {""};
	struct control *c = control_start(&config, &e);
	int fd = client_of("127.0.0.1", port, SOCK_STREAM), other;
	unsigned seen = 0;
	pthread_t thread;
	size_t octets;

	(void)state;
	assert_string_equal(e.text, "");
	for (unsigned i = 0; i < 280; i++)
		rrset_add(&b, rdata, sizeof(rdata));
	large = rrset_build(&b);
	for (unsigned i = 0; i < LARGE_QUESTIONS; i++)
		memcpy(all[i], question, sizeof(question));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	atomic_store(&asked, 0);
	assert_int_equal(send(fd, all, sizeof(all), MSG_NOSIGNAL), sizeof(all));
	while (seen == 0 || seen != atomic_load(&asked)) { /* until nothing goes out any more */
		seen = atomic_load(&asked);
		poll(NULL, 0, 50);
	}
	assert_int_equal(pthread_create(&thread, NULL, stop_control, c), 0);
	while ((other = client_of("127.0.0.1", port, SOCK_STREAM)) >= 0)
		close(other);
	octets = read_all(fd);
	pthread_join(thread, NULL);
	assert_int_equal(octets, atomic_load(&asked) * (sizeof(question) + large->wire_len));
	close(fd);
	free(large);
}

static void a_reload_moves_between_one_address_and_all(void **state)
{
	static const struct {
		const char *where;
		bool one, two;
	} rows[] = {
	        {"127.0.0.1", true, false},
	        {"0.0.0.0", true, true},
	        {"127.0.0.2", false, true},
	        {"127.0.0.1 127.0.0.2", true, true},
	        {"0.0.0.0", true, true},
	        {"127.0.0.1", true, false},
	};
	uint16_t port = free_port();
	struct control_config config = config_of(port, rows[0].where);
	struct err e = {""};
	struct control *c = control_start(&config, &e);

	(void)state;
	assert_string_equal(e.text, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config = config_of(port, rows[i].where);
		control_configure(c, &config);
		control_reload(c, &e);
		assert_string_equal(e.text, "");
		assert_true(soon_answers_at("127.0.0.1", port, rows[i].one));
		assert_true(soon_answers_at("127.0.0.2", port, rows[i].two));
	}
	control_stop(c);
}

static void a_connection_lives_through_reloads(void **state)
{
	uint16_t port = free_port();
	struct control_config config = config_of(port, "127.0.0.1");
	struct err e = {""};
	struct control *c = control_start(&config, &e);
	int fd;

	(void)state;
	assert_string_equal(e.text, "");
	fd = client_of("127.0.0.1", port, SOCK_STREAM);
	for (unsigned i = 0; i < 10; i++) {
		ask(fd, SOCK_STREAM, 's'); /* answered by the generation that took it */
		assert_int_equal(control_reload(c, &e), 0);
		assert_true(is_answered(fd));
		ask(fd, SOCK_STREAM, 'f');
		assert_true(is_answered(fd));
	}
	close(fd);
	control_stop(c);
}

static void connections_and_messages_are_counted(void **state)
{
	static const char *const lines[] = {
	        "seamark_tcp_connections_total{event=\"closed\"} 1\n",
	        "seamark_tcp_connections_total{event=\"accepted\"} 2\n",
	        "seamark_tcp_messages_total 2\n",
	        "seamark_udp_send_errors_total 0\n",
	};
	uint16_t port = free_port();
	struct control_config config = config_of(port, "127.0.0.1");
	struct err e = {""};
	struct control *c = control_start(&config, &e);
	struct metrics *m = metrics_new();
	struct buf out = {0};
	int fd;

	(void)state;
	assert_string_equal(e.text, "");
	assert_true(answers_at("127.0.0.1", port));
	fd = client_of("127.0.0.1", port, SOCK_STREAM);
	ask(fd, SOCK_STREAM, 'f');
	assert_true(is_answered(fd));
	poll(NULL, 0, 20); /* the other connection is closed meanwhile */
	assert_int_equal(control_answers(c), 3);
	control_metrics(c, m);
	metrics_finish(m, &out);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strstr(out.at, lines[i]) == NULL)
			fail_msg("no %s in\n%s", lines[i], out.at);
	buf_free(&out);
	close(fd);
	control_stop(c);
}

static void an_address_of_another_process_fails_the_start(void **state)
{
	uint16_t port = free_port();
	struct control_config config = config_of(port, "127.0.0.1");
	struct err e = {""};
	struct control *c = control_start(&config, &e), *second;

	(void)state;
	assert_non_null(c);
	second = control_start(&config, &e);
	assert_null(second);
	assert_non_null(strstr(e.text, "Address already in use"));
	assert_true(answers_at("127.0.0.1", port));
	control_stop(c);
}

static void ignore_line(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_stop_answers_what_waits),
	        cmocka_unit_test(a_stop_sends_what_is_answered),
	        cmocka_unit_test(a_reload_moves_between_one_address_and_all),
	        cmocka_unit_test(a_connection_lives_through_reloads),
	        cmocka_unit_test(connections_and_messages_are_counted),
	        cmocka_unit_test(an_address_of_another_process_fails_the_start),
	};

	log_set_sink(ignore_line, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
