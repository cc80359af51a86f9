#include "cluster/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/num.h"

void build_init(struct build *b, struct arena *arena, enum object_kind kind, struct object *o)
{
	memset(o, 0, sizeof(*o));
	o->kind = kind;
	o->ns = "";
	*b = (struct build){arena, o};
}

void build_drop(struct build *b, const char *what, struct str value)
{
	struct buf text = {0};

	b->o->dropped++;
	if (b->o->problem != NULL)
		return;
	if (value.len > 80)
		value.len = 80;
	buf_escape(&text, value);
	b->o->problem = arena_printf(b->arena, "%s \"%s\"", what, buf_text(&text));
	buf_free(&text);
}

const char *build_text(struct build *b, const char *what, struct str value, size_t max)
{
	if (value.len == 0)
		return NULL;
	if (value.len <= max && memchr(value.at, 0, value.len) == NULL)
		return arena_dup(b->arena, value.at, value.len);
	build_drop(b, what, value);
	return NULL;
}

const char *build_name(struct build *b, const char *what, struct str value)
{
	if (value.len == 0)
		return NULL;
	if (object_is_name(value))
		return arena_dup(b->arena, value.at, value.len);
	build_drop(b, what, value);
	return NULL;
}

const char *build_label(struct build *b, const char *what, struct str value)
{
	if (value.len == 0)
		return NULL;
	if (object_is_label(value))
		return arena_dup(b->arena, value.at, value.len);
	build_drop(b, what, value);
	return NULL;
}

void build_namespace(struct build *b, struct str value)
{
	b->o->ns = value.len == 0 ? "" : build_label(b, "namespace", value);
}

/*
 * Room for one more element of an array in the arena, which is doubled at powers of two: the
 * length alone tells the capacity.
 */
static void *more(struct build *b, const void *at, uint32_t len, size_t size)
{
	void *bigger;

	if (len != 0 && (len < 2 || (len & (len - 1)) != 0))
		return (void *)(uintptr_t)at;
	bigger = arena_alloc(b->arena, (len == 0 ? 2 : len * (size_t)2) * size);
	return len == 0 ? bigger : memcpy(bigger, at, len * size);
}

void build_version(struct build *b, struct str value)
{
	b->o->rv = 0;
	b->o->version = build_text(b, "resourceVersion", value, 128);
	if (b->o->version != NULL)
		num_u64(value, UINT64_MAX, &b->o->rv);
}

/* Values of the hexadecimal digits, plus one; 0 for what is none. */
static const uint8_t hex_values[256] = {
        ['0'] = 1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        ['A'] = 11,
        12,
        13,
        14,
        15,
        16,
        ['a'] = 11,
        12,
        13,
        14,
        15,
        16,
};

