#include "base/rcu.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/vec.h"

#define RCU_QUEUE_MAX 4096u

#ifdef __SANITIZE_THREAD__
char rcu_grace_mark;
#endif

struct retired {
	void *object;
	rcu_free_fn *fn;
};

/* Each writer thread (the control thread of one embedded server) has a queue of its own. */
static _Thread_local VEC(struct retired) queue;

void rcu_retire(void *object, rcu_free_fn *fn)
{
	if (object == NULL)
		return;
	vec_push(&queue, (struct retired){object, fn});
	if (queue.len >= RCU_QUEUE_MAX)
		rcu_reclaim();
}

void rcu_reclaim(void)
{
	size_t n = queue.len;
	struct retired *at = queue.at;

	if (n == 0)
		return;
	queue.at = NULL;
	queue.len = queue.cap = 0;
	synchronize_rcu();
	for (size_t i = 0; i < n; i++)
		at[i].fn(at[i].object);
	free(at);
}

unsigned long rcu_pending(void)
{
	return queue.len;
}

/* Nothing to wait for, and no thread to make for it, when nobody freed later. */
static atomic_bool has_freed_later;

static void on_grace(struct rcu_head *head)
{
	const struct rcu_later *later = (const struct rcu_later *)(const void *)head;

#ifdef __SANITIZE_THREAD__
	__tsan_acquire(&rcu_grace_mark);
#endif
	free(later->object);
}

void rcu_free_later(struct rcu_later *later, void *object)
{
	later->object = object;
	atomic_store_explicit(&has_freed_later, true, memory_order_relaxed);
	call_rcu(&later->head, on_grace);
}

void rcu_drain(void)
{
	if (atomic_load_explicit(&has_freed_later, memory_order_relaxed))
		rcu_barrier();
}
