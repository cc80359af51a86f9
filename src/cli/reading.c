#include "cli/reading.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/output.h"
#include "core/control_socket.h"
#include "core/explain.h"
#include "seamark.h"

#define ANSWER_WAIT_S 15

/* --- arguments --------------------------------------------------------------------------- */

static const char **find_flag(struct reading *r, struct str name)
{
	const struct {
		const char *name;
		const char **at;
	} flags[] = {
		{"control", &r->control},
		{"conf", &r->conf},
		{"manifests", &r->manifests},
		{"zone", &r->zone},
		{"from", &r->from},
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (str_is(name, flags[i].name))
			return flags[i].at;
	return NULL;
}

/* A flag at argv[*i], as -x VALUE, --x VALUE or --x=VALUE. */
static int take_flag(struct reading *r, int argc, char **argv, int *i, struct err *e)
{
	struct str value = str_from(argv[*i] + (argv[*i][1] == '-' ? 2 : 1)), name;
	const char **at;

	name = str_cut(&value, '=');
	at = find_flag(r, name);
	if (at == NULL)
		return err_set(e, -EINVAL, "flag provided but not defined: -%.*s", (int)name.len,
			name.at);
	if (value.at == NULL && *i + 1 >= argc)
		return err_set(e, -EINVAL, "flag needs an argument: -%.*s", (int)name.len, name.at);
	*at = value.at != NULL ? value.at : argv[++*i];
	return 0;
}

static int check_sources(const struct reading *r, struct err *e)
{
	int n = (r->control != NULL) + (r->conf != NULL) + (r->manifests != NULL);

	if (n > 1)
		return err_set(e, -EINVAL, "--control, -conf and --manifests exclude each other");
	if (r->zone != NULL && r->manifests == NULL)
		return err_set(e, -EINVAL, "--zone belongs to --manifests");
	return 0;
}

int reading_parse(struct reading *r, int argc, char **argv, struct err *e)
{
	int rc = 0;

	memset(r, 0, sizeof(*r));
	for (int i = 1; i < argc && rc == 0; i++) {
		if (argv[i][0] == '-' && argv[i][1] != '\0')
			rc = take_flag(r, argc, argv, &i, e);
		else if (r->n_words == READING_WORDS)
			rc = err_set(e, -EINVAL, "too many arguments: \"%s\"", argv[i]);
		else
			r->words[r->n_words++] = argv[i];
	}
	return rc == 0 ? check_sources(r, e) : rc;
}

/* --- manifests --------------------------------------------------------------------------- */

/* Text that stands for itself between quotes in a Corefile. */
static bool is_plain(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p == 127 || strchr("\"\\{}", *p) != NULL)
			return false;
	return true;
}

int reading_corefile(const struct reading *r, struct buf *out, struct err *e)
{
	const char *zone = r->zone == NULL ? "cluster.local" : r->zone;
	char dir[PATH_MAX];
	struct stat st;

	if (realpath(r->manifests, dir) == NULL)
		return err_set(e, -errno, "%s: %s", r->manifests, strerror(errno));
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "%s: is no directory", r->manifests);
	if (!is_plain(dir))
		return err_set(e, -EINVAL, "%s: cannot be named in a Corefile", r->manifests);
	if (!is_plain(zone) || zone[0] == '\0' || strchr(zone, ' ') != NULL)
		return err_set(e, -EINVAL, "--zone \"%s\" is no domain name", zone);
	buf_printf(out,
		"%s in-addr.arpa ip6.arpa {\n"
		"    kubernetes {\n"
		"        manifests \"%s\"\n"
		"        pods verified\n"
		"    }\n"
		"}\n",
		zone, dir);
	return 0;
}

/* --- the control socket ------------------------------------------------------------------ */

