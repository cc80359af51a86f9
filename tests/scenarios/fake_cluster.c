#include "fake_cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "cluster/store.h"
#include "cluster/yaml.h"
#include "kubernetes/cluster.h"

struct cluster {
	struct store *store;
	int source;
};

static struct cluster the_cluster;

#define KINDS                                                                                      \
	(1u << OBJECT_NAMESPACE | 1u << OBJECT_SERVICE | 1u << OBJECT_SLICE | 1u << OBJECT_POD)

static struct cluster *open_cluster(void)
{
	if (the_cluster.store == NULL) {
		the_cluster.store = store_new();
		the_cluster.source = store_source_add(the_cluster.store, "script", KINDS);
	}
	return &the_cluster;
}

char *cluster_key(const struct cluster_config *c)
{
	(void)c;
	return calloc(1, 1);
}

struct cluster *cluster_take(struct shared *shared, const struct cluster_config *c,
	const char *key, struct err *e)
{
	(void)shared;
	(void)c;
	(void)key;
	(void)e;
	return open_cluster();
}

void cluster_drop(struct shared *shared, struct cluster *c)
{
	(void)shared;
	if (c == NULL)
		return;
	store_free(c->store);
	c->store = NULL;
}

struct store *cluster_store(const struct cluster *c)
{
	return c->store;
}

bool cluster_api_stats(const struct cluster *c, struct source_api_stats *out)
{
	(void)c;
	(void)out;
	return false;
}

int cluster_embed(struct shared *shared, struct str text, bool is_delete, struct err *e)
{
	(void)shared;
	(void)e;
	fake_cluster_change(text, is_delete);
	return 0;
}

static void on_object(void *arg, const struct object *o, uint32_t line)
{
	const bool *is_delete = arg;

	(void)line;
	if (*is_delete)
		store_delete(the_cluster.store, the_cluster.source, o);
	else
		store_apply(the_cluster.store, the_cluster.source, o);
}

void fake_cluster_change(struct str text, bool is_delete)
{
	struct yaml_sink sink = {&is_delete, on_object};
	struct err e;

	open_cluster();
	if (yaml_objects_decode(text, &sink, &e) != 0) {
		fprintf(stderr, "objects: %s\n", e.text);
		abort();
	}
	store_commit(the_cluster.store);
}

void fake_cluster_synced(void)
{
	struct cluster *c = open_cluster();

	for (int k = 0; k < OBJECT_KINDS; k++)
		if ((KINDS & 1u << k) != 0)
			store_source_synced(c->store, c->source, (enum object_kind)k, true);
	store_commit(c->store);
}
