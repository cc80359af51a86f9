/*
 * A DNS server that misbehaves on demand, for system tests: `upstream [ADDRESS:]PORT IP`. Over UDP
 * and TCP it answers A questions with IP, and does what the first label of the name says:
 *
 *   drop        no answer            drop1       none to the first query for the name
 *   servfail    SERVFAIL             refused     REFUSED
 *   nxdomain    NXDOMAIN with SOA    nodata      NOERROR with SOA
 *   wrongid     a forged reply before the good one; so do wrongq, qr0, notify, malformed, loop,
 *               short (3 octets), empty, and wrongport (from another socket)
 *   forge...    a hundred of those, with as many IDs
 *   tc          TC over UDP, the answer over TCP
 *   many        60 addresses         extra       records that nobody asked for
 *   ttl         a TTL of 2^31 + 1    slow        the answer after 1500 ms
 *   cname       an alias to target.example.
 *
 * A line on standard output for each query: "udp NAME TYPE".
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 4096
#define CONNECTIONS_MAX 16
#define LATER_MAX 64
#define FORGERIES 100

struct question {
	char text[300]; /* "first.second." */
	char label[64]; /* the first label */
	uint16_t type;
	size_t end;
};

/* A reply that is sent later. */
struct later {
	long at_ms;
	struct sockaddr_in to;
	size_t n;
	uint8_t data[512];
};

struct connection {
	int fd;
	size_t n;
	uint8_t data[MESSAGE_MAX];
};

