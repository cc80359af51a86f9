/*
 * The state file as a source of cluster state: at start it puts the objects of the file into the
 * store, as a provisional source that answers until the API server was reached, and from then on
 * it keeps the file up to date. The kubernetes plugin makes one beside source_api.
 *
 * The control thread only encodes, a quarter of a megabyte at a time; opening, writing, fsync and
 * rename happen in libuv's thread pool. What is wrong with the file never stops anything: one
 * warning, and life goes on without it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/str.h"
#include "cluster/store.h"

struct source_state;

#define SOURCE_STATE_GAP_MS 10000u /* between the beginnings of two writes, at least */

/* How far the store can be trusted as it is now. */
enum state_trust {
	STATE_PARTIAL, /* a kind was not read completely yet: not to be saved */
	STATE_WHOLE, /* all was read once, but the server may be away */
	STATE_CURRENT, /* and all kinds are being watched */
};

struct source_state_options {
	const char *path; /* copied */
	uint64_t max_age_s; /* an older file is refused */
	struct str scope; /* text of the configuration; files of another one are refused */
	unsigned kinds; /* mask of the kinds that the configuration delivers */
	enum state_trust (*trust)(void *arg); /* asked before a write */
	void *arg;
};

/* Figures for metrics. */
struct source_state_stats {
	uint64_t writes, failures; /* of writing, since the start */
	uint64_t saved_s; /* wall clock of the state in the file; 0: there is none */
	bool is_in_use; /* some kind is answered from the file */
};

/*
 * Load the file into store, as a source of its own, which must be added after the one that it
 * stands in for. Never fails: a file that cannot be used is refused with one log line. Commits.
 */
struct source_state *source_state_new(
        uv_loop_t *loop, struct store *store, const struct source_state_options *o);
/*
 * Give it up; the store keeps its objects. A write in progress is dropped and the file stays as
 * it was. Memory is freed by the loop, which must run until the handles are closed.
 */
void source_state_free(struct source_state *s);
/* Copy the figures. Any thread. */
void source_state_stats(const struct source_state *s, struct source_state_stats *out);
