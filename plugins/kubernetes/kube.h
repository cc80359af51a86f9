/*
 * The kubernetes plugin's inside: an instance, its zones and what the name tables hold.
 *
 * The control thread compiles cluster objects into tables (compile.c, owners.c, pods.c);
 * workers read them (answer.c, srv.c, reverse.c). A zone's table has one entry for each service
 * and for each namespace; names that can be computed from those (endpoints, ports, pods) are not
 * stored.
 *
 * Lifetime: a struct kube belongs to its generation. Entries and the SOA set are published under
 * RCU: a worker's borrowed pointer ends at its next quiescent state.
 */
#pragma once

#include <stdatomic.h>

#include "cluster/object.h"
#include "cluster/selector.h"
#include "cluster/store.h"
#include "cluster/view.h"
#include "core/zone_history.h"
#include "core/zone_list.h"
#include "kubernetes/clients.h"
#include "kubernetes/owners.h"
#include "kubernetes/pods.h"
#include "names/table.h"
#include "plugin.h"

#define KUBE "plugin/kubernetes"
/* Version of the DNS specification for Kubernetes that the names follow. */
#define KUBE_DNS_VERSION "1.1.0"
/* The same of the specification for services that are imported from other clusters. */
#define KUBE_IMPORT_DNS_VERSION "1.0.0"
#define KUBE_DNS_VERSION_TTL 28800u

/* So many zones at most are compared one by one: a block of addresses can stand for 128 zones. */
#define KUBE_ZONES_COMPARED 6u

struct cluster;
struct rest_stats;

enum kube_pods { PODS_DISABLED, PODS_INSECURE, PODS_VERIFIED };

/* Where a fallthrough applies: everywhere, nowhere, or below these zones. */
struct kube_fallthrough {
	bool is_on;
	VEC(struct name) zones; /* empty: all */
};

struct kube_options {
	enum kube_pods pods;
	uint32_t ttl; /* seconds */
	bool has_endpoint_pod_names, no_endpoints, ignores_empty, has_zonal;
	struct kube_fallthrough fallthrough;
	VEC(const char *) namespaces; /* empty: all */
	VEC(const char *) import_zones; /* of `multicluster`, as zone names end */
	struct selector *labels, *namespace_labels; /* NULL: all */
};

enum entry_kind {
	ENTRY_NODE,     /* exists, has no data: "svc", a namespace */
	ENTRY_SERVICE,  /* SVC.NS.svc */
	ENTRY_EXTERNAL, /* the same, an alias */
	ENTRY_RECORDS,  /* other names with data: dns-version, ns.dns */
};

struct kube_port {
	const char *name; /* folded, "" when unnamed; in the block of its list */
	uint16_t number;
	uint8_t protocol; /* enum protocol */
};

/* Lists of ports of an entry. */
#define KUBE_PORT_LISTS_MAX 128u

/* Ports of the Service (the first list of an entry), or of some of its EndpointSlices. */
struct kube_ports {
	struct kube_port *at;
	uint16_t len;
};

/*
 * A ready endpoint. Those without a label of their own are named after their address. Endpoints of
 * imported services have names of two labels; here they are one text, "CLUSTER.ENDPOINT".
 */
struct kube_endpoint {
	const char *label; /* folded, one text for all of a name; NULL: the address with dashes */
	struct ip ip;
	uint16_t ports; /* index of its list in the entry */
} __attribute__((packed, aligned(4))); /* there may be a quarter of a million */

/*
 * An entry of a zone's table.
 *
 * Lifetime: published; freed after a grace period, or when the last transfer that began before it
 * was replaced is over.
 */
struct kube_entry {
	struct table_entry head; /* key: folded name relative to the zone */
	struct ref ref; /* the table's, and those of images (transfer.c) */
	enum entry_kind kind;
	bool is_headless;
	bool is_ignored; /* `ignore empty_service`: kept for PTR records only */
	bool has_a_inside; /* the set `a` is in the memory of the entry, behind the key */
	uint16_t n_ports;  /* lists of ports */
	uint32_t n_endpoints;
	uint32_t n_plain; /* endpoints without a label: they come first, sorted by address */
	const struct rrset *a, *aaaa;
	const struct rrset *other; /* CNAME of ENTRY_EXTERNAL, TXT of dns-version */
	struct kube_ports *ports; /* [0]: of the Service; the others of its slices */
	struct kube_endpoint *endpoints; /* the labelled ones sorted by label */
	const struct kube_endpoint **by_ip; /* the labelled ones by address; NULL: they are few */
	char *labels; /* memory of the labels */
	struct kube_zonal *zonal; /* of a headless service with `zonal`, else NULL */
	const struct kube_zone *home; /* of a service */
	uint32_t number; /* in struct kube_owners; control thread */
	uint8_t key[];
};

