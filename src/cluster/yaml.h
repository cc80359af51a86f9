/*
 * Cluster objects from YAML or JSON text written by people and tools: manifests, `kubectl get -o
 * yaml`, `kubectl get -o json`. Reads the text into a tree (yaml_tree.h) and each object with the
 * decoder of the API (json_object.h), so both agree on every field.
 *
 * Several documents and objects of kind List (also ServiceList etc.) are taken apart; empty
 * documents are skipped. An object without metadata.namespace is in "default".
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "cluster/object.h"

/* The callbacks are called in the order of the text; unset ones are skipped. */
struct yaml_sink {
	void *arg;
	/*
	 * An object, whose text begins at line (from 1). o lives during the call. o->kind can be
	 * OBJECT_NONE: a kind of no use here. o->dropped elements were left out, see o->problem.
	 */
	void (*on_object)(void *arg, const struct object *o, uint32_t line);
};

/*
 * Decode text and report its objects. Nothing is reported before the whole text is known to be
 * well-formed, but an object that is unusable (no kind, no usable name) ends the call behind those
 * before it. 0, or -EINVAL or -E2BIG with "line N: ..." in e.
 */
int yaml_objects_decode(struct str text, const struct yaml_sink *sink, struct err *e);