/* Five groups of 8, 4, 4, 4 and 12 digits. */
static bool read_uuid(struct str value, uint8_t out[16])
{
	static const uint8_t places[16] = {
	        0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

	if (value.len != 36 || value.at[8] != '-' || value.at[13] != '-' || value.at[18] != '-' ||
	        value.at[23] != '-')
		return false;
	for (size_t i = 0; i < 16; i++) {
		const char *at = value.at + places[i];
		uint8_t high = hex_values[(uint8_t)at[0]], low = hex_values[(uint8_t)at[1]];

		if (high == 0 || low == 0)
			return false;
		out[i] = (uint8_t)((high - 1) << 4 | (low - 1));
	}
	return true;
}

void build_uid(struct build *b, struct str value)
{
	uint8_t *uid = b->o->uid;
	uint64_t h[2];

	memset(uid, 0, 16);
	if (value.len == 0 || read_uuid(value, uid))
		return;
	h[0] = hash_bytes(1, value.at, value.len);
	h[1] = hash_bytes(2, value.at, value.len);
	memcpy(uid, h, 16);
}

void build_labels_add(struct build *b, struct labels *l, struct str key, struct str value)
{
	struct label *at;
	const char *k = build_text(b, "label key", key, 317), *v;

	if (k == NULL)
		return;
	v = value.len == 0 ? "" : build_text(b, "label value", value, 63);
	if (v == NULL)
		return;
	at = (struct label *)(uintptr_t)l->at;
	for (uint32_t i = 0; i < l->len; i++)
		if (strcmp(at[i].key, k) == 0) {
			at[i].value = v;
			return;
		}
	if (l->len >= OBJECT_MAX_LABELS) {
		build_drop(b, "one label too many:", key);
		return;
	}
	at = more(b, l->at, l->len, sizeof(*at));
	at[l->len++] = (struct label){k, v};
	l->at = at;
}

void build_ip_add(struct build *b, struct ip_list *l, const char *what, struct str value)
{
	struct ip ip, *at;

	if (value.len == 0)
		return;
	if (ip_parse(value, &ip) != 0 || ip_is_unusable(&ip) || l->len >= OBJECT_MAX_ADDRESSES) {
		build_drop(b, what, value);
		return;
	}
	for (uint32_t i = 0; i < l->len; i++)
		if (ip_eq(&l->at[i], &ip))
			return;
	at = more(b, l->at, l->len, sizeof(*at));
	at[l->len++] = ip;
	l->at = at;
}

void build_cluster_ip(struct build *b, struct str value)
{
	struct service_data *s = &b->o->service;

	if (value.len == 0)
		return;
	s->has_cluster_ip = true;
	if (str_is(value, "None"))
		s->is_headless = true;
	else
		build_ip_add(b, &s->cluster_ips, "clusterIP", value);
}

void build_family(struct build *b, struct str value)
{
	uint8_t *f = b->o->service.families;
	uint8_t family = str_is(value, "IPv4") ? 4 : str_is(value, "IPv6") ? 6 : 0;

	if (family == 0)
		build_drop(b, "IP family", value);
	else if (f[0] == 0)
		f[0] = family;
	else if (f[0] != family)
		f[1] = family;
}

void build_ingress_host(struct build *b, struct str value)
{
	struct service_data *s = &b->o->service;
	const char *host;
	struct label *at;

	if (s->n_ingress_hosts >= OBJECT_MAX_ADDRESSES)
		return;
	host = build_name(b, "ingress hostname", value);
	if (host == NULL)
		return;
	at = more(b, s->ingress_hosts, s->n_ingress_hosts, sizeof(*at));
	at[s->n_ingress_hosts++] = (struct label){host, ""};
	s->ingress_hosts = at;
}

enum service_type build_service_type(struct str value)
{
	if (str_is(value, "ExternalName"))
		return SERVICE_EXTERNAL_NAME;
	if (str_is(value, "NodePort"))
		return SERVICE_NODE_PORT;
	if (str_is(value, "LoadBalancer"))
		return SERVICE_LOAD_BALANCER;
	return SERVICE_CLUSTER_IP;
}

enum pod_phase build_pod_phase(struct str value)
{
	static const char *const names[] = {
	        "", "Pending", "Running", "Succeeded", "Failed", "Unknown"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(value, names[i]))
			return (enum pod_phase)i;
	return POD_UNKNOWN;
}

bool build_protocol(struct str value, enum protocol *out)
{
	static const char *const names[] = {"TCP", "UDP", "SCTP"};

	*out = PROTOCOL_TCP;
	if (value.len == 0)
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(value, names[i])) {
			*out = (enum protocol)i;
			return true;
		}
	return false;
}

void build_target(struct build *b, struct port *p, struct str target)
{
	uint16_t n;

	if (num_u16(target, UINT16_MAX, &n) == 0 && n > 0)
		p->target_port = n;
	else if (target.len > 0 && !str_is(target, "0"))
		p->target_name = build_label(b, "targetPort", target);
	else
		p->target_port = p->port;
}

void build_port_add(struct build *b, struct port_list *l, const struct port *p)
{
	bool is_any = p->port == -1 && b->o->kind == OBJECT_SLICE;
	char text[24];
	struct port *at;

	if ((!is_any && (p->port < 1 || p->port > 65535)) || l->len >= OBJECT_MAX_PORTS) {
		snprintf(text, sizeof(text), "%d", p->port);
		build_drop(b, "port", str_from(text));
		return;
	}
	at = more(b, l->at, l->len, sizeof(*at));
	at[l->len++] = *p;
	l->at = at;
}

