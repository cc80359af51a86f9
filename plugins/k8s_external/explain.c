/*
 * The decisions of the query hook (answer.c) again, with words instead of records. A test asks
 * both for the same names.
 */
#include <stdlib.h>

#include "dns/wire.h"
#include "k8s_external/external.h"

#define SRV_FIXED 6u

/* A question and what is found for it. */
struct asked {
	const struct external *x;
	const struct explain_ask *ask;
	struct external_name n;
	char service[NAME_MAX_LABEL + 1], ns[NAME_MAX_LABEL + 1]; /* or "" */
};

/* Octets that no name of an object has become '?'. */
static void label_text(char out[NAME_MAX_LABEL + 1], const uint8_t *label)
{
	unsigned n = label[0];

	for (unsigned i = 0; i < n; i++)
		out[i] = label[1 + i] > ' ' && label[1 + i] < 127 ? (char)label[1 + i] : '?';
	out[n] = '\0';
}

static void read_labels(struct asked *a)
{
	const struct external_name *n = &a->n;

	if (n->labels >= 1)
		label_text(a->ns, name_skip(n->name, n->labels - 1));
	if (n->labels >= 2)
		label_text(a->service, name_skip(n->name, n->labels - 2));
}

/* --- outcomes ---------------------------------------------------------------------------- */

static bool is_synced(const struct external *x)
{
	return x->view->is_synced(x->cluster);
}

static void say_unsynced(struct explanation *x)
{
	buf_clear(&x->why);
	explain_say(x, EXPLAIN_SERVFAIL,
		"the cluster is not known yet, so that nothing can be denied");
}

static void nodata(const struct asked *a, struct explanation *x)
{
	x->outcome = EXPLAIN_NODATA;
	if (!is_synced(a->x))
		say_unsynced(x);
}

static void nxdomain(const struct asked *a, struct explanation *x)
{
	x->outcome = EXPLAIN_NXDOMAIN;
	if (!is_synced(a->x)) {
		say_unsynced(x);
	} else if (fall_has(&a->x->options.fall, a->ask->name.wire)) {
		x->outcome = EXPLAIN_PASSES;
		buf_str(&x->why, "; fallthrough");
	}
}

/* --- names that are not there ------------------------------------------------------------ */

static void say_no_service(const struct asked *a, struct explanation *x)
{
	const struct object *o = store_service(a->x->view->store(a->x->cluster), a->ns, a->service);

	if (o == NULL) {
		explain_say(x, EXPLAIN_NXDOMAIN, "there is no Service \"%s\" in namespace \"%s\"",
			a->service, a->ns);
		return;
	}
	buf_printf(&x->object, "Service %s/%s", a->ns, a->service);
	if (!a->x->view->is_selected(a->x->cluster, o))
		explain_say(x, EXPLAIN_NXDOMAIN,
			"its labels do not match those of the plugin kubernetes");
	else if (o->service.external_ips.len + o->service.ingress_ips.len +
			o->service.n_ingress_hosts > 0)
		explain_say(x, EXPLAIN_NXDOMAIN, "it has no such port, and no other names");
	else
		explain_say(x, EXPLAIN_NXDOMAIN,
			"it has no address outside the cluster: neither spec.externalIPs nor "
			"status.loadBalancer.ingress");
}

static void explain_missing(const struct asked *a, struct explanation *x)
{
	char apex[NAME_MAX_LABEL + 1];

	label_text(apex, a->x->options.apex);
	if (strcmp(a->ns, apex) == 0)
		explain_say(x, EXPLAIN_NXDOMAIN,
			"names below \"%s\" are those of this server: ns1 only", apex);
	else if (store_namespace(a->x->view->store(a->x->cluster), a->ns) == NULL)
		explain_say(x, EXPLAIN_NXDOMAIN, "there is no namespace \"%s\"", a->ns);
	else if (!a->x->view->is_exposed(a->x->cluster, a->ns))
		explain_say(x, EXPLAIN_NXDOMAIN,
			"the namespace \"%s\" is not served by the plugin kubernetes", a->ns);
	else if (a->n.labels > EXTERNAL_LABELS)
		explain_say(x, EXPLAIN_NXDOMAIN, "no name has so many labels");
	else
		say_no_service(a, x);
	nxdomain(a, x);
}

/* --- entries ----------------------------------------------------------------------------- */

static void say_no_type(const struct asked *a, struct explanation *x)
{
	char type[16];

	explain_say(x, EXPLAIN_NODATA, "it has no records of type %s",
		rr_type_text(a->ask->type, type));
	nodata(a, x);
}

static void add_srv_values(struct explanation *x, const struct rrset *set)
{
	char target[NAME_TEXT_MAX];
	uint16_t n;

	for (unsigned i = 0; i < set->count; i++) {
		const uint8_t *rdata = rrset_rdata(set, i, &n);

		name_to_text(target, rdata + SRV_FIXED);
		explain_add_value(x, "port %u of %s", get16(rdata + 4), target);
	}
}

