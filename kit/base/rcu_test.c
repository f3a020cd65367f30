/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/rcu.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { READERS = 3, SWAPS = 2000, ALIVE = 0x600d, DEAD = 0xdead };

struct object {
	struct mr_rcu_head head;
	uint64_t number;
	uint64_t life; /* plain: a reader past the grace period races with its end */
	struct world *world;
};

struct world {
	_Atomic(struct object *) slot;
	_Atomic bool stop;
	_Atomic uint64_t reads;
	_Atomic unsigned running;
	struct mr_rcu_queue queue;
	uint64_t freed;
	uint64_t last_freed;
};

static struct object *
object_create(struct world *w, uint64_t number)
{
	struct object *o = malloc(sizeof(*o));

	assert_non_null(o);
	*o = (struct object){ .number = number, .life = ALIVE, .world = w };
	return o;
}

static void
object_free(struct mr_rcu_head *head)
{
	struct object *o = mr_container_of(head, struct object, head);

	assert_int_equal(o->life, ALIVE);
	assert_true(o->number > o->world->last_freed); /* oldest first */
	o->world->last_freed = o->number;
	o->world->freed++;
	o->life = DEAD;
	free(o);
}

/* Reads what is published a few times per quiescent state; sleeps offline now and then. */
static void *
reader(void *arg)
{
	const struct timespec nap = { 0, 20000 };
	struct world *w = arg;
	uint64_t last = 0, reads = 0;
	struct object *o;
	unsigned i;

	mr_rcu_register();
	atomic_fetch_add(&w->running, 1);
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		for (i = 0; i < 8; i++) {
			o = mr_rcu_read(&w->slot);
			/* Not assert_*: cmocka's longjmp belongs to the main thread. */
			if (o->life != ALIVE || o->number < last)
				abort();
			last = o->number;
			reads++;
		}
		mr_rcu_quiescent();
		if (reads % 4096 == 0) {
			mr_rcu_offline();
			nanosleep(&nap, NULL);
			mr_rcu_online();
		}
	}
	mr_rcu_unregister();
	atomic_fetch_add(&w->reads, reads);
	return NULL;
}

/* Objects are swapped under readers, half freed directly, half through the queue. */
static void
test_stress(void **state)
{
	struct world w = { .stop = false };
	pthread_t threads[READERS];
	struct object *old;
	uint64_t i;

	mr_rcu_publish(&w.slot, object_create(&w, 1));
	for (i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &w), 0);
	while (atomic_load(&w.running) < READERS)
		sched_yield();
	for (i = 2; i < SWAPS; i++) {
		old = mr_rcu_swap(&w.slot, object_create(&w, i));
		if (i % 8) {
			mr_rcu_defer(&w.queue, &old->head, object_free);
			continue;
		}
		assert_int_equal(mr_rcu_waiting(&w.queue), i == 8 ? 6 : 7);
		mr_rcu_flush(&w.queue);
		mr_rcu_synchronize();
		object_free(&old->head);
	}
	atomic_store(&w.stop, true);
	for (i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	old = mr_rcu_swap(&w.slot, NULL);
	mr_rcu_defer(&w.queue, &old->head, object_free);
	mr_rcu_drain(&w.queue);
	assert_int_equal(mr_rcu_waiting(&w.queue), 0);
	assert_int_equal(w.freed, w.last_freed);
	assert_true(atomic_load(&w.reads) > 0);
}

static void *
late_reader(void *arg)
{
	const struct timespec nap = { 0, 30000000 };
	struct world *w = arg;
	struct object *o;

	mr_rcu_register();
	o = mr_rcu_read(&w->slot);
	atomic_store(&w->running, 1);
	nanosleep(&nap, NULL);
	if (o->life != ALIVE)
		abort();
	atomic_store(&w->running, 2);
	mr_rcu_quiescent();
	while (!atomic_load(&w->stop)) {
		mr_rcu_quiescent();
		sched_yield();
	}
	mr_rcu_unregister();
	return NULL;
}

/* A synchronize waits for a reader that holds an object, not for one offline. */
static void
test_waits(void **state)
{
	struct world w = { .stop = false };
	struct object *old;
	pthread_t thread;

	mr_rcu_publish(&w.slot, object_create(&w, 1));
	assert_int_equal(pthread_create(&thread, NULL, late_reader, &w), 0);
	while (atomic_load(&w.running) < 1)
		sched_yield();
	old = mr_rcu_swap(&w.slot, object_create(&w, 2));
	mr_rcu_synchronize();
	assert_int_equal(atomic_load(&w.running), 2);
	object_free(&old->head);
	atomic_store(&w.stop, true);
	pthread_join(thread, NULL);
	object_free(&mr_rcu_swap(&w.slot, NULL)->head);

	mr_rcu_register();
	mr_rcu_offline();
	mr_rcu_synchronize(); /* would hang if we counted as a reader */
	mr_rcu_online();
	mr_rcu_synchronize(); /* the caller itself does not block it */
	mr_rcu_unregister();
}

struct pusher {
	struct world *world;
	struct object *objects[500];
};

static void *
push(void *arg)
{
	struct pusher *p = arg;
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(p->objects); i++)
		mr_rcu_defer(&p->world->queue, &p->objects[i]->head, object_free);
	return NULL;
}

static void
count_free(struct mr_rcu_head *head)
{
	struct object *o = mr_container_of(head, struct object, head);

	o->world->freed++;
	free(o);
}

static void *
push_unordered(void *arg)
{
	struct pusher *p = arg;
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(p->objects); i++)
		mr_rcu_defer(&p->world->queue, &p->objects[i]->head, count_free);
	return NULL;
}

static void
refree(struct mr_rcu_head *head)
{
	struct object *o = mr_container_of(head, struct object, head);

	mr_rcu_defer(&o->world->queue, head, object_free);
}

/* Many threads defer while one flushes; freeing may defer again. */
static void
test_queue(void **state)
{
	struct world w = { .stop = false };
	struct pusher pushers[2];
	pthread_t threads[2];
	unsigned i, t;

	assert_int_equal(mr_rcu_flush(&w.queue), 0);
	for (t = 0; t < 2; t++) {
		pushers[t].world = &w;
		for (i = 0; i < MR_ARRAY_COUNT(pushers[t].objects); i++)
			pushers[t].objects[i] = object_create(&w, i + 1);
	}
	/* One thread: the order holds. */
	push(&pushers[0]);
	assert_int_equal(mr_rcu_flush(&w.queue), 500);
	assert_int_equal(w.freed, 500);
	for (i = 0; i < MR_ARRAY_COUNT(pushers[0].objects); i++)
		pushers[0].objects[i] = object_create(&w, i + 1);
	for (t = 0; t < 2; t++)
		assert_int_equal(pthread_create(&threads[t], NULL, push_unordered, &pushers[t]), 0);
	for (i = 0; i < 50; i++)
		mr_rcu_flush(&w.queue);
	for (t = 0; t < 2; t++)
		pthread_join(threads[t], NULL);
	mr_rcu_drain(&w.queue);
	assert_int_equal(w.freed, 1500);

	w.last_freed = 0;
	mr_rcu_defer(&w.queue, &object_create(&w, 1)->head, refree);
	assert_int_equal(mr_rcu_flush(&w.queue), 1);
	assert_int_equal(mr_rcu_waiting(&w.queue), 1);
	assert_int_equal(w.freed, 1500);
	mr_rcu_drain(&w.queue);
	assert_int_equal(w.freed, 1501);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stress),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
