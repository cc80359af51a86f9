/* Connections inside TLS: the same messages and limits, and peers that are odd. */
#include "stream_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/mem.h"
#include "net/relay_io.h"
#include "net/stream_private.h"

static char dir[] = "/tmp/seamark-dot.XXXXXX";
static struct tls_context *server, *client;

#define PEERS_MAX 4

/* A client of DNS over TLS. */
struct peer {
	int fd;
	struct tls_session *tls;
	bool is_eof;
	size_t sent; /* octets of TLS */
	size_t stop_at; /* send no more than so many; 0: all */
};

static struct peer peers[PEERS_MAX]; /* those with a session are open */

static int make_contexts(void **state)
{
	char command[600], cert[64], key[64], ca[64];
	struct tls_server_options s = {.cert = cert, .key = key};
	struct tls_client_options c = {.ca = ca};
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "sh %s/tests/apisim/certs.sh %s >/dev/null 2>&1", SRCDIR,
	        dir);
	assert_int_equal(system(command), 0);
	snprintf(cert, sizeof(cert), "%s/server.crt", dir);
	snprintf(key, sizeof(key), "%s/server.key", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	server = tls_server_context(&s, &e);
	client = tls_client_context(&c, &e);
	return server != NULL && client != NULL ? 0 : -1;
}

