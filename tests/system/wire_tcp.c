/*
 * Rows about connections and addresses (RFC 7766, 9210): each a small program that runs in a
 * process of its own, so that the slow ones wait side by side.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 5000, CLOSE_MS = 2000, MANY = 2000, IDLE_CONNECTIONS = 400, TRIES = 3 };

static const struct row web = {.id = "web", .q = "web.prod.cluster.test A", .an = EXACTLY(1)};
static const struct row big = {.id = "big", .q = "r200.cluster.test A", .an = EXACTLY(200)};
static const struct row broken = {
        .id = "broken", .tail = "416100 0001 0001", .counts = "1 0 0 0", .rcode = "FORMERR"};

/* Append a row's query with its length prefix; returns the length of both. */
static size_t frame(uint8_t *into, const struct row *row, unsigned id)
{
	static struct pkt q;

	build_query(&q, row, (uint16_t)id);
	into[0] = (uint8_t)(q.len >> 8);
	into[1] = (uint8_t)q.len;
	memcpy(into + 2, q.at, q.len);
	return q.len + 2;
}

/* Judge one message as the reply to that row with that ID. */
static const char *judge_message(const struct row *row, unsigned id, const uint8_t *msg, long len)
{
	static struct exchange x;

	x = (struct exchange){.row = row, .transport = TCP4, .answered = true};
	build_query(&x.query, row, (uint16_t)id);
	x.rx = (uint8_t *)(uintptr_t)msg;
	x.rx_len = (size_t)len;
	return judge(&x);
}

/* Read one reply and judge it. */
static const char *expect_reply(int fd, const struct row *row, unsigned id)
{
	static uint8_t msg[MSG_MAX + 2];
	long len = read_message(fd, msg, ANSWER_MS);

	if (len <= 0)
		return len == 0 ? "connection closed" : "timeout";
	return judge_message(row, id, msg, len);
}

/* NULL when the peer closes or resets between from_ms and to_ms after now. */
static const char *expect_close(int fd, int from_ms, int to_ms)
{
	int64_t start = now_ms(), took;
	uint8_t drop[4096];

	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int left = to_ms - (int)(now_ms() - start);

		if (left <= 0 || poll(&pfd, 1, left) <= 0)
			return text("still open after %d ms", to_ms);
		if (recv(fd, drop, sizeof(drop), MSG_DONTWAIT) <= 0 && errno != EAGAIN)
			break;
	}
	took = now_ms() - start;
	return took < from_ms ? text("closed after %d ms already", (int)took) : NULL;
}

/* A fresh client over this transport gets an answer in time. */
static const char *is_served(unsigned transport)
{
	static struct exchange x;

	x = (struct exchange){.row = &web, .transport = transport};
	build_query(&x.query, &web, 77);
	run_exchanges(&x, 1);
	return x.why;
}

static const char *five_in_one_write(unsigned transport)
{
	int fd = open_transport(transport);
	uint8_t out[1000], msg[MSG_MAX + 2];
	unsigned seen = 0;
	size_t n = 0;

	for (unsigned i = 0; i < 5; i++)
		n += frame(out + n, &web, 100 + i);
	if (fd < 0 || !write_all(fd, out, n, ANSWER_MS))
		return "cannot send";
	for (int i = 0; i < 5; i++) {
		long len = read_message(fd, msg, ANSWER_MS);
		unsigned id = len > 2 ? (unsigned)(msg[0] << 8 | msg[1]) - 100 : 99;
		const char *why;

		if (len <= 0 || id > 4 || (seen & 1u << id) != 0)
			return text("reply %d: length %ld, ID %u", i, len, id + 100);
		seen |= 1u << id;
		why = judge_message(&web, id + 100, msg, len);
		if (why != NULL)
			return why;
	}
	close(fd);
	return NULL;
}

static const char *octet_by_octet(unsigned transport)
{
	int fd = open_transport(transport);
	uint8_t out[200];
	size_t n = frame(out, &web, 7);

	for (size_t i = 0; i < n; i++) {
		if (fd < 0 || !write_all(fd, out + i, 1, ANSWER_MS))
			return "cannot send";
		usleep(2000);
	}
	return expect_reply(fd, &web, 7);
}

