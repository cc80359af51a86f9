/*
 * What an instance offers to the other plugins of its block (cluster/view.h).
 */
#include "kubernetes/kube.h"

#include "kubernetes/cluster.h"

static struct store *view_store(const void *instance)
{
	const struct kube *k = instance;

	return k->is_started ? cluster_store(k->cluster) : NULL;
}

static bool view_is_exposed(const void *instance, const char *ns)
{
	return kube_is_exposed(instance, ns);
}

static bool view_is_selected(const void *instance, const struct object *o)
{
	return kube_is_selected(instance, o);
}

static void view_own_services(const void *instance, cluster_own_fn *fn, void *arg)
{
	kube_own_services(instance, fn, arg);
}

/* --- followers --------------------------------------------------------------------------- */

static void view_follow(void *instance, struct cluster_follower *f)
{
	struct kube *k = instance;

	list_push(&k->followers, &f->link);
	if (k->is_started)
		f->on_changes(f->arg, NULL);
}

static void view_unfollow(void *instance, struct cluster_follower *f)
{
	(void)instance;
	list_remove(&f->link);
}

void kube_tell_followers(struct kube *k, const struct changes *c)
{
	list_for_each(&k->followers, node) {
		struct cluster_follower *f = container_of(node, struct cluster_follower, link);

		f->on_changes(f->arg, c);
	}
}

/* --- names ------------------------------------------------------------------------------- */

static bool view_is_synced(const void *instance)
{
	const struct kube *k = instance;

	return atomic_load_explicit(&k->is_synced, memory_order_relaxed);
}

static const struct name *view_zone_of(const void *instance, const uint8_t *name, unsigned labels)
{
	const struct kube_zone *z = kube_find_zone(instance, name, labels);

	return z == NULL ? NULL : &z->name;
}

static bool view_has_pods(const void *instance)
{
	const struct kube *k = instance;

	return k->options.pods == PODS_VERIFIED;
}

static bool view_pod_namespace(const void *instance, const struct ip *ip, uint8_t *out)
{
	const uint8_t *label = kube_pod_namespace(instance, ip);

	if (label == NULL)
		return false;
	memcpy(out, label, 1u + label[0]);
	return true;
}

/* --- endpoints --------------------------------------------------------------------------- */

/* The entry SVC.NS.svc of the service whose labels the name begins with. */
static const struct kube_entry *find_service(const struct kube *k, const uint8_t *name)
{
	const struct table *t = &k->primary->table;
	size_t n = (size_t)(name_skip(name, 2) - name);
	uint8_t key[KUBE_KEY_MAX];

	memcpy(key, name, n);
	memcpy(key + n, "\3svc", 4);
	n += 4;
	return (const struct kube_entry *)table_find(t, key, n, table_hash(t, key, n));
}

static enum cluster_found add_set(struct query *q, const struct rrset *set)
{
	if (set == NULL)
		return CLUSTER_NO_DATA;
	answer_add(&q->answer, SECTION_ANSWER, set);
	return CLUSTER_ANSWERED;
}

/* SVC.NS: a service that is not headless has no data here, but its endpoints lie below it. */
static enum cluster_found answer_service(struct query *q, const struct kube_srv *srv)
{
	if (srv->entry->n_endpoints == 0)
		return CLUSTER_NO_NAME;
	if (!srv->entry->is_headless)
		return CLUSTER_NO_DATA;
	if (q->msg.qtype == TYPE_SRV)
		return kube_add_srv(q, srv) ? CLUSTER_ANSWERED : CLUSTER_NO_DATA;
	return add_set(q, kube_port_addresses(q, srv));
}

static enum cluster_found answer_endpoint(struct query *q, struct kube_srv *srv)
{
	const uint8_t *label = q->folded;
	unsigned n;

	/* _PROTO.SVC.NS has no data, but ports below it (RFC 8020) */
	if (label[0] > 1 && label[1] == '_' && srv->entry->is_headless &&
		kube_has_named_port(srv->entry, kube_bare_label(label)))
		return CLUSTER_NO_DATA;
	srv->endpoint = kube_find_endpoint(srv->entry, label, &n);
	if (srv->endpoint == NULL)
		return CLUSTER_NO_NAME;
	if (q->msg.qtype == TYPE_SRV)
		return kube_add_srv(q, srv) ? CLUSTER_ANSWERED : CLUSTER_NO_DATA;
	return add_set(q, kube_endpoint_addresses(q, srv->endpoint, n, srv->ttl));
}

static enum cluster_found answer_port(struct query *q, struct kube_srv *srv)
{
	srv->port = kube_bare_label(q->folded);
	srv->protocol = kube_bare_label(name_skip(q->folded, 1));
	if (!srv->entry->is_headless || !kube_has_port(srv->entry, srv->port, srv->protocol))
		return CLUSTER_NO_NAME;
	if (q->msg.qtype == TYPE_SRV)
		return kube_add_srv(q, srv) ? CLUSTER_ANSWERED : CLUSTER_NO_DATA;
	return add_set(q, kube_port_addresses(q, srv));
}

static enum cluster_found view_endpoints(
	void *instance, struct query *q, const struct cluster_ask *ask)
{
	struct kube *k = instance;
	struct kube_srv srv = {
		.service = name_skip(query_name(q), ask->below), .ttl = ask->ttl};

	srv.entry = find_service(k, name_skip(q->folded, ask->below));
	if (srv.entry == NULL || srv.entry->kind != ENTRY_SERVICE)
		return CLUSTER_NO_NAME;
	if (ask->below == 0)
		return answer_service(q, &srv);
	return ask->below == 1 ? answer_endpoint(q, &srv) : answer_port(q, &srv);
}

static const struct cluster_view view = {
	.store = view_store,
	.is_exposed = view_is_exposed,
	.is_selected = view_is_selected,
	.own_services = view_own_services,
	.follow = view_follow,
	.unfollow = view_unfollow,
	.is_synced = view_is_synced,
	.zone_of = view_zone_of,
	.has_pods = view_has_pods,
	.pod_namespace = view_pod_namespace,
	.endpoints = view_endpoints,
};

const struct offer kube_offers[] = {{CLUSTER_VIEW, &view}, {NULL, NULL}};
