/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_COUNTER_H
#define MR_KIT_BASE_COUNTER_H

/*
 * Counters that one thread writes and any thread reads. Having one writer, an
 * addition is a plain load, add and store (no lock prefix): atomic only so that a
 * reader never sees half of a value. A reader may be some additions behind, and two
 * counters read one after the other are not a snapshot.
 *
 * struct mr_counters is a table of them, a row per worker, each row starting on
 * its own cache line so that workers never write the same line.
 *
 * Ownership: a table belongs to whoever created it; rows live as long as it does.
 * Threads: row `worker` is written by that worker alone; reading is free.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

mr_inline void
mr_counter_add(_Atomic uint64_t *c, uint64_t n)
{
	/* Relaxed: nothing else is published by a count. One writer: no lost update. */
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

mr_inline uint64_t
mr_counter_get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

struct mr_counters {
	_Atomic uint64_t *rows; /* workers x stride, line-aligned */
	uint32_t workers;
	uint32_t count;  /* counters of one worker */
	uint32_t stride; /* counters from one row to the next: whole lines */
};

MR_API int mr_counters_create(struct mr_counters **out, uint32_t workers, uint32_t count,
    struct mr_error *);
MR_API void mr_counters_destroy(struct mr_counters *);

/* The `count` counters of one worker. */
mr_inline _Atomic uint64_t *
mr_counters_row(const struct mr_counters *c, uint32_t worker)
{
	return c->rows + (size_t)worker * c->stride;
}

/* Counter `index` over all workers. */
mr_inline uint64_t
mr_counters_sum(const struct mr_counters *c, uint32_t index)
{
	uint64_t sum = 0;
	uint32_t w;

	for (w = 0; w < c->workers; w++)
		sum += mr_counter_get(mr_counters_row(c, w) + index);
	return sum;
}

#endif
