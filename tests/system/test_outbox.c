/* Datagrams in messages and segments, over real sockets on loopback. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/must.h"
#include "base/num.h"
#include "net/addr.h"
#include "net/outbox.h"

#define LENGTHS 4u

static struct outbox out;
static int next_error; /* what the next call gives, as for an ICMP message that came before it */
static uint8_t data[OUTBOX_MAX][400];

int sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
	if (next_error == 0)
		return (int)syscall(SYS_sendmmsg, fd, messages, n, flags);
	errno = next_error;
	next_error = 0;
	return -1;
}

/* Datagram i has its number in front, and one of so many lengths. */
static size_t length_of(unsigned i, unsigned lengths)
{
	return 40 + i % lengths * 7;
}

static void fill(unsigned n, unsigned lengths)
{
	outbox_init(&out);
	for (unsigned i = 0; i < n; i++) {
		memset(data[i], (int)(i + 100), sizeof(data[i]));
		data[i][0] = (uint8_t)i;
		outbox_add(&out, data[i], length_of(i, lengths));
	}
}

/* Two sockets: *to hears what leaves by *from. False when this host has no such loopback. */
static bool open_pair_on(const char *host, int *from, int *to)
{
	union addr a;
	socklen_t len;

	must(addr_from_text(&a, str_from(host), 0) == 0);
	len = addr_len(&a);
	*to = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	*from = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (*to < 0 || *from < 0 || bind(*to, &a.sa, len) != 0)
		return false;
	must(getsockname(*to, &a.sa, &len) == 0);
	must(connect(*from, &a.sa, len) == 0);
	return true;
}

static void open_pair(int *from, int *to)
{
	must(open_pair_on("127.0.0.1", from, to));
}

/* Each of the n datagrams came once, whole and unchanged. */
static void expect_all(int to, unsigned n, unsigned lengths)
{
	bool has_come[OUTBOX_MAX] = {false};
	uint8_t got[2048];

	for (unsigned i = 0; i < n; i++) {
		ssize_t size = recv(to, got, sizeof(got), 0);

		assert_true(size > 0);
		assert_true(got[0] < n && !has_come[got[0]]);
		has_come[got[0]] = true;
		assert_int_equal(size, length_of(got[0], lengths));
		assert_memory_equal(got, data[got[0]], (size_t)size);
	}
	assert_int_equal(recv(to, got, sizeof(got), 0), -1);
}

static void those_of_a_burst_with_equal_length_are_one_message(void **state)
{
	static const struct {
		unsigned n, lengths, messages;
	} rows[] = {{1, 1, 1}, {OUTBOX_BURST - 1, 1, OUTBOX_BURST - 1}, {OUTBOX_BURST, 1, 1},
	        {30, 3, 3}, {32, 32, 32}, {33, 32, 32}, {OUTBOX_MAX, 1, 1},
	        {OUTBOX_MAX, LENGTHS, LENGTHS}};
	int from, to;

	(void)state;
	open_pair(&from, &to);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fill(rows[i].n, rows[i].lengths);
		assert_int_equal(outbox_pack(&out, true), rows[i].messages);
		assert_int_equal(outbox_send(&out, from), 0);
		assert_int_equal(out.len, 0);
		expect_all(to, rows[i].n, rows[i].lengths);
	}
	close(from);
	close(to);
}

static void segments_leave_over_ipv6_too(void **state)
{
	int from, to;

	(void)state;
	if (!open_pair_on("::1", &from, &to)) {
		skip();
		return;
	}
	fill(OUTBOX_MAX, LENGTHS);
	assert_int_equal(outbox_pack(&out, true), LENGTHS);
	assert_int_equal(outbox_send(&out, from), 0);
	expect_all(to, OUTBOX_MAX, LENGTHS);
	close(from);
	close(to);
}

static void each_leaves_alone_where_the_way_takes_no_segments(void **state)
{
	int from, to, on = 1;

	(void)state;
	open_pair(&from, &to);
	/* the kernel refuses segments without checksums */
	must(setsockopt(from, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)) == 0);
	fill(OUTBOX_MAX, LENGTHS);
	outbox_probe(&out, from);
	assert_true(out.has_segments);
	assert_int_equal(outbox_pack(&out, true), LENGTHS);
	assert_int_equal(outbox_send(&out, from), 0);
	expect_all(to, OUTBOX_MAX, LENGTHS);
	assert_int_equal(out.refused, 1);
	for (unsigned i = 0; i < OUTBOX_BURST; i++)
		outbox_add(&out, data[i], length_of(i, LENGTHS));
	assert_int_equal(outbox_pack(&out, true), OUTBOX_BURST);
	assert_int_equal(outbox_send(&out, from), 0);
	expect_all(to, OUTBOX_BURST, LENGTHS);
	close(from);
	close(to);
}

