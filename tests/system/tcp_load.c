/*
 * tcp_load PORT NAME SECONDS: asks 127.0.0.1 for the address of NAME over TCP, one question after
 * the other, twenty a connection, and prints how many were asked, answered well (NOERROR with a
 * record), answered badly, and lost. A connection that the server closes between two questions is
 * no loss (RFC 7766 6.2.4); one that it closes instead of answering is.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUESTIONS_MAX 20

static unsigned asked, good, bad, lost;

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A connection, or -1. */
static int open_connection(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval patience = {10, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* n octets, however they come; false at the end of the connection or of patience. */
static bool read_all(int fd, uint8_t *at, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, at, n, 0);

		if (got < 0 && errno == EINTR)
			continue; /* we were stopped for a while */
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

/* True when the server has said that it closes, before we asked. */
static bool is_closed_by_peer(int fd)
{
	uint8_t octet;

	return recv(fd, &octet, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/* Ask once; false when the connection is of no more use. */
static bool ask(int fd, const uint8_t *query, size_t n)
{
	uint8_t out[514] = {(uint8_t)(n >> 8), (uint8_t)n}, in[65535];
	size_t len;

	memcpy(out + 2, query, n);
	out[2] = (uint8_t)(asked >> 8);
	out[3] = (uint8_t)asked;
	asked++;
	if (send(fd, out, n + 2, MSG_NOSIGNAL) == (ssize_t)n + 2 && read_all(fd, in, 2)) {
		len = (size_t)in[0] << 8 | in[1];
		if (len >= 12 && read_all(fd, in, len)) {
			bool is_good = memcmp(in, out + 2, 2) == 0 && (in[3] & 15) == 0 &&
				(in[6] | in[7]) != 0;

			good += is_good;
			bad += !is_good;
			return true;
		}
	}
	lost++;
	return false;
}

static void ask_on_one_connection(uint16_t port, const uint8_t *query, size_t n, double end)
{
	int fd = open_connection(port);

	if (fd < 0) {
		asked++;
		lost++;
		usleep(1000);
		return;
	}
	for (int i = 0; i < QUESTIONS_MAX && now_s() < end; i++)
		if (is_closed_by_peer(fd) || !ask(fd, query, n))
			break;
	close(fd);
}

int main(int argc, char **argv)
{
	double end = now_s() + (argc > 3 ? atof(argv[3]) : 1);
	uint8_t *query;
	ldns_pkt *p;
	size_t n;

	if (argc < 3)
		return 2;
	p = ldns_pkt_query_new(ldns_dname_new_frm_str(argv[2]), LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN,
		LDNS_RD);
	if (ldns_pkt2wire(&query, p, &n) != LDNS_STATUS_OK || n > 512)
		return 2;
	ldns_pkt_free(p);
	while (now_s() < end)
		ask_on_one_connection((uint16_t)atoi(argv[1]), query, n, end);
	free(query);
	printf("asked=%u good=%u bad=%u lost=%u\n", asked, good, bad, lost);
	return 0;
}
