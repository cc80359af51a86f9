/*
 * The counters of one server block: dense arrays of which every label value is an index, so that
 * counting a query is a handful of additions. Made when the block starts; text appears only when
 * they are reported.
 *
 * Lifetime: belongs to one instance of the plugin. The counters themselves are shared with the
 * next generation when its block has the same zones and plugins, so that a reload resets nothing.
 */
#pragma once

#include "plugin.h"

struct server_slot {
	const struct server *server;
	size_t base; /* of its counters */
};

struct series {
	struct shared *shared; /* NULL: the counters are our own */
	struct counters *counters;
	const struct chain *chain;
	struct server_slot *slots; /* hash table by server */
	size_t mask;
	size_t per_server; /* counters of each */
	VEC(const struct server *) servers;
};

/* Find the servers of chain among those of g and make their counters. Control thread. */
void series_init(struct series *s, const struct setup *setup);
/* Free it (harmless when it was never made). Control thread. */
void series_fini(struct series *s);
/* Count an answered query. Its worker's thread. */
void series_count(struct series *s, const struct query *q);
/* Report all that is not zero. Any thread. */
void series_report(const struct series *s, struct metrics *m);
