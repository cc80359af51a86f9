/*
 * PTR records of external addresses: the names of all services that have one.
 */
#include <stdlib.h>

#include "k8s_external/external.h"

void external_address_free(void *object)
{
	struct external_address *a = object;

	if (a == NULL)
		return;
	free((void *)(uintptr_t)a->ptr);
	free(a);
}

static struct str key_of(const struct ip *ip)
{
	return (struct str){(const char *)ip->bytes, ip->len};
}

/* SVC.NS.ZONE; false when that is no name. */
static bool make_target(
	struct name *out, const struct external *x, const struct external_service *s)
{
	*out = x->primary->name;
	if (name_prepend(out, s->ns) != 0 || name_prepend(out, s->name) != 0)
		return false;
	name_fold(out->wire, out->wire, out->len);
	return true;
}

static int compare_names(const void *p, const void *q)
{
	const struct external_service *const *a = p, *const *b = q;

	return strcmp((*a)->key, (*b)->key);
}

static const struct rrset *make_ptr(const struct external *x, struct external_owners *o)
{
	struct rrset_builder b = {.type = TYPE_PTR, .ttl = x->options.ttl};

	/* an order of their own, so that what came first does not count as a change */
	qsort(o->services.at, o->services.len, sizeof(*o->services.at), compare_names);
	vec_for_each(&o->services, s) {
		struct name target;

		if (make_target(&target, x, *s))
			rrset_add(&b, target.wire, target.len);
	}
	return rrset_build(&b);
}

static struct prefix_set *prefixes(struct external *x, const struct ip *ip)
{
	return ip->len == 4 ? &x->v4 : &x->v6;
}

static void put_address(struct external *x, struct external_owners *o)
{
	struct external_address *a = mem_new(struct external_address);
	const struct external_address *old = (const struct external_address *)table_find(
		&x->addresses, o->ip.bytes, o->ip.len,
		table_hash(&x->addresses, o->ip.bytes, o->ip.len));

	a->ptr = make_ptr(x, o);
	if (a->ptr == NULL || (old != NULL && external_same_set(old->ptr, a->ptr))) {
		external_address_free(a);
		return;
	}
	memcpy(a->key, o->ip.bytes, o->ip.len);
	a->head.key = a->key;
	a->head.key_len = o->ip.len;
	external_note_ptr(x, &o->ip, old == NULL ? NULL : old->ptr, a->ptr);
	if (old == NULL)
		prefix_set_add(prefixes(x, &o->ip), a->key);
	rcu_retire(table_put(&x->addresses, &a->head), external_address_free);
}

static void remove_address(struct external *x, struct external_owners *o)
{
	struct external_address *old;

	old = (struct external_address *)table_remove(&x->addresses, o->ip.bytes, o->ip.len);
	if (old != NULL) {
		external_note_ptr(x, &o->ip, old->ptr, NULL);
		prefix_set_remove(prefixes(x, &o->ip), o->ip.bytes);
	}
	rcu_retire(old, external_address_free);
	map_del(&x->owners, key_of(&o->ip));
	vec_free(&o->services);
	free(o);
}

/* Its records are made at the end of a piece of input: thousands of services may share it. */
static void mark(struct external *x, struct external_owners *o)
{
	if (!o->is_dirty)
		vec_push(&x->dirty, o);
	o->is_dirty = true;
}

void external_compile_addresses(struct external *x)
{
	vec_for_each(&x->dirty, at) {
		struct external_owners *o = *at;

		o->is_dirty = false;
		if (o->services.len == 0)
			remove_address(x, o);
		else
			put_address(x, o);
	}
	x->dirty.len = 0;
}

static void add_owner(struct external *x, const struct external_service *s, const struct ip *ip)
{
	struct external_owners *o = map_get(&x->owners, key_of(ip));

	if (o == NULL) {
		o = mem_new(struct external_owners);
		o->ip = *ip;
		map_put(&x->owners, key_of(&o->ip), o);
	}
	vec_push(&o->services, s);
	mark(x, o);
}

static void remove_owner(struct external *x, const struct external_service *s, const struct ip *ip)
{
	struct external_owners *o = map_get(&x->owners, key_of(ip));
	size_t n = 0;

	if (o == NULL)
		return;
	for (size_t i = 0; i < o->services.len; i++)
		if (o->services.at[i] != s)
			o->services.at[n++] = o->services.at[i];
	o->services.len = n;
	mark(x, o);
}

static bool has_ip(const struct ip *ips, size_t n, const struct ip *ip)
{
	for (size_t i = 0; i < n; i++)
		if (ip_eq(&ips[i], ip))
			return true;
	return false;
}

void external_set_owner(
	struct external *x, struct external_service *s, const struct ip *ips, size_t n)
{
	size_t kept = 0;

	if (!x->has_reverse)
		n = 0;
	for (size_t i = 0; i < s->ips.len; i++) {
		if (has_ip(ips, n, &s->ips.at[i]))
			s->ips.at[kept++] = s->ips.at[i];
		else
			remove_owner(x, s, &s->ips.at[i]);
	}
	s->ips.len = kept;
	for (size_t i = 0; i < n; i++) {
		if (has_ip(s->ips.at, s->ips.len, &ips[i]))
			continue;
		vec_push(&s->ips, ips[i]);
		add_owner(x, s, &ips[i]);
	}
}

void external_owners_free(struct external *x)
{
	struct external_owners *o;
	size_t pos = 0;

	while ((o = map_next(&x->owners, &pos)) != NULL) {
		vec_free(&o->services);
		free(o);
	}
	map_fini(&x->owners);
	vec_free(&x->dirty);
}
