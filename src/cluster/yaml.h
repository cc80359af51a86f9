/*
 * Cluster objects from YAML or JSON text written by people and tools: manifests, `kubectl get -o
 * yaml`, `kubectl get -o json`. Reads the text into a tree (yaml_tree.h) and each object with the
 * decoder of the API (json_object.h), so both agree on every field.
 *
 * Several documents and objects of kind List (also ServiceList etc.) are taken apart; empty
 * documents are skipped. An object without metadata.namespace is in "default".
 * resourceVersion and uid are left out: the text itself is the newest version.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "cluster/object.h"

/* One object, in a heap block of its own, and where in the text it begins. */
struct yaml_object {
	struct object *object;
	uint32_t line; /* from 1 */
	char *problem; /* what was left out of it first, NULL: nothing; see object.dropped */
};

/* All objects of a text in its order. A zeroed one is empty. */
struct yaml_objects {
	VEC(struct yaml_object) list;
	uint32_t n_ignored; /* objects of kinds that are of no use here */
	uint32_t ignored_line; /* the first of those */
	char *ignored_kind;
};

/*
 * Decode text into out, which was empty. All or nothing: 0, or -EINVAL or -E2BIG with "line N:
 * ..." in e when the text is not well-formed or has an object that has no kind or no usable name.
 * Free with yaml_objects_fini().
 */
int yaml_objects_read(struct yaml_objects *out, struct str text, struct err *e);
/* Free the objects and leave out empty. */
void yaml_objects_fini(struct yaml_objects *out);
