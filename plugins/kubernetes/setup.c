/*
 * Reading `kubernetes [ZONES...] { ... }`, and the life of an instance.
 */
#include "kubernetes/kube.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>

#include "kubernetes/cluster.h"
#include "kubernetes/explain.h"

#define STATE_MAX_AGE_H 24
#define STARTUP_TIMEOUT_MS 5000u
#define MAX_STARTUP_MS (3600u * 1000)

/* What the option setters fill. */
struct reading {
	struct kube *k;
	struct cluster_config *config;
	bool has_source;
};

/* --- options ----------------------------------------------------------------------------- */

/* The three ways to say where the cluster is exclude each other. */
static int one_source(struct reading *r, const struct directive *o, struct err *e)
{
	if (r->has_source)
		return args_error(o, e,
			"'%s' cannot be combined with another of 'endpoint', 'kubeconfig', "
			"'manifests' and 'embedded'",
			o->name);
	r->has_source = true;
	return 0;
}

static int set_endpoint(void *conf, const struct directive *o, struct err *e)
{
	struct reading *r = conf;

	if (o->arg_count > 1)
		log_warning(
		        KUBE, "multiple endpoints have been deprecated, only the first is used");
	r->config->api.access.endpoint = directive_arg(o, 0);
	return one_source(r, o, e);
}

static int set_tls(void *conf, const struct directive *o, struct err *e)
{
	struct reading *r = conf;

	(void)e;
	r->config->api.access.tls_cert = directive_arg(o, 0);
	r->config->api.access.tls_key = directive_arg(o, 1);
	r->config->api.access.tls_ca = directive_arg(o, 2);
	return 0;
}

static int set_kubeconfig(void *conf, const struct directive *o, struct err *e)
{
	struct reading *r = conf;

	r->config->api.access.kubeconfig = directive_arg(o, 0);
	r->config->api.access.context = directive_arg(o, 1);
	return one_source(r, o, e);
}

/* A relative directory starts where the Corefile is, so that both can be moved together. */
static int set_manifests(void *conf, const struct directive *o, struct err *e)
{
	struct reading *r = conf;
	const char *dir = directive_arg(o, 0), *slash = strrchr(o->file, '/');

	if (dir[0] != '/' && slash != NULL)
		dir = arena_printf(&r->k->arena, "%.*s/%s", (int)(slash - o->file), o->file, dir);
	r->config->source = CLUSTER_MANIFESTS;
	r->config->directory = dir;
	return one_source(r, o, e);
}

/* A file whose state is older than this is worse than waiting for the API server. */
static int set_state(void *conf, const struct directive *o, struct err *e)
{
	struct cluster_config *c = ((struct reading *)conf)->config;
	uint64_t age_ms = (uint64_t)STATE_MAX_AGE_H * 3600 * 1000;
	int rc = args_path(o, 0, &((struct reading *)conf)->k->arena, &c->state_file, e);

	if (rc == 0 && o->arg_count > 1)
		rc = args_duration_ms(
			o, 1, ARGS_RANGE(60 * 1000, (uint64_t)8760 * 3600 * 1000), &age_ms, e);
	c->state_max_age_s = age_ms / 1000;
	return rc;
}

static int set_embedded(void *conf, const struct directive *o, struct err *e)
{
	struct reading *r = conf;

	r->config->source = CLUSTER_EMBEDDED;
	return one_source(r, o, e);
}

static int set_namespaces(void *conf, const struct directive *o, struct err *e)
{
	struct reading *r = conf;

	(void)e;
	for (size_t i = 0; i < o->arg_count; i++)
		vec_push(&r->k->options.namespaces, directive_arg(o, i));
	return 0;
}

/* A label selector may be written with spaces: all arguments together. */
static int read_selector(
	struct kube *k, const struct directive *o, struct selector **out, struct err *e)
{
	struct buf text = {0};
	struct err why;

	for (size_t i = 0; i < o->arg_count; i++)
		buf_printf(&text, "%s%s", i > 0 ? " " : "", directive_arg(o, i));
	selector_free(*out);
	*out = selector_parse((struct str){buf_text(&text), text.len}, &why);
	(void)k;
	buf_free(&text);
	return *out == NULL ? args_error(o, e, "%s", why.text) : 0;
}

