/*
 * What addresses stand for: PTR records of services and endpoints, namespaces of pods, and the
 * names of this server itself, which it finds by its own address.
 */
#include "kubernetes/kube.h"

#include <stdlib.h>

#include "kubernetes/cluster.h"

/* SVC.NS.svc.ZONE, with the endpoint's label in front when there is one. False: too long. */
static bool make_target(struct name *out, const struct kube *k, const struct object *service,
	const struct endpoint *p)
{
	uint8_t label[NAME_MAX_LABEL + 1];
	const char *ns = service->ns;
	const char *name = service->kind == OBJECT_SLICE ? service->slice.service : service->name;

	*out = k->primary->name;
	if (name_prepend(out, STR("svc")) != 0 || name_prepend(out, str_from(ns)) != 0 ||
		name_prepend(out, str_from(name)) != 0)
		return false;
	if (p == NULL)
		return true;
	kube_write_label(label, kube_endpoint_label(k, p), &p->ip);
	return name_prepend(out, (struct str){(char *)label + 1, label[0]}) == 0;
}

static bool has_target(const struct rrset_builder *b, const struct name *target)
{
	const uint8_t *p = (const uint8_t *)b->wire.at;

	for (unsigned i = 0; i < b->count; i++) {
		size_t n = (size_t)(p[10] << 8 | p[11]);

		if (n == target->len && memcmp(p + RR_FIXED, target->wire, n) == 0)
			return true;
		p += RR_FIXED + n;
	}
	return false;
}

static void add_target(struct rrset_builder *b, const struct kube *k, const struct object *o,
	const struct endpoint *p)
{
	struct name target;

	if (!make_target(&target, k, o, p))
		return;
	name_fold(target.wire, target.wire, target.len);
	if (!has_target(b, &target))
		rrset_add(b, target.wire, target.len);
}

/* A service's own address has one name: that of the first service that has it. */
static void add_service_ptr(struct rrset_builder *b, const struct kube *k, const struct ip *ip)
{
	const struct store *st = cluster_store(k->cluster);
	struct ip_owner owner;
	size_t pos = 0;

	while (b->count == 0 && store_ip_next(st, OBJECT_SERVICE, ip, &pos, &owner))
		if (!owner.object->service.is_headless && kube_is_exposed(k, owner.object->ns) &&
			kube_is_selected(k, owner.object))
			add_target(b, k, owner.object, NULL);
}

/* An endpoint has a name in each service that it belongs to. */
static void add_endpoint_ptr(struct rrset_builder *b, const struct kube *k, const struct ip *ip)
{
	const struct store *st = cluster_store(k->cluster);
	struct ip_owner owner;
	size_t pos = 0;

	while (store_ip_next(st, OBJECT_SLICE, ip, &pos, &owner)) {
		const struct object *o = owner.object;
		const struct endpoint *p = &o->slice.endpoints[owner.item];

		if (p->is_ready && o->slice.service != NULL && !o->slice.is_imported &&
			kube_is_exposed(k, o->ns) && kube_is_selected(k, o))
			add_target(b, k, o, p);
	}
}

static void add_pods(struct kube_address *a, const struct kube *k, const struct ip *ip)
{
	const struct store *st = cluster_store(k->cluster);
	VEC(uint64_t) hashes = {NULL, 0, 0};
	struct ip_owner owner;
	size_t pos = 0;

	if (k->options.pods != PODS_VERIFIED)
		return;
	while (hashes.len < UINT16_MAX && store_ip_next(st, OBJECT_POD, ip, &pos, &owner)) {
		const struct object *o = owner.object;

		if (o->pod.phase != POD_SUCCEEDED && o->pod.phase != POD_FAILED &&
			kube_is_selected(k, o))
			vec_push(&hashes, kube_namespace_hash(k, o->ns, strlen(o->ns)));
	}
	a->pods = hashes.at;
	a->n_pods = (uint16_t)hashes.len;
}

void kube_compile_address(struct kube *k, const struct ip *ip)
{
	struct rrset_builder b = {.type = TYPE_PTR, .ttl = k->options.ttl};
	struct kube_address *a = mem_new(struct kube_address);
	bool is_known = store_is_synced(cluster_store(k->cluster), OBJECT_SLICE) ||
		k->options.no_endpoints;

	add_service_ptr(&b, k, ip);
	if (b.count == 0 && is_known && !k->options.no_endpoints)
		add_endpoint_ptr(&b, k, ip);
	a->ptr = rrset_build(&b);
	add_pods(a, k, ip);
	memcpy(a->key, ip->bytes, ip->len);
	a->head.key = a->key;
	a->head.key_len = ip->len;
	if (a->ptr != NULL || a->n_pods > 0) {
		rcu_retire(table_put(&k->addresses, &a->head), kube_address_free);
		return;
	}
	kube_address_free(a);
	rcu_retire(table_remove(&k->addresses, ip->bytes, ip->len), kube_address_free);
}

/* --- the server's own names -------------------------------------------------------------- */

static void free_rrset(void *object)
{
	free(object);
}

/* Services that have one of our addresses as an endpoint: they are the zone's name servers. */
static void add_own_services(struct rrset_builder *b, const struct kube *k)
{
	const struct store *st = cluster_store(k->cluster);

	vec_for_each(&k->local, ip) {
		struct ip_owner owner;
		size_t pos = 0;

		while (store_ip_next(st, OBJECT_SLICE, ip, &pos, &owner)) {
			const struct object *o = owner.object, *service;

			if (o->slice.service == NULL || o->slice.is_imported)
				continue;
			service = store_service(st, o->ns, o->slice.service);
			if (service != NULL && kube_is_exposed(k, o->ns))
				add_target(b, k, service,
					service->service.is_headless
						? &o->slice.endpoints[owner.item]
						: NULL);
		}
	}
}

/* ns.dns.ZONE with our addresses, which is also the primary server of the SOA record. */
static void put_own_name(const struct kube *k, struct kube_zone *z)
{
	struct kube_entry *entry = kube_entry_new(ENTRY_RECORDS, (const uint8_t *)"\2ns\3dns", 7);
	struct rrset_builder v4 = {.type = TYPE_A, .ttl = k->options.ttl};
	struct rrset_builder v6 = {.type = TYPE_AAAA, .ttl = k->options.ttl};

	vec_for_each(&k->local, ip)
		rrset_add(ip->len == 4 ? &v4 : &v6, ip->bytes, ip->len);
	entry->a = rrset_build(&v4);
	entry->aaaa = rrset_build(&v6);
	rcu_retire(table_put(&z->table, &entry->head), kube_entry_free);
}

void kube_compile_apex(struct kube *k)
{
	struct rrset_builder b = {.type = TYPE_NS, .ttl = k->options.ttl};

	vec_for_each(&k->zones, z) {
		const struct rrset *old = (*z)->ns;
		struct name own = k->primary->name;

		if (k->is_started)
			add_own_services(&b, k);
		if (b.count == 0 && name_prepend(&own, STR("dns")) == 0 &&
			name_prepend(&own, STR("ns")) == 0)
			rrset_add(&b, own.wire, own.len);
		rcu_publish((*z)->ns, rrset_build(&b));
		rcu_retire((void *)(uintptr_t)old, free_rrset);
		if (!(*z)->is_reverse)
			put_own_name(k, *z);
	}
}
