/*
 * Load generator for name servers on loopback: recvmmsg/sendmmsg in batches over many source
 * ports, so that one core of it saturates one core of a fast server. Two ways to load:
 *   closed  -w N    keep N questions in flight: finds the highest rate
 *   open    -r R    R questions a second by the clock whatever the server does; latency counts
 *                   from the moment a question was due, so a stalled server can't hide it
 *   with -z too     sleep until the next is due, which leaves the core to others
 * Every reply is checked: ID, question octets, QR, RCODE, number of answers, and the address of
 * the first A or AAAA record when the names file gives one.
 *
 * A question without a reply is lost a second after it was due. What is on its way in the end is
 * neither answered nor lost. With -l PATIENCE it is lost after so many seconds, and those on their
 * way in the end are waited for.
 *
 * Names file, one question a line:  NAME TYPE [RCODE [ANCOUNT [ADDRESS]]]
 * without RCODE: NOERROR and at least one answer.
 *
 * With -P the CPU time of those processes (all threads) over the measured interval is divided by
 * the answers. Output is one line of key=value.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 32,
	SLOT = 2048,
	QUERY_MAX = 300,
	SOCKETS_MAX = 512,
	IDS = 65536,
	PIDS_MAX = 32,
	SUB = 64, /* histogram: buckets for each power of two */
	HIST = 64 * SUB,
};

static const uint64_t second = 1000000000;
struct question {
	uint8_t wire[QUERY_MAX]; /* whole message, ID 0 */
	uint16_t len, question_len;
	uint8_t rcode, rdata[16], rdata_len;
	int ancount; /* -1: at least one */
};

struct slot {
	uint64_t sent_ns; /* 0: free */
	uint32_t question;
};

static struct {
	const char *server, *names;
	uint16_t port;
	double seconds, warmup, patience;
	unsigned window, sockets;
	uint64_t rate;
	bool edns, only_id, sleeps, drains;
	int pids[PIDS_MAX], pid_count;
} opt = {.server = "127.0.0.1",
        .port = 53,
        .seconds = 3,
        .warmup = 0.5,
        .patience = 1,
        .window = 1024,
        .sockets = 64};

static struct question *questions;
static size_t question_count;
static struct slot slots[IDS];
static uint16_t free_ids[IDS]; /* ring: an ID rests as long as possible before its next use */
static unsigned free_head, free_count;
static unsigned ids_used;
static int fds[SOCKETS_MAX];

static struct {
	uint64_t sent, answers, lost, bad, late;
	uint64_t hist[HIST];
	uint64_t max_ns;
} st;

static uint8_t buffers[BATCH][SLOT];
static struct mmsghdr msgs[BATCH];
static struct iovec iovs[BATCH];

static void die(const char *what)
{
	fprintf(stderr, "gen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * second + (uint64_t)ts.tv_nsec;
}

/* CPU ns that all threads of a process have used; falls back to clock ticks. */
static uint64_t process_cpu_ns(int pid)
{
	char path[300];
	struct dirent *e;
	uint64_t sum = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		unsigned long long ns = 0;
		FILE *f;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid, e->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fscanf(f, "%llu", &ns) == 1)
			sum += ns;
		fclose(f);
	}
	closedir(d);
	return sum;
}

static uint64_t server_cpu_ns(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < opt.pid_count; i++)
		sum += process_cpu_ns(opt.pids[i]);
	return sum;
}

static uint16_t type_number(const char *s)
{
	static const struct {
		const char *name;
		uint16_t type;
	} types[] = {{"A", 1}, {"NS", 2}, {"CNAME", 5}, {"SOA", 6}, {"PTR", 12}, {"MX", 15},
	        {"TXT", 16}, {"AAAA", 28}, {"SRV", 33}, {"HTTPS", 65}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(s, types[i].name) == 0)
			return types[i].type;
	if (strncasecmp(s, "TYPE", 4) == 0)
		return (uint16_t)atoi(s + 4);
	fprintf(stderr, "gen: unknown type %s\n", s);
	exit(2);
}

static uint8_t rcode_number(const char *s)
{
	static const char *const names[] = {
	        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};

	for (unsigned i = 0; i < 6; i++)
		if (strcasecmp(s, names[i]) == 0)
			return (uint8_t)i;
	fprintf(stderr, "gen: unknown rcode %s\n", s);
	exit(2);
}

static size_t put_name(uint8_t *p, const char *name)
{
	size_t len = 0;

	for (const char *s = name; *s != '\0';) {
		size_t n = strcspn(s, ".");

		if (n == 0 || n > 63 || len + n + 2 > 255) {
			fprintf(stderr, "gen: bad name %s\n", name);
			exit(2);
		}
		p[len++] = (uint8_t)n;
		memcpy(p + len, s, n);
		len += n;
		s += n + (s[n] == '.');
	}
	p[len++] = 0;
	return len;
}

