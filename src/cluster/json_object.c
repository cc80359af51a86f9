#include "cluster/json_object.h"

#include <errno.h>

#include "base/must.h"
#include "cluster/build.h"
#include "cluster/json.h"

/* The raw values of an object's top-level fields: their order in the text does not matter. */
struct fields {
	struct str kind, api_version;
	struct str metadata, spec, status;
	struct str address_type, endpoints, ports; /* EndpointSlice */
};

static int read_fields(struct arena *a, struct str text, struct fields *f)
{
	struct json j;
	struct str key;

	memset(f, 0, sizeof(*f));
	json_init(&j, text, a);
	if (!json_object_begin(&j))
		return j.error != 0 ? j.error : -EINVAL;
	while (json_object_next(&j, &key)) {
		if (json_is(key, "metadata"))
			f->metadata = json_raw(&j);
		else if (json_is(key, "spec"))
			f->spec = json_raw(&j);
		else if (json_is(key, "status"))
			f->status = json_raw(&j);
		else if (json_is(key, "endpoints"))
			f->endpoints = json_raw(&j);
		else if (json_is(key, "ports"))
			f->ports = json_raw(&j);
		else if (json_is(key, "kind"))
			json_text(&j, &f->kind);
		else if (json_is(key, "apiVersion"))
			json_text(&j, &f->api_version);
		else if (json_is(key, "addressType"))
			json_text(&j, &f->address_type);
		else
			json_skip(&j);
	}
	return json_is_done(&j) ? 0 : j.error != 0 ? j.error : -EINVAL;
}

/* ---- parts that several kinds have ---- */

static struct str read_text(struct json *j)
{
	struct str s = {NULL, 0};

	json_text(j, &s);
	return s;
}

static void read_labels(struct build *b, struct json *j, struct labels *out)
{
	struct str key, value;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key))
		if (json_text(j, &value))
			build_labels_add(b, out, key, value);
		else
			build_labels_add(b, out, key, STR(""));
}

static void read_ips(struct build *b, struct json *j, struct ip_list *out, const char *what)
{
	struct str s;

	if (!json_array_begin(j))
		return;
	while (json_array_next(j))
		if (json_text(j, &s))
			build_ip_add(b, out, what, s);
		else
			build_drop(b, what, STR(""));
}

static void read_annotations(struct build *b, struct json *j)
{
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key))
		if (b->o->kind == OBJECT_SLICE &&
		        json_is(key, "endpoints.kubernetes.io/last-change-trigger-time"))
			b->o->slice.trigger_ms = build_time_ms(read_text(j));
		else
			json_skip(j);
}

static void read_metadata(struct build *b, struct json *j)
{
	struct object *o = b->o;
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (json_is(key, "name"))
			o->name = build_name(b, "name", read_text(j));
		else if (json_is(key, "namespace"))
			build_namespace(b, read_text(j));
		else if (json_is(key, "uid"))
			build_uid(b, read_text(j));
		else if (json_is(key, "resourceVersion"))
			build_version(b, read_text(j));
		else if (json_is(key, "labels"))
			read_labels(b, j, &o->labels);
		else if (json_is(key, "annotations"))
			read_annotations(b, j);
		else if (json_is(key, "deletionTimestamp"))
			o->is_deleting = read_text(j).len > 0;
		else
			json_skip(j);
	}
}

/* One port of a Service, an EndpointSlice or a container; they share their field names. */
static void read_port(struct build *b, struct json *j, struct port_list *out)
{
	struct port p = {.port = b->o->kind == OBJECT_SLICE ? -1 : 0};
	struct str key, protocol = {NULL, 0}, target = {NULL, 0};
	int64_t n;

	if (!json_object_begin(j)) {
		build_drop(b, "port", STR(""));
		return;
	}
	while (json_object_next(j, &key)) {
		if (json_is(key, "name"))
			p.name = build_label(b, "port name", read_text(j));
		else if (json_is(key, "protocol"))
			protocol = read_text(j);
		else if (json_is(key, "targetPort"))
			target = read_text(j);
		else if (json_is(key, "port") || json_is(key, "containerPort")) {
			if (json_peek(j) == JSON_TYPE_NULL)
				json_skip(j);
			else
				p.port = json_int(j, &n) && n > 0 && n < 65536 ? (int32_t)n : 0;
		} else
			json_skip(j);
	}
	if (!build_protocol(protocol, &p.protocol)) {
		build_drop(b, "protocol", protocol);
		return;
	}
	if (b->o->kind == OBJECT_SERVICE)
		build_target(b, &p, target);
	if (b->o->kind != OBJECT_POD || p.name != NULL)
		build_port_add(b, out, &p);
}

static void read_ports(struct build *b, struct json *j, struct port_list *out)
{
	if (!json_array_begin(j))
		return;
	while (json_array_next(j))
		read_port(b, j, out);
}