/* The endpoints of one topology zone, as if the service had no others. */
struct kube_zone_entry {
	char *zone; /* folded; may have dots */
	struct kube_entry *entry;
};

struct kube_zonal {
	size_t len;
	struct kube_zone_entry at[];
};

struct kube_zone {
	struct name name; /* folded */
	unsigned labels;
	bool is_reverse;
	bool is_imported; /* names of ServiceImports (`multicluster`), and no others */
	struct table table;
	struct table ignored; /* services with `ignore empty_service`; control thread */
	const struct rrset *soa; /* published; owner is the zone */
	const struct rrset *ns;  /* published */
	struct zone_history history; /* serial and changes; control thread */
};

/* Counters of an instance. */
enum kube_counter { KUBE_ANSWERS, KUBE_NXDOMAIN, KUBE_NODATA, KUBE_UNSYNCED, KUBE_COUNTERS };

/* Kinds of services that the programming latency is told of. */
enum kube_latency_kind { LATENCY_CLUSTER_IP, LATENCY_HEADLESS, LATENCY_KINDS };
#define LATENCY_BOUNDS 20

/* From the change of a pod to its name: written by the control thread, read by any. */
struct kube_latency {
	_Atomic uint64_t counts[LATENCY_BOUNDS + 1];
	_Atomic uint64_t sum_ms;
};

/* The first seconds of an instance (startup.c). */
struct kube_startup {
	uint64_t timeout_ms; /* of `startup_timeout` */
	uint64_t begin_ms, said_ms; /* when it began, and last said that it waits */
	struct loop_timer *timer; /* NULL: over */
};

struct kube {
	struct kube_options options;
	VEC(struct kube_zone *) zones;
	struct zone_list zone_index; /* in the order of zones */
	struct kube_zone *primary; /* first zone that has names of Services, else of imports */
	struct kube_zone *imported; /* first zone that has names of ServiceImports, or NULL */
	struct kube_pod_index pods;
	struct kube_owners owners;
	struct kube_clients clients;
	bool has_reverse; /* a reverse zone is served */
	_Atomic bool is_synced;
	_Atomic bool has_imports; /* ServiceImports have been read too, or nobody wants them */
	struct counters *counters;
	struct kube_latency latency[LATENCY_KINDS];
	/* control thread */
	struct arena arena;
	struct cluster *cluster; /* taken from the shared registry */
	struct shared *shared;
	struct uv_loop_s *loop;
	char *cluster_key;
	struct cluster_config *cluster_config;
	struct store_reader reader;
	struct list followers; /* struct cluster_follower */
	bool is_started;
	bool has_all_endpoints; /* the entries were compiled with endpoints */
	bool is_served; /* by a daemon, not only looked at */
	struct kube_startup startup;
	VEC(struct ip) local; /* addresses of this server, for NS records */
};

/* True when everything that names depend on has been read once (setup.c). */
bool kube_is_ready(const struct kube *k);
/* Watch over the first seconds, until the cluster is known or the time is over (startup.c). */
void kube_startup_begin(struct kube *k);
/* Stop that (startup.c). */
void kube_startup_end(struct kube *k);
/* Say how it stands; false when there is nothing more to say. Times in ms (startup.c). */
bool kube_startup_check(struct kube_startup *s, bool is_ready, uint64_t now_ms);
/* Set up from the directive; the plugin's setup hook (setup.c). */
int kube_setup(struct setup *s, struct err *e);
/* Build the empty zones: apex, svc, pod, dns-version, ns.dns (compile.c). */
void kube_compile_zones(struct kube *k);
/* Compile everything that the store holds, after the first sync or a change of it (compile.c). */
void kube_compile_all(struct kube *k);
/* Follow the store: the change log's callback; arg is the struct kube (compile.c). */
void kube_on_changes(void *arg, const struct changes *c);
/* Compile the entry of a service in every zone, or take it out (compile.c). */
void kube_compile_service(struct kube *k, const char *ns, const char *name);
/* The same for a ServiceImport. */
void kube_compile_import(struct kube *k, const char *ns, const char *name);
/* True when names of that namespace are served (compile.c). */
bool kube_is_exposed(const struct kube *k, const char *ns);
/* True when the labels of a service, slice or pod fit the `labels` option (compile.c). */
bool kube_is_selected(const struct kube *k, const struct object *o);
/* True when the service, no alias, has a name in the primary zone. Control thread (compile.c). */
bool kube_has_service(const struct kube *k, const char *ns, const char *name);
/* True when the ServiceImport has a name in the zones of imports. Control thread (compile.c). */
bool kube_has_import(const struct kube *k, const char *ns, const char *name);
/* Call fn for the services that this server is an endpoint of, else its addresses (apex.c). */
void kube_own_services(const struct kube *k, cluster_own_fn *fn, void *arg);
/* Publish NS records and ns.dns from the services that have this server as an endpoint (apex.c). */
void kube_compile_apex(struct kube *k);
/* Give up a reference to an entry, the last one frees it (entry.c); for rcu_retire(). */
void kube_entry_free(void *object);
/* An entry of a Service or ServiceImport, or NULL when its name does not exist (entry.c). */
struct kube_entry *kube_entry_build(
	const struct kube *k, const struct object *service, const struct kube_zone *z);
