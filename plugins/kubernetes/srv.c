/*
 * SRV records of services (RFC 2782), built for each question: they are asked for rarely, and
 * their targets would be the largest part of the table.
 */
#include "kubernetes/kube.h"

#include "dns/wire.h"

#define SRV_FIXED 6u

static const char *const protocols[] = {"tcp", "udp", "sctp"};

static bool port_fits(const struct kube_port *p, struct str port, struct str protocol)
{
	if (protocol.len > 0 && !str_is(protocol, protocols[p->protocol]))
		return false;
	return port.len == 0 || (p->name[0] != '\0' && str_is(port, p->name));
}

bool kube_has_port(const struct kube_entry *entry, struct str port, struct str protocol)
{
	for (unsigned i = 0; i < entry->n_ports; i++)
		if (port_fits(&entry->ports[i], port, protocol))
			return true;
	return false;
}

/* Numbers of the ports that fit, each once. */
static unsigned fitting_ports(const struct kube_srv *srv, uint16_t *numbers, unsigned *fitting)
{
	unsigned n = 0;

	*fitting = 0;
	for (unsigned i = 0; i < srv->entry->n_ports; i++) {
		const struct kube_port *p = &srv->entry->ports[i];
		unsigned seen = 0;

		if (!port_fits(p, srv->port, srv->protocol))
			continue;
		(*fitting)++;
		while (seen < n && numbers[seen] != p->number)
			seen++;
		if (seen == n)
			numbers[n++] = p->number;
	}
	return n;
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
	memcpy(t->rdata + SRV_FIXED, label, label_len);
	memcpy(t->rdata + SRV_FIXED + label_len, service, n);
	t->len = SRV_FIXED + label_len + n;
	return true;
}

static void add_records(struct rrset_builder *b, struct target *t, const uint16_t *numbers,
	unsigned n, uint16_t weight)
{
	put16(t->rdata, 0);
	put16(t->rdata + 2, weight);
	for (unsigned i = 0; i < n; i++) {
		put16(t->rdata + 4, numbers[i]);
		rrset_add(b, t->rdata, t->len);
	}
}

static unsigned address_count(const struct kube_entry *entry)
{
	return (entry->a == NULL ? 0 : entry->a->count) +
		(entry->aaaa == NULL ? 0u : entry->aaaa->count);
}

/* A service with a cluster address: one record a port, its target the service's own name. */
static bool add_cluster_srv(struct kube *k, struct query *q, const struct kube_srv *srv,
	struct rrset_builder *b)
{
	uint16_t numbers[OBJECT_MAX_PORTS], n;
	unsigned fitting, ports = fitting_ports(srv, numbers, &fitting);
	const struct rrset *set;
	struct target t;

	(void)k;
	if (!make_target(&t, NULL, 0, srv->service))
		return false;
	add_records(b, &t, numbers, ports, weight_of(fitting * address_count(srv->entry)));
	set = rrset_build_in(b, &q->arena);
	if (set == NULL)
		return false;
	answer_add(&q->answer, SECTION_ANSWER, set);
	answer_add_owned(&q->answer, SECTION_ADDITIONAL, rrset_rdata(set, 0, &n) + SRV_FIXED,
		srv->entry->a);
	answer_add_owned(&q->answer, SECTION_ADDITIONAL, rrset_rdata(set, 0, &n) + SRV_FIXED,
		srv->entry->aaaa);
	return true;
}

static bool same_name(const struct kube_endpoint *a, const struct kube_endpoint *b)
{
	return a->label != NULL && b->label != NULL && strcmp(a->label, b->label) == 0;
}

/* The address of endpoint p, owned by its name in the SRV record i of set. */
static void add_address(struct query *q, const struct rrset *set, const uint8_t *target,
	const struct kube_endpoint *p)
{
	answer_add_owned(&q->answer, SECTION_ADDITIONAL, target,
		rrset_single(&q->arena, p->ip.len == 4 ? TYPE_A : TYPE_AAAA, set->ttl,
			(struct str){(const char *)p->ip.bytes, p->ip.len}));
}

/* Addresses for a set made by add_endpoint_records(): ports records for each name in turn. */
static void add_endpoint_addresses(
	struct query *q, const struct rrset *set, const struct kube_srv *srv, unsigned ports)
{
	const struct kube_endpoint *first = srv->endpoint, *end;
	const uint8_t *record = set->wire, *wire_end = set->wire + set->wire_len;

	if (first == NULL)
		first = srv->entry->endpoints;
	end = srv->entry->endpoints + srv->entry->n_endpoints;
	for (const struct kube_endpoint *p = first; p < end && record < wire_end; p++) {
		add_address(q, set, record + RR_FIXED + SRV_FIXED, p);
		if (p + 1 < end && same_name(p, p + 1))
			continue;
		for (unsigned i = 0; i < ports; i++)
			record += RR_FIXED + get16(record + 10);
	}
}

/* One record for each endpoint name and port; endpoints of one name follow each other. */
static void add_endpoint_records(struct rrset_builder *b, const struct kube_srv *srv,
	const uint16_t *numbers, unsigned ports, uint16_t weight)
{
	const struct kube_endpoint *p = srv->endpoint, *end;

	end = srv->entry->endpoints + srv->entry->n_endpoints;
	if (p == NULL)
		p = srv->entry->endpoints;
	for (const struct kube_endpoint *first = p; p < end; p++) {
		uint8_t label[NAME_MAX_LABEL + 1];
		struct target t;
		size_t n;

		if (srv->endpoint != NULL && p != first && !same_name(first, p))
			break;
		if (p != first && same_name(p - 1, p))
			continue;
		n = kube_write_label(label, p->label, &p->ip);
		if (make_target(&t, label, n, srv->service))
			add_records(b, &t, numbers, ports, weight);
	}
}

static bool add_headless_srv(struct query *q, const struct kube_srv *srv, struct rrset_builder *b)
{
	uint16_t numbers[OBJECT_MAX_PORTS];
	unsigned fitting, ports = fitting_ports(srv, numbers, &fitting);
	const struct rrset *set;

	if (ports == 0)
		return false;
	add_endpoint_records(
		b, srv, numbers, ports, weight_of(fitting * srv->entry->n_endpoints));
	set = rrset_build_in(b, &q->arena);
	if (set == NULL)
		return false;
	answer_add(&q->answer, SECTION_ANSWER, set);
	add_endpoint_addresses(q, set, srv, ports);
	return true;
}

bool kube_add_srv(struct kube *k, struct query *q, const struct kube_srv *srv)
{
	struct rrset_builder b = {.type = TYPE_SRV, .ttl = k->options.ttl};

	if (srv->entry->is_headless || srv->endpoint != NULL)
		return add_headless_srv(q, srv, &b);
	return add_cluster_srv(k, q, srv, &b);
}
