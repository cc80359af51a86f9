#include "fake_files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* the linker finds __wrap_... by name */

#define PATH_ROOM 512

int __real_open(const char *path, int flags, ...);
int __real_stat(const char *path, struct stat *st);
int __real_access(const char *path, int mode);
int __real_glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *out);
ssize_t __real_readlink(const char *path, char *out, size_t size);
int __real_SSL_CTX_load_verify_locations(SSL_CTX *ctx, const char *file, const char *dir);

static char root[64]; /* "" before there is any file */

const char *fake_files_folder(void)
{
	if (root[0] == '\0') {
		snprintf(root, sizeof(root), "/tmp/scenario.XXXXXX");
		must(mkdtemp(root) != NULL);
	}
	return root;
}

static bool is_ours(const char *path)
{
	return strncmp(path, "/etc/", 5) == 0 || strncmp(path, "/tmp/hosts/", 11) == 0;
}

/* Where path really is. */
static const char *find(const char *path, char out[PATH_ROOM])
{
	if (path == NULL || !is_ours(path))
		return path;
	must(snprintf(out, PATH_ROOM, "%s%s", fake_files_folder(), path) < PATH_ROOM);
	return out;
}

int __wrap_open(const char *path, int flags, ...)
{
	char room[PATH_ROOM];
	va_list args;
	int mode;

	va_start(args, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(args, int) : 0;
	va_end(args);
	return __real_open(find(path, room), flags, mode);
}

int __wrap_stat(const char *path, struct stat *st)
{
	char room[PATH_ROOM];

	return __real_stat(find(path, room), st);
}

int __wrap_access(const char *path, int mode)
{
	char room[PATH_ROOM];

	return __real_access(find(path, room), mode);
}

int __wrap_glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *out)
{
	char room[PATH_ROOM];

	return __real_glob(find(pattern, room), flags, on_error, out);
}

ssize_t __wrap_readlink(const char *path, char *out, size_t size)
{
	char room[PATH_ROOM];

	return __real_readlink(find(path, room), out, size);
}

int __wrap_SSL_CTX_load_verify_locations(SSL_CTX *ctx, const char *file, const char *dir)
{
	char room[PATH_ROOM];

	return __real_SSL_CTX_load_verify_locations(ctx, find(file, room), dir);
}

static void make_parents(char *path)
{
	for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		must(mkdir(path, 0700) == 0 || errno == EEXIST);
		*p = '/';
	}
}

void fake_files_write(const char *name, struct str text)
{
	const char *between = name[0] == '/' ? "" : "/";
	char path[PATH_ROOM];
	FILE *f;

	must(name[0] != '/' || is_ours(name));
	must(snprintf(path, sizeof(path), "%s%s%s", fake_files_folder(), between, name) <
		(int)sizeof(path));
	make_parents(path);
	f = fopen(path, "w");
	must(f != NULL);
	fwrite(text.at, 1, text.len, f);
	fclose(f);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

void fake_files_remove(void)
{
	if (root[0] != '\0')
		nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	root[0] = '\0';
}
