/*
 * libseamark as a program uses it: every sm_ function, with what goes wrong. Linked with the shared
 * library only, so that what is used here is what is exported.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "seamark.h"

#define TIMEOUT (-1)
#define PORTS 13u /* that are used, from the first */
#define SERVICE(name, address)                                                                     \
	"apiVersion: v1\nkind: Service\nmetadata: {name: " name ", namespace: shop}\n"             \
	"spec: {clusterIP: " address ", ports: [{name: http, port: 80}]}\n"

static int n_checks, n_failed;
static unsigned port;
static atomic_int n_lines; /* of the log */

static void on_line(void *arg, const char *line)
{
	(void)line;
	atomic_fetch_add((atomic_int *)arg, 1);
}

static bool check(bool ok, const char *what)
{
	n_failed += !ok;
	printf("%sok %d - %s\n", ok ? "" : "not ", ++n_checks, what);
	return ok;
}

static void check_int(long got, long want, const char *what)
{
	if (!check(got == want, what))
		printf("# got %ld, wanted %ld\n", got, want);
}

/* The sentence about the last failure has part in it. */
static void check_error(const struct seamark *s, const char *part, const char *what)
{
	if (!check(strstr(sm_error(s), part) != NULL, what))
		printf("# got '%s', wanted '%s'\n", sm_error(s), part);
}

/* --- questions ---------------------------------------------------------------------------- */

static int udp_socket(unsigned to_port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)to_port)};
	struct timeval wait = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		abort();
	return fd;
}

/* A question for A of name, in presentation format, at out; its size. */
static size_t put_question(unsigned char *out, const char *name)
{
	unsigned char *p = out + 12;

	memcpy(out, "\x12\x34\x01\0\0\1\0\0\0\0\0\0", 12);
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		*p++ = (unsigned char)n;
		memcpy(p, name, n);
		p += n;
		name += name[n] == '.' ? n + 1 : n;
	}
	memcpy(p, "\0\0\1\0\1", 5);
	return (size_t)(p + 5 - out);
}

/*
 * The RCODE of the answer for A of name; its last four octets, the address when it is the last
 * record, go to address.
 */
static int ask(unsigned to_port, const char *name, char address[16])
{
	unsigned char m[512];
	size_t size = put_question(m, name);
	int fd = udp_socket(to_port);
	ssize_t n = send(fd, m, size, 0) < 0 ? -1 : recv(fd, m, sizeof(m), 0);

	close(fd);
	address[0] = '\0';
	if (n < 12)
		return TIMEOUT;
	if (m[7] > 0)
		inet_ntop(AF_INET, m + n - 4, address, 16);
	return m[3] & 15;
}

/* The RCODE is rcode and the address, when one is wanted, this. */
static void check_answer(
	unsigned to_port, const char *name, int rcode, const char *address, const char *what)
{
	char got[16];
	int got_rcode = ask(to_port, name, got);

	if (!check(got_rcode == rcode && strcmp(got, address) == 0, what))
		printf("# got rcode %d '%s', wanted %d '%s'\n", got_rcode, got, rcode, address);
}

static bool is_free(unsigned at, int type)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)at)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	bool is_bound;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	is_bound = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	close(fd);
	return is_bound;
}

/* The first of PORTS free ones: above those of the scripts beside us, below those of clients. */
static unsigned free_ports(void)
{
	for (unsigned i = 0; i < 200; i++) {
		unsigned first = 30000 + ((unsigned)getpid() + i) % 200 * PORTS, n = 0;

		while (n < PORTS && is_free(first + n, SOCK_DGRAM) && is_free(first + n, SOCK_STREAM))
			n++;
		if (n == PORTS)
			return first;
	}
	abort();
}

/* --- servers ------------------------------------------------------------------------------ */

static const char *corefile(unsigned at, const char *plugins)
{
	static char text[1024];

	snprintf(text, sizeof(text), ".:%u {\n bind 127.0.0.1\n %s\n}\n", at, plugins);
	return text;
}