void build_endpoint_add(struct build *b, const struct build_endpoint *e)
{
	struct slice_data *s = &b->o->slice;
	struct endpoint common = e->common, *at;

	if (!e->has_ready)
		common.is_ready = true;
	if (!e->has_serving)
		common.is_serving = common.is_ready;
	for (uint32_t i = 0; i < e->ips.len; i++) {
		if (s->n_endpoints >= OBJECT_MAX_ENDPOINTS) {
			build_drop(b, "too many endpoints", STR(""));
			return;
		}
		at = more(b, s->endpoints, s->n_endpoints, sizeof(*at));
		at[s->n_endpoints] = common;
		at[s->n_endpoints++].ip = e->ips.at[i];
		s->endpoints = at;
	}
}

uint64_t build_time_ms(struct str value)
{
	char text[40];
	struct tm tm = {0};
	const char *rest;
	int64_t s;
	unsigned ms = 0, scale = 100, hours, minutes;

	if (value.len == 0 || value.len >= sizeof(text))
		return 0;
	memcpy(text, value.at, value.len);
	text[value.len] = '\0';
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL)
		return 0;
	s = timegm(&tm);
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
			ms += (unsigned)(*rest - '0') * scale;
	if ((*rest == '+' || *rest == '-') && sscanf(rest + 1, "%2u:%2u", &hours, &minutes) == 2)
		s += (*rest == '+' ? -60 : 60) * (int64_t)(hours * 60 + minutes);
	else if (strcmp(rest, "Z") != 0)
		return 0;
	return s <= 0 ? 0 : (uint64_t)s * 1000 + ms;
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static void sort_labels(struct labels *l)
{
	if (l->len > 1)
		qsort((struct label *)(uintptr_t)l->at, l->len, sizeof(*l->at), compare_labels);
}

/* Endpoints of another family than the slice says are dropped (all of them, for FQDN). */
static void drop_wrong_family(struct build *b)
{
	struct slice_data *s = &b->o->slice;
	struct endpoint *at = (struct endpoint *)(uintptr_t)s->endpoints;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n_endpoints; i++) {
		char text[IP_TEXT_SIZE];

		if (at[i].ip.len == (s->family == 4 ? 4 : s->family == 6 ? 16 : 0))
			at[kept++] = at[i];
		else
			build_drop(b,
			        "endpoint of another family:", str_from(ip_text(&at[i].ip, text)));
	}
	s->n_endpoints = kept;
}

/* Label values may have capitals, names of endpoints are compared without case. */
static const char *source_cluster(struct build *b)
{
	const char *value = labels_get(&b->o->labels, "multicluster.kubernetes.io/source-cluster");
	char *folded;

	if (value == NULL)
		return NULL;
	folded = arena_dup(b->arena, value, strlen(value));
	for (char *p = folded; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return build_label(b, "source cluster", str_from(folded));
}

static void finish_slice(struct build *b)
{
	struct slice_data *s = &b->o->slice;
	const struct labels *labels = &b->o->labels;

	s->service = build_label(
	        b, "service name", str_from(labels_get(labels, "kubernetes.io/service-name")));
	s->import = build_label(b, "name of a ServiceImport",
	        str_from(labels_get(labels, "multicluster.kubernetes.io/service-name")));
	s->cluster = source_cluster(b);
	drop_wrong_family(b);
}

static bool check_names(struct build *b)
{
	struct object *o = b->o;
	bool is_label = o->kind == OBJECT_NAMESPACE || o->kind == OBJECT_SERVICE ||
	                o->kind == OBJECT_IMPORT;

	if (o->kind == OBJECT_NAMESPACE)
		o->ns = "";
	if (o->name == NULL && o->dropped == 0)
		build_drop(b, "no metadata.name", STR(""));
	else if (o->name != NULL && is_label && !object_is_label(str_from(o->name)))
		build_drop(b, "name that is no DNS label:", str_from(o->name));
	else
		return o->name != NULL && o->ns != NULL;
	return false;
}

bool build_finish(struct build *b)
{
	struct object *o = b->o;

	sort_labels(&o->labels);
	if (o->kind == OBJECT_SERVICE || o->kind == OBJECT_IMPORT)
		sort_labels(&o->service.selector);
	if (o->kind == OBJECT_SLICE)
		finish_slice(b);
	return check_names(b);
}
