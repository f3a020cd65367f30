/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/rcu.h"

void
mr_rcu_defer(struct mr_rcu_queue *queue, struct mr_rcu_head *head,
    void (*free_fn)(struct mr_rcu_head *))
{
	head->free = free_fn;
	atomic_fetch_add_explicit(&queue->waiting, 1, memory_order_relaxed);
	head->next = atomic_load_explicit(&queue->newest, memory_order_relaxed);
	/* Release: pairs with the acquire in mr_rcu_flush; what we wrote to the object and
	 * to its head, and its being unlinked, come before the grace period. Only
	 * flush takes away, and it takes all: no ABA. */
	while (!atomic_compare_exchange_weak_explicit(&queue->newest, &head->next, head,
	    memory_order_release, memory_order_relaxed))
		;
}

size_t
mr_rcu_flush(struct mr_rcu_queue *queue)
{
	struct mr_rcu_head *head, *next, *oldest = NULL;
	size_t count = 0;

	/* Acquire: pairs with the release in mr_rcu_defer. */
	head = atomic_exchange_explicit(&queue->newest, NULL, memory_order_acquire);
	if (!head)
		return 0;
	for (; head; head = next) {
		next = head->next;
		head->next = oldest;
		oldest = head;
	}
	mr_rcu_synchronize();
	for (head = oldest; head; head = next) {
		next = head->next;
		head->free(head);
		count++;
	}
	atomic_fetch_sub_explicit(&queue->waiting, count, memory_order_relaxed);
	return count;
}

void
mr_rcu_drain(struct mr_rcu_queue *queue)
{
	while (mr_rcu_flush(queue))
		;
}
