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

struct source_api;
struct store;

enum source_kind {
	SOURCE_NAMESPACES,
	SOURCE_SERVICES,
	SOURCE_SLICES,
	SOURCE_PODS,
	SOURCE_KINDS,
};

/* What to watch; texts are copied. */
struct source_api_options {
	struct access_options access;
	const char *labels; /* label selector for services, slices and pods; NULL: none */
	const char *namespace_labels; /* label selector for namespaces; NULL: none */
	bool no_endpoints; /* do not watch endpoint slices */
	bool pods; /* watch pods too */
};

enum source_error {
	SOURCE_ERROR_CONNECT, /* no connection, TLS failure, connection lost */
	SOURCE_ERROR_UNAUTHORIZED, /* 401 */
	SOURCE_ERROR_FORBIDDEN, /* 403 */
	SOURCE_ERROR_NOT_FOUND, /* 404 */
	SOURCE_ERROR_EXPIRED, /* 410 */
	SOURCE_ERROR_THROTTLED, /* 429 */
	SOURCE_ERROR_SERVER, /* other 4xx and 5xx */
	SOURCE_ERROR_DECODE, /* an answer that is not what was asked for */
	SOURCE_ERROR_SILENT, /* no byte for too long */
	SOURCE_ERRORS,
};

/* Figures of one kind, for metrics. */
struct source_kind_stats {
	bool watched; /* this kind is asked for */
	bool is_connected; /* a watch is open and has answered 200 */
	bool is_synced; /* a whole list was seen once; never goes back */
	uint64_t last_event_ms; /* clock_ms() of the last event or bookmark, 0: none yet */
	uint64_t last_list_ms; /* clock_ms() of the last whole list, 0: none yet */
	uint64_t lists, watches; /* requests sent */
	uint64_t events; /* objects added, changed, deleted */
	uint64_t relists; /* lists after the first whole one */
	uint64_t stale_events; /* events older than what was known */
	uint64_t errors[SOURCE_ERRORS];
};

/* Requests by verb (0 list, 1 watch) and class of the answer (0 none, 2 2xx, ... 5 5xx). */
struct source_api_stats {
	struct source_kind_stats kinds[SOURCE_KINDS];
	uint64_t requests[2][6];
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
/* True once every watched kind has seen a whole list. */
bool source_api_is_synced(const struct source_api *s);
/* Copy the present figures. Loop thread only. */
void source_api_stats(const struct source_api *s, struct source_api_stats *out);
/* "namespaces", "services", "endpointslices" or "pods". */
const char *source_kind_name(enum source_kind kind);
