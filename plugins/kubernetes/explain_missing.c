/*
 * Why a name of the cluster does not exist.
 */
#include <arpa/inet.h>

#include "conf/suggest.h"
#include "kubernetes/cluster.h"
#include "kubernetes/explain.h"

/* Names of objects that a suggestion looks through, and that a sentence lists. */
#define SUGGEST_MAX 2000u
#define LISTED_MAX 8u

static const struct store *store_of(const struct kube_place *p)
{
	return cluster_store(p->k->cluster);
}

/* --- namespaces -------------------------------------------------------------------------- */

static void suggest(struct explanation *x, const char *word, const char *const *list)
{
	const char *found = suggest_word(word, list);

	if (found != NULL)
		buf_printf(&x->why, "; did you mean \"%s\"?", found);
}

static void suggest_namespace(const struct kube_place *p, struct explanation *x)
{
	VEC(const char *) names = {NULL, 0, 0};
	const struct object *o;
	size_t pos = 0;

	while (names.len < SUGGEST_MAX &&
		(o = store_next(store_of(p), OBJECT_NAMESPACE, &pos)) != NULL)
		vec_push(&names, o->name);
	vec_push(&names, NULL);
	suggest(x, p->ns, names.at);
	vec_free(&names);
}

/* True, and said, when no name of the namespace can exist. */
static bool explain_namespace(const struct kube_place *p, struct explanation *x)
{
	if (store_namespace(store_of(p), p->ns) == NULL) {
		explain_say(x, EXPLAIN_NXDOMAIN, "there is no namespace \"%s\"", p->ns);
		suggest_namespace(p, x);
		return true;
	}
	if (kube_is_exposed(p->k, p->ns))
		return false;
	buf_printf(&x->object, "Namespace %s", p->ns);
	if (p->k->options.namespace_labels != NULL)
		explain_say(x, EXPLAIN_NXDOMAIN,
			"the namespace is not served: its labels do not match "
			"\"namespace_labels %s\"",
			selector_text(p->k->options.namespace_labels));
	else
		explain_say(x, EXPLAIN_NXDOMAIN,
			"the namespace is not served: it is not among those of \"namespaces\"");
	return true;
}

/* --- services ---------------------------------------------------------------------------- */

static void suggest_service(const struct kube_place *p, struct explanation *x)
{
	struct object_list all = store_in_namespace(store_of(p),
		p->zone->is_imported ? OBJECT_IMPORT : OBJECT_SERVICE, p->ns);
	VEC(const char *) names = {NULL, 0, 0};

	for (size_t i = 0; i < all.len && i < SUGGEST_MAX; i++)
		vec_push(&names, all.at[i]->name);
	vec_push(&names, NULL);
	suggest(x, p->name, names.at);
	vec_free(&names);
}

/* Namespaces that have a service of that name. */
static void list_elsewhere(const struct kube_place *p, struct explanation *x)
{
	enum object_kind kind = p->zone->is_imported ? OBJECT_IMPORT : OBJECT_SERVICE;
	const struct object *o;
	unsigned n = 0;
	size_t pos = 0;

	while (n < LISTED_MAX && (o = store_next(store_of(p), OBJECT_NAMESPACE, &pos)) != NULL)
		if (store_get(store_of(p), kind, o->name, p->name) != NULL)
			buf_printf(&x->why, "%s \"%s\"",
				n++ == 0 ? "; there is one in namespace" : ",", o->name);
}

struct endpoint_counts {
	size_t ready, not_ready, slices, unselected;
};

static struct endpoint_counts count_endpoints(const struct kube_place *p)
{
	struct object_list slices = kube_place_slices(p);
	struct endpoint_counts n = {.slices = slices.len};

	for (size_t i = 0; i < slices.len; i++) {
		const struct slice_data *s = &slices.at[i]->slice;

		if (!kube_is_selected(p->k, slices.at[i])) {
			n.unselected++;
			continue;
		}
		for (uint32_t e = 0; e < s->n_endpoints; e++) {
			n.ready += slice_endpoint(s, e).is_ready;
			n.not_ready += !slice_endpoint(s, e).is_ready;
		}
	}
	return n;
}