static int connect_to(const char *path, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(e, -ENAMETOOLONG, "%s: too long for a socket", path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, -errno, "no socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	err_set(e, -errno,
		"no server can be asked at %s: %s; name its socket with --control, or use -conf "
		"FILE or --manifests DIR",
		path, strerror(errno));
	close(fd);
	return -ECONNREFUSED;
}

static int send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

static int receive_all(int fd, struct buf *out)
{
	char block[65536];
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), 0)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buf_add(out, block, (size_t)n);
	}
	return 0;
}

/* "ok", or "error: ...", and the text behind it. */
static int read_answer(struct str answer, struct buf *out, struct err *e)
{
	struct str first = str_cut(&answer, '\n');

	if (str_is(first, "ok")) {
		buf_add(out, answer.at, answer.len);
		return 0;
	}
	if (str_has_prefix(first, "error: "))
		return err_set(e, -EINVAL, "%.*s", (int)(first.len - 7), first.at + 7);
	return err_set(e, -EPROTO, "what the server answers is not understood");
}

int reading_ask(const char *path, struct str request, struct buf *out, struct err *e)
{
	struct buf line = {0}, answer = {0};
	int fd = connect_to(path, e), rc;

	if (fd < 0)
		return fd;
	buf_add(&line, request.at, request.len);
	buf_char(&line, '\n');
	rc = send_all(fd, line.at, line.len);
	if (rc == 0)
		rc = receive_all(fd, &answer);
	close(fd);
	if (rc != 0)
		err_set(e, rc, "%s: %s", path, strerror(-rc));
	else
		rc = read_answer((struct str){buf_text(&answer), answer.len}, out, e);
	buf_free(&line);
	buf_free(&answer);
	return rc;
}

/* --- running ----------------------------------------------------------------------------- */

static int ask_server(const struct reading *r, bool names, struct buf *out, struct err *e)
{
	const char *path = r->control == NULL ? control_socket_usual() : r->control;
	struct buf request = {0};
	int rc;

	if (names)
		rc = explain_names_request(&request, r->words[0]);
	else
		rc = explain_request(&request, r->words[0], r->words[1], r->from);
	if (rc != 0)
		err_set(e, rc, "an argument is empty, too long or has blanks");
	else
		rc = reading_ask(path, (struct str){buf_text(&request), request.len}, out, e);
	buf_free(&request);
	return rc;
}

/* Standard output is for the answer alone. */
static void log_to_stderr(void *arg, const char *line)
{
	(void)arg;
	if (strncmp(line, "[INFO]", 6) != 0)
		fprintf(stderr, "%s\n", line);
}

static int load(struct seamark *s, const struct reading *r, struct err *e)
{
	struct buf text = {0};
	int rc = 0;

	if (r->manifests == NULL)
		return sm_load_file(s, r->conf);
	rc = reading_corefile(r, &text, e);
	if (rc == 0)
		sm_load_text(s, "--manifests", buf_text(&text));
	buf_free(&text);
	return rc;
}

static int ask_here(const struct reading *r, bool names, struct buf *out, struct err *e)
{
	struct seamark *s = sm_new();
	const char *text;
	int rc;

	sm_set_log(log_to_stderr, NULL);
	rc = load(s, r, e);
	if (rc == 0) {
		text = names ? sm_names(s, r->words[0])
			     : sm_explain(s, r->words[0], r->words[1], r->from);
		if (text != NULL)
			buf_str(out, text);
		else
			rc = err_set(e, -EINVAL, "%s", sm_error(s));
	}
	sm_free(s);
	return rc;
}

int reading_run(const struct reading *r, bool names)
{
	struct buf out = {0};
	struct err e = {""};
	int rc;

	if (r->conf != NULL || r->manifests != NULL)
		rc = ask_here(r, names, &out, &e);
	else
		rc = ask_server(r, names, &out, &e);
	if (rc == 0)
		fwrite(buf_text(&out), 1, out.len, stdout);
	else
		fprintf(stderr, "%s\n", e.text);
	buf_free(&out);
	return output_end(rc == 0 ? 0 : 1);
}
