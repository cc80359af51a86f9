/*
 * The query hook: from a name to an entry, and from the entry to an answer. Runs on workers; a
 * plain question costs one lookup and no memory.
 */
#include "core/alias.h"
#include "dns/wire.h"
#include "k8s_external/external.h"

#define SRV_FIXED 6u

/* --- finding ----------------------------------------------------------------------------- */

/*
 * True when the kubernetes plugin of the block has a longer zone with that name: with the zone
 * `.`, names of the cluster are not ours. Only reverse names of external addresses are.
 */
static bool is_of_cluster(
	const struct external *x, const struct external_zone *z, const uint8_t *name, unsigned all)
{
	const struct name *theirs =
		x->view == NULL ? NULL : x->view->zone_of(x->cluster, name, all);

	return theirs != NULL && theirs->len > z->name.len;
}

static bool has_ptr(const struct external *x, const uint8_t *name)
{
	uint8_t ip[16];
	int n = x->has_reverse ? name_to_addr(name, ip) : 0;

	return n != 0 && external_find_ptr(x, ip, (size_t)n) != NULL;
}

bool external_locate(const struct external *x, const uint8_t *name, struct external_name *out)
{
	int i = zone_list_match(&x->list, name);
	unsigned all;

	if (i < 0)
		return false;
	out->zone = x->zones.at[i];
	out->name = name;
	all = name_labels(name);
	out->labels = all - out->zone->labels;
	out->len = name_len(name) - out->zone->name.len;
	return !is_of_cluster(x, out->zone, name, all) || has_ptr(x, name);
}

/* Append a label without the underscore that ports and protocols are written with. */
static size_t write_bare(uint8_t *out, const uint8_t *label)
{
	unsigned skip = label[0] > 1 && label[1] == '_' ? 1 : 0;

	out[0] = (uint8_t)(label[0] - skip);
	memcpy(out + 1, label + 1 + skip, out[0]);
	return 1u + out[0];
}

/* The key of a port: its first two labels are stored without underscores. */
static size_t port_key(uint8_t *key, const struct external_name *n)
{
	const uint8_t *second = name_skip(n->name, 1), *rest = name_skip(n->name, 2);
	size_t len = write_bare(key, n->name), tail = n->len - (size_t)(rest - n->name);

	len += write_bare(key + len, second);
	memcpy(key + len, rest, tail);
	return len + tail;
}

const struct external_entry *external_find(const struct external_name *n, uint64_t hash)
{
	const struct table *t = &n->zone->table;
	const uint8_t *key = n->name;
	uint8_t bare[NAME_MAX_OCTETS];
	size_t len = n->len;

	if (n->labels > EXTERNAL_LABELS)
		return NULL;
	if (n->labels == EXTERNAL_LABELS) {
		len = port_key(bare, n);
		key = bare;
		hash = 0;
	}
	return (const struct external_entry *)table_find(
		t, key, len, hash != 0 ? hash : table_hash(t, key, len));
}

bool external_is_endpoint(const struct external *x, const struct external_name *n)
{
	const struct table *t = &n->zone->table;
	const uint8_t *service, *last;
	size_t len;

	if (!x->options.has_headless || n->labels < 2 || n->labels > EXTERNAL_LABELS)
		return false;
	last = name_skip(n->name, n->labels - 1);
	if (memcmp(last, x->options.apex, 1u + x->options.apex[0]) == 0)
		return false;
	/* a service with an address outside the cluster is that address */
	service = name_skip(n->name, n->labels - 2);
	len = n->len - (size_t)(service - n->name);
	return table_find(t, service, len, table_hash(t, service, len)) == NULL;
}

bool external_is_reverse(const struct external_name *n)
{
	uint8_t prefix[16];
	unsigned bits;

	return n->zone->is_reverse ||
		(n->zone->labels < 2 && name_to_prefix(n->name, prefix, &bits) != 0);
}

const struct rrset *external_find_ptr(const struct external *x, const uint8_t *ip, size_t len)
{
	const struct external_address *a = (const struct external_address *)table_find(
		&x->addresses, ip, len, table_hash(&x->addresses, ip, len));

	return a == NULL ? NULL : a->ptr;
}

