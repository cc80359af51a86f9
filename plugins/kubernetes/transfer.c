/*
 * Zones of a cluster for the plugin transfer. An image is a list of references to the entries that
 * the zone's table had, made in a moment: the records are written out of them while they are sent.
 * For IXFR each change of an entry is kept as the records that it changed.
 */
#include <stdlib.h>

#include "core/zone_list.h"
#include "kubernetes/cluster.h"
#include "kubernetes/transfer_walk.h"

/* --- images ----------------------------------------------------------------------------------- */

struct ips {
	struct ip *at; /* sorted */
	size_t n;
};

/* Entries of one table. Of a reverse zone, those that its PTR records point to. */
struct part {
	struct kube_walk walk;
	struct kube_entry **entries; /* referenced */
	size_t n;
	/* of a reverse zone: addresses whose records are those of services, and of others */
	struct ips services, foreign;
};

struct image {
	struct zone_image image;
	struct name zone;
	struct rrset *ns; /* or NULL */
	bool is_reverse;
	struct part parts[2]; /* of a reverse zone, the second one is imported */
};

static int compare_ip(const void *a, const void *b)
{
	const struct ip *x = a, *y = b;

	return x->len != y->len ? x->len - y->len : memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

static bool has_ip(const struct ips *ips, const struct ip *ip)
{
	return ips->n > 0 && bsearch(ip, ips->at, ips->n, sizeof(*ip), compare_ip) != NULL;
}

/* What this cluster calls an address counts most, and a service more than its endpoints. */
static bool is_hidden(const void *arg, const struct ip *ip, bool is_own)
{
	const struct part *p = arg;

	return has_ip(&p->foreign, ip) || (!is_own && has_ip(&p->services, ip));
}

static bool walk_unit(const struct image *i, struct zone_cursor *c, struct buf *row, size_t enough)
{
	size_t unit = c->unit - 1;

	if (c->unit == 0) {
		records_add_set(row, i->zone.wire, i->ns);
		return false;
	}
	for (const struct part *p = i->parts; p < i->parts + 2; p++) {
		if (unit < p->n)
			return i->is_reverse
				? kube_walk_ptr(&p->walk, p->entries[unit], c, row, enough)
				: kube_walk_entry(&p->walk, p->entries[unit], c, row, enough);
		unit -= p->n;
	}
	return false;
}

static bool walk(const struct zone_image *image, struct zone_cursor *c, struct buf *row)
{
	const struct image *i = (const struct image *)image;
	size_t before = row->len, enough = before + ZONE_WALK_STEP;

	while (c->unit <= i->parts[0].n + i->parts[1].n && row->len < enough)
		if (!walk_unit(i, c, row, enough))
			*c = (struct zone_cursor){c->unit + 1, 0, 0};
	return row->len > before;
}

static void fini(struct zone_image *image)
{
	struct image *i = (struct image *)image;

	for (struct part *p = i->parts; p < i->parts + 2; p++) {
		for (size_t n = 0; n < p->n; n++)
			kube_entry_free(p->entries[n]);
		free(p->entries);
		free(p->services.at);
		free(p->foreign.at);
	}
	free(i->ns);
	free(i);
}

/* Take references to what the table of a zone has now. */
static void take_entries(struct part *p, const struct kube_zone *z)
{
	struct table_entry *e;
	size_t pos = 0;

	p->walk.zone = z->name;
	p->entries = mem_array(z->table.count, sizeof(struct kube_entry *));
	while ((e = table_next(&z->table, &pos)) != NULL) {
		struct kube_entry *entry = (struct kube_entry *)e;

		if (entry->kind == ENTRY_NODE)
			continue;
		ref_take(&entry->ref);
		p->entries[p->n++] = entry;
	}
}

typedef VEC(struct ip) ip_list;

static void add_addresses(ip_list *list, const struct rrset *set, uint8_t len)
{
	for (unsigned n = 0; set != NULL && n < set->count; n++) {
		struct ip ip = {.len = len};
		uint16_t octets;

		memcpy(ip.bytes, rrset_rdata(set, n, &octets), len);
		vec_push(list, ip);
	}
}

static struct ips sorted(const ip_list *list)
{
	if (list->len > 1)
		qsort(list->at, list->len, sizeof(*list->at), compare_ip);
	return (struct ips){list->at, list->len};
}

/* Addresses of services: endpoints that have one have no PTR record of their own. */
static void collect_services(struct part *p)
{
	ip_list list = {NULL, 0, 0};

	for (size_t at = 0; at < p->n; at++) {
		const struct kube_entry *entry = p->entries[at];

		if (entry->kind != ENTRY_SERVICE || entry->is_headless)
			continue;
		add_addresses(&list, entry->a, 4);
		add_addresses(&list, entry->aaaa, 16);
	}
	p->services = sorted(&list);
}

/* Addresses of imported services that mean something in this cluster. */
static void collect_foreign(const struct kube *k, struct part *p)
{
	ip_list all = {NULL, 0, 0}, list = {NULL, 0, 0};

	for (size_t i = 0; i < p->services.n; i++)
		vec_push(&all, p->services.at[i]);
	for (size_t at = 0; at < p->n; at++)
		for (uint32_t i = 0; i < p->entries[at]->n_endpoints; i++)
			vec_push(&all, p->entries[at]->endpoints[i].ip);
	vec_for_each(&all, ip)
		if (kube_owners_is_local(k, ip))
			vec_push(&list, *ip);
	vec_free(&all);
	p->foreign = sorted(&list);
}

static struct kube_walk walk_of(const struct kube *k, const struct kube_zone *z)
{
	return (struct kube_walk){.zone = z->name, .ttl = k->options.ttl};
}

static struct zone_image *make_image(const struct kube *k, struct kube_zone *z)
{
	static const struct zone_image_ops ops = {walk, fini};
	struct image *i = mem_new(struct image);

	zone_image_init(&i->image, &ops, z->soa);
	i->zone = z->name;
	i->is_reverse = z->is_reverse;
	if (z->ns != NULL)
		i->ns = mem_dup(z->ns, sizeof(*z->ns) + z->ns->wire_len);
	take_entries(&i->parts[0], z->is_reverse ? k->primary : z);
	if (z->is_reverse && k->imported != NULL && k->imported != k->primary)
		take_entries(&i->parts[1], k->imported);
	for (struct part *p = i->parts; p < i->parts + 2; p++) {
		if (z->is_reverse)
			collect_services(p);
		p->walk.ttl = k->options.ttl;
		p->walk.reverse = z->name;
		p->walk.is_hidden = is_hidden;
		p->walk.arg = p;
	}
	collect_foreign(k, &i->parts[1]);
	zone_history_see(&z->history);
	return &i->image;
}

/* --- changes ---------------------------------------------------------------------------------- */

static bool is_never_hidden(const void *arg, const struct ip *ip, bool is_own)
{
	(void)arg;
	(void)ip;
	(void)is_own;
	return false;
}

static unsigned count_owners(const struct kube *k, enum object_kind kind, const struct ip *ip)
{
	struct ip_owner owner;
	unsigned n = 0;
	size_t pos = 0;

	while (store_ip_next(cluster_store(k->cluster), kind, ip, &pos, &owner))
		n++;
	return n;
}

/*
 * True when one of the records is not all there is to say about its address: a Service and an
 * endpoint have it, or two Services. What is left to answer then is not known from one entry.
 */
static bool has_conflict(const struct kube *k, const struct buf *row, const struct name *service,
	unsigned services_left)
{
	struct record r;
	size_t pos = 0;

	while (records_next(row, &pos, &r)) {
		struct ip ip = {.len = 0};
		bool is_service;

		ip.len = (uint8_t)name_to_addr(r.owner, ip.bytes);
		is_service = name_equal(r.rdata, service->wire);
		if (count_owners(k, OBJECT_SERVICE, &ip) > (is_service ? services_left : 0))
			return true;
		if (is_service && count_owners(k, OBJECT_SLICE, &ip) > 0)
			return true;
	}
	return false;
}

/* PTR records in one reverse zone that point to names of the entry. */
static void note_ptr(struct kube *k, struct kube_zone *z, const struct kube_walk *w,
	const struct kube_entry *const pair[2])
{
	struct buf before = {0}, after = {0}, removed = {0}, added = {0};
	const struct kube_entry *any = pair[0] != NULL ? pair[0] : pair[1];
	struct name service;

	kube_list_ptr(w, pair[0], &before);
	kube_list_ptr(w, pair[1], &after);
	records_diff(&before, &after, &removed, &added);
	memcpy(service.wire, any->head.key, any->head.key_len);
	memcpy(service.wire + any->head.key_len, w->zone.wire, w->zone.len);
	if (has_conflict(k, &removed, &service, 0) || has_conflict(k, &added, &service, 1))
		zone_history_touch(&z->history);
	else
		zone_history_change(&z->history, &removed, &added);
	buf_free(&before);
	buf_free(&after);
	buf_free(&removed);
	buf_free(&added);
}

/* Reverse zones follow the zones that their records point to. */
static void note_reverse(
	struct kube *k, struct kube_walk *w, const struct kube_entry *const pair[2])
{
	w->is_hidden = is_never_hidden;
	vec_for_each(&k->zones, at) {
		struct kube_zone *z = *at;

		if (!z->is_reverse)
			continue;
		if (!z->history.keeps_changes) {
			zone_history_note(&z->history);
		} else if (!atomic_load(&k->is_synced) || k->imported != NULL) {
			zone_history_touch(&z->history);
		} else {
			w->reverse = z->name;
			note_ptr(k, z, w, pair);
		}
	}
}

void kube_note_entry(struct kube *k, struct kube_zone *z, const struct kube_entry *old,
	const struct kube_entry *entry)
{
	const struct kube_entry *const pair[] = {old, entry};
	struct kube_walk w = walk_of(k, z);
	struct buf before = {0}, after = {0};

	if (kube_same_entry(old, entry))
		return;
	if (z->history.keeps_changes && !kube_is_known(k, z)) {
		zone_history_touch(&z->history); /* so much comes at the start */
	} else if (z->history.keeps_changes) {
		kube_list_entry(&w, old, &before);
		kube_list_entry(&w, entry, &after);
		zone_history_change(&z->history, &before, &after);
	}
	zone_history_note(&z->history); /* names without records are seen, too */
	if (k->has_reverse && (z == k->primary || z == k->imported))
		note_reverse(k, &w, pair);
	buf_free(&before);
	buf_free(&after);
}

void kube_note_ns(struct kube_zone *z, const struct rrset *old, const struct rrset *ns)
{
	struct buf before = {0}, after = {0};

	records_add_set(&before, z->name.wire, old);
	records_add_set(&after, z->name.wire, ns);
	zone_history_change(&z->history, &before, &after);
	buf_free(&before);
	buf_free(&after);
}

/* --- hooks ------------------------------------------------------------------------------------ */

static struct kube_zone *find(const struct kube *k, const struct name *name)
{
	vec_for_each(&k->zones, z)
		if (name_equal((*z)->name.wire, name->wire))
			return *z;
	return NULL;
}

/* The zone, when everything in it is known. */
static struct kube_zone *find_known(const struct kube *k, const struct name *name)
{
	struct kube_zone *z = find(k, name);

	return z != NULL && kube_is_known(k, z) ? z : NULL;
}

static void zones(const void *instance, struct zone_list *out)
{
	const struct kube *k = instance;

	vec_for_each(&k->zones, z)
		zone_list_add(out, &(*z)->name);
}

static bool serial(void *instance, const struct name *zone, uint32_t *out)
{
	const struct kube_zone *z = find_known(instance, zone);

	if (z != NULL)
		*out = zone_history_serial(&z->history);
	return z != NULL;
}

static struct zone_image *image(void *instance, const struct name *zone)
{
	struct kube_zone *z = find_known(instance, zone);

	return z == NULL ? NULL : make_image(instance, z);
}

static struct zone_image *changes(void *instance, const struct name *zone, uint32_t since)
{
	struct kube_zone *z = find_known(instance, zone);

	return z == NULL ? NULL
			 : zone_history_changes(&z->history, z->name.wire, z->soa, since);
}

static void keep_changes(void *instance, const struct name *zone)
{
	struct kube_zone *z = find(instance, zone);

	if (z != NULL)
		zone_history_keep(&z->history);
}

const struct plugin_transfer kube_transfer = {
	.zones = zones,
	.serial = serial,
	.image = image,
	.changes = changes,
	.keep_changes = keep_changes,
};