static const char *half_close(unsigned transport)
{
	int fd = open_transport(transport);
	uint8_t out[200];
	size_t n = frame(out, &web, 7);
	const char *why;

	if (fd < 0 || !write_all(fd, out, n, ANSWER_MS) || shutdown(fd, SHUT_WR) < 0)
		return "cannot send";
	why = expect_reply(fd, &web, 7);
	return why != NULL ? why : expect_close(fd, 0, CLOSE_MS);
}

static const char *many_on_one(unsigned transport)
{
	int fd = open_transport(transport);
	uint8_t out[200];
	unsigned sent = 0;

	for (unsigned got = 0; got < MANY; got++) {
		const char *why;

		for (; sent < MANY && sent - got < 50; sent++)
			if (fd < 0 || !write_all(fd, out, frame(out, &web, sent), ANSWER_MS))
				return text("cannot send query %u", sent);
		why = expect_reply(fd, &web, got);
		if (why != NULL)
			return text("answer %u: %s", got, why);
	}
	close(fd);
	return NULL;
}

static const char *length_is_too_small(unsigned transport, unsigned length)
{
	int fd = open_transport(transport);
	uint8_t out[64] = {0, (uint8_t)length};

	if (fd < 0 || !write_all(fd, out, 2 + length, ANSWER_MS))
		return "cannot send";
	return expect_close(fd, 0, CLOSE_MS);
}

static const char *length_0(unsigned transport)
{
	return length_is_too_small(transport, 0);
}

static const char *length_5(unsigned transport)
{
	return length_is_too_small(transport, 5);
}

static const char *broken_then_good(unsigned transport)
{
	int fd = open_transport(transport);
	uint8_t out[400];
	size_t n = frame(out, &broken, 1);
	const char *why;

	n += frame(out + n, &web, 2);
	if (fd < 0 || !write_all(fd, out, n, ANSWER_MS))
		return "cannot send";
	why = expect_reply(fd, &broken, 1);
	return why != NULL ? why : expect_reply(fd, &web, 2);
}

static const char *longest_message(unsigned transport)
{
	int fd = open_transport(transport);
	static uint8_t out[MSG_MAX + 2];
	size_t n = frame(out, &web, 5);
	uint8_t msg[MSG_MAX + 2];
	long len;

	memset(out + n, 0x5a, sizeof(out) - n);
	out[0] = out[1] = 0xff;
	if (fd < 0 || !write_all(fd, out, sizeof(out), ANSWER_MS))
		return "cannot send";
	len = read_message(fd, msg, ANSWER_MS);
	if (len < 0)
		return "neither an answer nor a close";
	if (len >= 12 && (msg[3] & 15) != 1)
		return text("rcode %u", msg[3] & 15);
	return is_served(transport);
}

/* A busy machine may make one of several closes late, not all of them. */
static const char *closed_behind(unsigned transport, const uint8_t *part, size_t n)
{
	const char *why = NULL;

	for (int i = 0; i < TRIES; i++) {
		int fd = open_transport(transport);

		if (fd < 0 || !write_all(fd, part, n, ANSWER_MS))
			return "cannot send";
		why = expect_close(fd, 0, 3500);
		close(fd);
		if (why == NULL)
			break;
	}
	return why;
}

static const char *partial_then_silence(unsigned transport)
{
	uint8_t out[200];
	size_t n = frame(out, &web, 7);

	return closed_behind(transport, out, n - 5);
}

static const char *half_a_prefix(unsigned transport)
{
	return closed_behind(transport, (const uint8_t *)"\0", 1);
}

static const char *drip(unsigned transport)
{
	int fd = open_transport(transport);
	static uint8_t out[4098] = {0x10, 0x00, 0, 9, 1, 0, 0, 1};

	for (size_t i = 0; i < 7; i++) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		uint8_t c;

		if (fd < 0)
			return "cannot connect";
		if (!write_all(fd, out + i, 1, ANSWER_MS))
			return NULL;
		if (poll(&pfd, 1, 1000) > 0 && recv(fd, &c, 1, MSG_DONTWAIT) <= 0)
			return NULL;
	}
	return "still open after 7 s of one octet a second";
}

