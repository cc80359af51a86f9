/*
 * What an instance of the kubernetes plugin offers to the other plugins of its server block
 * (core/offer.h): the cluster as that block is configured to see it. k8s_external compiles names
 * of its own from it, autopath asks where a client lives.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "cluster/ip.h"

struct changes;
struct explain_ask;
struct explanation;
struct name;
struct object;
struct query;
struct store;

/* The name that the interface is offered under; its ops are a struct cluster_view. */
#define CLUSTER_VIEW "cluster view"

/* Who is told of changes; filled and owned by the one who follows. Control thread. */
struct cluster_follower {
	/*
	 * The store changed, and the instance has dealt with it. c is NULL the first time, when
	 * the store was taken: walk it. As with store readers, a TOUCH_SYNC changes what counts as
	 * known for everything.
	 */
	void (*on_changes)(void *arg, const struct changes *c);
	void *arg;
	struct list link; /* private */
};

/* A port of an endpoint. */
struct cluster_port {
	const char *name; /* folded, "" when it has none */
	uint16_t number;
	uint8_t protocol; /* enum protocol */
};

/* A ready endpoint of a service; valid during the call that tells of it. */
struct cluster_endpoint {
	const uint8_t *label; /* wire, folded: its hostname, or the address with dashes */
	const struct ip *ip;
	const struct cluster_port *ports;
	unsigned n_ports;
};

typedef void cluster_endpoint_fn(void *arg, const struct cluster_endpoint *endpoint);

/* Which part of a service a name stands for. */
struct cluster_ask {
	unsigned below; /* labels of the question before SVC.NS: 1 an endpoint, 2 a port */
	uint32_t ttl;   /* of the records, seconds */
};

enum cluster_found {
	CLUSTER_NO_NAME, /* the name does not exist */
	CLUSTER_NO_DATA, /* it does, without records of the type */
	CLUSTER_ANSWERED,
};

/* Told of a Service that this server is in; valid during the call. */
typedef void cluster_own_fn(void *arg, const struct object *service, const struct ip *ip);

/* Functions of the instance, which is what struct offered says. */
struct cluster_view {
	/* --- control thread --- */

	/* The store, or NULL before the instance has started. */
	struct store *(*store)(const void *instance);
	/* True when names of that namespace are served: it is there and the options take it. */
	bool (*is_exposed)(const void *instance, const char *ns);
	/* True when the option `labels` takes the service, slice or pod. */
	bool (*is_selected)(const void *instance, const struct object *o);
	/*
	 * Call fn for each Service that has this server as a ready endpoint, and its address there.
	 * Without any, for each address of this server, with service NULL.
	 */
	void (*own_services)(const void *instance, cluster_own_fn *fn, void *arg);
	/* Call fn for each ready endpoint of a service that has a name. */
	void (*each_endpoint)(const void *instance, const struct object *service,
		cluster_endpoint_fn *fn, void *arg);
	/*
	 * Say what endpoints() would do, with below labels before SVC.NS in the name of ask: fills
	 * in objects, values and the reason, or why there is nothing.
	 */
	enum cluster_found (*explain)(const void *instance, const struct explain_ask *ask,
		unsigned below, struct explanation *x);
	/* Tell f of changes, from the start on or (when that is over) from now on. */
	void (*follow)(void *instance, struct cluster_follower *f);
	/* Tell f no more. */
	void (*unfollow)(void *instance, struct cluster_follower *f);

	/* --- any thread; what is borrowed is published (RCU) --- */

	/* True when nothing that names depend on is missing: only then may names be denied. */
	bool (*is_synced)(const void *instance);
	/* The longest zone that the folded wire name with so many labels lies in, or NULL. */
	const struct name *(*zone_of)(const void *instance, const uint8_t *name, unsigned labels);
	/* True when all pods are known: the option `pods verified`. */
	bool (*has_pods)(const void *instance);
	/*
	 * The namespace of the pods with that address, as one folded wire label in out (64
	 * octets). False when no pod has it, pods of several namespaces do, or one on the network
	 * of its node: then nobody can tell who asks from there.
	 */
	bool (*pod_namespace)(const void *instance, const struct ip *ip, uint8_t *out);

	/* --- the worker of q --- */

	/*
	 * Answer the question of q, which begins with labels of a service, SVC.NS or below, from
	 * the ready endpoints of it: all of a headless one, or (below is 1) one of any service.
	 * Adds addresses, or SRV records with addresses; nothing to the authority section.
	 */
	enum cluster_found (*endpoints)(
		void *instance, struct query *q, const struct cluster_ask *ask);
};
