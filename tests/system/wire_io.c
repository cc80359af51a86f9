/*
 * Sockets: runs many rows at once, each on a socket of its own, so that rows which expect silence
 * share one wait.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	WAVE = 32,
	REPLY_MS = 5000, /* no more than a busy machine takes */
	SILENCE_MS = 1000, /* for rows that get no reply */
};

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const char *transport_name(unsigned transport)
{
	return transport == UDP4   ? "udp4"
	       : transport == UDP6 ? "udp6"
	       : transport == TCP4 ? "tcp4"
	                           : "tcp6";
}

size_t transport_address(unsigned transport, void *sockaddr_storage)
{
	if (transport & (UDP4 | TCP4)) {
		struct sockaddr_in *sa = sockaddr_storage;

		memset(sa, 0, sizeof(*sa));
		sa->sin_family = AF_INET;
		sa->sin_port = htons(target.port);
		inet_pton(AF_INET, target.v4, &sa->sin_addr);
		return sizeof(*sa);
	} else {
		struct sockaddr_in6 *sa = sockaddr_storage;

		memset(sa, 0, sizeof(*sa));
		sa->sin6_family = AF_INET6;
		sa->sin6_port = htons(target.port);
		inet_pton(AF_INET6, target.v6, &sa->sin6_addr);
		return sizeof(*sa);
	}
}

int open_transport(unsigned transport)
{
	struct sockaddr_storage sa;
	size_t len = transport_address(transport, &sa);
	int fd = socket(
	        sa.ss_family, (transport & TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || (transport & UDP) != 0)
		return fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&sa, (socklen_t)len) == 0)
		return fd;
	close(fd);
	return -1;
}

bool write_all(int fd, const void *p, size_t n, int timeout_ms)
{
	const uint8_t *at = p;
	int64_t end = now_ms() + timeout_ms;

	while (n > 0) {
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};
		ssize_t rc = send(fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (rc > 0) {
			at += rc;
			n -= (size_t)rc;
		} else if (rc < 0 && errno != EAGAIN && errno != EINTR) {
			return false;
		} else if (now_ms() >= end || poll(&pfd, 1, (int)(end - now_ms())) <= 0) {
			return false;
		}
	}
	return true;
}

/* Read exactly n octets: n, 0 at the end of the stream, -1 on timeout. */
static long read_exactly(int fd, uint8_t *into, size_t n, int64_t end)
{
	size_t got = 0;

	while (got < n) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int64_t left = end - now_ms();
		ssize_t rc;

		if (left < 0 || poll(&pfd, 1, (int)left) <= 0)
			return -1;
		rc = recv(fd, into + got, n - got, 0);
		if (rc <= 0)
			return 0;
		got += (size_t)rc;
	}
	return (long)n;
}

long read_message(int fd, uint8_t *into, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	uint8_t prefix[2];
	long rc = read_exactly(fd, prefix, 2, end);

	if (rc <= 0)
		return rc;
	return read_exactly(fd, into, (size_t)(prefix[0] << 8 | prefix[1]), end);
}

static void send_query(struct exchange *x)
{
	struct sockaddr_storage sa;
	size_t len = transport_address(x->transport, &sa);
	uint8_t prefix[2] = {(uint8_t)(x->query.len >> 8), (uint8_t)x->query.len};
	static uint8_t both[MSG_MAX + 2];

	x->fd = open_transport(x->transport);
	if (x->fd < 0) {
		x->failed = true;
	} else if (x->transport & UDP) {
		x->failed = sendto(x->fd, x->query.at, x->query.len, 0, (struct sockaddr *)&sa,
		                    (socklen_t)len) != (ssize_t)x->query.len;
	} else {
		memcpy(both, prefix, 2);
		memcpy(both + 2, x->query.at, x->query.len);
		x->failed = !write_all(x->fd, both, x->query.len + 2, REPLY_MS);
	}
}

static bool is_from_target(const struct exchange *x, const struct sockaddr_storage *from)
{
	struct sockaddr_storage want;
	size_t len = transport_address(x->transport, &want);

	if (want.ss_family == AF_INET6)
		return memcmp(&((struct sockaddr_in6 *)&want)->sin6_addr,
		               &((const struct sockaddr_in6 *)from)->sin6_addr, 16) == 0 &&
		       ((const struct sockaddr_in6 *)from)->sin6_port == htons(target.port);
	return memcmp(from, &want, len) == 0;
}

static void take_datagram(struct exchange *x)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(x->fd, x->rx, MSG_MAX, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	if (n < 0)
		return;
	x->answered = true;
	x->rx_len = (size_t)n;
	if (!is_from_target(x, &from))
		x->why = "reply from another address or port";
}

/* Gather a length-prefixed message; rx holds the message without its prefix when complete. */
static void take_stream(struct exchange *x)
{
	ssize_t n = recv(x->fd, x->rx + x->rx_len, MSG_MAX + 2 - x->rx_len, MSG_DONTWAIT);
	size_t want;

	if (n <= 0) {
		x->closed = n == 0 || (errno != EAGAIN && errno != EINTR);
		return;
	}
	x->rx_len += (size_t)n;
	want = x->rx_len < 2 ? 0 : (size_t)(x->rx[0] << 8 | x->rx[1]);
	if (x->rx_len < 2 || x->rx_len < want + 2)
		return;
	x->answered = true;
	if (x->rx_len > want + 2)
		x->why = "octets behind the reply";
	memmove(x->rx, x->rx + 2, want);
	x->rx_len = want;
}

static bool is_waiting(const struct exchange *x)
{
	return !x->answered && !x->closed && !x->failed && x->skipped == NULL;
}

static void wait_wave(struct exchange *x, size_t n)
{
	int64_t begin = now_ms();

	for (;;) {
		struct pollfd pfds[WAVE];
		struct exchange *of[WAVE];
		nfds_t np = 0;
		int64_t end = begin + SILENCE_MS;

		for (size_t i = 0; i < n; i++)
			if (is_waiting(&x[i])) {
				if ((x[i].row->is & SILENT) == 0)
					end = begin + REPLY_MS;
				pfds[np] = (struct pollfd){.fd = x[i].fd, .events = POLLIN};
				of[np++] = &x[i];
			}
		if (np == 0 || now_ms() >= end)
			return;
		if (poll(pfds, np, (int)(end - now_ms())) <= 0)
			return;
		for (nfds_t i = 0; i < np; i++)
			if (pfds[i].revents != 0) {
				if (of[i]->transport & UDP)
					take_datagram(of[i]);
				else
					take_stream(of[i]);
			}
	}
}

static void run_wave(struct exchange *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		x[i].fd = -1;
		x[i].rx = calloc(1, MSG_MAX + 2);
		if (x[i].skipped == NULL)
			send_query(&x[i]);
	}
	wait_wave(x, n);
	for (size_t i = 0; i < n; i++) {
		if (x[i].fd >= 0)
			close(x[i].fd);
		if (x[i].why == NULL && x[i].skipped == NULL)
			x[i].why = judge(&x[i]);
	}
}

void run_exchanges(struct exchange *x, size_t n)
{
	for (size_t i = 0; i < n; i += WAVE)
		run_wave(x + i, n - i < WAVE ? n - i : WAVE);
}
