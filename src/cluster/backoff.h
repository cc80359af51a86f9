/*
 * How long to wait after a failure: the first delay, then twice as long each time up to a limit,
 * with jitter so that many clients do not come back together. Used by the reflectors.
 */
#pragma once

#include <stdint.h>

struct backoff {
	uint32_t first_ms; /* up to twice that with jitter */
	uint32_t max_ms; /* no delay is longer */
	uint32_t healthy_ms; /* without a failure: begin at the first delay again */
	/* private */
	uint32_t next_ms;
	uint64_t last_ms; /* of the last failure */
	unsigned failures;
};

/* A failure happened at now_ms: the delay before the next attempt, in milliseconds. */
uint64_t backoff_fail(struct backoff *b, uint64_t now_ms);
/* What came since has proved that all is well: begin at the first delay again. */
void backoff_reset(struct backoff *b);
/* Failures since the last reset, and since the last time without one for healthy_ms. */
unsigned backoff_failures(const struct backoff *b, uint64_t now_ms);
