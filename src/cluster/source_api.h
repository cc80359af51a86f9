/*
 * The Kubernetes API as a source of cluster state: one LIST and WATCH (reflector.h) for each
 * kind of object, all on one loop, feeding the store. The kubernetes plugin starts one from its
 * options; stores are shared by starting one source for each distinct set of options.
 *
 * Whatever goes wrong with the server, the store keeps the last good state. Log lines are written
 * when the state of a kind changes, not for each attempt.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "cluster/access.h"
#include "cluster/reflector.h"
#include "cluster/rest_stats.h"

struct source_api;

enum source_kind {
	SOURCE_NAMESPACES,
	SOURCE_SERVICES,
	SOURCE_SLICES,
	SOURCE_PODS,
	SOURCE_IMPORTS, /* ServiceImports of the multicluster API, when it is there */
	SOURCE_KINDS,
};

/* What to watch; texts are copied. */
struct source_api_options {
	struct access_options access;
	const char *labels; /* label selector for services, slices and pods; NULL: none */
	const char *namespace_labels; /* label selector for namespaces; NULL: none */
	bool no_endpoints; /* do not watch endpoint slices */
	bool pods; /* watch pods too */
	bool imports; /* watch service imports too */
};

/* Figures of one kind, for metrics. */
struct source_kind_stats {
	bool is_watched; /* this kind is asked for */
	bool is_synced; /* a whole list was seen once; never goes back */
	bool is_json_fallback; /* the server refuses protobuf, or breaks it: JSON is asked for */
	struct reflector_stats figures;
};

/* Figures of a source. */
struct source_api_stats {
	struct source_kind_stats kinds[SOURCE_KINDS];
	struct rest_stats requests;
	char host[128]; /* of the API server, with its port */
};

/*
 * A source on loop that feeds store. Reads credentials at once, opens no connection yet. NULL with
 * one sentence in e when the options or credentials are unusable.
 */
struct source_api *source_api_new(
        uv_loop_t *loop, struct store *store, const struct source_api_options *o, struct err *e);
/* Begin to list and watch. */
void source_api_start(struct source_api *s);
/*
 * End all requests and give the source up; the store keeps its state. Memory is freed by the
 * loop, which must run until the handles are closed.
 */
void source_api_free(struct source_api *s);
/* Number of this source in the store, for store_source_remove(). */
int source_api_number(const struct source_api *s);
/* True once every watched kind has seen a whole list. */
bool source_api_is_synced(const struct source_api *s);
/* True when every watched kind has an open watch that is past its initial events. */
bool source_api_is_connected(const struct source_api *s);
/* The namespace that this process is a pod of, "" when it is none or that is unknown. */
const char *source_api_pod_namespace(const struct source_api *s);
/* Mask of the kinds that it delivers, 1u << kind. */
unsigned source_api_kinds(const struct source_api *s);
/* Copy the figures as they were after the last event. Any thread, until source_api_free(). */
void source_api_stats(struct source_api *s, struct source_api_stats *out);
/* The plural in the API, such as "services". */
const char *source_kind_name(enum source_kind kind);