/* Why a service whose name depends on its endpoints has none. */
static void explain_no_ready(
	const struct kube_place *p, const struct object *o, struct explanation *x)
{
	const char *what = o->service.is_headless ? "it is headless and" : "it";
	struct endpoint_counts n = count_endpoints(p);

	if (p->k->options.no_endpoints)
		explain_say(x, EXPLAIN_NXDOMAIN, "%s has no endpoints here: \"noendpoints\"", what);
	else if (n.not_ready > 0)
		explain_say(x, EXPLAIN_NXDOMAIN, "%s has no ready endpoint (%zu not ready)", what,
			n.not_ready);
	else if (n.unselected > 0)
		explain_say(x, EXPLAIN_NXDOMAIN,
			"%s has no endpoint: the labels of its EndpointSlices do not match "
			"\"labels %s\"",
			what, selector_text(p->k->options.labels));
	else
		explain_say(x, EXPLAIN_NXDOMAIN, "%s has no endpoint%s", what,
			p->zone->is_imported
				? " in any cluster that exports it"
			: o->service.selector.len == 0
				? "; it has no selector, so that its EndpointSlices are "
				  "made by hand"
				: ": no pod fits its selector");
	if (!o->service.is_headless)
		buf_str(&x->why, "; \"ignore empty_service\" hides it");
}

void kube_warn_no_ready(const struct kube_place *p, struct explanation *x)
{
	struct endpoint_counts n = count_endpoints(p);

	if (p->k->options.no_endpoints || n.ready > 0)
		return;
	if (n.not_ready > 0)
		explain_say(x, x->outcome,
			"the name resolves, but no endpoint is ready to be connected to (%zu not "
			"ready)",
			n.not_ready);
	else
		explain_say(x, x->outcome,
			"the name resolves, but there is no endpoint to be connected to");
}

static void explain_bad_alias(const struct object *o, struct explanation *x)
{
	const char *text = o->service.external_name;
	struct ip ip;

	buf_str(&x->field, "spec.externalName");
	if (text == NULL)
		explain_say(x, EXPLAIN_NXDOMAIN, "the ExternalName is empty");
	else if (ip_parse(str_from(text), &ip) == 0)
		explain_say(x, EXPLAIN_NXDOMAIN,
			"the ExternalName is the IP address %s, and an alias needs a name; use a "
			"headless Service with an EndpointSlice",
			text);
	else
		explain_say(x, EXPLAIN_NXDOMAIN, "the ExternalName \"%s\" is no domain name", text);
}

static void explain_service(const struct kube_place *p, struct explanation *x)
{
	const struct object *o = kube_place_object(p);

	if (o == NULL) {
		explain_say(x, EXPLAIN_NXDOMAIN, "there is no %s \"%s\" in namespace \"%s\"",
			kube_place_kind(p), p->name, p->ns);
		suggest_service(p, x);
		list_elsewhere(p, x);
		return;
	}
	buf_printf(&x->object, "%s %s/%s", kube_place_kind(p), p->ns, p->name);
	if (!kube_is_selected(p->k, o))
		explain_say(x, EXPLAIN_NXDOMAIN, "its labels do not match \"labels %s\"",
			selector_text(p->k->options.labels));
	else if (o->kind == OBJECT_SERVICE && o->service.type == SERVICE_EXTERNAL_NAME)
		explain_bad_alias(o, x);
	else if (o->service.is_headless || p->k->options.ignores_empty)
		explain_no_ready(p, o, x);
	else
		explain_say(x, EXPLAIN_NXDOMAIN, "its name would be longer than 255 octets");
}

/* --- the shape of a name ----------------------------------------------------------------- */

