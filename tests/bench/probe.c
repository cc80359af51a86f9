/*
 * Asks a name server over UDP on 127.0.0.1 until it says what is waited for:
 *
 *   probe wait -p PORT -n NAME [-r RCODE] [-t SECONDS]
 *       until the RCODE (0) comes; prints the microseconds of the wall clock then
 *   probe lag -p PORT -m MARKERS -r RATE -t SECONDS
 *       while apisim changes the markers in turn, RATE a second (its churn), follow each change:
 *       the address of a marker is 11 and the low 24 bits of the microseconds at which it was
 *       changed. Changes come by the clock, whatever the server does, and each is looked for in
 *       its turn, so a server that stands still for a while is late with all that came meanwhile.
 *       Prints changes seen and percentiles of the time from change to answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 1500,
	MARKERS_MAX = 4096,
	ANSWER_MS = 200, /* then the question is asked again */
	EARLY_US = 500, /* so long before a change is due it is asked for */
	PAUSE_US = 50, /* between two questions */
	FIRST_TRIES = 5,
	STAMP_BITS = 24,
	STAMP_MASK = (1 << STAMP_BITS) - 1,
};

static struct {
	const char *name;
	uint16_t port;
	unsigned rcode, markers, rate;
	double seconds;
} opt = {.seconds = 10};

static int fd = -1;
static uint32_t *samples; /* us */
static size_t sample_count, sample_room;