/* A burst as in fill(), with what out has learned. The number of messages that it was. */
static unsigned send_burst(int from, int to)
{
	unsigned messages;

	for (unsigned i = 0; i < OUTBOX_MAX; i++)
		outbox_add(&out, data[i], length_of(i, LENGTHS));
	messages = outbox_pack(&out, true);
	assert_int_equal(outbox_send(&out, from), 0);
	expect_all(to, OUTBOX_MAX, LENGTHS);
	return messages;
}

static unsigned bursts_until_segments(int from, int to)
{
	unsigned n = 0;

	while (send_burst(from, to) != LENGTHS)
		n++;
	return n;
}

static void segments_come_back_when_the_way_takes_them_again(void **state)
{
	int from, to, on = 1, off = 0;

	(void)state;
	open_pair(&from, &to);
	fill(OUTBOX_MAX, LENGTHS);
	outbox_init(&out);
	must(setsockopt(from, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)) == 0);
	assert_int_equal(send_burst(from, to), LENGTHS);
	assert_int_equal(out.refused, 1);
	/* each refusal makes the rest longer */
	assert_int_equal(bursts_until_segments(from, to), OUTBOX_REST);
	assert_int_equal(bursts_until_segments(from, to), 2 * OUTBOX_REST);
	assert_int_equal(out.refused, 3);
	must(setsockopt(from, SOL_SOCKET, SO_NO_CHECK, &off, sizeof(off)) == 0);
	assert_int_equal(bursts_until_segments(from, to), 4 * OUTBOX_REST);
	assert_int_equal(send_burst(from, to), LENGTHS);
	/* and all is forgotten */
	must(setsockopt(from, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)) == 0);
	send_burst(from, to);
	assert_int_equal(out.refused, 4);
	assert_int_equal(bursts_until_segments(from, to), OUTBOX_REST);
	close(from);
	close(to);
}

static void the_rest_does_not_grow_without_end(void **state)
{
	int from, to, on = 1;

	(void)state;
	open_pair(&from, &to);
	must(setsockopt(from, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)) == 0);
	fill(OUTBOX_MAX, LENGTHS);
	outbox_init(&out);
	for (unsigned i = 0; i < 40; i++) {
		out.rest = 0;
		send_burst(from, to);
	}
	assert_int_equal(out.refused, 40);
	assert_int_equal(out.rest, OUTBOX_REST_MAX);
	close(from);
	close(to);
}

/* ICMP says of an earlier datagram that it was too long: these leave as they are. */
static void the_error_of_an_earlier_datagram_is_no_refusal(void **state)
{
	static const int errors[] = {EMSGSIZE, EIO, EINVAL};
	int from, to;

	(void)state;
	open_pair(&from, &to);
	fill(OUTBOX_MAX, LENGTHS);
	outbox_init(&out);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		next_error = errors[i];
		assert_int_equal(send_burst(from, to), LENGTHS);
		assert_int_equal(next_error, 0);
		assert_int_equal(send_burst(from, to), LENGTHS);
	}
	assert_int_equal(out.refused, 0);
	close(from);
	close(to);
}

static void those_who_doubt_get_a_message_for_each(void **state)
{
	int from, to;

	(void)state;
	open_pair(&from, &to);
	fill(OUTBOX_MAX, LENGTHS);
	assert_int_equal(outbox_pack(&out, false), OUTBOX_MAX);
	assert_int_equal(outbox_send(&out, from), 0);
	expect_all(to, OUTBOX_MAX, LENGTHS);
	assert_true(out.has_segments);
	close(from);
	close(to);
}

static void a_socket_that_knows_no_segments_gets_none(void **state)
{
	int pair[2];

	(void)state;
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	fill(OUTBOX_MAX, LENGTHS);
	outbox_probe(&out, pair[0]);
	assert_int_equal(outbox_pack(&out, true), OUTBOX_MAX);
	close(pair[0]);
	close(pair[1]);
}

static void what_the_network_says_is_reported(void **state)
{
	static const unsigned bursts[] = {2, OUTBOX_MAX};
	int from, to;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bursts); i++) {
		int first, second;

		open_pair(&from, &to);
		close(to);
		fill(bursts[i], 1);
		outbox_pack(&out, true);
		first = outbox_send(&out, from);
		fill(bursts[i], 1);
		outbox_pack(&out, true);
		second = outbox_send(&out, from);
		assert_true(first == 0 || first == -ECONNREFUSED);
		assert_int_equal(second, -ECONNREFUSED);
		assert_true(out.has_segments);
		close(from);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(those_of_a_burst_with_equal_length_are_one_message),
	        cmocka_unit_test(segments_leave_over_ipv6_too),
	        cmocka_unit_test(each_leaves_alone_where_the_way_takes_no_segments),
	        cmocka_unit_test(segments_come_back_when_the_way_takes_them_again),
	        cmocka_unit_test(the_rest_does_not_grow_without_end),
	        cmocka_unit_test(the_error_of_an_earlier_datagram_is_no_refusal),
	        cmocka_unit_test(those_who_doubt_get_a_message_for_each),
	        cmocka_unit_test(a_socket_that_knows_no_segments_gets_none),
	        cmocka_unit_test(what_the_network_says_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
