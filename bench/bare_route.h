/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_BARE_ROUTE_H
#define MR_BENCH_BARE_ROUTE_H

/*
 * The floor of the rows about routing: takes buffers, copies the next frames into them, looks
 * their destinations up, writes the Ethernet addresses of the next hop, counts TTL or hop
 * limit down, with IPv4's checksum, and gives the buffers back. It believes every header, counts
 * nothing and can do nothing else.
 *
 * IPv4: an array of all 2^24 values of the upper bits, two bytes each, and 256 entries more
 * wherever a prefix is longer (Gupta, Lin and McKeown, 1998).
 * IPv6: a trie of 21 bits (2000::/3 is all there is for it) and then 8 a step, entries of four
 * bytes; a vector goes down it together, a level at a time, what the next one reads fetched
 * ahead.
 *
 * Ownership: close frees everything; frames and buffers are the caller's and outlive it.
 * Threads: one. Errors: no memory.
 */

#include "bench/frames.h"
#include "bench/routes.h"
#include "kit/packet/buffers.h"

struct mr_bench_bare_route;

struct mr_bench_bare_route_config {
	const struct mr_bench_routes *routes; /* read by open only */
	const uint8_t (*macs)[2][6];          /* of each next hop: destination, source */
	const uint8_t (*frames)[MR_BENCH_FRAME];
	uint32_t frame_count; /* a power of two */
	struct mr_buffers *buffers;
};

int mr_bench_bare_route_open(struct mr_bench_bare_route **out,
    const struct mr_bench_bare_route_config *, struct mr_error *);
void mr_bench_bare_route_close(struct mr_bench_bare_route *);

/* A window: cycles per packet. */
int mr_bench_bare_route_window(struct mr_bench_bare_route *, struct mr_bench_run *, double *value,
    struct mr_error *);

/* The next hop that the table has for an address in wire order, or MR_BENCH_HOPS. */
unsigned mr_bench_bare_route_find(const struct mr_bench_bare_route *, const uint8_t *address);

#endif
