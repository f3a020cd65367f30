/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PLANE_SIDE_H
#define MR_BENCH_PLANE_SIDE_H

/*
 * Our side of rows about chains of functions: a whole data plane, made from a configuration as
 * users write one, whose one worker is run here.
 *
 * Ownership: close frees everything; null is fine. Threads: one.
 */

#include "bench/bench.h"
#include "kit/graph/graph.h"
#include "kit/flow/lane.h"

struct mr_bench_plane;

int mr_bench_plane_open(struct mr_bench_plane **out, const char *yaml, struct mr_error *);
struct mr_graph *mr_bench_plane_graph(struct mr_bench_plane *);
struct mr_lane *mr_bench_plane_lane(struct mr_bench_plane *);
/* A node's counter by their names; 0 where there is none. */
uint64_t mr_bench_plane_counter(struct mr_bench_plane *, const char *node, const char *counter);
/* What a port has received or sent, by its interface's name; 0 where there is none. */
uint64_t mr_bench_plane_packets(struct mr_bench_plane *, const char *interface, bool sent);
/* Of a function's state ("nat") the first number of this name. */
int mr_bench_plane_state(struct mr_bench_plane *, const char *function, const char *leaf,
    uint64_t *value, struct mr_error *);
/* What is due once a second. */
void mr_bench_plane_tick(struct mr_bench_plane *);
void mr_bench_plane_close(struct mr_bench_plane *);

#endif
