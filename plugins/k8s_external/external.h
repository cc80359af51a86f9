/*
 * The k8s_external plugin's inside: an instance, its zones and what their name tables hold.
 *
 * The control thread compiles Services that have addresses outside the cluster into tables
 * (compile.c, service.c, address.c, apex.c); workers read them (answer.c). A zone's table has an
 * entry for every name, with all of its records; names of endpoints are not stored but asked of the
 * kubernetes plugin of the same server block, through what it offers (cluster/view.h).
 *
 * Lifetime: a struct external belongs to its generation. Entries, addresses, SOA and NS sets are
 * published under RCU: a worker's borrowed pointer ends at its next quiescent state.
 */
#pragma once

#include "base/map.h"
#include "cluster/object.h"
#include "cluster/store.h"
#include "cluster/view.h"
#include "core/transfer.h"
#include "core/zone_history.h"
#include "core/zone_list.h"
#include "names/prefix_set.h"
#include "names/table.h"
#include "plugin.h"

#define EXTERNAL "plugin/k8s_external"

/* What an entry stands for; `seamark explain` says it. */
enum external_kind {
	EXTERNAL_NODE,    /* exists, has no data: a namespace, _PROTO.SVC.NS, dns */
	EXTERNAL_SERVICE, /* SVC.NS */
	EXTERNAL_ALIAS,   /* SVC.NS of a load balancer that has a name and no address */
	EXTERNAL_PORT,    /* PORT.PROTO.SVC.NS; its addresses are those of SVC.NS */
	EXTERNAL_SELF,    /* ns1.dns: this server */
};

/* An entry of a zone's table. */
struct external_entry {
	struct table_entry head; /* key: folded name relative to the zone, see external_key() */
	enum external_kind kind;
	bool is_kept; /* control thread, while a service is compiled */
	const struct rrset *a, *aaaa;
	const struct rrset *other; /* SRV; CNAME of an alias */
	uint8_t key[];
};

/* An entry of the address table. */
struct external_address {
	struct table_entry head; /* key: 4 or 16 octets */
	const struct rrset *ptr;
	uint8_t key[16];
};

struct external_zone {
	struct name name; /* folded */
	unsigned labels;
	bool is_reverse;
	struct table table;
	const struct rrset *soa; /* published; owner is the zone */
	const struct rrset *ns;  /* of configuration */
	struct zone_history history; /* control thread */
	bool must_move; /* control thread: the serial, also within a second */
	struct map headless; /* control thread: records that followers have (headless.c) */
};

/* Where an entry of a service stands. */
struct external_place {
	struct external_zone *zone;
	struct external_entry *entry; /* of the zone's table */
};

/* What a service has in the tables. */
struct external_service {
	VEC(struct external_place) places;
	VEC(struct ip) ips; /* that have its name as PTR record */
	struct str ns, name; /* in key */
	size_t key_len;
	char key[]; /* NS/NAME, with a NUL */
};

/* The services with an external address. */
struct external_owners {
	struct ip ip;
	bool is_dirty; /* to be compiled */
	VEC(const struct external_service *) services;
};

/* Counters of an instance. */
enum external_counter {
	EXTERNAL_ANSWERS,
	EXTERNAL_NXDOMAIN,
	EXTERNAL_NODATA,
	EXTERNAL_UNSYNCED,
	EXTERNAL_COUNTERS
};

struct external {
	struct {
		uint8_t apex[NAME_MAX_LABEL + 1]; /* wire label: "dns" */
		uint32_t ttl;                     /* seconds */
		bool has_headless;
		struct fall fall;
	} options;
	struct zone_list list;
	VEC(struct external_zone *) zones; /* in the order of list */
	struct external_zone *primary;     /* first zone that is no reverse zone */
	bool has_reverse;                  /* reverse names are served */
	struct table addresses;
	struct prefix_set v4, v6; /* keys of the addresses */
	struct counters *counters;
	const struct chain *chain;
	const struct cluster_view *view; /* of the kubernetes plugin, from start on */
	void *cluster;                   /* its instance */
	/* control thread */
	struct cluster_follower follower;
	struct map services; /* NS/NAME -> struct external_service */
	struct map owners;   /* octets of an address -> struct external_owners */
	VEC(struct external_owners *) dirty;
};

/* --- compiling: control thread --- */

/* Build the empty zones: SOA, apex (compile.c). */
void external_compile_zones(struct external *x);
/* Follow the cluster: callback of struct cluster_follower, arg is the instance (compile.c). */
void external_on_changes(void *arg, const struct changes *c);
/*
 * Put the entry into the zone's table unless an equal one is there; returns that in it
 * (compile.c).
 */
struct external_entry *external_put(
	struct external *x, struct external_zone *z, struct external_entry *entry);
/* Take the entry with this key out, if there is one (compile.c). */
void external_take_out(
	struct external *x, struct external_zone *z, const uint8_t *key, size_t len);
/* True when both sets are NULL or have the same octets (compile.c). */
bool external_same_set(const struct rrset *a, const struct rrset *b);
/* An entry with a copy of the key and no data (compile.c). */
struct external_entry *external_entry_new(
	enum external_kind kind, const uint8_t *key, size_t len);
