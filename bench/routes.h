/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_ROUTES_H
#define MR_BENCH_ROUTES_H

/*
 * A full table for rows about routing, from kit/table/prefixes.h: the real one filled up, or one
 * made up where there is none. Next hops are drawn by a fixed seed.
 *
 * Ownership: mr_bench_routes_free. Threads: none. Errors: no memory.
 */

#include "bench/bench.h"

#define MR_BENCH_HOPS 16

struct mr_bench_route {
	uint8_t address[16]; /* wire order; of IPv4 the first four */
	uint8_t len;
	uint8_t hop; /* below MR_BENCH_HOPS */
};

struct mr_bench_routes {
	struct mr_bench_route *routes; /* in ascending order of length, each prefix once */
	size_t count;
	unsigned bits; /* of an address */
	uint32_t real; /* how many are of a real table */
};

int mr_bench_routes_load(struct mr_bench_routes *, unsigned bits, size_t count, struct mr_error *);
/* As few as there are hops, of four bits each, for rows that are not about them. */
int mr_bench_routes_everywhere(struct mr_bench_routes *, struct mr_error *);
void mr_bench_routes_free(struct mr_bench_routes *);

/* An address at random within a random one of the prefixes. */
void mr_bench_routes_draw(const struct mr_bench_routes *, uint64_t *rng, uint8_t address[16]);

/* The longest prefix of an address, found the slow way; null: none. */
const struct mr_bench_route *mr_bench_routes_find(const struct mr_bench_routes *,
    const uint8_t *address);

/* As a rule file of DPDK's l3fwd, in memory; the next hop is a port below `ports`. Returns the
 * descriptor that keeps it, or -errno. */
int mr_bench_routes_write(const struct mr_bench_routes *, unsigned ports, char *path, size_t size);

#endif
