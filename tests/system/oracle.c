/*
 * oracle PORT FILE [RATE]: asks 127.0.0.1 the questions of FILE again and again, RATE a second
 * (1000), until FILE.stop exists, and compares each answer with what it may be. A line of FILE is
 *
 *   NAME TYPE STATE[;STATE]...
 *
 * with the states that the name goes through in their order, each the RDATA of all answers, sorted
 * and with commas between them, or an RCODE, or NODATA. Once a later state was seen an earlier one
 * is wrong. A line without a state learns it from the first answer. In the end it prints
 *
 *   asked N wrong N missing N last N of N p50_us N p99_us N max_us N
 *
 * where "last" counts the names that have come to their last state. What is wrong goes to standard
 * error. An answer that does not come within three seconds is missing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { QUESTIONS = 4096, STATES = 8, LANES = 16, TIMEOUT_S = 3, SAMPLES = 1 << 20 };

#define TIMEOUT_NS (TIMEOUT_S * 1000000000ull)

struct question {
	char *name, *type;
	char *states[STATES];
	size_t n_states, at; /* the state that was seen last */
	uint8_t *query;
	size_t query_len;
};

/* A socket with one question in flight. */
struct lane {
	int fd;
	struct question *asked; /* NULL: none */
	uint64_t sent_ns;
	uint16_t id;
};

static struct question questions[QUESTIONS];
static size_t n_questions, next_question;
static struct lane lanes[LANES];
static uint32_t samples_us[SAMPLES];
static size_t n_samples;
static unsigned long asked, wrong, missing;
static uint16_t port;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *why)
{
	fprintf(stderr, "oracle: %s\n", why);
	exit(2);
}

/* ---- questions ---- */

static void make_query(struct question *q)
{
	ldns_rdf *name = ldns_dname_new_frm_str(q->name);
	ldns_rr_type type = ldns_get_rr_type_by_name(q->type);
	ldns_pkt *p = name ? ldns_pkt_query_new(name, type, LDNS_RR_CLASS_IN, LDNS_RD) : NULL;

	if (p == NULL)
		die("a question is malformed");
	ldns_pkt_set_edns_udp_size(p, 1232);
	if (ldns_pkt2wire(&q->query, p, &q->query_len) != LDNS_STATUS_OK)
		die("a question cannot be encoded");
	ldns_pkt_free(p);
}

static void read_line(char *line)
{
	struct question *q = &questions[n_questions];
	char *save, *rest, *state;

	q->name = strdup(strtok_r(line, " \n", &save));
	q->type = strtok_r(NULL, " \n", &save);
	if (q->type == NULL)
		die("a line has no type");
	q->type = strdup(q->type);
	rest = strtok_r(NULL, "\n", &save);
	for (state = rest ? strtok_r(rest, ";", &save) : NULL; state != NULL;
	        state = strtok_r(NULL, ";", &save)) {
		if (q->n_states == STATES)
			die("too many states");
		q->states[q->n_states++] = strdup(state);
	}
	make_query(q);
	n_questions++;
}

static void read_questions(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[8192];

	if (f == NULL)
		die("the file cannot be read");
	while (n_questions < QUESTIONS && fgets(line, sizeof(line), f) != NULL)
		if (line[0] != '\n' && line[0] != '#')
			read_line(line);
	fclose(f);
	if (n_questions == 0)
		die("there are no questions");
}

/* ---- answers ---- */

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *rdata_text(const ldns_rr *rr)
{
	char *out = calloc(1, 1);

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		char *part = ldns_rdf2str(ldns_rr_rdf(rr, i)), *both = NULL;

		if (asprintf(&both, "%s%s%s", out, i ? " " : "", part) < 0)
			die("no memory");
		free(part);
		free(out);
		out = both;
	}
	return out;
}

/* All answers as a state. */
static void state_of(const ldns_pkt *p, char *out, size_t size)
{
	size_t n = ldns_pkt_ancount(p), len = 0;
	char **texts = calloc(n + 1, sizeof(*texts));

	for (size_t i = 0; i < n; i++)
		texts[i] = rdata_text(ldns_rr_list_rr(ldns_pkt_answer(p), i));
	qsort(texts, n, sizeof(*texts), compare_text);
	if (ldns_pkt_get_rcode(p) != LDNS_RCODE_NOERROR) {
		char *rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(p));

		snprintf(out, size, "%s", rcode);
		free(rcode);
	} else if (n == 0) {
		snprintf(out, size, "NODATA");
	}
	for (size_t i = 0; i < n; i++) {
		if (ldns_pkt_get_rcode(p) == LDNS_RCODE_NOERROR && len < size)
			len += (size_t)snprintf(
			        out + len, size - len, "%s%s", i ? "," : "", texts[i]);
		free(texts[i]);
	}
	free(texts);
}

