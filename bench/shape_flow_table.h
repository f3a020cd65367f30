/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_SHAPE_FLOW_TABLE_H
#define MR_BENCH_SHAPE_FLOW_TABLE_H

/* What all sides of the rows flow-table-* do alike: which flows there are, in which order their
 * packets come, and that each counts in the flow's line of 64 bytes. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/def.h"

#define SHAPE_FLOW_VECTOR 256u
#define SHAPE_FLOW_TURNS 16
#define SHAPE_FLOW_ORDER (1u << 20)
#define SHAPE_FLOW_LENGTH 60u

/* Addresses; ports and protocol: two words, so that nobody waits for a store of half of one. */
struct shape_flow {
	uint64_t addresses, rest;
};
static_assert(sizeof(struct shape_flow) == 16, "a tuple is 16 bytes");

mr_inline struct shape_flow
shape_flow(uint32_t n)
{
	/* No regular numbers: a CRC would map them to few places. */
	uint64_t r = n * 0x9e3779b97f4a7c15ull;
	uint64_t src = mr_be32(0x0a000000u + n), dst = (r >> 32) | 0x40;
	uint64_t sport = (uint16_t)(r >> 16), dport = mr_be16(443);

	return (struct shape_flow){ .addresses = src | dst << 32,
		.rest = sport | dport << 16 | 17ull << 32 };
}

/* "flow-table-64k": 65,536 flows. */
mr_inline uint32_t
shape_flow_count(const char *row)
{
	return strstr(row, "-1k") ? 1u << 10
	    : strstr(row, "-64k") ? 1u << 16
	    : strstr(row, "-1m")  ? 1u << 20
				  : 1u << 23;
}

/* Numbers of flows at random, whole vectors of them. */
mr_inline uint32_t *
shape_flow_order(uint32_t flows)
{
	uint32_t *order = malloc(SHAPE_FLOW_ORDER * sizeof(*order));
	uint64_t s = 0x9e3779b97f4a7c15ull;

	for (uint32_t i = 0; order && i < SHAPE_FLOW_ORDER; i++) {
		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		order[i] = (uint32_t)((s * 0x2545f4914f6cdd1dull) >> 33) % flows;
	}
	return order;
}

#endif
