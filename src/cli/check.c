#include "cli/check.h"

#include <stdio.h>

#include "cli/output.h"
#include "seamark.h"

static const char usage[] =
	"Usage: seamark check FILE\n"
	"\n"
	"Reads the Corefile FILE and sets its plugins up without serving it: no port is opened,\n"
	"and no API server or upstream server is asked. An error names file, line and what to do;\n"
	"the exit status is then 1.\n";

int cli_check(int argc, char **argv)
{
	struct seamark *s;
	int rc;

	if (output_is_help(argc, argv))
		return output_text(usage);
	if (argc != 2) {
		fputs(usage, stderr);
		return 2;
	}
	s = sm_new();
	sm_load_file(s, argv[1]);
	rc = sm_check(s);
	if (rc != 0)
		fprintf(stderr, "%s\n", sm_error(s));
	else
		printf("%s: good\n", argv[1]);
	sm_free(s);
	return output_end(rc == 0 ? 0 : 1);
}