static uint8_t ip[4];
static int udp, tcp;
static int other; /* a UDP socket with another port */
static struct later later[LATER_MAX];
static struct connection connections[CONNECTIONS_MAX];
static char dropped[32][300];
static unsigned dropped_len;

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool parse(const uint8_t *p, size_t n, struct question *q)
{
	size_t at = 12, text = 0;

	memset(q, 0, sizeof(*q));
	while (at < n && p[at] != 0) {
		size_t len = p[at];

		if (len > 63 || at + 1 + len >= n || text + len + 2 > sizeof(q->text))
			return false;
		memcpy(q->text + text, p + at + 1, len);
		if (at == 12)
			memcpy(q->label, p + at + 1, len);
		text += len;
		q->text[text++] = '.';
		at += len + 1;
	}
	if (at + 5 > n)
		return false;
	q->type = (uint16_t)(p[at + 1] << 8 | p[at + 2]);
	q->end = at + 5;
	return true;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t add_rr(uint8_t *out, size_t at, const char *owner, unsigned type, uint32_t ttl)
{
	size_t n = strlen(owner);

	memcpy(out + at, owner, n);
	at += n;
	if (out[at - 2] != 0xc0)
		out[at++] = 0;
	put16(out + at, type);
	put16(out + at + 2, 1);
	put16(out + at + 4, ttl >> 16);
	put16(out + at + 6, ttl & 0xffff);
	put16(out + at + 8, 0);
	return at + 10;
}

static size_t add_rdata(uint8_t *out, size_t at, const void *data, size_t n)
{
	put16(out + at - 2, (unsigned)n);
	memcpy(out + at, data, n);
	return at + n;
}

static size_t add_a(uint8_t *out, size_t at, const char *owner, uint32_t ttl, unsigned last)
{
	uint8_t addr[4] = {ip[0], ip[1], ip[2], (uint8_t)last};

	return add_rdata(out, add_rr(out, at, owner, 1, ttl), addr, 4);
}

static void set_counts(uint8_t *out, unsigned an, unsigned ns, unsigned ar)
{
	put16(out + 6, an);
	put16(out + 8, ns);
	put16(out + 10, ar);
}

static size_t negative(uint8_t *out, const struct question *q)
{
	static const uint8_t soa[] =
	        "\2ns\7example\0\1h\7example\0\0\0\0\1\0\0\16\20\0\0\2\130\0\1\121\200"
	        "\0\0\0\36";

	set_counts(out, 0, 1, 0);
	return add_rdata(out, add_rr(out, q->end, "\7example", 6, 30), soa, sizeof(soa) - 1);
}

static size_t answers(uint8_t *out, const struct question *q)
{
	static const char self[] = "\xc0\x0c";
	size_t n = q->end;

	if (strcmp(q->label, "many") == 0) {
		for (unsigned i = 1; i <= 60; i++)
			n = add_a(out, n, self, 60, i);
		set_counts(out, 60, 0, 0);
		return n;
	}
	if (strcmp(q->label, "cname") == 0) {
		n = add_rdata(out, add_rr(out, n, self, 5, 60), "\6target\7example", 16);
		n = add_a(out, n, "\6target\7example", 60, ip[3]);
		set_counts(out, 2, 0, 0);
		return n;
	}
	n = add_a(out, n, self, strcmp(q->label, "ttl") == 0 ? 0x80000001u : 60, ip[3]);
	set_counts(out, 1, 0, 0);
	if (strcmp(q->label, "extra") == 0) {
		n = add_a(out, n, "\4evil\7example", 60, 66);
		n = add_rdata(out, add_rr(out, n, "\7example", 2, 60), "\4evil\7example", 14);
		set_counts(out, 2, 1, 0);
	}
	return n;
}

/* The good reply to the query p; its length. */
static size_t reply(uint8_t *out, const uint8_t *p, const struct question *q, bool is_tcp)
{
	memcpy(out, p, q->end);
	put16(out + 2, 0x8180);
	set_counts(out, 0, 0, 0);
	if (strcmp(q->label, "servfail") == 0)
		out[3] |= 2;
	else if (strcmp(q->label, "refused") == 0)
		out[3] |= 5;
	else if (strcmp(q->label, "tc") == 0 && !is_tcp)
		out[2] |= 2;
	else if (strcmp(q->label, "nxdomain") == 0 || strcmp(q->label, "nodata") == 0)
		out[3] |= strcmp(q->label, "nxdomain") == 0 ? 3 : 0;
	else if (q->type == 1)
		return answers(out, q);
	else
		return negative(out, q);
	return q->label[0] == 'n' ? negative(out, q) : q->end;
}

/* A reply that must not be believed; its length, negative when the name asks for none. */
static ssize_t forged(uint8_t *out, const uint8_t *p, const struct question *q)
{
	size_t n;

	memcpy(out, p, q->end);
	put16(out + 2, 0x8180);
	n = add_a(out, q->end, "\xc0\x0c", 60, 66);
	set_counts(out, 1, 0, 0);
	if (strcmp(q->label, "wrongid") == 0)
		out[0] ^= 0x5a;
	else if (strcmp(q->label, "wrongq") == 0)
		out[13] ^= 1;
	else if (strcmp(q->label, "qr0") == 0)
		out[2] &= 0x7f;
	else if (strcmp(q->label, "notify") == 0)
		out[2] |= 4 << 3;
	else if (strcmp(q->label, "malformed") == 0)
		put16(out + n - 6, 500);
	else if (strcmp(q->label, "loop") == 0)
		put16(out + q->end, 0xc000 | (unsigned)q->end);
	else if (strcmp(q->label, "short") == 0)
		return 3;
	else if (strcmp(q->label, "empty") == 0)
		return 0;
	else if (strcmp(q->label, "wrongport") != 0)
		return -1;
	return (ssize_t)n;
}

static bool is_first(const char *name)
{
	for (unsigned i = 0; i < dropped_len; i++)
		if (strcmp(dropped[i], name) == 0)
			return false;
	if (dropped_len < 32)
		strcpy(dropped[dropped_len++], name);
	return true;
}

static void send_later(const uint8_t *data, size_t n, const struct sockaddr_in *to)
{
	for (unsigned i = 0; i < LATER_MAX; i++) {
		if (later[i].n != 0 || n > sizeof(later[i].data))
			continue;
		later[i].at_ms = now_ms() + 1500;
		later[i].to = *to;
		later[i].n = n;
		memcpy(later[i].data, data, n);
		return;
	}
}

static void send_from(int fd, const uint8_t *data, size_t n, const struct sockaddr_in *to)
{
	if (sendto(fd, data, n, 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
		perror("sendto");
}

static void send_to(const uint8_t *data, size_t n, const struct sockaddr_in *to)
{
	send_from(udp, data, n, to);
}

/* What an attacker sends who knows our port and the question, but not the ID; and what lies. */
static void send_forgeries(const uint8_t *in, const struct question *q, const struct sockaddr_in *to)
{
	static const char *const kinds[] = {"wrongid", "wrongport", "wrongq", "qr0", "notify",
	        "malformed", "loop", "wrongid", "short", "empty"};
	struct question lie = *q;
	uint8_t out[MESSAGE_MAX];
	bool is_elsewhere;
	ssize_t n;

	for (unsigned i = 0; i < FORGERIES; i++) {
		strcpy(lie.label, kinds[i % 10]);
		is_elsewhere = strcmp(lie.label, "wrongport") == 0;
		n = forged(out, in, &lie);
		if (strcmp(lie.label, "wrongid") == 0)
			put16(out, (unsigned)(in[0] << 8 | in[1]) + 1 + (unsigned)rand() % 65535);
		send_from(is_elsewhere ? other : udp, out, (size_t)n, to);
	}
}

static void on_udp(void)
{
	uint8_t in[MESSAGE_MAX], out[MESSAGE_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct question q;
	ssize_t n = recvfrom(udp, in, sizeof(in), 0, (struct sockaddr *)&from, &len);
	ssize_t bad;
	size_t size;

	if (n < 12 || !parse(in, (size_t)n, &q))
		return;
	printf("udp %s %u\n", q.text, q.type);
	if (strcmp(q.label, "drop") == 0 || (strcmp(q.label, "drop1") == 0 && is_first(q.text)))
		return;
	if (strncmp(q.label, "forge", 5) == 0)
		send_forgeries(in, &q, &from);
	bad = forged(out, in, &q);
	if (bad >= 0)
		send_from(strcmp(q.label, "wrongport") == 0 ? other : udp, out, (size_t)bad, &from);
	size = reply(out, in, &q, false);
	if (strcmp(q.label, "slow") == 0)
		send_later(out, size, &from);
	else
		send_to(out, size, &from);
}

static void on_accept(void)
{
	int fd = accept(tcp, NULL, NULL);

	for (unsigned i = 0; i < CONNECTIONS_MAX && fd >= 0; i++) {
		if (connections[i].fd >= 0)
			continue;
		connections[i].fd = fd;
		connections[i].n = 0;
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void on_tcp(struct connection *c)
{
	uint8_t out[MESSAGE_MAX];
	struct question q;
	ssize_t n = read(c->fd, c->data + c->n, sizeof(c->data) - c->n);
	size_t size, at = 0;

	if (n <= 0) {
		close(c->fd);
		c->fd = -1;
		return;
	}
	c->n += (size_t)n;
	while (c->n - at >= 2 && c->n - at >= 2 + (size_t)(c->data[at] << 8 | c->data[at + 1])) {
		size_t len = (size_t)(c->data[at] << 8 | c->data[at + 1]);

		if (len >= 12 && parse(c->data + at + 2, len, &q)) {
			printf("tcp %s %u\n", q.text, q.type);
			size = reply(out + 2, c->data + at + 2, &q, true);
			put16(out, (unsigned)size);
			if (write(c->fd, out, size + 2) < 0)
				perror("write");
		}
		at += 2 + len;
	}
	c->n -= at;
	memmove(c->data, c->data + at, c->n);
}

static int bound(int type, const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, type, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0) {
		perror("bind");
		exit(1);
	}
	return fd;
}

static void send_due(void)
{
	for (unsigned i = 0; i < LATER_MAX; i++) {
		if (later[i].n == 0 || later[i].at_ms > now_ms())
			continue;
		send_to(later[i].data, later[i].n, &later[i].to);
		later[i].n = 0;
	}
}

static void serve(void)
{
	struct pollfd fds[2 + CONNECTIONS_MAX];

	fds[0] = (struct pollfd){.fd = udp, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = tcp, .events = POLLIN};
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		fds[2 + i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
	if (poll(fds, 2 + CONNECTIONS_MAX, 20) < 0)
		return;
	send_due();
	if (fds[0].revents & POLLIN)
		on_udp();
	if (fds[1].revents & POLLIN)
		on_accept();
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		if (fds[2 + i].revents != 0 && connections[i].fd == fds[2 + i].fd)
			on_tcp(&connections[i]);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	const char *colon = argc == 3 ? strchr(argv[1], ':') : NULL;
	char host[64] = "127.0.0.1";

	if (argc != 3 || inet_pton(AF_INET, argv[2], ip) != 1) {
		fprintf(stderr, "usage: upstream [ADDRESS:]PORT IP\n");
		return 2;
	}
	if (colon != NULL)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - argv[1]), argv[1]);
	inet_pton(AF_INET, host, &addr.sin_addr);
	addr.sin_port = htons((uint16_t)atoi(colon != NULL ? colon + 1 : argv[1]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	udp = bound(SOCK_DGRAM, &addr);
	other = socket(AF_INET, SOCK_DGRAM, 0);
	tcp = bound(SOCK_STREAM, &addr);
	listen(tcp, 16);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		connections[i].fd = -1;
	for (;;)
		serve();
}
