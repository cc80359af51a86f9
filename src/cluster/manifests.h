/*
 * A directory of manifests and its objects in a store: reads the files and applies the difference.
 * When to read is decided by source_manifests.c; this part knows no clock and no loop.
 *
 * Files named *.yaml, *.yml and *.json directly in the directory are read in the order of their
 * names; hidden ones and all others are ignored. A file is taken whole or not at all: while it is
 * unreadable or has an unusable object, the objects of its last good version stay, and one log
 * line says `file:line: reason`. An object given twice is the last one, with a warning.
 * Namespaces that objects are in exist without being declared; a Namespace object gives labels to
 * one. All kinds are synced after the first load, also of an empty directory. When the directory
 * vanishes the last state stays.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct manifests;
struct store;

#define MANIFESTS_MAX_FILES 10000u

/*
 * Announce a source for directory dir (copied) to the store; reads nothing yet. NULL with a
 * sentence in e when the store takes no more sources.
 */
struct manifests *manifests_new(struct store *st, const char *dir, struct err *e);
/* Free it; the store keeps the objects. NULL is ignored. */
void manifests_free(struct manifests *m);
/*
 * Read the directory and bring the store up to date. 0 when nothing changed or all changes are in
 * the store; a negative errno when the directory could not be read and nothing was changed.
 * Problems are logged when they are new.
 */
int manifests_load(struct manifests *m);
/* Its number in the store, for endpoints_new(). */
int manifests_source(const struct manifests *m);
/* True once manifests_load() has succeeded. */
bool manifests_is_loaded(const struct manifests *m);
