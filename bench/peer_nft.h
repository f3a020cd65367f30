/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_PEER_NFT_H
#define MR_BENCH_PEER_NFT_H

/*
 * The kernel's own NAT as a peer: a router of two veths (bench/wire.h) with nftables' masquerade. It
 * takes frames with NAPI and GRO, as it takes a NIC's, and works on the CPU that feeds, in step with
 * what feeds it: given a CPU of its own, by receive packet steering or a NAPI thread, it was
 * a third to a half slower (docs/performance-notes.md).
 *
 * Ownership: what it sets up goes with the namespace. Threads: one. Errors: no nft or ethtool.
 */

#include "bench/wire.h"

/* Makes a router of peer-a and peer-b. `label` becomes "nftables masquerade, Linux 6.1.0". */
int mr_bench_nft_start(struct mr_bench_wire *, char *label, size_t size, struct mr_error *);

#endif
