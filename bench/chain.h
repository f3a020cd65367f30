/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_CHAIN_H
#define MR_BENCH_CHAIN_H

/*
 * Our side of rows about functions in a chain, and about one of them: a whole data plane, configured
 * as a user would, between a port that plays frames and one that frees what it is sent. The latter
 * plays answers first, where somebody wants to see them.
 *
 *   [in: pcap] -- flow lane -- functions -- router, 16 next hops -- [out: null or pcap]
 *
 * The router is 203.0.113.1/24 on in, 192.0.2.1/24 on out.
 *
 * Ownership: close frees everything; the traffic is the caller's and outlives it.
 * Threads: one. Errors: a data plane that does not come to do what the row is about.
 */

#include "bench/plane_side.h"
#include "bench/traffic.h"

struct mr_bench_chain_config {
	const struct mr_bench_traffic *traffic;
	bool graph;          /* without the flow lane */
	const char *answers; /* a capture, which is played some times; null: none */
	uint32_t flows;      /* that the lane may hold; 0: its default */
	/* Writes the configuration of the functions; null: there is only the router. */
	void (*functions)(FILE *, const void *user);
	const void *user;
};

struct mr_bench_chain {
	struct mr_bench_plane *plane; /* null: closed */
	struct mr_graph *graph;
};

/* Returns when all flows are there and all that is sent comes out, from the lane where there is
 * one; notes in the row's config what share is replayed. */
int mr_bench_chain_open(struct mr_bench_chain *, struct mr_bench_run *,
    const struct mr_bench_chain_config *, struct mr_error *);
void mr_bench_chain_close(struct mr_bench_chain *);

#endif
