/*
 * Wire conformance probe, see wire.h. Prints TAP: one test for each row and transport.
 *
 * With -P nsd or -P knot it judges a peer instead: a row passes when the peer answers as the
 * table says that it does, which proves that the probe can tell right from wrong.
 */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct target target = {.v4 = "127.0.0.1", .v6 = "::1", .transports = UDP | TCP, .cookies = true};

enum { ROWS_MAX = 400, PROGRAMS_MAX = 80 };

/* Rows where we choose otherwise than the table, and why. */
static const struct {
	const char *id, *reason;
} wire_exceptions[] = {
        {"G35 icmp", "an echo request is answered by the kernel, not by a name server"},
        {NULL, NULL},
};

static const struct row *rows[ROWS_MAX];
static uint64_t digests[ROWS_MAX][4];
static size_t row_count;
static unsigned tests, failures;

static const char *exception_for(const char *id)
{
	for (int i = 0; wire_exceptions[i].id != NULL; i++)
		if (strcmp(id, wire_exceptions[i].id) == 0)
			return wire_exceptions[i].reason;
	return NULL;
}

/* Letters of peers that answer otherwise; small letters: over TCP only. */
static bool is_known_to_differ(const char *transport, const char *differs)
{
	if (target.peer == 0 || differs == NULL)
		return false;
	return strchr(differs, target.peer) != NULL ||
	       (transport[0] == 't' && strchr(differs, target.peer | 0x20) != NULL);
}

/* Print one result. */
static void report(const char *transport, const char *id, const char *what, const char *differs,
        const char *why)
{
	bool expected = !is_known_to_differ(transport, differs);
	const char *reason = exception_for(id);

	tests++;
	if (why != NULL && strncmp(why, "skip: ", 6) == 0) {
		printf("ok %u - %s %s: %s # SKIP %s\n", tests, transport, id, what, why + 6);
	} else if (why != NULL && expected && reason != NULL) {
		printf("ok %u - %s %s: %s # SKIP exception: %s (%s)\n", tests, transport, id, what,
		        reason, why);
	} else if ((why == NULL) == expected) {
		printf("ok %u - %s %s: %s%s%s\n", tests, transport, id, what,
		        why != NULL ? ", not so: " : "", why != NULL ? why : "");
	} else {
		failures++;
		printf("not ok %u - %s %s: %s\n# %s\n", tests, transport, id, what,
		        why != NULL ? why : "passed, though this peer is known to differ");
	}
	fflush(stdout);
}

static void print_hex(const char *label, const uint8_t *p, size_t n)
{
	printf("#   %s", label);
	for (size_t i = 0; i < n && i < 400; i++)
		printf("%s%02x", i % 2 == 0 ? " " : "", p[i]);
	printf("%s\n", n > 400 ? " ..." : "");
}

