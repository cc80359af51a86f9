/*
 * The decisions of the query hook (answer.c) again, with words instead of records. A test asks
 * both for the same names.
 */
#include "kubernetes/explain.h"

#include "kubernetes/cluster.h"

const char *kube_protocol_text(uint8_t protocol)
{
	static const char *const texts[] = {"tcp", "udp", "sctp"};

	return protocol < ARRAY_LEN(texts) ? texts[protocol] : "?";
}

/* Octets that no name of an object has become '?'. */
void kube_label_text(char out[NAME_MAX_LABEL + 1], const uint8_t *wire, unsigned i)
{
	const uint8_t *label = name_skip(wire, i);
	unsigned n = label[0];

	for (unsigned c = 0; c < n; c++)
		out[c] = label[1 + c] > ' ' && label[1 + c] < 127 ? (char)label[1 + c] : '?';
	out[n] = '\0';
}

static const struct kube_zone *find_zone(const struct kube *k, const uint8_t *name)
{
	const struct kube_zone *best = NULL;

	vec_for_each(&k->zones, z)
		if (name_is_under(name, (*z)->name.wire) &&
			(best == NULL || (*z)->labels > best->labels))
			best = *z;
	return best;
}

static void read_place(struct kube_place *p, const struct kube *k, const struct explain_ask *ask)
{
	const uint8_t *wire = ask->name.wire;

	memset(p, 0, sizeof(*p));
	p->k = k;
	p->ask = ask;
	p->zone = find_zone(k, wire);
	if (p->zone == NULL)
		return;
	p->labels = name_labels(wire) - p->zone->labels;
	if (p->labels > 0)
		kube_label_text(p->kind, wire, p->labels - 1);
	if (p->labels > 1)
		kube_label_text(p->ns, wire, p->labels - 2);
	if (p->labels > 2)
		kube_label_text(p->name, wire, p->labels - 3);
}

/* Labels of the entry that decides: see find_key() in answer.c. */
static unsigned key_labels(const struct kube_place *p)
{
	if (p->labels > 2 && strcmp(p->kind, "svc") == 0)
		return 3;
	if (p->labels > 2 && strcmp(p->kind, "pod") == 0)
		return 2;
	return p->labels;
}

static const struct kube_entry *find_entry(const struct kube_place *p)
{
	const uint8_t *key = name_skip(p->ask->name.wire, p->labels - key_labels(p));
	size_t len = name_len(key) - p->zone->name.len;

	return (const struct kube_entry *)table_find(
		&p->zone->table, key, len, table_hash(&p->zone->table, key, len));
}

/* --- negative outcomes ------------------------------------------------------------------- */

static bool falls_through(const struct kube *k, const uint8_t *name)
{
	const struct kube_fallthrough *f = &k->options.fallthrough;

	vec_for_each(&f->zones, z)
		if (f->is_on && name_is_under(name, z->wire))
			return true;
	return f->is_on && f->zones.len == 0;
}

static void say_unsynced(const struct kube *k, struct explanation *x)
{
	static const enum object_kind kinds[] = {
		OBJECT_NAMESPACE, OBJECT_SERVICE, OBJECT_SLICE, OBJECT_POD, OBJECT_IMPORT};
	struct buf missing = {0};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if ((kinds[i] == OBJECT_SLICE && k->options.no_endpoints) ||
			(kinds[i] == OBJECT_POD && k->options.pods != PODS_VERIFIED) ||
			(kinds[i] == OBJECT_IMPORT && k->imported == NULL) ||
			store_is_synced(cluster_store(k->cluster), kinds[i]))
			continue;
		buf_printf(&missing, "%s%ss", missing.len > 0 ? ", " : "",
			object_kind_name(kinds[i]));
	}
	buf_clear(&x->why);
	explain_say(x, EXPLAIN_SERVFAIL,
		"the cluster is not known yet, so that nothing can be denied: not read: %s",
		buf_text(&missing));
	buf_free(&missing);
}

