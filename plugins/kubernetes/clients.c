#include "kubernetes/clients.h"

#include <stdlib.h>

#include "kubernetes/cluster.h"
#include "kubernetes/kube.h"

void kube_clients_init(struct kube_clients *c, const struct chain *chain)
{
	struct str rest;

	table_init(&c->table);
	c->is_wanted = metadata_wants(chain, "kubernetes/client-", 0, &rest);
	for (size_t i = 0; metadata_wants(chain, "kubernetes/client-label/", i, &rest); i++)
		vec_push(&c->labels, rest.at);
}

void kube_clients_fini(struct kube_clients *c)
{
	table_fini(&c->table, free);
	vec_free(&c->labels);
}

/* Finished pods keep their address in the API although others may have it by now. */
static bool is_alive(const struct object *o)
{
	return o->pod.phase != POD_SUCCEEDED && o->pod.phase != POD_FAILED &&
		o->pod.phase != POD_UNKNOWN;
}

/* What the pods of an address have in common. */
struct common {
	const struct object *first; /* NULL: no pod, or none that can be told */
	bool is_one_pod, is_one_namespace;
};

/*
 * All pods count that are known, also those that the option `labels` leaves out: they can be the
 * one that asks. Where the API server hides such pods, an address of a node tells nothing.
 */
static struct common find_pods(const struct kube *k, const struct ip *ip)
{
	struct common c = {NULL, true, true};
	struct ip_owner owner;
	size_t pos = 0;

	while (store_ip_next(cluster_store(k->cluster), OBJECT_POD, ip, &pos, &owner)) {
		const struct object *o = owner.object;

		if (!is_alive(o))
			continue;
		if (o->pod.is_host_network && k->options.labels != NULL)
			return (struct common){NULL, false, false};
		c.is_one_pod = c.first == NULL;
		c.is_one_namespace = c.is_one_namespace &&
			(c.first == NULL || strcmp(c.first->ns, o->ns) == 0);
		if (c.first == NULL)
			c.first = o;
	}
	return c;
}

/* Copy text (NULL stays NULL) to *to, and go behind it. */
static const char *keep(char **to, const char *text)
{
	char *at = *to;
	size_t n = text == NULL ? 0 : strlen(text) + 1;

	if (n == 0)
		return NULL;
	memcpy(at, text, n);
	*to += n;
	return at;
}

static size_t size_of(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static struct kube_client *make_client(const struct kube *k, const struct common *c)
{
	const struct object *pod = c->is_one_pod ? c->first : NULL;
	const char *ns = c->is_one_namespace ? c->first->ns : NULL;
	size_t n = k->clients.labels.len;
	size_t texts = size_of(ns) + (pod == NULL ? 0 : size_of(pod->name));
	struct kube_client *client;
	char *to;

	for (size_t i = 0; pod != NULL && i < n; i++)
		texts += size_of(labels_get(&pod->labels, k->clients.labels.at[i]));
	client = mem_alloc(sizeof(*client) + n * sizeof(*client->labels) + texts);
	to = (char *)&client->labels[n];
	client->ns = keep(&to, ns);
	client->pod = keep(&to, pod == NULL ? NULL : pod->name);
	for (size_t i = 0; pod != NULL && i < n; i++)
		client->labels[i] =
			keep(&to, labels_get(&pod->labels, k->clients.labels.at[i]));
	return client;
}

void kube_compile_client(struct kube *k, const struct ip *ip)
{
	struct common c = {NULL, false, false};
	struct kube_client *client;

	if (!k->clients.is_wanted)
		return;
	if (k->options.pods == PODS_VERIFIED)
		c = find_pods(k, ip);
	if (c.first == NULL) {
		rcu_retire(table_remove(&k->clients.table, ip->bytes, ip->len), free);
		return;
	}
	client = make_client(k, &c);
	memcpy(client->key, ip->bytes, ip->len);
	client->head.key = client->key;
	client->head.key_len = ip->len;
	rcu_retire(table_put(&k->clients.table, &client->head), free);
}
