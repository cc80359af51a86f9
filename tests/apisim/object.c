/* A manifest becomes a stored object, with the defaults that a real server fills in. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/rand.h"

static const char *text_of(json_t *o, const char *field)
{
	return json_string_value(json_object_get(o, field));
}

static json_t *object_of(json_t *o, const char *field)
{
	json_t *v = json_object_get(o, field);

	if (json_is_object(v))
		return v;
	v = json_object();
	json_object_set_new(o, field, v);
	return v;
}

static void set_default(json_t *o, const char *field, json_t *value)
{
	if (json_object_get(o, field) == NULL)
		json_object_set_new(o, field, value);
	else
		json_decref(value);
}

static json_t *new_uid(void)
{
	uint64_t a = rand_u64(), b = rand_u64();

	return json_sprintf("%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
	        (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff,
	        0x8000 | ((unsigned)(b >> 48) & 0x3fff),
	        (unsigned long long)(b & 0xffffffffffffULL));
}

static json_t *timestamp(void)
{
	time_t t = time(NULL);
	struct tm tm;
	char text[32];

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

/* The label sent-ns, if there is one, tells when the server stored the object. */
static void stamp(json_t *labels)
{
	struct timespec t;

	if (json_object_get(labels, "sent-ns") == NULL)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	json_object_set_new(
	        labels, "sent-ns", json_sprintf("%lld%09ld", (long long)t.tv_sec, t.tv_nsec));
}

/* name, namespace, uid, resourceVersion and creationTimestamp first, in the recorded order. */
static json_t *build_metadata(struct kind *k, json_t *from, const char *namespace, uint64_t rv)
{
	json_t *m = json_object(), *v;
	struct object *old = object_find(k, namespace, text_of(from, "name"));
	const char *key;

	json_object_set_new(m, "name", json_string(text_of(from, "name")));
	if (k->namespaced)
		json_object_set_new(m, "namespace", json_string(namespace));
	v = json_object_get(from, "uid");
	if (json_is_string(v))
		json_object_set(m, "uid", v);
	else
		json_object_set_new(m, "uid", old ? json_string(old->uid) : new_uid());
	json_object_set_new(m, "resourceVersion", json_sprintf("%llu", (unsigned long long)rv));
	v = json_object_get(from, "creationTimestamp");
	json_object_set_new(
	        m, "creationTimestamp", json_is_string(v) ? json_incref(v) : timestamp());
	if (strcmp(k->name, "Namespace") == 0)
		set_default(object_of(from, "labels"), "kubernetes.io/metadata.name",
		        json_string(text_of(from, "name")));
	stamp(json_object_get(from, "labels"));
	json_object_foreach (from, key, v)
		set_default(m, key, json_incref(v));
	return m;
}

/* The address that the service has already, or a new one. */
static void default_cluster_ip(json_t *spec, const struct object *old)
{
	json_t *was = old == NULL ? NULL : json_loadb(old->json, old->len, 0, NULL);
	const char *ip = text_of(json_object_get(was, "spec"), "clusterIP");
	unsigned n = (unsigned)world.next_ip;

	if (ip != NULL && strcmp(ip, "None") != 0) {
		json_object_set_new(spec, "clusterIP", json_string(ip));
	} else {
		world.next_ip++;
		json_object_set_new(spec, "clusterIP",
		        json_sprintf("10.%u.%u.%u", 96 + n / 50000, n / 250 % 200, n % 250 + 1));
	}
	json_decref(was);
}

static void default_service(json_t *o, const struct object *old)
{
	json_t *spec = object_of(o, "spec"), *ports = json_object_get(spec, "ports"), *port;
	const char *type;
	size_t i;

	set_default(spec, "type", json_string("ClusterIP"));
	type = text_of(spec, "type");
	json_array_foreach (ports, i, port) {
		set_default(port, "protocol", json_string("TCP"));
		json_t *target = json_object_get(port, "port");

		if (target != NULL)
			set_default(port, "targetPort", json_incref(target));
	}
	if (type == NULL || strcmp(type, "ExternalName") != 0) {
		if (text_of(spec, "clusterIP") == NULL)
			default_cluster_ip(spec, old);
		set_default(
		        spec, "clusterIPs", json_pack("[O]", json_object_get(spec, "clusterIP")));
		set_default(spec, "ipFamilies",
		        json_pack(
		                "[s]", strchr(text_of(spec, "clusterIP"), ':') ? "IPv6" : "IPv4"));
		set_default(spec, "ipFamilyPolicy", json_string("SingleStack"));
		set_default(spec, "internalTrafficPolicy", json_string("Cluster"));
	}
	set_default(spec, "sessionAffinity", json_string("None"));
	set_default(object_of(o, "status"), "loadBalancer", json_object());
}

static void set_defaults(struct kind *k, json_t *o, const struct object *old)
{
	if (strcmp(k->name, "Service") == 0)
		default_service(o, old);
	else if (strcmp(k->name, "Namespace") == 0)
		set_default(object_of(o, "status"), "phase", json_string("Active"));
	else if (strcmp(k->name, "Pod") == 0)
		set_default(object_of(o, "status"), "phase", json_string("Running"));
	else if (strcmp(k->name, "EndpointSlice") == 0)
		set_default(o, "addressType", json_string("IPv4"));
}

static struct object *wrap(const struct kind *k, json_t *o, json_t *metadata, const char *namespace)
{
	struct object *x = mem_new(struct object);
	const char *phase = text_of(json_object_get(o, "status"), "phase");
	char key[400];

	snprintf(key, sizeof(key), "%s/%s", namespace, text_of(metadata, "name"));
	x->refs = 1;
	x->rv = world.rv;
	x->key = mem_str(key);
	x->namespace = mem_str(namespace);
	x->name = mem_str(text_of(metadata, "name"));
	x->uid = mem_str(text_of(metadata, "uid"));
	x->phase = mem_str(phase ? phase : "");
	x->labels = json_incref(json_object_get(metadata, "labels"));
	x->json = json_dumps(o, JSON_COMPACT);
	x->len = strlen(x->json);
	if (k->message != NULL && !world.json_only)
		encode_message(&x->protobuf, k->message, o);
	return x;
}

struct object *object_build(struct kind *k, json_t *manifest, const char **why)
{
	json_t *from = json_object_get(manifest, "metadata"), *o, *v;
	const char *namespace = "", *key;
	struct object *x;

	if (text_of(from, "name") == NULL || strlen(text_of(from, "name")) > 253) {
		*why = "metadata.name: Required value";
		return NULL;
	}
	if (k->namespaced) {
		namespace = text_of(from, "namespace");
		namespace = namespace ? namespace : "default";
	}
	if (strlen(namespace) > 63) {
		*why = "metadata.namespace: Invalid value";
		return NULL;
	}
	o = json_object();
	json_object_set_new(o, "metadata", build_metadata(k, from, namespace, ++world.rv));
	json_object_foreach (manifest, key, v) {
		if (strcmp(key, "kind") != 0 && strcmp(key, "apiVersion") != 0)
			set_default(o, key, json_deep_copy(v));
	}
	set_defaults(k, o, object_find(k, namespace, text_of(from, "name")));
	x = wrap(k, o, json_object_get(o, "metadata"), namespace);
	json_decref(o);
	return x;
}
