/* SPDX-License-Identifier: Apache-2.0 */
/* A group's set: its members, and who of them has which bucket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/ip/group_int.h"

#define FEW_MEMBERS 16u

void
set_release(struct set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		mr_adjacency_put(set->ip, set->members[i].adjacency);
	if (set->order)
		ranges_put(&set->ip->group_state->ranges, set->order, set->base);
	free(set);
}

static bool
is_up(const struct mr_ip *ip, uint16_t interface)
{
	return interface == 0 || (mr_ip_flags(&ip->interfaces[interface]) & MR_IP_UP) != 0;
}

/* The same for the same next hop wherever and whenever: names, not numbers. */
static uint64_t
identity_of(const struct mr_ip *ip, uint32_t adjacency)
{
	static const uint64_t key[2] = { 0x6d696c6c72616365, 0x6e6578742d686f70 };
	const struct mr_adjacency_info *a = mr_adjacency_info(ip, adjacency);
	struct {
		uint8_t family, glean;
		uint8_t address[16];
		char interface[MR_PORT_NAME_MAX];
	} is = { 0 };

	if (adjacency < MR_IP_SPECIALS) {
		is.family = UINT8_MAX;
		is.address[0] = (uint8_t)adjacency;
	} else {
		is.family = a->family;
		is.glean = a->glean;
		memcpy(is.address, a->address, a->family == MR_IP4 ? 4 : 16);
		snprintf(is.interface, sizeof(is.interface), "%s", ip->info[a->interface].name);
	}
	return mr_siphash(key, &is, sizeof(is));
}

static int
by_adjacency(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->adjacency < y->adjacency ? -1 : x->adjacency > y->adjacency;
}

/* Sorted, each next hop once. It refers to its adjacencies already, and has no buckets yet. */
struct set *
set_create(struct mr_ip *ip, const struct mr_group_member *members, unsigned count)
{
	struct set *set = calloc(1, sizeof(*set) + count * sizeof(set->members[0]));
	unsigned n = 0;

	if (!set)
		return NULL;
	set->ip = ip;
	for (unsigned i = 0; i < count; i++) {
		set->members[i].adjacency = members[i].adjacency;
		set->members[i].weight = MR_MAX(members[i].weight, (uint16_t)1);
	}
	qsort(set->members, count, sizeof(set->members[0]), by_adjacency);
	for (unsigned i = 1; i < count; i++) {
		struct member *last = &set->members[n], *m = &set->members[i];

		if (m->adjacency == last->adjacency)
			last->weight = (uint16_t)MR_MIN(last->weight + m->weight, UINT16_MAX);
		else
			set->members[++n] = *m;
	}
	set->count = (uint16_t)(n + 1);
	for (unsigned i = 0; i < set->count; i++) {
		struct member *m = &set->members[i];

		m->interface = m->adjacency < MR_IP_SPECIALS
		    ? 0
		    : mr_adjacency_info(ip, m->adjacency)->interface;
		m->usable = is_up(ip, m->interface);
		set->usable = (uint16_t)(set->usable + m->usable);
		mr_adjacency_ref(ip, m->adjacency);
	}
	return set;
}

/* -- buckets ---------------------------------------------------------------------------- */

static void
prepare(const struct set *set, struct deal_member *deal)
{
	for (unsigned i = 0; i < set->count; i++)
		deal_member_init(&deal[i], set->members[i].identity, set->members[i].weight);
}

static unsigned
owner_of(const struct set *set, const struct deal_member *deal, uint32_t bucket)
{
	unsigned best = UINT16_MAX;
	uint32_t best_draw = 0;

	for (unsigned i = 0; i < set->count; i++) {
		uint32_t draw;

		if (set->usable && !set->members[i].usable)
			continue;
		draw = deal_draw(&deal[i], set->order, bucket);
		if (best == UINT16_MAX || deal_beats(&deal[i], draw, &deal[best], best_draw)) {
			best = i;
			best_draw = draw;
		}
	}
	return best;
}

static void
store(const struct set *set, uint32_t bucket, unsigned owner)
{
	_Atomic uint32_t *place = &set->ip->buckets[set->base + bucket];
	uint32_t adjacency = set->members[owner].adjacency;

	/* Relaxed: an adjacency is published on its own, and stays while the set does. */
	if (atomic_load_explicit(place, memory_order_relaxed) == adjacency)
		return;
	atomic_store_explicit(place, adjacency, memory_order_relaxed);
	mr_generation_bump(ip_bucket_cell(set->ip, (uint32_t)set->base));
}