static void explain_set(const struct asked *a, const struct rrset *set, struct explanation *x)
{
	if (set == NULL) {
		say_no_type(a, x);
		return;
	}
	x->outcome = EXPLAIN_ANSWER;
	if (set->type == TYPE_SRV)
		add_srv_values(x, set);
	else
		explain_add_set(x, set);
}

static void explain_entry(
	const struct asked *a, const struct external_entry *entry, struct explanation *x)
{
	if (entry->kind == EXTERNAL_NODE) {
		explain_say(x, EXPLAIN_NODATA, "the name exists only because names lie below it");
		nodata(a, x);
		return;
	}
	if (entry->kind == EXTERNAL_SELF) {
		buf_str(&x->object, "this server itself");
		explain_set(a, external_set_of(&a->n, entry, a->ask->type), x);
		return;
	}
	buf_printf(&x->object, "Service %s/%s", a->ns, a->service);
	buf_str(&x->field, entry->kind == EXTERNAL_ALIAS
			? "status.loadBalancer.ingress[].hostname"
			: "spec.externalIPs, status.loadBalancer.ingress[]");
	if (entry->kind != EXTERNAL_ALIAS) {
		explain_set(a, external_set_of(&a->n, entry, a->ask->type), x);
		return;
	}
	explain_add_set(x, entry->other);
	explain_say(x, EXPLAIN_ANSWER, "an alias: what its target answers, answers this name too");
}

/* --- the rest ---------------------------------------------------------------------------- */

static void explain_endpoints(const struct asked *a, struct explanation *x)
{
	const struct external *e = a->x;

	switch (e->view->explain(e->cluster, a->ask, a->n.labels - 2, x)) {
	case CLUSTER_ANSWERED: break;
	case CLUSTER_NO_DATA: nodata(a, x); break;
	case CLUSTER_NO_NAME: nxdomain(a, x); break;
	}
}

static void explain_reverse(const struct asked *a, struct explanation *x)
{
	uint8_t ip[16];
	int len = name_to_addr(a->ask->name.wire, ip);
	const struct rrset *ptr = len == 0 ? NULL : external_find_ptr(a->x, ip, (size_t)len);

	if (ptr != NULL && a->ask->type == TYPE_PTR) {
		x->outcome = EXPLAIN_ANSWER;
		explain_add_set(x, ptr);
	} else if (ptr != NULL) {
		say_no_type(a, x);
	} else if (a->n.labels == 0 || external_has_below(a->x, a->ask->name.wire)) {
		explain_say(x, EXPLAIN_NODATA, "the name exists only because names lie below it");
		nodata(a, x);
	} else {
		explain_say(x, EXPLAIN_NXDOMAIN, "no Service has this address outside the cluster");
		nxdomain(a, x);
	}
}

static void explain_apex(const struct asked *a, struct explanation *x)
{
	const struct external_zone *z = a->n.zone;

	if (a->ask->type == TYPE_SOA || (a->ask->type == TYPE_NS && z->ns != NULL)) {
		x->outcome = EXPLAIN_ANSWER;
		explain_add_set(x, a->ask->type == TYPE_SOA ? z->soa : z->ns);
	} else if (z->is_reverse) {
		explain_reverse(a, x);
	} else {
		explain_say(x, EXPLAIN_NODATA, "the zone itself has SOA and NS records only");
		nodata(a, x);
	}
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	struct asked a = {.x = instance, .ask = ask};
	const struct external_entry *entry;
	char zone[NAME_TEXT_MAX];

	if (a.x->view == NULL || a.x->view->store(a.x->cluster) == NULL ||
		!external_locate(a.x, ask->name.wire, &a.n))
		return;
	name_to_text(zone, a.n.zone->name.wire);
	buf_str(&x->zone, zone);
	read_labels(&a);
	if (ask->type == TYPE_AXFR || ask->type == TYPE_IXFR)
		explain_say(x, EXPLAIN_REFUSED, "it hands out no whole zone");
	else if (a.n.labels == 0)
		explain_apex(&a, x);
	else if ((entry = external_find(&a.n, 0)) != NULL)
		explain_entry(&a, entry, x);
	else if (external_is_reverse(&a.n))
		explain_reverse(&a, x);
	else if (external_is_endpoint(a.x, &a.n))
		explain_endpoints(&a, x);
	else
		explain_missing(&a, x);
}

/* --- lists ------------------------------------------------------------------------------- */

static void list_srv(struct explain_names *l, const struct name *name, const struct rrset *set)
{
	struct explanation x = {.n_values = 0};

	add_srv_values(&x, set);
	explain_add_name(l, name->wire, TYPE_SRV, buf_text(&x.values));
	explanation_fini(&x);
}

