/*
 * SRV records of services (RFC 2782), built for each question: they are asked for rarely, and
 * their targets would be the largest part of the table.
 */
#include "kubernetes/kube.h"

#include "base/rand.h"
#include "dns/wire.h"

#define SRV_FIXED 6u

static const char *const protocols[] = {"tcp", "udp", "sctp"};

static bool port_fits(const struct kube_port *p, struct str port, struct str protocol)
{
	if (protocol.len > 0 && !str_is(protocol, protocols[p->protocol]))
		return false;
	return port.len == 0 || (p->name[0] != '\0' && str_is(port, p->name));
}

static bool list_has_port(const struct kube_ports *list, struct str port, struct str protocol)
{
	for (unsigned i = 0; i < list->len; i++)
		if (port_fits(&list->at[i], port, protocol))
			return true;
	return false;
}

/* A headless service has the ports of its endpoints, another one those of its own. */
bool kube_has_port(const struct kube_entry *entry, struct str port, struct str protocol)
{
	if (!entry->is_headless)
		return list_has_port(&entry->ports[0], port, protocol);
	for (unsigned i = 1; i < entry->n_ports; i++)
		if (list_has_port(&entry->ports[i], port, protocol))
			return true;
	return false;
}

bool kube_has_named_port(const struct kube_entry *entry, struct str protocol)
{
	for (unsigned i = entry->is_headless ? 1 : 0; i < entry->n_ports; i++) {
		const struct kube_ports *list = &entry->ports[i];

		for (unsigned n = 0; n < list->len; n++)
			if (list->at[n].name[0] != '\0' &&
				str_is(protocol, protocols[list->at[n].protocol]))
				return true;
		if (!entry->is_headless)
			break;
	}
	return false;
}

/* Port numbers without repetition, and how many ports they stand for. */
struct numbers {
	uint16_t at[OBJECT_MAX_PORTS];
	unsigned len, ports;
};

static void add_number(struct numbers *n, uint16_t number)
{
	unsigned seen = 0;

	n->ports++;
	while (seen < n->len && n->at[seen] != number)
		seen++;
	if (seen == n->len && n->len < OBJECT_MAX_PORTS)
		n->at[n->len++] = number;
}

static void add_fitting(struct numbers *n, const struct kube_srv *srv, unsigned list)
{
	const struct kube_ports *ports = &srv->entry->ports[list];

	for (unsigned i = 0; i < ports->len; i++)
		if (port_fits(&ports->at[i], srv->port, srv->protocol))
			add_number(n, ports->at[i].number);
}

/* As CoreDNS shares 100 out: over all pairs of port and address, at least 1. */
static uint16_t weight_of(unsigned pairs)
{
	return (uint16_t)(pairs == 0 || pairs > 100 ? 1 : 100 / pairs);
}

struct target {
	uint8_t rdata[SRV_FIXED + NAME_MAX_OCTETS];
	size_t len;
};

/* Priority 0, weight, port, and the target: label (may be empty) in front of the service. */
static bool make_target(struct target *t, const uint8_t *label, size_t label_len,
	const uint8_t *service)
{
	size_t n = name_len(service);

	if (label_len + n > NAME_MAX_OCTETS)
		return false;
	if (label_len > 0)
		memcpy(t->rdata + SRV_FIXED, label, label_len);
	memcpy(t->rdata + SRV_FIXED + label_len, service, n);
	t->len = SRV_FIXED + label_len + n;
	return true;
}

static void add_records(
	struct rrset_builder *b, struct target *t, const struct numbers *n, uint16_t weight)
{
	put16(t->rdata, 0);
	put16(t->rdata + 2, weight);
	for (unsigned i = 0; i < n->len; i++) {
		put16(t->rdata + 4, n->at[i]);
		rrset_add(b, t->rdata, t->len);
	}
}

static unsigned address_count(const struct kube_entry *entry)
{
	return (entry->a == NULL ? 0 : entry->a->count) +
		(entry->aaaa == NULL ? 0u : entry->aaaa->count);
}

/* A service with a cluster address: one record a port, its target the service's own name. */
static void add_cluster_records(const struct kube_srv *srv, struct rrset_builder *b)
{
	struct numbers numbers = {.len = 0, .ports = 0};
	struct target t;

	add_fitting(&numbers, srv, 0);
	if (make_target(&t, NULL, 0, srv->service))
		add_records(b, &t, &numbers,
			weight_of(numbers.ports * address_count(srv->entry)));
}

static bool add_cluster_srv(
	struct query *q, const struct kube_srv *srv, struct rrset_builder *b)
{
	const struct rrset *set;
	const uint8_t *target;
	uint16_t n;

	add_cluster_records(srv, b);
	set = rrset_build_in(b, &q->arena);
	if (set == NULL)
		return false;
	target = rrset_rdata(set, 0, &n) + SRV_FIXED;
	answer_add(&q->answer, SECTION_ANSWER, set);
	answer_add_owned(&q->answer, SECTION_ADDITIONAL, target, srv->entry->a);
	answer_add_owned(&q->answer, SECTION_ADDITIONAL, target, srv->entry->aaaa);
	return true;
}

