/*
 * Entries of a zone's table: built from cluster objects by the control thread, immutable then.
 */
#include "kubernetes/kube.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "kubernetes/cluster.h"

struct kube_entry *kube_entry_new(enum entry_kind kind, const uint8_t *key, size_t len)
{
	struct kube_entry *entry = mem_alloc(sizeof(*entry) + len);

	ref_init(&entry->ref);
	entry->kind = kind;
	memcpy(entry->key, key, len);
	entry->head.key = entry->key;
	entry->head.key_len = (uint32_t)len;
	return entry;
}

void kube_entry_free(void *object)
{
	struct kube_entry *entry = object;

	if (entry == NULL || !ref_drop(&entry->ref))
		return;
	if (!entry->has_a_inside)
		free((void *)(uintptr_t)entry->a);
	free((void *)(uintptr_t)entry->aaaa);
	free((void *)(uintptr_t)entry->other);
	for (unsigned i = 0; i < entry->n_ports; i++)
		free(entry->ports[i].at);
	free(entry->ports);
	free(entry->endpoints);
	free(entry->by_ip);
	free(entry->labels);
	kube_zonal_free(entry->zonal);
	free(entry);
}

/* --- labels of endpoints ----------------------------------------------------------------- */

/* A pod's name may have dots; as one label it could not be asked for by an ordinary client. */
static bool is_label(const char *text)
{
	return text != NULL && strlen(text) <= NAME_MAX_LABEL && strchr(text, '.') == NULL;
}

const char *kube_endpoint_label(const struct kube *k, const struct endpoint *p)
{
	if (is_label(p->hostname))
		return p->hostname;
	if (k->options.has_endpoint_pod_names && p->target_kind == TARGET_POD &&
		is_label(p->target_name))
		return p->target_name;
	return NULL;
}

/*
 * The address as a label: 10-0-0-1, fd00--1. A label may not end in '-', so an IPv6 address that
 * ends in "::" gets a 0 behind it, as in CoreDNS.
 */
static size_t write_dashed(char out[INET6_ADDRSTRLEN + 1], const struct ip *ip)
{
	size_t n;

	inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes, out, INET6_ADDRSTRLEN);
	n = strlen(out);
	for (size_t i = 0; i < n; i++)
		if (out[i] == '.' || out[i] == ':')
			out[i] = '-';
	if (out[n - 1] == '-')
		out[n++] = '0';
	return n;
}

static size_t write_octets(uint8_t *out, const char *label, size_t n)
{
	out[0] = (uint8_t)n;
	memcpy(out + 1, label, n);
	return n + 1;
}

size_t kube_write_label(uint8_t out[KUBE_LABELS_MAX], const char *label, const struct ip *ip)
{
	char text[INET6_ADDRSTRLEN + 1];
	const char *dot = label == NULL ? NULL : strchr(label, '.');
	size_t n;

	if (label == NULL)
		return write_octets(out, text, write_dashed(text, ip));
	if (dot == NULL)
		return write_octets(out, label, strlen(label));
	/* the cluster, which is written last */
	n = write_octets(out, dot + 1, strlen(dot + 1));
	return n + write_octets(out + n, label, (size_t)(dot - label));
}

bool kube_read_dashed(struct ip *ip, const uint8_t *label)
{
	char text[NAME_MAX_LABEL + 1];
	unsigned dashes = 0, n = label[0];
	bool is_v4;

	memset(ip, 0, sizeof(*ip));
	memcpy(text, label + 1, n);
	text[n] = '\0';
	/* a label may hold any octet, also NUL and what separates the parts of an address */
	if (strspn(text, "0123456789abcdef-") != n)
		return false;
	for (unsigned i = 0; i < n; i++)
		dashes += text[i] == '-';
	is_v4 = dashes == 3 && strstr(text, "--") == NULL;
	for (unsigned i = 0; i < n; i++)
		if (text[i] == '-')
			text[i] = is_v4 ? '.' : ':';
	ip->len = is_v4 ? 4 : 16;
	return inet_pton(is_v4 ? AF_INET : AF_INET6, text, ip->bytes) == 1;
}

/* --- order of endpoints ------------------------------------------------------------------ */

static int compare_ip(const void *x, const void *y)
{
	return ip_compare(x, y);
}

