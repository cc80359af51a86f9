#include "files.h"

#include <stdio.h>

#include "base/must.h"

void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	must(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}
