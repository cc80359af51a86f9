/*
 * main() of a fuzz target in builds without libFuzzer: runs each file that is named, and each
 * file of a directory that is named, once. The name is printed before, so that it is the last
 * thing said when the target aborts.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"

/* 1 when it ran, -1 on error. */
static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t n;

	if (f == NULL || fstat(fileno(f), &st) != 0) {
		perror(path);
		return -1;
	}
	data = mem_alloc((size_t)st.st_size + 1);
	n = fread(data, 1, (size_t)st.st_size, f);
	fclose(f);
	/* no octet longer than the input, so that sanitizers see a read past its end */
	data = mem_resize(data, n > 0 ? n : 1);
	fprintf(stderr, "%s\n", path);
	(void)LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 1;
}

/* How many files ran, -1 on error. */
static int run(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char *file;
	int n = 0;

	if (dir == NULL)
		return run_file(path);
	while (n >= 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
			abort();
		n = run_file(file) < 0 ? -1 : n + 1;
		free(file);
	}
	closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int n = run(argv[i]);

		if (n < 0)
			return 1;
		total += n;
	}
	fprintf(stderr, "%d inputs\n", total);
	return total > 0 ? 0 : 1;
}
