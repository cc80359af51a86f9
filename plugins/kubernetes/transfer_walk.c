#include "kubernetes/transfer_walk.h"

#include <stdlib.h>
#include <sys/socket.h>

/* What an entry consists of. Behind PART_PORTS there is a part for each place of a port. */
enum { PART_A, PART_AAAA, PART_OTHER, PART_ENDPOINTS, PART_SRV, PART_PORTS };

/* The name of an entry: its key in front of the zone, which fits, or it would have no entry. */
static void entry_name(struct name *out, const struct kube_walk *w, const struct kube_entry *entry)
{
	size_t n = entry->head.key_len;

	memcpy(out->wire, entry->head.key, n);
	memcpy(out->wire + n, w->zone.wire, w->zone.len);
	out->len = (uint8_t)(n + w->zone.len);
}

/* The name of an endpoint; false when it is too long. */
static bool endpoint_name(
	struct name *out, const struct name *service, const struct kube_endpoint *p)
{
	uint8_t labels[KUBE_LABELS_MAX];
	size_t n = kube_write_label(labels, p->label, &p->ip);

	if (n + service->len > NAME_MAX_OCTETS)
		return false;
	memcpy(out->wire, labels, n);
	memcpy(out->wire + n, service->wire, service->len);
	out->len = (uint8_t)(n + service->len);
	return true;
}

static void add_address(
	struct buf *row, const struct name *owner, const struct ip *ip, uint32_t ttl)
{
	struct record r = {
		.type = ip->len == 4 ? TYPE_A : TYPE_AAAA,
		.ttl = ttl,
		.rdata = ip->bytes,
		.rdlength = ip->len,
	};

	records_add(row, owner->wire, &r);
}

/* --- ports ------------------------------------------------------------------------------------ */

/* A headless service has the ports of its endpoints, another one those of its own. */
static unsigned first_list(const struct kube_entry *entry)
{
	return entry->is_headless ? 1 : 0;
}

static unsigned end_list(const struct kube_entry *entry)
{
	return entry->is_headless || entry->n_ports == 0 ? entry->n_ports : 1;
}

/* The port at a place, counted through all lists; NULL behind the last. */
static const struct kube_port *port_at(const struct kube_entry *entry, size_t place)
{
	for (unsigned i = first_list(entry); i < end_list(entry); i++) {
		if (place < entry->ports[i].len)
			return &entry->ports[i].at[place];
		place -= entry->ports[i].len;
	}
	return NULL;
}

/* True when the port has a name that no port at an earlier place has with its protocol. */
static bool is_new_port(const struct kube_entry *entry, size_t place)
{
	const struct kube_port *p = port_at(entry, place);

	if (p->name[0] == '\0')
		return false;
	for (unsigned i = first_list(entry); i < end_list(entry); i++)
		for (unsigned n = 0; n < entry->ports[i].len; n++) {
			const struct kube_port *other = &entry->ports[i].at[n];

			if (other == p)
				return true;
			if (other->protocol == p->protocol && strcmp(other->name, p->name) == 0)
				return false;
		}
	return true;
}

static const char *const protocols[] = {"tcp", "udp", "sctp"};

/* _PORT._PROTOCOL in front of the service; false when that is no name. */
static bool port_name(struct name *out, const struct name *service, const struct kube_port *p)
{
	char label[NAME_MAX_LABEL + 2];
	size_t n = strlen(p->name);

	if (n > NAME_MAX_LABEL - 1)
		return false;
	*out = *service;
	label[0] = '_';
	strcpy(label + 1, protocols[p->protocol]);
	if (name_prepend(out, str_from(label)) != 0)
		return false;
	memcpy(label + 1, p->name, n);
	return name_prepend(out, (struct str){label, n + 1}) == 0;
}

/* --- forward zones ---------------------------------------------------------------------------- */

static bool walk_endpoints(const struct kube_walk *w, const struct kube_entry *entry, size_t *at,
	struct buf *row, size_t enough)
{
	struct name service, name;

	entry_name(&service, w, entry);
	for (; *at < entry->n_endpoints && row->len < enough; (*at)++)
		if (endpoint_name(&name, &service, &entry->endpoints[*at]))
			add_address(row, &name, &entry->endpoints[*at].ip, w->ttl);
	return *at < entry->n_endpoints;
}

/* SRV records under a name, of the ports that srv selects. */
static bool walk_srv(struct kube_srv *srv, const struct name *owner, size_t *at, struct buf *row,
	size_t enough)
{
	struct rrset_builder b = {.type = TYPE_SRV, .ttl = srv->ttl};
	bool has_more = kube_list_srv(srv, &b, at, row->len < enough ? enough - row->len : 1);
	struct rrset *set = rrset_build(&b);

	records_add_set(row, owner->wire, set);
	free(set);
	return has_more;
}

static bool walk_port(const struct kube_walk *w, const struct kube_entry *entry,
	struct zone_cursor *c, struct buf *row, size_t enough)
{
	const struct kube_port *p;
	struct name service, owner;
	struct kube_srv srv = {.entry = entry, .service = service.wire, .ttl = w->ttl};

	entry_name(&service, w, entry);
	if (c->part == PART_SRV)
		return walk_srv(&srv, &service, &c->at, row, enough);
	p = port_at(entry, c->part - PART_PORTS);
	if (!is_new_port(entry, c->part - PART_PORTS) || !port_name(&owner, &service, p))
		return false;
	srv.port = str_from(p->name);
	srv.protocol = str_from(protocols[p->protocol]);
	return walk_srv(&srv, &owner, &c->at, row, enough);
}

