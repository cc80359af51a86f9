/*
 * The namespaces of the pods that have an address, for `pods verified`: an index of numbers
 * (names/addr_table.h) and what the numbers stand for. Belongs to a struct kube; the control
 * thread changes it, workers read it.
 *
 * Lifetime: published (RCU). A label ends with the reader's RCU section.
 */
#pragma once

#include "base/map.h"
#include "base/slots.h"
#include "names/addr_table.h"

struct ip;
struct kube;

struct kube_pod_index {
	struct addr_table v4, v6; /* numbers of namespaces, POD_ON_HOST */
	struct slots spaces; /* namespaces by number */
	/* control thread */
	struct map by_name; /* struct space */
};

/* Start empty. */
void kube_pods_init(struct kube_pod_index *p);
/* Free it; no reader is left. */
void kube_pods_fini(struct kube_pod_index *p);
/* Compile the pods of one address from the store. Control thread. */
void kube_compile_pods(struct kube *k, const struct ip *ip);
/* True when a pod in the namespace of that folded wire label has the address. Any thread. */
bool kube_has_pod(const struct kube *k, const struct ip *ip, const uint8_t *ns);
/*
 * The namespace of the pods with that address as a folded wire label. NULL when no pod has it, when
 * pods of several namespaces do, or one on the network of its node: what comes from such an
 * address may come from any process of the node. Any thread.
 */
const uint8_t *kube_pod_namespace(const struct kube *k, const struct ip *ip);
