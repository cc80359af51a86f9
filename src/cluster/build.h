/*
 * What every decoder of cluster objects does with the values it finds, whatever the encoding:
 * check them, cap their number, and put them into a struct object in an arena. The decoders are
 * json_object.c and pb.c. Bad values are dropped and counted, never fatal.
 */
#pragma once

#include "base/arena.h"
#include "cluster/object.h"

struct build {
	struct arena *arena;
	struct object *o;
};

/* An endpoint as it is read: the fields of each of its addresses. */
struct build_endpoint {
	struct endpoint common; /* all but ip */
	struct ip_list ips;
	bool has_ready, has_serving;
};

/* Start an empty object of kind at o. */
void build_init(struct build *b, struct arena *arena, enum object_kind kind, struct object *o);
/* Count a dropped element; the first one's reason is kept for a person. */
void build_drop(struct build *b, const char *what, struct str value);
/* A copy of any text without NUL of at most max bytes; NULL for "" and for a dropped one. */
const char *build_text(struct build *b, const char *what, struct str value, size_t max);
/* A copy of a name (object_is_name); NULL for "" and for a dropped one. */
const char *build_name(struct build *b, const char *what, struct str value);
/* A copy of a DNS label (object_is_label); NULL for "" and for a dropped one. */
const char *build_label(struct build *b, const char *what, struct str value);
/* metadata.namespace; build_finish() refuses the object when it is no DNS label. */
void build_namespace(struct build *b, struct str value);
/* metadata.resourceVersion. */
void build_version(struct build *b, struct str value);
/* metadata.uid: a UUID, or any text, which is hashed. */
void build_uid(struct build *b, struct str value);
/* Add a label or selector entry; a key that is there already gets the new value. */
void build_labels_add(struct build *b, struct labels *l, struct str key, struct str value);
/* Add an address unless it is there already. */
void build_ip_add(struct build *b, struct ip_list *l, const char *what, struct str value);
/* spec.clusterIP or an element of clusterIPs; both may be given, in any order. */
void build_cluster_ip(struct build *b, struct str value);
/* An element of spec.ipFamilies. */
void build_family(struct build *b, struct str value);
/* status.loadBalancer.ingress[].hostname. */
void build_ingress_host(struct build *b, struct str value);
/* spec.type of a Service; ClusterIP when it is another word. */
enum service_type build_service_type(struct str value);
/* status.phase of a Pod. */
enum pod_phase build_pod_phase(struct str value);
/* "TCP", "UDP", "SCTP" or "" (TCP) into *out; false for others. */
bool build_protocol(struct str value, enum protocol *out);
/* targetPort of a Service: a number, a name, or "" for the same number as port. */
void build_target(struct build *b, struct port *p, struct str target);
/* Add a port. A number out of range (-1 is fine for a slice) drops it. */
void build_port_add(struct build *b, struct port_list *l, const struct port *p);
/* Add an endpoint of a slice, one struct endpoint for each of its addresses. */
void build_endpoint_add(struct build *b, const struct build_endpoint *e);
/* An RFC 3339 time in Unix milliseconds, 0 when it is none. */
uint64_t build_time_ms(struct str value);
/*
 * All fields are in: derive the rest (service of a slice, families, readiness defaults), sort
 * labels, check the names. False when the object has no usable name; problem says why.
 */
bool build_finish(struct build *b);
