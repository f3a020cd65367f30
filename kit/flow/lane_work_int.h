/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_LANE_WORK_INT_H
#define MR_KIT_FLOW_LANE_WORK_INT_H

/*
 * One vector on its way through the lane: what lane_node.c, lane_order.c and lane_calls.c hand to
 * each other.
 */

#include <string.h>

#include "kit/flow/lane_int.h"

#define WALKERS_BITS 13

/* A hit on its way through the steps. */
struct hit {
	uint32_t flow;
	uint32_t program;
	uint16_t at; /* place in the vector */
	uint16_t key;
	bool due; /* the first in a second: lane_call_all finds out */
};

/* A set of pairs of addresses; with a whole vector in it, it takes one stranger in 300 for a
 * member (Bloom, 1970). */
struct walkers {
	uint64_t bits[(1u << WALKERS_BITS) / 64];
};

struct work {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct lane_worker *l;
	const uint32_t *packets;
	mr_verdict_t *verdicts;
	uint32_t seconds;
	unsigned hit_count; /* that wait: their programs call nodes, or order is to be kept */
	unsigned late_count;
	unsigned miss_count;
	unsigned replayed;
	struct walkers walkers; /* while in_order: between whom */
	bool in_order; /* some packets walk: hits wait until it is known which must not overtake */
	bool recorded; /* some packet was given a recording */
	bool ledger;   /* what walks is written down (kit/flow/ledger.h) */
	uint64_t noted[MR_VECTOR_MAX / 64]; /* of these, packets that were already */
	unsigned unfit_count, skipped_count;
	uint32_t count[MR_LANE_COUNTER_COUNT];
	struct hit hits[MR_VECTOR_MAX];
	uint16_t late[MR_VECTOR_MAX]; /* keys whose flows are out of date */
	uint16_t miss[MR_VECTOR_MAX]; /* keys that have no flow */
	/* Keys of packets that conditions, or (skipped_count of them) nodes, kept from their programs. */
	uint16_t unfit[MR_VECTOR_MAX];
};

mr_inline struct mr_packet *
packet_at(const struct work *w, unsigned at)
{
	return mr_packet_at(w->run->base, w->packets[at]);
}

/* Not keyed: who makes pairs collide sends honest packets to the graph, where they came from before
 * there was a lane; that he gets by their own addresses, too. */
mr_inline uint64_t
walker(const uint8_t src[16], const uint8_t dst[16])
{
	uint64_t s[2], d[2];

	memcpy(s, src, sizeof(s));
	memcpy(d, dst, sizeof(d));
	return ((s[0] ^ s[1]) * 0x9e3779b97f4a7c15ull + (d[0] ^ d[1])) * 0xff51afd7ed558ccdull;
}

mr_inline void
walkers_add(struct walkers *set, uint64_t hash)
{
	unsigned one = (unsigned)(hash >> (64 - WALKERS_BITS));
	unsigned two = (unsigned)(hash >> (64 - 2 * WALKERS_BITS)) % (1u << WALKERS_BITS);

	set->bits[one / 64] |= 1ull << one % 64;
	set->bits[two / 64] |= 1ull << two % 64;
}

mr_inline bool
walkers_have(const struct walkers *set, uint64_t hash)
{
	unsigned one = (unsigned)(hash >> (64 - WALKERS_BITS));
	unsigned two = (unsigned)(hash >> (64 - 2 * WALKERS_BITS)) % (1u << WALKERS_BITS);

	return set->bits[one / 64] >> one % 64 & set->bits[two / 64] >> two % 64 & 1;
}

mr_inline bool
must_walk(const struct work *w, const struct mr_flow_key *key)
{
	return w->in_order && walkers_have(&w->walkers, walker(key->src, key->dst));
}

/* lane_order.c: takes those hits out that would leave in another order than they came. `rest`:
 * places in the vector of packets that have no key. */
void lane_keep_order(struct work *, const uint16_t *rest, unsigned rest_count);

/* lane_calls.c: asks the nodes that the waiting hits' programs call; takes those out that a node
 * wants to see itself, or calls out of date. */
void lane_call_all(struct work *);

#endif
