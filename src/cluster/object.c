#include "cluster/object.h"

#include "base/must.h"
#include "cluster/endpoint_pack.h"

static const struct {
	const char *name, *group; /* group: what apiVersion begins with */
} kinds[OBJECT_KINDS] = {
        [OBJECT_NONE] = {"object", ""},
        [OBJECT_NAMESPACE] = {"Namespace", "v1"},
        [OBJECT_SERVICE] = {"Service", "v1"},
        [OBJECT_SLICE] = {"EndpointSlice", "discovery.k8s.io/"},
        [OBJECT_POD] = {"Pod", "v1"},
        [OBJECT_IMPORT] = {"ServiceImport", "multicluster.x-k8s.io/"},
};

const char *object_kind_name(enum object_kind kind)
{
	return kinds[kind].name;
}

enum object_kind object_kind_from(struct str api_version, struct str name)
{
	if (str_has_suffix(name, "List"))
		name.len -= 4;
	for (unsigned k = OBJECT_NAMESPACE; k < OBJECT_KINDS; k++)
		if (str_is(name, kinds[k].name))
			return api_version.len == 0 || str_has_prefix(api_version, kinds[k].group)
			               ? (enum object_kind)k
			               : OBJECT_NONE;
	return OBJECT_NONE;
}

const char *labels_get(const struct labels *labels, const char *key)
{
	for (uint32_t i = 0; i < labels->len; i++)
		if (strcmp(labels->at[i].key, key) == 0)
			return labels->at[i].value;
	return NULL;
}

static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool object_is_label(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_label_char(s.at[i]))
			return false;
	return s.len > 0 && s.len <= 63;
}

bool object_is_name(struct str s)
{
	char before = '.';

	for (size_t i = 0; i < s.len; i++) {
		if (!is_label_char(s.at[i]) && (s.at[i] != '.' || before == '.'))
			return false;
		before = s.at[i];
	}
	return s.len > 0 && s.len <= OBJECT_MAX_NAME && before != '.';
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_labels(const struct label *a, const struct label *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!same_text(a[i].key, b[i].key) || !same_text(a[i].value, b[i].value))
			return false;
	return true;
}

static bool same_ips(const struct ip_list *a, const struct ip_list *b)
{
	if (a->len != b->len)
		return false;
	for (uint32_t i = 0; i < a->len; i++)
		if (!ip_eq(&a->at[i], &b->at[i]))
			return false;
	return true;
}

static bool same_ports(const struct port_list *a, const struct port_list *b)
{
	if (a->len != b->len)
		return false;
	for (uint32_t i = 0; i < a->len; i++) {
		const struct port *x = &a->at[i], *y = &b->at[i];

		if (x->port != y->port || x->target_port != y->target_port ||
		        x->protocol != y->protocol || !same_text(x->name, y->name) ||
		        !same_text(x->target_name, y->target_name))
			return false;
	}
	return true;
}

static bool same_service(const struct service_data *a, const struct service_data *b)
{
	return a->type == b->type && a->is_headless == b->is_headless &&
	       a->has_cluster_ip == b->has_cluster_ip &&
	       a->publish_not_ready == b->publish_not_ready &&
	       memcmp(a->families, b->families, sizeof(a->families)) == 0 &&
	       same_text(a->external_name, b->external_name) &&
	       same_ips(&a->cluster_ips, &b->cluster_ips) &&
	       same_ips(&a->external_ips, &b->external_ips) &&
	       same_ips(&a->ingress_ips, &b->ingress_ips) &&
	       a->n_ingress_hosts == b->n_ingress_hosts &&
	       same_labels(a->ingress_hosts, b->ingress_hosts, a->n_ingress_hosts) &&
	       same_ports(&a->ports, &b->ports) && a->selector.len == b->selector.len &&
	       same_labels(a->selector.at, b->selector.at, a->selector.len);
}

struct endpoint slice_endpoint(const struct slice_data *s, uint32_t i)
{
	return s->pack == NULL ? s->endpoints[i] : endpoint_unpack(s->pack, i);
}

bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b)
{
	return ip_eq(&a->ip, &b->ip) && a->is_ready == b->is_ready &&
	       a->is_serving == b->is_serving && a->is_terminating == b->is_terminating &&
	       a->target_kind == b->target_kind && same_text(a->hostname, b->hostname) &&
	       same_text(a->target_name, b->target_name) && same_text(a->zone, b->zone);
}

static bool same_slice(const struct slice_data *a, const struct slice_data *b)
{
	if (a->n_endpoints != b->n_endpoints || a->family != b->family ||
	        !same_text(a->import, b->import) || !same_text(a->service, b->service) ||
	        !same_text(a->cluster, b->cluster) || !same_ports(&a->ports, &b->ports))
		return false;
	for (uint32_t i = 0; i < a->n_endpoints; i++) {
		struct endpoint x = slice_endpoint(a, i), y = slice_endpoint(b, i);

		if (!endpoint_is_same(&x, &y))
			return false;
	}
	return true;
}

static bool same_pod(const struct pod_data *a, const struct pod_data *b)
{
	return a->phase == b->phase && a->ready == b->ready &&
	       a->is_host_network == b->is_host_network && same_text(a->hostname, b->hostname) &&
	       same_text(a->subdomain, b->subdomain) && same_ips(&a->ips, &b->ips) &&
	       same_ports(&a->ports, &b->ports);
}

bool object_is_same(const struct object *a, const struct object *b)
{
	if (a->kind != b->kind || a->is_deleting != b->is_deleting || !same_text(a->ns, b->ns) ||
	        !same_text(a->name, b->name) || a->labels.len != b->labels.len ||
	        !same_labels(a->labels.at, b->labels.at, a->labels.len))
		return false;
	switch (a->kind) {
	case OBJECT_SERVICE:
	case OBJECT_IMPORT: return same_service(&a->service, &b->service);
	case OBJECT_SLICE: return same_slice(&a->slice, &b->slice);
	case OBJECT_POD: return same_pod(&a->pod, &b->pod);
	default: return true;
	}
}
