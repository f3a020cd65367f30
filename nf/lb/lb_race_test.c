/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that begin, find from both sides, and end the same few connections, while another sweeps,
 * breaks and makes servers fit and unfit. Afterwards nothing is lost, and no key has two entries. Run
 * it under ThreadSanitizer too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include "nf/lb/lb_int.h"

#define THREADS 3u
#define ROUNDS 30000u
#define KEYS 64u
#define BACKENDS 5u

static struct lb_core *core;
static struct lb_view view;
static _Atomic bool stop;
static _Atomic unsigned wrong;

static uint64_t
draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull >> 16;
}

static void
key_of(struct lb_new *n, uint64_t i, uint16_t backend)
{
	memset(n, 0, sizeof(*n));
	n->front.w[0] = n->back.w[0] = i % KEYS;
	n->front.w[2] = LB_KEY_TAIL(1000, 80, 3, MR_IP_PROTO_TCP, 0);
	/* Whoever has the back key has the front key that belongs to it. */
	n->back.w[2] = LB_KEY_TAIL(1000, 8080, 7 + backend, MR_IP_PROTO_TCP, 0);
	n->front_hash = lb_hash(core->table, &n->front);
	n->back_hash = lb_hash(core->table, &n->back);
	n->backend = backend;
	n->flags = LB_BACKED | LB_COUNTED;
	n->limit = 5;
	n->state = LB_OPEN;
}

static void
one(unsigned worker, uint64_t *seed, uint32_t now)
{
	struct lb_table *t = core->table;
	struct lb_found f, g;
	uint16_t backend = 0;
	struct lb_new n;

	key_of(&n, draw(seed), 0);
	if (!lb_find(t, worker, &n.front, n.front_hash, now, &f)) {
		if (lb_choose(core, &view, 0, false, draw(seed) << 16 ^ draw(seed), false, false,
			&backend) != LB_CHOSEN)
			return;
		key_of(&n, n.front.w[0], backend);
		if (lb_add(t, worker, &n, now, &f) != LB_EXISTS)
			return;
	}
	/* What was found is of the key that was asked for, whole. */
	if (f.front[0] != n.front.w[0] || LB_TAIL_PLACE(f.back_tail) != 7 + f.backend)
		atomic_fetch_add(&wrong, 1);
	key_of(&n, f.front[0], f.backend);
	if (lb_find_back(t, worker, &n.back, n.back_hash, now, &g) &&
	    (g.front[0] != n.front.w[0] || g.backend != f.backend))
		atomic_fetch_add(&wrong, 1);
	lb_assure(&t->lines[f.index], f.word);
	lb_touch(&t->lines[f.index], now);
	if (draw(seed) % 8 == 0)
		(void)lb_end(t, worker, f.index, f.word, LB_COUNT_REUSED);
}

static void *
work(void *arg)
{
	unsigned worker = (unsigned)(uintptr_t)arg;
	uint64_t seed = worker + 1;

	mr_rcu_register();
	for (unsigned i = 0; i < ROUNDS; i++) {
		one(worker, &seed, 1000 + i / 1000);
		mr_rcu_quiescent();
	}
	mr_rcu_unregister();
	return NULL;
}

static bool
is_second(const void *arg, const struct lb_found *f)
{
	return f->backend == *(const uint16_t *)arg;
}

static void
refit(uint64_t *seed)
{
	uint32_t fit[BACKENDS], size = 65537;
	struct lb_choice *made, *old;

	for (unsigned i = 0; i < BACKENDS; i++) {
		fit[i] = draw(seed) % 4 ? LB_FIT_NEW | LB_FIT_OLD : 0;
		atomic_store_explicit(&core->live[i].fit, fit[i], memory_order_relaxed);
	}
	assert_int_equal(lb_choice_make(&made, &view, fit, 0, 0, &size, NULL), 0);
	old = mr_rcu_swap(&core->services[0].choice[0], made);
	mr_rcu_synchronize();
	lb_choice_free(old);
}

static void *
control(void *arg)
{
	uint64_t seed = 99;

	while (!atomic_load(&stop)) {
		uint16_t second = (uint16_t)(draw(&seed) % BACKENDS);

		lb_sweep(core->table, 1000 + ROUNDS / 1000 + (draw(&seed) % 4 == 0) * 20, 50);
		lb_break(core->table, is_second, &second);
		refit(&seed);
	}
	return arg;
}

static void
make_view(void)
{
	static struct lb_service service = { .scheduler = LB_LEAST, .present = true };
	static struct lb_backend backends[BACKENDS];

	for (unsigned i = 0; i < BACKENDS; i++) {
		backends[i].weight = 1 + i;
		backends[i].address[0] = (uint8_t)(i + 1);
	}
	view = (struct lb_view){ .services = &service,
		.service_end = 1,
		.backends = backends,
		.backend_end = BACKENDS };
}

static unsigned
count_slots(const struct mr_slots *s)
{
	unsigned n = 0;

	for (uint32_t b = 0; b <= s->mask; b++)
		for (unsigned i = 0; i < MR_SLOTS_WAYS; i++)
			n += s->buckets[b].slot[i] != 0;
	return n;
}

static void
nothing_is_lost(void **state)
{
	pthread_t threads[THREADS], other;
	unsigned live = 0, active = 0;
	struct mr_error error;
	uint64_t seed = 3;
	struct lb_table *t;

	assert_int_equal(lb_core_create(&core, NULL, 1024, THREADS, &error), 0);
	t = core->table;
	make_view();
	refit(&seed);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i), 0);
	assert_int_equal(pthread_create(&other, NULL, control, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&stop, true);
	pthread_join(other, NULL);
	assert_int_equal(wrong, 0);
	for (uint32_t i = 1; i <= t->top; i++) {
		struct lb_found f, g;
		uint32_t created;
		struct lb_key key;

		if (!lb_look(t, i, &f, &created))
			continue;
		live++;
		memcpy(key.w, f.front, sizeof(key.w));
		assert_true(lb_find(t, 0, &key, lb_hash(t, &key), 0, &g));
		assert_int_equal(g.index, i);
		key.w[2] = f.back_tail;
		assert_true(lb_find_back(t, 0, &key, lb_hash(t, &key), 0, &g));
		assert_int_equal(g.index, i);
	}
	for (unsigned i = 0; i < BACKENDS; i++)
		active += core->live[i].active;
	assert_int_equal(live, count_slots(&t->front));
	assert_int_equal(live, count_slots(&t->back));
	assert_int_equal(live, t->used);
	assert_int_equal(live, active);
	assert_int_equal(mr_counters_sum(t->counters, LB_COUNT_CREATED),
	    mr_counters_sum(t->counters, LB_COUNT_ENDED) + live);
	assert_true(mr_counters_sum(t->counters, LB_COUNT_ENDED) > 1000);
	lb_core_destroy(core);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
