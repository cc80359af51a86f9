#include "cluster/pb_object.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "cluster/build.h"
#include "cluster/pb.h"

/* The numbers of the fields that are kept; all others are skipped. */
enum {
	OBJECT_METADATA = 1,
	META_NAME = 1,
	META_NAMESPACE = 3,
	META_UID = 5,
	META_VERSION = 6,
	META_DELETION_TIMESTAMP = 9,
	META_LABELS = 11,
	META_ANNOTATIONS = 12,
	MAP_KEY = 1,
	MAP_VALUE = 2,
};

enum {
	SERVICE_SPEC = 2,
	SERVICE_STATUS = 3,
	SERVICE_PORTS = 1,
	SERVICE_SELECTOR = 2,
	SERVICE_CLUSTER_IP_FIELD = 3,
	SERVICE_TYPE = 4,
	SERVICE_EXTERNAL_IPS = 5,
	SERVICE_EXTERNAL_NAME_FIELD = 10,
	SERVICE_PUBLISH_NOT_READY = 13,
	SERVICE_CLUSTER_IPS = 18,
	SERVICE_IP_FAMILIES = 19,
	STATUS_LOAD_BALANCER = 1,
	LOAD_BALANCER_INGRESS = 1,
	INGRESS_IP = 1,
	INGRESS_HOSTNAME = 2,
	PORT_NAME = 1,
	PORT_PROTOCOL = 2,
	PORT_PORT = 3,
	PORT_TARGET = 4,
	TARGET_TYPE = 1, /* of an IntOrString: 0 number, 1 text */
	TARGET_NUMBER = 2,
	TARGET_TEXT = 3,
};

enum {
	SLICE_ENDPOINTS = 2,
	SLICE_PORTS = 3,
	SLICE_ADDRESS_TYPE = 4,
	ENDPOINT_ADDRESSES = 1,
	ENDPOINT_CONDITIONS = 2,
	ENDPOINT_HOSTNAME = 3,
	ENDPOINT_TARGET = 4,
	ENDPOINT_NODE = 6,
	ENDPOINT_ZONE = 7,
	CONDITION_READY = 1,
	CONDITION_SERVING = 2,
	CONDITION_TERMINATING = 3,
	REFERENCE_KIND = 1,
	REFERENCE_NAME = 3,
};

enum {
	POD_SPEC = 2,
	POD_STATUS = 3,
	POD_CONTAINERS = 2,
	POD_NODE = 10,
	POD_HOST_NETWORK = 11,
	POD_HOSTNAME = 16,
	POD_SUBDOMAIN = 17,
	CONTAINER_PORTS = 6,
	CONTAINER_PORT_NAME = 1,
	CONTAINER_PORT_PORT = 3,
	CONTAINER_PORT_PROTOCOL = 4,
	POD_PHASE = 1,
	POD_CONDITIONS = 2,
	POD_IP = 6,
	POD_IPS = 12,
	POD_IPS_IP = 1,
	CONDITION_TYPE = 1,
	CONDITION_STATUS = 2,
};

/* ---- parts that several kinds have ---- */

typedef int read_fn(struct build *b, struct str message);

static int read_pair(struct str message, struct str *key, struct str *value)
{
	struct pb p;

	*key = *value = (struct str){"", 0};
	pb_init(&p, message);
	while (pb_next(&p)) {
		if (pb_is_bytes(&p, MAP_KEY))
			*key = p.bytes;
		else if (pb_is_bytes(&p, MAP_VALUE))
			*value = p.bytes;
	}
	return p.error;
}

static int read_label(struct build *b, struct str message, struct labels *out)
{
	struct str key, value;
	int rc = read_pair(message, &key, &value);

	if (rc == 0)
		build_labels_add(b, out, key, value);
	return rc;
}

static int read_annotation(struct build *b, struct str message)
{
	struct str key, value;
	int rc = read_pair(message, &key, &value);

	if (rc == 0 && b->o->kind == OBJECT_SLICE &&
	        str_is(key, "endpoints.kubernetes.io/last-change-trigger-time"))
		b->o->slice.trigger_ms = build_time_ms(value);
	return rc;
}

