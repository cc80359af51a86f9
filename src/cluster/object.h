/*
 * Cluster objects in the form that Seamark keeps: only the fields that DNS and the mesh feed
 * need, addresses binary. The decoders (json_object.h, pb.h, yaml.h) build one in an arena and
 * hand it to an object_sink (sink.h); the store (store.h) keeps a compact copy.
 *
 * Texts are NUL-terminated; NULL means absent, never "". What a tenant wrote is checked while it
 * is decoded: names are made of letters, digits, '-', '.' and '_' and fit into their limits,
 * addresses parse and fit the family of their slice, and counts are capped. A bad element is left
 * out and counted in object.dropped; only an object without a usable name is refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "cluster/ip.h"

enum object_kind {
	OBJECT_NONE, /* of no interest here: Deployment, ConfigMap, ... */
	OBJECT_NAMESPACE,
	OBJECT_SERVICE,
	OBJECT_SLICE, /* EndpointSlice */
	OBJECT_POD,
	OBJECT_IMPORT, /* ServiceImport of the multicluster API; uses object.service */
	OBJECT_KINDS,
};

enum protocol { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP };

#define OBJECT_MAX_NAME 253u /* bytes of a name; a namespace or service has at most 63 */
#define OBJECT_MAX_LABELS 256u /* labels, selector entries */
#define OBJECT_MAX_PORTS 512u
#define OBJECT_MAX_ADDRESSES 100u /* of a service, a pod or an endpoint, each list */
#define OBJECT_MAX_ENDPOINTS 10000u /* addresses of a slice; the API allows 1000 endpoints */

/* A label, or a selector entry. */
struct label {
	const char *key, *value; /* value may be "" */
};

struct labels {
	const struct label *at; /* sorted by key */
	uint32_t len;
};

struct port {
	const char *name; /* NULL: unnamed */
	const char *target_name; /* Service: targetPort by name, else NULL */
	int32_t port; /* 1-65535; of a slice -1: any port; of a pod: containerPort */
	int32_t target_port; /* Service: targetPort by number; 0: by name */
	enum protocol protocol;
};

struct ip_list {
	const struct ip *at;
	uint32_t len;
};

struct port_list {
	const struct port *at;
	uint32_t len;
};

enum service_type {
	SERVICE_CLUSTER_IP,
	SERVICE_NODE_PORT,
	SERVICE_LOAD_BALANCER,
	SERVICE_EXTERNAL_NAME
};

struct service_data {
	enum service_type type;
	bool is_headless; /* clusterIP None, or a ServiceImport of type Headless */
	bool has_cluster_ip; /* clusterIP(s) given at all, be it None */
	bool publish_not_ready; /* publishNotReadyAddresses */
	uint8_t families[2]; /* ipFamilies in their order: 4, 6, or 0 */
	const char *external_name; /* as written; syntax is checked where it is used */
	struct ip_list cluster_ips;
	struct ip_list external_ips;
	struct ip_list ingress_ips; /* status.loadBalancer.ingress[].ip */
	const struct label *ingress_hosts; /* ...[].hostname in .key */
	uint32_t n_ingress_hosts;
	struct port_list ports;
	struct labels selector;
};

enum target_kind { TARGET_NONE, TARGET_POD, TARGET_OTHER };

/* One address of one endpoint: an endpoint with two addresses takes two of these. */
struct endpoint {
	struct ip ip;
	bool is_ready : 1; /* conditions.ready; absent means true */
	bool is_serving : 1; /* conditions.serving; absent means as ready */
	bool is_terminating : 1; /* conditions.terminating */
	uint8_t target_kind; /* enum target_kind */
	const char *hostname;
	const char *target_name; /* targetRef.name */
	const char *node; /* nodeName; only while decoding */
	const char *zone;
};

struct endpoint_pack;

struct slice_data {
	/* a controller may tie a slice to a Service of its own, as well as to a ServiceImport */
	const char *service; /* label kubernetes.io/service-name; NULL: none */
	const char *import; /* label multicluster.kubernetes.io/service-name: a ServiceImport */
	const char *cluster; /* label multicluster.kubernetes.io/source-cluster */
	uint8_t family; /* addressType: 4, 6, or 0 for FQDN and unknown ones */
	uint64_t trigger_ms; /* annotation last-change-trigger-time, Unix ms; 0: none */
	const struct endpoint *endpoints; /* NULL in the store; read with slice_endpoint() */
	const struct endpoint_pack *pack; /* the same as the store keeps them (endpoint_pack.h) */
	uint32_t n_endpoints;
	struct port_list ports;
};

enum pod_phase { POD_PHASE_NONE, POD_PENDING, POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_UNKNOWN };
enum pod_ready { POD_READY_NONE, POD_READY_TRUE, POD_READY_FALSE };

struct pod_data {
	enum pod_phase phase : 8;
	enum pod_ready ready : 8; /* condition Ready; NONE: no such condition */
	bool is_host_network;
	const char *hostname, *subdomain;
	struct ip_list ips; /* podIPs, and podIP if it is not among them, first */
	struct port_list ports; /* of all containers, those with a name only */
	const char *node; /* only while decoding; pods of the store end before this */
};

/* Octets of a pod's fields in the store. */
#define POD_DATA_KEPT offsetof(struct pod_data, node)

struct object {
	enum object_kind kind : 8;
	bool is_deleting : 1; /* has a deletionTimestamp */
	uint32_t dropped; /* elements left out because they were invalid or too many */
	const char *name, *ns; /* ns is "" for kinds without a namespace */
	uint64_t rv; /* resourceVersion as a number; 0: absent or opaque */
	uint8_t uid[16]; /* zero: absent */
	struct labels labels;
	union { /* a Namespace has none of these */
		struct service_data service; /* of OBJECT_SERVICE and OBJECT_IMPORT */
		struct slice_data slice;
		struct pod_data pod;
	};
	/* only while decoding; objects of the store end before this */
	const char *version; /* resourceVersion as sent */
	const char *problem; /* what was wrong with the first element that was left out */
};

struct intern;

/* The kind's name in the API ("Service"), or "object" for OBJECT_NONE. */
const char *object_kind_name(enum object_kind kind);
/*
 * The kind called name in the API, with or without "List" behind it; OBJECT_NONE if unknown.
 * api_version tells a Service of Knative from ours; empty (as in items of a list) fits all.
 */
enum object_kind object_kind_from(struct str api_version, struct str name);
/* The value of the label key, or NULL. */
const char *labels_get(const struct labels *labels, const char *key);
/* Endpoint i of a slice; its texts live as long as the slice. */
struct endpoint slice_endpoint(const struct slice_data *s, uint32_t i);
/* True when both endpoints are equal in every field but the node. */
bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b);
/* True when both objects say the same; uid, version, trigger time and nodes do not count. */
bool object_is_same(const struct object *a, const struct object *b);
/* True for 1-253 bytes of lower-case letters, digits, '-', '_', and '.' between others. */
bool object_is_name(struct str s);
/* The same with at most 63 bytes and no '.': one label of a DNS name. */
bool object_is_label(struct str s);
/*
 * A copy of o in one heap block; the object starts extra bytes (a multiple of 8) into it, and its
 * name is preceded by the namespace and a slash. Texts
 * that many objects share are kept in shared and given back by object_unshare(); NULL keeps all
 * texts in the block. problem, version and the names of nodes are not copied.
 */
void *object_copy(const struct object *o, size_t extra, struct intern *shared);
/* Give the shared texts of a copy back, before its block is freed. */
void object_unshare(const struct object *o, struct intern *shared);
