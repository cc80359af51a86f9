#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool output_is_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "-help") == 0 ||
		        strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

int output_text(const char *text)
{
	fputs(text, stdout);
	return output_end(0);
}

int output_end(int status)
{
	int failed = ferror(stdout), code = errno; /* of the call that failed, as a rule */

	if (fflush(stdout) == 0 && !failed)
		return status;
	fprintf(stderr, "standard output: %s\n", strerror(failed ? code : errno));
	return 1;
}
