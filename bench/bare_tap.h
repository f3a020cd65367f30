/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_BARE_TAP_H
#define MR_BENCH_BARE_TAP_H

/*
 * The floor of the row over TAPs: read a frame from one, write it to the other.
 *
 * Ownership: close frees what open made. Threads: one.
 */

#include "bench/bench.h"

struct mr_bench_bare_tap {
	int from, to; /* -1: closed */
};

/* Makes two interfaces with these names, not up yet. */
int mr_bench_bare_tap_open(struct mr_bench_bare_tap *, const char *from, const char *to,
    struct mr_error *);
void mr_bench_bare_tap_close(struct mr_bench_bare_tap *);

/* Until there is nothing, or a burst; the frames moved. */
unsigned mr_bench_bare_tap_turn(struct mr_bench_bare_tap *);

#endif
