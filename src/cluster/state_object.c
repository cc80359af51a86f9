/*
 * Objects as bytes. One walk over the fields serves both directions: each step writes its value,
 * or reads and returns it. What is read is checked as strictly as the decoders of API answers do.
 */
#include "base/must.h"
#include "cluster/state_file.h"

enum { TEXT_MAX = 317, ENDPOINT_FLAGS = 7 };

struct codec {
	struct buf *out; /* NULL: reading */
	const uint8_t *at, *end;
	struct arena *arena;
	bool has_failed; /* reading: everything after this is zero */
};

enum text_rule { ANY_TEXT, A_NAME, A_LABEL };

/* ---- steps ---- */

static uint64_t fail(struct codec *c)
{
	c->has_failed = true;
	c->at = c->end;
	return 0;
}

static void write_number(struct codec *c, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	buf_add(c->out, bytes, n);
}

static uint64_t read_number(struct codec *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return v;
	}
	return fail(c);
}

static uint64_t number(struct codec *c, uint64_t v, uint64_t max)
{
	if (c->out != NULL) {
		write_number(c, v);
		return v;
	}
	v = read_number(c);
	return v <= max ? v : fail(c);
}

/* The length of an array, of which each element has one byte at least. */
static uint32_t count(struct codec *c, uint32_t n, uint32_t max)
{
	n = (uint32_t)number(c, n, max);
	if (c->out == NULL && n > (size_t)(c->end - c->at))
		n = (uint32_t)fail(c);
	return n;
}

static void bytes(struct codec *c, uint8_t *p, size_t n)
{
	if (c->out != NULL) {
		buf_add(c->out, p, n);
	} else if (n <= (size_t)(c->end - c->at)) {
		memcpy(p, c->at, n);
		c->at += n;
	} else {
		fail(c);
	}
}

static bool is_fit(struct str s, enum text_rule rule)
{
	switch (rule) {
	case A_NAME: return object_is_name(s);
	case A_LABEL: return object_is_label(s);
	default: return true;
	}
}

static const char *read_text(struct codec *c, enum text_rule rule)
{
	uint64_t n = number(c, 0, TEXT_MAX + 1);
	struct str s = {(const char *)c->at, (size_t)n - 1};

	if (n == 0)
		return NULL;
	if (n > (size_t)(c->end - c->at) || memchr(s.at, 0, (size_t)n) != s.at + s.len ||
	        !is_fit(s, rule)) {
		fail(c);
		return NULL;
	}
	c->at += n;
	return s.at;
}

/* A text with its NUL behind its length; no text is the length 0. */
static const char *text(struct codec *c, const char *s, enum text_rule rule)
{
	size_t n;

	if (c->out == NULL)
		return read_text(c, rule);
	n = s == NULL ? 0 : strlen(s) + 1;
	write_number(c, n);
	buf_add(c->out, s == NULL ? "" : s, n);
	return s;
}

/* The text must be there. */
static const char *text_needed(struct codec *c, const char *s, enum text_rule rule)
{
	s = text(c, s, rule);
	if (s != NULL)
		return s;
	must(c->out == NULL);
	fail(c);
	return "";
}

static void *array(struct codec *c, uint32_t n, size_t size)
{
	return c->out != NULL || n == 0 ? NULL : arena_alloc(c->arena, n * size);
}

/* ---- parts of objects ---- */

static void code_ip(struct codec *c, struct ip *ip)
{
	ip->len = (uint8_t)number(c, ip->len, 16);
	if (ip->len == 4 || ip->len == 16)
		bytes(c, ip->bytes, ip->len);
	else
		fail(c);
}

static void code_ips(struct codec *c, struct ip_list *l)
{
	uint32_t n = count(c, l->len, OBJECT_MAX_ADDRESSES + 1);
	struct ip *to = array(c, n, sizeof(*to));

	for (uint32_t i = 0; i < n; i++) {
		struct ip ip = to == NULL ? l->at[i] : (struct ip){0};

		code_ip(c, &ip);
		if (to != NULL)
			to[i] = ip;
	}
	if (c->out == NULL)
		*l = (struct ip_list){to, n};
}

