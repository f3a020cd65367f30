/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker adds, touches and removes flows while others read them: what they read belongs
 * together. Each flow's fields follow from its number, so that a mixture of two shows.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kit/flow/table_inl.h"

#define FLOWS 64u
#define TURNS 20000u
#define READERS 2u
#define READS 20000u
#define TOUCHES 40u

static struct mr_flow_table *table;
static atomic_bool over;
static _Atomic uint32_t seen;

struct reader {
	pthread_t thread;
	unsigned wrong;
};

static void
key_of(struct mr_flow_key *key, uint32_t n)
{
	uint32_t words[8];

	for (unsigned i = 0; i < 8; i++)
		words[i] = n * 2654435761u + i;
	memcpy(key->src, words, 16);
	memcpy(key->dst, words + 4, 16);
	key->sport = (be16_t)n;
	key->dport = (be16_t)(n + 1);
	key->where = n;
	key->pair = n;
}

static bool
fits(const struct mr_flow_peek *p)
{
	struct mr_flow_key want;

	key_of(&want, p->key.where);
	/* Packets are of 100 bytes. Between the two counters some may come, no more than are touched
	 * between two folds. */
	return !memcmp(&want, &p->key, sizeof(want)) &&
	    (p->program == 0 || p->program == p->key.where) && p->bytes % 100 == 0 &&
	    p->bytes / 100 <= p->packets + TOUCHES && p->packets <= p->bytes / 100 + TOUCHES;
}

static void *
read_all(void *arg)
{
	struct reader *r = arg;
	struct mr_flow_table_stats stats;

	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		uint32_t top = mr_flow_table_top(table);

		for (uint32_t i = 1; i <= top; i++) {
			struct mr_flow_peek peek;

			if (!mr_flow_table_peek(table, i, 2000, &peek))
				continue;
			atomic_fetch_add_explicit(&seen, 1, memory_order_relaxed);
			r->wrong += !fits(&peek);
		}
		mr_flow_table_stats(table, &stats);
		r->wrong += stats.flows > FLOWS;
		mr_flow_table_prepare(table, FLOWS);
	}
	return NULL;
}

static void
test_race(void **state)
{
	struct mr_flow_table_config config = { .max = FLOWS, .idle_seconds = 5, .numa = -1 };
	struct reader readers[READERS] = { 0 };
	struct mr_flow *lines;
	uint32_t n = 0, s = 7;
	unsigned wrong = 0;

	assert_int_equal(mr_flow_table_create(&table, &config, NULL), 0);
	lines = mr_flow_table_lines(table);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]),
		    0);
	/* Until enough was read, too. */
	for (unsigned turn = 0;
	     turn < TURNS || atomic_load_explicit(&seen, memory_order_relaxed) < READS; turn++) {
		uint32_t seconds = 1000 + turn % TURNS / 100, flow;
		struct mr_flow_key key;

		key_of(&key, ++n);
		flow = mr_flow_table_add(table, &key, mr_flow_table_hash(table, &key), seconds);
		if (flow)
			mr_flow_set(&lines[flow], n, 0, 0);
		s = s * 1664525u + 1013904223u;
		flow = (s >> 8) % FLOWS + 1;
		for (unsigned i = 0; i < TOUCHES && mr_flow_table_has(table, flow); i++)
			mr_flow_touch(table, lines, flow, 100, seconds);
		mr_flow_table_fold(table, flow);
		if (turn % 3)
			mr_flow_table_remove(table, (s >> 16) % FLOWS + 1);
		mr_flow_table_age(table, seconds, 16, NULL, NULL, NULL);
	}
	atomic_store_explicit(&over, true, memory_order_relaxed);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		wrong += readers[i].wrong;
	}
	mr_flow_table_destroy(table);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
