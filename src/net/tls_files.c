#include "net/tls_files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rcu.h"
#include "net/file_watch.h"

#define FILES 3
/* For file systems that tell nothing; certificates are renewed days before they end. */
#define LOOK_MS 60000u

/* What tells one version of a file from another. */
struct version {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified;
};

struct tls_files {
	struct tls_context *context; /* published */
	char *paths[FILES]; /* certificate, key, CA; NULL: none */
	char *keylog;
	enum tls_client_auth auth;
	struct version versions[FILES];
	struct file_watch *watches[FILES];
	uint64_t expiry_s; /* read by any thread, as is the next */
	bool is_current;
};

static void get_versions(const struct tls_files *f, struct version out[FILES])
{
	memset(out, 0, FILES * sizeof(*out));
	for (unsigned i = 0; i < FILES; i++) {
		struct stat st;

		if (f->paths[i] == NULL || stat(f->paths[i], &st) != 0)
			continue;
		out[i].dev = st.st_dev;
		out[i].ino = st.st_ino;
		out[i].size = st.st_size;
		out[i].modified = st.st_mtim;
	}
}

static void unref(void *context)
{
	tls_context_unref(context);
}

/* The versions are those before reading: what changes meanwhile is read once more. */
static int load(struct tls_files *f, struct err *e)
{
	const struct tls_server_options o = {
	        f->paths[0], f->paths[1], f->paths[2], f->auth, f->keylog};
	struct tls_context *old = f->context, *fresh;

	get_versions(f, f->versions);
	fresh = tls_server_context(&o, e);
	__atomic_store_n(&f->is_current, fresh != NULL, __ATOMIC_RELAXED);
	if (fresh == NULL)
		return -EINVAL;
	__atomic_store_n(&f->expiry_s, tls_context_expiry_s(fresh), __ATOMIC_RELAXED);
	rcu_publish(f->context, fresh);
	if (old != NULL)
		rcu_retire(old, unref);
	return 0;
}

struct tls_files *tls_files_new(const struct tls_server_options *o, struct err *e)
{
	struct tls_files *f = mem_new(struct tls_files);

	f->paths[0] = mem_str(o->cert);
	f->paths[1] = mem_str(o->key);
	f->paths[2] = o->ca != NULL ? mem_str(o->ca) : NULL;
	f->keylog = o->keylog != NULL ? mem_str(o->keylog) : NULL;
	f->auth = o->auth;
	if (load(f, e) == 0)
		return f;
	tls_files_free(f);
	return NULL;
}

int tls_files_check(struct tls_files *f, struct err *e)
{
	struct version now[FILES];

	get_versions(f, now);
	return f->is_current && memcmp(now, f->versions, sizeof(now)) == 0 ? 0 : load(f, e);
}

static void on_change(void *arg)
{
	struct tls_files *f = arg;
	const struct tls_context *before = f->context;
	struct err e = {{0}};

	if (tls_files_check(f, &e) != 0)
		log_error("tls", "%s; the certificate read before stays in use", e.text);
	else if (f->context != before)
		log_info("tls", "the certificate %s has changed: new connections get the new one",
		        f->paths[0]);
}

void tls_files_watch(struct tls_files *f, struct uv_loop_s *loop)
{
	for (unsigned i = 0; i < FILES; i++)
		if (f->paths[i] != NULL && f->watches[i] == NULL)
			f->watches[i] = file_watch_start(loop, f->paths[i], LOOK_MS, on_change, f);
}

struct tls_context *tls_files_context(const struct tls_files *f)
{
	return f == NULL ? NULL : rcu_borrow(f->context);
}

uint64_t tls_files_expiry_s(const struct tls_files *f)
{
	return __atomic_load_n(&f->expiry_s, __ATOMIC_RELAXED);
}

bool tls_files_is_current(const struct tls_files *f)
{
	return __atomic_load_n(&f->is_current, __ATOMIC_RELAXED);
}

const char *tls_files_name(const struct tls_files *f)
{
	return f->paths[0];
}

void tls_files_free(struct tls_files *f)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < FILES; i++) {
		file_watch_stop(f->watches[i]);
		free(f->paths[i]);
	}
	tls_context_unref(f->context); /* no listener could borrow it any more */
	free(f->keylog);
	free(f);
}
