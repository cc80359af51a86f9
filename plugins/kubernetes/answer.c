/*
 * The query hook: from a name to an entry, and from the entry to an answer. Runs on workers, does
 * not allocate for plain address questions.
 */
#include "kubernetes/kube.h"

#include "kubernetes/cluster.h"

static const uint8_t label_svc[] = "\3svc";
static const uint8_t label_pod[] = "\3pod";

/* Name servers whose addresses are added to an NS answer. */
#define MAX_GLUE 16u

/* With few zones, comparing the end of the name with each takes less than hashing. */
static const struct kube_zone *compare_zones(
	const struct kube *k, const uint8_t *name, size_t len, unsigned labels)
{
	const struct kube_zone *best = NULL;

	vec_for_each(&k->zones, at) {
		const struct kube_zone *z = *at;
		const uint8_t *tail;

		if (z->labels > labels || z->name.len > len)
			continue;
		tail = name + len - z->name.len;
		if (memcmp(tail, z->name.wire, z->name.len) != 0)
			continue;
		/* the octets agree; a label must begin there too */
		if (name_skip(name, labels - z->labels) != tail)
			continue;
		if (best == NULL || z->labels > best->labels)
			best = z;
	}
	return best;
}

const struct kube_zone *kube_find_zone(
	const struct kube *k, const uint8_t *name, size_t len, unsigned labels)
{
	int i;

	if (k->zones.len <= KUBE_ZONES_COMPARED)
		return compare_zones(k, name, len, labels);
	i = zone_list_match(&k->zone_index, name);
	return i < 0 ? NULL : k->zones.at[i];
}

/* A question's name relative to its zone, split into labels from the right. */
struct place {
	const struct kube_zone *zone;
	unsigned labels;       /* left of the zone */
	size_t relative_len;   /* octets left of the zone */
	unsigned key_labels;   /* labels of the entry that decides */
	const uint8_t *key;    /* in the folded name */
	size_t key_len;
};

/*
 * SVC.NS.svc decides about all names below it, NS.pod about its pods; any other name is an entry
 * itself.
 */
static void find_key(struct place *p, const uint8_t *name)
{
	const uint8_t *last;

	p->key = name;
	p->key_labels = p->labels;
	if (p->labels > 2) {
		last = name_skip(name, p->labels - 1);
		if (memcmp(last, label_svc, 4) == 0)
			p->key_labels = 3;
		else if (memcmp(last, label_pod, 4) == 0)
			p->key_labels = 2;
		p->key = name_skip(name, p->labels - p->key_labels);
	}
	p->key_len = p->relative_len - (size_t)(p->key - name);
}

static bool locate(const struct kube *k, const struct query *q, struct place *p)
{
	p->zone = kube_find_zone(k, q->folded, q->msg.qname_len, q->msg.qname_labels);
	if (p->zone == NULL)
		return false;
	p->labels = q->msg.qname_labels - p->zone->labels;
	p->relative_len = q->msg.qname_len - p->zone->name.len;
	find_key(p, q->folded);
	return true;
}

void kube_prefetch(struct query *q, void *instance)
{
	const struct kube *k = instance;
	struct place p;

	if (!locate(k, q, &p) || p.zone->is_reverse)
		return;
	q->table = &p.zone->table;
	q->hash = table_hash(&p.zone->table, p.key, p.key_len);
	table_prefetch(&p.zone->table, q->hash);
}

/* What the state file says is said as such, until the API server has told everything itself. */
static void mark_stale(const struct kube *k, struct query *q)
{
	if (k->cluster != NULL && store_is_stale(cluster_store(k->cluster)))
		q->answer.ede = EDE_STALE;
}

enum verdict kube_done(struct kube *k, struct query *q)
{
	mark_stale(k, q);
	q->answer.is_authoritative = true;
	counters_add(k->counters, q->worker->index, KUBE_ANSWERS, 1);
	return DONE;
}

static void add_soa(const struct kube_zone *z, struct query *q)
{
	/* the owner is the zone as the client wrote it */
	const uint8_t *owner = query_name(q) + q->msg.qname_len - z->name.len;

	answer_add_owned(&q->answer, SECTION_AUTHORITY, owner, rcu_borrow(z->soa));
}