static const char *idle_from_start(unsigned transport)
{
	int fd = open_transport(transport);

	return fd < 0 ? "cannot connect" : expect_close(fd, 8000, 13000);
}

static const char *idle_after_query(unsigned transport)
{
	int fd = open_transport(transport);
	uint8_t out[200];
	const char *why;

	if (fd < 0 || !write_all(fd, out, frame(out, &web, 7), ANSWER_MS))
		return "cannot send";
	why = expect_reply(fd, &web, 7);
	return why != NULL ? why : expect_close(fd, 8000, 13000);
}

static const char *many_idle(unsigned transport)
{
	static int fds[IDLE_CONNECTIONS];
	const char *why;

	for (int i = 0; i < IDLE_CONNECTIONS; i++)
		fds[i] = open_transport(transport);
	why = is_served(transport);
	for (int i = 0; i < 3 && why == NULL; i++)
		why = is_served(transport);
	for (int i = 0; i < IDLE_CONNECTIONS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return why != NULL ? text("new client: %s", why) : NULL;
}

/* Ask for more than the socket buffers hold and read nothing. */
static int stalled_reader(unsigned transport)
{
	struct sockaddr_storage sa;
	size_t len = transport_address(transport, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM, 0), size = 4096;
	uint8_t out[200];

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, (socklen_t)len) < 0)
		return -1;
	for (unsigned i = 0; i < MANY; i++)
		if (!write_all(fd, out, frame(out, &big, i), 200))
			break;
	return fd;
}

static const char *stalled_others_served(unsigned transport)
{
	int fd = stalled_reader(transport);
	const char *why = NULL;

	for (int i = 0; i < 5 && why == NULL; i++) {
		why = is_served(transport);
		if (why == NULL)
			why = is_served(UDP4 & target.transports ? UDP4 : transport);
		usleep(100000);
	}
	if (fd >= 0)
		close(fd);
	return why != NULL ? text("another client: %s", why) : NULL;
}

static const char *stalled_is_closed(unsigned transport)
{
	int fd = stalled_reader(transport);
	struct pollfd pfd = {.fd = fd, .events = 0};

	if (fd < 0)
		return "cannot connect";
	/* the end of the stream may wait behind unread data: a write then meets the reset */
	for (int i = 0; i < 26; i++) {
		if (poll(&pfd, 1, 500) > 0 ||
		        (send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN))
			return NULL;
	}
	return "a client that reads nothing is held for 13 s";
}

static const char *stalled_then_reads(unsigned transport)
{
	int fd = stalled_reader(transport);
	static uint8_t msg[MSG_MAX + 2];
	unsigned got = 0;
	long len = 0;

	usleep(300000);
	while (fd >= 0 && got < MANY && (len = read_message(fd, msg, got == 0 ? ANSWER_MS : 500)) > 0) {
		const char *why = judge_message(&big, got, msg, len);

		if (why != NULL)
			return text("answer %u: %s", got, why);
		got++;
	}
	return got > 0 ? NULL : "nothing came";
}

static const char *reset_in_the_middle(unsigned transport)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	uint8_t out[200];

	for (int k = 0; k < 20; k++) {
		int fd = open_transport(transport);

		if (fd < 0)
			return "cannot connect";
		for (unsigned i = 0; i < 100; i++)
			(void)write_all(fd, out, frame(out, &big, i), 50);
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
	}
	return is_served(transport);
}

static const char *connect_and_close(unsigned transport)
{
	for (int i = 0; i < 300; i++) {
		int fd = open_transport(transport);

		if (fd < 0)
			return "cannot connect";
		close(fd);
	}
	return is_served(transport);
}

