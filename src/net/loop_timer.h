/*
 * A timer on the loop of the control thread, for plugins that have to look at something now and
 * then. The one who starts it stops it.
 */
#pragma once

#include <stdint.h>

struct loop_timer;
struct uv_loop_s;

/* Call fn(arg) every interval_ms, from the loop; fn may stop the timer. */
struct loop_timer *loop_timer_start(
	struct uv_loop_s *loop, uint64_t interval_ms, void (*fn)(void *arg), void *arg);
/* Stop; its memory is freed by the loop. NULL is ignored. */
void loop_timer_stop(struct loop_timer *t);
