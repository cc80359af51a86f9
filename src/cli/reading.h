/*
 * What `seamark explain` and `seamark names` share: their arguments, and the three places that the
 * answer comes from - a running server's control socket, a Corefile, a directory of manifests.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define READING_WORDS 2u

struct reading {
	const char *control;   /* --control PATH; the default path when nothing else is said */
	const char *conf;      /* -conf FILE */
	const char *manifests; /* --manifests DIR */
	const char *zone;      /* --zone ZONE, of manifests */
	const char *from;      /* --from IP */
	const char *words[READING_WORDS]; /* arguments that are no flags */
	unsigned n_words;
};

/* Read the arguments of a subcommand, argv[0] being its name. 0, or -EINVAL with e set. */
int reading_parse(struct reading *r, int argc, char **argv, struct err *e);
/*
 * The text of a Corefile that serves the manifests as r says, appended to out. 0, or a negative
 * errno with e set when the directory is not there or its name cannot be written in a Corefile.
 */
int reading_corefile(const struct reading *r, struct buf *out, struct err *e);
/*
 * Send a request line to the server at the control socket and append its text to out. 0, or a
 * negative errno with a sentence in e: its own, or why it cannot be asked.
 */
int reading_ask(const char *path, struct str request, struct buf *out, struct err *e);
/*
 * Answer a request line from where r says, on standard output, errors on standard error; names
 * tells which of the two questions of libseamark it is. The exit status.
 */
int reading_run(const struct reading *r, bool names);