static int read_metadata(struct build *b, struct str message)
{
	struct object *o = b->o;
	struct pb p;
	int rc = 0;

	pb_init(&p, message);
	while (rc == 0 && pb_next(&p)) {
		if (p.wire != PB_BYTES)
			continue;
		switch (p.field) {
		case META_NAME: o->name = build_name(b, "name", p.bytes); break;
		case META_NAMESPACE: build_namespace(b, p.bytes); break;
		case META_UID: build_uid(b, p.bytes); break;
		case META_VERSION: build_version(b, p.bytes); break;
		case META_DELETION_TIMESTAMP: o->is_deleting = true; break;
		case META_LABELS: rc = read_label(b, p.bytes, &o->labels); break;
		case META_ANNOTATIONS: rc = read_annotation(b, p.bytes); break;
		default: break;
		}
	}
	return rc != 0 ? rc : p.error;
}

static int32_t port_number(uint64_t n)
{
	return n > 0 && n < 65536 ? (int32_t)n : 0;
}

static void add_port(
        struct build *b, struct port_list *out, const struct port *port, struct str protocol)
{
	struct port p = *port;

	if (build_protocol(protocol, &p.protocol))
		build_port_add(b, out, &p);
	else
		build_drop(b, "protocol", protocol);
}

/* The message of a part that may be repeated, each with fn. */
static int read_each(struct build *b, struct str message, uint32_t field, read_fn *fn)
{
	struct pb p;
	int rc = 0;

	pb_init(&p, message);
	while (rc == 0 && pb_next(&p))
		if (pb_is_bytes(&p, field))
			rc = fn(b, p.bytes);
	return rc != 0 ? rc : p.error;
}

/* ---- Service ---- */

/* A number as the text that JSON has; build_target() reads numbers and names alike. */
static struct str number_text(struct build *b, int32_t n)
{
	char *end, *at;

	if (n < 0 || n > 65535) /* no port, and rare */
		return str_from(arena_printf(b->arena, "%d", n));
	end = (char *)arena_alloc(b->arena, 6) + 6;
	at = end;
	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return (struct str){at, (size_t)(end - at)};
}

/* An IntOrString, as text. */
static int read_target(struct build *b, struct str message, struct str *out)
{
	uint64_t type = 0;
	int32_t n = 0;
	struct str text = {"", 0};
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p)) {
		if (pb_is_number(&p, TARGET_TYPE))
			type = p.number;
		else if (pb_is_number(&p, TARGET_NUMBER))
			n = (int32_t)p.number;
		else if (pb_is_bytes(&p, TARGET_TEXT))
			text = p.bytes;
	}
	*out = type == 0 ? number_text(b, n) : text;
	return p.error;
}

static int read_service_port(struct build *b, struct str message)
{
	struct str protocol = {"", 0}, target = {"", 0};
	struct port port = {0};
	struct pb p;
	int rc = 0;

	pb_init(&p, message);
	while (rc == 0 && pb_next(&p)) {
		if (pb_is_bytes(&p, PORT_NAME))
			port.name = build_label(b, "port name", p.bytes);
		else if (pb_is_bytes(&p, PORT_PROTOCOL))
			protocol = p.bytes;
		else if (pb_is_number(&p, PORT_PORT))
			port.port = port_number(p.number);
		else if (pb_is_bytes(&p, PORT_TARGET))
			rc = read_target(b, p.bytes, &target);
	}
	if (rc != 0 || p.error != 0)
		return rc != 0 ? rc : p.error;
	build_target(b, &port, target);
	add_port(b, &b->o->service.ports, &port, protocol);
	return 0;
}

static int read_service_spec(struct build *b, struct str message)
{
	struct service_data *s = &b->o->service;
	struct pb p;
	int rc = 0;

	pb_init(&p, message);
	while (rc == 0 && pb_next(&p)) {
		if (pb_is_number(&p, SERVICE_PUBLISH_NOT_READY))
			s->publish_not_ready = p.number != 0;
		if (p.wire != PB_BYTES)
			continue;
		switch (p.field) {
		case SERVICE_PORTS: rc = read_service_port(b, p.bytes); break;
		case SERVICE_SELECTOR: rc = read_label(b, p.bytes, &s->selector); break;
		case SERVICE_CLUSTER_IP_FIELD:
		case SERVICE_CLUSTER_IPS: build_cluster_ip(b, p.bytes); break;
		case SERVICE_TYPE: s->type = build_service_type(p.bytes); break;
		case SERVICE_IP_FAMILIES: build_family(b, p.bytes); break;
		case SERVICE_EXTERNAL_NAME_FIELD:
			s->external_name = build_text(b, "externalName", p.bytes, 255);
			break;
		case SERVICE_EXTERNAL_IPS:
			build_ip_add(b, &s->external_ips, "externalIP", p.bytes);
			break;
		default: break;
		}
	}
	return rc != 0 ? rc : p.error;
}

