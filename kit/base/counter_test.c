/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/counter.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { WORKERS = 3, COUNTERS = 11, ROUNDS = 200000 };

struct writer {
	struct mr_counters *counters;
	uint32_t worker;
};

static void *
write_counts(void *arg)
{
	struct writer *w = arg;
	_Atomic uint64_t *row = mr_counters_row(w->counters, w->worker);
	uint64_t i;

	for (i = 0; i < ROUNDS; i++)
		mr_counter_add(&row[i % COUNTERS], w->worker + 1);
	return NULL;
}

/* Each worker writes its own row while we read: sums only grow, and end exact. */
static void
test_workers(void **state)
{
	pthread_t threads[WORKERS];
	struct writer writers[WORKERS];
	struct mr_counters *c;
	uint64_t last = 0, sum, total = 0;
	uint32_t i;

	assert_int_equal(mr_counters_create(&c, WORKERS, COUNTERS, NULL), 0);
	for (i = 0; i < WORKERS; i++) {
		assert_int_equal((uintptr_t)mr_counters_row(c, i) % MR_CACHE_LINE, 0);
		writers[i] = (struct writer){ c, i };
		assert_int_equal(pthread_create(&threads[i], NULL, write_counts, &writers[i]), 0);
	}
	for (i = 0; i < 1000; i++) {
		sum = mr_counters_sum(c, 0);
		assert_true(sum >= last);
		last = sum;
	}
	for (i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < COUNTERS; i++)
		total += mr_counters_sum(c, i);
	assert_int_equal(total, (uint64_t)ROUNDS * (1 + 2 + 3));
	mr_counters_destroy(c);
}

static void
test_errors(void **state)
{
	struct mr_counters *c = (void *)1;
	struct mr_error error;

	assert_int_equal(mr_counters_create(&c, 0, 1, &error), -EINVAL);
	assert_null(c);
	assert_int_equal(mr_counters_create(&c, 1, 0, &error), -EINVAL);
	assert_int_equal(mr_counters_create(&c, UINT32_MAX, UINT32_MAX - 8, &error), -ENOMEM);
	assert_string_equal(error.text,
	    "counters: no memory for 4294967295 workers of 4294967287 counters");
	mr_counters_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
