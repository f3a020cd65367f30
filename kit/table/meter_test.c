/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kit/table/meter.h"

#define HZ 4000000000ull

static uint64_t
draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 24;
}

/* A bucket of tokens as the books have it, in exact fractions of 1/HZ of a token. */
struct bucket {
	uint64_t rate, burst;
	__uint128_t level; /* tokens x HZ */
	uint64_t last;
};

static unsigned
bucket_take(struct bucket *b, uint64_t now, unsigned n)
{
	__uint128_t full = (__uint128_t)b->burst * HZ;
	unsigned taken = 0;

	if (now > b->last) {
		b->level += (__uint128_t)(now - b->last) * b->rate;
		if (b->level > full)
			b->level = full;
		b->last = now;
	}
	for (; taken < n && b->level >= HZ; taken++)
		b->level -= HZ;
	return taken;
}

/* Rates that divide the clock, so that both are exact. */
static void
is_a_token_bucket(void **state)
{
	static const uint64_t rates[] = { 1, 10, 1000, 80000, 1000000, 40000000, 4000000000 };
	uint64_t seed = 1;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(rates); i++) {
		for (uint64_t burst = 1; burst < 3000; burst = burst * 5 + 2) {
			struct mr_meter m = { 0 };
			struct bucket b = { .rate = rates[i], .burst = burst };
			uint64_t now = HZ, interval = HZ / rates[i];

			b.level = (__uint128_t)burst * HZ;
			b.last = now;
			mr_meter_set(&m, HZ, rates[i], burst);
			for (unsigned step = 0; step < 2000; step++) {
				unsigned n = (unsigned)(draw(&seed) % 5), got;

				if (n == 4)
					n = (unsigned)(draw(&seed) % (2 * burst + 2));
				now += draw(&seed) % (interval * 3 + 1);
				if (draw(&seed) % 100 == 0)
					now += interval * burst;
				if (n == 1) {
					bool ready = mr_meter_ready(&m, now);

					got = mr_meter_take(&m, now, n);
					assert_int_equal(got, ready);
				} else {
					got = mr_meter_take(&m, now, n);
				}
				assert_int_equal(got, bucket_take(&b, now, n));
			}
		}
	}
}

/* Any rate: over any time at most burst + rate x time, to a 16th of a cycle per packet. */
static void
keeps_its_rate(void **state)
{
	uint64_t seed = 2;

	for (unsigned round = 0; round < 50; round++) {
		uint64_t rate = 1 + draw(&seed) % 3000000, burst = 1 + draw(&seed) % 100;
		uint64_t now = HZ, start = now, passed = 0;
		double most;
		struct mr_meter m = { 0 };

		mr_meter_set(&m, HZ, rate, burst);
		for (unsigned step = 0; step < 5000; step++) {
			passed += mr_meter_take(&m, now, 3);
			now += HZ / rate / 2;
		}
		most = (double)burst + (double)(now - start) * (double)rate / (double)HZ;
		assert_true((double)passed <= most * 1.001 + 1);
		assert_true((double)passed >= most * 0.999 - 2);
	}
}

