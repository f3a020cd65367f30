/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_GROUP_INT_H
#define MR_NF_IP_GROUP_INT_H

/*
 * What a group is made of: dealing (who owns a bucket) and the ranges of the bucket array.
 *
 * Ownership: the caller's. Threads: the control thread.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

/* -- dealing ---------------------------------------------------------------------------- */

/*
 * Weighted rendezvous hashing (Thaler, Ravishankar, RFC 2991's HRW; weights after Schindelhauer
 * and Schomaker): for each bucket every member draws a number u in (0, 1) that depends on the
 * member and the bucket alone, and the largest log(u) / weight owns it. Taking a member
 * away leaves the others' draws alone, so only its own buckets move.
 *
 * Independent draws share 1,024 buckets between 16 members with a standard deviation of 12 % of
 * the mean. A member's draws are a permutation of the buckets instead (its
 * u's leading bits), so that every member has exactly as many high and low ones as the others:
 * 8 %, and 1.8 % instead of 3.1 % between two. Evening out the rest would make the owner of a bucket
 * depend on all members, and a member's leaving move flows of those who stay.
 */
struct deal_member {
	uint64_t identity;
	uint32_t add[3], mul[3]; /* of the permutation */
	uint16_t weight;
};

/* `identity` must be the same for the same next hop in every group, process and start. */
void deal_member_init(struct deal_member *, uint64_t identity, uint16_t weight);
/* The member's draw for one of 2^order buckets. */
uint32_t deal_draw(const struct deal_member *, unsigned order, uint32_t bucket);
/* Whether `a` with its draw takes a bucket from `b`. */
bool deal_beats(const struct deal_member *a, uint32_t draw_a, const struct deal_member *b,
    uint32_t draw_b);

/* -- ranges of buckets -------------------------------------------------------------------- */

#define RANGE_ORDER_MIN 6u /* 64 buckets */
#define RANGE_ORDER_MAX 12u
#define RANGE_ORDERS (RANGE_ORDER_MAX - RANGE_ORDER_MIN + 1)

/* A buddy allocator: ranges of 2^order, split as needed and joined as they come back. */
struct ranges {
	uint8_t *state; /* of each 64 buckets: order + 1 when a free range begins there */
	uint32_t *next, *previous;    /* of free ranges, by the same index */
	uint32_t first[RANGE_ORDERS]; /* + 1; 0: none */
	uint32_t end, limit;          /* of what was ever taken, of all; in 64 buckets */
};

int ranges_create(struct ranges *, uint32_t buckets, struct mr_error *);
void ranges_destroy(struct ranges *);
/* -ENOSPC. */
int ranges_get(struct ranges *, unsigned order, uint32_t *base);
void ranges_put(struct ranges *, unsigned order, uint32_t base);

#endif
