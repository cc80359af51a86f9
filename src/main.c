/*
 * The daemon: flags, subcommands and signals around libseamark.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_line.h"
#include "base/log.h"
#include "base/must.h"
#include "base/str.h"
#include "cli/check.h"
#include "cli/doctor.h"
#include "cli/explain.h"
#include "cli/flags.h"
#include "cli/names.h"
#include "cli/output.h"
#include "conf/corefile.h"
#include "seamark.h"

#define STDIN_MAX (1u << 20)
#define DESCRIPTORS_MAX (1u << 20)

static int fatal(const char *text)
{
	char line[LOG_LINE_MAX];
	struct json_line l;

	if (!log_is_json()) {
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	log_json_begin(&l, line, LOG_FATAL);
	json_line_text(&l, "msg", str_from(text), LOG_LINE_MAX);
	fwrite(line, 1, json_line_end(&l), stderr);
	return 1;
}

/* Default file: ./Corefile; without one, whoami on the port of -dns.port. */
static int load_default(struct seamark *s)
{
	if (access("Corefile", F_OK) == 0)
		return sm_load_file(s, "Corefile");
	return sm_load_text(s, "(built in)", COREFILE_DEFAULT_TEXT);
}

static int load_stdin(struct seamark *s)
{
	struct buf text = {0};
	char block[4096];
	size_t n;
	int rc = 0;

	while ((n = fread(block, 1, sizeof(block), stdin)) > 0 && text.len <= STDIN_MAX)
		buf_add(&text, block, n);
	if (text.len <= STDIN_MAX)
		sm_load_text(s, "stdin", buf_text(&text));
	else
		rc = fatal("stdin: the Corefile is longer than 1 MiB");
	buf_free(&text);
	return rc;
}

static int load(struct seamark *s, const struct flags *f)
{
	if (f->conf == NULL)
		return load_default(s);
	if (strcmp(f->conf, "stdin") == 0)
		return load_stdin(s);
	return sm_load_file(s, f->conf);
}

/* Once the server runs: a start that fails must not touch the file of the one that does. */
static int write_pidfile(const char *path)
{
	FILE *f = fopen(path, "w");
	char why[512];

	if (f != NULL && fprintf(f, "%ld\n", (long)getpid()) > 0 && fclose(f) == 0)
		return 0;
	snprintf(why, sizeof(why), "-pidfile %s: %s", path, strerror(errno));
	return fatal(why);
}

/* Take the file away; a device that was named in its place, such as /dev/null, stays. */
static void remove_pidfile(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path);
}

/* The same as log lines, one each. */
static void log_banner(struct seamark *s)
{
	struct str rest = str_from(sm_describe(s));

	while (rest.len > 0) {
		struct str line = str_cut(&rest, '\n');

		log_info(NULL, "%.*s", (int)line.len, line.at);
	}
	log_info(NULL, "Seamark-%s, linux/%s, C11", sm_version(), SEAMARK_ARCH);
}

static void print_banner(struct seamark *s)
{
	if (log_is_json()) {
		log_banner(s);
		return;
	}
	fputs(sm_describe(s), stdout);
	printf("Seamark-%s\nlinux/%s, C11\n", sm_version(), SEAMARK_ARCH);
	fflush(stdout);
}

static void reload(struct seamark *s)
{
	log_info(NULL, "Reloading");
	if (sm_reload(s) == 0)
		log_info(NULL, "Reloading complete");
	else
		log_error(NULL, "Corefile changed but reload failed: %s", sm_error(s));
}

static void on_second_interrupt(int signal_number)
{
	(void)signal_number;
	_exit(2);
}

/* Signals are taken one by one by this thread; all others have them blocked. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void wait_for_stop(struct seamark *s, const sigset_t *set)
{
	int got;

	while (sigwait(set, &got) == 0) {
		if (got == SIGTERM || got == SIGINT)
			break;
		/* CoreDNS starts its new binary then; the default would be to die */
		if (got == SIGUSR2)
			log_warning(NULL, "SIGUSR2 does nothing: a new binary needs a restart");
		else
			reload(s);
	}
}

static void stop(struct seamark *s)
{
	sigset_t interrupt;

	signal(SIGINT, on_second_interrupt);
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
	sm_stop(s);
}

/* From the start to the end of a server that is loaded; the exit status. */
static int run(struct seamark *s, const struct flags *f, const sigset_t *signals)
{
	int rc = 0;

	if (sm_start(s) != 0)
		return fatal(sm_error(s));
	if (f->pidfile != NULL)
		rc = write_pidfile(f->pidfile);
	if (rc == 0) {
		if (!f->is_quiet)
			print_banner(s);
		wait_for_stop(s, signals);
	}
	stop(s);
	if (f->pidfile != NULL && rc == 0)
		remove_pidfile(f->pidfile);
	return rc;
}

/*
 * Use the descriptors that we may have. The lower limit, often 1024, is for programs that use
 * select(); clients of TCP and sockets to upstream servers need more.
 */
static void raise_descriptors(void)
{
	struct rlimit limit;
	rlim_t wanted = DESCRIPTORS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	wanted = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(const struct flags *f)
{
	struct seamark *s = sm_new();
	sigset_t signals;
	int rc;

	if (strcmp(f->log_format, "json") == 0)
		log_set_json(clock_wall_ms);
	block_signals(&signals);
	raise_descriptors();
	sm_set_port(s, f->port);
	sm_set_workers(s, f->workers);
	sm_set_control(s, strcmp(f->control, "off") == 0 ? NULL : f->control);
	rc = load(s, f);
	if (rc == 0)
		rc = run(s, f, &signals);
	sm_free(s);
	return rc;
}

static int subcommand(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} all[] = {{"check", cli_check}, {"doctor", cli_doctor}, {"explain", cli_explain},
	        {"names", cli_names}};
	char why[512];

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(argv[0], all[i].name) == 0)
			return all[i].run(argc, argv);
	if (strcmp(argv[0], "help") == 0)
		return output_text(flags_usage());
	snprintf(why, sizeof(why),
	        "extra command line arguments: \"%s\" is no command (a file is given with -conf); "
	        "see seamark -help",
	        argv[0]);
	return fatal(why);
}

/* Where the caller closed them, descriptors 0 to 2 must not become sockets that text goes to. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct flags f;
	struct err e;

	open_standard_files();
	/* few threads, few allocations: one arena each would only cost memory */
	mallopt(M_ARENA_MAX, 2);
	if (flags_parse(&f, argc, argv, &e) != 0) {
		fprintf(stderr, "%s\n%s", e.text, flags_usage());
		return 2;
	}
	if (f.wants_help)
		return output_text(flags_usage());
	if (f.wants_version) {
		printf("Seamark-%s\nlinux/%s, C11\n", sm_version(), SEAMARK_ARCH);
		return output_end(0);
	}
	if (f.wants_plugins)
		return output_text(sm_plugins());
	if (f.rest < argc)
		return subcommand(argc - f.rest, argv + f.rest);
	return serve(&f);
}
