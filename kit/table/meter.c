/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/meter.h"

#include <errno.h>
#include <stdlib.h>

void
mr_meter_rate_set(struct mr_meter_rate *r, uint64_t hz, uint64_t rate, uint64_t burst)
{
	uint64_t interval = 0, depth = 0;

	if (rate == 0) {
		interval = 1; /* and no depth */
	} else if (rate != MR_METER_UNLIMITED) {
		__uint128_t whole;

		/* To the nearest, but a packet always takes something. */
		interval = (uint64_t)((((__uint128_t)hz << MR_METER_FRACTION) + rate / 2) / rate);
		interval = MR_MAX(interval, (uint64_t)1);
		/* A quarter of what the clock can say leaves all sums without overflow. */
		whole = (__uint128_t)interval * MR_MAX(burst, (uint64_t)1);
		depth = whole > UINT64_MAX / 4 ? UINT64_MAX / 4 : (uint64_t)whole;
	}
	atomic_store_explicit(&r->interval, interval, memory_order_relaxed);
	atomic_store_explicit(&r->depth, depth, memory_order_relaxed);
}

int
mr_meter_table_create(struct mr_meter_table **out, uint32_t words, struct mr_error *error)
{
	struct mr_meter_table *t;
	uint32_t count = 1;
	int rc;

	*out = NULL;
	if (words > 1u << 28)
		return mr_error_set(error, -EINVAL, "a table of %u meters: at most %u", words,
		    1u << 28);
	while (count < words)
		count *= 2;
	t = calloc(1, sizeof(*t));
	if (!t)
		return mr_error_set(error, -ENOMEM, "no memory for a table of meters");
	t->mask = count - 1;
	t->words = calloc(count, sizeof(*t->words));
	if (!t->words) {
		mr_meter_table_destroy(t);
		return mr_error_set(error, -ENOMEM, "no memory for %u meters", count);
	}
	rc = mr_hash_key_random(&t->key, error);
	if (rc) {
		mr_meter_table_destroy(t);
		return rc;
	}
	*out = t;
	return 0;
}

void
mr_meter_table_destroy(struct mr_meter_table *t)
{
	if (!t)
		return;
	free(t->words);
	free(t);
}
