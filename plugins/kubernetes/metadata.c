/*
 * What the plugin knows about a question, for other plugins: the parts of its name, and who asks.
 * Computed anew for each value that is asked for; nothing is kept.
 */
#include "kubernetes/clients.h"
#include "kubernetes/kube.h"

/* The parts of a name as CoreDNS reads it: NULL where there is none. Wire labels. */
struct parts {
	const uint8_t *kind, *ns, *service, *endpoint, *protocol, *port;
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
static void read_parts(struct parts *p, const uint8_t *name, unsigned labels)
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
	p->endpoint = labels == 4 ? name : NULL;
	p->protocol = labels == 5 ? name_skip(name, 1) : NULL;
	p->port = labels == 5 ? name : NULL;
	p->is_invalid = labels > 5;
}

/* A label as in presentation form: what is no plain character is escaped. */
static struct str label_text(struct query *q, const uint8_t *label)
{
	uint8_t wire[NAME_MAX_LABEL + 2];
	char text[NAME_TEXT_MAX];
	size_t n;

	if (label == NULL)
		return STR("");
	memcpy(wire, label, label[0] + 1u);
	wire[label[0] + 1u] = 0;
	n = name_to_text(text, wire) - 1; /* without the dot */
	return (struct str){arena_dup(&q->arena, text, n), n};
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
	struct parts p;

	if (find_zone(k, q, &labels) == NULL)
		return false;
	read_parts(&p, q->folded, labels);
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
