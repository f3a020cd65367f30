/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_RCU_H
#define MR_KIT_BASE_RCU_H

/*
 * Objects that workers read without locks and control replaces: RCU in liburcu's
 * QSBR flavour. A worker says between two vectors that it holds no such object
 * (mr_rcu_quiescent); whoever replaced one waits until every worker has said so
 * (mr_rcu_synchronize), or leaves that to a queue (mr_rcu_defer).
 *
 *   control                                  worker, registered
 *     new = build();                           for (;;) {
 *     old = mr_rcu_swap(&slot, new);                   t = mr_rcu_read(&slot);
 *     mr_rcu_synchronize();                            ... uses t for one vector ...
 *     destroy(old);                                    mr_rcu_quiescent();
 *                                              }
 *
 * Ownership: a published object belongs to the slot, one in a queue to the queue.
 * Threads: a thread that reads registers first and unregisters before it ends.
 * Before it sleeps or blocks it goes offline, else writers wait for it. An
 * offline or unregistered thread must not hold what mr_rcu_read gave it.
 * mr_rcu_defer may be called by any thread; flush and destroy by one at a time.
 * Writers of one slot settle among themselves who writes.
 * Errors: none.
 *
 * Which threads are readers is known to liburcu per process, so data planes in one
 * process share grace periods: a worker that never reports delays all of them.
 *
 * ThreadSanitizer does not see liburcu's fences, so in such builds we tell it what
 * QSBR orders and no more: a quiescent state happens before the return of a later
 * synchronize. A read that is not covered by a quiescent state is still found.
 */

#include <urcu/urcu-qsbr.h>

#include "kit/base/def.h"

#if defined(__SANITIZE_THREAD__)
#define MR_RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MR_RCU_TSAN 1
#endif
#endif
#ifdef MR_RCU_TSAN
#include <sanitizer/tsan_interface.h>
/* Any address that all agree on. */
#define mr_rcu_tsan_release() __tsan_release((void *)&urcu_qsbr_quiescent_state)
#define mr_rcu_tsan_acquire() __tsan_acquire((void *)&urcu_qsbr_quiescent_state)
#else
#define mr_rcu_tsan_release() ((void)0)
#define mr_rcu_tsan_acquire() ((void)0)
#endif

/* The calling thread becomes a reader, online, or ceases to be one. */
mr_inline void
mr_rcu_register(void)
{
	urcu_qsbr_register_thread();
}

mr_inline void
mr_rcu_unregister(void)
{
	mr_rcu_tsan_release();
	urcu_qsbr_unregister_thread();
}

/* The caller holds nothing that it read. Without a grace period waiting this is a
 * load and a comparison (behind a call: it lies in liburcu). Once per vector. */
mr_inline void
mr_rcu_quiescent(void)
{
	mr_rcu_tsan_release();
	urcu_qsbr_quiescent_state();
}

/* Around sleeping: holds nothing, and will not read until online again. */
mr_inline void
mr_rcu_offline(void)
{
	mr_rcu_tsan_release();
	urcu_qsbr_thread_offline();
}

mr_inline void
mr_rcu_online(void)
{
	urcu_qsbr_thread_online();
}

/* Returns when every reader has been quiescent or offline since the call. A caller that
 * is an online reader counts as quiescent. Blocks: not for workers. */
mr_inline void
mr_rcu_synchronize(void)
{
	mr_rcu_tsan_release();
	urcu_qsbr_synchronize_rcu();
	mr_rcu_tsan_acquire();
}

/* A slot is an _Atomic pointer. Release: pairs with mr_rcu_read's acquire, so that
 * a reader sees the object as it was when published. */
#define mr_rcu_publish(slot, ptr) atomic_store_explicit(slot, ptr, memory_order_release)

/* Puts `ptr` there and gives back what was there. Release as above; acquire, because
 * the caller goes on to take apart what another writer may have built. */
#define mr_rcu_swap(slot, ptr) atomic_exchange_explicit(slot, ptr, memory_order_acq_rel)

/* Acquire: pairs with mr_rcu_publish. (Consume order would do; compilers make it
 * acquire, which on x86 is a plain load and on aarch64 one ldar.) */
#define mr_rcu_read(slot) atomic_load_explicit(slot, memory_order_acquire)

/* Stands inside an object that will be retired. */
struct mr_rcu_head {
	struct mr_rcu_head *next;
	void (*free)(struct mr_rcu_head *);
};

/* What waits for a grace period. All-zero is empty. We have our own instead of
 * call_rcu(), whose helper thread has no owner that could end it. */
struct mr_rcu_queue {
	_Atomic(struct mr_rcu_head *) newest;
	_Atomic uint64_t waiting;
};

/* Has `free(head)` called by a later flush, after a grace period. The object must be
 * unreachable for new readers. Allocates nothing, does not block. */
MR_API void mr_rcu_defer(struct mr_rcu_queue *, struct mr_rcu_head *,
    void (*free)(struct mr_rcu_head *));

/* Waits for one grace period for all that was deferred before the call and frees it,
 * oldest first; returns how many. Does not wait when there are none. Objects may
 * defer others while being freed: those wait for the next flush. */
MR_API size_t mr_rcu_flush(struct mr_rcu_queue *);

/* Flushes until the queue is empty, before what it belongs to is destroyed. */
MR_API void mr_rcu_drain(struct mr_rcu_queue *);

/* Deferred and not yet freed, for display. */
mr_inline uint64_t
mr_rcu_waiting(const struct mr_rcu_queue *q)
{
	return atomic_load_explicit(&q->waiting, memory_order_relaxed);
}

#endif