static int read_ingress(struct build *b, struct str message)
{
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p)) {
		if (pb_is_bytes(&p, INGRESS_IP))
			build_ip_add(b, &b->o->service.ingress_ips, "ingress ip", p.bytes);
		else if (pb_is_bytes(&p, INGRESS_HOSTNAME))
			build_ingress_host(b, p.bytes);
	}
	return p.error;
}

static int read_load_balancer(struct build *b, struct str message)
{
	return read_each(b, message, LOAD_BALANCER_INGRESS, read_ingress);
}

static int read_service_status(struct build *b, struct str message)
{
	return read_each(b, message, STATUS_LOAD_BALANCER, read_load_balancer);
}

/* ---- EndpointSlice ---- */

static int read_conditions(struct str message, struct build_endpoint *e)
{
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p)) {
		bool v = p.number != 0;

		if (pb_is_number(&p, CONDITION_READY)) {
			e->has_ready = true;
			e->common.is_ready = v;
		} else if (pb_is_number(&p, CONDITION_SERVING)) {
			e->has_serving = true;
			e->common.is_serving = v;
		} else if (pb_is_number(&p, CONDITION_TERMINATING)) {
			e->common.is_terminating = v;
		}
	}
	return p.error;
}

static int read_reference(struct build *b, struct str message, struct endpoint *e)
{
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p)) {
		if (pb_is_bytes(&p, REFERENCE_KIND))
			e->target_kind = str_is(p.bytes, "Pod") ? TARGET_POD : TARGET_OTHER;
		else if (pb_is_bytes(&p, REFERENCE_NAME))
			e->target_name = build_name(b, "target name", p.bytes);
	}
	return p.error;
}

static int read_endpoint(struct build *b, struct str message)
{
	struct build_endpoint e = {0};
	struct pb p;
	int rc = 0;

	pb_init(&p, message);
	while (rc == 0 && pb_next(&p)) {
		if (p.wire != PB_BYTES)
			continue;
		switch (p.field) {
		case ENDPOINT_ADDRESSES:
			if (b->o->slice.family != 0) /* else names, by addressType FQDN */
				build_ip_add(b, &e.ips, "endpoint address", p.bytes);
			break;
		case ENDPOINT_CONDITIONS: rc = read_conditions(p.bytes, &e); break;
		case ENDPOINT_HOSTNAME:
			e.common.hostname = build_label(b, "hostname", p.bytes);
			break;
		case ENDPOINT_TARGET: rc = read_reference(b, p.bytes, &e.common); break;
		case ENDPOINT_NODE: e.common.node = build_name(b, "nodeName", p.bytes); break;
		case ENDPOINT_ZONE: e.common.zone = build_text(b, "zone", p.bytes, 255); break;
		default: break;
		}
	}
	if (rc != 0 || p.error != 0)
		return rc != 0 ? rc : p.error;
	build_endpoint_add(b, &e);
	return 0;
}

static int read_slice_port(struct build *b, struct str message)
{
	struct port port = {.port = -1};
	struct str protocol = {"", 0};
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p)) {
		if (pb_is_bytes(&p, PORT_NAME))
			port.name = build_label(b, "port name", p.bytes);
		else if (pb_is_bytes(&p, PORT_PROTOCOL))
			protocol = p.bytes;
		else if (pb_is_number(&p, PORT_PORT))
			port.port = port_number(p.number);
	}
	if (p.error == 0)
		add_port(b, &b->o->slice.ports, &port, protocol);
	return p.error;
}

static int read_address_type(struct build *b, struct str value)
{
	b->o->slice.family = str_is(value, "IPv4") ? 4 : str_is(value, "IPv6") ? 6 : 0;
	return 0;
}

/* ---- Pod ---- */

static int read_container_port(struct build *b, struct str message)
{
	struct str protocol = {"", 0};
	struct port port = {0};
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p)) {
		if (pb_is_bytes(&p, CONTAINER_PORT_NAME))
			port.name = build_label(b, "port name", p.bytes);
		else if (pb_is_bytes(&p, CONTAINER_PORT_PROTOCOL))
			protocol = p.bytes;
		else if (pb_is_number(&p, CONTAINER_PORT_PORT))
			port.port = port_number(p.number);
	}
	if (p.error != 0)
		return p.error;
	if (!build_protocol(protocol, &port.protocol))
		build_drop(b, "protocol", protocol);
	else if (port.name != NULL)
		build_port_add(b, &b->o->pod.ports, &port);
	return 0;
}