void kube_explain_nxdomain(const struct kube_place *p, struct explanation *x)
{
	x->outcome = EXPLAIN_NXDOMAIN;
	if (!kube_is_known(p->k, p->zone)) {
		say_unsynced(p->k, x);
	} else if (falls_through(p->k, p->ask->name.wire)) {
		x->outcome = EXPLAIN_PASSES;
		buf_str(&x->why, "; fallthrough");
	}
}

static void nodata(const struct kube_place *p, struct explanation *x)
{
	x->outcome = EXPLAIN_NODATA;
	if (!kube_is_known(p->k, p->zone))
		say_unsynced(p->k, x);
}

/* --- services ---------------------------------------------------------------------------- */

static const struct rrset *addresses_of(const struct kube_entry *entry, uint16_t type)
{
	return type == TYPE_A ? entry->a : type == TYPE_AAAA ? entry->aaaa : NULL;
}

const struct object *kube_place_object(const struct kube_place *p)
{
	const struct store *st = cluster_store(p->k->cluster);

	return p->zone->is_imported ? store_import(st, p->ns, p->name)
				    : store_service(st, p->ns, p->name);
}

struct object_list kube_place_slices(const struct kube_place *p)
{
	const struct store *st = cluster_store(p->k->cluster);

	return p->zone->is_imported ? store_imported_slices_of(st, p->ns, p->name)
				    : store_slices_of(st, p->ns, p->name);
}

const char *kube_place_kind(const struct kube_place *p)
{
	return object_kind_name(p->zone->is_imported ? OBJECT_IMPORT : OBJECT_SERVICE);
}

static void name_slices(const struct kube_place *p, struct explanation *x)
{
	struct object_list slices = kube_place_slices(p);

	for (size_t i = 0; i < slices.len && i < 4; i++)
		buf_printf(&x->object, "%s %s/%s", i == 0 ? ", EndpointSlice" : ",", p->ns,
			slices.at[i]->name);
	if (slices.len > 4)
		buf_printf(&x->object, " and %zu more", slices.len - 4);
}

static void name_service(const struct kube_place *p, struct explanation *x)
{
	buf_printf(&x->object, "%s %s/%s", kube_place_kind(p), p->ns, p->name);
}

/* Ports that fit, of one list. */
static void add_port_values(struct explanation *x, const struct kube_ports *ports,
	const struct kube_srv *srv, const char *target)
{
	for (unsigned i = 0; i < ports->len; i++) {
		const struct kube_port *at = &ports->at[i];

		if (srv->protocol.len > 0 &&
			!str_is(srv->protocol, kube_protocol_text(at->protocol)))
			continue;
		if (srv->port.len > 0 && (at->name[0] == '\0' || !str_is(srv->port, at->name)))
			continue;
		explain_add_value(x, "port %u of %s", at->number, target);
	}
}

static void add_endpoint_ports(
	struct explanation *x, const struct kube_endpoint *at, const struct kube_srv *srv)
{
	uint8_t wire[KUBE_LABELS_MAX + 1];
	char label[NAME_TEXT_MAX];

	wire[kube_write_label(wire, at->label, &at->ip)] = 0;
	/* without the dot at the end */
	label[name_to_text(label, wire) - 1] = '\0';
	add_port_values(x, &srv->entry->ports[at->ports], srv, label);
}

/* Values of SRV records; false when there are none. */
static bool add_srv(const struct kube_place *p, const struct kube_srv *srv, struct explanation *x)
{
	const struct kube_entry *entry = srv->entry;

	if (srv->endpoint != NULL)
		add_endpoint_ports(x, srv->endpoint, srv);
	else if (!entry->is_headless)
		add_port_values(x, &entry->ports[0], srv, p->name);
	else
		for (uint32_t i = 0; i < entry->n_endpoints; i++)
			add_endpoint_ports(x, &entry->endpoints[i], srv);
	if (x->n_values == 0)
		return false;
	x->outcome = EXPLAIN_ANSWER;
	buf_str(&x->field, entry->is_headless || srv->endpoint != NULL ? "ports" : "spec.ports");
	return true;
}

