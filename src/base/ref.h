/*
 * Reference counts of objects that several threads hold for seconds (generations, connections).
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

struct ref {
	_Atomic long count;
};

/* Start with one reference, the caller's. */
static inline void ref_init(struct ref *r)
{
	atomic_init(&r->count, 1);
}

/* Take one more reference; the caller must hold one already. */
static inline void ref_take(struct ref *r)
{
	atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}

/* Give one back; true when it was the last one and the object has to be destroyed. */
static inline bool ref_drop(struct ref *r)
{
	return atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1;
}