static void add_question(char *line)
{
	static const uint8_t edns[] = {0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0};
	char *f[5] = {NULL};
	struct question *q;
	uint16_t type;
	size_t n;
	int nf = 0;

	for (char *s = strtok(line, " \t\r\n"); s != NULL && nf < 5; s = strtok(NULL, " \t\r\n"))
		f[nf++] = s;
	if (nf < 2 || f[0][0] == '#')
		return;
	if ((question_count & (question_count + 1)) == 0 || question_count == 0)
		questions = realloc(questions, (question_count * 2 + 2) * sizeof(*questions));
	if (questions == NULL)
		die("memory");
	q = &questions[question_count++];
	memset(q, 0, sizeof(*q));
	q->wire[2] = 1; /* RD, as resolvers of libc send */
	q->wire[5] = 1;
	n = 12 + put_name(q->wire + 12, f[0]);
	type = type_number(f[1]);
	q->wire[n++] = (uint8_t)(type >> 8);
	q->wire[n++] = (uint8_t)type;
	q->wire[n++] = 0;
	q->wire[n++] = 1;
	q->question_len = (uint16_t)(n - 12);
	if (opt.edns) {
		q->wire[11] = 1;
		memcpy(q->wire + n, edns, sizeof(edns));
		n += sizeof(edns);
	}
	q->len = (uint16_t)n;
	q->rcode = nf > 2 ? rcode_number(f[2]) : 0;
	q->ancount = nf > 3 ? atoi(f[3]) : q->rcode == 0 ? -1 : 0;
	if (nf > 4 && inet_pton(AF_INET, f[4], q->rdata) == 1)
		q->rdata_len = 4;
	else if (nf > 4 && inet_pton(AF_INET6, f[4], q->rdata) == 1)
		q->rdata_len = 16;
}

static void load_names(void)
{
	FILE *f = fopen(opt.names, "r");
	char line[600];

	if (f == NULL)
		die(opt.names);
	while (fgets(line, sizeof(line), f) != NULL)
		add_question(line);
	fclose(f);
	if (question_count == 0) {
		fprintf(stderr, "gen: no names in %s\n", opt.names);
		exit(2);
	}
}

static int open_sockets(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(opt.port)};
	struct sockaddr_in6 sa6 = {.sin6_family = AF_INET6, .sin6_port = htons(opt.port)};
	bool v6 = inet_pton(AF_INET6, opt.server, &sa6.sin6_addr) == 1;
	int ep = epoll_create1(EPOLL_CLOEXEC), size = 4 << 20;

	if (!v6 && inet_pton(AF_INET, opt.server, &sa.sin_addr) != 1)
		die(opt.server);
	for (unsigned i = 0; i < opt.sockets; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};
		int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

		if (fd < 0 || connect(fd, v6 ? (struct sockaddr *)&sa6 : (struct sockaddr *)&sa,
		                      v6 ? sizeof(sa6) : sizeof(sa)) < 0)
			die("socket");
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
			die("epoll");
		fds[i] = fd;
	}
	return ep;
}

static void record_latency(uint64_t ns)
{
	unsigned top, idx;

	if (ns > st.max_ns)
		st.max_ns = ns;
	if (ns < SUB) {
		st.hist[ns]++;
		return;
	}
	top = 63 - (unsigned)__builtin_clzll(ns);
	idx = (top - 5) * SUB + (unsigned)((ns >> (top - 6)) & (SUB - 1));
	st.hist[idx < HIST ? idx : HIST - 1]++;
}

static double percentile_us(double share)
{
	uint64_t want = (uint64_t)((double)st.answers * share), seen = 0;

	for (unsigned i = 0; i < HIST; i++) {
		seen += st.hist[i];
		if (seen > want) {
			unsigned top = i / SUB + 5;

			return i < SUB ? i / 1e3
			               : (double)((uint64_t)(SUB + i % SUB) << (top - 6)) / 1e3;
		}
	}
	return (double)st.max_ns / 1e3;
}

/* Whether the address in the first answer record (owner C00C) is the expected one. */
static bool is_rdata_right(const struct question *q, const uint8_t *p, size_t len)
{
	size_t at = 12u + q->question_len;

	if (q->rdata_len == 0)
		return true;
	return len >= at + 12 + q->rdata_len && p[at] == 0xc0 && p[at + 1] == 0x0c &&
	       p[at + 11] == q->rdata_len && memcmp(p + at + 12, q->rdata, q->rdata_len) == 0;
}

static bool is_right(const struct question *q, const uint8_t *p, size_t len)
{
	int an = p[6] << 8 | p[7];

	if (len < 12u + q->question_len || (p[2] & 0x80) == 0 ||
	        memcmp(p + 12, q->wire + 12, q->question_len) != 0)
		return false;
	if (opt.only_id)
		return true;
	if ((p[3] & 15) != q->rcode || (q->ancount < 0 ? an < 1 : an != q->ancount))
		return false;
	return is_rdata_right(q, p, len);
}