static int bound_udp(const char *address, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	inet_pton(AF_INET, address, &sa.sin_addr);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A server on all addresses must answer from the one that was asked. */
static const char *reply_from_asked_address(unsigned transport)
{
	static const char *const asked[] = {"127.0.0.5", "127.0.0.1", "127.1.2.3"};

	(void)transport;
	if (target.wild_port == 0)
		return "skip: no port that is bound to all addresses";
	for (size_t i = 0; i < 3; i++) {
		struct sockaddr_in to = {
		        .sin_family = AF_INET, .sin_port = htons(target.wild_port)};
		struct sockaddr_in from = {0};
		int fd = bound_udp("127.0.0.1", 0);
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		socklen_t len = sizeof(from);
		uint8_t out[200];
		size_t n = frame(out, &web, 3);

		inet_pton(AF_INET, asked[i], &to.sin_addr);
		if (sendto(fd, out + 2, n - 2, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			return "cannot send";
		if (poll(&pfd, 1, ANSWER_MS) <= 0)
			return text("no reply from %s", asked[i]);
		(void)recvfrom(fd, out, sizeof(out), 0, (struct sockaddr *)&from, &len);
		close(fd);
		if (from.sin_addr.s_addr != to.sin_addr.s_addr || from.sin_port != to.sin_port)
			return text("asked %s, reply from %s", asked[i], inet_ntoa(from.sin_addr));
	}
	return NULL;
}

/* A question to the broadcast address must not bring a reply from everyone. */
static const char *silence_on_broadcast(unsigned transport)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(target.wild_port)};
	int fd = bound_udp("127.0.0.1", 0), on = 1;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	uint8_t out[200];
	size_t n = frame(out, &web, 3);

	(void)transport;
	if (target.wild_port == 0)
		return "skip: no port that is bound to all addresses";
	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	inet_pton(AF_INET, "127.255.255.255", &to.sin_addr);
	if (sendto(fd, out + 2, n - 2, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return "skip: no broadcast on this loopback";
	return poll(&pfd, 1, 1000) > 0 ? "a reply to a broadcast" : NULL;
}

/* Forge a datagram from port 0, which nobody can be answered at; the server must go on. */
static const char *query_from_port_0(unsigned transport)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	uint8_t out[300];
	struct udphdr *udp = (struct udphdr *)(void *)out;
	size_t n;

	if (fd < 0)
		return "skip: no raw socket without CAP_NET_RAW";
	inet_pton(AF_INET, target.v4, &to.sin_addr);
	n = frame(out + sizeof(*udp) - 2, &web, 3);
	*udp = (struct udphdr){
	        .dest = htons(target.port), .len = htons((uint16_t)(sizeof(*udp) + n - 2))};
	for (int i = 0; i < 10; i++)
		(void)sendto(fd, out, sizeof(*udp) + n - 2, 0, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	return is_served(transport);
}

/* One datagram after the other from one socket: answers carry the IDs of their own questions. */
static const char *burst_from_one_port(unsigned transport)
{
	struct sockaddr_storage sa;
	size_t len = transport_address(transport, &sa);
	int fd = open_transport(transport);
	uint8_t out[MSG_MAX + 2];
	unsigned seen = 0;

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, (socklen_t)len) < 0)
		return "cannot connect";
	for (unsigned i = 0; i < 100; i++) {
		size_t n = frame(out, i % 10 == 9 ? &broken : &web, i);

		if (send(fd, out + 2, n - 2, 0) < 0)
			return "cannot send";
	}
	while (seen < 100) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		ssize_t got;
		unsigned id;
		const char *why;

		if (poll(&pfd, 1, ANSWER_MS) <= 0)
			return text("%u of 100 answers", seen);
		got = recv(fd, out, sizeof(out), 0);
		id = got > 2 ? (unsigned)(out[0] << 8 | out[1]) : 999;
		why = judge_message(id % 10 == 9 ? &broken : &web, id, out, got);
		if (why != NULL)
			return text("answer with ID %u: %s", id, why);
		seen++;
	}
	close(fd);
	return NULL;
}

