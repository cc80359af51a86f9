/*
 * What the plugin knows about a question, for other plugins: the parts of its name, and who asks.
 * Computed anew for each value that is asked for; nothing is kept.
 */
#include "kubernetes/clients.h"
#include "kubernetes/kube.h"

/* The parts of a name as CoreDNS reads it: NULL where there is none. Wire labels. */
struct parts {
	const uint8_t *kind, *ns, *service, *endpoint, *cluster, *protocol, *port;
	const uint8_t *zone; /* of the topology, its first label */
	unsigned zone_labels;
	bool is_invalid;
};

/* The zone that the question's name lies in, and how many labels are left of it. */
static const struct kube_zone *find_zone(
	const struct kube *k, const struct query *q, unsigned *labels)
{
	const struct kube_zone *best = NULL;

	vec_for_each(&k->zones, z)
		if (name_is_under(q->folded, (*z)->name.wire) &&
			(best == NULL || (*z)->labels > best->labels))
			best = *z;
	*labels = best == NULL ? 0 : q->msg.qname_labels - best->labels;
	return best;
}

static bool is_label(const uint8_t *label, const char *text)
{
	return str_is((struct str){(const char *)label + 1, label[0]}, text);
}

/* From the right: kind, namespace, service, then an endpoint or a protocol and a port. */
static void read_parts(
	struct parts *p, const struct kube_zone *z, const uint8_t *name, unsigned labels)
{
	memset(p, 0, sizeof(*p));
	if (labels == 0)
		return;
	p->kind = name_skip(name, labels - 1);
	if (!is_label(p->kind, "svc") && !is_label(p->kind, "pod")) {
		p->is_invalid = true;
		return;
	}
	if (labels == 1) {
		p->kind = NULL;
		return;
	}
	p->ns = name_skip(name, labels - 2);
	p->service = labels > 2 ? name_skip(name, labels - 3) : NULL;
	if (labels == 4) {
		p->endpoint = name;
	} else if (labels == 5 && z->is_imported && !kube_is_port(name)) {
		p->endpoint = name;
		p->cluster = name_skip(name, 1);
	} else if (labels == 5) {
		p->port = name;
		p->protocol = name_skip(name, 1);
	}
	p->is_invalid = labels > 5;
}

/* ZONE.pin|prefer._zone.SVC.NS.svc, where the option `zonal` is; ZONE may have dots. */
static bool read_zonal(
	struct parts *p, const struct kube *k, const uint8_t *name, unsigned labels)
{
	const uint8_t *directive;

	if (labels < 6 || !kube_is_zonal(k, name, labels - 3))
		return false;
	directive = name_skip(name, labels - 5);
	if (!is_label(directive, "pin") && !is_label(directive, "prefer"))
		return false;
	read_parts(p, NULL, name_skip(name, labels - 3), 3);
	p->zone = name;
	p->zone_labels = labels - 5;
	return !p->is_invalid;
}

/* Labels as in presentation form: what is no plain character is escaped. */
static struct str labels_text(struct query *q, const uint8_t *labels, unsigned count)
{
	size_t n = labels == NULL ? 0 : (size_t)(name_skip(labels, count) - labels);
	uint8_t wire[NAME_MAX_OCTETS + 1];
	char text[NAME_TEXT_MAX];

	if (n == 0)
		return STR("");
	memcpy(wire, labels, n);
	wire[n] = 0;
	n = name_to_text(text, wire) - 1; /* without the dot */
	return (struct str){arena_dup(&q->arena, text, n), n};
}

static struct str label_text(struct query *q, const uint8_t *label)
{
	return labels_text(q, label, 1);
}

/* Ports and protocols without their underscore. */
static struct str bare_text(struct query *q, const uint8_t *label)
{
	struct str s = label_text(q, label);

	return s.len > 0 && s.at[0] == '_' ? (struct str){s.at + 1, s.len - 1} : s;
}

static bool name_value(struct query *q, const struct kube *k, struct str label, struct str *out)
{
	unsigned labels;
	const struct kube_zone *z = find_zone(k, q, &labels);
	struct parts p;

	if (z == NULL)
		return false;
	if (!read_zonal(&p, k, q->folded, labels))
		read_parts(&p, z, q->folded, labels);
	if (p.is_invalid || str_is(label, "parse-error")) {
		*out = STR("invalid query name");
		return p.is_invalid && str_is(label, "parse-error");
	}
	if (str_is(label, "kind"))
		*out = label_text(q, p.kind);
	else if (str_is(label, "namespace"))
		*out = label_text(q, p.ns);
	else if (str_is(label, "service"))
		*out = label_text(q, p.service);
	else if (str_is(label, "endpoint"))
		*out = label_text(q, p.endpoint);
	else if (str_is(label, "cluster") && z->is_imported)
		*out = label_text(q, p.cluster);
	else if (str_is(label, "zone") && k->options.has_zonal)
		*out = labels_text(q, p.zone, p.zone_labels);
	else if (str_is(label, "protocol"))
		*out = bare_text(q, p.protocol);
	else if (str_is(label, "port-name"))
		*out = bare_text(q, p.port);
	else
		return false;
	return true;
}

static bool give(const char *text, struct str *out)
{
	*out = str_from(text);
	return text != NULL;
}

static bool label_value(
	const struct kube *k, const struct kube_client *c, struct str key, struct str *out)
{
	for (size_t i = 0; i < k->clients.labels.len; i++)
		if (str_is(key, k->clients.labels.at[i]))
			return give(c->labels[i], out);
	return false;
}

static bool client_value(
	const struct query *q, const struct kube *k, struct str label, struct str *out)
{
	const struct table *t = &k->clients.table;
	const struct kube_client *c;
	const uint8_t *ip;
	size_t n;

	/* another pod with the address may not have been read yet */
	if (!k->clients.is_wanted || q->client.sa.sa_family == AF_UNSPEC ||
		!atomic_load_explicit(&k->is_synced, memory_order_relaxed))
		return false;
	ip = addr_ip(&q->client, &n);
	c = (const struct kube_client *)table_find(t, ip, n, table_hash(t, ip, n));
	if (c == NULL)
		return false;
	if (str_is(label, "client-namespace"))
		return give(c->ns, out);
	if (str_is(label, "client-pod-name"))
		return give(c->pod, out);
	if (!str_has_prefix(label, "client-label/"))
		return false;
	str_cut(&label, '/');
	return label_value(k, c, label, out);
}

bool kube_metadata(struct query *q, void *instance, struct str label, struct str *out)
{
	if (str_has_prefix(label, "client-"))
		return client_value(q, instance, label, out);
	return name_value(q, instance, label, out);
}