static void say_no_type(const struct kube_place *p, struct explanation *x)
{
	char type[16];

	if (p->ask->type == TYPE_A || p->ask->type == TYPE_AAAA)
		explain_say(x, EXPLAIN_NODATA, "it has no %s address",
			p->ask->type == TYPE_A ? "IPv4" : "IPv6");
	else
		explain_say(x, EXPLAIN_NODATA, "it has no records of type %s",
			rr_type_text(p->ask->type, type));
	nodata(p, x);
}

static void explain_service(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	const struct rrset *set = addresses_of(entry, p->ask->type);
	struct kube_srv srv = {.entry = entry};

	name_service(p, x);
	if (entry->is_headless)
		name_slices(p, x);
	if (set != NULL) {
		x->outcome = EXPLAIN_ANSWER;
		explain_add_set(x, set);
		buf_str(&x->field, entry->is_headless ? "endpoints[].addresses of ready endpoints"
			: p->zone->is_imported ? "spec.ips" : "spec.clusterIPs");
		if (!entry->is_headless)
			kube_warn_no_ready(p, x);
	} else if (p->ask->type == TYPE_SRV) {
		if (!add_srv(p, &srv, x)) {
			explain_say(x, EXPLAIN_NODATA, "it has no ports");
			nodata(p, x);
		}
	} else {
		say_no_type(p, x);
	}
}

static void explain_alias(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	name_service(p, x);
	buf_str(&x->field, "spec.externalName");
	explain_add_set(x, entry->other);
	explain_say(x, EXPLAIN_ANSWER, "an alias: what its target answers, answers this name too");
}

static void explain_records(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	const struct rrset *set = addresses_of(entry, p->ask->type);

	buf_str(&x->object, "this server itself");
	if (set == NULL && entry->other != NULL && entry->other->type == p->ask->type)
		set = entry->other;
	if (set == NULL) {
		say_no_type(p, x);
		return;
	}
	x->outcome = EXPLAIN_ANSWER;
	explain_add_set(x, set);
}

static void explain_node(const struct kube_place *p, struct explanation *x)
{
	explain_say(x, EXPLAIN_NODATA, "the name exists only because names lie below it");
	nodata(p, x);
}

static void explain_entry(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	switch (entry->kind) {
	case ENTRY_NODE: explain_node(p, x); break;
	case ENTRY_SERVICE: explain_service(p, entry, x); break;
	case ENTRY_EXTERNAL: explain_alias(p, entry, x); break;
	case ENTRY_RECORDS: explain_records(p, entry, x); break;
	}
}

/* --- names below a service --------------------------------------------------------------- */

static void explain_endpoint(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	unsigned n, len = p->ask->type == TYPE_A ? 4 : p->ask->type == TYPE_AAAA ? 16 : 0;
	const struct kube_endpoint *at = p->zone->is_imported
		? kube_find_imported(entry, p->ask->name.wire, &n)
		: kube_find_endpoint(entry, p->ask->name.wire, &n);
	struct kube_srv srv = {.entry = entry, .endpoint = at};
	char ip[IP_TEXT_SIZE];

	name_service(p, x);
	name_slices(p, x);
	if (at == NULL) {
		kube_explain_no_endpoint(p, x);
		kube_explain_nxdomain(p, x);
		return;
	}
	if (p->ask->type == TYPE_SRV && add_srv(p, &srv, x))
		return;
	for (unsigned i = 0; i < n; i++)
		if (at[i].ip.len == len)
			explain_add_value(x, "%s", ip_text(&at[i].ip, ip));
	if (x->n_values == 0) {
		say_no_type(p, x);
		return;
	}
	x->outcome = EXPLAIN_ANSWER;
	buf_str(&x->field, at->label == NULL ? "endpoints[].addresses" : "endpoints[].hostname");
}

/* A label without the underscore that ports and protocols are written with. */
static struct str bare_label(const uint8_t *label)
{
	struct str s = {(const char *)label + 1, label[0]};

	if (s.len > 1 && s.at[0] == '_')
		s = (struct str){s.at + 1, s.len - 1};
	return s;
}

