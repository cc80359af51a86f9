#include "core/counters.h"

#include <stdlib.h>

#include "base/mem.h"

#define LINE_WORDS 8u /* a cache line of uint64_t */

struct counters *counters_new(unsigned workers, size_t n)
{
	struct counters *c = mem_new(struct counters);

	c->workers = workers;
	c->n = n;
	c->stride = (n + 2 * LINE_WORDS - 1) / LINE_WORDS * LINE_WORDS;
	c->at = mem_array(c->stride * workers, sizeof(*c->at));
	return c;
}

void counters_free(struct counters *c)
{
	if (c == NULL)
		return;
	free(c->at);
	free(c);
}

uint64_t counters_sum(const struct counters *c, size_t i)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < c->workers; w++)
		sum += __atomic_load_n(&c->at[w * c->stride + i], __ATOMIC_RELAXED);
	return sum;
}
