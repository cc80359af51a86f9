#include "cli/names.h"

#include <stdio.h>

#include "cli/output.h"
#include "cli/reading.h"

static const char usage[] =
	"Usage: seamark names [PATTERN] [SOURCE]\n"
	"\n"
	"Lists the names that are served, a line NAME TYPE VALUES each. PATTERN\n"
	"is a glob over the whole name: '*.shop.svc.*'.\n"
	"\n"
	"SOURCE is the running server, or:\n"
	"  --control PATH              the server with this control socket\n"
	"  --manifests DIR [--zone Z]  a directory of manifests, served as zone Z (cluster.local)\n"
	"  -conf FILE                  a Corefile\n";

int cli_names(int argc, char **argv)
{
	struct reading r;
	struct err e = {""};

	if (output_is_help(argc, argv))
		return output_text(usage);
	if (reading_parse(&r, argc, argv, &e) == 0 && r.n_words < 2 && r.from == NULL)
		return reading_run(&r, true);
	fprintf(stderr, "%s%s%s", e.text, e.text[0] == '\0' ? "" : "\n", usage);
	return 2;
}
