/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_GROUP_INT_H
#define MR_NF_IP_GROUP_INT_H

/*
 * What a group is made of: dealing (who owns a bucket), ranges of the bucket array, sets.
 *
 * Ownership: the caller's. Threads: the control thread.
 */

#include "kit/base/hash.h"
#include "kit/base/rcu.h"
#include "nf/ip/group.h"

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
 * 8.6 %, and 1.7 % instead of 3.1 % between two. Evening out the rest would make the owner of
 * a bucket depend on all members, and a member's leaving move flows of those who stay.
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

/* -- sets --------------------------------------------------------------------------------- */

struct member {
	uint32_t adjacency;
	uint16_t weight;
	uint16_t interface; /* 0: of a special one, always usable */
	bool usable;
	uint64_t identity;
};

struct set {
	struct mr_rcu_head rcu;
	struct mr_ip *ip;
	uint32_t base;
	uint16_t count, usable;
	uint8_t order; /* of the number of buckets; 0: none */
	struct member members[];
};

struct mr_groups {
	struct group **at; /* [MR_IP_GROUPS_MAX] */
	uint32_t *free;    /* indices to use again */
	uint32_t free_count, free_room;
	uint32_t end;   /* above the largest index ever used */
	uint32_t count; /* of those in the hash */
	uint32_t *heads, heads_mask;
	struct mr_hash_key key;
	struct ranges ranges;
	struct mr_rcu_queue queue;
};

/* The members sorted, each next hop once, with a reference to each; no buckets yet. */
struct set *set_create(struct mr_ip *, const struct mr_group_member *, unsigned count);
/* Gives it what it needs to be published. Releases it on failure. */
int set_finish(struct set *, struct mr_error *);
void set_publish(struct mr_ip *, uint32_t group, const struct set *);
/* When no worker has it. */
void set_release(struct set *);
bool set_equals(const struct set *, const struct set *);
/* The interface went up or down. Returns whether the number of usable members became or was 0. */
bool set_follow(struct set *, uint16_t interface, bool up);

#endif
