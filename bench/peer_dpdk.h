/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEER_DPDK_H
#define MR_BENCH_PEER_DPDK_H

/*
 * DPDK's libraries as a peer: the helper program dpdk-base (bench/peers/dpdk_base.c),
 * a process of its own so that DPDK is never linked into millrace. It is
 * told the row's name, the CPUs and, per window, how many cycles to run.
 *
 * The helper is looked for in $MR_BENCH_PEERS, in `peers` and `bench/peers` beside
 * the running program, and where it was installed.
 */

#include "bench/bench.h"

extern const struct mr_bench_peer mr_bench_peer_dpdk;
/* With 8-byte elements (pointers, DPDK's usual way) where the first has 4-byte ones. */
extern const struct mr_bench_peer mr_bench_peer_dpdk_pointers;

#endif
