/*
 * The server's own names: NS records of each zone and the addresses of ns.dns.ZONE. The server
 * finds the Services that it is an endpoint of by its own addresses, as CoreDNS does.
 */
#include "kubernetes/kube.h"

#include <stdlib.h>

#include "kubernetes/cluster.h"

/* A Service that has this server as a ready endpoint; valid until the next write to the tables. */
struct own_service {
	const struct object *service;
	const struct kube_endpoint *endpoint; /* this server */
};

struct own {
	VEC(struct own_service) services;
	VEC(struct ip) ips; /* what ns.dns.ZONE answers */
};

static bool has_service(const struct own *own, const struct object *service)
{
	vec_for_each(&own->services, at)
		if (at->service == service)
			return true;
	return false;
}

static void add_service(
	struct own *own, const struct object *service, const struct kube_endpoint *p)
{
	/* a headless service has a name for each address, others have one name */
	if (!service->service.is_headless && has_service(own, service))
		return;
	vec_push(&own->services, (struct own_service){service, p});
}

/* The Service of an entry: the first two labels of its key, which names of the API are. */
static const struct object *service_of(const struct kube *k, const struct kube_entry *entry)
{
	char name[NAME_MAX_LABEL + 1], ns[NAME_MAX_LABEL + 1];
	const uint8_t *second = name_skip(entry->key, 1);

	memcpy(name, entry->key + 1, entry->key[0]);
	name[entry->key[0]] = '\0';
	memcpy(ns, second + 1, second[0]);
	ns[second[0]] = '\0';
	return store_service(cluster_store(k->cluster), ns, name);
}

/*
 * Whoever may write EndpointSlices in some namespace can name the address of this server there. A
 * pod is selected by Services of its own namespace only.
 */
static bool is_stranger(const struct kube *k, const struct object *service)
{
	const char *home = cluster_pod_namespace(k->cluster);

	return home[0] != '\0' && strcmp(service->ns, home) != 0;
}

/* The addresses that clients reach the services by. */
static void add_addresses(struct own *own)
{
	vec_for_each(&own->services, s) {
		const struct service_data *data = &s->service->service;

		if (data->is_headless)
			vec_push(&own->ips, s->endpoint->ip);
		for (uint32_t i = 0; !data->is_headless && i < data->cluster_ips.len; i++)
			vec_push(&own->ips, data->cluster_ips.at[i]);
	}
}

static void find_services(struct own *own, const struct kube *k)
{
	vec_for_each(&k->local, ip) {
		const struct kube_entry *entry;

		for (struct addr_walk w = {NULL, 0};
			(entry = kube_owners_next(&k->owners, ip, &w)) != NULL;) {
			const struct object *service = service_of(k, entry);
			const struct kube_endpoint *p;
			unsigned at = 0;

			if (service == NULL || entry->home->is_imported || is_stranger(k, service))
				continue;
			while ((p = kube_next_with_ip(entry, ip, &at)) != NULL)
				add_service(own, service, p);
		}
	}
	add_addresses(own);
}

void kube_own_services(const struct kube *k, cluster_own_fn *fn, void *arg)
{
	struct own own = {{NULL, 0, 0}, {NULL, 0, 0}};

	if (k->is_started)
		find_services(&own, k);
	vec_for_each(&own.services, s)
		fn(arg, s->service, &s->endpoint->ip);
	if (own.services.len == 0)
		vec_for_each(&k->local, ip)
			fn(arg, NULL, ip);
	vec_free(&own.services);
	vec_free(&own.ips);
}

/* The zone that Services which serve z have names in. */
static const struct kube_zone *home_of(const struct kube *k, const struct kube_zone *z)
{
	return z->is_reverse || z->is_imported ? k->primary : z;
}

bool kube_same_set(const struct rrset *a, const struct rrset *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->wire_len == b->wire_len && memcmp(a->wire, b->wire, a->wire_len) == 0;
}

static bool has_target(const struct rrset_builder *b, const uint8_t *target, size_t len)
{
	const uint8_t *p = (const uint8_t *)b->wire.at;

	for (unsigned i = 0; i < b->count; i++) {
		size_t n = (size_t)(p[10] << 8 | p[11]);

		if (n == len && memcmp(p + RR_FIXED, target, n) == 0)
			return true;
		p += RR_FIXED + n;
	}
	return false;
}

/* SVC.NS.svc.ZONE, with the endpoint's label in front in a headless service; once. */
static void add_target(
	struct rrset_builder *b, const struct kube_zone *zone, const struct own_service *s)
{
	uint8_t name[KUBE_LABELS_MAX + KUBE_KEY_MAX + NAME_MAX_OCTETS];
	const struct kube_endpoint *p = s->endpoint;
	size_t n = s->service->service.is_headless ? kube_write_label(name, p->label, &p->ip) : 0;

	n += kube_service_key(name + n, s->service->ns, s->service->name);
	memcpy(name + n, zone->name.wire, zone->name.len);
	n += zone->name.len;
	if (n <= NAME_MAX_OCTETS && !has_target(b, name, n))
		rrset_add(b, name, n);
}

static void publish_ns(struct kube *k, struct kube_zone *z, const struct own *own)
{
	struct rrset_builder b = {.type = TYPE_NS, .ttl = k->options.ttl};
	const struct kube_zone *home = home_of(k, z);
	const struct rrset *old = z->ns, *set;
	struct name name = z->is_reverse ? home->name : z->name;

	vec_for_each(&own->services, s)
		add_target(&b, home, s);
	if (b.count == 0 && name_prepend(&name, STR("dns")) == 0 &&
		name_prepend(&name, STR("ns")) == 0)
		rrset_add(&b, name.wire, name.len);
	set = rrset_build(&b);
	if (kube_same_set(old, set)) {
		free((void *)(uintptr_t)set);
		return;
	}
	kube_note_ns(z, old, set);
	rcu_publish(z->ns, set);
	rcu_retire((void *)(uintptr_t)old, free);
}

/* ns.dns.ZONE, which is also the primary server of the SOA record. */
static void put_own_name(struct kube *k, struct kube_zone *z, const struct own *own)
{
	static const uint8_t key[] = "\2ns\3dns";
	struct kube_entry *entry = kube_entry_new(ENTRY_RECORDS, key, 7);
	const struct kube_entry *old = (const struct kube_entry *)table_find(
		&z->table, key, 7, table_hash(&z->table, key, 7));

	kube_entry_set_addresses(k, entry, own->ips.at, own->ips.len);
	if (old != NULL && kube_same_set(old->a, entry->a) &&
		kube_same_set(old->aaaa, entry->aaaa)) {
		kube_entry_free(entry);
		return;
	}
	kube_note_entry(k, z, old, entry);
	rcu_retire(table_put(&z->table, &entry->head), kube_entry_free);
}

void kube_compile_apex(struct kube *k)
{
	struct own own = {{NULL, 0, 0}, {NULL, 0, 0}};

	if (k->is_started)
		find_services(&own, k);
	if (own.services.len == 0)
		vec_for_each(&k->local, ip)
			vec_push(&own.ips, *ip);
	vec_for_each(&k->zones, z) {
		publish_ns(k, *z, &own);
		if (!(*z)->is_reverse)
			put_own_name(k, *z, &own);
	}
	vec_free(&own.services);
	vec_free(&own.ips);
}