/* Nothing negative may be said before the whole cluster is known. CoreDNS adds the SOA here. */
static enum verdict unsynced(struct kube *k, const struct kube_zone *z, struct query *q)
{
	counters_add(k->counters, q->worker->index, KUBE_UNSYNCED, 1);
	query_fail(q, RCODE_SERVFAIL);
	q->answer.ede = EDE_NOT_READY;
	q->answer.is_authoritative = true;
	add_soa(z, q);
	return DONE;
}

/* Services are known without ServiceImports, but what an address is called depends on both. */
bool kube_is_known(const struct kube *k, const struct kube_zone *z)
{
	return atomic_load_explicit(&k->is_synced, memory_order_relaxed) &&
		(!(z->is_imported || z->is_reverse) ||
			atomic_load_explicit(&k->has_imports, memory_order_relaxed));
}

enum verdict kube_nodata(struct kube *k, const struct kube_zone *z, struct query *q)
{
	if (!kube_is_known(k, z))
		return unsynced(k, z, q);
	mark_stale(k, q);
	counters_add(k->counters, q->worker->index, KUBE_NODATA, 1);
	q->answer.is_authoritative = true;
	add_soa(z, q);
	return DONE;
}

static bool falls_through(const struct kube *k, const struct query *q)
{
	const struct kube_fallthrough *f = &k->options.fallthrough;

	if (!f->is_on)
		return false;
	vec_for_each(&f->zones, z)
		if (name_is_under(q->folded, z->wire))
			return true;
	return f->zones.len == 0;
}

enum verdict kube_nxdomain(struct kube *k, const struct kube_zone *z, struct query *q)
{
	if (!kube_is_known(k, z))
		return unsynced(k, z, q);
	if (falls_through(k, q))
		return NEXT;
	mark_stale(k, q);
	counters_add(k->counters, q->worker->index, KUBE_NXDOMAIN, 1);
	q->answer.rcode = RCODE_NXDOMAIN;
	q->answer.is_authoritative = true;
	add_soa(z, q);
	return DONE;
}

static const struct rrset *addresses_of(const struct kube_entry *entry, uint16_t type)
{
	return type == TYPE_A ? entry->a : type == TYPE_AAAA ? entry->aaaa : NULL;
}

/* The name of a service itself, or another name with records of its own. */
static enum verdict answer_entry(
	struct kube *k, const struct place *p, const struct kube_entry *entry, struct query *q)
{
	const struct rrset *set = addresses_of(entry, q->msg.qtype);

	if (set == NULL && entry->other != NULL && entry->other->type == q->msg.qtype)
		set = entry->other;
	if (set != NULL) {
		answer_add(&q->answer, SECTION_ANSWER, set);
		return kube_done(k, q);
	}
	if (q->msg.qtype == TYPE_SRV && entry->kind == ENTRY_SERVICE) {
		struct kube_srv srv = {.entry = entry,
			.service = name_skip(query_name(q), p->labels - p->key_labels),
			.ttl = k->options.ttl};

		if (kube_add_srv(q, &srv))
			return kube_done(k, q);
	}
	return kube_nodata(k, p->zone, q);
}

/* ZONE.pin._zone or ZONE.prefer._zone below a service. */
static enum verdict answer_zonal(
	struct kube *k, const struct place *p, const struct kube_entry *entry, struct query *q)
{
	const struct kube_entry *part;

	switch (kube_find_zonal(entry, q->folded, p->labels - p->key_labels, &part)) {
	case ZONAL_ENTRY: return answer_entry(k, p, part, q);
	case ZONAL_NODE: return kube_nodata(k, p->zone, q);
	case ZONAL_NONE: break;
	}
	return kube_nxdomain(k, p->zone, q);
}