static void complain(const struct question *q, const char *got)
{
	wrong++;
	if (wrong <= 20)
		fprintf(stderr, "%s %s: got %s, wanted %s\n", q->name, q->type, got,
		        q->states[q->at]);
}

static void judge(struct question *q, const char *got)
{
	if (q->n_states == 0)
		q->states[q->n_states++] = strdup(got);
	for (size_t i = q->at; i < q->n_states; i++) {
		if (strcmp(q->states[i], got) == 0) {
			q->at = i;
			return;
		}
	}
	complain(q, got);
}

/* ---- lanes ---- */

static void open_lane(struct lane *l)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("cannot open a socket");
}

static void lane_ask(struct lane *l)
{
	struct question *q = &questions[next_question];

	next_question = (next_question + 1) % n_questions;
	l->asked = q;
	l->id = (uint16_t)random();
	memcpy(q->query, &l->id, 2);
	l->sent_ns = now_ns();
	asked++;
	if (send(l->fd, q->query, q->query_len, 0) < 0)
		l->sent_ns -= TIMEOUT_NS; /* missing at once */
}

static void lane_read(struct lane *l)
{
	uint8_t wire[4096];
	char got[8192];
	ssize_t n = recv(l->fd, wire, sizeof(wire), 0);
	ldns_pkt *p;

	if (n < 12 || memcmp(wire, &l->id, 2) != 0 || l->asked == NULL)
		return;
	if (n_samples < SAMPLES)
		samples_us[n_samples++] = (uint32_t)((now_ns() - l->sent_ns) / 1000);
	if (ldns_wire2pkt(&p, wire, (size_t)n) == LDNS_STATUS_OK) {
		state_of(p, got, sizeof(got));
		judge(l->asked, got);
		ldns_pkt_free(p);
	} else {
		complain(l->asked, "a malformed answer");
	}
	l->asked = NULL;
}

static void lane_check(struct lane *l)
{
	if (l->asked == NULL || now_ns() - l->sent_ns < TIMEOUT_NS)
		return;
	missing++;
	if (missing <= 20)
		fprintf(stderr, "%s %s: no answer\n", l->asked->name, l->asked->type);
	l->asked = NULL;
	close(l->fd); /* a late answer must not be taken for that to another question */
	open_lane(l);
}

static bool is_any_in_flight(void)
{
	for (size_t i = 0; i < LANES; i++)
		if (lanes[i].asked != NULL)
			return true;
	return false;
}

/* Wait for a millisecond or an answer. */
static void wait_lanes(void)
{
	struct pollfd fds[LANES];

	for (size_t i = 0; i < LANES; i++)
		fds[i] = (struct pollfd){lanes[i].fd, POLLIN, 0};
	if (poll(fds, LANES, 1) > 0) {
		for (size_t i = 0; i < LANES; i++)
			if (fds[i].revents != 0)
				lane_read(&lanes[i]);
	}
	for (size_t i = 0; i < LANES; i++)
		lane_check(&lanes[i]);
}

/* Ask what is due at this rate. */
static void ask_due(uint64_t begin_ns, unsigned long rate)
{
	uint64_t due = (now_ns() - begin_ns) * rate / 1000000000u;

	for (size_t i = 0; i < LANES && asked < due; i++)
		if (lanes[i].asked == NULL)
			lane_ask(&lanes[i]);
}

/* ---- the end ---- */

static int compare_us(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(void)
{
	size_t last = 0;

	qsort(samples_us, n_samples, sizeof(*samples_us), compare_us);
	for (size_t i = 0; i < n_questions; i++)
		last += questions[i].n_states > 0 && questions[i].at + 1 == questions[i].n_states;
	printf("asked %lu wrong %lu missing %lu last %zu of %zu", asked, wrong, missing, last,
	        n_questions);
	if (n_samples > 0)
		printf(" p50_us %u p99_us %u max_us %u", samples_us[n_samples / 2],
		        samples_us[n_samples * 99 / 100], samples_us[n_samples - 1]);
	printf("\n");
}

int main(int argc, char **argv)
{
	unsigned long rate = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
	char stop[4096];
	uint64_t begin;

	if (argc < 3 || rate == 0)
		die("usage: oracle PORT FILE [RATE]");
	port = (uint16_t)atoi(argv[1]);
	snprintf(stop, sizeof(stop), "%s.stop", argv[2]);
	read_questions(argv[2]);
	for (size_t i = 0; i < LANES; i++)
		open_lane(&lanes[i]);
	begin = now_ns();
	for (unsigned n = 0; n % 64 != 0 || access(stop, F_OK) != 0; n++) {
		ask_due(begin, rate);
		wait_lanes();
	}
	while (is_any_in_flight())
		wait_lanes();
	report();
	return wrong > 0 || missing > 0;
}