static const char *embedded(unsigned at)
{
	char plugins[128];

	snprintf(plugins, sizeof(plugins),
		"kubernetes cluster.local {\n  embedded\n }\n prometheus 127.0.0.1:%u", at + 10);
	return corefile(at, plugins);
}

static int apply(struct seamark *s, const char *text)
{
	return sm_apply(s, text, strlen(text));
}

static int delete(struct seamark *s, const char *text)
{
	return sm_delete(s, text, strlen(text));
}

/* --- tests -------------------------------------------------------------------------------- */

static void test_not_running(void)
{
	struct seamark *s = sm_new();
	struct sm_stats stats;

	check(sm_version()[0] != '\0', "the library has a version");
	check(strstr(sm_plugins(), "kubernetes\n") != NULL, "the plugins are listed");
	check(sm_error(s)[0] == '\0', "there is no error before the first failure");
	check_int(sm_start(s), -EINVAL, "a server without a Corefile does not start");
	check_error(s, "sm_load_text", "and says what to call");
	check_int(sm_check(s), -EINVAL, "nor can it be checked");
	check_int(sm_reload(s), -EBUSY, "a server that does not run can't be reloaded");
	check_error(s, "not running", "and says so");
	check_int(sm_stop(s), -EBUSY, "nor stopped");
	check_int(apply(s, SERVICE("web", "10.0.0.1")), -EBUSY, "nor given objects");
	check_int(delete(s, SERVICE("web", "10.0.0.1")), -EBUSY, "nor have them deleted");
	check_int(sm_stats(s, &stats), -EBUSY, "it has no statistics");
	check(sm_metrics(s) == NULL, "no metrics");
	check(sm_describe(s) == NULL, "and serves nothing");
	check_int(sm_set_port(s, 0), -ERANGE, "port 0 is refused");
	check_int(sm_set_port(s, 65536), -ERANGE, "and 65536");
	check_int(sm_set_workers(s, 257), -ERANGE, "and 257 workers");
	sm_free(s);
	sm_free(NULL);
}

static void check_text(const char *text, const char *part, const char *what)
{
	if (!check(text != NULL && strstr(text, part) != NULL, what))
		printf("# got '%s', wanted '%s'\n", text == NULL ? "NULL" : text, part);
}

static void test_explain(void)
{
	struct seamark *s = sm_new();

	check(sm_explain(s, "a", NULL, NULL) == NULL, "nothing is explained without a Corefile");
	check_error(s, "sm_load_text", "and what to call is said");
	sm_load_text(s, "program", embedded(port));
	check_text(sm_explain(s, "web.shop.svc.cluster.local", NULL, NULL), "no namespace \"shop\"",
		"a configuration is explained before it is served");
	check(sm_explain(s, "a b", NULL, NULL) == NULL, "two words are no name");
	check_error(s, "blanks", "and that is the reason");
	check(sm_explain(s, "a", "NOTYPE", NULL) == NULL, "a type must be known");
	check_error(s, "NOTYPE", "and is named");
	check_int(sm_start(s), 0, "it starts");
	check_int(sm_set_control(s, "/nonexistent"), -EBUSY, "the socket is fixed while it runs");
	check_int(apply(s, SERVICE("web", "10.0.0.1")), 0, "an object is applied");
	check_text(sm_explain(s, "web.shop.svc.cluster.local", "A", NULL), "NOERROR, 10.0.0.1\n",
		"the running server explains");
	check_text(sm_names(s, "web.*"), "web.shop.svc.cluster.local. A 10.0.0.1\n",
		"and lists what is served");
	check(sm_names(s, "") == NULL, "an empty pattern is refused");
	sm_stop(s);
	sm_set_control(s, "/nonexistent/directory/control.sock");
	check_int(sm_start(s), 0, "a server starts without the socket that it cannot have");
	sm_free(s);
}

