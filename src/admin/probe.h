/*
 * Asks the process's own health endpoint over HTTP once a second, as an outsider would, and tells
 * how long that took: it shows a process that is alive but too busy to answer. Used by the health
 * plugin.
 *
 * Lifetime: lives on the control thread's loop, control thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;

#define PROBE_INTERVAL_MS 1000u
#define PROBE_TIMEOUT_MS 3000u

/* Called after each probe: took_ns until the answer, or how long it was waited for in vain. */
typedef void probe_result_fn(void *arg, bool was_answered, uint64_t took_ns);

struct probe;

/*
 * Begin to ask for path on address, in the form of admin_route_add(); an address that stands for
 * all is asked on loopback. NULL when address is none.
 */
struct probe *probe_start(struct uv_loop_s *loop, const char *address, const char *path,
	probe_result_fn *fn, void *arg);
/* End it (NULL is ignored): fn is not called any more. The memory goes once the loop has turned. */
void probe_stop(struct probe *p);