/* Addresses of the endpoints that have the port; false when there are none. */
static bool add_port_addresses(
	const struct kube_place *p, const struct kube_srv *srv, struct explanation *x)
{
	const struct kube_entry *entry = srv->entry;
	unsigned len = p->ask->type == TYPE_A ? 4 : p->ask->type == TYPE_AAAA ? 16 : 0;
	char ip[IP_TEXT_SIZE];

	if (!entry->is_headless || entry->n_ports <= 2) {
		explain_add_set(x, addresses_of(entry, p->ask->type));
		return x->n_values > 0;
	}
	for (uint32_t i = 0; i < entry->n_endpoints; i++) {
		const struct kube_endpoint *at = &entry->endpoints[i];

		if (at->ip.len == len && kube_takes_address(srv, at))
			explain_add_value(x, "%s", ip_text(&at->ip, ip));
	}
	return x->n_values > 0;
}

static void explain_port(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	const uint8_t *name = p->ask->name.wire;
	struct kube_srv srv = {.entry = entry,
		.port = bare_label(name),
		.protocol = bare_label(name_skip(name, 1))};

	name_service(p, x);
	if (!kube_has_port(entry, srv.port, srv.protocol)) {
		kube_explain_no_port(p, entry, x);
		kube_explain_nxdomain(p, x);
		return;
	}
	if (entry->is_headless)
		name_slices(p, x);
	if (p->ask->type == TYPE_SRV && add_srv(p, &srv, x))
		return;
	if (add_port_addresses(p, &srv, x))
		explain_say(x, EXPLAIN_ANSWER, "the addresses only; ask for SRV to get the port");
	else
		say_no_type(p, x);
}

static bool is_protocol_node(const struct kube_entry *entry, const uint8_t *label)
{
	struct str s = {(const char *)label + 1, label[0]};

	return s.len > 1 && s.at[0] == '_' && kube_has_named_port(entry, bare_label(label));
}

static void explain_below_import(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	const uint8_t *name = p->ask->name.wire;

	if (p->labels == 4 && (is_protocol_node(entry, name) || kube_has_cluster(entry, name))) {
		explain_node(p, x);
	} else if (p->labels == 5 && kube_is_port(name)) {
		explain_port(p, entry, x);
	} else if (p->labels == 5) {
		explain_endpoint(p, entry, x);
	} else {
		name_service(p, x);
		explain_say(x, EXPLAIN_NXDOMAIN,
			"an imported Service has names for endpoints, ENDPOINT.CLUSTER, and for "
			"ports (two labels more)");
		kube_explain_nxdomain(p, x);
	}
}

static void explain_zonal(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	const struct kube_entry *part;

	switch (kube_find_zonal(entry, p->ask->name.wire, p->labels - 3, &part)) {
	case ZONAL_ENTRY:
		explain_service(p, part, x);
		if (part == entry)
			explain_say(x, x->outcome, "no endpoint is in the zone asked for: all");
		break;
	case ZONAL_NODE:
		if (p->labels < 6) {
			explain_node(p, x);
			return;
		}
		name_service(p, x);
		explain_say(x, EXPLAIN_NODATA, "no endpoint is in the zone asked for");
		nodata(p, x);
		break;
	case ZONAL_NONE:
		name_service(p, x);
		explain_say(x, EXPLAIN_NXDOMAIN,
			"zonal names are ZONE.pin._zone and ZONE.prefer._zone of a headless "
			"Service");
		kube_explain_nxdomain(p, x);
	}
}

static void explain_below(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x)
{
	if (entry->kind == ENTRY_SERVICE && p->zone->is_imported) {
		explain_below_import(p, entry, x);
		return;
	}
	if (entry->kind == ENTRY_SERVICE &&
		kube_is_zonal(p->k, p->ask->name.wire, p->labels - 3)) {
		explain_zonal(p, entry, x);
		return;
	}
	if (entry->kind == ENTRY_SERVICE && p->labels == 4 &&
		is_protocol_node(entry, p->ask->name.wire)) {
		explain_node(p, x);
		return;
	}
	if (entry->kind == ENTRY_SERVICE && p->labels == 4) {
		explain_endpoint(p, entry, x);
		return;
	}
	if (entry->kind == ENTRY_SERVICE && p->labels == 5) {
		explain_port(p, entry, x);
		return;
	}
	name_service(p, x);
	explain_say(x, EXPLAIN_NXDOMAIN,
		entry->kind == ENTRY_EXTERNAL
			? "a Service of type ExternalName has no names below its own"
			: "a Service has names for endpoints (one label more) and ports (two)");
	kube_explain_nxdomain(p, x);
}

