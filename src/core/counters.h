/*
 * Counters on the hot path: each worker adds to a line of its own, without lock or atomic
 * read-modify-write; a scrape sums them.
 *
 * Lifetime: made in setup, freed in teardown of the plugin that owns them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct counters {
	unsigned workers;
	size_t n;      /* counters */
	size_t stride; /* uint64_t between the lines of two workers */
	uint64_t *at;
};

/* Make n zeroed counters for each of so many workers. */
struct counters *counters_new(unsigned workers, size_t n);
/* Free them (NULL is fine). */
void counters_free(struct counters *c);
/* Sum of counter i over the workers; any thread. */
uint64_t counters_sum(const struct counters *c, size_t i);

/* Add v to counter i of a worker; only that worker's thread calls it. */
static inline void counters_add(struct counters *c, unsigned worker, size_t i, uint64_t v)
{
	uint64_t *p = &c->at[worker * c->stride + i];

	__atomic_store_n(p, *p + v, __ATOMIC_RELAXED);
}
