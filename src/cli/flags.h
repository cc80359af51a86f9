/*
 * Command-line flags as CoreDNS has them, in Go's syntax: -x, --x, -x value, -x=value.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct flags {
	const char *conf;    /* -conf FILE; NULL: ./Corefile, or the built-in one */
	const char *pidfile; /* -pidfile FILE */
	const char *control; /* -control PATH of the control socket; "off" for none */
	const char *log_format; /* -log-format text|json */
	unsigned port;       /* -dns.port N, -p N */
	unsigned workers;    /* -workers N; 0: one for each usable CPU */
	bool is_quiet;       /* -quiet */
	bool wants_plugins;  /* -plugins */
	bool wants_version;  /* -version */
	bool wants_help;     /* -h, -help */
	int rest;            /* index of the first argument that is no flag; argc when none */
};

/* Read argv into f, defaults first. 0, or -EINVAL with a sentence in e. */
int flags_parse(struct flags *f, int argc, char **argv, struct err *e);
/* The usage text. */
const char *flags_usage(void);