static bool same_name(const struct kube_endpoint *a, const struct kube_endpoint *b)
{
	return a->label != NULL && a->label == b->label;
}

/* The endpoints that a question is about: all of a service, or those of one name. */
struct span {
	const struct kube_endpoint *first, *end;
};

/* The run of endpoints from first on that share its name. */
static struct span name_run(const struct kube_endpoint *first, const struct kube_endpoint *end)
{
	struct span run = {first, first + 1};

	while (run.end < end && same_name(first, run.end))
		run.end++;
	return run;
}

static struct span find_span(const struct kube_srv *srv)
{
	const struct kube_entry *entry = srv->entry;
	struct span all = {entry->endpoints, entry->endpoints};

	if (entry->n_endpoints > 0)
		all.end += entry->n_endpoints;
	return srv->endpoint == NULL ? all : name_run(srv->endpoint, all.end);
}

/*
 * How many ports a question selects in each list: searched once, as thousands of endpoints may
 * share a list of hundreds of ports.
 */
struct selected {
	const struct kube_srv *srv;
	bool is_counted[KUBE_PORT_LISTS_MAX];
	uint16_t ports[KUBE_PORT_LISTS_MAX];
};

static unsigned count_list(const struct kube_srv *srv, unsigned list)
{
	const struct kube_ports *ports = &srv->entry->ports[list];
	unsigned n = 0;

	for (unsigned i = 0; i < ports->len; i++)
		n += port_fits(&ports->at[i], srv->port, srv->protocol);
	return n;
}

static unsigned ports_of(struct selected *s, const struct kube_endpoint *p)
{
	if (!s->is_counted[p->ports])
		s->ports[p->ports] = (uint16_t)count_list(s->srv, p->ports);
	s->is_counted[p->ports] = true;
	return s->ports[p->ports];
}

/* Pairs of port and address, over which the weight is shared. */
static unsigned count_pairs(struct selected *s, struct span span)
{
	unsigned pairs = 0;

	/* beyond 100 the weight is 1 */
	for (const struct kube_endpoint *p = span.first; p < span.end && pairs <= 100; p++)
		pairs += ports_of(s, p);
	return pairs;
}

/* Records for one name, which may have several addresses; false when it has no such port. */
static bool add_name(
	struct rrset_builder *b, struct selected *s, struct span run, uint16_t weight)
{
	uint8_t label[KUBE_LABELS_MAX];
	struct numbers n = {.len = 0, .ports = 0};
	struct target t;

	for (const struct kube_endpoint *p = run.first; p < run.end; p++)
		if ((p == run.first || p->ports != p[-1].ports) && ports_of(s, p) > 0)
			add_fitting(&n, s->srv, p->ports);
	if (n.len == 0 || !make_target(&t, label,
				  kube_write_label(label, run.first->label, &run.first->ip),
				  s->srv->service))
		return false;
	add_records(b, &t, &n, weight);
	return true;
}

bool kube_list_srv(
	const struct kube_srv *srv, struct rrset_builder *b, size_t *at, size_t enough)
{
	struct span all = find_span(srv);
	struct selected s = {.srv = srv};
	size_t n = (size_t)(all.end - all.first);
	uint16_t weight;

	if (!srv->entry->is_headless) {
		if (*at == 0)
			add_cluster_records(srv, b);
		*at = 1;
		return false;
	}
	weight = weight_of(count_pairs(&s, all));
	while (*at < n && b->wire.len < enough) {
		struct span run = name_run(all.first + *at, all.end);

		add_name(b, &s, run, weight);
		*at += (size_t)(run.end - run.first);
	}
	return *at < n;
}

void kube_add_endpoint(
	struct query *q, const uint8_t *owner, const struct kube_endpoint *p, uint32_t ttl)
{
	answer_add_owned(&q->answer, SECTION_ADDITIONAL, owner,
		rrset_single(&q->arena, p->ip.len == 4 ? TYPE_A : TYPE_AAAA, ttl,
			(struct str){(const char *)p->ip.bytes, p->ip.len}));
}

/* --- services with very many endpoints --------------------------------------------------- */

/*
 * A round through endpoints, name by name, from a random one on, that ends when more has been
 * collected than an answer can hold: what nobody will read is not built.
 */
struct round {
	struct span all, run; /* run: endpoints of one name */
	const struct kube_endpoint *start;
	size_t room; /* octets of the answer */
	bool has_begun;
};

static size_t room_of(const struct query *q)
{
	return msg_reply_limit(&q->msg, q->transport, q->udp_cap);
}

/* Which of n records to begin with: any of them when they might not all fit. */
static size_t start_of(size_t n, size_t room)
{
	/* a record has 16 octets at least */
	return n > room / (RR_FIXED + 4) ? rand_below((uint32_t)n) : 0;
}

static struct round round_of(const struct query *q, struct span all)
{
	struct round r = {.all = all, .start = all.first, .room = room_of(q)};

	r.start += start_of((size_t)(all.end - all.first), r.room);
	while (r.start > all.first && same_name(r.start - 1, r.start))
		r.start--;
	return r;
}

