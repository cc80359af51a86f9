/*
 * Time. The only place that asks the kernel for it: tests link tests/lib/fake_clock.c in place
 * of clock.c. The query path uses the time that its worker read once for the batch.
 */
#pragma once

#include <stdint.h>

/*
 * Monotonic nanoseconds, never going back, and going on while the machine sleeps (CLOCK_BOOTTIME):
 * TTLs end then, too.
 */
uint64_t clock_ns(void);
/* Monotonic milliseconds. */
uint64_t clock_ms(void);
/* Wall clock, seconds since 1970 UTC; a few milliseconds late. */
uint64_t clock_wall_s(void);
/* Wall clock, milliseconds since 1970 UTC. */
uint64_t clock_wall_ms(void);
