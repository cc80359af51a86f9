/*
 * What a plugin's instance offers to the other plugins of its server block. Plugins never include
 * each other: a header below them (such as cluster/view.h) gives the interface a name and defines
 * a struct of functions that take the instance first; the plugin that has it lists it in
 * `struct plugin`.offers, and another plugin of the block asks for it by that name.
 *
 * Setup: s->chain holds only the instances of the plugins above while it is under construction.
 * Keep the pointer, check with block_find() that the directive is there, and ask in link(), when
 * the chain is complete, or later from any thread: it does not change any more. Instances start
 * and end in the order of the chain, so that one above may use one below from its start() to its
 * teardown(), but finds it not started yet in its own start().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct chain;

/* An interface that a plugin has. Lists of them end with a zeroed one. */
struct offer {
	const char *name; /* from the header that defines ops */
	const void *ops;  /* functions that take the instance first; static */
};

/* An interface and the instance to call it with. */
struct offered {
	const void *ops;
	void *instance;
	const char *plugin; /* who offers it */
};

/*
 * The next instance in the chain that offers the interface: start with *pos = 0, false at the end.
 * Any thread once the chain is complete.
 */
bool offer_next(const struct chain *c, const char *name, size_t *pos, struct offered *out);
/* The first instance that offers the interface; false (out zeroed) when there is none. */
bool offer_find(const struct chain *c, const char *name, struct offered *out);
