/*
 * The names of one service: SVC.NS with its addresses from outside, or an alias to the name of its
 * load balancer; _PROTO.SVC.NS; and PORT.PROTO.SVC.NS for each port that has a name.
 */
#include <stdlib.h>

#include "dns/wire.h"
#include "k8s_external/external.h"

#define SRV_FIXED 6u
/* PORT.PROTO.SVC.NS */
#define KEY_MAX (3 * (NAME_MAX_LABEL + 1) + 5)

static const char *const protocols[] = {"tcp", "udp", "sctp"};
static const char *const protocol_nodes[] = {"_tcp", "_udp", "_sctp"};

/* A service while its entries are made for one zone. */
struct making {
	struct external *x;
	struct external_zone *zone;
	const struct service_data *data;
	struct ip *ips; /* empty: hosts instead */
	size_t n_ips;
	VEC(struct name) hosts;
	uint8_t key[2 * (NAME_MAX_LABEL + 1)]; /* SVC.NS */
	size_t key_len;
	VEC(struct external_place) places;
};

/* --- SRV --------------------------------------------------------------------------------- */

/* Which ports a set of SRV records is for; name NULL: all. */
struct wanted {
	const char *name; /* folded */
	enum protocol protocol;
};

static bool fits(const struct port *p, const struct wanted *w)
{
	size_t n = w->name == NULL ? 0 : strlen(w->name);

	if (w->name == NULL)
		return true;
	if (p->name == NULL || p->protocol != w->protocol || strlen(p->name) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t c;

		name_fold(&c, (const uint8_t *)p->name + i, 1);
		if (c != (uint8_t)w->name[i])
			return false;
	}
	return true;
}

/* As CoreDNS shares 100 out: over all pairs of port and address, at least 1. */
static uint16_t weight_of(size_t pairs)
{
	return (uint16_t)(pairs == 0 || pairs > 100 ? 1 : 100 / pairs);
}

static void add_record(
	struct rrset_builder *b, uint16_t weight, uint16_t port, const struct name *target)
{
	uint8_t rdata[SRV_FIXED + NAME_MAX_OCTETS];

	put16(rdata, 0);
	put16(rdata + 2, weight);
	put16(rdata + 4, port);
	memcpy(rdata + SRV_FIXED, target->wire, target->len);
	rrset_add(b, rdata, SRV_FIXED + target->len);
}

/* True when an earlier port that fits has the same number: it would be the same record. */
static bool is_repeated(const struct port_list *ports, uint32_t i, const struct wanted *w)
{
	for (uint32_t before = 0; before < i; before++)
		if (ports->at[before].port == ports->at[i].port && fits(&ports->at[before], w))
			return true;
	return false;
}

/* SVC.NS.ZONE */
static void own_name(const struct making *m, struct name *out)
{
	memcpy(out->wire, m->key, m->key_len);
	memcpy(out->wire + m->key_len, m->zone->name.wire, m->zone->name.len);
	out->len = (uint8_t)(m->key_len + m->zone->name.len);
}

/* The targets are the service itself, or the names of its load balancers. */
static const struct rrset *make_srv(const struct making *m, const struct wanted *w)
{
	struct rrset_builder b = {.type = TYPE_SRV, .ttl = m->x->options.ttl};
	const struct port_list *ports = &m->data->ports;
	size_t pairs = 0, targets = m->n_ips > 0 ? m->n_ips : m->hosts.len;
	struct name own;
	uint16_t weight;

	own_name(m, &own);
	for (uint32_t i = 0; i < ports->len; i++)
		pairs += fits(&ports->at[i], w) ? targets : 0;
	weight = weight_of(pairs);
	for (uint32_t i = 0; i < ports->len; i++) {
		uint16_t number = (uint16_t)ports->at[i].port;

		if (!fits(&ports->at[i], w) || is_repeated(ports, i, w))
			continue;
		if (m->n_ips > 0)
			add_record(&b, weight, number, &own);
		else
			vec_for_each(&m->hosts, host)
				add_record(&b, weight, number, host);
	}
	return rrset_build(&b);
}

