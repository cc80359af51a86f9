#include "cli/check.h"

#include <stdio.h>

#include "seamark.h"

int cli_check(int argc, char **argv)
{
	struct seamark *s = sm_new();
	int rc;

	if (argc != 2) {
		fprintf(stderr, "Usage: seamark check FILE\n");
		sm_free(s);
		return 2;
	}
	sm_load_file(s, argv[1]);
	rc = sm_check(s);
	if (rc != 0)
		fprintf(stderr, "%s\n", sm_error(s));
	else
		printf("%s: good\n", argv[1]);
	sm_free(s);
	return rc == 0 ? 0 : 1;
}