bool external_has_below(const struct external *x, const uint8_t *name)
{
	uint8_t prefix[16];
	unsigned bits;
	int n = name_to_prefix(name, prefix, &bits);

	return n != 0 && prefix_set_has(n == 4 ? &x->v4 : &x->v6, prefix, bits);
}

/* The entry that has the addresses: hundreds of ports with a hundred addresses each are much. */
static const struct external_entry *addressed(
	const struct external_name *n, const struct external_entry *entry)
{
	struct external_name service = {.zone = n->zone, .labels = 2};

	if (entry->kind != EXTERNAL_PORT)
		return entry;
	service.name = name_skip(n->name, 2);
	service.len = n->len - (size_t)(service.name - n->name);
	return external_find(&service, 0);
}

const struct rrset *external_set_of(
	const struct external_name *n, const struct external_entry *entry, uint16_t type)
{
	if (type == TYPE_A || type == TYPE_AAAA) {
		entry = addressed(n, entry);
		if (entry == NULL)
			return NULL;
		return type == TYPE_A ? entry->a : entry->aaaa;
	}
	return entry->other != NULL && entry->other->type == type ? entry->other : NULL;
}

void external_prefetch(struct query *q, void *instance)
{
	const struct external *x = instance;
	struct external_name n;

	if (!external_locate(x, q->folded, &n) || n.zone->is_reverse || n.labels == 0 ||
		n.labels >= EXTERNAL_LABELS)
		return;
	q->table = &n.zone->table;
	q->hash = table_hash(q->table, n.name, n.len);
	table_prefetch(q->table, q->hash);
}

/* --- outcomes ---------------------------------------------------------------------------- */

static enum verdict done(struct external *x, struct query *q, enum external_counter outcome)
{
	q->answer.is_authoritative = true;
	counters_add(x->counters, q->worker->index, outcome, 1);
	return DONE;
}

static void add_soa(const struct external_zone *z, struct query *q)
{
	/* the owner is the zone as the client wrote it */
	const uint8_t *owner = query_name(q) + q->msg.qname_len - z->name.len;

	answer_add_owned(&q->answer, SECTION_AUTHORITY, owner, rcu_borrow(z->soa));
}

static bool is_synced(const struct external *x)
{
	return x->view != NULL && x->view->is_synced(x->cluster);
}

/* Nothing negative may be said before the whole cluster is known. */
static enum verdict unsynced(
	struct external *x, const struct external_zone *z, struct query *q)
{
	query_fail(q, RCODE_SERVFAIL);
	q->answer.ede = EDE_NOT_READY;
	add_soa(z, q);
	return done(x, q, EXTERNAL_UNSYNCED);
}

static enum verdict nodata(struct external *x, const struct external_zone *z, struct query *q)
{
	if (!is_synced(x))
		return unsynced(x, z, q);
	add_soa(z, q);
	return done(x, q, EXTERNAL_NODATA);
}

static enum verdict nxdomain(struct external *x, const struct external_zone *z, struct query *q)
{
	if (!is_synced(x))
		return unsynced(x, z, q);
	if (fall_has(&x->options.fall, q->folded))
		return NEXT;
	q->answer.rcode = RCODE_NXDOMAIN;
	add_soa(z, q);
	return done(x, q, EXTERNAL_NXDOMAIN);
}

/* --- answers ----------------------------------------------------------------------------- */

/* Addresses of the service that the records point to; all point to the same. */
static void add_glue(struct query *q, const struct rrset *srv, const struct external_name *n,
	const struct external_entry *entry)
{
	uint16_t len;
	const uint8_t *target = rrset_rdata(srv, 0, &len) + SRV_FIXED;

	answer_add_owned(
		&q->answer, SECTION_ADDITIONAL, target, external_set_of(n, entry, TYPE_A));
	answer_add_owned(
		&q->answer, SECTION_ADDITIONAL, target, external_set_of(n, entry, TYPE_AAAA));
}