static const struct label *code_labels(
        struct codec *c, const struct label *at, uint32_t *len, bool is_sorted)
{
	uint32_t n = count(c, *len, OBJECT_MAX_LABELS);
	struct label *to = array(c, n, sizeof(*to));

	for (uint32_t i = 0; i < n; i++) {
		struct label l = to == NULL ? at[i] : (struct label){NULL, NULL};

		l.key = text_needed(c, l.key, ANY_TEXT);
		l.value = text_needed(c, l.value, ANY_TEXT);
		if (to == NULL)
			continue;
		to[i] = l;
		if (is_sorted && i > 0 && strcmp(to[i - 1].key, l.key) >= 0)
			fail(c);
	}
	*len = n;
	return c->out == NULL ? to : at;
}

static void code_port(struct codec *c, struct port *p)
{
	p->name = text(c, p->name, A_LABEL);
	p->target_name = text(c, p->target_name, A_LABEL);
	p->port = (int32_t)number(c, (uint64_t)(p->port + 1), 65536) - 1;
	p->target_port = (int32_t)number(c, (uint64_t)p->target_port, 65535);
	p->protocol = (enum protocol)number(c, p->protocol, PROTOCOL_SCTP);
}

static void code_ports(struct codec *c, struct port_list *l)
{
	uint32_t n = count(c, l->len, OBJECT_MAX_PORTS);
	struct port *to = array(c, n, sizeof(*to));

	for (uint32_t i = 0; i < n; i++) {
		struct port p = {0};

		if (to == NULL)
			p = l->at[i];
		code_port(c, &p);
		if (to != NULL)
			to[i] = p;
	}
	if (c->out == NULL)
		*l = (struct port_list){to, n};
}

static uint8_t code_family(struct codec *c, uint8_t family)
{
	family = (uint8_t)number(c, family, 6);
	return family == 0 || family == 4 || family == 6 ? family : (uint8_t)fail(c);
}

static void code_service(struct codec *c, struct service_data *s)
{
	unsigned flags = (unsigned)s->is_headless | (unsigned)s->has_cluster_ip << 1 |
	                 (unsigned)s->publish_not_ready << 2;

	s->type = (enum service_type)number(c, s->type, SERVICE_EXTERNAL_NAME);
	flags = (unsigned)number(c, flags, 7);
	s->is_headless = flags & 1;
	s->has_cluster_ip = flags >> 1 & 1;
	s->publish_not_ready = flags >> 2 & 1;
	s->families[0] = code_family(c, s->families[0]);
	s->families[1] = code_family(c, s->families[1]);
	s->external_name = text(c, s->external_name, ANY_TEXT);
	code_ips(c, &s->cluster_ips);
	code_ips(c, &s->external_ips);
	code_ips(c, &s->ingress_ips);
	s->ingress_hosts = code_labels(c, s->ingress_hosts, &s->n_ingress_hosts, false);
	code_ports(c, &s->ports);
	s->selector.at = code_labels(c, s->selector.at, &s->selector.len, true);
}

static void code_endpoint(struct codec *c, struct endpoint *e)
{
	unsigned flags = (unsigned)e->is_ready | (unsigned)e->is_serving << 1 |
	                 (unsigned)e->is_terminating << 2;

	code_ip(c, &e->ip);
	flags = (unsigned)number(c, flags, ENDPOINT_FLAGS);
	e->is_ready = flags & 1;
	e->is_serving = flags >> 1 & 1;
	e->is_terminating = flags >> 2 & 1;
	e->target_kind = (uint8_t)number(c, e->target_kind, TARGET_OTHER);
	e->hostname = text(c, e->hostname, A_LABEL);
	e->target_name = text(c, e->target_name, A_NAME);
	e->node = text(c, e->node, A_NAME);
	e->zone = text(c, e->zone, ANY_TEXT);
}

