/*
 * Whole zones for the plugin transfer: all names that are stored, and those of headless Services.
 * Endpoints of other Services can be asked for, but are not handed out, as in CoreDNS.
 */
#include <sys/socket.h>

#include "base/arena.h"
#include "dns/wire.h"
#include "k8s_external/external.h"

#define SRV_FIXED 6u

/* --- names ------------------------------------------------------------------------------- */

/* Put "_LABEL" in front. */
static bool prepend_underscored(struct name *out, const uint8_t *label)
{
	char text[NAME_MAX_LABEL + 1];

	if (label[0] >= NAME_MAX_LABEL)
		return false;
	text[0] = '_';
	memcpy(text + 1, label + 1, label[0]);
	return name_prepend(out, (struct str){text, 1u + label[0]}) == 0;
}

bool external_entry_name(
	struct name *out, const struct external_zone *z, const struct external_entry *entry)
{
	const uint8_t *key = entry->head.key;
	size_t n = entry->head.key_len;
	struct name bare;

	memcpy(bare.wire, key, n);
	memcpy(bare.wire + n, z->name.wire, z->name.len);
	bare.len = (uint8_t)(n + z->name.len);
	*out = bare;
	if (entry->kind != EXTERNAL_PORT)
		return true;
	name_set(out, name_skip(bare.wire, 2));
	return prepend_underscored(out, name_skip(bare.wire, 1)) &&
		prepend_underscored(out, bare.wire);
}

bool external_endpoint_zone(const struct external *x, const struct external_zone *z,
	const struct object *service, struct name *out)
{
	struct external_name n = {.zone = z, .name = out->wire, .labels = 2};

	*out = z->name;
	if (z->is_reverse || name_prepend(out, str_from(service->ns)) != 0 ||
		name_prepend(out, str_from(service->name)) != 0)
		return false;
	name_fold(out->wire, out->wire, out->len);
	n.len = (size_t)out->len - z->name.len;
	return external_is_endpoint(x, &n);
}

/* --- records ----------------------------------------------------------------------------- */

/* A port's name has its SRV records; the addresses are those of the service. */
static void add_entry(
	struct buf *row, const struct external_zone *z, const struct external_entry *entry)
{
	struct name name;

	if (entry == NULL || !external_entry_name(&name, z, entry))
		return;
	if (entry->kind != EXTERNAL_PORT) {
		records_add_set(row, name.wire, entry->a);
		records_add_set(row, name.wire, entry->aaaa);
	}
	records_add_set(row, name.wire, entry->other);
}

static void change(struct external_zone *z, struct buf *before, struct buf *after)
{
	zone_history_change(&z->history, before, after);
	buf_free(before);
	buf_free(after);
}

void external_note_entry(struct external *x, struct external_zone *z,
	const struct external_entry *old, const struct external_entry *now)
{
	struct buf before = {0}, after = {0};

	(void)x;
	z->must_move = true;
	/* a name without records that comes or goes can be asked for, too */
	zone_history_note(&z->history);
	if (!z->history.keeps_changes)
		return;
	add_entry(&before, z, old);
	add_entry(&after, z, now);
	change(z, &before, &after);
}

static void reverse_name(struct name *out, const struct ip *ip)
{
	name_from_addr(out, ip->len == 4 ? AF_INET : AF_INET6, ip->bytes);
}

void external_note_ptr(struct external *x, const struct ip *ip, const struct rrset *old,
	const struct rrset *now)
{
	struct buf before = {0}, after = {0};
	struct external_zone *z;
	struct name name;
	int i;

	reverse_name(&name, ip);
	i = zone_list_match(&x->list, name.wire);
	if (i < 0)
		return;
	z = x->zones.at[i];
	z->must_move = true;
	zone_history_note(&z->history);
	if (!z->history.keeps_changes)
		return;
	records_add_set(&before, name.wire, old);
	records_add_set(&after, name.wire, now);
	change(z, &before, &after);
}

/* --- headless services ------------------------------------------------------------------- */

