/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/flow/pairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BATCH 256u

/* Pair number n, as a frame begins. */
static void
frame(uint8_t *f, uint32_t n)
{
	memset(f, 0, 12);
	f[0] = 2;
	memcpy(f + 2, &n, 4);
	f[6] = 2;
	f[11] = (uint8_t)(n * 7);
}

static void
find(struct mr_flow_pairs *t, uint32_t first, uint32_t *ids, unsigned count)
{
	static uint8_t bytes[BATCH][12];
	const uint8_t *frames[BATCH];

	for (unsigned i = 0; i < count; i++) {
		frame(bytes[i], first + i);
		frames[i] = bytes[i];
	}
	mr_flow_pairs_find(t, frames, ids, count);
}

static void
test_all(void **state)
{
	static uint32_t ids[MR_FLOW_PAIRS_MAX], again[BATCH];
	static uint8_t seen[MR_FLOW_PAIRS_IDS];
	struct mr_flow_pairs_stats stats;
	struct mr_flow_pairs *t;
	uint8_t macs[12], want[12];
	unsigned missing = 0;

	assert_int_equal(mr_flow_pairs_create(&t, 0, -1, NULL), 0);
	for (uint32_t n = 0; n < MR_FLOW_PAIRS_MAX; n += BATCH)
		find(t, n, ids + n, BATCH);
	for (uint32_t n = 0; n < MR_FLOW_PAIRS_MAX; n++) {
		if (!ids[n]) {
			missing++;
			continue;
		}
		assert_true(ids[n] < MR_FLOW_PAIRS_IDS);
		assert_int_equal(seen[ids[n]]++, 0);
		assert_true(mr_flow_pairs_get(t, ids[n], macs));
		frame(want, n);
		assert_memory_equal(macs, want, 12);
	}
	/* Both buckets full: hardly ever, and then counted. */
	assert_true(missing < 8);
	mr_flow_pairs_stats(t, &stats);
	assert_int_equal(stats.refused, missing);
	assert_int_equal(stats.pairs, MR_FLOW_PAIRS_MAX - missing);
	for (uint32_t n = 0; n < MR_FLOW_PAIRS_MAX - BATCH; n += BATCH) {
		find(t, n, again, BATCH);
		assert_memory_equal(again, ids + n, sizeof(again));
	}
	/* As many as there may be, but for the few. */
	find(t, MR_FLOW_PAIRS_MAX, again, BATCH);
	mr_flow_pairs_stats(t, &stats);
	assert_true(stats.pairs <= MR_FLOW_PAIRS_MAX);
	assert_true(stats.refused >= BATCH - missing);
	assert_false(mr_flow_pairs_get(t, 0, macs));
	assert_false(mr_flow_pairs_get(t, MR_FLOW_PAIRS_IDS, macs));
	mr_flow_pairs_destroy(t);
	mr_flow_pairs_destroy(NULL);
}

/* Who is held keeps its number; who is asked for lasts a round; others go. */
static void
test_sweep(void **state)
{
	uint32_t ids[3], again[3];
	struct mr_flow_pairs *t;
	uint8_t macs[12];

	assert_int_equal(mr_flow_pairs_create(&t, 5, -1, NULL), 0);
	find(t, 0, ids, 3);
	assert_true(ids[0] && ids[1] && ids[2]);
	mr_flow_pairs_hold(t, ids[0]);
	mr_flow_pairs_hold(t, ids[0]);
	assert_int_equal(mr_flow_pairs_sweep(t, UINT32_MAX), 0); /* all were asked for */
	find(t, 1, again, 1);
	assert_int_equal(again[0], ids[1]);
	assert_int_equal(mr_flow_pairs_sweep(t, UINT32_MAX), 1);
	assert_false(mr_flow_pairs_get(t, ids[2], macs));
	mr_flow_pairs_hold(t, ids[2]); /* nobody's: nothing happens */
	assert_false(mr_flow_pairs_get(t, ids[2], macs));
	assert_int_equal(mr_flow_pairs_sweep(t, UINT32_MAX), 1);
	assert_false(mr_flow_pairs_get(t, ids[1], macs));
	mr_flow_pairs_release(t, ids[0]);
	assert_int_equal(mr_flow_pairs_sweep(t, UINT32_MAX), 0);
	mr_flow_pairs_release(t, ids[0]);
	mr_flow_pairs_release(t, ids[0]); /* once too often */
	assert_int_equal(mr_flow_pairs_sweep(t, UINT32_MAX), 1);
	/* Part of the way at a time. */
	find(t, 0, again, 3);
	for (unsigned i = 0, freed = 0; freed < 3; i++) {
		assert_true(i < 2 * 32768 / 100 + 2);
		freed += mr_flow_pairs_sweep(t, 100);
	}
	mr_flow_pairs_destroy(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
