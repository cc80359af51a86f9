/*
 * A search path: domains that a resolver puts behind a name, in their order, and the root at the
 * end, which stands for the name as it is.
 *
 * Lifetime: immutable once built. That of a file is swapped whole under RCU; who waits copies the
 * domains.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct search {
	unsigned len;   /* domains, the root included */
	size_t octets;  /* of wire */
	uint8_t wire[]; /* lower-case names, one behind the other */
};

/*
 * Read the search list of a resolv.conf; without one there is only the root. NULL with a sentence
 * in e when the file cannot be read. free() it.
 */
struct search *search_read(const char *path, struct err *e);
/* A path of the root alone. free() it. */
struct search *search_empty(void);