/* A port of an endpoint, to become an SRV record. */
struct port_of {
	const char *name;
	uint16_t number;
	uint8_t protocol;
	uint32_t endpoint;
};

/* One headless service while its records are written. */
struct headless {
	struct buf *row;
	struct name service; /* SVC.NS.ZONE */
	uint32_t ttl;
	struct arena arena;
	VEC(struct name) endpoints;
	VEC(struct port_of) ports;
};

static void add_address(const struct headless *h, const uint8_t *owner, const struct ip *ip)
{
	records_add(h->row, owner, &(struct record){
		.type = ip->len == 4 ? TYPE_A : TYPE_AAAA,
		.ttl = h->ttl,
		.rdata = ip->bytes,
		.rdlength = ip->len,
	});
}

static void on_endpoint(void *arg, const struct cluster_endpoint *endpoint)
{
	struct headless *h = arg;
	struct name name = h->service;
	struct str label = {(const char *)endpoint->label + 1, endpoint->label[0]};

	add_address(h, h->service.wire, endpoint->ip);
	if (name_prepend(&name, label) != 0)
		return;
	add_address(h, name.wire, endpoint->ip);
	for (unsigned i = 0; i < endpoint->n_ports; i++) {
		const struct cluster_port *p = &endpoint->ports[i];

		if (p->name[0] != '\0')
			vec_push(&h->ports, (struct port_of){arena_str(&h->arena, p->name),
				p->number, p->protocol, (uint32_t)h->endpoints.len});
	}
	vec_push(&h->endpoints, name);
}

/* Ports of one name and protocol side by side, which are one record set. */
static int compare_ports(const void *p, const void *q)
{
	const struct port_of *a = p, *b = q;
	int order = strcmp(a->name, b->name);

	if (order != 0)
		return order;
	if (a->protocol != b->protocol)
		return (int)a->protocol - (int)b->protocol;
	return a->endpoint < b->endpoint ? -1 : a->endpoint > b->endpoint;
}

static bool port_name(const struct headless *h, const struct port_of *p, struct name *out)
{
	static const uint8_t *const protocols[] = {
		(const uint8_t *)"\3tcp", (const uint8_t *)"\3udp", (const uint8_t *)"\4sctp"};
	uint8_t label[NAME_MAX_LABEL + 1];

	*out = h->service;
	return p->protocol < ARRAY_LEN(protocols) && external_write_label(label, p->name) != 0 &&
		prepend_underscored(out, protocols[p->protocol]) &&
		prepend_underscored(out, label);
}

/* SRV records of the ports from first on that share its name; the weight as in answers. */
static void add_srv(const struct headless *h, const struct port_of *first, size_t n)
{
	uint8_t rdata[SRV_FIXED + NAME_MAX_OCTETS];
	struct name owner;

	if (!port_name(h, first, &owner))
		return;
	put16(rdata, 0);
	put16(rdata + 2, (uint16_t)(n > 100 ? 1 : 100 / n));
	for (size_t i = 0; i < n; i++) {
		const struct name *target = &h->endpoints.at[first[i].endpoint];

		put16(rdata + 4, first[i].number);
		memcpy(rdata + SRV_FIXED, target->wire, target->len);
		records_add(h->row, owner.wire, &(struct record){
			.type = TYPE_SRV,
			.ttl = h->ttl,
			.rdata = rdata,
			.rdlength = (uint16_t)(SRV_FIXED + target->len),
		});
	}
}

static void add_ports(struct headless *h)
{
	size_t n;

	if (h->ports.len > 1)
		qsort(h->ports.at, h->ports.len, sizeof(*h->ports.at), compare_ports);
	for (size_t i = 0; i < h->ports.len; i += n) {
		const struct port_of *first = &h->ports.at[i];

		for (n = 1; i + n < h->ports.len; n++)
			if (strcmp(first->name, first[n].name) != 0 ||
				first->protocol != first[n].protocol)
				break;
		add_srv(h, first, n);
	}
}

