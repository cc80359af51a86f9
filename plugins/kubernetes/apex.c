/*
 * The server's own names: NS records of each zone and the addresses of ns.dns.ZONE. The server
 * finds the Services that it is an endpoint of by its own addresses, as CoreDNS does.
 */
#include "kubernetes/kube.h"

#include <stdlib.h>

#include "kubernetes/cluster.h"

/* A Service that has this server as a ready endpoint. */
struct own_service {
	const struct object *service;
	struct endpoint endpoint; /* this server */
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

static void add_service(struct own *own, const struct object *service, const struct endpoint *p)
{
	/* a headless service has a name for each address, others have one name */
	if (!service->service.is_headless && has_service(own, service))
		return;
	vec_push(&own->services, (struct own_service){service, *p});
	if (service->service.is_headless)
		vec_push(&own->ips, p->ip);
	else
		for (uint32_t i = 0; i < service->service.cluster_ips.len; i++)
			vec_push(&own->ips, service->service.cluster_ips.at[i]);
}

static void find_services(struct own *own, const struct kube *k)
{
	const struct store *st = cluster_store(k->cluster);

	vec_for_each(&k->local, ip) {
		struct ip_owner owner;
		size_t pos = 0;

		while (store_ip_next(st, OBJECT_SLICE, ip, &pos, &owner)) {
			const struct object *o = owner.object, *service;
			struct endpoint p = slice_endpoint(&o->slice, owner.item);

			if (!p.is_ready || o->slice.service == NULL || o->slice.is_imported)
				continue;
			service = store_service(st, o->ns, o->slice.service);
			if (service != NULL && kube_has_service(k, o->ns, o->slice.service))
				add_service(own, service, &p);
		}
	}
}

void kube_own_services(const struct kube *k, cluster_own_fn *fn, void *arg)
{
	struct own own = {{NULL, 0, 0}, {NULL, 0, 0}};

	if (k->is_started)
		find_services(&own, k);
	vec_for_each(&own.services, s)
		fn(arg, s->service, &s->endpoint.ip);
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

static void publish_ns(struct kube *k, struct kube_zone *z, const struct own *own)
{
	struct rrset_builder b = {.type = TYPE_NS, .ttl = k->options.ttl};
	const struct kube_zone *home = home_of(k, z);
	const struct rrset *old = z->ns, *set;
	struct name name = z->is_reverse ? home->name : z->name;

	vec_for_each(&own->services, s)
		kube_add_target(&b, k,
			&(struct kube_target){
				.zone = home,
				.ns = s->service->ns,
				.service = s->service->name,
				.endpoint = s->service->service.is_headless ? &s->endpoint : NULL,
			});
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
