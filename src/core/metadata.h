/*
 * Metadata: labelled values of a query, "kubernetes/client-namespace" or "forward/upstream", which
 * plugins have and others use: log in its formats, rewrite and template in their texts. Nothing is
 * computed before somebody asks for it, and only in server blocks that have the metadata plugin.
 *
 * Setup: a user of values says with metadata_want() which ones it will ask for; it stands above
 * those that have them in the chain, so that their setup can find out with metadata_wants() what
 * to keep ready. Queries: metadata_get() asks the `metadata` hook of the plugin that the key begins
 * with. What cannot be computed later is left with the query by metadata_put() when it happens.
 *
 * Lifetime: the zones and keys belong to the chain and do not change once it is set up; values are
 * borrowed until the callback ends, and not kept over a WAIT.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct chain;
struct query;
struct zone_list;

/* Octets of a key, the plugin's name included. */
#define METADATA_KEY_MAX 384u

/* A value that was left with a query; in its arena. */
struct metadata_value {
	struct metadata_value *next;
	struct str key, text;
};

/* True for "PLUGIN/LABEL" of printable characters. */
bool metadata_is_key(struct str key);
/*
 * Setup of a plugin that will ask for the key: "kubernetes/kind"; copied. Nothing happens when it
 * is no key, or known already.
 */
void metadata_want(struct chain *c, struct str key);
/*
 * Setup of a plugin that has values: the i-th key that somebody will ask for, of those that begin
 * with prefix, without it; false when there are no more, or the block has no metadata plugin. The
 * text lives as long as the chain.
 */
bool metadata_wants(const struct chain *c, const char *prefix, size_t i, struct str *rest);
/* Setup of the metadata plugin: values are to be had for questions below these zones. */
void metadata_enable(struct chain *c, const struct zone_list *zones);
/* Forget what was asked for, with the chain. */
void metadata_fini(struct chain *c);
/*
 * The value of a key for a question of a client; of one that the server asks itself, that of the
 * client's. False when there is none; *out is then left alone. Worker of q.
 */
bool metadata_get(struct query *q, struct str key, struct str *out);
/*
 * The same of q itself and the block that q->chain says, also when the server asks q for a client:
 * for views, which choose the block. Values that were left with a query do not count.
 */
bool metadata_get_own(struct query *q, struct str key, struct str *out);
/* True when somebody may ask for the value: else it need not be made. Worker of q. */
bool metadata_is_wanted(const struct query *q, struct str key);
/*
 * Leave a value with the client's question that q is, or was asked for; the newest counts. Both
 * texts are copied. Worker of q.
 */
void metadata_put(struct query *q, struct str key, struct str text);