static enum verdict answer_entry(struct external *x, const struct external_name *n,
	const struct external_entry *entry, struct query *q)
{
	const struct rrset *set = external_set_of(n, entry, q->msg.qtype);

	if (entry->kind == EXTERNAL_ALIAS) {
		counters_add(x->counters, q->worker->index, EXTERNAL_ANSWERS, 1);
		return alias_answer(q, entry->other);
	}
	if (set == NULL)
		return nodata(x, n->zone, q);
	answer_add(&q->answer, SECTION_ANSWER, set);
	if (set->type == TYPE_SRV)
		add_glue(q, set, n, entry);
	return done(x, q, EXTERNAL_ANSWERS);
}

/* Names of endpoints, of services that have no address outside the cluster. */
static enum verdict answer_endpoints(
	struct external *x, const struct external_name *n, struct query *q)
{
	struct cluster_ask ask = {.below = n->labels - 2, .ttl = x->options.ttl};

	switch (x->view->endpoints(x->cluster, q, &ask)) {
	case CLUSTER_ANSWERED: return done(x, q, EXTERNAL_ANSWERS);
	case CLUSTER_NO_DATA: return nodata(x, n->zone, q);
	case CLUSTER_NO_NAME: break;
	}
	return nxdomain(x, n->zone, q);
}

static enum verdict answer_reverse(
	struct external *x, const struct external_name *n, struct query *q)
{
	uint8_t ip[16];
	int len = name_to_addr(q->folded, ip);
	const struct rrset *ptr = len == 0 ? NULL : external_find_ptr(x, ip, (size_t)len);

	if (ptr != NULL && q->msg.qtype == TYPE_PTR) {
		answer_add(&q->answer, SECTION_ANSWER, ptr);
		return done(x, q, EXTERNAL_ANSWERS);
	}
	if (ptr != NULL || n->labels == 0 || external_has_below(x, q->folded))
		return nodata(x, n->zone, q);
	return nxdomain(x, n->zone, q);
}

/* NS with the addresses of ns1.dns. */
static enum verdict answer_ns(struct external *x, const struct external_name *n, struct query *q)
{
	const struct rrset *ns = rcu_borrow(n->zone->ns);
	const struct external_entry *self;
	struct external_name own;
	uint16_t len;

	if (ns == NULL)
		return nodata(x, n->zone, q);
	answer_add(&q->answer, SECTION_ANSWER, ns);
	own.zone = n->zone;
	own.name = rrset_rdata(ns, 0, &len);
	own.labels = 2;
	own.len = len - own.zone->name.len;
	self = external_find(&own, 0);
	if (self != NULL) {
		answer_add_owned(&q->answer, SECTION_ADDITIONAL, own.name, self->a);
		answer_add_owned(&q->answer, SECTION_ADDITIONAL, own.name, self->aaaa);
	}
	return done(x, q, EXTERNAL_ANSWERS);
}

static enum verdict answer_apex(struct external *x, const struct external_name *n, struct query *q)
{
	if (q->msg.qtype == TYPE_NS)
		return answer_ns(x, n, q);
	if (q->msg.qtype == TYPE_SOA) {
		answer_add(&q->answer, SECTION_ANSWER, rcu_borrow(n->zone->soa));
		return done(x, q, EXTERNAL_ANSWERS);
	}
	/* a zone can be one address: 192.0.2.1/32 */
	return n->zone->is_reverse ? answer_reverse(x, n, q) : nodata(x, n->zone, q);
}

enum verdict external_query(struct query *q, void *instance)
{
	struct external *x = instance;
	const struct external_entry *entry;
	struct external_name n;

	if (q->msg.qclass != CLASS_IN || !external_locate(x, q->folded, &n))
		return NEXT;
	if (q->msg.qtype == TYPE_AXFR || q->msg.qtype == TYPE_IXFR)
		return query_fail(q, RCODE_REFUSED);
	if (n.labels == 0)
		return answer_apex(x, &n, q);
	entry = external_find(&n, q->table == &n.zone->table ? q->hash : 0);
	if (entry != NULL)
		return answer_entry(x, &n, entry, q);
	if (external_is_reverse(&n))
		return answer_reverse(x, &n, q);
	if (external_is_endpoint(x, &n))
		return answer_endpoints(x, &n, q);
	return nxdomain(x, n.zone, q);
}
