/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_BED_H
#define MR_BENCH_BED_H

/*
 * A small data plane to measure: buffers, a graph with one worker that the calling thread
 * runs, ports.
 *
 * Ownership: mr_bench_bed_close frees what was opened; a zeroed bed may be closed.
 * Threads: one.
 */

#include "bench/bench.h"
#include "kit/graph/graph.h"

#define MR_BENCH_BED_PORTS 4

struct mr_bench_bed {
	struct mr_buffers *buffers;
	struct mr_graph *graph;
	struct mr_port *ports[MR_BENCH_BED_PORTS];
	unsigned port_count;
};

/* Also notes in the row's config what memory it got. */
int mr_bench_bed_open(struct mr_bench_bed *, struct mr_bench_run *, struct mr_error *);
void mr_bench_bed_close(struct mr_bench_bed *);

/* Opens, starts and adds a port of one queue each way, which is up; its index is the number of
 * ports before. */
int mr_bench_bed_port(struct mr_bench_bed *, const char *driver, const char *device,
    const struct mr_option *options, size_t count, struct mr_error *);

/* A window: passes of the graph's first worker; cycles per packet received. */
int mr_bench_graph_window(struct mr_graph *, struct mr_bench_run *, double *value,
    struct mr_error *);
int mr_bench_bed_window(struct mr_bench_bed *, struct mr_bench_run *, double *value,
    struct mr_error *);

#endif