static void test_bad_corefiles(void)
{
	struct seamark *s = sm_new();

	check_int(sm_load_file(s, "/nonexistent/Corefile"), 0, "a path is only noted");
	check_int(sm_start(s), -EINVAL, "a missing Corefile fails at the start");
	check_error(s, "/nonexistent/Corefile: No such file", "with its name");
	sm_load_text(s, "program", corefile(port, "bogus"));
	check_int(sm_check(s), -EINVAL, "a check finds an unknown plugin");
	check_error(s, "program:3 - Error during parsing: Unknown directive 'bogus'",
		"and names text and line");
	check_int(sm_start(s), -EINVAL, "and so does the start");
	unsetenv("KUBERNETES_SERVICE_HOST");
	sm_load_text(s, "program", corefile(port, "kubernetes cluster.local"));
	check_int(sm_start(s), -EINVAL, "a plugin that cannot start its work fails the start");
	check_error(s, "program:3 - plugin/kubernetes: no endpoint", "and its line is named");
	sm_load_text(s, "program", corefile(port, "whoami"));
	check_int(sm_check(s), 0, "a good one passes the check");
	check(sm_error(s)[0] == '\0', "which leaves no error");
	check_int(sm_start(s), 0, "and starts after the failures");
	check_int(sm_start(s), -EBUSY, "a second start is refused");
	check_error(s, "running already", "and told");
	check_int(sm_set_port(s, 1053), -EBUSY, "the port is fixed while it runs");
	check_int(sm_set_workers(s, 1), -EBUSY, "and the workers");
	check_int(apply(s, SERVICE("web", "10.0.0.1")), -ENOENT, "no block takes objects");
	check_error(s, "embedded", "and the error names the option");
	sm_free(s);
}

static void test_default_port(void)
{
	struct seamark *s = sm_new();
	char line[64];

	sm_set_port(s, port);
	sm_set_workers(s, 2);
	sm_load_text(s, "program", "example.org {\n bind 127.0.0.1\n whoami\n}\n");
	check_int(sm_start(s), 0, "a block without a port starts");
	snprintf(line, sizeof(line), "example.org.:%u on 127.0.0.1\n", port);
	check(strcmp(sm_describe(s), line) == 0, "on the port that was set");
	check_answer(port, "x.example.org", 0, "", "and answers there");
	check_answer(port, "example.com", 5, "", "but not for other zones");
	sm_free(s);
}

/* A worker counts an answer when it has left: soon after the client has it. */
static bool counts_answers(struct seamark *s, uint64_t least)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	struct sm_stats stats = {0};

	for (int i = 0; i < 500 && sm_stats(s, &stats) == 0; i++) {
		if (stats.answers >= least)
			return stats.workers >= 1 && stats.is_ready;
		nanosleep(&pause, NULL);
	}
	printf("# %llu answers\n", (unsigned long long)stats.answers);
	return false;
}

static void test_objects(struct seamark *s)
{
	struct sm_stats stats;
	const char *metrics;

	check_answer(port, "web.shop.svc.cluster.local", 3, "", "nothing is there at first");
	check_int(apply(s, SERVICE("web", "10.0.0.1")), 0, "YAML is taken");
	check_answer(port, "web.shop.svc.cluster.local", 0, "10.0.0.1", "and answers at once");
	check_int(apply(s, SERVICE("web", "10.0.0.2")), 0, "a change is taken");
	check_answer(port, "web.shop.svc.cluster.local", 0, "10.0.0.2", "and seen at once");
	check_int(apply(s, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"j\","
			   "\"namespace\":\"shop\"},\"spec\":{\"clusterIP\":\"10.0.0.3\"}}"),
		0, "JSON is taken");
	check_answer(port, "j.shop.svc.cluster.local", 0, "10.0.0.3", "and answers");
	check(apply(s, "kind: [") < 0, "bad YAML is refused");
	check(sm_error(s)[0] != '\0', "with a reason");
	check(apply(s, SERVICE("half", "10.0.0.4") "---\nkind: Service\nmetadata: 7\n") < 0,
		"a text whose second object is bad is refused");
	check_answer(port, "half.shop.svc.cluster.local", 3, "", "as a whole");
	atomic_store(&n_lines, 0);
	check_int(apply(s, SERVICE("bad", "10.0.0.300")), 0, "a bad address is left out");
	check_int(atomic_load(&n_lines), 1, "with a warning");
	check_int(apply(s, ""), 0, "an empty text changes nothing");
	check_int(apply(s, "kind: Deployment\nmetadata: {name: d}\n"), 0, "nor do other kinds");
	check(delete(s, "}{") < 0, "bad YAML does not delete");
	check_int(delete(s, SERVICE("web", "10.0.0.2")), 0, "objects are deleted");
	check_answer(port, "web.shop.svc.cluster.local", 3, "", "and gone at once");
	check_int(delete(s, SERVICE("web", "10.0.0.2")), 0, "what is not there is no failure");
	check_int(sm_stats(s, &stats), 0, "statistics are given");
	check(counts_answers(s, 6), "with answers counted");
	metrics = sm_metrics(s);
	check(metrics != NULL && strstr(metrics, "\ncoredns_dns_requests_total{") != NULL,
		"and metrics");
}

