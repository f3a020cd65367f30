/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_BARE_FLOW_H
#define MR_BENCH_BARE_FLOW_H

/*
 * The floor of the rows about flows: takes buffers, copies the next frames into them, finds each
 * one's flow by addresses, protocol and ports, writes the Ethernet addresses that stand there,
 * counts the TTL down, with IPv4's checksum, and gives the buffers back. Whole keys in lines of 64
 * bytes, two flows a line. It believes every header, and finds every flow. Around the frames there may be
 * VXLAN's headers (bench/vxlan.h), which it writes, each flow's source port from its hash, or finds and
 * takes off.
 *
 * Ownership: close frees everything; traffic and buffers are the caller's and outlive it.
 * Threads: one. Errors: no memory.
 */

#include "bench/traffic.h"
#include "kit/packet/buffers.h"

struct mr_bench_bare_flow;

enum mr_bench_around {
	MR_BENCH_PLAIN,
	MR_BENCH_WRAPS,   /* what goes out is wrapped */
	MR_BENCH_UNWRAPS, /* what comes in is */
};

/* Of all flows of the traffic, which is IPv4, with few routes. */
int mr_bench_bare_flow_open(struct mr_bench_bare_flow **out, const struct mr_bench_traffic *,
    struct mr_buffers *, enum mr_bench_around, struct mr_error *);
void mr_bench_bare_flow_close(struct mr_bench_bare_flow *);

/* A window: cycles per packet. */
int mr_bench_bare_flow_window(struct mr_bench_bare_flow *, struct mr_bench_run *, double *value,
    struct mr_error *);

#endif
