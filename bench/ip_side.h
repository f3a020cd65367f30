/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_IP_SIDE_H
#define MR_BENCH_IP_SIDE_H

/*
 * Our side of the rows about routing: the router's nodes between a port that plays a capture
 * and one that frees what it is sent, its tables filled.
 *
 * Ownership: close takes the router out; before mr_bench_bed_close. Null is fine.
 * Threads: one.
 */

#include "bench/bed.h"
#include "bench/traffic.h"
#include "kit/flow/lane.h"

struct mr_bench_ip_side;

struct mr_bench_ip_side_config {
	struct mr_bench_bed *bed;               /* open */
	const struct mr_bench_traffic *traffic; /* read by open only */
	uint32_t flows; /* with the flow lane in front, for so many; 0: without */
	bool ledger;    /* which keeps a ledger of them */
};

int mr_bench_ip_side_open(struct mr_bench_ip_side **out, const struct mr_bench_ip_side_config *,
    struct mr_error *);
/* The next hop that the router has for an address in wire order, or MR_BENCH_HOPS. */
unsigned mr_bench_ip_side_find(const struct mr_bench_ip_side *, const uint8_t *address);

/* The flow lane in front; null without. */
struct mr_lane *mr_bench_ip_side_lane(const struct mr_bench_ip_side *);

void mr_bench_ip_side_close(struct mr_bench_ip_side *);

#endif