/* --- pods -------------------------------------------------------------------------------- */

/* Finished pods keep their address in the API although others may have it by now. */
static bool is_alive(const struct object *o)
{
	return o->pod.phase != POD_SUCCEEDED && o->pod.phase != POD_FAILED &&
		o->pod.phase != POD_UNKNOWN;
}

static const struct object *find_pod(const struct kube_place *p, const struct ip *ip)
{
	const struct store *st = cluster_store(p->k->cluster);
	struct ip_owner owner;
	size_t pos = 0;

	while (store_ip_next(st, OBJECT_POD, ip, &pos, &owner))
		if (strcmp(owner.object->ns, p->ns) == 0 && is_alive(owner.object) &&
			kube_is_selected(p->k, owner.object))
			return owner.object;
	return NULL;
}

static void answer_pod(const struct kube_place *p, const struct ip *ip, struct explanation *x)
{
	const struct object *pod = find_pod(p, ip);
	char text[IP_TEXT_SIZE];

	if (pod != NULL && p->k->options.pods == PODS_VERIFIED) {
		buf_printf(&x->object, "Pod %s/%s", pod->ns, pod->name);
		buf_str(&x->field, "status.podIPs");
	} else {
		buf_str(&x->object, "none: \"pods insecure\" believes the name");
	}
	if (p->ask->type != (ip->len == 4 ? TYPE_A : TYPE_AAAA)) {
		say_no_type(p, x);
		return;
	}
	x->outcome = EXPLAIN_ANSWER;
	explain_add_value(x, "%s", ip_text(ip, text));
}

static void explain_pod(const struct kube_place *p, struct explanation *x)
{
	struct ip ip;

	if (p->labels != 3 || !kube_read_dashed(&ip, p->ask->name.wire)) {
		explain_say(x, EXPLAIN_NXDOMAIN,
			"a pod's name is its address with dashes: 10-244-1-11.%s.pod", p->ns);
		kube_explain_nxdomain(p, x);
	} else if (p->k->options.pods == PODS_VERIFIED && find_pod(p, &ip) == NULL) {
		kube_explain_no_pod(p, &ip, x);
		kube_explain_nxdomain(p, x);
	} else {
		answer_pod(p, &ip, x);
	}
}

/* --- reverse zones ----------------------------------------------------------------------- */

static void name_owners(const struct kube *k, const struct ip *ip, struct explanation *x)
{
	static const enum object_kind kinds[] = {OBJECT_SERVICE, OBJECT_SLICE};
	struct ip_owner owner;

	for (size_t i = 0; i < ARRAY_LEN(kinds) && x->object.len < 200; i++) {
		size_t pos = 0;

		while (x->object.len < 200 &&
			store_ip_next(cluster_store(k->cluster), kinds[i], ip, &pos, &owner))
			buf_printf(&x->object, "%s%s %s/%s", x->object.len > 0 ? ", " : "",
				object_kind_name(kinds[i]), owner.object->ns, owner.object->name);
	}
}

/* A partial reverse name with names below it exists, and so does the apex of a zone. */
static bool reverse_exists(const struct kube_place *p)
{
	uint8_t prefix[16];
	unsigned bits;
	int n = name_to_prefix(p->ask->name.wire, prefix, &bits);

	return p->labels == 0 ||
		(n != 0 && kube_owners_has_below(&p->k->owners, prefix, (unsigned)n, bits));
}

static void explain_partial(const struct kube_place *p, struct explanation *x)
{
	if (reverse_exists(p)) {
		explain_node(p, x);
		return;
	}
	explain_say(x, EXPLAIN_NXDOMAIN, "the name does not stand for a whole address");
	kube_explain_nxdomain(p, x);
}