/* WEB.SHOP.cluster.local: the "svc" is often forgotten. */
static void explain_shape(const struct kube_place *p, struct explanation *x)
{
	char zone[NAME_TEXT_MAX];

	name_to_text(zone, p->zone->name.wire);
	explain_say(x, EXPLAIN_NXDOMAIN,
		"names of Services are SERVICE.NAMESPACE.svc.%s; this one ends in \"%s\"", zone,
		p->kind);
	if (p->labels == 2 && store_service(store_of(p), p->kind, p->ns) != NULL)
		buf_printf(&x->why, "; did you mean \"%s.%s.svc.%s\"?", p->ns, p->kind, zone);
}

void kube_explain_missing(const struct kube_place *p, struct explanation *x)
{
	bool is_pod = strcmp(p->kind, "pod") == 0;

	if (!is_pod && strcmp(p->kind, "svc") != 0) {
		explain_shape(p, x);
		return;
	}
	if (explain_namespace(p, x))
		return;
	if (!is_pod)
		explain_service(p, x);
	else if (p->k->options.pods == PODS_DISABLED)
		explain_say(x, EXPLAIN_NXDOMAIN,
			"pods have no names here: \"pods disabled\" is the default; write \"pods "
			"verified\"");
	else
		explain_say(x, EXPLAIN_NXDOMAIN, "there is no such name");
}

/* --- endpoints and ports ----------------------------------------------------------------- */

/* An endpoint of the service, ready or not, whose label or address is asked for. */
static bool find_unready(const struct kube_place *p, const char *label, const struct ip *ip,
	struct endpoint *out)
{
	struct object_list slices = kube_place_slices(p);
	char cluster[NAME_MAX_LABEL + 1];

	kube_label_text(cluster, p->ask->name.wire, 1);
	for (size_t i = 0; i < slices.len; i++) {
		const struct slice_data *s = &slices.at[i]->slice;

		if (p->zone->is_imported &&
			(s->cluster == NULL || strcmp(s->cluster, cluster) != 0))
			continue;
		for (uint32_t e = 0; e < s->n_endpoints; e++) {
			const char *own;

			*out = slice_endpoint(s, e);
			own = kube_endpoint_label(p->k, out);
			if (ip_eq(&out->ip, ip) || (own != NULL && strcmp(own, label) == 0))
				return true;
		}
	}
	return false;
}

void kube_explain_no_endpoint(const struct kube_place *p, struct explanation *x)
{
	char label[NAME_MAX_LABEL + 1];
	struct endpoint found;
	const char *own = NULL;
	bool is_found;
	struct ip ip;

	if (!kube_read_dashed(&ip, p->ask->name.wire))
		memset(&ip, 0xff, sizeof(ip));
	kube_label_text(label, p->ask->name.wire, 0);
	is_found = find_unready(p, label, &ip, &found);
	if (is_found)
		own = kube_endpoint_label(p->k, &found);
	if (label[0] == '_')
		explain_say(x, EXPLAIN_NXDOMAIN, "no port with a name has the protocol \"%s\"",
			label + 1);
	else if (p->k->options.no_endpoints)
		explain_say(x, EXPLAIN_NXDOMAIN, "endpoints have no names: \"noendpoints\"");
	else if (is_found && !found.is_ready)
		explain_say(x, EXPLAIN_NXDOMAIN, "the endpoint \"%s\" is not ready", label);
	else if (is_found && own != NULL && strcmp(own, label) != 0)
		explain_say(x, EXPLAIN_NXDOMAIN, "the endpoint with this address is called \"%s\"",
			own);
	else
		explain_say(x, EXPLAIN_NXDOMAIN, "no endpoint is called \"%s\"", label);
}

static void list_ports(struct buf *out, const struct kube_ports *ports, unsigned *n)
{
	for (unsigned i = 0; i < ports->len; i++) {
		const struct kube_port *at = &ports->at[i];

		if (*n == LISTED_MAX)
			buf_str(out, ", ...");
		if ((*n)++ >= LISTED_MAX)
			continue;
		if (at->name[0] == '\0')
			buf_printf(out, "%sone without a name (%u/%s)", *n > 1 ? ", " : "",
				at->number, kube_protocol_text(at->protocol));
		else
			buf_printf(out, "%s_%s._%s (%u)", *n > 1 ? ", " : "", at->name,
				kube_protocol_text(at->protocol), at->number);
	}
}

