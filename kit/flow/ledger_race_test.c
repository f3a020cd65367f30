/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A reader beside the worker: what it sees of an entry is one state of it, and what it adds up
 * over an entry's life never shrinks.
 */
#include <pthread.h>

#include "kit/flow/lane_bed.h"

#define FLOWS 64u
#define ROUNDS 30000u

struct reader {
	struct bed *bed;
	_Atomic bool end;
	uint64_t looks, released, told, told_octets;
	uint32_t birth[4097];
	uint64_t packets[4097], octets[4097];
	bool wrong;
};

static void
look(struct reader *r, uint32_t i)
{
	struct mr_ledger_entry e;

	if (!mr_lane_ledger_peek(r->bed->lane, 0, i, &e))
		return;
	r->looks++;
	if (r->birth[i] != e.birth) {
		r->birth[i] = e.birth;
		r->packets[i] = r->octets[i] = 0;
	}
	r->wrong |= e.packets < r->packets[i];
	if (e.packets < r->packets[i])
		return;
	r->told += e.packets - r->packets[i];
	r->told_octets += e.octets - r->octets[i];
	r->packets[i] = e.packets;
	r->octets[i] = e.octets;
	if (!e.linked && i % 3 == 0)
		r->released += mr_lane_ledger_release(r->bed->lane, 0, i, e.birth, e.packets);
}

static void *
read_all(void *arg)
{
	struct reader *r = arg;

	while (!atomic_load_explicit(&r->end, memory_order_acquire))
		for (uint32_t i = 1; i <= mr_lane_ledger_top(r->bed->lane, 0); i++)
			look(r, i);
	return NULL;
}

static void
a_reader_beside_the_worker(void **state)
{
	struct reader *r = calloc(1, sizeof(*r));
	pthread_t thread;
	struct bed b;

	(void)state;
	assert_non_null(r);
	begin(&b, (struct mr_lane_config){ .ledger_flows = 4096 }, 1);
	r->bed = &b;
	assert_int_equal(pthread_create(&thread, NULL, read_all, r), 0);
	srandom(5);
	for (unsigned n = 0; n < ROUNDS; n++) {
		give(&b, random() % 4 ? CELL : REFUSE, (uint16_t)(random() % FLOWS + 1));
		if (n % 97 == 0)
			mr_generation_bump(&b.judge.cell);
		if (n % 1000 == 0) {
			at(&b, b.seconds + 2);
			mr_graph_pass(b.graph, 0);
		}
	}
	atomic_store_explicit(&r->end, true, memory_order_release);
	pthread_join(thread, NULL);
	for (uint32_t i = 1; i <= mr_lane_ledger_top(b.lane, 0); i++)
		look(r, i);
	assert_false(r->wrong);
	assert_true(r->looks > 100);
	assert_int_equal(r->told, ROUNDS);
	/* All frames are of one length. */
	assert_int_equal(r->told_octets, ROUNDS * (FRAME - L3));
	finish(&b);
	free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_beside_the_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