static void list_entry(struct explain_names *l, const struct external_zone *z,
	const struct external_entry *entry)
{
	struct name name;

	if (!external_entry_name(&name, z, entry))
		return;
	/* a port's name is listed for its SRV records; it has the addresses of its service too */
	if (entry->kind != EXTERNAL_PORT) {
		explain_add_records(l, name.wire, entry->a);
		explain_add_records(l, name.wire, entry->aaaa);
	}
	if (entry->other != NULL && entry->other->type == TYPE_SRV)
		list_srv(l, &name, entry->other);
	else
		explain_add_records(l, name.wire, entry->other);
}

static void list_zone(struct explain_names *l, const struct external_zone *z)
{
	const struct external_entry *entry;
	size_t pos = 0;

	explain_add_records(l, z->name.wire, z->soa);
	explain_add_records(l, z->name.wire, z->ns);
	while ((entry = (const struct external_entry *)table_next(&z->table, &pos)) != NULL)
		list_entry(l, z, entry);
}

static void list_addresses(struct explain_names *l, const struct external *x)
{
	const struct external_address *a;
	size_t pos = 0;

	while ((a = (const struct external_address *)table_next(&x->addresses, &pos)) != NULL) {
		struct name name;

		name_from_addr(&name, a->head.key_len == 4 ? AF_INET : AF_INET6, a->key);
		if (zone_list_match(&x->list, name.wire) >= 0)
			explain_add_records(l, name.wire, a->ptr);
	}
}

/* Endpoints of one service in one zone. */
struct listing {
	struct explain_names *l;
	struct name service;
};

static void on_endpoint(void *arg, const struct cluster_endpoint *endpoint)
{
	const struct listing *s = arg;
	struct name name = s->service;
	char ip[IP_TEXT_SIZE];
	struct str label = {(const char *)endpoint->label + 1, endpoint->label[0]};

	if (name_prepend(&name, label) == 0)
		explain_add_name(s->l, name.wire, endpoint->ip->len == 4 ? TYPE_A : TYPE_AAAA,
			ip_text(endpoint->ip, ip));
}

/* Records of one owner and type side by side. */
static int compare_records(const void *p, const void *q)
{
	const struct record *a = p, *b = q;
	size_t n = a->owner_len < b->owner_len ? a->owner_len : b->owner_len;
	int order = memcmp(a->owner, b->owner, n);

	if (order != 0)
		return order;
	if (a->owner_len != b->owner_len)
		return a->owner_len < b->owner_len ? -1 : 1;
	return (int)a->type - (int)b->type;
}

static bool is_one_set(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->owner_len == b->owner_len &&
		memcmp(a->owner, b->owner, a->owner_len) == 0;
}

static void list_set(struct explain_names *l, const struct record *first, size_t n)
{
	struct rrset_builder b = {.type = first->type, .ttl = first->ttl};
	struct rrset *set;
	struct name name;

	for (size_t i = 0; i < n; i++)
		rrset_add(&b, first[i].rdata, first[i].rdlength);
	set = rrset_build(&b);
	name_set(&name, first->owner);
	if (first->type == TYPE_SRV)
		list_srv(l, &name, set);
	else
		explain_add_records(l, name.wire, set);
	free(set);
}

/* All names of a headless service, of which only those are listed that are wanted. */
static void list_headless(struct explain_names *l, const struct external *x,
	const struct external_zone *z, const struct object *o)
{
	VEC(struct record) records = {NULL, 0, 0};
	struct buf row = {0};
	struct record r;
	size_t n;

	external_add_headless(&row, x, z, o);
	for (size_t pos = 0; records_next(&row, &pos, &r);)
		vec_push(&records, r);
	if (records.len > 1)
		qsort(records.at, records.len, sizeof(*records.at), compare_records);
	for (size_t i = 0; i < records.len; i += n) {
		const struct record *first = &records.at[i];

		for (n = 1; i + n < records.len && is_one_set(first, &first[n]); n++)
			;
		list_set(l, first, n);
	}
	vec_free(&records);
	buf_free(&row);
}

static void list_endpoints(struct explain_names *l, const struct external *x)
{
	const struct object *o;
	size_t pos = 0;

	while ((o = store_next(x->view->store(x->cluster), OBJECT_SERVICE, &pos)) != NULL)
		vec_for_each(&x->zones, z) {
			struct listing s = {.l = l};

			if (!external_endpoint_zone(x, *z, o, &s.service))
				continue;
			if (o->service.is_headless)
				list_headless(l, x, *z, o);
			else
				x->view->each_endpoint(x->cluster, o, on_endpoint, &s);
		}
}

static void list_names(void *instance, struct explain_names *l)
{
	const struct external *x = instance;

	vec_for_each(&x->zones, z)
		list_zone(l, *z);
	list_addresses(l, x);
	if (x->options.has_headless && x->view != NULL && x->view->store(x->cluster) != NULL)
		list_endpoints(l, x);
}

const struct plugin_explain external_explain_hooks = {
	.needs_start = true,
	.explain = explain,
	.names = list_names,
};
