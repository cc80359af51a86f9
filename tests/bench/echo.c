/*
 * The limit: a DNS-shaped echo loop. It does the least that any UDP name server must do on
 * sockets: take a batch, flip QR, append one A record (keeping an OPT at the end), send the batch.
 * No table, no parsing beyond the last octets. One thread. A server's cost per answer is given as
 * a ratio to this loop's, because absolute figures move with the machine.
 *
 * usage: echo PORT [TTL]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, SLOT = 512, OPT_LEN = 11 };

static uint8_t record[] = {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 0, 0, 1};

static uint8_t slots[BATCH][SLOT];
static struct mmsghdr msgs[BATCH];
static struct iovec iovs[BATCH];
static struct sockaddr_in from[BATCH];

/* Turn the query of n octets into its answer in place; the new length. */
static size_t answer(uint8_t *p, size_t n)
{
	size_t end = n;

	if (n < 12 || n + sizeof(record) > SLOT)
		return n;
	p[2] |= 0x84;
	p[7] = 1;
	if (p[11] == 1 && n >= 12 + OPT_LEN) {
		end = n - OPT_LEN;
		memmove(p + end + sizeof(record), p + end, OPT_LEN);
	}
	memcpy(p + end, record, sizeof(record));
	return n + sizeof(record);
}

static int bound_socket(uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int on = 1, size = 4 << 20;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	        bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror("echo: socket");
		exit(1);
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

static void prepare(void)
{
	for (int i = 0; i < BATCH; i++) {
		iovs[i].iov_base = slots[i];
		iovs[i].iov_len = SLOT;
		msgs[i].msg_hdr.msg_iov = &iovs[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_name = &from[i];
		msgs[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
}

static void send_all(int fd, unsigned n)
{
	for (unsigned done = 0; done < n;) {
		int rc = sendmmsg(fd, msgs + done, n - done, 0);

		if (rc < 0 && errno != EINTR && errno != EAGAIN && errno != ECONNREFUSED)
			return;
		if (rc > 0)
			done += (unsigned)rc;
	}
}

static void set_ttl(uint32_t ttl)
{
	for (int i = 0; i < 4; i++)
		record[6 + i] = (uint8_t)(ttl >> (24 - 8 * i));
}

int main(int argc, char **argv)
{
	int fd;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: echo PORT [TTL]\n");
		return 2;
	}
	if (argc == 3)
		set_ttl((uint32_t)strtoul(argv[2], NULL, 10));
	fd = bound_socket((uint16_t)atoi(argv[1]));
	prepare();
	for (;;) {
		int n = recvmmsg(fd, msgs, BATCH, MSG_WAITFORONE, NULL);

		for (int i = 0; i < n; i++)
			iovs[i].iov_len = answer(slots[i], msgs[i].msg_len);
		if (n > 0)
			send_all(fd, (unsigned)n);
		for (int i = 0; i < n; i++) {
			iovs[i].iov_len = SLOT;
			msgs[i].msg_hdr.msg_namelen = sizeof(from[i]);
		}
	}
}
