/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEER_NFT_H
#define MR_BENCH_PEER_NFT_H

/*
 * The kernel's own NAT as a peer: a router of two veths (bench/wire.h) with nftables' masquerade. It
 * takes frames with NAPI and GRO, as it takes a NIC's, and works on the pinned core: receive packet
 * steering hands them over from the CPU that feeds.
 *
 * Ownership: what it sets up goes with the namespace. Threads: one. Errors: no nft or ethtool.
 */

#include "bench/wire.h"

/* Makes a router of peer-a and peer-b; what it sends goes to `hop`, an address and a MAC behind
 * peer-b. `label` becomes "nftables, Linux 6.1.0". */
int mr_bench_nft_start(struct mr_bench_wire *, struct mr_bench_run *, char *label, size_t size,
    struct mr_error *);

/* Ends translation: the rules and what was tracked. */
void mr_bench_nft_stop(void *state);

#endif
