#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor_private.h"

#define NEW_NAME DOCTOR_ETC ".seamark"

/* Where the three files of the repair are. */
struct places {
	char etc[PATH_MAX], old[PATH_MAX], fresh[PATH_MAX];
};

static int find_places(const struct doctor *d, struct places *p, struct err *e)
{
	int rc = doctor_resolve_parent(d, DOCTOR_ETC, p->etc);

	if (rc == 0)
		rc = doctor_resolve_parent(d, DOCTOR_OLD, p->old);
	if (rc == 0)
		rc = doctor_resolve_parent(d, NEW_NAME, p->fresh);
	return rc == 0 ? 0 : err_set(e, rc, "%s: %s", DOCTOR_ETC, strerror(-rc));
}

static int fail(struct err *e, const char *path)
{
	int code = errno;

	if (code == EBUSY)
		return err_set(e, -code,
		        "%s is mounted from outside, as in containers: mend the file that is "
		        "mounted there",
		        path);
	if (code == EACCES || code == EPERM)
		return err_set(e, -code, "%s: %s: run it as root", path, strerror(code));
	return err_set(e, -code, "%s: %s", path, strerror(code));
}

/*
 * Keep what is there as .old: a link is written anew, a file gets a second name. *has_old tells
 * whether anything was there.
 */
static int keep_old(const struct doctor *d, const struct places *p, bool *has_old, struct err *e)
{
	struct stat st;
	int rc;

	*has_old = lstat(p->etc, &st) == 0;
	if (!*has_old)
		return errno == ENOENT ? 0 : fail(e, p->etc);
	if (S_ISDIR(st.st_mode))
		return err_set(e, -EISDIR, "%s is a directory: remove it first", p->etc);
	if (d->etc.link != NULL)
		rc = symlink(d->etc.link, p->old);
	else
		rc = link(p->etc, p->old);
	if (rc != 0 && errno == EEXIST)
		return err_set(e, -EEXIST,
		        "%s is there from an earlier repair: seamark doctor --undo puts it back, "
		        "or "
		        "remove it",
		        p->old);
	return rc == 0 ? 0 : fail(e, p->old);
}

/* The link is put in place in one step: there is no moment without a file. */
static int put_link(const struct doctor_file *real, const struct places *p, struct err *e)
{
	char target[PATH_MAX];
	int rc;

	snprintf(target, sizeof(target), "..%s", real->path);
	unlink(p->fresh); /* of a repair that was cut short */
	if (symlink(target, p->fresh) != 0)
		return fail(e, p->fresh);
	if (rename(p->fresh, p->etc) == 0)
		return 0;
	rc = fail(e, p->etc);
	unlink(p->fresh);
	return rc;
}

/* The list that is to be linked, or NULL with the reason that there is no good one. */
static const struct doctor_file *choose(const struct doctor *d, struct err *e)
{
	const struct doctor_file *real = doctor_real_list(d);

	if (real == NULL) {
		err_set(e, -ENOENT,
		        "nothing was changed: neither %s nor %s lists servers that this host could "
		        "use instead, and it would be left without a resolver",
		        d->systemd.path, d->networkmanager.path);
		return NULL;
	}
	if (!d->is_offline && doctor_answering(d, real) == 0) {
		err_set(e, -EHOSTUNREACH,
		        "nothing was changed: no server of %s answers, and this host would be left "
		        "without a resolver",
		        real->path);
		return NULL;
	}
	return real;
}

/* True when the file does what it is there for: for pods where they get it, else for the host. */
static bool is_fine(const struct doctor *d)
{
	if (d->etc.rc != 0 || d->etc.conf.servers_len == 0)
		return false;
	if (doctor_usable(d, &d->etc) == d->etc.conf.servers_len)
		return true;
	for (unsigned i = 0; i < d->etc.conf.servers_len; i++)
		if (!doctor_is_heard(d, &d->etc.conf.servers[i]))
			return false;
	/* a stub that listens serves the host well, as long as pods do not get it */
	return !d->has_kubelet || d->has_empty_pods || strcmp(d->pods.path, DOCTOR_ETC) != 0;
}

int doctor_fix(struct doctor *d, const char **done, struct err *e)
{
	const struct doctor_file *real;
	struct places p;
	bool has_old;
	int rc;

	*done = DOCTOR_ETC " needs no repair";
	if (is_fine(d))
		return 0;
	if (d->etc.rc == -EACCES || d->etc.rc == -EPERM)
		return err_set(e, d->etc.rc, "%s: %s: run it as root", d->etc.path,
		        strerror(-d->etc.rc));
	real = choose(d, e);
	if (real == NULL)
		return -ENOENT;
	rc = find_places(d, &p, e);
	if (rc == 0)
		rc = keep_old(d, &p, &has_old, e);
	if (rc == 0) {
		rc = put_link(real, &p, e);
		if (rc != 0 && has_old)
			unlink(p.old);
	}
	if (rc == 0)
		*done = arena_printf(&d->arena, DOCTOR_ETC " now leads to %s; %s%s", real->path,
		        has_old ? "what was there is " DOCTOR_OLD
		                  " (seamark doctor --undo puts it back)"
		                : "there was no file before",
		        d->has_kubelet ? ". Delete the pods of the cluster's DNS: pods keep the "
		                         "file that they started with"
		                       : "");
	return rc;
}

/* Only what --fix made is taken back. */
static bool is_ours(const struct doctor *d)
{
	const struct doctor_file *all[] = {&d->systemd, &d->networkmanager};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (d->etc.link != NULL && strncmp(d->etc.link, "..", 2) == 0 &&
		        strcmp(d->etc.link + 2, all[i]->path) == 0)
			return true;
	return false;
}

int doctor_undo(struct doctor *d, const char **done, struct err *e)
{
	struct places p;
	struct stat st;
	int rc = find_places(d, &p, e);

	if (rc != 0)
		return rc;
	if (lstat(p.old, &st) != 0)
		return err_set(e, -ENOENT, "%s is not there: nothing to undo", p.old);
	if (!is_ours(d))
		return err_set(e, -EEXIST,
		        "%s is not what --fix left there: move %s into its place by hand", p.etc,
		        p.old);
	if (rename(p.old, p.etc) != 0)
		return fail(e, p.etc);
	*done = DOCTOR_ETC " is again what it was";
	return 0;
}