void external_add_headless(struct buf *row, const struct external *x,
	const struct external_zone *z, const struct object *service)
{
	struct headless h = {.row = row, .ttl = x->options.ttl};

	if (!service->service.is_headless || !external_endpoint_zone(x, z, service, &h.service))
		return;
	arena_init(&h.arena);
	x->view->each_endpoint(x->cluster, service, on_endpoint, &h);
	add_ports(&h);
	vec_free(&h.ports);
	vec_free(&h.endpoints);
	arena_reset(&h.arena);
}

/* --- the hooks --------------------------------------------------------------------------- */

static void add_entries(struct buf *row, const struct external_zone *z)
{
	const struct external_entry *entry;
	size_t pos = 0;

	while ((entry = (const struct external_entry *)table_next(&z->table, &pos)) != NULL)
		add_entry(row, z, entry);
}

static void add_services(struct buf *row, const struct external *x, const struct external_zone *z)
{
	const struct object *o;
	size_t pos = 0;

	while (x->options.has_headless &&
		(o = store_next(x->view->store(x->cluster), OBJECT_SERVICE, &pos)) != NULL)
		external_add_headless(row, x, z, o);
}

static void add_reverse(struct buf *row, const struct external *x, const struct external_zone *z)
{
	const struct external_address *a;
	size_t pos = 0;

	while ((a = (const struct external_address *)table_next(&x->addresses, &pos)) != NULL) {
		struct name name;
		int i;

		name_from_addr(&name, a->head.key_len == 4 ? AF_INET : AF_INET6, a->key);
		i = zone_list_match(&x->list, name.wire);
		if (i >= 0 && x->zones.at[i] == z)
			records_add_set(row, name.wire, a->ptr);
	}
}

static struct external_zone *find_zone(const struct external *x, const struct name *name)
{
	vec_for_each(&x->zones, z)
		if (name_equal((*z)->name.wire, name->wire))
			return *z;
	return NULL;
}

/* The zone when it is known whole. */
static struct external_zone *ready_zone(const struct external *x, const struct name *name)
{
	struct external_zone *z = find_zone(x, name);

	return z != NULL && x->view != NULL && x->view->is_synced(x->cluster) ? z : NULL;
}

static void transfer_zones(const void *instance, struct zone_list *out)
{
	const struct external *x = instance;

	vec_for_each(&x->zones, z)
		zone_list_add(out, &(*z)->name);
}

static bool transfer_serial(void *instance, const struct name *zone, uint32_t *serial)
{
	const struct external_zone *z = ready_zone(instance, zone);

	if (z != NULL)
		*serial = zone_history_serial(&z->history);
	return z != NULL;
}

static struct zone_image *transfer_image(void *instance, const struct name *zone)
{
	const struct external *x = instance;
	struct external_zone *z = ready_zone(x, zone);
	struct buf row = {0};

	if (z == NULL)
		return NULL;
	records_add_set(&row, z->name.wire, z->ns);
	add_entries(&row, z);
	add_reverse(&row, x, z);
	if (!z->is_reverse)
		add_services(&row, x, z);
	zone_history_see(&z->history);
	return zone_image_flat(z->soa, &row);
}

static struct zone_image *transfer_changes(
	void *instance, const struct name *zone, uint32_t since)
{
	struct external_zone *z = ready_zone(instance, zone);

	if (z == NULL)
		return NULL;
	zone_history_see(&z->history);
	return zone_history_changes(&z->history, z->name.wire, z->soa, since);
}

static void transfer_keep(void *instance, const struct name *zone)
{
	struct external_zone *z = find_zone(instance, zone);

	if (z == NULL)
		return;
	zone_history_keep(&z->history);
	external_keep_endpoints(instance, z);
}

const struct plugin_transfer external_transfer = {
	.zones = transfer_zones,
	.serial = transfer_serial,
	.image = transfer_image,
	.changes = transfer_changes,
	.keep_changes = transfer_keep,
};