/* --- entries ----------------------------------------------------------------------------- */

static bool has_key(const struct making *m, const uint8_t *key, size_t len)
{
	vec_for_each(&m->places, p)
		if (p->entry->head.key_len == len && memcmp(p->entry->key, key, len) == 0)
			return true;
	return false;
}

/* A new entry PREFIX.SVC.NS; NULL when there is one, or the name is too long. */
static struct external_entry *add_entry(
	struct making *m, enum external_kind kind, const uint8_t *prefix, size_t n)
{
	struct external_entry *entry;
	uint8_t key[KEY_MAX];
	size_t len = n + m->key_len;

	if (len > sizeof(key) || len + m->zone->name.len > NAME_MAX_OCTETS)
		return NULL;
	if (n > 0)
		memcpy(key, prefix, n);
	memcpy(key + n, m->key, m->key_len);
	if (has_key(m, key, len))
		return NULL;
	entry = external_entry_new(kind, key, len);
	vec_push(&m->places, (struct external_place){m->zone, entry});
	return entry;
}

static void make_service(struct making *m)
{
	struct rrset_builder b = {.type = TYPE_CNAME, .ttl = m->x->options.ttl};
	struct external_entry *entry;

	entry = add_entry(m, m->n_ips > 0 ? EXTERNAL_SERVICE : EXTERNAL_ALIAS, NULL, 0);
	if (entry == NULL)
		return;
	if (m->n_ips > 0) {
		external_set_addresses(m->x, entry, m->ips, m->n_ips);
		entry->other = make_srv(m, &(struct wanted){NULL, PROTOCOL_TCP});
		return;
	}
	/* a name can be an alias of one other only (RFC 2181 10.1): the first */
	rrset_add(&b, m->hosts.at[0].wire, m->hosts.at[0].len);
	entry->other = rrset_build(&b);
}

/*
 * PORT.PROTO.SVC.NS, written without underscores (external_find()), and _PROTO.SVC.NS, which
 * exists because of it (RFC 8020).
 */
static void make_port(struct making *m, const struct port *p)
{
	uint8_t prefix[NAME_MAX_LABEL + 1 + 8], node[8];
	size_t n = p->name == NULL ? 0 : external_write_label(prefix, p->name);
	char name[NAME_MAX_LABEL + 1];
	struct external_entry *entry;

	if (n == 0)
		return;
	memcpy(name, prefix + 1, n - 1);
	name[n - 1] = '\0';
	n += external_write_label(prefix + n, protocols[p->protocol]);
	entry = add_entry(m, EXTERNAL_PORT, prefix, n);
	if (entry == NULL)
		return;
	entry->other = make_srv(m, &(struct wanted){name, p->protocol});
	add_entry(m, EXTERNAL_NODE, node,
		external_write_label(node, protocol_nodes[p->protocol]));
}

static void make_zone(struct making *m)
{
	if (m->zone->is_reverse || m->key_len + m->zone->name.len > NAME_MAX_OCTETS)
		return;
	make_service(m);
	for (uint32_t i = 0; i < m->data->ports.len; i++)
		make_port(m, &m->data->ports.at[i]);
}

/* --- what a service has ------------------------------------------------------------------ */

static size_t push_ips(struct ip *out, size_t n, const struct ip_list *list)
{
	for (uint32_t i = 0; i < list->len && n < 2 * OBJECT_MAX_ADDRESSES; i++) {
		size_t seen = 0;

		while (seen < n && !ip_eq(&out[seen], &list->at[i]))
			seen++;
		if (seen == n)
			out[n++] = list->at[i];
	}
	return n;
}

/* Names of load balancers, in the order of the object. */
static void push_hosts(struct making *m)
{
	for (uint32_t i = 0; i < m->data->n_ingress_hosts; i++) {
		struct name host;

		if (name_from_text(&host, str_from(m->data->ingress_hosts[i].key), NULL) != 0 ||
			host.len == 1)
			continue;
		name_fold(host.wire, host.wire, host.len);
		vec_push(&m->hosts, host);
	}
}

