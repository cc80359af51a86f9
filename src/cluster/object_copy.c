/*
 * Deep copies of objects in one heap block. The same walk runs twice: first without memory to
 * learn the size, then to write.
 */
#include "base/mem.h"
#include "base/must.h"
#include "cluster/endpoint_pack.h"
#include "cluster/intern.h"
#include "cluster/object.h"

struct packer {
	uint8_t *base; /* NULL: only measure */
	size_t at;
	struct intern *shared;
};

/* A copy of n bytes at the given alignment; NULL while measuring or for nothing. */
static void *pack(struct packer *p, const void *from, size_t n, size_t align)
{
	void *to;

	if (n == 0)
		return NULL;
	p->at = (p->at + align - 1) & ~(align - 1);
	to = p->base == NULL ? NULL : memcpy(p->base + p->at, from, n);
	p->at += n;
	return to;
}

static const char *pack_text(struct packer *p, const char *s)
{
	return s == NULL ? NULL : pack(p, s, strlen(s) + 1, 1);
}

static const char *pack_shared(struct packer *p, const char *s)
{
	if (p->shared == NULL)
		return pack_text(p, s);
	return p->base == NULL ? NULL : intern_take(p->shared, s);
}

static const struct label *pack_labels(struct packer *p, const struct label *at, uint32_t n)
{
	struct label *to = pack(p, at, n * sizeof(*at), _Alignof(struct label));

	for (uint32_t i = 0; i < n; i++) {
		struct label copy = {pack_shared(p, at[i].key), pack_shared(p, at[i].value)};

		if (to != NULL)
			to[i] = copy;
	}
	return to;
}

static void pack_ports(struct packer *p, struct port_list *l)
{
	const struct port *from = l->at;
	struct port *to = pack(p, from, l->len * sizeof(*from), _Alignof(struct port));

	for (uint32_t i = 0; i < l->len; i++) {
		const char *name = pack_shared(p, from[i].name);
		const char *target = pack_shared(p, from[i].target_name);

		if (to == NULL)
			continue;
		to[i].name = name;
		to[i].target_name = target;
	}
	l->at = to;
}

static void pack_ips(struct packer *p, struct ip_list *l)
{
	l->at = pack(p, l->at, l->len * sizeof(*l->at), 1);
}

static void pack_service(struct packer *p, struct service_data *s)
{
	s->external_name = pack_text(p, s->external_name);
	s->ingress_hosts = pack_labels(p, s->ingress_hosts, s->n_ingress_hosts);
	s->selector.at = pack_labels(p, s->selector.at, s->selector.len);
	pack_ports(p, &s->ports);
	pack_ips(p, &s->cluster_ips);
	pack_ips(p, &s->external_ips);
	pack_ips(p, &s->ingress_ips);
}

/* Room for n bytes at the given alignment that the caller fills; NULL while measuring. */
static void *pack_room(struct packer *p, size_t n, size_t align)
{
	void *to;

	p->at = (p->at + align - 1) & ~(align - 1);
	to = p->base == NULL ? NULL : p->base + p->at;
	p->at += n;
	return to;
}

static const char *const *pack_zones(struct packer *p, const struct slice_data *s, uint8_t *n)
{
	const char *zones[ENDPOINT_PACK_ZONES], **to;

	*n = endpoint_pack_zones(s, zones);
	to = pack_room(p, *n * sizeof(*to), _Alignof(const char *));
	for (uint8_t i = 0; i < *n; i++) {
		const char *zone = pack_shared(p, zones[i]);

		if (to != NULL)
			to[i] = zone;
	}
	return to;
}

static size_t text_size(const struct slice_data *s)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->n_endpoints; i++) {
		struct endpoint e = slice_endpoint(s, i);

		n += endpoint_pack_texts(&e);
	}
	return n;
}

static void fill_endpoints(
	const struct endpoint_pack *pack, const struct slice_data *s, struct packed_endpoint *at)
{
	char *texts = (char *)(uintptr_t)pack->texts;
	uint8_t *ips = (uint8_t *)(uintptr_t)pack->ips;
	uint32_t offset = 0;

	for (uint32_t i = 0; i < s->n_endpoints; i++) {
		struct endpoint e = slice_endpoint(s, i);

		must(e.ip.len == pack->ip_len); /* the decoders compare them with addressType */
		memcpy(ips + (size_t)i * pack->ip_len, e.ip.bytes, pack->ip_len);
		at[i] = endpoint_pack_one(pack, &e, texts, offset);
		offset += (uint32_t)endpoint_pack_texts(&e);
	}
}

static const struct endpoint_pack *pack_endpoints(struct packer *p, const struct slice_data *s)
{
	struct endpoint_pack *to = pack_room(p, sizeof(*to), _Alignof(struct endpoint_pack));
	struct endpoint_pack pack = {.ip_len = slice_endpoint(s, 0).ip.len};
	struct packed_endpoint *at;

	pack.zones = pack_zones(p, s, &pack.n_zones);
	pack.at = at = pack_room(p, s->n_endpoints * sizeof(*at), _Alignof(struct packed_endpoint));
	pack.ips = pack_room(p, (size_t)s->n_endpoints * pack.ip_len, 1);
	pack.texts = pack_room(p, text_size(s), 1);
	if (to == NULL)
		return NULL;
	*to = pack;
	fill_endpoints(to, s, at);
	return to;
}

