#include "cluster/rest_stats.h"

#include <stddef.h>

void rest_stats_failed(struct rest_stats *s)
{
	s->codes[0].n++;
}

/* One code too many counts as the last. */
static void count_status(struct rest_stats *s, unsigned status)
{
	size_t i = 1;

	while (i + 1 < REST_CODES && s->codes[i].n > 0 && s->codes[i].status != status)
		i++;
	if (s->codes[i].n++ == 0)
		s->codes[i].status = status;
}

void rest_stats_answered(struct rest_stats *s, unsigned status, uint64_t took_ms)
{
	static const double bounds[REST_BOUNDS_LEN] = REST_BOUNDS;
	size_t i = 0;

	count_status(s, status);
	while (i < REST_BOUNDS_LEN && (double)took_ms > bounds[i] * 1000)
		i++;
	s->durations[i]++;
	s->duration_ms += took_ms;
}

uint64_t rest_stats_total(const struct rest_stats *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < REST_CODES; i++)
		n += s->codes[i].n;
	return n;
}
