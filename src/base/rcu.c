#include "base/rcu.h"

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
