#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor_private.h"

#define LINKS_MAX 40u

/* A walk: `out` is the host's path of what was passed, `rest` what is still to come. */
struct walk {
	char *out;
	size_t root_len, len;
	char rest[PATH_MAX];
	unsigned links;
};

static int put(struct walk *w, struct str part)
{
	if (w->len + part.len + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	w->out[w->len++] = '/';
	memcpy(w->out + w->len, part.at, part.len);
	w->len += part.len;
	w->out[w->len] = '\0';
	return 0;
}

/* One component back, but never out of the root. */
static void back(struct walk *w)
{
	while (w->len > w->root_len && w->out[--w->len] != '/')
		;
	w->out[w->len] = '\0';
}

/* The component that was put last is a link to target: go on there. */
static int take_link(struct walk *w, struct str target, struct str rest)
{
	char next[PATH_MAX];

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (target.len + rest.len + 2 > sizeof(next))
		return -ENAMETOOLONG;
	snprintf(next, sizeof(next), "%.*s/%.*s", (int)target.len, target.at, (int)rest.len,
	        rest.len == 0 ? "" : rest.at);
	if (target.at[0] == '/') {
		w->len = w->root_len;
		w->out[w->len] = '\0';
	} else {
		back(w);
	}
	memcpy(w->rest, next, sizeof(next));
	return 0;
}

/* One component of the rest; *is_end when there is none. */
static int step(struct walk *w, bool follows_last, bool *is_end)
{
	char target[PATH_MAX];
	struct str rest = str_from(w->rest), part = {NULL, 0};
	ssize_t n;
	int rc;

	while (rest.len > 0 && part.len == 0)
		part = str_cut(&rest, '/');
	*is_end = part.len == 0;
	if (*is_end)
		return 0;
	if (str_is(part, "..")) {
		back(w);
	} else if (!str_is(part, ".")) {
		rc = put(w, part);
		if (rc != 0)
			return rc;
		n = rest.len == 0 && !follows_last ? -1
		                                   : readlink(w->out, target, sizeof(target) - 1);
		if (n > 0)
			return take_link(w, (struct str){target, (size_t)n}, rest);
	}
	memmove(w->rest, rest.len == 0 ? "" : rest.at, rest.len);
	w->rest[rest.len] = '\0';
	return 0;
}

static int walk(const struct doctor *d, const char *path, char out[PATH_MAX], bool follows_last)
{
	struct walk w = {.out = out, .root_len = strlen(d->root), .len = strlen(d->root)};
	bool is_end = false;
	int rc = 0;

	if (w.root_len + strlen(path) + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(out, d->root, w.root_len + 1);
	memcpy(w.rest, path, strlen(path) + 1);
	while (rc == 0 && !is_end)
		rc = step(&w, follows_last, &is_end);
	return rc;
}

int doctor_resolve(
        const struct doctor *d, const char *path, char out[PATH_MAX], const char **inside)
{
	int rc = walk(d, path, out, true);

	if (rc == 0 && inside != NULL)
		*inside = out[strlen(d->root)] == '\0' ? "/" : out + strlen(d->root);
	return rc;
}

int doctor_resolve_parent(const struct doctor *d, const char *path, char out[PATH_MAX])
{
	return walk(d, path, out, false);
}

int doctor_read(const struct doctor *d, const char *path, struct buf *b)
{
	char real[PATH_MAX];
	int rc = doctor_resolve(d, path, real, NULL);

	return rc == 0 ? buf_read_file(b, real, DOCTOR_FILE_MAX) : rc;
}

bool doctor_exists(const struct doctor *d, const char *path)
{
	char real[PATH_MAX];
	struct stat st;

	return doctor_resolve(d, path, real, NULL) == 0 && stat(real, &st) == 0;
}
