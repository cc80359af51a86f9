/*
 * A source of cluster state for a program that embeds Seamark: it hands over objects as YAML or
 * JSON text, one call after another. All kinds are synced from the start. Every namespace that an
 * object is in exists, and endpoints of Services with a selector are computed from Pods
 * (endpoints.h), as with manifests. Control thread.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct embedded_source;
struct store;

/* A source without objects that feeds store; aborts when the store takes no more sources. */
struct embedded_source *embedded_source_new(struct store *store);
/* Give the source up; the store keeps its state. NULL is ignored. */
void embedded_source_free(struct embedded_source *s);
/*
 * Add or replace the objects of text (documents, List) and commit. All or nothing: when one of
 * them is unusable nothing changes. Objects of unknown kinds are ignored. 0, or -EINVAL or -E2BIG
 * with "line N: ..." in e.
 */
int embedded_apply(struct embedded_source *s, struct str text, struct err *e);
/*
 * Delete the objects that text names by kind, name and namespace; other fields do not count.
 * 0 also when there was no such object; errors as embedded_apply().
 */
int embedded_delete(struct embedded_source *s, struct str text, struct err *e);
