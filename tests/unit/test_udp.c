/*
 * UDP sockets over loopback. Addresses of 127.0.0.0/8 stand for the several addresses of a host.
 */
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "net/udp.h"

static union addr v4(const char *ip, uint16_t port)
{
	union addr a;

	memset(&a, 0, sizeof(a));
	assert_int_equal(addr_from_text(&a, str_from(ip), port), 0);
	return a;
}

/* A plain client socket; connected, so that only answers from the asked address reach it. */
static int client_of(const union addr *server)
{
	int fd = socket(server->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	assert_int_equal(connect(fd, &server->sa, addr_len(server)), 0);
	return fd;
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 10000) == 1;
}

static struct udp_socket open_on(union addr *a)
{
	struct udp_socket s;
	struct err e;

	assert_int_equal(udp_open(&s, a, &e), 0);
	assert_int_not_equal(addr_port(a), 0);
	return s;
}

/* Receive one datagram into p. */
static void receive(struct udp_socket *s, struct udp_packet *p)
{
	assert_true(is_readable(s->fd));
	assert_int_equal(udp_recv(s, &p, 1), 1);
}

static void an_answer_leaves_from_the_address_that_was_asked(void **state)
{
	static const char *const rows[][2] = {
	        {"0.0.0.0", "127.0.0.1"},
	        {"0.0.0.0", "127.0.0.2"},
	        {"127.0.0.3", "127.0.0.3"},
	        {"::", "::1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		union addr bound = v4(rows[i][0], 0), asked;
		struct udp_socket s = open_on(&bound);
		uint8_t buf[64], reply[64];
		struct udp_packet p = {.buf = buf, .cap = sizeof(buf)}, *out = &p;
		int fd;

		asked = v4(rows[i][1], addr_port(&bound));
		fd = client_of(&asked);
		assert_int_equal(send(fd, "question", 8, 0), 8);
		receive(&s, &p);
		assert_int_equal(p.len, 8);
		assert_false(p.is_cut);
		assert_int_equal(s.is_wildcard, addr_is_wildcard(&bound));
		assert_int_equal(p.local.sa.sa_family != AF_UNSPEC, s.is_wildcard);
		assert_int_equal(udp_send(&s, &out, 1), 1);
		assert_true(is_readable(fd));
		assert_int_equal(recv(fd, reply, sizeof(reply), 0), 8);
		close(fd);
		udp_close(&s);
	}
}

static void a_datagram_longer_than_the_buffer_is_marked_as_cut(void **state)
{
	union addr bound = v4("127.0.0.1", 0);
	struct udp_socket s = open_on(&bound);
	uint8_t sent[100] = {0}, buf[64];
	struct udp_packet p = {.buf = buf, .cap = sizeof(buf)};
	int fd = client_of(&bound);

	(void)state;
	assert_int_equal(send(fd, sent, 65, 0), 65);
	receive(&s, &p);
	assert_int_equal(p.len, 64);
	assert_true(p.is_cut);
	assert_int_equal(send(fd, sent, 64, 0), 64);
	receive(&s, &p);
	assert_int_equal(p.len, 64);
	assert_false(p.is_cut);
	close(fd);
	udp_close(&s);
}

static void what_was_sent_to_all_is_told_apart(void **state)
{
	static const struct {
		const char *to;
		bool is_broadcast;
	} rows[] = {{"127.0.0.1", false}, {"127.9.9.9", false}, {"127.255.255.255", true}};
	union addr bound = v4("0.0.0.0", 0);
	struct udp_socket s = open_on(&bound);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		union addr to = v4(rows[i].to, addr_port(&bound));
		uint8_t buf[64];
		struct udp_packet p = {.buf = buf, .cap = sizeof(buf)};
		int fd = client_of(&to);

		assert_int_equal(send(fd, "x", 1, 0), 1);
		receive(&s, &p);
		assert_int_equal(p.is_broadcast, rows[i].is_broadcast);
		close(fd);
	}
	udp_close(&s);
}

static void a_batch_is_taken_and_answered_in_one_call(void **state)
{
	union addr bound = v4("0.0.0.0", 0), asked = v4("127.0.0.1", 0);
	struct udp_socket s = open_on(&bound);
	uint8_t buf[UDP_BATCH][16];
	struct udp_packet p[UDP_BATCH], *at[UDP_BATCH];
	int fd;

	(void)state;
	addr_set_port(&asked, addr_port(&bound));
	fd = client_of(&asked);
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		p[i] = (struct udp_packet){.buf = buf[i], .cap = sizeof(buf[i])};
		at[i] = &p[i];
		assert_int_equal(send(fd, &i, sizeof(i), 0), sizeof(i));
	}
	assert_true(is_readable(s.fd));
	assert_int_equal(udp_recv(&s, at, UDP_BATCH), UDP_BATCH);
	assert_int_equal(udp_recv(&s, at, UDP_BATCH), 0);
	assert_int_equal(udp_send(&s, at, UDP_BATCH), UDP_BATCH);
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		unsigned got = 0;

		assert_int_equal(recv(fd, &got, sizeof(got), MSG_DONTWAIT), sizeof(got));
		assert_int_equal(got, i);
	}
	close(fd);
	udp_close(&s);
}

