/*
 * The control thread: one loop for configuration, cluster sources, resolver files, signals of
 * the embedding program; the only writer of published tables. It starts and stops the workers.
 *
 * Functions here may be called from any thread but the control thread itself, unless they say so.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/generation.h"

struct control;
struct metrics;

struct control_config {
	const char *path;    /* Corefile to read, or NULL */
	const char *text;    /* else its text */
	const char *name;    /* what to call the text in errors */
	uint16_t default_port;
	unsigned workers;    /* 0: CPUs by affinity and cgroup quota */
	const struct plugin *const *plugins;
	const char *socket;  /* path of the control socket, or NULL for none */
};

/*
 * Read the Corefile that config names, or parse its text. Errors and ownership as corefile_read().
 * Any thread.
 */
int control_config_read(
	const struct control_config *config, struct corefile **out, struct err *e);
/* Start the thread, read the configuration, open listeners, run workers. NULL: e, errno are set. */
struct control *control_start(const struct control_config *config, struct err *e);
/* Read the configuration again; on failure the old one goes on and e says why. */
int control_reload(struct control *c, struct err *e);
/*
 * Read the configuration that control_reload() would read, imports included, and give its hash
 * without setting it up. 0, or a negative errno with file, line and reason in e. Control thread.
 */
int control_hash(struct control *c, uint8_t sha512[64], struct err *e);
/* What the next control_reload() reads: path, text and name of config, which the caller keeps. */
void control_configure(struct control *c, const struct control_config *config);
/* Append a line for each zone and address: "cluster.local.:53 on 127.0.0.1". */
void control_describe(struct control *c, struct buf *out);
/*
 * Answer a request line of core/explain.h, appending to out. 0, or a negative errno with a
 * sentence in e. Any thread.
 */
int control_explain(struct control *c, struct str request, struct buf *out, struct err *e);
/* Graceful stop: lameduck of the plugins, drain, join all threads, free. */
void control_stop(struct control *c);
/* Run fn(arg) on the control thread and wait for its end. */
void control_call(struct control *c, void (*fn)(struct control *c, void *arg), void *arg);
/* The registry of shared objects; control thread only. */
struct shared *control_shared(struct control *c);
/* Collect the metrics of the current generation and of the process. Any thread. */
void control_metrics(struct control *c, struct metrics *m);
/* True when every plugin is ready; else names lists those that are not. Any thread. */
bool control_is_ready(struct control *c, struct buf *names);
/* True once control_stop() has begun. Any thread. */
bool control_is_stopping(const struct control *c);
/* How many workers run. */
unsigned control_workers(const struct control *c);
/* Queries answered so far over all workers, for sm_stats(). */
uint64_t control_answers(struct control *c);
/* Write the i-th listen address; false past the last. */
bool control_listen_address(struct control *c, unsigned i, union addr *out);