/* Free an entry; for rcu_retire() (compile.c). */
void external_entry_free(void *object);
/* Give the entry the n addresses, each once; sorts ips (compile.c). */
void external_set_addresses(
	const struct external *x, struct external_entry *entry, struct ip *ips, size_t n);
/* Append one folded label to a key; returns its length, 0 when text is no label (compile.c). */
size_t external_write_label(uint8_t *out, const char *text);
/* Compile the names of a service, or take them out (service.c). */
void external_compile_service(struct external *x, const char *ns, const char *name);
/* Free the record of a service, whose entries are freed with the tables (service.c). */
void external_service_free(struct external_service *s);
/* The service has these addresses from now on; their PTR records follow later (address.c). */
void external_set_owner(
	struct external *x, struct external_service *s, const struct ip *ips, size_t n);
/* Make the PTR records of all addresses whose services changed (address.c). */
void external_compile_addresses(struct external *x);
/* Free an address; for rcu_retire() (address.c). */
void external_address_free(void *object);
/* Free all owners (address.c). */
void external_owners_free(struct external *x);
/* Make the NS record and the first SOA record of each zone (apex.c). */
void external_compile_apex(struct external *x);
/* Publish the addresses of ns1.dns (apex.c). */
void external_compile_self(struct external *x);
/* Publish SOA records with new serials where something has changed (apex.c). */
void external_commit(struct external *x);

/* --- zone transfers: control thread (transfer.c) --- */

/*
 * The zone has old instead of new records of an entry from now on; one of them may be NULL. To be
 * called before old is retired.
 */
void external_note_entry(struct external *x, struct external_zone *z,
	const struct external_entry *old, const struct external_entry *now);
/* The same for the PTR records of an address. */
void external_note_ptr(struct external *x, const struct ip *ip, const struct rrset *old,
	const struct rrset *now);
/* The name of an entry; of a port with underscores. False when that is too long. */
bool external_entry_name(
	struct name *out, const struct external_zone *z, const struct external_entry *entry);
/* SVC.NS.ZONE when names of the service's endpoints are names of the zone, else false. */
bool external_endpoint_zone(const struct external *x, const struct external_zone *z,
	const struct object *service, struct name *out);
/* Append the records of a headless service that is answered from its endpoints, else nothing. */
void external_add_headless(struct buf *row, const struct external *x,
	const struct external_zone *z, const struct object *service);
/* The endpoints of a service, or the service, may have changed (headless.c). */
void external_note_endpoints(struct external *x, const char *ns, const char *name);
/* The same for all services (headless.c). */
void external_note_all_endpoints(struct external *x);
/* Changes of the zone are followed from now on, which has these endpoints (headless.c). */
void external_keep_endpoints(struct external *x, struct external_zone *z);
/* Free what is kept of endpoints (headless.c). */
void external_headless_fini(struct external_zone *z);
/* For struct plugin.transfer. */
extern const struct plugin_transfer external_transfer;

/* --- answering: any thread --- */

/* Labels of the longest name that can exist: PORT.PROTO.SVC.NS. */
#define EXTERNAL_LABELS 4u

/* A name relative to its zone. */
struct external_name {
	const struct external_zone *zone; /* NULL: not ours */
	const uint8_t *name;              /* folded, whole */
	unsigned labels;                  /* left of the zone */
	size_t len;                       /* octets left of the zone */
};

/* Find the zone of a folded name; false when it is not ours to answer (answer.c). */
bool external_locate(const struct external *x, const uint8_t *name, struct external_name *out);
/*
 * Find the entry of a name below a zone that is no reverse zone; hash is of its key, or 0 when it
 * is not known. Underscores of ports and protocols may be left out (answer.c).
 */
const struct external_entry *external_find(const struct external_name *n, uint64_t hash);
/* True when the kubernetes plugin must be asked for endpoints, as no entry decides (answer.c). */
bool external_is_endpoint(const struct external *x, const struct external_name *n);
/* True for reverse names, also in a zone above those of reverse names (answer.c). */
bool external_is_reverse(const struct external_name *n);
/* The PTR records of an address, or NULL (answer.c). */
const struct rrset *external_find_ptr(const struct external *x, const uint8_t *ip, size_t len);
/* True when a partial reverse name has PTR records below (answer.c). */
bool external_has_below(const struct external *x, const uint8_t *name);
/* The set that answers a question of the type for the name of the entry, or NULL (answer.c). */
const struct rrset *external_set_of(
	const struct external_name *n, const struct external_entry *entry, uint16_t type);
/* The prefetch hook (answer.c). */
void external_prefetch(struct query *q, void *instance);
/* The query hook (answer.c). */
enum verdict external_query(struct query *q, void *instance);

/* Metrics hook (metrics.c). */
void external_metrics(void *instance, struct metrics *m);
/* What `seamark explain` and `seamark names` get (explain.c). */
extern const struct plugin_explain external_explain_hooks;