/* Addresses of the n endpoints that share a name, of the family asked for. */
static enum verdict answer_endpoint(struct kube *k, const struct place *p,
	const struct kube_entry *entry, struct query *q)
{
	unsigned n;
	const struct kube_endpoint *at = p->zone->is_imported
		? kube_find_imported(entry, q->folded, &n)
		: kube_find_endpoint(entry, q->folded, &n);
	const struct rrset *set;

	if (at == NULL)
		return kube_nxdomain(k, p->zone, q);
	if (q->msg.qtype == TYPE_SRV) {
		struct kube_srv srv = {.entry = entry,
			.service = name_skip(query_name(q), p->labels - p->key_labels),
			.endpoint = at,
			.ttl = k->options.ttl};

		return kube_add_srv(q, &srv) ? kube_done(k, q) : kube_nodata(k, p->zone, q);
	}
	set = kube_endpoint_addresses(q, at, n, k->options.ttl);
	if (set == NULL)
		return kube_nodata(k, p->zone, q);
	answer_add(&q->answer, SECTION_ANSWER, set);
	return kube_done(k, q);
}

struct str kube_bare_label(const uint8_t *label)
{
	struct str s = {(const char *)label + 1, label[0]};

	if (s.len > 1 && s.at[0] == '_')
		s = (struct str){s.at + 1, s.len - 1};
	return s;
}

/* P.PROTO.SVC.NS.svc, with or without underscores as CoreDNS reads it. */
static enum verdict answer_port(struct kube *k, const struct place *p,
	const struct kube_entry *entry, struct query *q)
{
	const uint8_t *second = name_skip(q->folded, 1);
	struct kube_srv srv = {
		.entry = entry,
		.service = name_skip(query_name(q), 2),
		.port = kube_bare_label(q->folded),
		.protocol = kube_bare_label(second),
		.ttl = k->options.ttl,
	};
	const struct rrset *set;

	if (!kube_has_port(entry, srv.port, srv.protocol))
		return kube_nxdomain(k, p->zone, q);
	if (q->msg.qtype == TYPE_SRV && kube_add_srv(q, &srv))
		return kube_done(k, q);
	/* slices with other ports: only the endpoints that have this one */
	set = entry->is_headless && entry->n_ports > 2 ? kube_port_addresses(q, &srv)
						       : addresses_of(entry, q->msg.qtype);
	if (set == NULL)
		return kube_nodata(k, p->zone, q);
	answer_add(&q->answer, SECTION_ANSWER, set);
	return kube_done(k, q);
}

/* _PROTO.SVC.NS.svc has no data, but names below it: it exists (RFC 8020). */
static bool is_protocol_node(const struct kube_entry *entry, const uint8_t *label)
{
	struct str s = {(const char *)label + 1, label[0]};

	return s.len > 1 && s.at[0] == '_' && kube_has_named_port(entry, kube_bare_label(label));
}

bool kube_is_port(const uint8_t *labels)
{
	const uint8_t *second = name_skip(labels, 1);

	return (labels[0] > 0 && labels[1] == '_') || (second[0] > 0 && second[1] == '_');
}

/* Below an imported service: a protocol or a cluster, a port or an endpoint of a cluster. */
static enum verdict answer_below_import(struct kube *k, const struct place *p,
	const struct kube_entry *entry, struct query *q)
{
	if (p->labels == 4 &&
		(is_protocol_node(entry, q->folded) || kube_has_cluster(entry, q->folded)))
		return kube_nodata(k, p->zone, q);
	if (p->labels != 5)
		return kube_nxdomain(k, p->zone, q);
	return kube_is_port(q->folded) ? answer_port(k, p, entry, q)
				       : answer_endpoint(k, p, entry, q);
}

/* A name below a service: an endpoint, a protocol, or a port. */
static enum verdict answer_below(struct kube *k, const struct place *p,
	const struct kube_entry *entry, struct query *q)
{
	if (entry->kind != ENTRY_SERVICE)
		return kube_nxdomain(k, p->zone, q);
	if (p->zone->is_imported)
		return answer_below_import(k, p, entry, q);
	if (kube_is_zonal(k, q->folded, p->labels - p->key_labels))
		return answer_zonal(k, p, entry, q);
	if (p->labels == 4 && is_protocol_node(entry, q->folded))
		return kube_nodata(k, p->zone, q);
	if (p->labels == 4)
		return answer_endpoint(k, p, entry, q);
	if (p->labels == 5)
		return answer_port(k, p, entry, q);
	return kube_nxdomain(k, p->zone, q);
}

/* A-B-C-D.NS.pod; the namespace is known to exist. */
static enum verdict answer_pod(struct kube *k, const struct place *p, struct query *q)
{
	uint16_t type;
	struct ip ip;

