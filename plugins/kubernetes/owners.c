#include "kubernetes/owners.h"

#include "kubernetes/kube.h"

/* Reverse names above an address: of whole octets for IPv4, of half octets for IPv6. */
#define ABOVE_BITS4 24u
#define ABOVE_BITS6 124u

void kube_owners_init(struct kube_owners *o)
{
	addr_table_init(&o->v4, 4);
	addr_table_init(&o->v6, 16);
	prefix_set_init(&o->above4, ABOVE_BITS4);
	prefix_set_init(&o->above6, ABOVE_BITS6);
	slots_init(&o->entries, 0, 0);
}

void kube_owners_fini(struct kube_owners *o)
{
	addr_table_fini(&o->v4);
	addr_table_fini(&o->v6);
	prefix_set_fini(&o->above4);
	prefix_set_fini(&o->above6);
	slots_fini(&o->entries);
}

/* --- addresses of entries ---------------------------------------------------------------- */

struct ips {
	VEC(struct ip) list;
};

static int compare_ips(const void *x, const void *y)
{
	return ip_compare(x, y);
}

static void add_set(struct ips *out, const struct rrset *set)
{
	for (unsigned i = 0; set != NULL && i < set->count; i++) {
		struct ip ip = {0};
		uint16_t n;
		const uint8_t *octets = rrset_rdata(set, i, &n);

		ip.len = (uint8_t)n;
		memcpy(ip.bytes, octets, n);
		vec_push(&out->list, ip);
	}
}

/* Nobody asks for other addresses without a reverse zone. */
static bool is_wanted(const struct kube *k, const struct ip *ip)
{
	if (k->has_reverse)
		return true;
	vec_for_each(&k->local, own)
		if (ip_eq(own, ip))
			return true;
	return false;
}

/* The addresses of an entry, sorted, each once. Endpoints without a label are sorted already. */
static void collect(struct ips *out, const struct kube *k, const struct kube_entry *entry)
{
	size_t n = 0;

	if (entry == NULL)
		return;
	vec_reserve(&out->list, entry->n_endpoints + 4u);
	for (uint32_t i = 0; i < entry->n_endpoints; i++)
		vec_push(&out->list, entry->endpoints[i].ip);
	if (!entry->is_headless) {
		add_set(out, entry->a);
		add_set(out, entry->aaaa);
	}
	if (out->list.len > entry->n_plain)
		qsort(out->list.at, out->list.len, sizeof(*out->list.at), compare_ips);
	for (size_t i = 0; i < out->list.len; i++)
		if (is_wanted(k, &out->list.at[i]) &&
			(n == 0 || compare_ips(&out->list.at[n - 1], &out->list.at[i]) != 0))
			out->list.at[n++] = out->list.at[i];
	out->list.len = n;
}

static bool set_has(const struct rrset *set, const struct ip *ip)
{
	uint16_t n;

	for (unsigned i = 0; set != NULL && i < set->count; i++)
		if (memcmp(rrset_rdata(set, i, &n), ip->bytes, ip->len) == 0)
			return true;
	return false;
}

/* True for an address that the API server gave to this service. */
static bool is_own(const struct kube_entry *entry, const struct ip *ip)
{
	return !entry->is_headless && set_has(ip->len == 4 ? entry->a : entry->aaaa, ip);
}

/* Anybody can say that an address is an endpoint of his: that never hides whose own it is. */
static void add(struct kube_owners *o, const struct ip *ip, const struct kube_entry *entry)
{
	struct addr_table *t = ip->len == 4 ? &o->v4 : &o->v6;
	bool is_first = !entry->home->is_imported && is_own(entry, ip);

	if (is_first ? addr_table_add_first(t, ip->bytes, entry->number)
		     : addr_table_add(t, ip->bytes, entry->number))
		prefix_set_add(ip->len == 4 ? &o->above4 : &o->above6, ip->bytes);
}

static void drop(struct kube_owners *o, const struct ip *ip, uint32_t number)
{
	if (addr_table_remove(ip->len == 4 ? &o->v4 : &o->v6, ip->bytes, number))
		prefix_set_remove(ip->len == 4 ? &o->above4 : &o->above6, ip->bytes);
}

/*
 * Both lists are sorted: add what only the new one has, and its own again, as it may not have been
 * so before; drop what only the old one has.
 */
static void change(struct kube_owners *o, const struct ips *old, const struct ips *new,
	const struct kube_entry *entry, uint32_t number)
{
	size_t i = 0, k = 0;

	while (i < old->list.len || k < new->list.len) {
		int order = i == old->list.len ? 1
			: k == new->list.len   ? -1
					       : compare_ips(&old->list.at[i], &new->list.at[k]);

		if (order < 0)
			drop(o, &old->list.at[i], number);
		else if (order > 0 || is_own(entry, &new->list.at[k]))
			add(o, &new->list.at[k], entry);
		i += order <= 0;
		k += order >= 0;
	}
}

