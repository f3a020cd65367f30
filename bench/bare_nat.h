/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_BARE_NAT_H
#define MR_BENCH_BARE_NAT_H

/*
 * The floor of the rows about NAT: what bench/bare_flow.h does, and each flow's source address and port
 * become others, with IPv4's checksum and that of UDP or TCP. One table, a flow a line of 64 bytes:
 * its key and all that is written.
 *
 * Ownership: close frees everything; traffic and buffers are the caller's and outlive it.
 * Threads: one. Errors: no memory.
 */

#include "bench/traffic.h"
#include "kit/packet/buffers.h"

struct mr_bench_bare_nat;

/* Of all flows of the traffic, which is IPv4, with few routes. */
int mr_bench_bare_nat_open(struct mr_bench_bare_nat **out, const struct mr_bench_traffic *,
    struct mr_buffers *, struct mr_error *);
void mr_bench_bare_nat_close(struct mr_bench_bare_nat *);

/* A window: cycles per packet. */
int mr_bench_bare_nat_window(struct mr_bench_bare_nat *, struct mr_bench_run *, double *value,
    struct mr_error *);

/* Translates one frame as windows do; false: none of its flows. Of use to tests. */
bool mr_bench_bare_nat_frame(struct mr_bench_bare_nat *, uint8_t frame[MR_BENCH_FRAME]);

#endif