static int set_labels(void *conf, const struct directive *o, struct err *e)
{
	struct reading *r = conf;

	return read_selector(r->k, o, &r->k->options.labels, e);
}

static int set_namespace_labels(void *conf, const struct directive *o, struct err *e)
{
	struct reading *r = conf;

	return read_selector(r->k, o, &r->k->options.namespace_labels, e);
}

static int set_pods(void *conf, const struct directive *o, struct err *e)
{
	static const char *const modes[] = {"disabled", "insecure", "verified", NULL};
	struct reading *r = conf;
	size_t i = 0;
	int rc = args_choice(o, 0, modes, &i, e);

	r->k->options.pods = (enum kube_pods)i;
	return rc;
}

static int set_pod_names(void *conf, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	((struct reading *)conf)->k->options.has_endpoint_pod_names = true;
	return 0;
}

static int set_ttl(void *conf, const struct directive *o, struct err *e)
{
	return args_u32(o, 0, ARGS_RANGE(0, 3600), &((struct reading *)conf)->k->options.ttl, e);
}

static int set_no_endpoints(void *conf, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	((struct reading *)conf)->k->options.no_endpoints = true;
	return 0;
}

static int set_ignore(void *conf, const struct directive *o, struct err *e)
{
	static const char *const words[] = {"empty_service", NULL};
	size_t i;

	((struct reading *)conf)->k->options.ignores_empty = true;
	return args_choice(o, 0, words, &i, e);
}

static int set_fallthrough(void *conf, const struct directive *o, struct err *e)
{
	struct kube *k = ((struct reading *)conf)->k;
	struct zone_names zones = {0};
	int rc = args_zones(o, 0, &k->arena, &zones);

	(void)e;
	k->options.fallthrough.is_on = true;
	vec_for_each(&zones.list, z) {
		struct name name;

		if (name_from_text(&name, str_from(*z), NULL) == 0)
			vec_push(&k->options.fallthrough.zones, name);
	}
	vec_free(&zones.list);
	return rc;
}

static int set_zonal(void *conf, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	((struct reading *)conf)->k->options.has_zonal = true;
	return 0;
}

static int set_multicluster(void *conf, const struct directive *o, struct err *e)
{
	struct kube *k = ((struct reading *)conf)->k;
	struct zone_names zones = {0};
	int rc = args_zones(o, 0, &k->arena, &zones);

	(void)e;
	vec_for_each(&zones.list, z)
		vec_push(&k->options.import_zones, *z);
	vec_free(&zones.list);
	return rc;
}

static int set_startup_timeout(void *conf, const struct directive *o, struct err *e)
{
	struct kube *k = ((struct reading *)conf)->k;

	return args_duration_ms(o, 0, ARGS_RANGE(0, MAX_STARTUP_MS), &k->startup.timeout_ms, e);
}

/* Limits for clients that ask much; this one asks for each kind of object once. */
static int say_unneeded(const struct directive *o)
{
	log_info(KUBE,
		"%s:%u: option '%s' has no effect: the API server gets one request at a time for "
		"each kind of object",
		o->file, o->line, o->name);
	return 0;
}

static int take_limit(void *conf, const struct directive *o, struct err *e)
{
	uint32_t n;
	int rc = args_u32(o, 0, ARGS_RANGE(0, INT32_MAX), &n, e);

	(void)conf;
	return rc == 0 ? say_unneeded(o) : rc;
}

/* A number with or without a fraction. */
static int take_rate(void *conf, const struct directive *o, struct err *e)
{
	const char *text = directive_arg(o, 0);
	size_t whole = strspn(text, "0123456789"), n = whole;

	(void)conf;
	if (text[n] == '.')
		n += 1 + strspn(text + n + 1, "0123456789");
	if (whole == 0 || text[n] != '\0')
		return args_error(o, e, "'%s' is not a number of requests a second", text);
	return say_unneeded(o);
}