static int remove_contexts(void **state)
{
	char command[300];

	(void)state;
	tls_context_unref(server);
	tls_context_unref(client);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static struct peer *peer_open(struct fixture *f, struct tls_context *context)
{
	struct peer *p = peers;

	while (p->tls != NULL)
		assert_true(++p < peers + PEERS_MAX);
	empty_inbox();
	*p = (struct peer){.fd = connected(f)};
	p->tls = tls_connect(context, "localhost", &f->addr);
	return p;
}

static void peer_close(struct fixture *f, struct peer *p)
{
	hang_up(f, p->fd);
	tls_free(p->tls);
	p->tls = NULL;
}

static void peer_send(struct peer *p)
{
	size_t n;
	const uint8_t *at = tls_output(p->tls, &n);
	ssize_t done;

	if (p->stop_at > 0 && p->sent + n > p->stop_at)
		n = p->stop_at - p->sent;
	done = n == 0 ? 0 : send(p->fd, at, n, MSG_NOSIGNAL);
	if (done <= 0)
		return;
	tls_sent(p->tls, (size_t)done);
	p->sent += (size_t)done;
}

/* Both directions, as far as it goes now; what was inside goes to the inbox. */
static void peer_turn(struct peer *p)
{
	uint8_t data[4096];
	ssize_t n;
	size_t got;

	peer_send(p);
	while ((n = recv(p->fd, data, sizeof(data), 0)) > 0)
		tls_feed(p->tls, data, (size_t)n);
	p->is_eof = n == 0 || (n < 0 && errno != EAGAIN);
	while ((got = tls_read(p->tls, inbox.at + inbox.len, sizeof(inbox.at) - inbox.len)) > 0)
		inbox.len += got;
	peer_send(p);
}

static unsigned peer_answers(struct peer *p)
{
	peer_turn(p);
	return inbox_answers(0, NULL);
}

static bool peer_is_open(struct peer *p)
{
	peer_turn(p);
	return tls_state(p->tls) == TLS_OPEN;
}

static bool peer_is_gone(struct peer *p)
{
	peer_turn(p);
	return p->is_eof;
}

static void peer_ask(struct peer *p, uint16_t id)
{
	uint8_t q[64];

	assert_int_equal(tls_write(p->tls, q, put_query(q, id, 30)), 0);
	peer_turn(p);
}

static struct peer *start_with_peer(struct fixture *f)
{
	struct peer *p;

	start_tls(f, server);
	p = peer_open(f, client);
	run_until(f, peer_is_open(p));
	return p;
}

static void stop_with_peers(struct fixture *f)
{
	for (struct peer *p = peers; p < peers + PEERS_MAX; p++)
		if (p->tls != NULL)
			peer_close(f, p);
	stop(f);
}

static int teardown(void **state)
{
	stop_with_peers(*state);
	return 0;
}

#define TLS_TEST(test) cmocka_unit_test_setup_teardown(test, stream_setup, teardown)

static void pipelined_queries_are_answered_in_any_order(void **state)
{
	struct fixture *f = *state;
	struct peer *p = start_with_peer(f);

	f->keeps = true;
	for (uint16_t i = 0; i < 5; i++)
		peer_ask(p, i);
	run_until(f, f->n_kept == 5);
	for (unsigned i = 5; i > 0; i--)
		answer_kept(f, i - 1);
	run_until(f, peer_answers(p) == 5);
	assert_int_equal(inbox.at[3], 4); /* the last one first */
	assert_int_equal(f->counters.handshakes, 1);
}

static void more_than_may_be_in_flight_is_answered_later(void **state)
{
	struct fixture *f = *state;
	struct peer *p;

	f->limits.in_flight = 4;
	p = start_with_peer(f);
	f->keeps = true;
	for (uint16_t i = 0; i < 300; i++)
		peer_ask(p, i);
	for (unsigned i = 0; i < 300; i++) {
		run_until(f, f->n_kept > i);
		assert_in_range(f->n_kept, i, i + 4);
		answer_kept(f, i);
	}
	run_until(f, peer_answers(p) == 300);
}

static void octets_may_come_one_by_one(void **state)
{
	struct fixture *f = *state;
	struct peer *p;

	start_tls(f, server);
	p = peer_open(f, client);
	for (p->stop_at = 1; tls_state(p->tls) != TLS_OPEN; p->stop_at++) {
		assert_in_range(p->stop_at, 1, 5000);
		turn(f);
		peer_turn(p);
	}
	peer_ask(p, 7);
	for (; peer_answers(p) == 0; p->stop_at++) {
		assert_in_range(p->stop_at, 1, 9000);
		turn(f);
	}
}

static void the_longest_answers_come_whole(void **state)
{
	struct fixture *f = *state;
	struct peer *p = start_with_peer(f);

	f->answer_len = 65535;
	for (uint16_t i = 0; i < 6; i++)
		peer_ask(p, i);
	run_until(f, peer_answers(p) == 6);
}

static void a_second_connection_resumes(void **state)
{
	struct fixture *f = *state;

	start_tls(f, server);
	for (unsigned i = 0; i < 3; i++) {
		struct peer *p = peer_open(f, client);

		run_until(f, peer_is_open(p));
		peer_ask(p, 1);
		run_until(f, peer_answers(p) == 1);
		peer_close(f, p);
	}
	assert_int_equal(f->counters.handshakes, 3);
	assert_in_range(f->counters.resumed, 2, 3); /* the client may have a ticket already */
}

static void a_handshake_that_stops_is_closed_like_a_message(void **state)
{
	static const size_t stops[] = {0, 1, 5, 100, 290};
	struct fixture *f = *state;

	f->limits.message_ms = 40;
	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		struct peer *p;

		start_tls(f, server);
		p = peer_open(f, client);
		p->stop_at = stops[i];
		if (stops[i] > 0)
			peer_turn(p);
		run_until(f, stream_pool_connections(f->pool) == 0);
		assert_int_equal(f->counters.timeouts, 1);
		assert_int_equal(f->counters.tls_failed, 1);
		assert_int_equal(f->counters.tls_faults[TLS_FAULT_TIMEOUT], 1);
		assert_string_equal(f->tls_why, "the handshake takes too long");
		stop_with_peers(f);
	}
}

static void a_client_that_leaves_at_any_octet_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	const char *cycles = getenv("CYCLES");
	size_t n = cycles == NULL ? 300 : strtoul(cycles, NULL, 10);

	start_tls(f, server);
	for (size_t i = 0; i < n; i++) {
		struct peer *p = peer_open(f, client);

		p->stop_at = 1 + i * 7 % 900;
		for (int turns = 0; turns < 4; turns++) {
			peer_turn(p);
			turn(f);
		}
		if (tls_state(p->tls) == TLS_OPEN)
			peer_ask(p, 1);
		peer_close(f, p);
	}
	run_until(f, stream_pool_connections(f->pool) == 0);
	assert_int_equal(f->counters.accepted, n);
	assert_int_equal(f->counters.handshakes + f->counters.tls_failed, n);
	assert_int_equal(f->counters.tls_faults[TLS_FAULT_CLOSED], f->counters.tls_failed);
	assert_int_equal(f->tls_failures, 0); /* a line for each probe would be a flood */
}

