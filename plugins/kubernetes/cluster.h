/*
 * The cluster state of a kubernetes block: a store and the source that fills it. Blocks, and
 * generations, that are configured alike share one.
 *
 * Control thread only.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "cluster/source_api.h"
#include "cluster/source_state.h"
#include "core/shared.h"

struct cluster;
struct store;
struct uv_loop_s;

enum cluster_source { CLUSTER_API, CLUSTER_MANIFESTS, CLUSTER_EMBEDDED };

/* What the directive says about the source; texts belong to the instance. */
struct cluster_config {
	enum cluster_source source;
	const char *directory; /* of manifests */
	struct source_api_options api;
	bool has_pod_labels; /* somebody asks for labels of pods */
	const char *state_file; /* of the API source; NULL: none */
	uint64_t state_max_age_s;
	struct uv_loop_s *loop;
};

/* A text that is the same for configurations that can share a cluster; free() it. */
char *cluster_key(const struct cluster_config *c);
/* The shared cluster for the configuration, started when it is new. NULL with e set. */
struct cluster *cluster_take(struct shared *shared, const struct cluster_config *c,
	const char *key, struct err *e);
/* Give it back; the last user ends the source. NULL is ignored. */
void cluster_drop(struct shared *shared, struct cluster *c);
/* Its store. */
struct store *cluster_store(const struct cluster *c);
/* The namespace that this process is a pod of in that cluster, "" when it is none or unknown. */
const char *cluster_pod_namespace(const struct cluster *c);
/*
 * True for the one user of a shared cluster that reports its figures: the first one to ask, until
 * cluster_forget(). NULL has no figures. Any thread.
 */
bool cluster_is_reporter(struct cluster *c, const void *user);
/* Figures of the API source, any thread; false when the source is another one. */
bool cluster_api_stats(const struct cluster *c, struct source_api_stats *out);
/* The user will not report figures any more. */
void cluster_forget(struct cluster *c, const void *user);
/* Figures of the state file, any thread; false when there is none. */
bool cluster_state_stats(const struct cluster *c, struct source_state_stats *out);
/* Apply (or delete) the objects of a YAML or JSON text in every embedded cluster. */
int cluster_embed(struct shared *shared, struct str text, bool is_delete, struct err *e);