static uint64_t mix(uint64_t h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

/* Number that is the same for replies with the same content in any order, without additionals. */
static uint64_t digest(const struct exchange *x)
{
	uint64_t sum;
	struct reply r;

	if (!x->answered)
		return 1;
	reply_parse(&r, x->rx, x->rx_len);
	sum = (uint64_t)(r.flags & ~(unsigned)TC) << 32 | r.rcode << 8 | (unsigned)r.opts << 1;
	for (size_t i = 0; i < r.n_records; i++)
		if (r.records[i].section == 1 || r.records[i].type == 6)
			sum += mix(mix(r.records[i].ttl * 65536ull + r.records[i].type,
			                   r.records[i].owner, r.records[i].owner_len),
			        r.records[i].rdata,
			        r.records[i].type == 6 || r.records[i].type == 5
			                ? 0
			                : r.records[i].rdlen);
	reply_free(&r);
	return sum;
}

static void gather_table(const struct row *table, bool silent)
{
	for (; table->id != NULL; table++)
		if (((table->is & SILENT) != 0) == silent) {
			if (row_count == ROWS_MAX) {
				fprintf(stderr, "wire: too many rows\n");
				exit(2);
			}
			rows[row_count++] = table;
		}
}

/* Rows that expect silence come last: they share one wait. */
static void gather_rows(void)
{
	for (int silent = 0; silent < 2; silent++) {
		gather_table(genreport_rows, silent);
		gather_table(header_rows, silent);
		gather_table(edns_rows, silent);
		gather_table(names_rows, silent);
	}
}

static int transport_index(unsigned transport)
{
	return __builtin_ctz(transport);
}

static void run_transport(unsigned transport)
{
	struct exchange *x = calloc(row_count, sizeof(*x));

	for (size_t i = 0; i < row_count; i++) {
		const struct row *row = rows[i];

		x[i].row = row;
		x[i].transport = transport;
		if (row->on != 0 && (row->on & transport) == 0)
			x[i].skipped = "other transport";
		else if (row->is & NEEDS_COOKIES && !target.cookies)
			x[i].skipped = "server without cookies";
		build_query(&x[i].query, row, (uint16_t)(4242 + 31 * i + transport));
	}
	run_exchanges(x, row_count);
	for (size_t i = 0; i < row_count; i++) {
		if (x[i].skipped == NULL) {
			report(transport_name(transport), rows[i]->id, rows[i]->what,
			        rows[i]->differs, x[i].why);
			digests[i][transport_index(transport)] = digest(&x[i]);
			if (x[i].why != NULL && target.verbose) {
				print_hex("query", x[i].query.at, x[i].query.len);
				print_hex("reply", x[i].rx, x[i].answered ? x[i].rx_len : 0);
			}
		}
		free(x[i].rx);
	}
	free(x);
}

/* The same question has the same answer over all transports. */
static void compare_transports(void)
{
	char where[2000] = "";

	for (size_t i = 0; i < row_count; i++) {
		uint64_t first = 0;

		for (int t = 0; t < 4; t++) {
			uint64_t d = digests[i][t];

			if (d == 0 || rows[i]->is & (DIFFERS_BY_TRANSPORT | SILENT))
				continue;
			if (first != 0 && d != first && strlen(where) < 1900) {
				strcat(strcat(where, " "), rows[i]->id);
				break;
			}
			first = d;
		}
	}
	report("all", "X01", "same answer over all transports", NULL,
	        where[0] == '\0' || target.peer != 0 ? NULL : text("other answers to%s", where));
}

struct job {
	const struct program *program;
	unsigned transport;
	pid_t pid;
	int pipe;
};

static void start_job(struct job *job)
{
	int ends[2];

	if (pipe(ends) < 0 || fflush(stdout) != 0 || (job->pid = fork()) < 0) {
		perror("wire: fork");
		exit(2);
	}
	if (job->pid == 0) {
		const char *why = job->program->run(job->transport);

		if (why != NULL && write(ends[1], why, strlen(why)) < 0)
			_exit(3);
		_exit(why != NULL);
	}
	close(ends[1]);
	job->pipe = ends[0];
}

static void finish_job(struct job *job)
{
	char why[400];
	ssize_t n;
	int status;

	n = read(job->pipe, why, sizeof(why) - 1);
	why[n > 0 ? n : 0] = '\0';
	close(job->pipe);
	waitpid(job->pid, &status, 0);
	report(transport_name(job->transport), job->program->id, job->program->what,
	        job->program->differs,
	        status == 0 ? NULL
	        : n > 0     ? why
	                    : "the row's own process failed");
}

static void run_programs(void)
{
	struct job jobs[PROGRAMS_MAX];
	size_t n = 0, side_by_side = 0;

	for (const struct program *p = programs; p->id != NULL; p++)
		for (unsigned t = 1; t <= TCP6; t <<= 1)
			if (p->on & t & target.transports && n < PROGRAMS_MAX)
				jobs[n++] = (struct job){.program = p, .transport = t};
	for (; side_by_side < n && strncmp(jobs[side_by_side].program->id, "C3", 2) != 0;
	        side_by_side++)
		start_job(&jobs[side_by_side]);
	for (size_t i = 0; i < side_by_side; i++)
		finish_job(&jobs[i]);
	for (size_t i = side_by_side; i < n; i++) {
		start_job(&jobs[i]);
		finish_job(&jobs[i]);
	}
}

static unsigned parse_transports(const char *list)
{
	unsigned set = 0;

	for (unsigned t = 1; t <= TCP6; t <<= 1)
		if (strstr(list, transport_name(t)) != NULL)
			set |= t;
	return set;
}

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "p:w:u:4:6:t:kP:v")) != -1) {
		switch (c) {
		case 'p': target.port = (uint16_t)atoi(optarg); break;
		case 'w': target.wild_port = (uint16_t)atoi(optarg); break;
		case 'u': target.upstream_port = (uint16_t)atoi(optarg); break;
		case '4': target.v4 = optarg; break;
		case '6': target.v6 = optarg; break;
		case 't': target.transports = parse_transports(optarg); break;
		case 'k': target.cookies = false; break;
		case 'P': target.peer = optarg[0] == 'n' ? 'N' : 'K'; break;
		case 'v': target.verbose = true; break;
		default:
			target.port = 0;
			optind = argc;
			break;
		}
	}
	if (target.port == 0 || target.transports == 0) {
		fprintf(stderr,
		        "usage: wire -p PORT [-w PORT-ON-ALL-ADDRESSES] [-u PORT-OF-UPSTREAM]\n"
		        "            [-4 ADDR] [-6 ADDR] [-t udp4,udp6,tcp4,tcp6] [-k (no "
		        "cookies)] [-P nsd|knot] "
		        "[-v]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = {4096, 4096};
	const char *skipped;

	parse_options(argc, argv);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	gather_rows();
	for (unsigned t = 1; t <= TCP6; t <<= 1)
		if (target.transports & t)
			run_transport(t);
	compare_transports();
	run_programs();
	skipped = text("skip: %s", exception_for("G35 icmp"));
	report("all", "G35 icmp", "echo request", NULL, skipped);
	free((void *)(uintptr_t)skipped);
	printf("1..%u\n", tests);
	if (failures > 0)
		printf("# %u of %u failed\n", failures, tests);
	return failures > 0;
}