static void what_is_no_tls_gets_an_alert_and_is_closed(void **state)
{
	static const struct {
		char data[32];
		enum tls_fault fault;
		const char *why;
	} rows[] = {
	        /* DNS over TCP */
	        {"\0\x1d\0\1\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\1\0\1", TLS_FAULT_NO_TLS,
	                "wrong version number"},
	        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", TLS_FAULT_NO_TLS, "http request"},
	        {"\x16\3\1\377\377\377\377\377\377\377\377\377\377\377\377\377", TLS_FAULT_NO_TLS,
	                "packet length too long"},
	        {"\x17\3\3\0\20aaaaaaaaaaaaaaaa", TLS_FAULT_OTHER, "unexpected message"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd;

		start_tls(f, server);
		fd = connected(f);
		send_all(fd, (const uint8_t *)rows[i].data, 22);
		run_until(f, is_closed(fd));
		assert_int_equal(f->counters.tls_failed, 1);
		assert_int_equal(f->counters.tls_faults[rows[i].fault], 1);
		assert_string_equal(f->tls_why, rows[i].why);
		assert_int_equal(f->tls_failures, 1);
		assert_int_equal(f->counters.messages, 0);
		stop(f);
	}
}

struct handshake {
	struct tls_context *server, *client;
	enum tls_fault fault;
	const char *why;
};

static void check_failure(struct fixture *f, const struct handshake *h)
{
	struct peer *p;

	start_tls(f, h->server);
	p = peer_open(f, h->client);
	run_until(f, peer_is_gone(p));
	assert_int_equal(f->counters.tls_faults[h->fault], 1);
	assert_string_equal(f->tls_why, h->why);
	stop_with_peers(f);
}

static void the_reason_of_a_failed_handshake_is_told(void **state)
{
	struct fixture *f = *state;
	char cert[64], key[64], ca[64], other[64];
	struct tls_server_options so = {
	        .cert = cert, .key = key, .ca = ca, .auth = TLS_REQUIRE_AND_VERIFY};
	struct tls_client_options co = {.ca = other};
	struct tls_context *s, *c;

	snprintf(cert, sizeof(cert), "%s/server.crt", dir);
	snprintf(key, sizeof(key), "%s/server.key", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	snprintf(other, sizeof(other), "%s/other.crt", dir);
	c = tls_client_context(&co, NULL);
	check_failure(f, &(struct handshake){server, c, TLS_FAULT_ALERT, "tlsv1 alert unknown ca"});
	tls_context_unref(c);
	s = tls_server_context(&so, NULL);
	check_failure(f, &(struct handshake){s, client, TLS_FAULT_CERTIFICATE,
	                         "peer did not return a certificate"});
	co.ca = ca;
	co.cert = other;
	snprintf(key, sizeof(key), "%s/other.key", dir);
	co.key = key;
	c = tls_client_context(&co, NULL);
	check_failure(f, &(struct handshake){s, c, TLS_FAULT_CERTIFICATE,
	                         "unable to get local issuer certificate"});
	tls_context_unref(c);
	tls_context_unref(s);
}

static void a_broken_record_ends_an_open_connection(void **state)
{
	struct fixture *f = *state;
	struct peer *p = start_with_peer(f);

	peer_ask(p, 1);
	run_until(f, peer_answers(p) == 1);
	send_all(p->fd,
	        (const uint8_t *)"\x17\3\3\0\x20"
	                         "forged record of 32 octets......",
	        37);
	run_until(f, peer_is_gone(p));
	assert_int_equal(f->counters.tls_failed, 1);
}

static void an_idle_client_is_told_goodbye(void **state)
{
	struct fixture *f = *state;
	struct peer *p;

	f->limits.idle_ms = 60;
	p = start_with_peer(f);
	run_until(f, peer_is_gone(p));
	assert_int_equal(tls_state(p->tls), TLS_CLOSED);
	assert_int_equal(f->counters.timeouts, 1);
}

static void a_client_that_says_goodbye_gets_its_answers(void **state)
{
	struct fixture *f = *state;
	struct peer *p = start_with_peer(f);

	f->keeps = true;
	peer_ask(p, 1);
	run_until(f, f->n_kept == 1);
	tls_close(p->tls);
	peer_send(p);
	run_for_ms(f, 20);
	answer_kept(f, 0);
	run_until(f, peer_answers(p) == 1);
	run_until(f, peer_is_gone(p));
}

static void a_client_that_does_not_read_is_closed(void **state)
{
	struct fixture *f = *state;
	struct peer *p;
	uint8_t q[64];
	size_t n = put_query(q, 1, 30);

	f->limits.write_ms = 60;
	p = start_with_peer(f);
	f->answer_len = 65535;
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(tls_write(p->tls, q, n), 0);
	for (unsigned i = 0; i < 100; i++) {
		peer_send(p);
		turn(f);
		assert_in_range(f->pool->memory, 0, 2u << 20);
	}
	run_until(f, stream_pool_connections(f->pool) == 0);
	assert_in_range(f->counters.timeouts + f->counters.evicted, 1, 1);
}

static void sessions_count_as_memory_and_make_room(void **state)
{
	struct fixture *f = *state;
	struct peer *p[PEERS_MAX];

	f->limits.memory = 3 * STREAM_TLS_COST + 9000;
	start_tls(f, server);
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		p[i] = peer_open(f, client);
		run_until(f, peer_is_open(p[i]));
	}
	assert_int_equal(f->counters.evicted, 1);
	assert_true(peer_is_gone(p[0]));
	peer_ask(p[3], 1);
	run_until(f, peer_answers(p[3]) == 1);
}

static void parts_of_records_count_as_memory(void **state)
{
	static uint8_t part[16000] = {0x16, 3, 1, 0x40};
	struct fixture *f = *state;
	struct peer *p;

	f->limits.memory = 4 * (STREAM_TLS_COST + STREAM_TLS_PART_COST);
	start_tls(f, server);
	for (unsigned i = 0; i < 6; i++) {
		send_all(connected(f), part, sizeof(part));
		run_for_ms(f, 20);
		assert_in_range(f->pool->memory, 0, f->limits.memory);
	}
	assert_in_range(f->counters.evicted, 2, 3);
	p = peer_open(f, client);
	run_until(f, peer_is_open(p));
}

static void after_so_many_messages_a_connection_is_closed(void **state)
{
	struct fixture *f = *state;
	struct peer *p;

	f->limits.messages = 3;
	p = start_with_peer(f);
	for (uint16_t i = 0; i < 5; i++)
		peer_ask(p, i);
	run_until(f, peer_is_gone(p));
	assert_int_equal(peer_answers(p), 3);
}

static void a_stop_answers_what_has_come(void **state)
{
	struct fixture *f = *state;
	struct peer *p, *idle, *half;

	start_tls(f, server);
	f->keeps = true;
	half = peer_open(f, client);
	idle = peer_open(f, client);
	run_until(f, peer_is_open(idle));
	p = peer_open(f, client);
	run_until(f, peer_is_open(p));
	peer_ask(p, 1);
	run_until(f, f->n_kept == 1);
	stream_pool_stop(f->pool, 5000);
	run_until(f, peer_is_gone(idle) && peer_is_gone(half));
	answer_kept(f, 0);
	stream_pool_flush(f->pool);
	run_until(f, peer_answers(p) == 1);
	run_until(f, f->is_stopped);
}

/* --- writing that fails: memory ran out, a key was used up --- */

static bool writes_fail;

int SSL_write(SSL *ssl, const void *data, int n)
{
	size_t done;

	if (writes_fail)
		return -1;
	return SSL_write_ex(ssl, data, (size_t)n, &done) == 1 ? (int)done : -1;
}

static void a_write_that_fails_is_counted_and_told(void **state)
{
	struct fixture *f = *state;
	struct peer *p = start_with_peer(f);

	f->keeps = true;
	peer_ask(p, 1);
	peer_ask(p, 2);
	run_until(f, f->n_kept == 2);
	writes_fail = true;
	answer_kept(f, 0);
	answer_kept(f, 1);
	writes_fail = false;
	assert_int_equal(f->counters.tls_failed, 1);
	assert_int_equal(f->counters.tls_faults[TLS_FAULT_OTHER], 1);
	assert_int_equal(f->tls_failures, 1);
}

/* A relay's connection to the server. */
struct way {
	struct relay_host host;
	struct relay_io *io;
	struct relay_tcp *tcp;
	unsigned octets, flushes;
	bool is_over;
	int error;
};

static struct way way;

static void way_enter(void *arg)
{
	(void)arg;
}

static uint64_t way_now(void *arg)
{
	(void)arg;
	return 1000000000u;
}

static void way_flush_later(void *arg)
{
	(void)arg;
	way.flushes++;
}

static void way_on_stream(void *arg, const uint8_t *data, size_t n)
{
	(void)arg;
	(void)data;
	way.octets += (unsigned)n;
}

static void way_on_end(void *arg, int error)
{
	(void)arg;
	way.is_over = true;
	way.error = error;
}

static void a_relay_learns_of_a_write_that_fails(void **state)
{
	static const struct relay_io_handlers handlers = {
	        .on_stream = way_on_stream, .on_tcp_end = way_on_end};
	struct fixture *f = *state;
	struct relay_route route = {.tls = client, .name = "localhost"};
	uint8_t query[64];
	size_t n = put_query(query, 1, 30) - 2;

	memset(&way, 0, sizeof(way));
	start_tls(f, server);
	way.host = (struct relay_host){&f->loop, way_enter, way_now, way_flush_later, NULL};
	way.io = relay_io_new(&way.host, &handlers, NULL);
	route.to = f->addr;
	assert_int_equal(relay_tcp_open(way.io, &route, NULL, &way.tcp), 0);
	relay_tcp_send(way.tcp, query + 2, n);
	run_until(f, way.octets > 0);
	writes_fail = true;
	relay_tcp_send(way.tcp, query + 2, n);
	relay_tcp_send(way.tcp, query + 2, n);
	writes_fail = false;
	assert_false(way.is_over); /* whoever sends is not called from there */
	assert_int_equal(way.flushes, 1);
	relay_io_flush(way.io);
	assert_true(way.is_over);
	assert_int_equal(way.error, -EKEYREJECTED);
	relay_tcp_close(way.tcp);
	relay_io_free(way.io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TLS_TEST(pipelined_queries_are_answered_in_any_order),
	        TLS_TEST(more_than_may_be_in_flight_is_answered_later),
	        TLS_TEST(octets_may_come_one_by_one),
	        TLS_TEST(the_longest_answers_come_whole),
	        TLS_TEST(a_second_connection_resumes),
	        TLS_TEST(a_handshake_that_stops_is_closed_like_a_message),
	        TLS_TEST(a_client_that_leaves_at_any_octet_leaves_nothing),
	        TLS_TEST(what_is_no_tls_gets_an_alert_and_is_closed),
	        TLS_TEST(the_reason_of_a_failed_handshake_is_told),
	        TLS_TEST(a_broken_record_ends_an_open_connection),
	        TLS_TEST(an_idle_client_is_told_goodbye),
	        TLS_TEST(a_client_that_says_goodbye_gets_its_answers),
	        TLS_TEST(a_client_that_does_not_read_is_closed),
	        TLS_TEST(sessions_count_as_memory_and_make_room),
	        TLS_TEST(parts_of_records_count_as_memory),
	        TLS_TEST(after_so_many_messages_a_connection_is_closed),
	        TLS_TEST(a_stop_answers_what_has_come),
	        TLS_TEST(a_write_that_fails_is_counted_and_told),
	        TLS_TEST(a_relay_learns_of_a_write_that_fails),
	};

	return cmocka_run_group_tests(tests, make_contexts, remove_contexts);
}
