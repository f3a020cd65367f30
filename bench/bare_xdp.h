/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_BARE_XDP_H
#define MR_BENCH_BARE_XDP_H

/*
 * The floor of the rows over AF_XDP: two sockets on one UMEM, and a loop that moves
 * descriptors from the one's receive ring to the other's transmit ring. It looks at no
 * frame and counts none.
 *
 * Ownership: close frees what open made. Threads: one.
 * Errors: what keeps AF_XDP from working, said briefly: ours, which is tried first, says
 * it better.
 */

#include "bench/bench.h"

struct mr_bench_bare_xdp;

int mr_bench_bare_xdp_open(struct mr_bench_bare_xdp **out, const char *from, const char *to,
    struct mr_error *);
void mr_bench_bare_xdp_close(struct mr_bench_bare_xdp *);

/* One turn; the frames moved. */
unsigned mr_bench_bare_xdp_turn(struct mr_bench_bare_xdp *);

#endif