static void one_datagram_that_cannot_be_sent_does_not_stop_the_others(void **state)
{
	union addr bound = v4("127.0.0.1", 0), peer = v4("127.0.0.1", 0);
	struct udp_socket s = open_on(&bound), other = open_on(&peer);
	struct udp_packet p[3], *at[3] = {&p[0], &p[1], &p[2]};
	uint8_t octet = 7, buf[16];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		p[i] = (struct udp_packet){.buf = &octet, .len = 1, .peer = peer};
	addr_set_port(&p[1].peer, 0); /* EINVAL */
	assert_int_equal(udp_send(&s, at, 3), 2);
	for (unsigned i = 0; i < 2; i++) {
		struct udp_packet in = {.buf = buf, .cap = sizeof(buf)};

		receive(&other, &in);
	}
	udp_close(&s);
	udp_close(&other);
}

static void a_muted_socket_answers_what_it_took_and_takes_no_more(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", "0.0.0.0", "::1", "::"};

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		union addr bound = v4(addresses[i], 0), asked;
		struct udp_socket s = open_on(&bound), heir;
		uint8_t buf[16];
		struct udp_packet p = {.buf = buf, .cap = sizeof(buf)}, *out = &p;
		int fd;

		asked = v4(bound.sa.sa_family == AF_INET ? "127.0.0.1" : "::1", addr_port(&bound));
		fd = client_of(&asked);
		assert_int_equal(send(fd, "before", 6, 0), 6);
		udp_mute(&s);
		heir = open_on(&bound);
		for (unsigned k = 0; k < 16; k++) { /* from so many ports */
			int other = client_of(&asked);
			struct udp_packet in = {.buf = buf, .cap = sizeof(buf)};

			assert_int_equal(send(other, "after", 5, 0), 5);
			receive(&heir, &in);
			close(other);
		}
		receive(&s, &p);
		assert_int_equal(p.len, 6);
		assert_int_equal(udp_send(&s, &out, 1), 1);
		assert_true(is_readable(fd));
		assert_int_equal(udp_recv(&s, &out, 1), 0);
		close(fd);
		udp_close(&s);
		udp_close(&heir);
	}
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void no_fragment_is_made_and_no_path_mtu_is_believed(void **state)
{
	union addr four = v4("127.0.0.1", 0), six = v4("::1", 0);
	struct udp_socket s4 = open_on(&four), s6 = open_on(&six);

	(void)state;
	assert_int_equal(option(s4.fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
	assert_int_equal(option(s6.fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
	assert_int_equal(option(s4.fd, SOL_SOCKET, SO_REUSEPORT), 1);
	/* the default is some 200 KiB; what is allowed beyond it is the host's choice */
	assert_true(option(s4.fd, SOL_SOCKET, SO_RCVBUF) >= 200 << 10);
	udp_close(&s4);
	udp_close(&s6);
}

static void an_address_held_by_another_is_found_out_before_it_is_shared(void **state)
{
	union addr a = v4("127.0.0.1", 0), t = v4("127.0.0.1", 0);
	struct udp_socket s = open_on(&a), twin;
	struct err e;
	int tcp = tcp_listen(&t, &e);

	(void)state;
	assert_true(tcp >= 0);
	assert_int_equal(socket_probe(&a, SOCK_DGRAM, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "127.0.0.1:"));
	assert_int_equal(socket_probe(&t, SOCK_STREAM, &e), -EADDRINUSE);
	/* our own workers share it on purpose */
	twin = open_on(&a);
	udp_close(&twin);
	udp_close(&s);
	close(tcp);
	assert_int_equal(socket_probe(&a, SOCK_DGRAM, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_answer_leaves_from_the_address_that_was_asked),
	        cmocka_unit_test(a_datagram_longer_than_the_buffer_is_marked_as_cut),
	        cmocka_unit_test(what_was_sent_to_all_is_told_apart),
	        cmocka_unit_test(a_batch_is_taken_and_answered_in_one_call),
	        cmocka_unit_test(one_datagram_that_cannot_be_sent_does_not_stop_the_others),
	        cmocka_unit_test(a_muted_socket_answers_what_it_took_and_takes_no_more),
	        cmocka_unit_test(no_fragment_is_made_and_no_path_mtu_is_believed),
	        cmocka_unit_test(an_address_held_by_another_is_found_out_before_it_is_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
