/*
 * Takes query log lines off the workers' hands: each worker puts its lines into a ring of its own,
 * without waiting, and one thread writes them out. A line that finds its ring full is refused. Used
 * by the log plugin; one writer serves all server blocks and outlives reloads.
 *
 * Lifetime: made and freed on the control thread; a ring has its worker as only producer and the
 * thread as only consumer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WRITER_RING_SIZE (256u << 10) /* octets of lines that wait, for each worker */

struct writer;

/* Start the thread, with a ring for each of so many workers. NULL with a sentence in e. */
struct writer *writer_new(unsigned workers, struct err *e);
/* Write out what waits, end the thread and free all (NULL is ignored). */
void writer_free(struct writer *w);
/*
 * Have a line of n octets (with its newline) written; false when there is no room for it. Called
 * on the worker's thread.
 */
bool writer_put(struct writer *w, unsigned worker, const char *line, size_t n);
