#include "base/rcu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

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

/* Objects that rcu_free_later() has and on_grace() has not freed yet. */
static atomic_ulong later_pending;

static void on_grace(struct rcu_head *head)
{
	const struct rcu_later *later = (const struct rcu_later *)(const void *)head;

#ifdef __SANITIZE_THREAD__
	__tsan_acquire(&rcu_grace_mark);
#endif
	free(later->object);
	atomic_fetch_sub(&later_pending, 1);
}

void rcu_free_later(struct rcu_later *later, void *object)
{
	later->object = object;
	atomic_fetch_add(&later_pending, 1);
	call_rcu(&later->head, on_grace);
}

/* rcu_barrier() would do, but ThreadSanitizer does not see into the library. */
void rcu_drain(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	bool was_online = atomic_load(&later_pending) > 0 && rcu_read_ongoing();

	if (was_online)
		rcu_thread_offline();
	while (atomic_load(&later_pending) > 0)
		nanosleep(&pause, NULL);
	if (was_online)
		rcu_thread_online();
}
