/* A large cluster: services, each with its slices, and pods. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"

enum {
	SERVICES_A_NAMESPACE = 100,
	ENDPOINTS_A_SLICE = 100,
	FIRST_VERSION =
	        1000000, /* all versions have as many digits, so that churn edits in place */
};

/* Bytes of managedFields, which readers skip, as of objects that a real server was asked for. */
static struct {
	const char *kind;
	unsigned bytes;
	json_t *fields; /* made once */
} managed[] = {{"Service", 500, NULL}, {"EndpointSlice", 430, NULL}, {"Pod", 1450, NULL}};

static json_t *make_managed(unsigned bytes)
{
	json_t *fields = json_object();
	char name[24];

	for (unsigned i = 0; i * 14 < bytes; i++) {
		snprintf(name, sizeof(name), "f:field%03u", i);
		json_object_set_new(fields, name, json_object());
	}
	return json_pack("[{s:s,s:s,s:s,s:s,s:s,s:o}]", "manager", "kube-controller-manager",
	        "operation", "Update", "apiVersion", "v1", "time", "2026-11-22T14:08:26Z",
	        "fieldsType", "FieldsV1", "fieldsV1", fields);
}

static void add_managed(const char *kind, json_t *o)
{
	json_t *metadata = json_object_get(o, "metadata");

	for (size_t i = 0; i < ARRAY_LEN(managed); i++) {
		if (strcmp(managed[i].kind, kind) != 0)
			continue;
		if (managed[i].fields == NULL)
			managed[i].fields = make_managed(managed[i].bytes);
		json_object_set(metadata, "managedFields", managed[i].fields);
	}
}

static void put(const char *api, const char *kind, json_t *o)
{
	const char *why = "";
	struct kind *k = kind_find_api(api, kind);
	struct object *x;

	add_managed(kind, o);
	x = object_build(k, o, &why);
	must(x != NULL);
	world_put(k, x);
	json_decref(o);
}

static json_t *address(unsigned n)
{
	return json_sprintf("10.%u.%u.%u", 128 + n / 62500, n / 250 % 250, n % 250 + 1);
}

static void put_service(const char *namespace, const char *name)
{
	put("v1", "Service",
	        json_pack("{s:{s:s,s:s,s:{s:s}},s:{s:[{s:s,s:s,s:i,s:i}],s:{s:s}}}", "metadata",
	                "name", name, "namespace", namespace, "labels", "app", name, "spec",
	                "ports", "name", "http", "protocol", "TCP", "port", 80, "targetPort", 8080,
	                "selector", "app", name));
}

static json_t *endpoint(unsigned n, const char *namespace, const char *name)
{
	json_t *addresses = json_array();

	json_array_append_new(addresses, address(n));
	return json_pack("{s:o,s:{s:b,s:b,s:b},s:{s:s,s:s,s:o,s:o},s:s,s:s}", "addresses",
	        addresses, "conditions", "ready", 1, "serving", 1, "terminating", 0, "targetRef",
	        "kind", "Pod", "namespace", namespace, "name", json_sprintf("%s-%u", name, n),
	        "uid", json_sprintf("14a92392-c7cb-4174-a4d1-%012x", n), "nodeName", "node-a",
	        "zone", "zone-a");
}

static void put_slice(const char *namespace, const char *name, unsigned first, unsigned n)
{
	json_t *endpoints = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(endpoints, endpoint(first + i, namespace, name));
	put("discovery.k8s.io/v1", "EndpointSlice",
	        json_pack("{s:{s:o,s:s,s:{s:s,s:s}},s:s,s:o,s:[{s:s,s:s,s:i}]}", "metadata", "name",
	                json_sprintf("%s-%05x", name, first), "namespace", namespace, "labels",
	                "app", name, "kubernetes.io/service-name", name, "addressType", "IPv4",
	                "endpoints", endpoints, "ports", "name", "http", "protocol", "TCP", "port",
	                8080));
}

