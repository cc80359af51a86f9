/*
 * The namespaces of the pods that have an address.
 */
#include "kubernetes/kube.h"

#include <stdlib.h>

#include "kubernetes/cluster.h"

/* Finished pods keep their address in the API although others may have it by now. */
static bool is_alive(const struct object *o)
{
	return o->pod.phase != POD_SUCCEEDED && o->pod.phase != POD_FAILED &&
		o->pod.phase != POD_UNKNOWN;
}

/* The hashes, and behind them the namespace that is common to all; it may be missing. */
static void set_pods(struct kube_address *a, const uint64_t *hashes, size_t n, const char *ns)
{
	size_t len = ns == NULL ? 0 : strlen(ns);
	uint8_t *label;

	if (n == 0)
		return;
	if (len > NAME_MAX_LABEL)
		len = 0;
	a->pods = mem_alloc(n * sizeof(*hashes) + 1 + len);
	memcpy(a->pods, hashes, n * sizeof(*hashes));
	label = (uint8_t *)(a->pods + n);
	label[0] = (uint8_t)len;
	if (len > 0)
		name_fold(label + 1, (const uint8_t *)ns, len);
	a->n_pods = (uint16_t)n;
}

static void add_pods(struct kube_address *a, const struct kube *k, const struct ip *ip)
{
	const struct store *st = cluster_store(k->cluster);
	VEC(uint64_t) hashes = {NULL, 0, 0};
	const char *ns = NULL;
	bool is_clear = true;
	struct ip_owner owner;
	size_t pos = 0;

	while (hashes.len < UINT16_MAX && store_ip_next(st, OBJECT_POD, ip, &pos, &owner)) {
		const struct object *o = owner.object;

		if (!is_alive(o) || !kube_is_selected(k, o))
			continue;
		/* what comes from the address of a node may come from any of its processes */
		is_clear = is_clear && !o->pod.is_host_network &&
			(ns == NULL || strcmp(ns, o->ns) == 0);
		ns = o->ns;
		vec_push(&hashes, kube_namespace_hash(k, o->ns, strlen(o->ns)));
	}
	set_pods(a, hashes.at, hashes.len, is_clear ? ns : NULL);
	vec_free(&hashes);
}

const uint8_t *kube_pod_namespace(const struct kube *k, const struct ip *ip)
{
	const struct kube_address *a = (const struct kube_address *)table_find(&k->addresses,
		ip->bytes, ip->len, table_hash(&k->addresses, ip->bytes, ip->len));
	const uint8_t *label;

	if (a == NULL || a->n_pods == 0)
		return NULL;
	label = (const uint8_t *)(a->pods + a->n_pods);
	return label[0] == 0 ? NULL : label;
}

void kube_compile_address(struct kube *k, const struct ip *ip)
{
	struct kube_address *a;

	if (k->options.pods != PODS_VERIFIED)
		return; /* nobody asks for them */
	a = mem_new(struct kube_address);
	add_pods(a, k, ip);
	if (a->n_pods == 0) {
		kube_address_free(a);
		rcu_retire(table_remove(&k->addresses, ip->bytes, ip->len), kube_address_free);
		return;
	}
	memcpy(a->key, ip->bytes, ip->len);
	a->head.key = a->key;
	a->head.key_len = ip->len;
	rcu_retire(table_put(&k->addresses, &a->head), kube_address_free);
}