/* The new entries in the place of the old ones; equal ones stay. */
static void publish(struct external *x, struct external_service *s, struct making *m)
{
	vec_for_each(&s->places, p)
		p->entry->is_kept = false;
	vec_for_each(&m->places, p) {
		const struct table *t = &p->zone->table;
		struct external_entry *old = (struct external_entry *)table_find(t,
			p->entry->key, p->entry->head.key_len,
			table_hash(t, p->entry->key, p->entry->head.key_len));

		if (old != NULL)
			old->is_kept = true;
	}
	vec_for_each(&s->places, p)
		if (!p->entry->is_kept)
			external_take_out(x, p->zone, p->entry->key, p->entry->head.key_len);
	vec_for_each(&m->places, p)
		p->entry = external_put(x, p->zone, p->entry);
	vec_free(&s->places);
	memcpy(&s->places, &m->places, sizeof(s->places));
}

static bool is_served(const struct external *x, const struct object *o)
{
	size_t n = strlen(o->ns);

	/* the names below the apex label are those of the server */
	if (n == x->options.apex[0] && memcmp(o->ns, x->options.apex + 1, n) == 0)
		return false;
	return x->view->is_exposed(x->cluster, o->ns) && x->view->is_selected(x->cluster, o);
}

static void compile(struct external *x, struct external_service *s, const struct object *o)
{
	struct ip ips[2 * OBJECT_MAX_ADDRESSES];
	struct making m = {.x = x, .ips = ips};
	size_t n;

	if (o != NULL && is_served(x, o)) {
		m.data = &o->service;
		m.n_ips = push_ips(ips, 0, &o->service.external_ips);
		m.n_ips = push_ips(ips, m.n_ips, &o->service.ingress_ips);
		push_hosts(&m);
		n = external_write_label(m.key, o->name);
		m.key_len = n == 0 ? 0 : n + external_write_label(m.key + n, o->ns);
	}
	if (m.key_len > 0 && (m.n_ips > 0 || m.hosts.len > 0))
		vec_for_each(&x->zones, z) {
			m.zone = *z;
			make_zone(&m);
		}
	publish(x, s, &m);
	external_set_owner(x, s, ips, s->places.len > 0 ? m.n_ips : 0);
	vec_free(&m.hosts);
}

/* --- records of services ----------------------------------------------------------------- */

static struct external_service *service_new(const char *ns, const char *name)
{
	size_t n = strlen(ns), m = strlen(name);
	struct external_service *s = mem_alloc(sizeof(*s) + n + m + 2);

	memcpy(s->key, ns, n);
	s->key[n] = '/';
	memcpy(s->key + n + 1, name, m);
	s->key_len = n + 1 + m;
	s->ns = (struct str){s->key, n};
	s->name = (struct str){s->key + n + 1, m};
	return s;
}

void external_service_free(struct external_service *s)
{
	vec_free(&s->places);
	vec_free(&s->ips);
	free(s);
}

static bool has_external(const struct object *o)
{
	return o != NULL && (o->service.external_ips.len > 0 || o->service.ingress_ips.len > 0 ||
				o->service.n_ingress_hosts > 0);
}

void external_compile_service(struct external *x, const char *ns, const char *name)
{
	const struct object *o = store_service(x->view->store(x->cluster), ns, name);
	struct external_service *fresh = service_new(ns, name), *s;
	struct str key = {fresh->key, fresh->key_len};

	s = map_get(&x->services, key);
	/* most services have nothing outside the cluster */
	if (s == NULL && !has_external(o)) {
		external_service_free(fresh);
		return;
	}
	if (s == NULL) {
		s = fresh;
		map_put(&x->services, key, s);
	} else {
		external_service_free(fresh);
	}
	compile(x, s, o);
	if (s->places.len > 0)
		return;
	map_del(&x->services, (struct str){s->key, s->key_len});
	external_service_free(s);
}
