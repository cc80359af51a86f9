#include "cli/flags.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/must.h"
#include "base/num.h"
#include "core/control_socket.h"

enum flag_kind { FLAG_TEXT, FLAG_NUMBER, FLAG_SWITCH };

struct flag {
	const char *name;
	enum flag_kind kind;
	size_t offset;
	uint32_t max;
};

#define FIELD(x) offsetof(struct flags, x)

static const struct flag table[] = {
	{"conf", FLAG_TEXT, FIELD(conf), 0},
	{"control", FLAG_TEXT, FIELD(control), 0},
	{"pidfile", FLAG_TEXT, FIELD(pidfile), 0},
	{"log-format", FLAG_TEXT, FIELD(log_format), 0},
	{"dns.port", FLAG_NUMBER, FIELD(port), 65535},
	{"p", FLAG_NUMBER, FIELD(port), 65535},
	{"workers", FLAG_NUMBER, FIELD(workers), 256},
	{"quiet", FLAG_SWITCH, FIELD(is_quiet), 0},
	{"plugins", FLAG_SWITCH, FIELD(wants_plugins), 0},
	{"version", FLAG_SWITCH, FIELD(wants_version), 0},
	{"help", FLAG_SWITCH, FIELD(wants_help), 0},
	{"h", FLAG_SWITCH, FIELD(wants_help), 0},
};

const char *flags_usage(void)
{
	return "Usage: seamark [flags]\n"
	       "       seamark check FILE     read and set up FILE without serving it\n"
	       "       seamark doctor         examine the DNS of this host, and repair it\n"
	       "       seamark explain NAME   say how a name is answered, and why\n"
	       "       seamark names          list the names that are served\n"
	       "\n"
	       "  -conf FILE     Corefile to serve; \"stdin\" reads standard input (./Corefile)\n"
	       "  -control PATH  socket for explain and names, or \"off\"\n"
	       "                 (SEAMARK_CONTROL in the environment, else\n"
	       "                 /run/seamark/control.sock)\n"
	       "  -dns.port N    port of server blocks that name none (53); also -p N\n"
	       "  -log-format F  text (default), or json: one JSON object a line\n"
	       "  -pidfile FILE  write the process number to FILE\n"
	       "  -plugins       list the plugins and exit\n"
	       "  -quiet         do not print what is served\n"
	       "  -version       print the version and exit\n"
	       "  -workers N     worker threads (one for each usable CPU)\n"
	       "\n"
	       "Signals: TERM stops gracefully, USR1 and HUP read the Corefile again.\n";
}

static const struct flag *find_flag(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (str_is(name, table[i].name))
			return &table[i];
	return NULL;
}

static int set_switch(void *field, struct str name, struct str value, struct err *e)
{
	bool *b = field;

	if (value.at == NULL || str_is(value, "true") || str_is(value, "1"))
		*b = true;
	else if (str_is(value, "false") || str_is(value, "0"))
		*b = false;
	else
		return err_set(e, -EINVAL, "invalid boolean value \"%s\" for -%.*s", value.at,
			(int)name.len, name.at);
	return 0;
}

static int set_number(const struct flag *flag, void *field, const char *value, struct err *e)
{
	uint32_t v;

	if (num_u32(str_from(value), flag->max, &v) != 0)
		return err_set(e, -EINVAL,
		        "invalid value \"%s\" for flag -%s: not a number up to %u", value,
		        flag->name, flag->max);
	*(unsigned *)field = v;
	return 0;
}

/* One flag at argv[*i]; moves *i over a value that stands apart. */
static int take_flag(struct flags *f, int argc, char **argv, int *i, struct err *e)
{
	struct str value = str_from(argv[*i] + (argv[*i][1] == '-' ? 2 : 1)), name;
	const struct flag *flag;
	void *field;

	name = str_cut(&value, '=');
	flag = find_flag(name);
	if (flag == NULL)
		return err_set(e, -EINVAL, "flag provided but not defined: -%.*s", (int)name.len,
			name.at);
	field = (char *)f + flag->offset;
	if (flag->kind == FLAG_SWITCH)
		return set_switch(field, name, value, e);
	if (value.at == NULL) {
		if (*i + 1 >= argc)
			return err_set(e, -EINVAL, "flag needs an argument: -%s", flag->name);
		value = str_from(argv[++*i]);
	}
	if (flag->kind == FLAG_NUMBER)
		return set_number(flag, field, value.at, e);
	*(const char **)field = value.at;
	return 0;
}

int flags_parse(struct flags *f, int argc, char **argv, struct err *e)
{
	int i, rc = 0;

	*f = (struct flags){
		.port = 53, .control = control_socket_usual(), .log_format = "text"};
	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '\0' && rc == 0; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		rc = take_flag(f, argc, argv, &i, e);
	}
	f->rest = i;
	if (rc == 0 && f->port == 0)
		return err_set(e, -EINVAL, "flag -dns.port: 0 is not a port");
	if (rc == 0 && strcmp(f->log_format, "text") != 0 && strcmp(f->log_format, "json") != 0)
		return err_set(e, -EINVAL,
			"invalid value \"%s\" for flag -log-format: write text or json",
			f->log_format);
	return rc;
}