	if (p->labels != 3 || !kube_read_dashed(&ip, q->folded))
		return kube_nxdomain(k, p->zone, q);
	if (k->options.pods == PODS_VERIFIED && !kube_has_pod(k, &ip, name_skip(q->folded, 1)))
		return kube_nxdomain(k, p->zone, q);
	type = ip.len == 4 ? TYPE_A : TYPE_AAAA;
	if (q->msg.qtype != type)
		return kube_nodata(k, p->zone, q);
	answer_add(&q->answer, SECTION_ANSWER,
		rrset_single(&q->arena, type, k->options.ttl,
			(struct str){(const char *)ip.bytes, ip.len}));
	return kube_done(k, q);
}

/* Addresses of a name server: a service, an endpoint of one, or ns.dns. */
static void add_server_glue(
	struct query *q, const struct kube *k, const uint8_t *target, uint32_t ttl)
{
	unsigned n, labels = name_labels(target);
	const struct kube_zone *home = kube_find_zone(k, target, name_len(target), labels);
	struct place p = {.zone = home};
	const struct kube_entry *entry;

	if (home == NULL)
		return;
	p.labels = labels - home->labels;
	p.relative_len = name_len(target) - home->name.len;
	find_key(&p, target);
	entry = (const struct kube_entry *)table_find(
		&home->table, p.key, p.key_len, table_hash(&home->table, p.key, p.key_len));
	if (entry == NULL)
		return;
	if (p.labels > p.key_labels) {
		const struct kube_endpoint *at = kube_find_endpoint(entry, target, &n);

		for (unsigned i = 0; at != NULL && i < n && i < MAX_GLUE; i++)
			kube_add_endpoint(q, target, &at[i], ttl);
		return;
	}
	answer_add_owned(&q->answer, SECTION_ADDITIONAL, target, entry->a);
	answer_add_owned(&q->answer, SECTION_ADDITIONAL, target, entry->aaaa);
}

static enum verdict answer_ns(struct kube *k, const struct kube_zone *z, struct query *q)
{
	const struct rrset *ns = rcu_borrow(z->ns);
	uint16_t n;

	if (ns == NULL)
		return kube_nodata(k, z, q);
	answer_add(&q->answer, SECTION_ANSWER, ns);
	for (unsigned i = 0; i < ns->count && i < MAX_GLUE; i++)
		add_server_glue(q, k, rrset_rdata(ns, i, &n), ns->ttl);
	return kube_done(k, q);
}

static enum verdict answer_apex(struct kube *k, const struct kube_zone *z, struct query *q)
{
	if (q->msg.qtype == TYPE_NS)
		return answer_ns(k, z, q);
	if (q->msg.qtype == TYPE_SOA) {
		answer_add(&q->answer, SECTION_ANSWER, rcu_borrow(z->soa));
		return kube_done(k, q);
	}
	/* a zone can be one address: 10.96.0.1/32 */
	return z->is_reverse ? kube_reverse(k, z, q) : kube_nodata(k, z, q);
}

enum verdict kube_query(struct query *q, void *instance)
{
	struct kube *k = instance;
	const struct kube_entry *entry;
	struct place p;

	if (q->msg.qclass != CLASS_IN || !locate(k, q, &p))
		return NEXT;
	if (q->msg.qtype == TYPE_AXFR || q->msg.qtype == TYPE_IXFR)
		return query_fail(q, RCODE_REFUSED);
	if (p.labels == 0)
		return answer_apex(k, p.zone, q);
	if (p.zone->is_reverse)
		return kube_reverse(k, p.zone, q);
	entry = (const struct kube_entry *)table_find(&p.zone->table, p.key, p.key_len,
		q->table == &p.zone->table
			? q->hash
			: table_hash(&p.zone->table, p.key, p.key_len));
	if (entry == NULL)
		return kube_nxdomain(k, p.zone, q);
	if (entry->kind == ENTRY_EXTERNAL && p.labels == p.key_labels)
		return kube_external(k, entry, q);
	if (p.labels == p.key_labels)
		return answer_entry(k, &p, entry, q);
	if (p.key_labels == 2)
		return answer_pod(k, &p, q);
	return answer_below(k, &p, entry, q);
}
