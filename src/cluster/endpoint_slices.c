#include "cluster/endpoint_slices.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define LABEL_SERVICE "kubernetes.io/service-name"
#define LABEL_MANAGER "endpointslice.kubernetes.io/managed-by"

/* Endpoints of one family with the same ports; it becomes one slice or more. */
struct group {
	unsigned family;
	struct port_list ports;
	VEC(struct endpoint) endpoints;
};

struct work {
	struct arena *arena;
	const struct object *service;
	struct labels labels; /* of each slice */
	bool has_named_targets;
	struct port_list ports; /* when it has none of those: the same for all pods */
	VEC(struct group) groups;
};

bool endpoint_slices_apply_to(const struct object *service)
{
	return service->service.selector.len > 0 && service->service.type != SERVICE_EXTERNAL_NAME;
}

bool endpoint_slices_take(const struct object *pod)
{
	return pod->pod.phase != POD_SUCCEEDED && pod->pod.phase != POD_FAILED &&
	       pod->pod.ips.len > 0;
}

char *endpoint_slice_name(struct arena *a, const char *service, unsigned family, unsigned i)
{
	return arena_printf(a, "%s_v%u_%u", service, family, i);
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

/* Those of the Service, because the options of the kubernetes plugin select slices by them. */
static struct labels slice_labels(struct arena *a, const struct object *service)
{
	const struct labels *from = &service->labels;
	struct label *at = arena_alloc(a, (from->len + 2) * sizeof(*at));
	struct labels l = {at, 0};

	at[l.len++] = (struct label){LABEL_MANAGER, "seamark"};
	at[l.len++] = (struct label){LABEL_SERVICE, service->name};
	for (uint32_t i = 0; i < from->len; i++)
		if (strcmp(from->at[i].key, LABEL_SERVICE) != 0 &&
		        strcmp(from->at[i].key, LABEL_MANAGER) != 0)
			at[l.len++] = from->at[i];
	qsort(at, l.len, sizeof(*at), compare_labels);
	return l;
}

/* ---- ports ---- */

static int32_t target_of(const struct port *p, const struct object *pod)
{
	if (p->target_name == NULL)
		return p->target_port;
	for (uint32_t i = 0; i < pod->pod.ports.len; i++) {
		const struct port *c = &pod->pod.ports.at[i];

		if (c->protocol == p->protocol && c->name != NULL &&
		        strcmp(c->name, p->target_name) == 0)
			return c->port;
	}
	return 0;
}

/* The Service's ports as they are at pod, which is NULL when all targets are numbers. */
static struct port_list ports_at(const struct work *w, const struct object *pod)
{
	const struct port_list *from = &w->service->service.ports;
	struct port *at = arena_alloc(w->arena, from->len * sizeof(*at));
	struct port_list l = {at, 0};

	for (uint32_t i = 0; i < from->len; i++) {
		int32_t target = target_of(&from->at[i], pod);

		if (target > 0)
			at[l.len++] = (struct port){.name = from->at[i].name,
			        .port = target,
			        .protocol = from->at[i].protocol};
	}
	return l;
}

static bool same_ports(const struct port_list *a, const struct port_list *b)
{
	if (a->len != b->len)
		return false;
	/* both come from the same ports of one Service: only the numbers and gaps can differ */
	for (uint32_t i = 0; i < a->len; i++)
		if (a->at[i].port != b->at[i].port || a->at[i].name != b->at[i].name ||
		        a->at[i].protocol != b->at[i].protocol)
			return false;
	return true;
}

static void find_ports(struct work *w)
{
	const struct port_list *from = &w->service->service.ports;

	for (uint32_t i = 0; i < from->len; i++)
		w->has_named_targets |= from->at[i].target_name != NULL;
	if (!w->has_named_targets)
		w->ports = ports_at(w, NULL);
}

/* ---- endpoints ---- */

static bool is_serving(const struct pod_data *pod)
{
	if (pod->ready != POD_READY_NONE)
		return pod->ready == POD_READY_TRUE;
	return pod->phase == POD_RUNNING || pod->phase == POD_PHASE_NONE;
}

static struct endpoint endpoint_of(const struct object *service, const struct object *pod)
{
	const struct pod_data *d = &pod->pod;
	bool serves = is_serving(d);
	struct endpoint e = {
	        .is_ready = service->service.publish_not_ready || (serves && !pod->is_deleting),
	        .is_serving = serves,
	        .is_terminating = pod->is_deleting,
	        .target_kind = TARGET_POD,
	        .target_name = pod->name,
	};

	if (d->subdomain != NULL && strcmp(d->subdomain, service->name) == 0)
		e.hostname = d->hostname;
	return e;
}

static struct group *group_for(struct work *w, unsigned family, const struct port_list *ports)
{
	vec_for_each (&w->groups, g)
		if (g->family == family && same_ports(&g->ports, ports))
			return g;
	vec_push(&w->groups, (struct group){.family = family, .ports = *ports});
	return &w->groups.at[w->groups.len - 1];
}

static bool has_family(const struct service_data *s, unsigned family)
{
	if (s->families[0] != 0)
		return s->families[0] == family || s->families[1] == family;
	for (uint32_t i = 0; i < s->cluster_ips.len; i++)
		if (s->cluster_ips.at[i].len == (family == 4 ? 4 : 16))
			return true;
	return s->cluster_ips.len == 0;
}

static void add_pod(struct work *w, const struct object *pod)
{
	struct endpoint e = endpoint_of(w->service, pod);
	struct port_list ports = w->has_named_targets ? ports_at(w, pod) : w->ports;

	for (uint32_t i = 0; i < pod->pod.ips.len; i++) {
		unsigned family = pod->pod.ips.at[i].len == 4 ? 4 : 6;

		if (!has_family(&w->service->service, family))
			continue;
		e.ip = pod->pod.ips.at[i];
		vec_push(&group_for(w, family, &ports)->endpoints, e);
	}
}

/* ---- slices ---- */

static void add_slice(struct work *w, const struct group *g, size_t from, struct slice_list *out)
{
	size_t n = g->endpoints.len - from;
	unsigned number = 0;
	struct object o = {.kind = OBJECT_SLICE, .ns = w->service->ns, .labels = w->labels};
	struct endpoint *at;

	if (n > ENDPOINTS_IN_SLICE)
		n = ENDPOINTS_IN_SLICE;
	at = arena_alloc(w->arena, n * sizeof(*at));
	memcpy(at, g->endpoints.at + from, n * sizeof(*at));
	vec_for_each (&out->list, old)
		number += old->slice.family == g->family;
	o.name = endpoint_slice_name(w->arena, w->service->name, g->family, number);
	o.slice.service = w->service->name;
	o.slice.family = (uint8_t)g->family;
	o.slice.ports = g->ports;
	o.slice.endpoints = at;
	o.slice.n_endpoints = (uint32_t)n;
	vec_push(&out->list, o);
}

void endpoint_slices_build(struct arena *a, const struct object *service,
        const struct object *const *pods, size_t n, struct slice_list *out)
{
	struct work w = {.arena = a, .service = service, .labels = slice_labels(a, service)};

	find_ports(&w);
	for (size_t i = 0; i < n; i++)
		if (endpoint_slices_take(pods[i]))
			add_pod(&w, pods[i]);
	vec_for_each (&w.groups, g) {
		for (size_t from = 0; from < g->endpoints.len; from += ENDPOINTS_IN_SLICE)
			add_slice(&w, g, from, out);
		vec_free(&g->endpoints);
	}
	vec_free(&w.groups);
}
