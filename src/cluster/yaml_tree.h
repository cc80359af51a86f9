/*
 * YAML text (libyaml) as a small read-only tree. Used for kubeconfig files, manifests and
 * ConfigMaps; the control thread only.
 *
 * All nodes live in the caller's arena. Limits hold before anything big is built: bytes, depth,
 * nodes, and the size that aliases would expand to, so that a "billion laughs" file is an error
 * and not a dead process. Keys that occur twice are errors; "<<" merges are done here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define YAML_MAX_BYTES (16u << 20)
#define YAML_MAX_DEPTH 64u
#define YAML_MAX_NODES 1000000u /* aliases count with all that is under them */

enum ynode_kind { YNODE_NULL, YNODE_SCALAR, YNODE_LIST, YNODE_MAP };

struct ynode {
	enum ynode_kind kind;
	bool is_quoted; /* scalar in quotes or a block: never a number or a boolean */
	uint32_t line; /* from 1 */
	uint32_t len; /* bytes of text, or number of children */
	uint32_t size; /* nodes under and with this one, aliases expanded */
	const char *text; /* scalar, with a NUL behind it */
	const char *key; /* of a member of a map; else NULL */
	const struct ynode *child; /* first member or element */
	const struct ynode *next; /* sibling; of a document, the next document */
};

/*
 * Parse all documents of text. *first is the root of the first document and NULL when there is
 * none; the others follow by ->next. 0, or -EINVAL/-E2BIG with "line N: ..." in e.
 */
int yaml_tree_parse(struct arena *a, struct str text, const struct ynode **first, struct err *e);
/* The member of a map under key, or NULL when it is absent or node is no map (NULL is allowed). */
const struct ynode *ynode_get(const struct ynode *node, const char *key);
/* The text of the scalar member under key, or NULL when it is absent, null or no scalar. */
const char *ynode_text(const struct ynode *node, const char *key);
/* True when the member under key is a plain true, yes or on; absent counts as false. */
bool ynode_is_true(const struct ynode *node, const char *key);
/*
 * Append node to out as JSON text: null, objects, arrays, and every other scalar as a string,
 * because only the reader of a field knows whether 8080 is a port or a label value.
 */
void ynode_to_json(const struct ynode *node, struct buf *out);

#define ynode_for_each(node, c) for (const struct ynode *c = (node)->child; c != NULL; c = c->next)