static int warn_removed(void *conf, const struct directive *o, struct err *e)
{
	(void)conf;
	(void)e;
	log_warning(KUBE, "%s:%u: option '%s' has no effect any more; remove it", o->file, o->line,
		o->name);
	return 0;
}

static const struct arg_option options[] = {
	{"endpoint", 1, ARGS_ANY, set_endpoint, false},
	{"tls", 3, 3, set_tls, false},
	{"kubeconfig", 1, 2, set_kubeconfig, false},
	{"manifests", 1, 1, set_manifests, false},
	{"embedded", 0, 0, set_embedded, false},
	{"state", 1, 2, set_state, false},
	{"apiserver_qps", 1, 1, take_rate, false},
	{"apiserver_burst", 1, 1, take_limit, false},
	{"apiserver_max_inflight", 1, 1, take_limit, false},
	{"namespaces", 1, ARGS_ANY, set_namespaces, false},
	{"namespace_labels", 1, ARGS_ANY, set_namespace_labels, false},
	{"labels", 1, ARGS_ANY, set_labels, false},
	{"pods", 1, 1, set_pods, false},
	{"endpoint_pod_names", 0, 0, set_pod_names, false},
	{"ttl", 1, 1, set_ttl, false},
	{"noendpoints", 0, 0, set_no_endpoints, false},
	{"fallthrough", 0, ARGS_ANY, set_fallthrough, false},
	{"ignore", 1, 1, set_ignore, false},
	{"startup_timeout", 1, 1, set_startup_timeout, false},
	{"upstream", 0, ARGS_ANY, warn_removed, false},
	{"resyncperiod", 0, ARGS_ANY, warn_removed, false},
	{"multicluster", 1, ARGS_ANY, set_multicluster, false},
	{"zonal", 0, 0, set_zonal, false},
	{NULL, 0, 0, NULL, false},
};

/* --- zones ------------------------------------------------------------------------------- */

static bool is_reverse(const struct name *n)
{
	return name_is_under(n->wire, (const uint8_t *)"\7in-addr\4arpa") ||
		name_is_under(n->wire, (const uint8_t *)"\3ip6\4arpa");
}

static void add_zone(struct kube *k, const char *text)
{
	struct kube_zone *z = mem_new(struct kube_zone);

	must(name_from_text(&z->name, str_from(text), NULL) == 0);
	z->labels = name_labels(z->name.wire);
	z->is_reverse = is_reverse(&z->name);
	k->has_reverse = k->has_reverse || z->is_reverse;
	table_init(&z->table);
	table_init(&z->ignored);
	zone_history_init(&z->history, k->shared, &z->name);
	vec_push(&k->zones, z);
	zone_list_add(&k->zone_index, &z->name);
}

/* Names of Services are preferred to those of imports for what the server says about itself. */
static void choose_primary(struct kube *k)
{
	k->primary = NULL;
	vec_for_each(&k->zones, at) {
		struct kube_zone *z = *at;

		if (z->is_reverse)
			continue;
		if (k->primary == NULL || (k->primary->is_imported && !z->is_imported))
			k->primary = z;
		if (z->is_imported && k->imported == NULL)
			k->imported = z;
	}
}

static struct kube_zone *find_zone(struct kube *k, const char *text)
{
	struct name name;

	if (name_from_text(&name, str_from(text), NULL) != 0)
		return NULL;
	vec_for_each(&k->zones, z)
		if (name_equal((*z)->name.wire, name.wire))
			return *z;
	return NULL;
}

/* The zones of `multicluster` are among those of the directive, as in CoreDNS. */
static int mark_imports(struct kube *k, const struct directive *d, struct err *e)
{
	vec_for_each(&k->options.import_zones, text) {
		struct kube_zone *z = find_zone(k, *text);

		if (z == NULL)
			return args_error(d, e,
				"is not authoritative for the multicluster zone %s; add it to the "
				"zones of the directive",
				*text);
		if (z->is_reverse)
			return args_error(d, e,
				"the multicluster zone %s is a reverse zone; name one that "
				"services can have names in",
				*text);
		z->is_imported = true;
	}
	choose_primary(k);
	return 0;
}