/* The same with only the endpoints of one topology zone (folded), or NULL: none (entry.c). */
struct kube_entry *kube_entry_of_zone(const struct kube *k, const struct object *service,
	const struct kube_entry *whole, const char *zone);
/* The parts of a service's entry by topology zone; NULL without the option (zonal.c). */
struct kube_zonal *kube_zonal_build(
	const struct kube *k, const struct object *service, const struct kube_entry *entry);
/* Free them; NULL is ignored (zonal.c). */
void kube_zonal_free(struct kube_zonal *zonal);
/* True when the endpoint is in that topology zone, case ignored (zonal.c). */
bool kube_is_in_zone(const struct endpoint *p, const char *zone);
/* True for names that end in _zone, of which `below` labels are left of the service (zonal.c). */
bool kube_is_zonal(const struct kube *k, const uint8_t *name, unsigned below);
enum kube_zonal_found {
	ZONAL_NONE,  /* there is no such name */
	ZONAL_NODE,  /* it exists, without data: also that of a zone without endpoints */
	ZONAL_ENTRY, /* it answers as *out does */
};
/* What such a folded name stands for, below the service of the entry (zonal.c). */
enum kube_zonal_found kube_find_zonal(const struct kube_entry *entry, const uint8_t *name,
	unsigned below, const struct kube_entry **out);
/* An entry with room for a key of len octets (entry.c). */
struct kube_entry *kube_entry_new(enum entry_kind kind, const uint8_t *key, size_t len);
/* Give an entry the n addresses, each once; sorts ips (entry.c). */
void kube_entry_set_addresses(
	const struct kube *k, struct kube_entry *entry, struct ip *ips, size_t n);
/* Fold the label of an endpoint from its slice (NULL: named by its address) (entry.c). */
const char *kube_endpoint_label(const struct kube *k, const struct endpoint *p);
/* Room for the labels of an endpoint in wire form. */
#define KUBE_LABELS_MAX (2 * (NAME_MAX_LABEL + 1))
/*
 * Write the label of an endpoint (NULL: its address with dashes) in wire form, or the two labels
 * of an imported one; returns the octets (entry.c).
 */
size_t kube_write_label(uint8_t out[KUBE_LABELS_MAX], const char *label, const struct ip *ip);
/* Room for the key of a service: SVC.NS.svc. */
#define KUBE_KEY_MAX (2 * (NAME_MAX_LABEL + 1) + 4)
/* Write the folded key of a service; returns its length, 0 when it is no name (entry.c). */
size_t kube_service_key(uint8_t key[KUBE_KEY_MAX], const char *ns, const char *name);
/* Write the folded key NS.svc or NS.pod; returns its length, 0 when it is no name (entry.c). */
size_t kube_namespace_key(uint8_t *key, const char *ns, const char *kind);

/* The query hook (answer.c). */
enum verdict kube_query(struct query *q, void *instance);
/* The prefetch hook (answer.c). */
void kube_prefetch(struct query *q, void *instance);
/* Answer in a reverse zone (reverse.c). */
enum verdict kube_reverse(struct kube *k, const struct kube_zone *z, struct query *q);
/* Answer at a service that is an alias (external.c). */
enum verdict kube_external(struct kube *k, const struct kube_entry *entry, struct query *q);
/* The longest zone that a folded name of so many octets and labels lies in, or NULL (answer.c). */
const struct kube_zone *kube_find_zone(
	const struct kube *k, const uint8_t *name, size_t len, unsigned labels);
/* Which SRV records kube_add_srv() adds. */
struct kube_srv {
	const struct kube_entry *entry;
	const uint8_t *service; /* wire name of the service as asked, in the query */
	struct str port;        /* folded; "" selects every port */
	struct str protocol;    /* "tcp", "udp", "sctp", or "" for all */
	const struct kube_endpoint *endpoint; /* only this one, or NULL */
	uint32_t ttl;
};
/* Add SRV records of the ports that port and protocol select, with addresses (srv.c). */
bool kube_add_srv(struct query *q, const struct kube_srv *srv);
/*
 * Addresses of the type asked for of the endpoints that have srv->port (of all when neither port
 * nor protocol is given), as a set in the query's arena, or NULL; as many as an answer can hold
 * (srv.c).
 */
