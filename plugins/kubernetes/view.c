/*
 * What an instance offers to the other plugins of its block (cluster/view.h).
 */
#include "kubernetes/kube.h"

#include "kubernetes/cluster.h"
#include "kubernetes/explain.h"

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
	const struct kube_zone *z = kube_find_zone(instance, name, name_len(name), labels);

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

	if (k->primary->is_imported)
		return NULL;
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

/* The addresses of a service, with the TTL of another zone; of very many, as many as fit. */
static const struct rrset *with_ttl(
	struct query *q, const struct rrset *set, const struct kube_srv *srv)
{
	struct rrset_builder b = {.type = q->msg.qtype, .ttl = srv->ttl, .arena = &q->arena};
	uint16_t n;

	if (set == NULL || set->ttl == srv->ttl)
		return set;
	if (set->wire_len > msg_reply_limit(&q->msg, q->transport, q->udp_cap))
		return kube_port_addresses(q, srv);
	for (unsigned i = 0; i < set->count; i++) {
		const uint8_t *rdata = rrset_rdata(set, i, &n);

		rrset_add(&b, rdata, n);
	}
	return rrset_build_in(&b, &q->arena);
}

static const struct rrset *addresses_of(const struct kube_entry *entry, uint16_t type)
{
	return type == TYPE_A ? entry->a : type == TYPE_AAAA ? entry->aaaa : NULL;
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
	return add_set(q, with_ttl(q, addresses_of(srv->entry, q->msg.qtype), srv));
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
	/* slices with other ports: only the endpoints that have this one */
	if (srv->entry->n_ports > 2)
		return add_set(q, kube_port_addresses(q, srv));
	return add_set(q, with_ttl(q, addresses_of(srv->entry, q->msg.qtype), srv));
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

/* --- endpoints, for people and transfers ------------------------------------------------- */

static void tell_endpoint(const struct kube_entry *entry, const struct kube_endpoint *at,
	cluster_endpoint_fn *fn, void *arg)
{
	const struct kube_ports *list = &entry->ports[at->ports];
	struct cluster_port ports[2 * OBJECT_MAX_PORTS];
	uint8_t label[KUBE_LABELS_MAX];
	struct cluster_endpoint told = {.label = label, .ip = &at->ip, .ports = ports};

	kube_write_label(label, at->label, &at->ip);
	for (unsigned i = 0; i < list->len && i < ARRAY_LEN(ports); i++) {
		const struct kube_port *p = &list->at[i];

		ports[told.n_ports++] = (struct cluster_port){p->name, p->number, p->protocol};
	}
	fn(arg, &told);
}

static void view_each_endpoint(const void *instance, const struct object *service,
	cluster_endpoint_fn *fn, void *arg)
{
	const struct kube *k = instance;
	const struct table *t = &k->primary->table;
	const struct kube_entry *entry = NULL;
	uint8_t key[KUBE_KEY_MAX];
	size_t n = kube_service_key(key, service->ns, service->name);

	if (n != 0)
		entry = (const struct kube_entry *)table_find(t, key, n, table_hash(t, key, n));
	if (entry == NULL || entry->kind != ENTRY_SERVICE)
		return;
	for (uint32_t i = 0; i < entry->n_endpoints; i++)
		tell_endpoint(entry, &entry->endpoints[i], fn, arg);
}

/* The name of the question as it is in the primary zone; false when it is too long. */
static bool home_name(
	struct name *out, const struct kube *k, const uint8_t *name, unsigned below)
{
	size_t n = (size_t)(name_skip(name, below + 2) - name);

	if (n + 4 + k->primary->name.len > NAME_MAX_OCTETS)
		return false;
	memcpy(out->wire, name, n);
	memcpy(out->wire + n, "\3svc", 4);
	memcpy(out->wire + n + 4, k->primary->name.wire, k->primary->name.len);
	out->len = (uint8_t)(n + 4 + k->primary->name.len);
	return true;
}

/* What is other than at home: only endpoints count here. True when it decides. */
static bool explain_other(const struct kube_entry *entry, const struct explain_ask *ask,
	unsigned below, struct explanation *x)
{
	if (entry == NULL)
		return false;
	if (entry->kind != ENTRY_SERVICE) {
		explain_say(x, EXPLAIN_NXDOMAIN, "the Service is an alias (type ExternalName)");
		return true;
	}
	if (entry->is_headless || (below == 1 && ask->name.wire[1] != '_'))
		return false;
	if (below == 0 && entry->n_endpoints > 0)
		explain_say(x, EXPLAIN_NODATA,
			"the Service has no address outside the cluster; the name exists only "
			"because those of its endpoints lie below it");
	else
		explain_say(x, EXPLAIN_NXDOMAIN,
			"the Service has no address outside the cluster, and is not headless");
	return true;
}

static void move_text(struct buf *to, struct buf *from)
{
	buf_add(to, buf_text(from), from->len);
	buf_free(from);
}

/* As the name in the primary zone is explained. */
static void explain_at_home(const struct kube *k, const struct explain_ask *ask, unsigned below,
	struct explanation *x)
{
	static const char passed_on[] = "; fallthrough";
	struct explain_ask at_home = {.type = ask->type};
	struct explanation home = {.n_values = 0};

	if (!home_name(&at_home.name, k, ask->name.wire, below)) {
		explain_say(x, EXPLAIN_NXDOMAIN, "the name is too long");
		return;
	}
	if (kube_is_zonal(k, at_home.name.wire, below)) {
		explain_say(x, EXPLAIN_NXDOMAIN, "names by topology zone are those of the cluster");
		return;
	}
	kube_explain_hooks.explain((void *)(uintptr_t)k, &at_home, &home);
	if (home.outcome == EXPLAIN_PASSES && home.why.len >= sizeof(passed_on) - 1)
		home.why.len -= sizeof(passed_on) - 1;
	x->outcome = home.outcome;
	x->n_values = home.n_values;
	move_text(&x->values, &home.values);
	move_text(&x->object, &home.object);
	move_text(&x->field, &home.field);
	move_text(&x->why, &home.why);
	explanation_fini(&home);
}

static enum cluster_found view_explain(const void *instance, const struct explain_ask *ask,
	unsigned below, struct explanation *x)
{
	const struct kube *k = instance;
	const struct kube_entry *entry = find_service(k, name_skip(ask->name.wire, below));

	if (!explain_other(entry, ask, below, x))
		explain_at_home(k, ask, below, x);
	if (x->outcome == EXPLAIN_ANSWER)
		return CLUSTER_ANSWERED;
	return x->outcome == EXPLAIN_NODATA ? CLUSTER_NO_DATA : CLUSTER_NO_NAME;
}

static const struct cluster_view view = {
	.store = view_store,
	.is_exposed = view_is_exposed,
	.is_selected = view_is_selected,
	.own_services = view_own_services,
	.each_endpoint = view_each_endpoint,
	.explain = view_explain,
	.follow = view_follow,
	.unfollow = view_unfollow,
	.is_synced = view_is_synced,
	.zone_of = view_zone_of,
	.has_pods = view_has_pods,
	.pod_namespace = view_pod_namespace,
	.endpoints = view_endpoints,
};

const struct offer kube_offers[] = {{CLUSTER_VIEW, &view}, {NULL, NULL}};
