#include "net/loop_timer.h"

#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/must.h"

struct loop_timer {
	uv_timer_t timer;
	void (*fn)(void *arg);
	void *arg;
};

static void on_time(uv_timer_t *timer)
{
	struct loop_timer *t = timer->data;

	t->fn(t->arg);
}

struct loop_timer *loop_timer_start(
	struct uv_loop_s *loop, uint64_t interval_ms, void (*fn)(void *arg), void *arg)
{
	struct loop_timer *t = mem_new(struct loop_timer);

	t->fn = fn;
	t->arg = arg;
	must(uv_timer_init(loop, &t->timer) == 0);
	t->timer.data = t;
	must(uv_timer_start(&t->timer, on_time, interval_ms, interval_ms) == 0);
	return t;
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

void loop_timer_stop(struct loop_timer *t)
{
	if (t != NULL)
		uv_close((uv_handle_t *)&t->timer, on_closed);
}