static void
deal_all(const struct set *set)
{
	struct deal_member deal[MR_GROUP_MEMBERS_MAX];

	prepare(set, deal);
	for (uint32_t b = 0; b < 1u << set->order; b++)
		store(set, b, owner_of(set, deal, b));
}

/* The place in the set of who has a bucket now. */
static unsigned
holder_of(const struct set *set, uint32_t bucket)
{
	struct member key = { .adjacency = atomic_load_explicit(
				  &set->ip->buckets[set->base + bucket], memory_order_relaxed) };
	const struct member *m = bsearch(&key, set->members, set->count, sizeof(key), by_adjacency);

	return (unsigned)(m - set->members);
}

/* After members became unusable: theirs go to the best of the others. */
static void
deal_lost(const struct set *set)
{
	struct deal_member deal[MR_GROUP_MEMBERS_MAX];

	prepare(set, deal);
	for (uint32_t b = 0; b < 1u << set->order; b++)
		if (!set->members[holder_of(set, b)].usable)
			store(set, b, owner_of(set, deal, b));
}

/* After those of `interface` became usable: they take what they are the best for. */
static void
deal_gained(const struct set *set, uint16_t interface)
{
	struct deal_member deal[MR_GROUP_MEMBERS_MAX];

	prepare(set, deal);
	for (uint32_t b = 0; b < 1u << set->order; b++) {
		unsigned best = holder_of(set, b);
		uint32_t best_draw = deal_draw(&deal[best], set->order, b);
		bool taken = false;

		for (unsigned i = 0; i < set->count; i++) {
			uint32_t draw;

			if (set->members[i].interface != interface || i == best)
				continue;
			draw = deal_draw(&deal[i], set->order, b);
			if (deal_beats(&deal[i], draw, &deal[best], best_draw)) {
				best = i;
				best_draw = draw;
				taken = true;
			}
		}
		if (taken)
			store(set, b, best);
	}
}

static int
take_buckets(struct set *set)
{
	struct ranges *r = &set->ip->group_state->ranges;
	unsigned order = (unsigned)__builtin_ctz(
	    set->count <= FEW_MEMBERS ? MR_GROUP_BUCKETS : MR_GROUP_BUCKETS_MAX);

	for (; order >= RANGE_ORDER_MIN; order--) {
		if (ranges_get(r, order, &set->base) == 0) {
			set->order = (uint8_t)order;
			return 0;
		}
	}
	return -ENOSPC;
}

/* Gives a set what it needs to be published. Destroys it on failure. */
int
set_finish(struct set *set, struct mr_error *error)
{
	struct mr_groups *g = set->ip->group_state;
	int rc;

	if (set->count == 1) {
		set->base = set->members[0].adjacency;
		return 0;
	}
	rc = take_buckets(set);
	if (rc && mr_rcu_flush(&g->queue) > 0)
		rc = take_buckets(set);
	if (rc) {
		set_release(set);
		return mr_error_set(error, rc, "more groups of next hops than %u buckets hold",
		    MR_IP_BUCKETS_MAX);
	}
	for (unsigned i = 0; i < set->count; i++)
		set->members[i].identity = identity_of(set->ip, set->members[i].adjacency);
	deal_all(set);
	return 0;
}

void
set_publish(struct mr_ip *ip, uint32_t group, const struct set *set)
{
	uint64_t mask = set->order ? (1u << set->order) - 1 : 0;

	/* Release pairs with the acquire of the forwarding nodes: the buckets are filled. */
	atomic_store_explicit(&ip->groups[group], set->base | mask << 32, memory_order_release);
	mr_generation_bump(&ip->cells->groups[group % MR_IP_CELLS]);
}

bool
set_equals(const struct set *a, const struct set *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (a->members[i].adjacency != b->members[i].adjacency ||
		    a->members[i].weight != b->members[i].weight)
			return false;
	return true;
}

/* Returns whether the number of usable members became or was 0. */
bool
set_follow(struct set *set, uint16_t interface, bool up)
{
	unsigned before = set->usable;

	for (unsigned i = 0; i < set->count; i++) {
		struct member *m = &set->members[i];

		if (m->interface != interface || m->usable == up)
			continue;
		m->usable = up;
		set->usable = (uint16_t)(set->usable + (up ? 1 : -1));
	}
	if (set->usable == before)
		return false;
	if (set->order && (!before || !set->usable))
		deal_all(set);
	else if (set->order && up)
		deal_gained(set, interface);
	else if (set->order)
		deal_lost(set);
	return !before || !set->usable;
}
