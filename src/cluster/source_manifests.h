/*
 * A directory of Kubernetes manifests as a source of cluster state, followed while it changes:
 * for labs, tests and machines without an API server. The kubernetes plugin starts one for its
 * option `manifests DIR`. What the files mean is said in manifests.h; endpoints of Services with
 * a selector are computed from Pods (endpoints.h).
 *
 * A change is in the store 100 to 200 ms after it was made, also when the directory is a mounted
 * ConfigMap (its ..data link) or is replaced as a whole; where inotify sees nothing (network file
 * systems), within 30 s. Whatever goes wrong with the files, the store keeps the last good state.
 * Control thread.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct source_manifests;
struct store;
struct uv_loop_s;

/*
 * A source on loop that feeds store from the directory dir (copied). Opens nothing yet. NULL with
 * a sentence in e when the store takes no more sources. Free with source_manifests_free().
 */
struct source_manifests *source_manifests_new(
        struct uv_loop_s *loop, struct store *store, const char *dir, struct err *e);
/*
 * Load the directory once before returning, so that a server can answer at once, and begin to
 * follow it. A directory that is missing is logged; its kinds stay unsynced until it appears.
 */
void source_manifests_start(struct source_manifests *s);
/*
 * Stop following; the store keeps its state and is not touched again. Memory is freed by the
 * loop, which must run until the handles are closed. NULL is ignored.
 */
void source_manifests_free(struct source_manifests *s);
/* True once the directory was read completely. */
bool source_manifests_is_synced(const struct source_manifests *s);
