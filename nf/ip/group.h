/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_GROUP_H
#define MR_NF_IP_GROUP_H

/*
 * A group: the next hops that a route may take, and how a flow finds its own. The FIBs' values are
 * groups. One next hop needs nothing but itself; several share a power-of-two number of
 * buckets according to their weights, and the flow's hash picks a bucket.
 *
 * Resilient: when a member leaves or becomes unusable, only its own buckets are dealt to the
 * others; when one comes, it takes buckets from each in proportion. So flows of members that
 * stay keep their path (RFC 2992's measure of disruption at its least). Who owns a bucket is
 * a function of the members alone (deal_int.h): the group {A, B} and what {A, B, C} becomes
 * without C are the same, whether C was taken away or never there.
 *
 *   groups[g]   base 32 | mask 16 | 0      mask 0: base is the adjacency
 *		  mask m: buckets[base .. base + m] are adjacencies
 *
 * Groups with equal members are one, counted; but for those that mr_group_make made, whose
 * members can be changed under the routes that lead to them. The first MR_IP_SPECIALS are fixed.
 *
 * A member whose interface is down has no buckets. When that is true of all, the buckets stay
 * as if all were up: packets on their way meet adjacencies that drop them by name.
 *
 * Ownership: a group holds its adjacencies until no worker can have it any more.
 * Threads: workers read one word of the group and one bucket; the control thread writes them.
 * Errors: -ENOSPC without room for one more; short of buckets a group gets fewer, down to 64.
 */

#include "nf/ip/adjacency.h"

#define MR_GROUP_MEMBERS_MAX 256u
#define MR_GROUP_BUCKETS 1024u     /* up to 16 members: the same for all, so that flows stay */
#define MR_GROUP_BUCKETS_MAX 4096u /* above */

struct mr_group_member {
	uint32_t adjacency;
	uint16_t weight; /* at least 1 */
	uint16_t spare;
};

mr_inline uint32_t
mr_group_base(uint64_t group)
{
	return (uint32_t)group;
}

mr_inline uint32_t
mr_group_mask(uint64_t group)
{
	return (uint32_t)(group >> 32) & 0xffff;
}

mr_inline struct mr_generation *
ip_bucket_cell(const struct mr_ip *ip, uint32_t base)
{
	return &ip->cells->buckets[base / 64 % MR_IP_CELLS];
}

/* Finds or makes the group of these members (in any order), one reference more; takes a
 * reference of each adjacency for itself. */
int mr_group_get(struct mr_ip *, const struct mr_group_member *, unsigned count, uint32_t *group,
    struct mr_error *);
/* A group of the caller's own, not shared; and its new members later: all routes
 * through it follow at once. On failure it stays as it was. */
int mr_group_make(struct mr_ip *, const struct mr_group_member *, unsigned count, uint32_t *group,
    struct mr_error *);
int mr_group_change(struct mr_ip *, uint32_t group, const struct mr_group_member *, unsigned count,
    struct mr_error *);
void mr_group_ref(struct mr_ip *, uint32_t group);
/* The last one frees it after a grace period. */
void mr_group_put(struct mr_ip *, uint32_t group);
/* Members as configured, at most `max` of them; returns how many there are. */
unsigned mr_group_members(const struct mr_ip *, uint32_t group, struct mr_group_member *,
    unsigned max);
/* How many of them can be used now: 0 and its routes should not be. */
unsigned mr_group_usable(const struct mr_ip *, uint32_t group);
/* The interface went up or down: every group through it deals its buckets anew. Groups whose
 * number of usable members became or stopped being 0 are told to `changed`. */
void mr_group_interface(struct mr_ip *, uint16_t interface, bool up,
    void (*changed)(void *user, uint32_t group), void *user);
/* Groups in use: start with 0, ends with 0. */
uint32_t mr_group_next(const struct mr_ip *, uint32_t group);
/* Buckets per member, for show and tests. */
unsigned mr_group_share(const struct mr_ip *, uint32_t group, uint32_t adjacency,
    unsigned *buckets);

/* Waits for the workers, if groups or members were put, and frees those. */
void mr_group_flush(struct mr_ip *);
/* Frees what group.c keeps, when no worker runs any more. */
void mr_groups_destroy(struct mr_ip *);

#endif