/* Those named by address first, by address; then the others by label, then address. */
static int compare_endpoints(const void *x, const void *y)
{
	const struct kube_endpoint *a = x, *b = y;
	int by_label;

	if ((a->label == NULL) != (b->label == NULL))
		return a->label == NULL ? -1 : 1;
	by_label = a->label == NULL ? 0 : strcmp(a->label, b->label);
	if (by_label != 0)
		return by_label;
	return compare_ip(&a->ip, &b->ip);
}

static int compare_label(const char *label, const uint8_t *wire)
{
	size_t n = strlen(label);
	int order = memcmp(label, wire + 1, n < wire[0] ? n : wire[0]);

	return order != 0 ? order : (int)n - (int)wire[0];
}

/* First labelled endpoint that is not below the label; the end when there is none. */
static uint32_t lower_bound(const struct kube_entry *entry, const uint8_t *label)
{
	uint32_t low = entry->n_plain, high = entry->n_endpoints;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (compare_label(entry->endpoints[mid].label, label) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct kube_endpoint *find_plain(const struct kube_entry *entry, const uint8_t *label)
{
	struct kube_endpoint want = {.label = NULL}, *found;
	char text[INET6_ADDRSTRLEN + 1];

	if (entry->n_plain == 0 || !kube_read_dashed(&want.ip, label))
		return NULL;
	found = bsearch(&want, entry->endpoints, entry->n_plain, sizeof(want), compare_endpoints);
	if (found == NULL)
		return NULL;
	/* one name for each address: other spellings of it do not exist */
	if (write_dashed(text, &want.ip) != label[0] || memcmp(text, label + 1, label[0]) != 0)
		return NULL;
	return found;
}

const struct kube_endpoint *kube_find_endpoint(
	const struct kube_entry *entry, const uint8_t *label, unsigned *n)
{
	uint32_t at = lower_bound(entry, label), end = at;
	const struct kube_endpoint *all = entry->endpoints;

	*n = 1;
	if (at == entry->n_endpoints || compare_label(all[at].label, label) != 0)
		return find_plain(entry, label);
	while (end < entry->n_endpoints && all[end].label == all[at].label)
		end++;
	*n = end - at;
	return &all[at];
}

/*
 * "CLUSTER.ENDPOINT" of two labels, with its length in front; just "CLUSTER." without endpoint. 0
 * when an octet in a label would be mistaken for the dot.
 */
static uint8_t write_pair(uint8_t *out, const uint8_t *cluster, const uint8_t *endpoint)
{
	size_t n = cluster[0], m = endpoint == NULL ? 0 : endpoint[0];

	if (memchr(cluster + 1, '.', n) != NULL)
		return 0;
	if (m > 0 && memchr(endpoint + 1, '.', m) != NULL)
		return 0;
	out[0] = (uint8_t)(n + 1 + m);
	memcpy(out + 1, cluster + 1, n);
	out[1 + n] = '.';
	if (m > 0)
		memcpy(out + 2 + n, endpoint + 1, m);
	return out[0];
}

const struct kube_endpoint *kube_find_imported(
	const struct kube_entry *entry, const uint8_t *labels, unsigned *n)
{
	uint8_t pair[KUBE_LABELS_MAX + 1];

	if (write_pair(pair, name_skip(labels, 1), labels) == 0)
		return NULL;
	return kube_find_endpoint(entry, pair, n);
}

bool kube_has_cluster(const struct kube_entry *entry, const uint8_t *label)
{
	uint8_t pair[KUBE_LABELS_MAX + 1], len = write_pair(pair, label, NULL);
	uint32_t at;

	if (len == 0)
		return false;
	at = lower_bound(entry, pair);
	return at < entry->n_endpoints &&
		strncmp(entry->endpoints[at].label, (const char *)pair + 1, len) == 0;
}

/* --- endpoints by address ---------------------------------------------------------------- */

/* Labelled endpoints that may be searched one by one. */
#define LABELLED_FEW 32u

/* The labelled endpoint i in the order in which they are searched. */
static const struct kube_endpoint *labelled(const struct kube_entry *entry, unsigned i)
{
	return entry->by_ip != NULL ? entry->by_ip[i] : &entry->endpoints[entry->n_plain + i];
}

/* The first labelled endpoint whose address is not below ip; all must be in that order. */
static unsigned first_not_below(const struct kube_entry *entry, const struct ip *ip)
{
	unsigned low = 0, high = entry->n_endpoints - entry->n_plain;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (compare_ip(&entry->by_ip[mid]->ip, ip) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* *at is one more than the place of the next labelled endpoint; 0: the others come first. */
const struct kube_endpoint *kube_next_with_ip(
	const struct kube_entry *entry, const struct ip *ip, unsigned *at)
{
	unsigned n = entry->n_endpoints - entry->n_plain;
	struct kube_endpoint want = {.ip = *ip};
	const struct kube_endpoint *found = NULL;

	if (*at == 0) {
		*at = entry->by_ip != NULL ? first_not_below(entry, ip) + 1 : 1;
		if (entry->n_plain > 0)
			found = bsearch(&want, entry->endpoints, entry->n_plain, sizeof(want),
				compare_endpoints);
	}
	for (; found == NULL && *at <= n; (*at)++) {
		const struct kube_endpoint *p = labelled(entry, *at - 1);

		if (compare_ip(&p->ip, ip) == 0)
			found = p;
		else if (entry->by_ip != NULL)
			*at = n; /* sorted: there is none behind it */
	}
	return found;
}

/* --- building ---------------------------------------------------------------------------- */

/* Ports in all lists of slices: a list has OBJECT_MAX_PORTS at most, mostly one. */
#define MAX_PORTS 4096u

struct builder {
	const struct kube *k;
	const struct object *service;
	const char *zone; /* only endpoints in this topology zone; NULL: all */
	VEC(struct kube_ports) ports;
	size_t n_ports; /* in the lists of slices */
	VEC(struct kube_endpoint) endpoints;
	uint16_t join_of[2], joined; /* lists that join_ports() joined last, and the result */
	struct buf labels; /* offsets while it grows: label pointers are set at the end */
};

static size_t port_texts(const struct port_list *list)
{
	size_t n = list->len;

	for (uint32_t i = 0; i < list->len; i++)
		if (list->at[i].name != NULL)
			n += strlen(list->at[i].name);
	return n;
}

/* Appends the folded name to the texts behind the list. */
static void add_port(struct kube_ports *ports, const struct port *p, char **text)
{
	struct kube_port *at = &ports->at[ports->len++];
	size_t n = p->name == NULL ? 0 : strlen(p->name);

	at->number = (uint16_t)p->port;
	at->protocol = (uint8_t)p->protocol;
	at->name = *text;
	name_fold((uint8_t *)*text, (const uint8_t *)(n > 0 ? p->name : ""), n);
	*text += n;
	*(*text)++ = '\0';
}

/* One block: the ports, and behind them their names. */
static struct kube_ports make_ports(const struct port_list *list)
{
	struct kube_ports ports = {NULL, 0};
	size_t n = list->len * sizeof(*ports.at);
	char *text;

	if (list->len == 0)
		return ports;
	ports.at = mem_alloc(n + port_texts(list));
	text = (char *)ports.at + n;
	for (uint32_t i = 0; i < list->len; i++)
		if (list->at[i].port > 0)
			add_port(&ports, &list->at[i], &text);
	return ports;
}

static bool same_port(const struct kube_port *a, const struct kube_port *b)
{
	return a->number == b->number && a->protocol == b->protocol &&
		strcmp(a->name, b->name) == 0;
}

static bool same_ports(const struct kube_ports *a, const struct kube_ports *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned i = 0; i < a->len; i++)
		if (!same_port(&a->at[i], &b->at[i]))
			return false;
	return true;
}

/*
 * True when a list of n ports can have a place of its own. Each question for a port searches all
 * lists: with very many different ones, endpoints have the ports of the first.
 */
static bool has_room(const struct builder *b, size_t n)
{
	return b->ports.len < KUBE_PORT_LISTS_MAX && b->n_ports + n <= MAX_PORTS;
}

static uint16_t push_list(struct builder *b, struct kube_ports list)
{
	vec_push(&b->ports, list);
	b->n_ports += list.len;
	return (uint16_t)(b->ports.len - 1);
}

/* Index of the port list of a slice; slices of one Service mostly have the same. */
static uint16_t add_ports(struct builder *b, const struct port_list *list)
{
	struct kube_ports ports = make_ports(list);
	size_t i = 1;

	while (i < b->ports.len && !same_ports(&b->ports.at[i], &ports))
		i++;
	if (i == b->ports.len && has_room(b, ports.len))
		return push_list(b, ports);
	free(ports.at);
	return (uint16_t)(i < b->ports.len ? i : 1);
}

/* Starts a label at the end of the texts; one more than the offset, so that none is NULL. */
static const char *begin_label(const struct builder *b)
{
	return (const char *)(uintptr_t)(b->labels.len + 1);
}

static void add_endpoint(struct builder *b, const struct endpoint *p, uint16_t ports)
{
	const char *label = kube_endpoint_label(b->k, p);
	struct kube_endpoint at = {.ip = p->ip, .ports = ports};

	if (label != NULL) {
		at.label = begin_label(b);
		buf_add(&b->labels, label, strlen(label) + 1);
	}
	vec_push(&b->endpoints, at);
}

/* The cluster stands in front, so that endpoints of one cluster are together. */
static void add_imported(
	struct builder *b, const char *cluster, const struct endpoint *p, uint16_t ports)
{
	const char *label = kube_endpoint_label(b->k, p);
	struct kube_endpoint at = {.ip = p->ip, .ports = ports, .label = begin_label(b)};
	char dashed[INET6_ADDRSTRLEN + 1];

	if (label == NULL) {
		dashed[write_dashed(dashed, &p->ip)] = '\0';
		label = dashed;
	}
	buf_printf(&b->labels, "%s.%s", cluster, label);
	buf_char(&b->labels, '\0');
	vec_push(&b->endpoints, at);
}

static void add_slice(struct builder *b, const struct slice_data *s)
{
	bool is_import = b->service->kind == OBJECT_IMPORT;
	uint16_t ports = 0; /* without ready endpoints its ports are no names */

	/* an endpoint of no cluster would have a name that no other endpoint has */
	if (is_import && s->cluster == NULL)
		return;
	for (uint32_t p = 0; p < s->n_endpoints; p++) {
		struct endpoint e = slice_endpoint(s, p);

		if (!e.is_ready || (b->zone != NULL && !kube_is_in_zone(&e, b->zone)))
			continue;
		if (ports == 0)
			ports = add_ports(b, &s->ports);
		if (is_import)
			add_imported(b, s->cluster, &e, ports);
		else
			add_endpoint(b, &e, ports);
	}
}

static struct object_list slices_of(const struct store *st, const struct object *service)
{
	return service->kind == OBJECT_IMPORT
		? store_imported_slices_of(st, service->ns, service->name)
		: store_slices_of(st, service->ns, service->name);
}

/* Room for all at once: arrays that grow by doubling would be a tenth of the memory. */
static void reserve(struct builder *b, struct object_list slices)
{
	size_t n = 0;

	for (size_t i = 0; i < slices.len; i++)
		n += slices.at[i]->slice.n_endpoints;
	vec_reserve(&b->endpoints, n);
	vec_reserve(&b->ports, 2);
}

static void collect_endpoints(struct builder *b)
{
	const struct store *st = cluster_store(b->k->cluster);
	struct object_list slices = slices_of(st, b->service);

	if (b->k->options.no_endpoints || !store_is_synced(st, OBJECT_SLICE))
		return;
	reserve(b, slices);
	for (size_t i = 0; i < slices.len; i++)
		if (kube_is_selected(b->k, slices.at[i]))
			add_slice(b, &slices.at[i]->slice);
}

static void push_port(struct kube_ports *ports, const struct kube_port *p)
{
	for (unsigned i = 0; i < ports->len; i++)
		if (same_port(&ports->at[i], p))
			return;
	ports->at[ports->len++] = *p;
}

/* List with the ports of two lists; their names stay in the blocks of those. */
static uint16_t join_ports(struct builder *b, uint16_t x, uint16_t y)
{
	const struct kube_ports *one = &b->ports.at[x], *two = &b->ports.at[y];
	struct kube_ports both = {NULL, 0};

	if (x == y || !has_room(b, (size_t)one->len + two->len))
		return x;
	if (b->join_of[0] == x && b->join_of[1] == y)
		return b->joined;
	both.at = mem_array((size_t)one->len + two->len + 1, sizeof(*both.at));
	for (unsigned i = 0; i < one->len; i++)
		push_port(&both, &one->at[i]);
	for (unsigned i = 0; i < two->len; i++)
		push_port(&both, &two->at[i]);
	b->join_of[0] = x;
	b->join_of[1] = y;
	b->joined = push_list(b, both);
	return b->joined;
}

/* An endpoint of the list in the place of n; one that is there already gives it its ports. */
static size_t merge_endpoint(struct builder *b, size_t n, const struct kube_endpoint *p)
{
	struct kube_endpoint *last = n == 0 ? NULL : &b->endpoints.at[n - 1];

	if (last != NULL && compare_endpoints(last, p) == 0) {
		last->ports = join_ports(b, last->ports, p->ports);
		return n;
	}
	b->endpoints.at[n] = *p;
	/* endpoints of one name have one text, which is quick to compare */
	if (last != NULL && last->label != NULL && strcmp(last->label, p->label) == 0)
		b->endpoints.at[n].label = last->label;
	return n + 1;
}

static int compare_by_ip(const void *x, const void *y)
{
	const struct kube_endpoint *const *a = x, *const *b = y;

	return compare_ip(&(*a)->ip, &(*b)->ip);
}

/* Labelled endpoints are sorted by label; with many of them, also by address. */
static void index_labelled(struct kube_entry *entry)
{
	uint32_t n = entry->n_endpoints - entry->n_plain;

	if (n <= LABELLED_FEW)
		return;
	entry->by_ip = mem_array(n, sizeof(const struct kube_endpoint *));
	for (uint32_t i = 0; i < n; i++)
		entry->by_ip[i] = &entry->endpoints[entry->n_plain + i];
	qsort(entry->by_ip, n, sizeof(const struct kube_endpoint *), compare_by_ip);
}

/* Labels become pointers and lower case, the list sorted and free of repetitions. */
static void finish_endpoints(struct builder *b, struct kube_entry *entry)
{
	size_t n = 0;

	name_fold((uint8_t *)b->labels.at, (const uint8_t *)b->labels.at, b->labels.len);
	vec_for_each(&b->endpoints, p)
		if (p->label != NULL)
			p->label = b->labels.at + ((uintptr_t)p->label - 1);
	if (b->endpoints.len > 0)
		qsort(b->endpoints.at, b->endpoints.len, sizeof(*b->endpoints.at),
			compare_endpoints);
	for (size_t i = 0; i < b->endpoints.len; i++)
		n = merge_endpoint(b, n, &b->endpoints.at[i]);
	/* most were not ready, or of other zones */
	if (n > 0 && n < b->endpoints.cap / 2)
		b->endpoints.at = mem_resize(b->endpoints.at, n * sizeof(*b->endpoints.at));
	entry->endpoints = b->endpoints.at;
	entry->n_endpoints = (uint32_t)n;
	while (entry->n_plain < n && entry->endpoints[entry->n_plain].label == NULL)
		entry->n_plain++;
	index_labelled(entry);
	entry->labels = b->labels.at;
	entry->ports = b->ports.at;
	entry->n_ports = (uint16_t)b->ports.len;
}

/* The addresses of one family, each once, as a record set; NULL when there is none. */
static const struct rrset *address_set(const struct kube *k, struct ip *ips, size_t n, uint8_t len)
{
	struct rrset_builder b = {.type = len == 4 ? TYPE_A : TYPE_AAAA, .ttl = k->options.ttl};

	for (size_t i = 0; i < n; i++)
		if (ips[i].len == len && (i == 0 || !ip_eq(&ips[i], &ips[i - 1])))
			rrset_add(&b, ips[i].bytes, len);
	return rrset_build(&b);
}

void kube_entry_set_addresses(
	const struct kube *k, struct kube_entry *entry, struct ip *ips, size_t n)
{
	if (n > 1)
		qsort(ips, n, sizeof(*ips), compare_ip);
	entry->a = address_set(k, ips, n, 4);
	entry->aaaa = address_set(k, ips, n, 16);
}

static void add_service_addresses(
	const struct kube *k, struct kube_entry *entry, const struct object *service)
{
	const struct service_data *s = &service->service;
	VEC(struct ip) ips = {NULL, 0, 0};

	if (entry->is_headless) {
		for (uint32_t i = 0; i < entry->n_endpoints; i++)
			vec_push(&ips, entry->endpoints[i].ip);
	} else {
		for (uint32_t i = 0; i < s->cluster_ips.len; i++)
			vec_push(&ips, s->cluster_ips.at[i]);
	}
	kube_entry_set_addresses(k, entry, ips.at, ips.len);
	vec_free(&ips);
}

/* One label, folded; 0 when text is none. A dot would be part of the label, not end it. */
static size_t write_folded(uint8_t *out, const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > NAME_MAX_LABEL || memchr(text, '.', n) != NULL)
		return 0;
	out[0] = (uint8_t)n;
	name_fold(out + 1, (const uint8_t *)text, n);
	return n + 1;
}

size_t kube_namespace_key(uint8_t *key, const char *ns, const char *kind)
{
	size_t n = write_folded(key, ns);

	if (n == 0)
		return 0;
	key[n] = 3;
	memcpy(key + n + 1, kind, 3);
	return n + 4;
}

size_t kube_service_key(uint8_t key[KUBE_KEY_MAX], const char *ns, const char *name)
{
	size_t n = write_folded(key, name), m;

	if (n == 0)
		return 0;
	m = kube_namespace_key(key + n, ns, "svc");
	return m == 0 ? 0 : n + m;
}

/* An alias to an IP literal, or to what is no name, does not exist. */
static struct kube_entry *build_external(
	const struct kube *k, const struct object *o, const uint8_t *key, size_t key_len)
{
	struct rrset_builder b = {.type = TYPE_CNAME, .ttl = k->options.ttl};
	struct kube_entry *entry;
	struct name target;
	struct ip ip;
	const char *text = o->service.external_name;

	if (text == NULL || ip_parse(str_from(text), &ip) == 0 ||
		name_from_text(&target, str_from(text), NULL) != 0 || target.len == 1)
		return NULL;
	entry = kube_entry_new(ENTRY_EXTERNAL, key, key_len);
	rrset_add(&b, target.wire, target.len);
	entry->other = rrset_build(&b);
	return entry;
}

/*
 * The entry with its set of one address behind its key: answering the most common question then
 * touches memory in one place, which is fetched while the batch is still being read.
 */
static struct kube_entry *take_a_inside(struct kube_entry *entry)
{
	size_t at = (sizeof(*entry) + entry->head.key_len + 7) & ~(size_t)7, n;
	struct kube_entry *whole;

	if (entry->a == NULL || entry->a->count > 1)
		return entry;
	n = sizeof(*entry->a) + entry->a->wire_len;
	whole = mem_resize(entry, at + n);
	memcpy((char *)whole + at, whole->a, n);
	free((void *)(uintptr_t)whole->a);
	whole->a = (const struct rrset *)(const void *)((char *)whole + at);
	whole->has_a_inside = true;
	whole->head.key = whole->key;
	return whole;
}

static struct kube_entry *build_service(struct builder *b, const uint8_t *key, size_t key_len)
{
	struct kube_entry *entry = kube_entry_new(ENTRY_SERVICE, key, key_len);
	const struct object *o = b->service;
	const struct kube *k = b->k;

	entry->is_headless = o->service.is_headless;
	vec_reserve(&b->ports, 1);
	vec_push(&b->ports, make_ports(&o->service.ports));
	collect_endpoints(b);
	finish_endpoints(b, entry);
	add_service_addresses(k, entry, o);
	/* the specification: a headless service without ready endpoints has no name */
	if (entry->n_endpoints == 0 && entry->is_headless) {
		kube_entry_free(entry);
		return NULL;
	}
	entry->is_ignored = entry->n_endpoints == 0 && k->options.ignores_empty;
	return take_a_inside(entry);
}

struct kube_entry *kube_entry_build(
	const struct kube *k, const struct object *service, const struct kube_zone *z)
{
	struct builder b = {.k = k, .service = service};
	uint8_t key[KUBE_KEY_MAX];
	size_t n = kube_service_key(key, service->ns, service->name);
	struct kube_entry *entry;

	if (n == 0 || n + z->name.len > NAME_MAX_OCTETS)
		return NULL;
	if (service->kind == OBJECT_SERVICE && service->service.type == SERVICE_EXTERNAL_NAME)
		return build_external(k, service, key, n);
	entry = build_service(&b, key, n);
	if (entry == NULL)
		return NULL;
	entry->home = z;
	entry->zonal = kube_zonal_build(k, service, entry);
	return entry;
}

struct kube_entry *kube_entry_of_zone(const struct kube *k, const struct object *service,
	const struct kube_entry *whole, const char *zone)
{
	struct builder b = {.k = k, .service = service, .zone = zone};

	return build_service(&b, whole->key, whole->head.key_len);
}