static int read_container(struct build *b, struct str message)
{
	return read_each(b, message, CONTAINER_PORTS, read_container_port);
}

static int read_pod_spec(struct build *b, struct str message)
{
	struct pod_data *pod = &b->o->pod;
	struct pb p;
	int rc = 0;

	pb_init(&p, message);
	while (rc == 0 && pb_next(&p)) {
		if (pb_is_bytes(&p, POD_CONTAINERS))
			rc = read_container(b, p.bytes);
		else if (pb_is_bytes(&p, POD_NODE))
			pod->node = build_name(b, "nodeName", p.bytes);
		else if (pb_is_number(&p, POD_HOST_NETWORK))
			pod->is_host_network = p.number != 0;
		else if (pb_is_bytes(&p, POD_HOSTNAME))
			pod->hostname = build_label(b, "hostname", p.bytes);
		else if (pb_is_bytes(&p, POD_SUBDOMAIN))
			pod->subdomain = build_label(b, "subdomain", p.bytes);
	}
	return rc != 0 ? rc : p.error;
}

static int read_pod_condition(struct build *b, struct str message)
{
	struct str type = {"", 0}, status = {"", 0};
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p)) {
		if (pb_is_bytes(&p, CONDITION_TYPE))
			type = p.bytes;
		else if (pb_is_bytes(&p, CONDITION_STATUS))
			status = p.bytes;
	}
	if (p.error == 0 && str_is(type, "Ready"))
		b->o->pod.ready =
		        str_eq_nocase(status, STR("true")) ? POD_READY_TRUE : POD_READY_FALSE;
	return p.error;
}

static int read_pod_ip(struct build *b, struct str message)
{
	struct pb p;

	pb_init(&p, message);
	while (pb_next(&p))
		if (pb_is_bytes(&p, POD_IPS_IP))
			build_ip_add(b, &b->o->pod.ips, "podIPs", p.bytes);
	return p.error;
}

static int read_pod_status(struct build *b, struct str message)
{
	struct pb p;
	int rc = 0;

	pb_init(&p, message);
	while (rc == 0 && pb_next(&p)) {
		if (pb_is_bytes(&p, POD_PHASE))
			b->o->pod.phase = build_pod_phase(p.bytes);
		else if (pb_is_bytes(&p, POD_CONDITIONS))
			rc = read_pod_condition(b, p.bytes);
		else if (pb_is_bytes(&p, POD_IP))
			build_ip_add(b, &b->o->pod.ips, "podIP", p.bytes);
		else if (pb_is_bytes(&p, POD_IPS))
			rc = read_pod_ip(b, p.bytes);
	}
	return rc != 0 ? rc : p.error;
}

/* ---- whole objects ---- */

/* The fields of an object, in the order in which they are to be read. */
static const struct part {
	enum object_kind kind;
	uint32_t field;
	read_fn *fn;
} parts[] = {
        {OBJECT_SERVICE, SERVICE_SPEC, read_service_spec},
        {OBJECT_SERVICE, SERVICE_STATUS, read_service_status},
        {OBJECT_SLICE, SLICE_ADDRESS_TYPE, read_address_type}, /* before the addresses */
        {OBJECT_SLICE, SLICE_ENDPOINTS, read_endpoint},
        {OBJECT_SLICE, SLICE_PORTS, read_slice_port},
        {OBJECT_POD, POD_SPEC, read_pod_spec},
        {OBJECT_POD, POD_STATUS, read_pod_status},
};

int pb_object_decode(struct arena *a, struct str raw, enum object_kind kind, struct object *o)
{
	struct build b;
	int rc;

	build_init(&b, a, kind, o);
	rc = read_each(&b, raw, OBJECT_METADATA, read_metadata);
	for (size_t i = 0; i < ARRAY_LEN(parts) && rc == 0; i++)
		if (parts[i].kind == kind)
			rc = read_each(&b, raw, parts[i].field, parts[i].fn);
	if (rc != 0)
		return rc;
	return build_finish(&b) || kind == OBJECT_NONE ? 0 : -EBADMSG;
}
