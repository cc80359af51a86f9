#include "cli/explain.h"

#include <stdio.h>

#include "cli/output.h"
#include "cli/reading.h"

static const char usage[] =
	"Usage: seamark explain NAME [TYPE] [--from IP] [SOURCE]\n"
	"\n"
	"Says which server block, plugin, object and field answer a name, or why it does not\n"
	"exist. NAME may be an IP address. TYPE is that which such names mostly have: A, SRV or\n"
	"PTR. With --from, the names that the pod with that address tries for NAME are gone\n"
	"through in their order.\n"
	"\n"
	"SOURCE is the running server, or:\n"
	"  --control PATH              the server with this control socket\n"
	"  --manifests DIR [--zone Z]  a directory of manifests, served as zone Z (cluster.local)\n"
	"  -conf FILE                  a Corefile\n";

int cli_explain(int argc, char **argv)
{
	struct reading r;
	struct err e = {""};

	if (output_is_help(argc, argv))
		return output_text(usage);
	if (reading_parse(&r, argc, argv, &e) == 0 && r.n_words > 0)
		return reading_run(&r, false);
	fprintf(stderr, "%s%s%s", e.text, e.text[0] == '\0' ? "" : "\n", usage);
	return 2;
}
