#include "fake_cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "cluster/store.h"
#include "cluster/yaml.h"
#include "kubernetes/cluster.h"

struct cluster {
	struct store *store;
	int source;
	int users;
	char pod[64]; /* namespace */
};

static struct cluster the_cluster;

#define KINDS                                                                                      \
	(1u << OBJECT_NAMESPACE | 1u << OBJECT_SERVICE | 1u << OBJECT_SLICE | 1u << OBJECT_POD |   \
		1u << OBJECT_IMPORT)

static struct cluster *open_cluster(void)
{
	if (the_cluster.store == NULL) {
		the_cluster.store = store_new();
		the_cluster.source = store_source_add(the_cluster.store, "script", KINDS);
	}
	return &the_cluster;
}

struct cluster *cluster_take(struct shared *shared, const struct cluster_config *c,
	const char *key, struct err *e)
{
	(void)shared;
	(void)c;
	(void)key;
	(void)e;
	open_cluster()->users++;
	return &the_cluster;
}

void cluster_drop(struct shared *shared, struct cluster *c)
{
	(void)shared;
	if (c == NULL || --c->users > 0)
		return;
	store_free(c->store);
	c->store = NULL;
	fake_cluster_pod("");
}

struct store *cluster_store(const struct cluster *c)
{
	return c->store;
}

const char *cluster_pod_namespace(const struct cluster *c)
{
	return c->pod;
}

void fake_cluster_pod(const char *ns)
{
	snprintf(the_cluster.pod, sizeof(the_cluster.pod), "%s", ns);
}

int cluster_embed(struct shared *shared, struct str text, bool is_delete, struct err *e)
{
	(void)shared;
	(void)e;
	fake_cluster_change(text, is_delete);
	return 0;
}

void fake_cluster_change(struct str text, bool is_delete)
{
	struct cluster *c = open_cluster();
	struct yaml_objects objects;
	struct err e;

	memset(&objects, 0, sizeof(objects));
	if (yaml_objects_read(&objects, text, &e) != 0) {
		fprintf(stderr, "objects: %s\n", e.text);
		abort();
	}
	vec_for_each(&objects.list, o) {
		if (is_delete)
			store_delete(c->store, c->source, o->object);
		else
			store_apply(c->store, c->source, o->object);
	}
	yaml_objects_fini(&objects);
	store_commit(c->store);
}

void fake_cluster_synced(void)
{
	struct cluster *c = open_cluster();

	for (int k = 0; k < OBJECT_KINDS; k++)
		if ((KINDS & 1u << k) != 0)
			store_source_synced(c->store, c->source, (enum object_kind)k, true);
	store_commit(c->store);
}