/* The next name; used is what has been collected so far. */
static bool round_next(struct round *r, size_t used)
{
	const struct kube_endpoint *next = r->has_begun ? r->run.end : r->start;

	if (used > r->room || r->all.first == r->all.end)
		return false;
	if (next == r->all.end)
		next = r->all.first;
	if (r->has_begun && next == r->start)
		return false;
	r->has_begun = true;
	r->run = name_run(next, r->all.end);
	return true;
}

/* A name that has records, and where in the set they begin. */
struct named {
	struct span run;
	size_t at;
};

/* Addresses of a name, as many as there is room for behind so many octets; returns those then. */
static size_t add_glue(
	struct query *q, const struct rrset *set, const struct named *name, size_t used)
{
	const uint8_t *target = set->wire + name->at + RR_FIXED + SRV_FIXED;
	size_t n = (size_t)(name->run.end - name->run.first), room = room_of(q);
	size_t start = start_of(n, room);

	for (size_t i = 0; i < n && used <= room; i++) {
		const struct kube_endpoint *p = &name->run.first[(start + i) % n];

		kube_add_endpoint(q, target, p, set->ttl);
		used += RR_FIXED + p->ip.len;
	}
	return used;
}

static bool add_endpoint_srv(struct query *q, const struct kube_srv *srv, struct rrset_builder *b)
{
	struct span all = find_span(srv);
	struct selected s = {.srv = srv};
	uint16_t weight = weight_of(count_pairs(&s, all));
	struct round r = round_of(q, all);
	VEC(struct named) names = {NULL, 0, 0};
	const struct rrset *set;
	size_t used;

	while (round_next(&r, b->wire.len)) {
		size_t at = b->wire.len;

		if (add_name(b, &s, r.run, weight))
			vec_push(&names, (struct named){r.run, at});
	}
	set = rrset_build_in(b, &q->arena);
	used = set == NULL ? 0 : set->wire_len;
	if (set != NULL)
		answer_add(&q->answer, SECTION_ANSWER, set);
	/* behind records that do not all fit there is no room for addresses */
	vec_for_each(&names, n)
		used = add_glue(q, set, n, used);
	vec_free(&names);
	return set != NULL;
}

static unsigned octets_of(uint16_t type)
{
	return type == TYPE_A ? 4 : type == TYPE_AAAA ? 16 : 0;
}

const struct rrset *kube_endpoint_addresses(
	struct query *q, const struct kube_endpoint *at, unsigned n, uint32_t ttl)
{
	struct rrset_builder b = {.type = q->msg.qtype, .ttl = ttl, .arena = &q->arena};
	size_t room = room_of(q), start = start_of(n, room);
	unsigned len = octets_of(b.type);

	for (size_t i = 0; i < n && b.wire.len <= room; i++) {
		const struct kube_endpoint *p = &at[(start + i) % n];

		if (p->ip.len == len)
			rrset_add(&b, p->ip.bytes, len);
	}
	return rrset_build_in(&b, &q->arena);
}

static bool is_selected(struct selected *s, const struct kube_endpoint *p)
{
	return (s->srv->port.len == 0 && s->srv->protocol.len == 0) || ports_of(s, p) > 0;
}

/* Endpoints of an address that are looked at: it has a name or two. */
#define SAME_IP_MAX 64u

/* True for the first one of the endpoints with that address which are selected. */
static bool is_first_with_ip(struct selected *s, const struct kube_endpoint *p)
{
	unsigned at = 0;

	for (unsigned i = 0; i < SAME_IP_MAX; i++) {
		const struct kube_endpoint *other =
			kube_next_with_ip(s->srv->entry, &p->ip, &at);

		if (other == NULL || other == p)
			return other == p;
		if (is_selected(s, other))
			return false;
	}
	return false;
}

bool kube_takes_address(const struct kube_srv *srv, const struct kube_endpoint *p)
{
	struct selected s = {.srv = srv};

	return is_selected(&s, p) && is_first_with_ip(&s, p);
}

const struct rrset *kube_port_addresses(struct query *q, const struct kube_srv *srv)
{
	struct rrset_builder b = {.type = q->msg.qtype, .ttl = srv->ttl, .arena = &q->arena};
	struct span all = find_span(srv);
	size_t n = (size_t)(all.end - all.first), room = room_of(q), start = start_of(n, room);
	struct selected s = {.srv = srv};
	unsigned len = octets_of(b.type);

	for (size_t i = 0; i < n && b.wire.len <= room; i++) {
		const struct kube_endpoint *p = &all.first[(start + i) % n];

		if (p->ip.len == len && is_selected(&s, p) && is_first_with_ip(&s, p))
			rrset_add(&b, p->ip.bytes, len);
	}
	return rrset_build_in(&b, &q->arena);
}

bool kube_add_srv(struct query *q, const struct kube_srv *srv)
{
	struct rrset_builder b = {.type = TYPE_SRV, .ttl = srv->ttl, .arena = &q->arena};

	if (srv->entry->is_headless || srv->endpoint != NULL)
		return add_endpoint_srv(q, srv, &b);
	return add_cluster_srv(q, srv, &b);
}