static void code_endpoints(struct codec *c, struct slice_data *s)
{
	uint8_t len = s->family == 4 ? 4 : s->family == 6 ? 16 : 0;
	uint32_t n = count(c, s->n_endpoints, OBJECT_MAX_ENDPOINTS);
	struct endpoint *to = array(c, n, sizeof(*to));

	for (uint32_t i = 0; i < n; i++) {
		struct endpoint e = {0};

		if (to == NULL)
			e = slice_endpoint(s, i);
		code_endpoint(c, &e);
		if (to == NULL)
			continue;
		to[i] = e;
		if (e.ip.len != len)
			fail(c);
	}
	s->n_endpoints = n;
	if (c->out == NULL)
		s->endpoints = to;
}

static void code_slice(struct codec *c, struct slice_data *s)
{
	s->service = text(c, s->service, A_LABEL);
	s->cluster = text(c, s->cluster, A_LABEL);
	s->import = text(c, s->import, A_LABEL);
	s->family = code_family(c, s->family);
	s->trigger_ms = number(c, s->trigger_ms, UINT64_MAX);
	code_endpoints(c, s);
	code_ports(c, &s->ports);
}

static void code_pod(struct codec *c, struct pod_data *p)
{
	p->phase = (enum pod_phase)number(c, p->phase, POD_UNKNOWN);
	p->ready = (enum pod_ready)number(c, p->ready, POD_READY_FALSE);
	p->is_host_network = number(c, p->is_host_network, 1);
	p->hostname = text(c, p->hostname, A_LABEL);
	p->subdomain = text(c, p->subdomain, A_LABEL);
	p->node = text(c, p->node, A_NAME);
	code_ips(c, &p->ips);
	code_ports(c, &p->ports);
}

static bool is_label_kind(enum object_kind kind)
{
	return kind == OBJECT_NAMESPACE || kind == OBJECT_SERVICE || kind == OBJECT_IMPORT;
}

static void code_object(struct codec *c, struct object *o)
{
	o->is_deleting = number(c, o->is_deleting, 1);
	o->name = text_needed(c, o->name, is_label_kind(o->kind) ? A_LABEL : A_NAME);
	/* only namespaces have none themselves */
	if (o->kind == OBJECT_NAMESPACE)
		o->ns = "";
	else
		o->ns = text_needed(c, o->ns, ANY_TEXT);
	if (c->out == NULL && *o->ns != '\0' && !object_is_label(str_from(o->ns)))
		fail(c);
	o->rv = number(c, o->rv, UINT64_MAX);
	bytes(c, o->uid, sizeof(o->uid));
	o->labels.at = code_labels(c, o->labels.at, &o->labels.len, true);
	switch (o->kind) {
	case OBJECT_SERVICE:
	case OBJECT_IMPORT: code_service(c, &o->service); break;
	case OBJECT_SLICE: code_slice(c, &o->slice); break;
	case OBJECT_POD: code_pod(c, &o->pod); break;
	default: break;
	}
}

/* An object of the store ends behind the fields of its kind. */
static void take_fields(struct object *to, const struct object *from)
{
	memcpy(to, from, offsetof(struct object, service));
	switch (from->kind) {
	case OBJECT_SERVICE:
	case OBJECT_IMPORT: to->service = from->service; break;
	case OBJECT_SLICE: to->slice = from->slice; break;
	case OBJECT_POD: memcpy(&to->pod, &from->pod, POD_DATA_KEPT); break;
	default: break;
	}
}

void state_object_encode(struct buf *b, const struct object *o)
{
	struct codec c = {.out = b};
	struct object copy = {.kind = OBJECT_NONE};

	take_fields(&copy, o);
	number(&c, copy.kind, OBJECT_KINDS);
	code_object(&c, &copy);
}

bool state_object_decode(struct arena *a, struct str *rest, struct object *o)
{
	struct codec c = {.arena = a};

	c.at = (const uint8_t *)rest->at;
	c.end = c.at + rest->len;
	memset(o, 0, sizeof(*o));
	o->kind = (enum object_kind)number(&c, 0, OBJECT_KINDS - 1);
	if (o->kind == OBJECT_NONE)
		return false;
	code_object(&c, o);
	*rest = (struct str){(const char *)c.at, (size_t)(c.end - c.at)};
	return !c.has_failed;
}
