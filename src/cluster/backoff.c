#include "cluster/backoff.h"

#include "base/rand.h"

unsigned backoff_failures(const struct backoff *b, uint64_t now_ms)
{
	return now_ms - b->last_ms >= b->healthy_ms ? 0 : b->failures;
}

void backoff_reset(struct backoff *b)
{
	b->failures = 0;
}

uint64_t backoff_fail(struct backoff *b, uint64_t now_ms)
{
	uint64_t delay;

	b->failures = backoff_failures(b, now_ms) + 1;
	b->last_ms = now_ms;
	if (b->failures == 1)
		b->next_ms = b->first_ms;
	delay = b->next_ms + rand_below(b->next_ms);
	b->next_ms = b->next_ms < b->max_ms / 2 ? b->next_ms * 2 : b->max_ms;
	if (delay > b->max_ms)
		delay = b->max_ms - rand_below(b->max_ms / 4);
	return delay;
}