static void
limits_of_the_range(void **state)
{
	struct mr_meter m = { 0 };

	/* Zeroed memory does not limit. */
	assert_int_equal(mr_meter_take(&m, 5, 1000), 1000);
	mr_meter_set(&m, HZ, MR_METER_UNLIMITED, 0);
	assert_int_equal(mr_meter_take(&m, 5, UINT32_MAX), UINT32_MAX);
	mr_meter_set(&m, HZ, 0, 100);
	assert_int_equal(mr_meter_take(&m, HZ, 1), 0);
	assert_int_equal(mr_meter_take(&m, HZ * 1000, 7), 0);
	assert_false(mr_meter_ready(&m, HZ * 1000));
	/* A burst of 0 is one of 1, and n = 0 takes nothing. */
	mr_meter_set(&m, HZ, 1, 0);
	assert_int_equal(mr_meter_take(&m, HZ, 0), 0);
	assert_int_equal(mr_meter_take(&m, HZ, 5), 1);
	assert_int_equal(mr_meter_take(&m, 2 * HZ - 1, 1), 0);
	assert_int_equal(mr_meter_take(&m, 2 * HZ, 1), 1);
	/* A huge burst overflows nothing. */
	m = (struct mr_meter){ 0 };
	mr_meter_set(&m, HZ, 1, UINT64_MAX);
	assert_int_equal(mr_meter_take(&m, HZ, 1000000), 1000000);
	/* Time that goes back is time that stands still. */
	m = (struct mr_meter){ 0 };
	mr_meter_set(&m, HZ, 1000, 2);
	assert_int_equal(mr_meter_take(&m, HZ, 2), 2);
	assert_int_equal(mr_meter_take(&m, HZ - 1000, 1), 0);
	assert_int_equal(mr_meter_take(&m, HZ + HZ / 1000, 1), 1);
}

static void
table_keeps_keys_apart(void **state)
{
	struct mr_meter_table *t;
	struct mr_error error;
	unsigned shared = 0;

	assert_int_equal(mr_meter_table_create(&t, 60000, &error), 0);
	assert_int_equal(t->mask, 65535);
	mr_meter_rate_set(&t->rate, HZ, 10, 1);
	for (uint64_t i = 0; i < 1000; i++)
		shared += !mr_meter_table_take(t, i, i << 32, HZ, 1);
	/* 1,000 keys in 65,536 words: some 8 pairs meet. */
	assert_true(shared < 40);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(mr_meter_table_take(t, i, i << 32, HZ, 1), 0);
	mr_meter_table_destroy(t);
	mr_meter_table_destroy(NULL);
	assert_int_not_equal(mr_meter_table_create(&t, UINT32_MAX, &error), 0);
	assert_null(t);
}

struct taker {
	struct mr_meter *meter;
	uint64_t taken;
};

static void *
take_many(void *user)
{
	struct taker *t = user;

	for (unsigned i = 0; i < 300000; i++)
		t->taken += mr_meter_take(t->meter, HZ + i, 1 + i % 2);
	return NULL;
}

/* No token is taken twice, none is lost. */
static void
threads_share_a_meter(void **state)
{
	static struct mr_meter m;
	struct taker takers[2] = { { .meter = &m }, { .meter = &m } };
	pthread_t threads[2];

	mr_meter_set(&m, HZ, 1, 500000);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(takers[0].taken + takers[1].taken, 500000);
}

static void
cost(void **state)
{
	static struct mr_meter m;
	uint64_t best[3] = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	unsigned sum = 0;

	mr_meter_set(&m, HZ, 1000000000, 1u << 30);
	for (unsigned round = 0; round < 20; round++) {
		uint64_t start = mr_cycles(), spent;

		for (unsigned i = 0; i < 10000; i++)
			sum += mr_meter_take(&m, start + i * 4, 1);
		spent = mr_cycles() - start;
		best[0] = MR_MIN(best[0], spent);
		start = mr_cycles();
		for (unsigned i = 0; i < 10000; i++)
			sum += mr_meter_take(&m, start + i * 4, 1 + (i & 1));
		spent = mr_cycles() - start;
		best[1] = MR_MIN(best[1], spent);
		start = mr_cycles();
		for (unsigned i = 0; i < 10000; i++)
			sum += mr_meter_take(&m, 1, 1);
		spent = mr_cycles() - start;
		best[2] = MR_MIN(best[2], spent);
	}
	print_message("cycles to take one %.1f, one or two %.1f, to refuse %.1f (%u)\n",
	    (double)best[0] / 10000, (double)best[1] / 10000, (double)best[2] / 10000, sum);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_token_bucket),
		cmocka_unit_test(keeps_its_rate),
		cmocka_unit_test(limits_of_the_range),
		cmocka_unit_test(table_keeps_keys_apart),
		cmocka_unit_test(threads_share_a_meter),
		cmocka_unit_test(cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
