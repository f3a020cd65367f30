/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_MEASURE_H
#define MR_BENCH_MEASURE_H

/*
 * One row measured: its sides' windows and what they come to.
 *
 * Ownership: a result's windows are freed by mr_bench_result_clear.
 * Threads: none.
 * Errors: in the result: a row or peer that could not run says why.
 */

#include "bench/bench.h"

struct mr_bench_side {
	double *values;
	size_t count, room;
	double min, median, max; /* once measured; 0 without windows */
};

struct mr_bench_result {
	const struct mr_bench_row *row;
	uint64_t tsc_hz;
	struct mr_bench_side ours, floor, peer;
	char peer_label[96];
	char config[512];
	struct mr_error skipped;      /* code 0: it ran */
	struct mr_error peer_skipped; /* code 0: it ran, or there is none */
};

struct mr_bench_options {
	double seconds;     /* per row */
	unsigned window_ms; /* 0: the row's */
	const char *peer;   /* null: the first of each row; "none": without */
	int cpu;            /* -1: chosen */
	uint64_t tsc_hz;
};

/* Measures one row. Always fills the result. */
void mr_bench_measure(const struct mr_bench_row *, const struct mr_bench_options *,
    struct mr_bench_result *);
void mr_bench_result_clear(struct mr_bench_result *);

/* Who takes part in a row's rounds beside us. */
struct mr_bench_sides {
	const struct mr_bench_peer *peer; /* null: none, or it failed and was stopped */
	void *peer_state;
};

/* Measures round after round, each a window of every side, for `seconds`. */
void mr_bench_rounds(struct mr_bench_run *, struct mr_bench_sides *, double seconds,
    struct mr_bench_result *);

/* Adds a window; -ENOMEM. */
int mr_bench_side_add(struct mr_bench_side *, double value);
/* Fills min, median and max; sorts the values. */
void mr_bench_side_settle(struct mr_bench_side *);

/* ours / other, of the medians; negative where a side is missing. */
double mr_bench_ratio(const struct mr_bench_side *ours, const struct mr_bench_side *other);

#endif