static void explain_address(const struct kube_place *p, const struct ip *ip,
	const struct rrset *ptr, struct explanation *x)
{
	if (ptr == NULL && p->labels > 0) {
		kube_explain_no_address(p->k, ip, x);
		kube_explain_nxdomain(p, x);
		return;
	}
	name_owners(p->k, ip, x);
	if (p->ask->type != TYPE_PTR || ptr == NULL) {
		say_no_type(p, x);
		return;
	}
	x->outcome = EXPLAIN_ANSWER;
	explain_add_set(x, ptr);
}

static void explain_reverse(const struct kube_place *p, struct explanation *x)
{
	struct ip ip = {0};
	struct arena arena;

	ip.len = (uint8_t)name_to_addr(p->ask->name.wire, ip.bytes);
	if (ip.len == 0) {
		explain_partial(p, x);
		return;
	}
	arena_init(&arena);
	explain_address(p, &ip, kube_owners_ptr(p->k, &ip, SIZE_MAX, &arena), x);
	arena_reset(&arena);
}

/* --- everything -------------------------------------------------------------------------- */

static void explain_apex(const struct kube_place *p, struct explanation *x)
{
	if (p->ask->type == TYPE_SOA || (p->ask->type == TYPE_NS && p->zone->ns != NULL)) {
		x->outcome = EXPLAIN_ANSWER;
		explain_add_set(x, p->ask->type == TYPE_SOA ? p->zone->soa : p->zone->ns);
	} else if (p->zone->is_reverse) {
		explain_reverse(p, x);
	} else {
		explain_say(x, EXPLAIN_NODATA, "the zone itself has SOA and NS records only");
		nodata(p, x);
	}
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	const struct kube_entry *entry;
	char zone[NAME_TEXT_MAX];
	struct kube_place p;

	read_place(&p, instance, ask);
	if (p.zone == NULL || p.k->cluster == NULL)
		return;
	name_to_text(zone, p.zone->name.wire);
	buf_str(&x->zone, zone);
	if (ask->type == TYPE_AXFR || ask->type == TYPE_IXFR) {
		explain_say(x, EXPLAIN_REFUSED, "it hands out no whole zone");
	} else if (p.labels == 0) {
		explain_apex(&p, x);
	} else if (p.zone->is_reverse) {
		explain_reverse(&p, x);
	} else if ((entry = find_entry(&p)) == NULL) {
		kube_explain_missing(&p, x);
		kube_explain_nxdomain(&p, x);
	} else if (p.labels == key_labels(&p)) {
		explain_entry(&p, entry, x);
	} else if (key_labels(&p) == 2) {
		explain_pod(&p, x);
	} else {
		explain_below(&p, entry, x);
	}
}

/* The pod with the address, or what an endpoint says about it. */
static bool search(void *instance, const union addr *client, struct explain_search *s)
{
	const struct kube *k = instance;
	struct ip ip = {0};
	struct ip_owner owner;
	size_t n, pos = 0;
	const uint8_t *octets = addr_ip(client, &n);

	if (k->cluster == NULL)
		return false;
	ip.len = (uint8_t)n;
	memcpy(ip.bytes, octets, n);
	s->zone = k->primary->name;
	while (store_ip_next(cluster_store(k->cluster), OBJECT_POD, &ip, &pos, &owner)) {
		if (!is_alive(owner.object))
			continue;
		buf_printf(&s->who, "Pod %s/%s", owner.object->ns, owner.object->name);
		buf_str(&s->ns, owner.object->ns);
		s->is_host_network = owner.object->pod.is_host_network;
		return true;
	}
	for (pos = 0; store_ip_next(cluster_store(k->cluster), OBJECT_SLICE, &ip, &pos, &owner);) {
		struct endpoint p = slice_endpoint(&owner.object->slice, owner.item);

		if (p.target_kind != TARGET_POD || p.target_name == NULL)
			continue;
		buf_printf(&s->who, "Pod %s/%s", owner.object->ns, p.target_name);
		buf_str(&s->ns, owner.object->ns);
		return true;
	}
	return false;
}

const struct plugin_explain kube_explain_hooks = {
	.needs_start = true,
	.explain = explain,
	.search = search,
	.names = kube_list_names,
};
