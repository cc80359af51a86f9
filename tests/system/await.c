/*
 * await PORT NAME TYPE WANT [SECONDS]: asks 127.0.0.1 every millisecond until the answer is WANT (the
 * first record's RDATA, or an RCODE when there is none), then prints the time of day at which it
 * came, in nanoseconds since 1970. Exits with 1 when it never did.
 */
#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int open_socket(const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	struct timeval wait = {0, 20000};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		exit(2);
	return fd;
}

/* The first record's RDATA, or the RCODE, as text. */
static void read_answer(const uint8_t *wire, size_t n, char *out, size_t size)
{
	ldns_pkt *p;
	char *text;

	out[0] = '\0';
	if (ldns_wire2pkt(&p, wire, n) != LDNS_STATUS_OK)
		return;
	if (ldns_pkt_ancount(p) > 0)
		text = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(ldns_pkt_answer(p), 0), 0));
	else
		text = ldns_pkt_rcode2str(ldns_pkt_get_rcode(p));
	snprintf(out, size, "%s", text);
	free(text);
	ldns_pkt_free(p);
}

int main(int argc, char **argv)
{
	uint64_t end = now_ns() + (argc > 5 ? (uint64_t)atoi(argv[5]) : 5) * 1000000000u;
	uint8_t *query, reply[4096];
	char got[1024];
	size_t n;
	ldns_pkt *p;
	int fd, rc = 1;

	if (argc < 5)
		return 2;
	fd = open_socket(argv[1]);
	p = ldns_pkt_query_new(ldns_dname_new_frm_str(argv[2]), ldns_get_rr_type_by_name(argv[3]),
		LDNS_RR_CLASS_IN, LDNS_RD);
	if (ldns_pkt2wire(&query, p, &n) != LDNS_STATUS_OK)
		return 2;
	ldns_pkt_free(p);
	while (rc != 0 && now_ns() < end) {
		ssize_t len = send(fd, query, n, 0) < 0 ? -1 : recv(fd, reply, sizeof(reply), 0);

		if (len > 0) {
			read_answer(reply, (size_t)len, got, sizeof(got));
			if (strcmp(got, argv[4]) == 0) {
				printf("%llu\n", (unsigned long long)now_ns());
				rc = 0;
			}
		}
		usleep(1000);
	}
	free(query);
	return rc;
}