void kube_explain_no_port(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	char port[NAME_MAX_LABEL + 1], protocol[NAME_MAX_LABEL + 1];
	unsigned n = 0, first = entry->is_headless ? 1 : 0;
	struct buf ports = {0};

	kube_label_text(port, p->ask->name.wire, 0);
	kube_label_text(protocol, p->ask->name.wire, 1);
	for (unsigned i = first; i < entry->n_ports && (i == 0 || entry->is_headless); i++)
		list_ports(&ports, &entry->ports[i], &n);
	explain_say(x, EXPLAIN_NXDOMAIN, "no port%s is named %s.%s; ports are: %s",
		entry->is_headless ? " of a ready endpoint" : "", port, protocol,
		n == 0 ? "none" : buf_text(&ports));
	buf_free(&ports);
}

/* --- addresses --------------------------------------------------------------------------- */

static const char *phase_text(enum pod_phase phase)
{
	return phase == POD_SUCCEEDED ? "Succeeded" : phase == POD_FAILED ? "Failed" : "Unknown";
}

void kube_explain_no_pod(const struct kube_place *p, const struct ip *ip, struct explanation *x)
{
	char text[IP_TEXT_SIZE];
	struct ip_owner owner;
	size_t pos = 0;

	if (!store_ip_next(store_of(p), OBJECT_POD, ip, &pos, &owner)) {
		explain_say(x, EXPLAIN_NXDOMAIN, "no pod has the address %s", ip_text(ip, text));
		return;
	}
	buf_printf(&x->object, "Pod %s/%s", owner.object->ns, owner.object->name);
	if (strcmp(owner.object->ns, p->ns) != 0)
		explain_say(x, EXPLAIN_NXDOMAIN, "the pod with this address is in namespace \"%s\"",
			owner.object->ns);
	else if (!kube_is_selected(p->k, owner.object))
		explain_say(x, EXPLAIN_NXDOMAIN, "the pod's labels do not match \"labels %s\"",
			selector_text(p->k->options.labels));
	else
		explain_say(x, EXPLAIN_NXDOMAIN, "the pod is over: status.phase is %s",
			phase_text(owner.object->pod.phase));
}

void kube_explain_no_address(const struct kube *k, const struct ip *ip, struct explanation *x)
{
	const struct store *st = cluster_store(k->cluster);
	struct ip_owner owner;
	size_t pos = 0;

	if (store_ip_next(st, OBJECT_SLICE, ip, &pos, &owner)) {
		struct endpoint e = slice_endpoint(&owner.object->slice, owner.item);

		buf_printf(&x->object, "EndpointSlice %s/%s", owner.object->ns, owner.object->name);
		explain_say(x, EXPLAIN_NXDOMAIN, "%s",
			e.is_ready ? "the endpoint belongs to no Service that has a name"
				    : "the endpoint is not ready");
		return;
	}
	pos = 0;
	if (store_ip_next(st, OBJECT_SERVICE, ip, &pos, &owner)) {
		buf_printf(&x->object, "Service %s/%s", owner.object->ns, owner.object->name);
		explain_say(x, EXPLAIN_NXDOMAIN, "the Service is not served");
		return;
	}
	pos = 0;
	if (store_ip_next(st, OBJECT_POD, ip, &pos, &owner)) {
		buf_printf(&x->object, "Pod %s/%s", owner.object->ns, owner.object->name);
		explain_say(x, EXPLAIN_NXDOMAIN,
			"a pod has the address, but it is no endpoint of a Service");
		return;
	}
	explain_say(x, EXPLAIN_NXDOMAIN, "no Service and no endpoint has the address");
}