const struct rrset *kube_port_addresses(struct query *q, const struct kube_srv *srv);
/* True when that takes the address from this endpoint: of several with it, the first (srv.c). */
bool kube_takes_address(const struct kube_srv *srv, const struct kube_endpoint *p);
/* The same of n endpoints, which share a name (srv.c). */
const struct rrset *kube_endpoint_addresses(
	struct query *q, const struct kube_endpoint *at, unsigned n, uint32_t ttl);
/* Add the address of an endpoint, owned by the wire name owner (srv.c). */
void kube_add_endpoint(struct query *q, const uint8_t *owner, const struct kube_endpoint *p,
	uint32_t ttl);
/* A label as text, without the underscore of ports and protocols in front (answer.c). */
struct str kube_bare_label(const uint8_t *label);
/* True for PORT._PROTOCOL or _PORT.PROTOCOL rather than ENDPOINT.CLUSTER (answer.c). */
bool kube_is_port(const uint8_t *labels);
/* True when a port with a name has that protocol: names exist below _PROTOCOL (srv.c). */
bool kube_has_named_port(const struct kube_entry *entry, struct str protocol);
/* True when a port of the entry is called so, with that protocol (srv.c). */
bool kube_has_port(const struct kube_entry *entry, struct str port, struct str protocol);
/* True when nothing is missing that names of the zone depend on (answer.c). */
bool kube_is_known(const struct kube *k, const struct kube_zone *z);
/* NODATA: NOERROR with the zone's SOA; SERVFAIL while the cluster is not known (answer.c). */
enum verdict kube_nodata(struct kube *k, const struct kube_zone *z, struct query *q);
/* The name does not exist: SERVFAIL while not synced, fallthrough, or NXDOMAIN (answer.c). */
enum verdict kube_nxdomain(struct kube *k, const struct kube_zone *z, struct query *q);
/* Finish a positive answer. */
enum verdict kube_done(struct kube *k, struct query *q);
/* The endpoint that one wire label names, or NULL; *n is how many follow with that name. */
const struct kube_endpoint *kube_find_endpoint(
	const struct kube_entry *entry, const uint8_t *label, unsigned *n);
/* The same in an imported service, where two labels name an endpoint (entry.c). */
const struct kube_endpoint *kube_find_imported(
	const struct kube_entry *entry, const uint8_t *labels, unsigned *n);
/* True when the imported service has endpoints in the cluster of that wire label (entry.c). */
bool kube_has_cluster(const struct kube_entry *entry, const uint8_t *label);
/*
 * The next endpoint of an entry with that address: start with *at = 0; NULL at the end. Any
 * thread (entry.c).
 */
const struct kube_endpoint *kube_next_with_ip(
	const struct kube_entry *entry, const struct ip *ip, unsigned *at);
/* Read an address with dashes from a wire label; false when it is none (entry.c). */
bool kube_read_dashed(struct ip *ip, const uint8_t *label);
/* Record how long the change of a service's endpoints took to arrive (metrics.c). */
void kube_count_latency(struct kube *k, const struct touch *t, uint64_t trigger_ms);
/* What an instance offers to other plugins, for kubernetes_plugin (view.c). */
extern const struct offer kube_offers[];
/* Tell the followers; c is NULL when the instance has just started (view.c). */
void kube_tell_followers(struct kube *k, const struct changes *c);
/* Report requests to the API server at host (metrics_rest.c). */
void kube_report_requests(struct metrics *m, const struct rest_stats *s, const char *host);
/*
 * The SRV records of the ports that srv selects, of the endpoints from *at on (0: the first) until
 * b has `enough` octets, and *at is the next one; false when none are left (srv.c).
 */
bool kube_list_srv(
	const struct kube_srv *srv, struct rrset_builder *b, size_t *at, size_t enough);
/*
 * An entry of the zone takes the place of old, or either is NULL: the zone's serial will move when
 * that can be seen, and those of the reverse zones. Before old is retired; control thread
 * (transfer.c).
 */
void kube_note_entry(struct kube *k, struct kube_zone *z, const struct kube_entry *old,
	const struct kube_entry *entry);
/* The same for the NS records of the zone (transfer.c). */
void kube_note_ns(struct kube_zone *z, const struct rrset *old, const struct rrset *ns);
/* True when nobody can see a difference between two record sets; NULL is an empty one (apex.c). */
bool kube_same_set(const struct rrset *a, const struct rrset *b);
/* What the plugin transfer hands zones out with (transfer.c). */
extern const struct plugin_transfer kube_transfer;
/* Metrics hook (metrics.c). */
void kube_metrics(void *instance, struct metrics *m);
