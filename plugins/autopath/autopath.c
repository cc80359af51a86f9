/*
 * autopath: walks the search path of a client on the server, so that a pod with "ndots:5" asks once
 * where it would ask four or five times.
 */
#include "autopath/autopath.h"

#include "base/rcu.h"

/* Labels of name before the domain; 0 when it does not lie below it. */
static unsigned labels_before(const uint8_t *name, const uint8_t *domain)
{
	return name_is_under(name, domain) ? name_labels(name) - name_labels(domain) : 0;
}

static bool lives_in(const struct autopath *a, const union addr *client, const uint8_t *ns)
{
	uint8_t label[NAME_MAX_LABEL + 1];
	struct ip ip = {0};
	size_t n;
	const uint8_t *octets = addr_ip(client, &n);

	if (client->sa.sa_family == AF_UNSPEC)
		return false;
	ip.len = (uint8_t)n;
	memcpy(ip.bytes, octets, n);
	return a->view->pod_namespace(a->cluster, &ip, label) &&
		memcmp(label, ns, label[0] + 1u) == 0;
}

/* BASE.NS.svc.ZONE, asked by a pod of NS: its path is NS.svc.ZONE, svc.ZONE, ZONE, and ours. */
static bool begin_pod(struct autopath *a, const uint8_t *name, const union addr *client,
	struct autopath_walk *w)
{
	unsigned labels = name_labels(name);
	const struct name *zone = a->view->zone_of(a->cluster, name, labels);
	unsigned below;

	if (zone == NULL)
		return false;
	below = labels - name_labels(zone->wire);
	if (below < 3 || memcmp(name_skip(name, below - 1), "\3svc", 4) != 0)
		return false;
	/* an address that another pod has, too, may not have been read yet */
	if (!a->view->is_synced(a->cluster) || !lives_in(a, client, name_skip(name, below - 2)))
		return false;
	w->base_labels = below - 2;
	w->own = name_skip(name, below - 1);
	w->own_left = 2;
	w->cluster = w->own;
	w->domains = a->search->wire;
	w->domains_left = a->search->len;
	return true;
}

static bool begin_file(struct autopath *a, const uint8_t *name, struct autopath_walk *w)
{
	const struct search *s = rcu_borrow(a->search);

	/* the root alone is no search path */
	if (s->len < 2)
		return false;
	w->base_labels = labels_before(name, s->wire);
	w->own = NULL;
	w->own_left = 0;
	w->cluster = NULL;
	w->domains = s->wire + name_len(s->wire);
	w->domains_left = s->len - 1;
	return w->base_labels > 0;
}

bool autopath_begin(struct autopath *a, const uint8_t *name, const union addr *client,
	struct autopath_walk *w)
{
	return a->path == NULL ? begin_pod(a, name, client, w) : begin_file(a, name, w);
}

static bool is_address_type(const struct query *q)
{
	return q->msg.qtype == TYPE_A || q->msg.qtype == TYPE_AAAA;
}

/* Names must outlive a WAIT: those of a file may be replaced meanwhile. */
static struct autopath_walk *keep(struct query *q, const struct autopath_walk *found)
{
	struct autopath_walk *w = arena_new(&q->arena, struct autopath_walk);
	const uint8_t *end = found->domains;

	*w = *found;
	for (unsigned i = 0; i < found->domains_left; i++)
		end += name_len(end);
	w->domains = (const uint8_t *)arena_dup(
		&q->arena, found->domains, (size_t)(end - found->domains));
	return w;
}

/*
 * Questions of our own are not walked, for their names come from no resolver with a search path:
 * but for that of a plugin above us (dns64) that asks for another type of the client's name.
 */
static bool is_clients(const struct query *q)
{
	if (!q->is_internal)
		return true;
	return q->parent != NULL && !q->parent->is_internal && !autopath_is_step(q) &&
		name_equal(q->folded, q->parent->folded);
}

static enum verdict query(struct query *q, void *instance)
{
	struct autopath *a = instance;
	struct autopath_walk w = {.autopath = a};

	if (!is_clients(q) || q->msg.qclass != CLASS_IN || !is_address_type(q) ||
		zone_list_match(&a->zones, q->folded) < 0 ||
		!autopath_begin(a, q->folded, &q->client, &w))
		return NEXT;
	w.base_len = (size_t)(name_skip(q->folded, w.base_labels) - q->folded);
	return autopath_walk(q, keep(q, &w));
}

static void metrics(void *instance, struct metrics *m)
{
	static const struct metric_family successes = {"coredns_autopath_success_total",
		"Questions answered with a name further along the search path.", METRIC_COUNTER};
	const struct autopath *a = instance;
	struct buf labels = {0};

	metrics_label(&labels, "server", a->label);
	metrics_sample(m, &successes, buf_text(&labels), (double)counters_sum(a->successes, 0));
	buf_free(&labels);
}

const struct plugin autopath_plugin = {
	.name = "autopath",
	.setup = autopath_setup,
	.link = autopath_link,
	.start = autopath_start,
	.query = query,
	.metrics = metrics,
	.teardown = autopath_free,
	.explain = &autopath_explain,
};