static int read_zones(struct kube *k, const struct directive *d, struct err *e)
{
	struct zone_names zones = {0};
	int rc = args_zones_or_block(d, 0, &k->arena, &zones, e);

	vec_for_each(&zones.list, z)
		add_zone(k, *z);
	vec_free(&zones.list);
	if (rc != 0)
		return rc;
	choose_primary(k);
	if (k->primary == NULL)
		return args_error(d, e, "non-reverse zone name must be used");
	return 0;
}

/* --- own addresses ----------------------------------------------------------------------- */

static bool has_local(const struct kube *k, const struct ip *ip)
{
	vec_for_each(&k->local, l)
		if (ip_eq(l, ip))
			return true;
	return false;
}

static void add_local(struct kube *k, const struct sockaddr *sa)
{
	struct ip ip = {0};

	if (sa->sa_family == AF_INET) {
		ip.len = 4;
		memcpy(ip.bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else {
		ip.len = 16;
		memcpy(ip.bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	}
	if (!has_local(k, &ip))
		vec_push(&k->local, ip);
}

static bool is_useful(const struct ifaddrs *a)
{
	if (a->ifa_addr == NULL || (a->ifa_flags & IFF_LOOPBACK) != 0)
		return false;
	if (a->ifa_addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)a->ifa_addr;

		return !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
	}
	return a->ifa_addr->sa_family == AF_INET;
}

/* The addresses that the block is bound to, or those of the interfaces. */
static void find_local(struct kube *k, const struct setup *s)
{
	struct ifaddrs *list;

	vec_for_each(&s->binds, b)
		if (!addr_is_wildcard(b))
			add_local(k, &b->sa);
	if (s->binds.len > 0 || getifaddrs(&list) != 0)
		return;
	for (const struct ifaddrs *a = list; a != NULL; a = a->ifa_next)
		if (is_useful(a))
			add_local(k, a->ifa_addr);
	freeifaddrs(list);
}

/* --- life -------------------------------------------------------------------------------- */

static void kube_free(struct kube *k)
{
	vec_for_each(&k->zones, at) {
		struct kube_zone *z = *at;

		table_fini(&z->table, kube_entry_free);
		table_fini(&z->ignored, kube_entry_free);
		free((void *)(uintptr_t)z->soa);
		free((void *)(uintptr_t)z->ns);
		zone_history_fini(&z->history);
		free(z);
	}
	kube_owners_fini(&k->owners);
	kube_pods_fini(&k->pods);
	kube_clients_fini(&k->clients);
	vec_free(&k->zones);
	zone_list_free(&k->zone_index);
	vec_free(&k->local);
	vec_free(&k->options.namespaces);
	vec_free(&k->options.import_zones);
	vec_free(&k->options.fallthrough.zones);
	selector_free(k->options.labels);
	selector_free(k->options.namespace_labels);
	counters_free(k->counters);
	free(k->cluster_key);
	free(k->cluster_config);
	arena_reset(&k->arena);
	free(k);
}

/* Selectors are sent to the API server in their canonical spelling. */
static void finish_config(struct kube *k)
{
	struct cluster_config *c = k->cluster_config;

	c->loop = k->loop;
	c->api.no_endpoints = k->options.no_endpoints;
	c->api.pods = k->options.pods == PODS_VERIFIED;
	c->api.imports = k->imported != NULL;
	if (k->options.labels != NULL)
		c->api.labels = selector_text(k->options.labels);
	if (k->options.namespace_labels != NULL)
		c->api.namespace_labels = selector_text(k->options.namespace_labels);
	c->has_pod_labels = k->options.labels != NULL || k->clients.labels.len > 0;
	k->cluster_key = cluster_key(c);
}

static int check(const struct kube *k, const struct directive *d, struct err *e)
{
	const struct access_options *a = &k->cluster_config->api.access;

	if (k->options.namespaces.len > 0 && k->options.namespace_labels != NULL)
		return args_error(d, e,
			"namespaces and namespace_labels cannot both be set; keep one of them");
	if (k->options.has_zonal && k->options.no_endpoints)
		return args_error(d, e,
			"zonal and noendpoints cannot both be set: zonal names are made of "
			"endpoints");
	if (a->tls_cert != NULL && a->endpoint == NULL)
		return args_error(d, e, "tls needs an endpoint; name it with 'endpoint URL'");
	if (k->cluster_config->state_file != NULL && k->cluster_config->source != CLUSTER_API)
		return args_error(d, e,
			"state is for clusters with an API server; remove it or the source that it "
			"cannot be combined with");
	return 0;
}

static int read_directive(struct kube *k, const struct setup *s, struct err *e)
{
	struct reading r = {k, k->cluster_config, false};
	int rc = args_once(s->block, "kubernetes", e);

	if (rc == 0)
		rc = read_zones(k, s->first, e);
	if (rc == 0)
		rc = args_options(s->first, options, &r, e);
	if (rc == 0)
		rc = mark_imports(k, s->first, e);
	return rc == 0 ? check(k, s->first, e) : rc;
}

/* For `seamark check`, perhaps on another machine: what only the start here would refuse. */
static void warn_of_access(const struct kube *k, const struct directive *d)
{
	const struct access_options *o = &k->cluster_config->api.access;
	struct access *access;
	struct err e;

	if (o->kubeconfig == NULL && o->endpoint == NULL)
		return;
	access = access_new(o, &e);
	if (access == NULL)
		log_warning(KUBE, "%s:%u: the server would not start here: %s", d->file, d->line,
			e.text);
	access_free(access);
}

int kube_setup(struct setup *s, struct err *e)
{
	struct kube *k = mem_new(struct kube);
	int rc;

	arena_init(&k->arena);
	list_init(&k->followers);
	kube_pods_init(&k->pods);
	kube_clients_init(&k->clients, s->chain);
	kube_owners_init(&k->owners);
	k->options.ttl = 5;
	k->startup.timeout_ms = STARTUP_TIMEOUT_MS;
	k->is_served = s->control != NULL;
	k->cluster_config = mem_new(struct cluster_config);
	k->counters = counters_new(s->workers, KUBE_COUNTERS);
	k->shared = s->shared;
	k->loop = s->loop;
	rc = read_directive(k, s, e);
	if (rc != 0) {
		kube_free(k);
		return rc;
	}
	find_local(k, s);
	/* the file belongs to the server that serves this, not to who only asks about it */
	if (s->control == NULL)
		k->cluster_config->state_file = NULL;
	finish_config(k);
	if (s->loop == NULL)
		warn_of_access(k, s->first);
	kube_compile_zones(k);
	s->instance = k;
	return 0;
}

static int kube_start(void *instance, struct err *e)
{
	struct kube *k = instance;

	k->cluster = cluster_take(k->shared, k->cluster_config, k->cluster_key, e);
	if (k->cluster == NULL)
		return err_prefix(e, -EINVAL, KUBE);
	k->reader.on_changes = kube_on_changes;
	k->reader.arg = k;
	store_reader_add(cluster_store(k->cluster), &k->reader);
	k->is_started = true;
	kube_compile_all(k);
	kube_tell_followers(k, NULL);
	kube_startup_begin(k);
	return 0;
}

bool kube_is_ready(const struct kube *k)
{
	return atomic_load(&k->is_synced) && atomic_load(&k->has_imports);
}

static bool kube_ready(void *instance)
{
	return kube_is_ready(instance);
}

static void kube_teardown(void *instance)
{
	struct kube *k = instance;

	kube_startup_end(k);
	if (k->is_started)
		store_reader_remove(&k->reader);
	cluster_forget(k->cluster, k);
	cluster_drop(k->shared, k->cluster);
	/* what readers or the queue of retired objects still use is freed after this */
	rcu_reclaim();
	kube_free(k);
}

const struct plugin kubernetes_plugin = {
	.name = "kubernetes",
	.setup = kube_setup,
	.start = kube_start,
	.prefetch = kube_prefetch,
	.query = kube_query,
	.metadata = kube_metadata,
	.ready = kube_ready,
	.metrics = kube_metrics,
	.teardown = kube_teardown,
	.explain = &kube_explain_hooks,
	.offers = kube_offers,
	.transfer = &kube_transfer,
};
