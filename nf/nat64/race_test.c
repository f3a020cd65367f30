/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Workers make, find, turn and end sessions of few inside ends at once, control sweeps; in the end
 * nothing is left: no session, binding, port or number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <cmocka.h>

#include "nf/nat64/table_int.h"

#define WORKERS 4u
#define STEPS 40000u
#define INSTANCE 7u

struct worker {
	struct n64_table *table;
	struct nat_pool *pool;
	_Atomic uint32_t *clock;
	uint32_t number;
	uint64_t seed;
	uint64_t made, found, ended, refused, outside, wrong;
};

static uint32_t
draw(struct worker *w, uint32_t below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (uint32_t)((w->seed * 0x2545f4914f6cdd1dull >> 33) % below);
}

/* What a session says of its outside end, its binding says as well, as long as both stand. */
static void
check(struct worker *w, const struct n64_key *key, const struct n64_found *f)
{
	struct n64_line *l = &w->table->sessions.lines[f->number];
	struct n64_key bind, other;
	struct n64_found b, by;

	n64_key_of_binding(key, &bind);
	if (!n64_find_binding(w->table, &bind, &b))
		return;
	if (b.outside != f->outside && n64_is_same(l, f->word) &&
	    n64_is_same(&w->table->bindings.lines[b.number], b.word))
		w->wrong++;
	if (!n64_find_outside(w->table, INSTANCE, w->pool, N64_ADDRESS(b.outside),
		(enum nat_proto)N64_PROTO(bind.ports), N64_PORT(b.outside), &by, &other))
		return;
	w->outside++;
	if (by.number == b.number && by.word >> N64_AGE_SHIFT == b.word >> N64_AGE_SHIFT &&
	    memcmp(&other, &bind, sizeof(bind)) != 0)
		w->wrong++;
}

static void
step(struct worker *w)
{
	struct n64_key key = { .inside = { 0x20010db8, draw(w, 3) },
		.ports = N64_PORTS(1 + draw(w, 4), 1 + draw(w, 3), draw(w, NAT_PROTOS), INSTANCE),
		.remote = 1 + draw(w, 3) };
	uint32_t now = atomic_load_explicit(w->clock, memory_order_relaxed);
	uint64_t hash = n64_hash(w->table, &key);
	struct n64_found f;

	if (!n64_find_session(w->table, w->number, &key, hash, now, &f)) {
		if (n64_make(w->table, w->number, &key, hash, N64_STATE_UDP, now, &f)) {
			w->refused++;
			return;
		}
		w->made++;
	}
	w->found++;
	check(w, &key, &f);
	switch (draw(w, 6)) {
	case 0:
		w->ended += n64_end_session(w->table, w->number, f.number, f.word, now);
		break;
	case 1:
		(void)n64_turn(&w->table->sessions.lines[f.number], f.word,
		    draw(w, 2) ? N64_STATE_OPEN : N64_STATE_ICMP);
		break;
	case 2:
		(void)n64_knows(w->table, &key, (be32_t)key.remote, now);
		break;
	default:
		n64_touch(&w->table->sessions.lines[f.number], now);
	}
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < STEPS; i++)
		step(w);
	return NULL;
}

static void
all_at_once(void **state)
{
	/* Fewer ports than inside ends, so that some have to wait for others to end. */
	const struct nat_range range = { 0xcb007101, 0xcb007101 };
	const struct nat_pool_config config = { .ranges = &range,
		.range_count = 1,
		.port_first = 1024,
		.port_last = 1031,
		.paired = true,
		.subscribers_max = 1024,
		.workers = WORKERS };
	struct worker workers[WORKERS];
	_Atomic uint32_t clock = 1000;
	struct n64_table *t;
	struct nat_pool *pool;
	struct nat_pool_state left;
	pthread_t threads[WORKERS];
	uint64_t outside = 0, refused = 0, ended = 0;

	assert_int_equal(n64_table_create(&t, 4096, WORKERS, NULL), 0);
	assert_int_equal(nat_pool_create(&pool, &config, NULL), 0);
	atomic_store(&t->pools[INSTANCE], pool);
	for (unsigned i = 0; i < N64_TIME_COUNT; i++)
		atomic_store(&t->timeouts[INSTANCE][i], 2);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .table = t,
			.pool = pool,
			.clock = &clock,
			.number = i,
			.seed = i + 99 };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < 2000; i++) {
		atomic_fetch_add_explicit(&clock, i % 16 == 0, memory_order_relaxed);
		n64_sweep(t, atomic_load(&clock), 256);
		nat_pool_tick(pool, atomic_load(&clock));
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].wrong, 0);
		outside += workers[i].outside;
		refused += workers[i].refused;
		ended += workers[i].ended;
	}
	assert_true(outside > STEPS && refused > 100 && ended > 100);
	n64_flush(t, INSTANCE, atomic_load(&clock));
	assert_int_equal(n64_sessions(t), 0);
	assert_int_equal(n64_bindings(t), 0);
	assert_int_equal(mr_pool_used(t->sessions.numbers), 0);
	assert_int_equal(mr_pool_used(t->bindings.numbers), 0);
	nat_pool_state(pool, &left);
	for (unsigned i = 0; i < NAT_PROTOS; i++)
		assert_int_equal(left.used[i], 0);
	nat_pool_destroy(pool);
	n64_table_destroy(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_at_once) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