/* Read one reply's ID, or -1. */
static int reply_id(int fd, int timeout_ms)
{
	static uint8_t msg[MSG_MAX + 2];

	return read_message(fd, msg, timeout_ms) >= 12 ? msg[0] << 8 | msg[1] : -1;
}

/*
 * RFC 7766 6.2.1.1: what is known here does not wait behind what an upstream is asked. We are the
 * upstream, and answer when we have seen the other answer.
 */
static const char *out_of_order(unsigned transport)
{
	static const struct row slow = {.id = "slow", .q = "a.slow.test A", .flags = RD};
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	int hole, fd;
	uint8_t out[400];
	ssize_t len;
	size_t n;

	if (target.upstream_port == 0)
		return "skip: a server that forwards nothing";
	hole = bound_udp("127.0.0.1", target.upstream_port);
	fd = open_transport(transport);
	n = frame(out, &slow, 1);
	n += frame(out + n, &web, 2);
	if (hole < 0 || fd < 0 || !write_all(fd, out, n, ANSWER_MS))
		return "cannot send";
	if (reply_id(fd, ANSWER_MS) != 2)
		return "the answer known here did not come first";
	/* the question leaves at the end of the turn in which that answer was written */
	if (poll(&(struct pollfd){.fd = hole, .events = POLLIN}, 1, ANSWER_MS) <= 0)
		return "the upstream was not asked";
	len = recvfrom(hole, out, sizeof(out), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	if (len < 12)
		return "the upstream was asked no question";
	out[2] |= 0x80;
	out[3] |= 0x80;
	(void)sendto(hole, out, (size_t)len, 0, (struct sockaddr *)&from, from_len);
	return reply_id(fd, ANSWER_MS) == 1 ? NULL : "the forwarded answer did not come";
}

/* The rows from C30 on load the server and run one after the other when the rest is done. */
const struct program programs[] = {
        {"C01", "5 queries in one write", NULL, five_in_one_write, TCP},
        {"C02", "1 octet a write", NULL, octet_by_octet, TCP},
        {"C03", "half close after the query", NULL, half_close, TCP},
        {"C04", "2000 queries on one connection", NULL, many_on_one, TCP},
        {"C05", "length 0 closes the connection", NULL, length_0, TCP},
        {"C06", "length 5 closes the connection", NULL, length_5, TCP},
        {"C07", "a malformed message and then a good one: both are answered", "K", broken_then_good,
                TCP},
        {"C08", "a message of 65535 octets", "N", longest_message, TCP},
        {"C09", "a partial message and silence: closed within 3 s", "N", partial_then_silence,
                TCP4},
        {"C10", "half a length prefix and silence: closed within 3 s", "N", half_a_prefix, TCP4},
        {"C11", "one octet a second: closed by the deadline of the message", "N", drip, TCP4},
        {"C12", "idle from the start: closed after 10 s", "N", idle_from_start, TCP4},
        {"C13", "idle after a query: closed after 10 s", "N", idle_after_query, TCP4},
        {"C15", "an answer known here does not wait behind a forwarded one", NULL, out_of_order,
                TCP4},
        {"A01", "the reply comes from the address that was asked", NULL, reply_from_asked_address,
                UDP4},
        {"A04", "a question to a broadcast address is not answered", NULL, silence_on_broadcast,
                UDP4},
        {"A02", "a query from port 0 harms nothing", NULL, query_from_port_0, UDP4},
        {"A03", "100 datagrams at once, good and bad", "K", burst_from_one_port, UDP},
        {"C30", "others are served while one reads nothing", NULL, stalled_others_served, TCP4},
        {"C31", "a client that pauses reading gets whole answers", NULL, stalled_then_reads, TCP4},
        {"C32", "resets in the middle of answers", NULL, reset_in_the_middle, TCP},
        {"C33", "300 connections opened and closed", NULL, connect_and_close, TCP4},
        {"C34", "a new client is served while 400 connections idle", NULL, many_idle, TCP4},
        {"C35", "a client that reads nothing is closed in the end", NULL, stalled_is_closed, TCP4},
        {NULL, NULL, NULL, NULL, 0},
};
