/* A large cluster: services, each with its slices, and pods. */
#include "sim.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"

enum { SERVICES_A_NAMESPACE = 100, ENDPOINTS_A_SLICE = 100 };

static void put(const char *api, const char *kind, json_t *o)
{
	const char *why = "";
	struct kind *k = kind_find_api(api, kind);
	struct object *x = object_build(k, o, &why);

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
	return json_pack("{s:o,s:{s:b,s:b,s:b},s:{s:s,s:s,s:o},s:s,s:s}", "addresses", addresses,
	        "conditions", "ready", 1, "serving", 1, "terminating", 0, "targetRef", "kind",
	        "Pod", "namespace", namespace, "name", json_sprintf("%s-%u", name, n), "nodeName",
	        "node-a", "zone", "zone-a");
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

/* A running churn. */
struct churn {
	unsigned rate, seconds;
};

/* One endpoint of some slice becomes ready, or is so no more. */
static void flip_one(struct kind *k)
{
	struct object *o = k->objects.all.at[rand_below((uint32_t)k->objects.all.len)], *next;
	json_t *j = json_loadb(o->json, o->len, 0, NULL);
	json_t *all = json_object_get(j, "endpoints");
	json_t *e = json_array_get(
	        all, json_array_size(all) ? rand_below((uint32_t)json_array_size(all)) : 0);
	json_t *conditions = json_object_get(e, "conditions");
	const char *why = "";

	if (conditions != NULL) {
		json_object_set_new(conditions, "ready",
		        json_boolean(!json_is_true(json_object_get(conditions, "ready"))));
		next = object_build(k, j, &why);
		must(next != NULL);
		world_put(k, next);
	}
	json_decref(j);
}

static void *run_churn(void *arg)
{
	struct churn c = *(struct churn *)arg;
	uint64_t start = now_ms(), done = 0;

	free(arg);
	while (now_ms() - start < c.seconds * 1000u) {
		uint64_t due = (now_ms() - start) * c.rate / 1000;

		pthread_mutex_lock(&world.lock);
		for (; done < due && !world.stopping; done++) {
			struct kind *k = kind_find("discovery.k8s.io", "endpointslices");

			if (k->objects.all.len > 0)
				flip_one(k);
		}
		pthread_mutex_unlock(&world.lock);
		poll(NULL, 0, 5);
	}
	return NULL;
}

void churn_start(unsigned rate, unsigned seconds)
{
	struct churn *c = mem_new(struct churn);
	pthread_t thread;

	*c = (struct churn){rate, seconds};
	must(pthread_create(&thread, NULL, run_churn, c) == 0);
	pthread_detach(thread);
}