static void test_reload(struct seamark *s)
{
	sm_load_text(s, "second", "broken {\n");
	check_int(sm_reload(s), -EINVAL, "a bad Corefile fails to reload");
	check_error(s, "second:1", "with text and line");
	check_answer(port, "j.shop.svc.cluster.local", 0, "10.0.0.3", "the old one serves on");
	sm_load_text(s, "third", embedded(port + 1));
	check_int(sm_reload(s), 0, "a good one reloads");
	check_answer(port + 1, "j.shop.svc.cluster.local", 0, "10.0.0.3",
		"with the objects that were there, on its new port");
	check_int(apply(s, SERVICE("new", "10.0.0.5")), 0, "and takes new ones");
	check_answer(port + 1, "new.shop.svc.cluster.local", 0, "10.0.0.5", "that answer");
}

static void test_two_servers(struct seamark *s)
{
	struct seamark *other = sm_new();

	sm_load_text(other, "other", embedded(port + 1));
	check_int(sm_start(other), -EADDRINUSE, "a second server finds the port in use");
	check_error(other, "in use", "and says so");
	sm_load_text(other, "other", embedded(port + 2));
	check_int(sm_start(other), 0, "on another port it starts beside the first");
	check_int(apply(other, SERVICE("new", "10.9.9.9")), 0, "and takes objects");
	check_answer(port + 2, "new.shop.svc.cluster.local", 0, "10.9.9.9", "of its own");
	check_answer(port + 1, "new.shop.svc.cluster.local", 0, "10.0.0.5", "and so has the first");
	check_int(sm_stop(s), 0, "the first stops");
	check_answer(port + 2, "new.shop.svc.cluster.local", 0, "10.9.9.9", "the other goes on");
	check_int(sm_start(s), 0, "the first starts again");
	check_answer(port + 1, "new.shop.svc.cluster.local", 3, "", "with nothing in it");
	sm_free(other);
	check_int(apply(s, SERVICE("new", "10.0.0.6")), 0, "and takes objects");
	check_answer(port + 1, "new.shop.svc.cluster.local", 0, "10.0.0.6", "that answer");
}

static void test_log(void)
{
	struct seamark *s = sm_new();

	sm_load_text(s, "program", corefile(port, "import none*\n whoami"));
	sm_start(s);
	check(atomic_load(&n_lines) == 1, "a warning goes to the program's sink");
	sm_free(s);
}

int main(int argc, char **argv)
{
	struct seamark *s = sm_new();

	port = argc > 1 ? (unsigned)atoi(argv[1]) : free_ports();
	sm_set_log(on_line, &n_lines);
	test_log();
	test_not_running();
	test_explain();
	test_bad_corefiles();
	test_default_port();
	sm_load_text(s, "first", embedded(port));
	check_int(sm_start(s), 0, "a server for embedded objects starts");
	test_objects(s);
	test_reload(s);
	test_two_servers(s);
	sm_free(s);
	printf("1..%d\n", n_checks);
	return n_failed > 0;
}