static void take_reply(const uint8_t *p, size_t len, unsigned socket, uint64_t now)
{
	unsigned id = len < 12 ? 0 : (unsigned)(p[0] << 8 | p[1]);
	struct slot *s = &slots[id];

	if (len < 12 || id >= ids_used || id % opt.sockets != socket || s->sent_ns == 0) {
		st.late++;
		return;
	}
	if (is_right(&questions[s->question], p, len))
		st.answers++;
	else
		st.bad++;
	record_latency(now > s->sent_ns ? now - s->sent_ns : 0);
	s->sent_ns = 0;
	free_ids[(free_head + free_count++) % IDS] = (uint16_t)id;
}

static void read_socket(unsigned i)
{
	for (;;) {
		uint64_t now;
		int n;

		for (int k = 0; k < BATCH; k++)
			iovs[k].iov_len = SLOT;
		n = recvmmsg(fds[i], msgs, BATCH, MSG_DONTWAIT, NULL);
		if (n <= 0)
			return;
		now = now_ns();
		for (int k = 0; k < n; k++)
			take_reply(buffers[k], msgs[k].msg_len, i, now);
		if (n < BATCH)
			return;
	}
}

/* IDs are handed out so that runs of them belong to one socket: id % sockets is the socket. */
static void fill_free_ids(void)
{
	unsigned per = ids_used / opt.sockets;

	free_count = 0;
	for (unsigned s = 0; s < opt.sockets; s++)
		for (unsigned k = 0; k < per; k++)
			free_ids[free_count++] = (uint16_t)(k * opt.sockets + s);
}

/* Send up to want questions; due_ns is when the first was due, step_ns apart (0: now). */
static unsigned send_batch(unsigned want, uint64_t due_ns, uint64_t step_ns)
{
	static uint32_t next;
	unsigned n = 0, socket = 0;
	int rc;

	while (n < want && n < BATCH && n < free_count) {
		unsigned id = free_ids[(free_head + n) % IDS];
		const struct question *q = &questions[next];

		if (n == 0)
			socket = id % opt.sockets;
		else if (id % opt.sockets != socket)
			break;
		memcpy(buffers[n], q->wire, q->len);
		buffers[n][0] = (uint8_t)(id >> 8);
		buffers[n][1] = (uint8_t)id;
		iovs[n].iov_len = q->len;
		slots[id] = (struct slot){due_ns + n * step_ns, next};
		next = next + 1 == question_count ? 0 : next + 1;
		n++;
	}
	if (n == 0)
		return 0;
	rc = sendmmsg(fds[socket], msgs, n, MSG_DONTWAIT);
	for (unsigned i = rc < 0 ? 0 : (unsigned)rc; i < n; i++)
		slots[free_ids[(free_head + i) % IDS]].sent_ns = 0;
	if (rc <= 0)
		return 0;
	free_head = (free_head + (unsigned)rc) % IDS;
	free_count -= (unsigned)rc;
	st.sent += (unsigned)rc;
	return (unsigned)rc;
}

static void reap_lost(uint64_t now)
{
	uint64_t lost_after_ns = (uint64_t)(opt.patience * 1e9);

	for (unsigned id = 0; id < ids_used; id++) {
		struct slot *s = &slots[id];

		if (s->sent_ns == 0 || s->sent_ns + lost_after_ns > now)
			continue;
		s->sent_ns = 0;
		st.lost++;
		free_ids[(free_head + free_count++) % IDS] = (uint16_t)id;
	}
}

static void poll_replies(int ep, int wait_ms)
{
	struct epoll_event ev[SOCKETS_MAX];
	int n = epoll_wait(ep, ev, (int)opt.sockets, wait_ms);

	for (int i = 0; i < n; i++)
		read_socket(ev[i].data.u32);
}

static void closed_step(int ep, uint64_t now)
{
	unsigned flying = ids_used - free_count;

	while (flying < opt.window) {
		unsigned n = send_batch(opt.window - flying, now, 0);

		if (n == 0)
			break;
		flying += n;
	}
	poll_replies(ep, 1);
}

/* Until a reply comes or the clock is at due_ns. */
static void sleep_until(int ep, uint64_t due_ns)
{
	struct pollfd p = {.fd = ep, .events = POLLIN};
	uint64_t now = now_ns(), left = due_ns > now ? due_ns - now : 0;
	struct timespec ts = {(time_t)(left / second), (long)(left % second)};

	if (left > 0)
		(void)ppoll(&p, 1, &ts, NULL);
}

