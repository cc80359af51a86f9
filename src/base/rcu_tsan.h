/*
 * base/rcu.h in builds under ThreadSanitizer, which cannot see what liburcu orders: its inline
 * functions use barriers in assembler. Pointers are published by C11 atomics here, liburcu's
 * functions are called in the library, and what a grace period orders is told to the sanitizer:
 * all that a reader did before its quiescent state comes before the writer's return from
 * synchronize_rcu(). Races of our own code are reported as ever. Included by base/rcu.h alone.
 */
#pragma once

#include <sanitizer/tsan_interface.h>
#include <urcu-qsbr.h>

/* What readers release and the writer acquires; never read. */
extern char rcu_grace_mark;

#define rcu_borrow(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_publish(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)

/* A quiescent state of a reader. */
static inline void rcu_tsan_quiescent_state(void)
{
	__tsan_release(&rcu_grace_mark);
	urcu_qsbr_quiescent_state();
}

/* The reader sleeps: borrows nothing. */
static inline void rcu_tsan_thread_offline(void)
{
	__tsan_release(&rcu_grace_mark);
	urcu_qsbr_thread_offline();
}

/* The reader wakes; a quiescent state when it was awake. */
static inline void rcu_tsan_thread_online(void)
{
	__tsan_release(&rcu_grace_mark);
	urcu_qsbr_thread_online();
}

/* The last quiescent state of a reader. */
static inline void rcu_tsan_unregister_thread(void)
{
	__tsan_release(&rcu_grace_mark);
	urcu_qsbr_unregister_thread();
}

/* A grace period has ended when it returns. */
static inline void rcu_tsan_synchronize_rcu(void)
{
	urcu_qsbr_synchronize_rcu();
	__tsan_acquire(&rcu_grace_mark);
}

#undef rcu_quiescent_state
#undef rcu_thread_offline
#undef rcu_thread_online
#undef rcu_unregister_thread
#undef synchronize_rcu
#define rcu_quiescent_state rcu_tsan_quiescent_state
#define rcu_thread_offline rcu_tsan_thread_offline
#define rcu_thread_online rcu_tsan_thread_online
#define rcu_unregister_thread rcu_tsan_unregister_thread
#define synchronize_rcu rcu_tsan_synchronize_rcu
