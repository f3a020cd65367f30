/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_REPORT_H
#define MR_BENCH_REPORT_H

/*
 * Results for people and for programs. The JSON is an array with an object per row:
 * row, unit, tsc_hz, ours, floor, peer, ratio_peer, ratio_floor, config; what is
 * missing is null. A row that did not run has `skipped` with the reason instead of
 * figures, one whose peer did not run has `peer_skipped`.
 *
 * Threads: none. Errors: those of the stream.
 */

#include <stdio.h>

#include "bench/measure.h"

/* One element of the array; the caller writes the brackets and commas. */
void mr_bench_print_json(FILE *, const struct mr_bench_result *);

void mr_bench_print_text_head(FILE *);
void mr_bench_print_text(FILE *, const struct mr_bench_result *);

/* A JSON string, quoted and escaped. */
void mr_bench_print_string(FILE *, const char *text);

#endif
