#include "kubernetes/cluster.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cluster/source_embedded.h"
#include "cluster/source_manifests.h"
#include "cluster/store.h"

struct cluster {
	enum cluster_source source;
	struct store *store;
	struct source_api *api;
	struct source_state *state;
	struct source_manifests *manifests;
	struct embedded_source *embedded;
	_Atomic(const void *) reporter; /* the user that reports its figures, so that one does */
};

static void add(struct buf *b, const char *name, const char *value)
{
	if (value != NULL)
		buf_printf(b, "|%s=%s", name, value);
}

/* What decides which objects there are. */
static struct buf scope_text(const struct cluster_config *c)
{
	const struct access_options *a = &c->api.access;
	struct buf b = {0};

	buf_printf(&b, "%d", (int)c->source);
	add(&b, "manifests", c->directory);
	add(&b, "endpoint", a->endpoint);
	add(&b, "cert", a->tls_cert);
	add(&b, "key", a->tls_key);
	add(&b, "ca", a->tls_ca);
	add(&b, "kubeconfig", a->kubeconfig);
	add(&b, "context", a->context);
	add(&b, "labels", c->api.labels);
	add(&b, "namespace_labels", c->api.namespace_labels);
	buf_printf(&b, "|%d%d", c->api.no_endpoints, c->api.pods);
	if (c->api.imports)
		buf_str(&b, "|imports");
	if (c->has_pod_labels)
		buf_str(&b, "|pod_labels");
	return b;
}

char *cluster_key(const struct cluster_config *c)
{
	struct buf b = scope_text(c);

	add(&b, "state", c->state_file);
	buf_printf(&b, "|%llu", (unsigned long long)c->state_max_age_s);
	return b.at;
}

static enum state_trust on_trust(void *arg)
{
	const struct source_api *api = arg;

	if (!source_api_is_synced(api))
		return STATE_PARTIAL;
	return source_api_is_connected(api) ? STATE_CURRENT : STATE_WHOLE;
}

/* The file is loaded before the API server is asked, and counts less than its objects. */
static bool start_api(struct cluster *c, const struct cluster_config *config, struct err *e)
{
	struct buf scope;

	c->api = source_api_new(config->loop, c->store, &config->api, e);
	if (c->api == NULL)
		return false;
	if (!config->has_pod_labels)
		store_slim_pods(c->store);
	if (config->state_file != NULL) {
		scope = scope_text(config);
		c->state = source_state_new(config->loop, c->store,
			&(struct source_state_options){
				.path = config->state_file,
				.max_age_s = config->state_max_age_s,
				.scope = {buf_text(&scope), scope.len},
				.kinds = source_api_kinds(c->api),
				.trust = on_trust,
				.arg = c->api,
			});
		buf_free(&scope);
	}
	source_api_start(c->api);
	return true;
}

static bool start_source(struct cluster *c, const struct cluster_config *config, struct err *e)
{
	switch (config->source) {
	case CLUSTER_MANIFESTS:
		c->manifests = source_manifests_new(config->loop, c->store, config->directory, e);
		if (c->manifests != NULL)
			source_manifests_start(c->manifests);
		return c->manifests != NULL;
	case CLUSTER_EMBEDDED:
		c->embedded = embedded_source_new(c->store);
		return true;
	case CLUSTER_API:
		return start_api(c, config, e);
	}
	return false;
}

static void destroy(void *object)
{
	struct cluster *c = object;

	if (c->manifests != NULL)
		source_manifests_free(c->manifests);
	if (c->embedded != NULL)
		embedded_source_free(c->embedded);
	source_state_free(c->state);
	if (c->api != NULL)
		source_api_free(c->api);
	store_free(c->store);
	free(c);
}

static void *create(const char *key, void *arg, struct err *e)
{
	const struct cluster_config *config = arg;
	struct cluster *c = mem_new(struct cluster);

	(void)key;
	c->source = config->source;
	c->store = store_new();
	if (start_source(c, config, e))
		return c;
	destroy(c);
	return NULL;
}

static const struct shared_kind kind = {"kubernetes", create, destroy};

struct cluster *cluster_take(struct shared *shared, const struct cluster_config *c,
	const char *key, struct err *e)
{
	return shared_take(shared, &kind, key, (void *)(uintptr_t)c, e);
}

void cluster_drop(struct shared *shared, struct cluster *c)
{
	shared_drop(shared, c);
}

struct store *cluster_store(const struct cluster *c)
{
	return c->store;
}

const char *cluster_pod_namespace(const struct cluster *c)
{
	return c->api == NULL ? "" : source_api_pod_namespace(c->api);
}

bool cluster_is_reporter(struct cluster *c, const void *user)
{
	const void *none = NULL;

	return c != NULL &&
		(atomic_compare_exchange_strong(&c->reporter, &none, user) || none == user);
}

bool cluster_api_stats(const struct cluster *c, struct source_api_stats *out)
{
	if (c->api == NULL)
		return false;
	source_api_stats(c->api, out);
	return true;
}

void cluster_forget(struct cluster *c, const void *user)
{
	if (c != NULL)
		atomic_compare_exchange_strong(&c->reporter, &user, NULL);
}

bool cluster_state_stats(const struct cluster *c, struct source_state_stats *out)
{
	if (c == NULL || c->state == NULL)
		return false;
	source_state_stats(c->state, out);
	return true;
}

struct embed {
	struct str text;
	bool is_delete;
	unsigned count;
	int rc;
	struct err *err;
};

static void embed_one(void *object, void *arg)
{
	struct cluster *c = object;
	struct embed *a = arg;

	if (c->embedded == NULL || a->rc != 0)
		return;
	a->count++;
	a->rc = a->is_delete ? embedded_delete(c->embedded, a->text, a->err)
			     : embedded_apply(c->embedded, a->text, a->err);
}

int cluster_embed(struct shared *shared, struct str text, bool is_delete, struct err *e)
{
	struct embed a = {text, is_delete, 0, 0, e};

	shared_each(shared, &kind, embed_one, &a);
	if (a.count == 0)
		return err_set(e, -ENOENT,
			"no kubernetes block with the option 'embedded' is being served");
	return a.rc;
}