static struct kube_entry *only_service(struct kube_entry *entry)
{
	return entry == NULL || entry->kind != ENTRY_SERVICE ? NULL : entry;
}

void kube_owners_replace(struct kube *k, struct kube_entry *old, struct kube_entry *entry)
{
	struct kube_owners *o = &k->owners;
	struct ips before = {{NULL, 0, 0}}, now = {{NULL, 0, 0}};
	uint32_t number;

	old = only_service(old);
	entry = only_service(entry);
	if (old == NULL && entry == NULL)
		return;
	number = old == NULL ? slots_take(&o->entries) : old->number;
	if (entry != NULL)
		entry->number = number;
	collect(&before, k, old);
	collect(&now, k, entry);
	slots_set(&o->entries, number, entry);
	change(o, &before, &now, entry, number);
	if (entry == NULL)
		slots_give(&o->entries, number);
	vec_free(&before.list);
	vec_free(&now.list);
}

/* --- PTR records ------------------------------------------------------------------------- */

/* What an address is to an entry; the first one that some entry has is what counts. */
enum claim { OWN_ADDRESS, ENDPOINT, IMPORTED_ADDRESS, IMPORTED_ENDPOINT, NONE };

static enum claim claim_of(const struct kube_entry *entry, const struct ip *ip)
{
	unsigned at = 0;

	if (entry == NULL)
		return NONE;
	if (is_own(entry, ip))
		return entry->home->is_imported ? IMPORTED_ADDRESS : OWN_ADDRESS;
	if (kube_next_with_ip(entry, ip, &at) == NULL)
		return NONE;
	return entry->home->is_imported ? IMPORTED_ENDPOINT : ENDPOINT;
}

/* Labels, the entry's key, and its zone; a name that is too long is left out. */
static void add_name(struct rrset_builder *b, const struct kube_entry *entry, const uint8_t *labels,
	size_t n_labels)
{
	const struct name *zone = &entry->home->name;
	size_t key_len = entry->head.key_len, n = n_labels + key_len + zone->len;
	uint8_t name[KUBE_LABELS_MAX + KUBE_KEY_MAX + NAME_MAX_OCTETS];

	if (n > NAME_MAX_OCTETS)
		return;
	if (n_labels > 0)
		memcpy(name, labels, n_labels);
	memcpy(name + n_labels, entry->key, key_len);
	memcpy(name + n_labels + key_len, zone->wire, zone->len);
	rrset_add(b, name, n);
}

static void add_endpoint_names(
	struct rrset_builder *b, const struct kube_entry *entry, const struct ip *ip, size_t room)
{
	uint8_t labels[KUBE_LABELS_MAX];
	const struct kube_endpoint *p;
	unsigned at = 0;

	while (b->wire.len <= room && (p = kube_next_with_ip(entry, ip, &at)) != NULL)
		add_name(b, entry, labels, kube_write_label(labels, p->label, &p->ip));
}

const struct kube_entry *kube_owners_next(
	const struct kube_owners *o, const struct ip *ip, struct addr_walk *w)
{
	const struct addr_table *t = ip->len == 4 ? &o->v4 : &o->v6;
	const struct kube_entry *entry = NULL;
	uint32_t number;

	while (entry == NULL && (number = addr_table_next(t, ip->bytes, w)) != 0)
		entry = slots_get(&o->entries, number);
	return entry;
}

const struct rrset *kube_owners_ptr(
	const struct kube *k, const struct ip *ip, size_t room, struct arena *arena)
{
	struct rrset_builder b = {.type = TYPE_PTR, .ttl = k->options.ttl, .arena = arena};
	const struct kube_entry *entry;
	enum claim best = NONE;

	for (struct addr_walk w = {NULL, 0};
		(entry = kube_owners_next(&k->owners, ip, &w)) != NULL;) {
		enum claim claim = claim_of(entry, ip);

		best = claim < best ? claim : best;
	}
	for (struct addr_walk w = {NULL, 0};
		best != NONE && (entry = kube_owners_next(&k->owners, ip, &w)) != NULL;) {
		if (claim_of(entry, ip) != best)
			continue;
		if (best == ENDPOINT || best == IMPORTED_ENDPOINT)
			add_endpoint_names(&b, entry, ip, room);
		else if (b.count == 0) /* a service's own address has one name */
			add_name(&b, entry, NULL, 0);
	}
	return rrset_build_in(&b, arena);
}

bool kube_owners_is_local(const struct kube *k, const struct ip *ip)
{
	const struct kube_entry *entry;

	for (struct addr_walk w = {NULL, 0};
		(entry = kube_owners_next(&k->owners, ip, &w)) != NULL;)
		if (claim_of(entry, ip) <= ENDPOINT)
			return true;
	return false;
}

bool kube_owners_has_below(
	const struct kube_owners *o, const uint8_t *prefix, unsigned octets, unsigned bits)
{
	return prefix_set_has(octets == 4 ? &o->above4 : &o->above6, prefix, bits);
}
