/*
 * Server blocks as the query path sees them: a chain of plugin instances, the zones that lead to
 * it, and the group of zones that share a listening address.
 *
 * Lifetime: built with the generation on the control thread, read-only afterwards, destroyed with
 * the generation when no worker uses it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "core/plugin.h"
#include "dns/name.h"
#include "net/addr.h"

struct view;
struct zone_list;

/* A plugin instance in a chain. */
struct link {
	const struct plugin *plugin;
	void *instance;
	uint16_t order; /* position in plugins.def */
};

/* The plugins of one server block, in the order of plugins.def. */
struct chain {
	VEC(struct link) links;
	/* The same, without those that have no such hook: what the query path walks. */
	VEC(struct link) query_hooks, reply_hooks, prefetch_hooks, metadata_hooks;
	bool takes_any_class; /* chaos, forward: classes other than IN reach the plugins */
	bool has_forwarder;   /* RA=1 (design: recursion is available through a forwarder) */
	bool takes_transfers; /* AXFR and IXFR over TCP reach the plugins */
	/* Of core/metadata.h: where values may be had (NULL: nowhere), and those asked for. */
	const struct zone_list *metadata_zones;
	VEC(char *) metadata_keys;
};

/* How many reply hooks, from the front, belong to plugins above the one at order (query.c). */
size_t chain_replies_above(const struct chain *c, unsigned order);

/* One zone of a server block. */
struct server {
	struct name zone;      /* folded */
	unsigned zone_labels;
	char *zone_text;       /* "." or "cluster.local." */
	char *label;           /* "dns://:53": the server label of metrics */
	uint16_t port;
	bool has_tls;          /* of a tls:// key */
	unsigned block_index;
	struct chain *chain;
	const struct view *view; /* which questions it takes; NULL: all */
};

/* The view label of metrics: the name of the server's view, or "". */
const char *server_view_name(const struct server *s);

/* The servers that share one address and port, found by longest zone suffix. */
struct server_group {
	VEC(struct server *) servers;
	/* private: hash table of zones */
	struct server **table;
	size_t table_mask;
	unsigned max_labels;
	uint64_t seed;
};

/* Build the lookup table after servers has been filled. */
void server_group_build(struct server_group *g);
/* Free the table and the list, not the servers. */
void server_group_fini(struct server_group *g);
/* True when s is in the group. */
bool server_group_has(const struct server_group *g, const struct server *s);
/* What a server is looked for with. */
struct server_ask {
	const uint8_t *folded; /* wire name */
	unsigned labels;       /* of it */
	bool is_ds;
	/* Does s, which has a view, take the question? NULL: none of these does. */
	bool (*takes)(void *arg, const struct server *s);
	void *arg;
};

/*
 * The server with the longest zone that the name lies in, or NULL. Of several with the same zone
 * the first whose view takes the question; without one, shorter zones are tried. A question for DS
 * at a zone's own apex belongs to the parent when that is served too (RFC 4035 3.1.4.1).
 */
struct server *server_match(const struct server_group *g, const struct server_ask *ask);