static void put_pod(const char *namespace, unsigned n)
{
	json_t *name = json_sprintf("pod-%u", n);
	json_t *ip = address(n);

	put("v1", "Pod",
	        json_pack("{s:{s:O,s:s,s:{s:s}},s:{s:s},s:{s:s,s:O,s:[{s:O}]}}", "metadata", "name",
	                name, "namespace", namespace, "labels", "app", "pod", "spec", "nodeName",
	                "node-a", "status", "phase", "Running", "podIP", ip, "podIPs", "ip", ip));
	json_decref(name);
	json_decref(ip);
}

static void namespace_of(unsigned n, char *out, size_t size)
{
	snprintf(out, size, "ns-%u", n / SERVICES_A_NAMESPACE);
	if (n % SERVICES_A_NAMESPACE == 0 && !object_find(kind_find("", "namespaces"), "", out))
		put("v1", "Namespace", json_pack("{s:{s:s}}", "metadata", "name", out));
}

int generate_cluster(unsigned services, unsigned per_service, unsigned pods)
{
	char namespace[32], name[32];
	unsigned at = 0;

	pthread_mutex_lock(&world.lock);
	if (services > 0 && world.rv < FIRST_VERSION)
		world.rv = FIRST_VERSION;
	for (unsigned i = 0; i < services; i++) {
		namespace_of(i, namespace, sizeof(namespace));
		snprintf(name, sizeof(name), "svc-%u", i);
		put_service(namespace, name);
		for (unsigned left = per_service; left > 0;) {
			unsigned n = left < ENDPOINTS_A_SLICE ? left : ENDPOINTS_A_SLICE;

			put_slice(namespace, name, at, n);
			at += n;
			left -= n;
		}
	}
	for (unsigned i = 0; i < pods; i++) {
		namespace_of(i / 10, namespace, sizeof(namespace));
		put_pod(namespace, i);
	}
	pthread_mutex_unlock(&world.lock);
	return 0;
}

/* ---- markers: what tells how long a change takes to be answered ---- */

#define MARKERS "markers"

/* The time of the monotonic clock, as far as it fits behind the first octet of an address. */
static json_t *time_address(void)
{
	struct timespec t;
	unsigned us;

	clock_gettime(CLOCK_MONOTONIC, &t);
	us = (unsigned)((uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
	return json_sprintf("11.%u.%u.%u", us >> 16 & 0xff, us >> 8 & 0xff, us & 0xff);
}

/* The only endpoint of a headless service is the time at which it was changed. */
void marker_change(unsigned n)
{
	put("discovery.k8s.io/v1", "EndpointSlice",
	        json_pack("{s:{s:o,s:s,s:{s:o}},s:s,s:[{s:[o],s:{s:b}}],s:[{s:s,s:s,s:i}]}",
	                "metadata", "name", json_sprintf("marker-%u-1", n), "namespace", MARKERS,
	                "labels", "kubernetes.io/service-name", json_sprintf("marker-%u", n),
	                "addressType", "IPv4", "endpoints", "addresses", time_address(),
	                "conditions", "ready", 1, "ports", "name", "http", "protocol", "TCP",
	                "port", 80));
}

static void put_marker_service(unsigned n)
{
	put("v1", "Service",
	        json_pack("{s:{s:o,s:s},s:{s:s,s:[s],s:[{s:s,s:s,s:i}]}}", "metadata", "name",
	                json_sprintf("marker-%u", n), "namespace", MARKERS, "spec", "clusterIP",
	                "None", "clusterIPs", "None", "ports", "name", "http", "protocol", "TCP",
	                "port", 80));
}

void generate_markers(unsigned markers)
{
	pthread_mutex_lock(&world.lock);
	if (markers > 0)
		put("v1", "Namespace", json_pack("{s:{s:s}}", "metadata", "name", MARKERS));
	for (unsigned i = 0; i < markers; i++) {
		put_marker_service(i);
		marker_change(i);
	}
	pthread_mutex_unlock(&world.lock);
}
