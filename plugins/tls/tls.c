/*
 * tls: the certificate of tls:// server blocks. Takes no part in the chain's work: listeners find
 * the certificate in the generation (core/generation.c).
 */
#include "plugin.h"

#include <errno.h>
#include <unistd.h>

#include "net/tls_files.h"

struct tls {
	struct tls_files *files;
	struct shared *shared; /* NULL: files is ours alone */
	struct uv_loop_s *loop;
};

/* What is read of the directive. */
struct conf {
	struct tls_server_options options;
	struct arena paths;
};

static const struct metric_family expiry_family = {"seamark_tls_certificate_expiry_seconds",
        "When the certificate that is used ends, in seconds since 1970.", METRIC_GAUGE};
static const struct metric_family current_family = {"seamark_tls_certificate_current",
        "1: the files as they are now are used; 0: they could not be, older ones are.",
        METRIC_GAUGE};

static void *create(const char *key, void *arg, struct err *e)
{
	(void)key;
	return tls_files_new(arg, e);
}

static void destroy(void *files)
{
	tls_files_free(files);
}

static const struct shared_kind kind = {"tls", create, destroy};

static int set_client_auth(void *conf, const struct directive *o, struct err *e)
{
	static const char *const words[] = {
	        [TLS_NO_CERT] = "nocert",
	        [TLS_REQUEST] = "request",
	        [TLS_REQUIRE] = "require",
	        [TLS_VERIFY_IF_GIVEN] = "verify_if_given",
	        [TLS_REQUIRE_AND_VERIFY] = "require_and_verify",
	        NULL,
	};
	struct conf *c = conf;
	size_t i = 0;
	int rc = args_choice(o, 0, words, &i, e);

	c->options.auth = (enum tls_client_auth)i;
	return rc;
}

static int set_keylog(void *conf, const struct directive *o, struct err *e)
{
	struct conf *c = conf;

	return args_path(o, 0, &c->paths, &c->options.keylog, e);
}

static int read_paths(const struct directive *d, struct conf *c, struct err *e)
{
	struct tls_server_options *o = &c->options;
	const char **const paths[] = {&o->cert, &o->key, &o->ca};
	int rc = 0;

	if (d->arg_count > 0 && strcmp(d->args[0].text, "acme") == 0)
		return args_error(d, e,
		        "certificates are not fetched by ACME; let cert-manager or certbot do it "
		        "and name the files: tls CERT KEY");
	rc = args_count(d, 2, 3, e);
	for (size_t i = 0; rc == 0 && i < d->arg_count; i++)
		rc = args_path(d, i, &c->paths, paths[i], e);
	return rc;
}

static void key_of(struct buf *key, const struct tls_server_options *o)
{
	buf_printf(key, "%s\n%s\n%s\n%u\n%s", o->cert, o->key, o->ca == NULL ? "" : o->ca,
	        (unsigned)o->auth, o->keylog == NULL ? "" : o->keylog);
}

/* What is open already goes on, with a certificate that is looked at again now. */
static int take(struct tls *t, const struct tls_server_options *o, struct err *e)
{
	struct tls_server_options arg = *o;
	struct buf key = {0};

	if (t->shared == NULL) {
		t->files = tls_files_new(o, e);
	} else {
		key_of(&key, o);
		t->files = shared_take(t->shared, &kind, key.at, &arg, e);
		buf_free(&key);
	}
	return t->files == NULL ? -EINVAL : tls_files_check(t->files, e);
}

static void teardown(void *instance)
{
	struct tls *t = instance;

	if (t->shared != NULL)
		shared_drop(t->shared, t->files);
	else
		tls_files_free(t->files);
	free(t);
}

/* What only looks at the configuration leaves the disk as it is. */
static int check_keylog(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? mem_str(".") : mem_dup(path, (size_t)(slash - path) + 1);
	bool is_there = access(path, F_OK) == 0;
	int rc = access(is_there ? path : folder, W_OK) == 0 ? 0 : -errno;

	free(folder);
	return rc == 0 ? 0 : err_set(e, rc, "cannot open the key log %s: %s", path, strerror(-rc));
}

static int open_files(struct setup *s, const struct tls_server_options *options, struct err *e)
{
	struct tls *t = mem_new(struct tls);
	struct tls_server_options o = *options;
	struct err why = {{0}};
	int rc = 0;

	t->shared = s->shared;
	t->loop = s->loop;
	if (t->loop == NULL && o.keylog != NULL) {
		rc = check_keylog(o.keylog, &why);
		o.keylog = NULL;
	}
	if (rc != 0 || take(t, &o, &why) != 0) {
		teardown(t);
		return args_error(s->first, e, "%s", why.text);
	}
	s->tls = t->files;
	s->instance = t;
	return 0;
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
	        {.name = "client_auth", .min_args = 1, .max_args = 1, .set = set_client_auth},
	        {.name = "keylog", .min_args = 1, .max_args = 1, .set = set_keylog},
	        {.name = NULL},
	};
	struct conf c = {.options = {.cert = NULL}};
	int rc = args_once(s->block, "tls", e);

	arena_init(&c.paths);
	if (rc == 0)
		rc = read_paths(s->first, &c, e);
	if (rc == 0)
		rc = args_options(s->first, options, &c, e);
	if (rc == 0)
		rc = open_files(s, &c.options, e);
	arena_reset(&c.paths);
	return rc;
}

static int start(void *instance, struct err *e)
{
	struct tls *t = instance;

	(void)e;
	if (t->loop != NULL)
		tls_files_watch(t->files, t->loop);
	return 0;
}

static void metrics(void *instance, struct metrics *m)
{
	const struct tls *t = instance;
	struct buf label = {0};

	metrics_label(&label, "certificate", tls_files_name(t->files));
	metrics_sample(m, &expiry_family, label.at, (double)tls_files_expiry_s(t->files));
	metrics_sample(m, &current_family, label.at, tls_files_is_current(t->files));
	buf_free(&label);
}

const struct plugin tls_plugin = {
        .name = "tls",
        .setup = setup,
        .start = start,
        .metrics = metrics,
        .explain = &explain_passes,
        .teardown = teardown,
};
