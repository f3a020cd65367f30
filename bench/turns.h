/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_TURNS_H
#define MR_BENCH_TURNS_H

/*
 * The window of everything that works in turns, a vector each: as many turns as it takes until the
 * window is over.
 *
 * Threads: one. Errors: nothing was done.
 */

#include <errno.h>

#include "bench/bench.h"

#define MR_BENCH_TURNS 16u /* between two looks at the clock */

/* A turn returns how much it did: the value is cycles for one of that. */
mr_inline int
mr_bench_turns(struct mr_bench_run *run, unsigned (*turn)(void *user), void *user, double *value,
    struct mr_error *error)
{
	uint64_t start = mr_cycles(), now, count = 0;

	do {
		for (unsigned i = 0; i < MR_BENCH_TURNS; i++)
			count += turn(user);
		now = mr_cycles();
	} while (now - start < run->window);
	if (!count)
		return mr_error_set(error, -EIO, "no packet arrived");
	*value = (double)(now - start) / (double)count;
	return 0;
}

#endif
