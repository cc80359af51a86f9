#include "cli/doctor.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "cli/doctor_private.h"
#include "cli/output.h"

#define NETWORKMANAGER "/run/NetworkManager/no-stub-resolv.conf"

static const char usage[] =
        "Usage: seamark doctor [--root DIR] [--json] [--offline] [--port N] [--fix | --undo]\n"
        "\n"
        "Examines how this host finds DNS names, and what its pods inherit: /etc/resolv.conf, "
        "what\n"
        "systemd-resolved lists, the kubelet's resolvConf, loops, the search list, port 53, and\n"
        "whether each upstream server answers over UDP and TCP. Each line of the table has a\n"
        "verdict, and the remedy where one is needed. The exit status is 1 when something is\n"
        "broken.\n"
        "\n"
        "  --root DIR  examine the host or container with this root directory\n"
        "  --json      print an array of JSON objects: check, verdict, finding, remedy\n"
        "  --offline   ask no server\n"
        "  --port N    port of the upstream servers (53)\n"
        "  --fix       link the list of the real servers to /etc/resolv.conf; the old file is\n"
        "              kept as /etc/resolv.conf.old. Refused where that would leave the host\n"
        "              without a resolver\n"
        "  --undo      put the old file back\n";

/* The value behind a flag, as the next argument or behind "=". */
static const char *value_of(int argc, char **argv, int *i, const char *flag)
{
	size_t n = strlen(flag);

	if (strncmp(argv[*i], flag, n) == 0 && argv[*i][n] == '=')
		return argv[*i] + n + 1;
	if (strcmp(argv[*i], flag) == 0 && *i + 1 < argc)
		return argv[++*i];
	return NULL;
}

static bool take_switch(struct doctor *d, const char *arg)
{
	bool *found = strcmp(arg, "--json") == 0      ? &d->is_json
	              : strcmp(arg, "--offline") == 0 ? &d->is_offline
	              : strcmp(arg, "--fix") == 0     ? &d->wants_fix
	              : strcmp(arg, "--undo") == 0    ? &d->wants_undo
	                                              : NULL;

	if (found != NULL)
		*found = true;
	return found != NULL;
}

/* "" for the host's own root; what stands for it may be written in several ways. */
static int set_root(struct doctor *d, const char *text, struct err *e)
{
	size_t n = strlen(text);
	struct stat st;

	if (stat(text, &st) != 0 || !S_ISDIR(st.st_mode))
		return err_set(e, -1, "--root %s: there is no such directory", text);
	while (n > 0 && text[n - 1] == '/')
		n--;
	d->root = arena_dup(&d->arena, text, n);
	return 0;
}

static int parse(struct doctor *d, int argc, char **argv, struct err *e)
{
	const char *value;
	uint16_t port;

	for (int i = 1; i < argc; i++) {
		if (take_switch(d, argv[i]))
			continue;
		value = value_of(argc, argv, &i, "--root");
		if (value != NULL) {
			if (set_root(d, value, e) != 0)
				return -1;
			continue;
		}
		value = value_of(argc, argv, &i, "--port");
		if (value == NULL)
			return err_set(e, -1, "unknown or incomplete argument %s", argv[i]);
		if (num_u16(str_from(value), UINT16_MAX, &port) != 0 || port == 0)
			return err_set(e, -1, "--port %s: not a port", value);
		d->port = port;
	}
	if (d->wants_fix && d->wants_undo)
		return err_set(e, -1, "--fix or --undo, not both");
	return 0;
}

static void look(struct doctor *d)
{
	vec_free(&d->listeners);
	vec_free(&d->cluster_dns);
	vec_free(&d->findings);
	doctor_file_read(d, &d->etc, DOCTOR_ETC);
	doctor_file_read(d, &d->systemd, RESOLVCONF_SYSTEMD);
	doctor_file_read(d, &d->networkmanager, NETWORKMANAGER);
	doctor_look_at_processes(d);
	doctor_look_at_kubelet(d);
}

/* --fix or --undo, told on standard error so that standard output stays the table or JSON. */
static int change(struct doctor *d)
{
	const char *done = NULL;
	struct err e = {""};
	int rc = d->wants_fix ? doctor_fix(d, &done, &e) : doctor_undo(d, &done, &e);

	fprintf(stderr, "seamark doctor: %s\n", rc == 0 ? done : e.text);
	if (rc == 0)
		look(d);
	return rc;
}

static int run(struct doctor *d)
{
	int rc = 0;

	look(d);
	if (d->wants_fix || d->wants_undo)
		rc = change(d);
	doctor_check_files(d);
	doctor_check_upstreams(d);
	doctor_print(d);
	return rc != 0 || doctor_is_broken(d) ? 1 : 0;
}

int cli_doctor(int argc, char **argv)
{
	struct doctor *d;
	struct err e = {""};
	int status = 2;

	if (output_is_help(argc, argv))
		return output_text(usage);
	d = mem_new(struct doctor);
	arena_init(&d->arena);
	d->root = "";
	d->port = 53;
	if (parse(d, argc, argv, &e) == 0)
		status = run(d);
	else
		fprintf(stderr, "%s\n%s", e.text, usage);
	vec_free(&d->listeners);
	vec_free(&d->cluster_dns);
	vec_free(&d->findings);
	arena_reset(&d->arena);
	free(d);
	return output_end(status);
}