/* Open loop: send what is due; due times advance by the clock only. */
static void open_step(int ep, uint64_t now, uint64_t *due)
{
	uint64_t step = second / opt.rate;

	while (*due <= now) {
		uint64_t behind = (now - *due) / step + 1;
		unsigned n = send_batch(behind > BATCH ? BATCH : (unsigned)behind, *due, step);

		if (n == 0)
			break;
		*due += n * step;
	}
	if (opt.sleeps)
		sleep_until(ep, *due);
	poll_replies(ep, 0);
}

static void run_for(int ep, double seconds)
{
	uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), reap = start;
	uint64_t due = start, now;

	while ((now = now_ns()) < end) {
		if (opt.rate != 0)
			open_step(ep, now, &due);
		else
			closed_step(ep, now);
		if (now - reap > second / 10) {
			reap_lost(now);
			reap = now;
		}
	}
}

/* Wait for what is on its way; what does not come is lost. */
static void drain(int ep)
{
	while (free_count < ids_used) {
		poll_replies(ep, 10);
		reap_lost(now_ns());
	}
}

static void parse_pids(char *list)
{
	for (char *s = strtok(list, ", \n"); s != NULL && opt.pid_count < PIDS_MAX;
	        s = strtok(NULL, ", \n"))
		opt.pids[opt.pid_count++] = atoi(s);
}

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:p:f:t:u:l:w:n:r:P:eIz")) != -1) {
		switch (c) {
		case 's': opt.server = optarg; break;
		case 'p': opt.port = (uint16_t)atoi(optarg); break;
		case 'f': opt.names = optarg; break;
		case 't': opt.seconds = atof(optarg); break;
		case 'u': opt.warmup = atof(optarg); break;
		case 'l': opt.drains = (opt.patience = atof(optarg)) > 0; break;
		case 'w': opt.window = (unsigned)atoi(optarg); break;
		case 'n': opt.sockets = (unsigned)atoi(optarg); break;
		case 'r': opt.rate = (uint64_t)atoll(optarg); break;
		case 'P': parse_pids(optarg); break;
		case 'e': opt.edns = true; break;
		case 'I': opt.only_id = true; break;
		case 'z': opt.sleeps = prctl(PR_SET_TIMERSLACK, 1000) == 0; break;
		default:
			opt.names = NULL;
			optind = argc;
			break;
		}
	}
	if (opt.names == NULL || opt.sockets < 1 || opt.sockets > SOCKETS_MAX || opt.window < 1) {
		fprintf(stderr, "usage: gen -f NAMES [-s ADDR] [-p PORT] [-t SECONDS] [-u WARMUP] "
		                "[-l PATIENCE] [-w IN-FLIGHT | -r RATE [-z]]\n"
		                "           [-n SOURCE-PORTS] [-P PID,PID] [-e (EDNS)] [-I (check "
		                "only ID and question)]\n");
		exit(2);
	}
}

static void prepare_batches(void)
{
	unsigned want = opt.rate != 0 ? IDS : opt.window * 4;

	for (int i = 0; i < BATCH; i++) {
		iovs[i].iov_base = buffers[i];
		msgs[i].msg_hdr.msg_iov = &iovs[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	ids_used = want > IDS ? IDS : want < opt.sockets * 4 ? opt.sockets * 4 : want;
	ids_used -= ids_used % opt.sockets;
	fill_free_ids();
}

int main(int argc, char **argv)
{
	uint64_t t0, t1, cpu0, cpu1, lost_before;
	double secs;
	int ep;

	parse_options(argc, argv);
	load_names();
	prepare_batches();
	ep = open_sockets();
	run_for(ep, opt.warmup);
	lost_before = st.lost;
	memset(&st, 0, sizeof(st));
	cpu0 = server_cpu_ns();
	t0 = now_ns();
	run_for(ep, opt.seconds);
	t1 = now_ns();
	if (opt.drains)
		drain(ep);
	cpu1 = server_cpu_ns();
	secs = (double)(t1 - t0) / 1e9;
	printf("sent=%llu answers=%llu lost=%llu bad=%llu late=%llu warmup_lost=%llu secs=%.3f "
	       "qps=%.0f",
	        (unsigned long long)st.sent, (unsigned long long)st.answers,
	        (unsigned long long)st.lost, (unsigned long long)st.bad,
	        (unsigned long long)st.late, (unsigned long long)lost_before, secs,
	        (double)st.answers / secs);
	if (opt.pid_count > 0 && st.answers > 0)
		printf(" cpu_us=%.3f busy=%.2f", (double)(cpu1 - cpu0) / 1e3 / (double)st.answers,
		        (double)(cpu1 - cpu0) / (double)(t1 - t0));
	printf(" p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f\n", percentile_us(0.5),
	        percentile_us(0.99), percentile_us(0.999), (double)st.max_ns / 1e3);
	return st.answers > 0 ? 0 : 1;
}
