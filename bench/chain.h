/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_CHAIN_H
#define MR_BENCH_CHAIN_H

/*
 * What rows about functions in a chain, and about one of them, have in common: traffic, a whole data
 * plane, configured as a user would, between a port that plays it and one that frees what it is sent,
 * and the floor. The latter port plays answers first, where somebody wants to see them.
 *
 *   [in: pcap] -- flow lane -- functions -- router, 16 next hops -- [out: null or pcap]
 *
 * The router is 203.0.113.1/24 on in, 192.0.2.1/24 on out. Behind a bridge, in is that one's, and the
 * router's interface is gateway, the other end of a pair. With a tunnel, 192.0.2.1/24 is on the interface
 * vni, whose packets leave by out; or 203.0.113.1/24 is, and they come by in.
 *
 * Ownership: close frees everything, `user` too.
 * Threads: one. Errors: a data plane that does not come to do what the row is about.
 */

#include "bench/bare_flow.h"
#include "bench/bare_nat.h"
#include "bench/plane_side.h"
#include "bench/traffic.h"

struct mr_bench_chain {
	struct mr_bench_traffic traffic;
	struct mr_bench_plane *plane;
	struct mr_graph *graph;
	unsigned share;             /* of 1,000 packets, what the lane replays */
	uint64_t programs;          /* it has */
	struct mr_buffers *buffers; /* the floor's */
	struct mr_bench_bare_flow *bare;
	struct mr_bench_bare_nat *bare_nat; /* instead */
	void *user;                         /* for free() */
};

struct mr_bench_chain_config {
	struct mr_bench_traffic_config traffic;
	bool graph;  /* without the flow lane */
	bool walks;  /* with it, and its functions may be such that it replays nothing */
	bool bridge; /* between in and the router */
	/* Through a tunnel (bench/vxlan.h): MR_BENCH_WRAPS: the next hops are behind it;
	 * MR_BENCH_UNWRAPS: senders are. */
	enum mr_bench_around tunnel;
	bool nat;            /* the floor is bench/bare_nat.h */
	uint32_t lane_flows; /* that the lane may hold; 0: its default */
	/* Makes, of a flow's frame, what comes back; null: nothing does. */
	void (*answer)(uint8_t frame[MR_BENCH_FRAME]);
	/* Writes the configuration of the functions; null: there is only the router. */
	void (*functions)(FILE *, const struct mr_bench_run *, const void *user);
	void *user; /* theirs, and in the end the chain's, whatever happens */
};

/* The router's interface towards the next hops. */
const char *mr_bench_chain_outside(const struct mr_bench_chain_config *);

/* Returns when all flows are there and all that is sent comes out, from the lane where there is
 * one. */
int mr_bench_chain_open(struct mr_bench_chain **out, struct mr_bench_run *,
    const struct mr_bench_chain_config *, struct mr_error *);
void mr_bench_chain_close(void *chain);
/* A window of its data plane: cycles per packet. */
int mr_bench_chain_window(struct mr_bench_run *, void *chain, double *value, struct mr_error *);

/* With the shapes of struct mr_bench_row's functions, run->state being the chain. The row's config
 * gets to say what the lane did. */
int mr_bench_chain_setup(struct mr_bench_run *, const struct mr_bench_chain_config *,
    struct mr_error *);
void mr_bench_chain_teardown(struct mr_bench_run *);
mr_bench_window mr_bench_chain_ours;
mr_bench_window mr_bench_chain_floor;

#endif