/* ---- Service and ServiceImport ---- */

static void read_cluster_ips(struct build *b, struct json *j)
{
	if (!json_array_begin(j))
		return;
	while (json_array_next(j))
		build_cluster_ip(b, read_text(j));
}

static void read_families(struct build *b, struct json *j)
{
	if (!json_array_begin(j))
		return;
	while (json_array_next(j))
		build_family(b, read_text(j));
}

static void read_service_field(struct build *b, struct json *j, struct str key)
{
	struct service_data *s = &b->o->service;

	if (json_is(key, "ports"))
		read_ports(b, j, &s->ports);
	else if (json_is(key, "selector"))
		read_labels(b, j, &s->selector);
	else if (json_is(key, "clusterIP"))
		build_cluster_ip(b, read_text(j));
	else if (json_is(key, "clusterIPs"))
		read_cluster_ips(b, j);
	else if (json_is(key, "type"))
		s->type = build_service_type(read_text(j));
	else if (json_is(key, "ipFamilies"))
		read_families(b, j);
	else if (json_is(key, "externalName"))
		s->external_name = build_text(b, "externalName", read_text(j), 255);
	else if (json_is(key, "externalIPs"))
		read_ips(b, j, &s->external_ips, "externalIP");
	else if (json_is(key, "publishNotReadyAddresses"))
		json_bool(j, &s->publish_not_ready);
	else
		json_skip(j);
}

static void read_service_spec(struct build *b, struct json *j)
{
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key))
		read_service_field(b, j, key);
}

static void read_ingress(struct build *b, struct json *j)
{
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (json_is(key, "ip"))
			build_ip_add(b, &b->o->service.ingress_ips, "ingress ip", read_text(j));
		else if (json_is(key, "hostname"))
			build_ingress_host(b, read_text(j));
		else
			json_skip(j);
	}
}

static void read_load_balancer(struct build *b, struct json *j)
{
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (!json_is(key, "ingress")) {
			json_skip(j);
			continue;
		}
		if (!json_array_begin(j))
			continue;
		while (json_array_next(j))
			read_ingress(b, j);
	}
}

static void read_service_status(struct build *b, struct json *j)
{
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key))
		if (json_is(key, "loadBalancer"))
			read_load_balancer(b, j);
		else
			json_skip(j);
}

static void read_import_spec(struct build *b, struct json *j)
{
	struct service_data *s = &b->o->service;
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (json_is(key, "ips"))
			read_cluster_ips(b, j);
		else if (json_is(key, "ports"))
			read_ports(b, j, &s->ports);
		else if (json_is(key, "type"))
			s->is_headless = str_is(read_text(j), "Headless");
		else
			json_skip(j);
	}
}

/* ---- EndpointSlice ---- */

static void read_conditions(struct json *j, struct build_endpoint *e)
{
	struct str key;
	bool v;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (!json_bool(j, &v))
			continue;
		if (json_is(key, "ready")) {
			e->has_ready = true;
			e->common.is_ready = v;
		} else if (json_is(key, "serving")) {
			e->has_serving = true;
			e->common.is_serving = v;
		} else if (json_is(key, "terminating")) {
			e->common.is_terminating = v;
		}
	}
}

static void read_target(struct build *b, struct json *j, struct endpoint *e)
{
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (json_is(key, "kind"))
			e->target_kind = str_is(read_text(j), "Pod") ? TARGET_POD : TARGET_OTHER;
		else if (json_is(key, "name"))
			e->target_name = build_name(b, "target name", read_text(j));
		else
			json_skip(j);
	}
}

static void read_endpoint(struct build *b, struct json *j)
{
	struct build_endpoint e = {0};
	struct str key;

	if (!json_object_begin(j)) {
		build_drop(b, "endpoint", STR(""));
		return;
	}
	while (json_object_next(j, &key)) {
		if (json_is(key, "addresses")) {
			if (b->o->slice.family != 0)
				read_ips(b, j, &e.ips, "endpoint address");
			else
				json_skip(j); /* names, by addressType FQDN */
		} else if (json_is(key, "conditions"))
			read_conditions(j, &e);
		else if (json_is(key, "hostname"))
			e.common.hostname = build_label(b, "hostname", read_text(j));
		else if (json_is(key, "targetRef"))
			read_target(b, j, &e.common);
		else if (json_is(key, "nodeName"))
			e.common.node = build_name(b, "nodeName", read_text(j));
		else if (json_is(key, "zone"))
			e.common.zone = build_text(b, "zone", read_text(j), 255);
		else
			json_skip(j);
	}
	build_endpoint_add(b, &e);
}

static void read_endpoints(struct build *b, struct json *j)
{
	if (!json_array_begin(j))
		return;
	while (json_array_next(j))
		read_endpoint(b, j);
}

static void read_slice_ports(struct build *b, struct json *j)
{
	read_ports(b, j, &b->o->slice.ports);
}