static bool walk_set(const struct kube_walk *w, const struct kube_entry *entry,
	struct zone_cursor *c, struct buf *row, size_t enough)
{
	const struct rrset *sets[] = {entry->a, entry->aaaa, entry->other};
	struct name name;

	entry_name(&name, w, entry);
	return records_add_some(row, name.wire, sets[c->part], &c->at, enough);
}

static bool walk_part(const struct kube_walk *w, const struct kube_entry *entry,
	struct zone_cursor *c, struct buf *row, size_t enough)
{
	if (c->part <= PART_OTHER)
		return walk_set(w, entry, c, row, enough);
	if (c->part == PART_ENDPOINTS)
		return walk_endpoints(w, entry, &c->at, row, enough);
	return walk_port(w, entry, c, row, enough);
}

/* True when the cursor stands behind the last part. */
static bool is_at_end(const struct kube_entry *entry, const struct zone_cursor *c)
{
	if (entry->kind != ENTRY_SERVICE)
		return c->part > PART_OTHER;
	return c->part >= PART_PORTS && port_at(entry, c->part - PART_PORTS) == NULL;
}

bool kube_walk_entry(const struct kube_walk *w, const struct kube_entry *entry,
	struct zone_cursor *c, struct buf *row, size_t enough)
{
	while (!is_at_end(entry, c) && row->len < enough) {
		if (walk_part(w, entry, c, row, enough))
			continue;
		c->part++;
		c->at = 0;
	}
	return !is_at_end(entry, c);
}

/* --- reverse zones ---------------------------------------------------------------------------- */

static void add_ptr(const struct kube_walk *w, const struct ip *ip, const struct name *target,
	struct buf *row)
{
	struct record r = {
		.type = TYPE_PTR, .ttl = w->ttl, .rdata = target->wire, .rdlength = target->len};
	struct name owner;

	name_from_addr(&owner, ip->len == 4 ? AF_INET : AF_INET6, ip->bytes);
	if (name_is_under(owner.wire, w->reverse.wire))
		records_add(row, owner.wire, &r);
}

/* Addresses of the service itself, which are few. */
static void add_service_ptrs(const struct kube_walk *w, const struct kube_entry *entry,
	struct buf *row)
{
	const struct rrset *sets[] = {entry->a, entry->aaaa};
	struct name service;

	entry_name(&service, w, entry);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned n = 0; sets[i] != NULL && n < sets[i]->count; n++) {
			struct ip ip = {.len = i == 0 ? 4 : 16};
			uint16_t len;

			memcpy(ip.bytes, rrset_rdata(sets[i], n, &len), ip.len);
			if (!w->is_hidden(w->arg, &ip, true))
				add_ptr(w, &ip, &service, row);
		}
}

bool kube_walk_ptr(const struct kube_walk *w, const struct kube_entry *entry,
	struct zone_cursor *c, struct buf *row, size_t enough)
{
	struct name service, name;

	if (entry->kind != ENTRY_SERVICE)
		return false;
	if (c->part == 0 && !entry->is_headless)
		add_service_ptrs(w, entry, row);
	c->part = 1;
	entry_name(&service, w, entry);
	for (; c->at < entry->n_endpoints && row->len < enough; c->at++) {
		const struct kube_endpoint *p = &entry->endpoints[c->at];

		if (!w->is_hidden(w->arg, &p->ip, false) && endpoint_name(&name, &service, p))
			add_ptr(w, &p->ip, &name, row);
	}
	return c->at < entry->n_endpoints;
}

/* --- whole entries ---------------------------------------------------------------------------- */

void kube_list_entry(const struct kube_walk *w, const struct kube_entry *entry, struct buf *row)
{
	struct zone_cursor c = {0, 0, 0};

	while (entry != NULL && kube_walk_entry(w, entry, &c, row, SIZE_MAX))
		continue;
}

void kube_list_ptr(const struct kube_walk *w, const struct kube_entry *entry, struct buf *row)
{
	struct zone_cursor c = {0, 0, 0};

	while (entry != NULL && kube_walk_ptr(w, entry, &c, row, SIZE_MAX))
		continue;
}

static bool same_ports(const struct kube_ports *a, const struct kube_ports *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned i = 0; i < a->len; i++)
		if (a->at[i].number != b->at[i].number || a->at[i].protocol != b->at[i].protocol ||
			strcmp(a->at[i].name, b->at[i].name) != 0)
			return false;
	return true;
}

static bool same_endpoint(const struct kube_endpoint *a, const struct kube_endpoint *b)
{
	if (a->ports != b->ports || !ip_eq(&a->ip, &b->ip))
		return false;
	if (a->label == NULL || b->label == NULL)
		return a->label == b->label;
	return strcmp(a->label, b->label) == 0;
}

bool kube_same_entry(const struct kube_entry *a, const struct kube_entry *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->kind != b->kind || a->is_headless != b->is_headless || a->n_ports != b->n_ports ||
		a->n_endpoints != b->n_endpoints || !kube_same_set(a->a, b->a) ||
		!kube_same_set(a->aaaa, b->aaaa) || !kube_same_set(a->other, b->other))
		return false;
	for (unsigned i = 0; i < a->n_ports; i++)
		if (!same_ports(&a->ports[i], &b->ports[i]))
			return false;
	for (uint32_t i = 0; i < a->n_endpoints; i++)
		if (!same_endpoint(&a->endpoints[i], &b->endpoints[i]))
			return false;
	/* what is said of their zones is not compared */
	return a->zonal == NULL && b->zonal == NULL;
}