static void die(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void pause_us(uint64_t us)
{
	struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

	nanosleep(&t, NULL);
}

static void open_socket(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	        .sin_port = htons(opt.port),
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("socket");
}

/* A question of type A; returns its length. */
static size_t make_question(uint8_t *p, uint16_t id, const char *name)
{
	static const uint8_t head[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	size_t at = sizeof(head);

	memcpy(p, head, sizeof(head));
	p[0] = (uint8_t)(id >> 8);
	p[1] = (uint8_t)id;
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		if (n == 0 || n > 63 || at + n > 250) {
			fprintf(stderr, "probe: bad name\n");
			exit(2);
		}
		p[at++] = (uint8_t)n;
		memcpy(p + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	memcpy(p + at, "\0\0\1\0\1", 5);
	return at + 5;
}

/* Ask once; the length of the reply with that ID, 0 when none comes in time. */
static size_t ask(const char *name, uint8_t *reply)
{
	static uint16_t id;
	uint8_t question[300];
	size_t n = make_question(question, ++id, name);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (send(fd, question, n, 0) < 0) { /* nobody listens yet */
		pause_us(1000);
		return 0;
	}
	while (poll(&p, 1, ANSWER_MS) == 1) {
		ssize_t got = recv(fd, reply, MESSAGE_MAX, MSG_DONTWAIT);

		if (got >= 12 && (reply[0] << 8 | reply[1]) == id)
			return (size_t)got;
		if (got < 0 && errno != EAGAIN) {
			pause_us(1000);
			return 0;
		}
	}
	return 0;
}

static int run_wait(void)
{
	uint64_t end = clock_us(CLOCK_MONOTONIC) + (uint64_t)(opt.seconds * 1e6);
	uint8_t reply[MESSAGE_MAX];

	while (clock_us(CLOCK_MONOTONIC) < end) {
		if (ask(opt.name, reply) > 0 && (reply[3] & 15u) == opt.rcode) {
			printf("%llu\n", (unsigned long long)clock_us(CLOCK_REALTIME));
			return 0;
		}
		pause_us(1000);
	}
	fprintf(stderr, "probe: no such answer for %s\n", opt.name);
	return 1;
}

/* ---- lag ---- */

/* The stamp in the answer for a marker; false when there is none. */
static bool read_stamp(unsigned marker, uint32_t *stamp)
{
	uint8_t reply[MESSAGE_MAX];
	char name[64];
	size_t n;

	snprintf(name, sizeof(name), "marker-%u.markers.svc.cluster.local", marker);
	n = ask(name, reply);
	if (n < 28 || (reply[3] & 15) != 0 || reply[7] != 1)
		return false;
	/* one record of type A and nothing behind it: the address is at the end */
	if (reply[n - 4] != 11 || reply[n - 6] != 0 || reply[n - 5] != 4)
		return false;
	*stamp = (uint32_t)reply[n - 3] << 16 | (uint32_t)reply[n - 2] << 8 | reply[n - 1];
	return true;
}

/* The same when the machine is busy and an answer may be late. */
static bool read_first_stamp(unsigned marker, uint32_t *stamp)
{
	for (int i = 0; i < FIRST_TRIES; i++)
		if (read_stamp(marker, stamp))
			return true;
	fprintf(stderr, "probe: marker-%u is not answered\n", marker);
	return false;
}

static void add_sample(uint32_t us)
{
	if (sample_count == sample_room) {
		sample_room = sample_room * 2 + 1024;
		samples = realloc(samples, sample_room * sizeof(*samples));
		if (samples == NULL)
			die("memory");
	}
	samples[sample_count++] = us;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile_ms(double share)
{
	size_t at = (size_t)((double)sample_count * share);

	return samples[at < sample_count ? at : sample_count - 1] / 1e3;
}

/* Ask for a marker until it has changed; false when it does not until end. */
static bool follow(unsigned marker, uint32_t *known, uint64_t end, uint64_t *changed)
{
	uint32_t stamp, lag;

	for (;;) {
		uint64_t now = clock_us(CLOCK_MONOTONIC);

		if (now >= end)
			return false;
		if (read_stamp(marker, &stamp) && stamp != *known)
			break;
		pause_us(PAUSE_US);
	}
	lag = ((uint32_t)clock_us(CLOCK_MONOTONIC) - stamp) & STAMP_MASK;
	add_sample(lag);
	*known = stamp;
	*changed = clock_us(CLOCK_MONOTONIC) - lag;
	return true;
}

static void print_lag(void)
{
	qsort(samples, sample_count, sizeof(*samples), compare);
	printf("changes=%zu p50_ms=%.2f p90_ms=%.2f p99_ms=%.2f max_ms=%.2f\n", sample_count,
	        percentile_ms(0.5), percentile_ms(0.9), percentile_ms(0.99), percentile_ms(1));
}

static int run_lag(void)
{
	static uint32_t known[MARKERS_MAX];
	uint64_t end, changed = 0, gap_us = 1000000 / opt.rate;

	for (unsigned i = 0; i < opt.markers; i++)
		if (!read_first_stamp(i, &known[i]))
			return 1;
	printf("ready\n"); /* now the changes may begin */
	fflush(stdout);
	end = clock_us(CLOCK_MONOTONIC) + (uint64_t)(opt.seconds * 1e6);
	for (unsigned i = 0; follow(i, &known[i], end, &changed); i = (i + 1) % opt.markers) {
		uint64_t now = clock_us(CLOCK_MONOTONIC), next = changed + gap_us - EARLY_US;

		if (gap_us > EARLY_US && next > now)
			pause_us(next - now);
	}
	if (sample_count == 0) {
		fprintf(stderr, "probe: no marker has changed\n");
		return 1;
	}
	print_lag();
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int c;

	optind = 2;
	while (argc > 1 && (c = getopt(argc, argv, "p:n:r:m:t:")) != -1) {
		switch (c) {
		case 'p': opt.port = (uint16_t)atoi(optarg); break;
		case 'n': opt.name = optarg; break;
		case 'r': opt.rcode = opt.rate = (unsigned)atoi(optarg); break;
		case 'm': opt.markers = (unsigned)atoi(optarg); break;
		case 't': opt.seconds = atof(optarg); break;
		default: opt.port = 0;
		}
	}
	prctl(PR_SET_TIMERSLACK, 1000);
	open_socket();
	if (opt.port != 0 && strcmp(mode, "wait") == 0 && opt.name != NULL)
		return run_wait();
	if (opt.port != 0 && strcmp(mode, "lag") == 0 && opt.rate > 0 && opt.markers > 0 &&
	        opt.markers <= MARKERS_MAX)
		return run_lag();
	fprintf(stderr, "usage: probe wait -p PORT -n NAME [-r RCODE] [-t SECONDS]\n"
	                "       probe lag -p PORT -m MARKERS -r RATE -t SECONDS\n");
	return 2;
}