/* ---- Pod ---- */

static void read_containers(struct build *b, struct json *j)
{
	struct str key;

	if (!json_array_begin(j))
		return;
	while (json_array_next(j)) {
		if (!json_object_begin(j))
			continue;
		while (json_object_next(j, &key))
			if (json_is(key, "ports"))
				read_ports(b, j, &b->o->pod.ports);
			else
				json_skip(j);
	}
}

static void read_pod_spec(struct build *b, struct json *j)
{
	struct pod_data *p = &b->o->pod;
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (json_is(key, "hostname"))
			p->hostname = build_label(b, "hostname", read_text(j));
		else if (json_is(key, "subdomain"))
			p->subdomain = build_label(b, "subdomain", read_text(j));
		else if (json_is(key, "nodeName"))
			p->node = build_name(b, "nodeName", read_text(j));
		else if (json_is(key, "hostNetwork"))
			json_bool(j, &p->is_host_network);
		else if (json_is(key, "containers"))
			read_containers(b, j);
		else
			json_skip(j);
	}
}

static void read_pod_condition(struct build *b, struct json *j)
{
	struct str key, type = {NULL, 0}, status = {NULL, 0};

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (json_is(key, "type"))
			type = read_text(j);
		else if (json_is(key, "status"))
			status = read_text(j);
		else
			json_skip(j);
	}
	if (json_is(type, "Ready"))
		b->o->pod.ready =
		        str_eq_nocase(status, STR("true")) ? POD_READY_TRUE : POD_READY_FALSE;
}

static void read_pod_ips(struct build *b, struct json *j)
{
	struct str key;

	if (!json_array_begin(j))
		return;
	while (json_array_next(j)) {
		if (!json_object_begin(j))
			continue;
		while (json_object_next(j, &key))
			if (json_is(key, "ip"))
				build_ip_add(b, &b->o->pod.ips, "podIPs", read_text(j));
			else
				json_skip(j);
	}
}

static void read_pod_status(struct build *b, struct json *j)
{
	struct str key;

	if (!json_object_begin(j))
		return;
	while (json_object_next(j, &key)) {
		if (json_is(key, "phase"))
			b->o->pod.phase = build_pod_phase(read_text(j));
		else if (json_is(key, "podIP"))
			build_ip_add(b, &b->o->pod.ips, "podIP", read_text(j));
		else if (json_is(key, "podIPs"))
			read_pod_ips(b, j);
		else if (json_is(key, "conditions") && json_array_begin(j)) {
			while (json_array_next(j))
				read_pod_condition(b, j);
		} else if (!json_is(key, "conditions"))
			json_skip(j);
	}
}

/* ---- whole objects ---- */

typedef void read_part_fn(struct build *b, struct json *j);

static int read_part(struct build *b, struct str text, read_part_fn *fn)
{
	struct json j;

	if (text.len == 0)
		return 0;
	json_init(&j, text, b->arena);
	fn(b, &j);
	return j.error;
}

struct part {
	struct str text;
	read_part_fn *fn;
};

static int read_parts(struct build *b, const struct part *parts, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = read_part(b, parts[i].text, parts[i].fn);
	return rc;
}

static int read_kind(struct build *b, const struct fields *f)
{
	struct part service[] = {{f->spec, read_service_spec}, {f->status, read_service_status}};
	struct part import[] = {{f->spec, read_import_spec}};
	struct part slice[] = {{f->endpoints, read_endpoints}, {f->ports, read_slice_ports}};
	struct part pod[] = {{f->spec, read_pod_spec}, {f->status, read_pod_status}};

	switch (b->o->kind) {
	case OBJECT_SERVICE: return read_parts(b, service, ARRAY_LEN(service));
	case OBJECT_IMPORT: return read_parts(b, import, ARRAY_LEN(import));
	case OBJECT_SLICE:
		b->o->slice.family = json_is(f->address_type, "IPv4")   ? 4
		                     : json_is(f->address_type, "IPv6") ? 6
		                                                        : 0;
		return read_parts(b, slice, ARRAY_LEN(slice));
	case OBJECT_POD: return read_parts(b, pod, ARRAY_LEN(pod));
	default: return 0;
	}
}

int json_object_decode(
        struct arena *a, struct str text, enum object_kind expected, struct object *o)
{
	struct fields f;
	struct build b;
	int rc = read_fields(a, text, &f);

	build_init(&b, a, expected, o);
	if (rc != 0)
		return rc;
	if (f.kind.len > 0)
		o->kind = object_kind_from(f.api_version, f.kind);
	rc = read_part(&b, f.metadata, read_metadata);
	if (rc == 0)
		rc = read_kind(&b, &f);
	if (rc != 0)
		return rc;
	return build_finish(&b) || o->kind == OBJECT_NONE ? 0 : -EBADMSG;
}
