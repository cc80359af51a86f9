/*
 * Everything that a kubernetes block serves, as a list of names.
 */
#include "kubernetes/cluster.h"
#include "kubernetes/explain.h"

#include <sys/socket.h>

/* The name of an entry: its key in front of the zone. */
static bool entry_name(struct name *out, const struct kube_zone *z, const struct kube_entry *entry)
{
	size_t n = entry->head.key_len;

	if (n + z->name.len > NAME_MAX_OCTETS)
		return false;
	memcpy(out->wire, entry->head.key, n);
	memcpy(out->wire + n, z->name.wire, z->name.len);
	out->len = (uint8_t)(n + z->name.len);
	return true;
}

static void list_endpoint(struct explain_names *l, const struct name *service,
	const struct kube_endpoint *p)
{
	uint8_t labels[KUBE_LABELS_MAX + 1];
	struct name name;
	char ip[IP_TEXT_SIZE];

	labels[kube_write_label(labels, p->label, &p->ip)] = 0;
	name_set(&name, labels);
	if (name_append(&name, service->wire) == 0)
		explain_add_name(
			l, name.wire, p->ip.len == 4 ? TYPE_A : TYPE_AAAA, ip_text(&p->ip, ip));
}

/* The SRV name of a port: _PORT._PROTOCOL in front of the service. */
static void list_port(
	struct explain_names *l, const struct name *service, const struct kube_port *port)
{
	char label[NAME_MAX_LABEL + 2], value[NAME_TEXT_MAX + 16], target[NAME_TEXT_MAX];
	struct name name = *service;
	int n = snprintf(label, sizeof(label), "_%s", kube_protocol_text(port->protocol));

	if (port->name[0] == '\0' ||
		name_prepend(&name, (struct str){label, (size_t)n}) != 0)
		return;
	n = snprintf(label, sizeof(label), "_%s", port->name);
	if (name_prepend(&name, (struct str){label, (size_t)n}) != 0)
		return;
	name_to_text(target, service->wire);
	snprintf(value, sizeof(value), "port %u of %s", port->number, target);
	explain_add_name(l, name.wire, TYPE_SRV, value);
}

static void list_ports(
	struct explain_names *l, const struct name *service, const struct kube_entry *entry)
{
	/* a headless service has the ports of its endpoints, another one its own */
	for (unsigned i = entry->is_headless ? 1 : 0; i < entry->n_ports; i++) {
		for (unsigned p = 0; p < entry->ports[i].len; p++)
			list_port(l, service, &entry->ports[i].at[p]);
		if (!entry->is_headless)
			break;
	}
}

/* What the endpoints of each topology zone answer. */
static void list_zonal(
	struct explain_names *l, const struct name *service, const struct kube_zonal *zonal)
{
	static const char *const directives[] = {"pin", "prefer"};

	for (size_t i = 0; zonal != NULL && i < 2 * zonal->len; i++) {
		const struct kube_zone_entry *z = &zonal->at[i / 2];
		char text[NAME_TEXT_MAX];
		struct name name;

		snprintf(text, sizeof(text), "%s.%s._zone", z->zone, directives[i % 2]);
		if (name_from_text(&name, str_from(text), NULL) != 0 ||
			name_append(&name, service->wire) != 0)
			continue;
		explain_add_records(l, name.wire, z->entry->a);
		explain_add_records(l, name.wire, z->entry->aaaa);
	}
}

static void list_entry(
	struct explain_names *l, const struct kube_zone *z, const struct kube_entry *entry)
{
	struct name name;

	if (entry->kind == ENTRY_NODE || !entry_name(&name, z, entry))
		return;
	explain_add_records(l, name.wire, entry->a);
	explain_add_records(l, name.wire, entry->aaaa);
	explain_add_records(l, name.wire, entry->other);
	list_ports(l, &name, entry);
	for (uint32_t i = 0; i < entry->n_endpoints; i++)
		list_endpoint(l, &name, &entry->endpoints[i]);
	list_zonal(l, &name, entry->zonal);
}

static void list_zone(struct explain_names *l, const struct kube_zone *z)
{
	const struct table_entry *e;
	size_t pos = 0;

	explain_add_records(l, z->name.wire, z->soa);
	explain_add_records(l, z->name.wire, z->ns);
	while (!z->is_reverse && (e = table_next(&z->table, &pos)) != NULL)
		list_entry(l, z, (const struct kube_entry *)e);
}

static bool is_in_reverse_zone(const struct kube *k, const struct name *name)
{
	vec_for_each(&k->zones, z)
		if ((*z)->is_reverse && name_is_under(name->wire, (*z)->name.wire))
			return true;
	return false;
}

static void list_address(struct explain_names *l, const struct kube *k, const struct ip *ip)
{
	struct arena arena;
	struct name name;

	arena_init(&arena);
	name_from_addr(&name, ip->len == 4 ? AF_INET : AF_INET6, ip->bytes);
	if (is_in_reverse_zone(k, &name))
		explain_add_records(l, name.wire, kube_owners_ptr(k, ip, SIZE_MAX, &arena));
	arena_reset(&arena);
}

static void list_addresses(
	struct explain_names *l, const struct kube *k, const struct addr_table *t)
{
	const uint8_t *octets;
	size_t pos = 0;

	while ((octets = addr_table_each(t, &pos)) != NULL) {
		struct ip ip = {.len = (uint8_t)t->octets};

		memcpy(ip.bytes, octets, ip.len);
		list_address(l, k, &ip);
	}
}

/* A verified pod: the question's hook would find it. */
static void list_pod(struct explain_names *l, const struct kube *k, const struct object *o,
	const struct ip *ip)
{
	uint8_t label[KUBE_LABELS_MAX];
	char text[IP_TEXT_SIZE];

	kube_write_label(label, NULL, ip);
	vec_for_each(&k->zones, z) {
		struct name name = (*z)->name;

		if ((*z)->is_reverse || name_prepend(&name, STR("pod")) != 0 ||
			name_prepend(&name, str_from(o->ns)) != 0 ||
			name_prepend(&name, (struct str){(const char *)label + 1, label[0]}) != 0)
			continue;
		explain_add_name(
			l, name.wire, ip->len == 4 ? TYPE_A : TYPE_AAAA, ip_text(ip, text));
	}
}

static void list_pods(struct explain_names *l, const struct kube *k)
{
	const struct object *o;
	size_t pos = 0;

	while ((o = store_next(cluster_store(k->cluster), OBJECT_POD, &pos)) != NULL) {
		bool is_over = o->pod.phase == POD_SUCCEEDED || o->pod.phase == POD_FAILED ||
			o->pod.phase == POD_UNKNOWN;

		if (is_over || !kube_is_exposed(k, o->ns) || !kube_is_selected(k, o))
			continue;
		for (uint32_t i = 0; i < o->pod.ips.len; i++)
			list_pod(l, k, o, &o->pod.ips.at[i]);
	}
}

void kube_list_names(void *instance, struct explain_names *l)
{
	const struct kube *k = instance;

	vec_for_each(&k->zones, z)
		list_zone(l, *z);
	list_addresses(l, k, &k->owners.v4);
	list_addresses(l, k, &k->owners.v6);
	if (k->cluster != NULL && k->options.pods == PODS_VERIFIED)
		list_pods(l, k);
}