static void pack_slice(struct packer *p, struct slice_data *s)
{
	const struct endpoint_pack *pack = s->n_endpoints == 0 ? NULL : pack_endpoints(p, s);

	s->endpoints = NULL;
	s->pack = pack;
	pack_ports(p, &s->ports);
	s->service = pack_shared(p, s->service);
	s->import = pack_shared(p, s->import);
	s->cluster = pack_shared(p, s->cluster);
}

static void pack_pod(struct packer *p, struct pod_data *d)
{
	d->hostname = pack_text(p, d->hostname);
	d->subdomain = pack_shared(p, d->subdomain);
	pack_ports(p, &d->ports);
	pack_ips(p, &d->ips);
}

static size_t object_size(enum object_kind kind)
{
	switch (kind) {
	case OBJECT_SERVICE:
	case OBJECT_IMPORT: return offsetof(struct object, service) + sizeof(struct service_data);
	case OBJECT_SLICE: return offsetof(struct object, slice) + sizeof(struct slice_data);
	case OBJECT_POD: return offsetof(struct object, pod) + POD_DATA_KEPT;
	default: return offsetof(struct object, service);
	}
}

/* "namespace/name": the key of the store, and in its end the name. */
static const char *pack_name(struct packer *p, const struct object *o)
{
	size_t n = o->ns == NULL ? 0 : strlen(o->ns), m;
	char *to;

	if (o->name == NULL) /* what was refused is copied in tests */
		return NULL;
	m = strlen(o->name);
	to = pack_room(p, n + m + 2, 1);
	if (to == NULL)
		return NULL;
	memcpy(to, o->ns == NULL ? "" : o->ns, n);
	to[n] = '/';
	return memcpy(to + n + 1, o->name, m + 1);
}

static size_t pack_object(struct packer *p, const struct object *o, size_t extra)
{
	/* an object of the store ends behind the fields of its kind */
	size_t kept = object_size(o->kind), size = p->shared == NULL ? sizeof(*o) : kept;
	struct object copy = {.kind = OBJECT_NONE};

	memcpy(&copy, o, kept);
	p->at = extra + size;
	copy.ns = pack_shared(p, o->ns);
	copy.name = pack_name(p, o);
	copy.labels.at = pack_labels(p, o->labels.at, o->labels.len);
	if (o->kind == OBJECT_SERVICE || o->kind == OBJECT_IMPORT)
		pack_service(p, &copy.service);
	else if (o->kind == OBJECT_SLICE)
		pack_slice(p, &copy.slice);
	else if (o->kind == OBJECT_POD)
		pack_pod(p, &copy.pod);
	if (p->base != NULL)
		memcpy(p->base + extra, &copy, size);
	return p->at;
}

void *object_copy(const struct object *o, size_t extra, struct intern *shared)
{
	struct packer p = {NULL, 0, shared};
	size_t size = pack_object(&p, o, extra);

	must(extra % 8 == 0);
	p.base = mem_alloc(size);
	must(pack_object(&p, o, extra) == size);
	return p.base;
}

static void drop_labels(const struct label *at, uint32_t n, struct intern *shared)
{
	for (uint32_t i = 0; i < n; i++) {
		intern_drop(shared, at[i].key);
		intern_drop(shared, at[i].value);
	}
}

static void drop_ports(const struct port_list *l, struct intern *shared)
{
	for (uint32_t i = 0; i < l->len; i++) {
		intern_drop(shared, l->at[i].name);
		intern_drop(shared, l->at[i].target_name);
	}
}

static void drop_slice(const struct slice_data *s, struct intern *shared)
{
	for (uint8_t i = 0; s->pack != NULL && i < s->pack->n_zones; i++)
		intern_drop(shared, s->pack->zones[i]);
	drop_ports(&s->ports, shared);
	intern_drop(shared, s->service);
	intern_drop(shared, s->import);
	intern_drop(shared, s->cluster);
}

void object_unshare(const struct object *o, struct intern *shared)
{
	intern_drop(shared, o->ns);
	drop_labels(o->labels.at, o->labels.len, shared);
	if (o->kind == OBJECT_SERVICE || o->kind == OBJECT_IMPORT) {
		drop_labels(o->service.ingress_hosts, o->service.n_ingress_hosts, shared);
		drop_labels(o->service.selector.at, o->service.selector.len, shared);
		drop_ports(&o->service.ports, shared);
	} else if (o->kind == OBJECT_SLICE) {
		drop_slice(&o->slice, shared);
	} else if (o->kind == OBJECT_POD) {
		intern_drop(shared, o->pod.subdomain);
			drop_ports(&o->pod.ports, shared);
	}
}
