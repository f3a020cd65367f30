/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: found by their members, counted, and taken apart when no worker can have them any
 * more. A group that is changed gets a new set (group_set.c), and workers go from one to
 * the other by one word.
 */
#include "nf/ip/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/hash.h"
#include "kit/base/rcu.h"
#include "nf/ip/group_int.h"

#define HASH_FIRST 256u
#define WAITING_MAX 256u /* then those that were put wait for the workers */

struct group {
	struct mr_rcu_head rcu;
	struct mr_ip *ip;
	struct set *set;
	uint32_t index, references;
	uint32_t next; /* with the same hash */
	uint32_t hash;
	bool own; /* of mr_group_make */
};

static struct group *
find(const struct mr_ip *ip, uint32_t group)
{
	const struct mr_groups *g = ip->group_state;

	return g && group < g->end ? g->at[group] : NULL;
}

static bool
is_special(uint32_t group)
{
	return group < MR_IP_SPECIALS;
}

/* -- life of it all --------------------------------------------------------------------- */

static int
create(struct mr_ip *ip, struct mr_error *error)
{
	struct mr_groups *g = calloc(1, sizeof(*g));
	int rc;

	if (!g)
		return mr_error_set(error, -ENOMEM, "no memory for groups of next hops");
	ip->group_state = g;
	g->end = MR_IP_SPECIALS;
	g->at = calloc(MR_IP_GROUPS_MAX, sizeof(struct group *)); /* touched where used */
	g->heads = calloc(HASH_FIRST, sizeof(*g->heads));
	g->heads_mask = HASH_FIRST - 1;
	rc = g->at && g->heads ? mr_hash_key_random(&g->key, error)
			       : mr_error_set(error, -ENOMEM, "no memory for groups of next hops");
	if (!rc)
		rc = ranges_create(&g->ranges, MR_IP_BUCKETS_MAX, error);
	if (rc)
		mr_groups_destroy(ip);
	return rc;
}

void
mr_groups_destroy(struct mr_ip *ip)
{
	struct mr_groups *g = ip->group_state;

	if (!g)
		return;
	mr_rcu_drain(&g->queue);
	for (uint32_t i = MR_IP_SPECIALS; g->at && i < g->end; i++) {
		if (!g->at[i])
			continue;
		set_release(g->at[i]->set);
		free(g->at[i]);
	}
	ranges_destroy(&g->ranges);
	free(g->at);
	free(g->heads);
	free(g->free);
	free(g);
	ip->group_state = NULL;
}

void
mr_group_flush(struct mr_ip *ip)
{
	if (ip->group_state)
		mr_rcu_flush(&ip->group_state->queue);
}

/* -- after a grace period -------------------------------------------------------------- */

static void
set_freed(struct mr_rcu_head *head)
{
	set_release(mr_container_of(head, struct set, rcu));
}

static void
group_freed(struct mr_rcu_head *head)
{
	struct group *group = mr_container_of(head, struct group, rcu);
	struct mr_groups *g = group->ip->group_state;

	set_release(group->set);
	g->at[group->index] = NULL;
	if (g->free_count == g->free_room) {
		uint32_t room = g->free_room ? g->free_room * 2 : 64;
		uint32_t *items = realloc(g->free, room * sizeof(*items));

		if (items) {
			g->free = items;
			g->free_room = room;
		}
	}
	/* Without memory the index is lost, and nothing else. */
	if (g->free_count < g->free_room)
		g->free[g->free_count++] = group->index;
	free(group);
}

static void
defer(struct mr_groups *g, struct mr_rcu_head *head, void (*freed)(struct mr_rcu_head *))
{
	mr_rcu_defer(&g->queue, head, freed);
	if (mr_rcu_waiting(&g->queue) >= WAITING_MAX)
		mr_rcu_flush(&g->queue);
}

/* -- the hash of sets ------------------------------------------------------------------- */

static uint32_t
hash_of(const struct mr_groups *g, const struct set *set)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < set->count; i++)
		sum = mr_hash_u128(&g->key, sum,
		    (uint64_t)set->members[i].adjacency << 16 | set->members[i].weight);
	return (uint32_t)sum;
}

static void
hash_grow(struct mr_groups *g)
{
	uint32_t mask = g->heads_mask * 2 + 1;
	uint32_t *heads = calloc((size_t)mask + 1, sizeof(*heads));

	if (!heads) /* it gets slower, and nothing else */
		return;
	for (uint32_t i = 0; i <= g->heads_mask; i++) {
		for (uint32_t at = g->heads[i], next; at; at = next) {
			struct group *group = g->at[at];

			next = group->next;
			group->next = heads[group->hash & mask];
			heads[group->hash & mask] = at;
		}
	}
	free(g->heads);
	g->heads = heads;
	g->heads_mask = mask;
}

static void
hash_add(struct mr_groups *g, struct group *group)
{
	uint32_t *head;

	if (g->count > g->heads_mask)
		hash_grow(g);
	head = &g->heads[group->hash & g->heads_mask];
	group->next = *head;
	*head = group->index;
	g->count++;
}

static void
hash_remove(struct mr_groups *g, const struct group *group)
{
	uint32_t *at = &g->heads[group->hash & g->heads_mask];

	while (*at != group->index)
		at = &g->at[*at]->next;
	*at = group->next;
	g->count--;
}

/* -- groups ----------------------------------------------------------------------------- */

static uint32_t
index_get(struct mr_groups *g)
{
	if (!g->free_count && g->end == MR_IP_GROUPS_MAX)
		mr_rcu_flush(&g->queue);
	if (g->free_count)
		return g->free[--g->free_count];
	return g->end < MR_IP_GROUPS_MAX ? g->end++ : 0;
}

/* Makes the set a group's. Destroys it on failure. */
static int
group_create(struct mr_ip *ip, struct set *set, bool own, uint32_t hash, uint32_t *out,
    struct mr_error *error)
{
	struct mr_groups *g = ip->group_state;
	struct group *group = calloc(1, sizeof(*group));
	int rc;

	if (!group) {
		set_release(set);
		return mr_error_set(error, -ENOMEM, "no memory for a group of next hops");
	}
	rc = set_finish(set, error);
	if (rc) {
		free(group);
		return rc;
	}
	group->index = index_get(g);
	if (!group->index) {
		free(group);
		set_release(set);
		return mr_error_set(error, -ENOSPC, "more than %u groups of next hops",
		    MR_IP_GROUPS_MAX);
	}
	group->ip = ip;
	group->set = set;
	group->references = 1;
	group->own = own;
	group->hash = hash;
	g->at[group->index] = group;
	if (!own)
		hash_add(g, group);
	set_publish(ip, group->index, set);
	*out = group->index;
	return 0;
}

static int
check(struct mr_ip *ip, unsigned count, struct mr_error *error)
{
	if (count == 0 || count > MR_GROUP_MEMBERS_MAX)
		return mr_error_set(error, -EINVAL, "%u next hops: 1 to %u can share a route",
		    count, MR_GROUP_MEMBERS_MAX);
	return ip->group_state ? 0 : create(ip, error);
}

int
mr_group_get(struct mr_ip *ip, const struct mr_group_member *members, unsigned count, uint32_t *out,
    struct mr_error *error)
{
	struct mr_groups *g;
	struct set *set;
	uint32_t hash;
	int rc;

	if (count == 1 && members[0].adjacency < MR_IP_SPECIALS) {
		*out = members[0].adjacency;
		return 0;
	}
	rc = check(ip, count, error);
	if (rc)
		return rc;
	g = ip->group_state;
	set = set_create(ip, members, count);
	if (!set)
		return mr_error_set(error, -ENOMEM, "no memory for a group of next hops");
	hash = hash_of(g, set);
	for (uint32_t at = g->heads[hash & g->heads_mask]; at; at = g->at[at]->next) {
		struct group *group = g->at[at];

		if (group->hash != hash || !set_equals(group->set, set))
			continue;
		set_release(set);
		group->references++;
		*out = at;
		return 0;
	}
	return group_create(ip, set, false, hash, out, error);
}

int
mr_group_make(struct mr_ip *ip, const struct mr_group_member *members, unsigned count,
    uint32_t *out, struct mr_error *error)
{
	int rc = check(ip, count, error);
	struct set *set;

	if (rc)
		return rc;
	set = set_create(ip, members, count);
	if (!set)
		return mr_error_set(error, -ENOMEM, "no memory for a group of next hops");
	return group_create(ip, set, true, 0, out, error);
}

int
mr_group_change(struct mr_ip *ip, uint32_t index, const struct mr_group_member *members,
    unsigned count, struct mr_error *error)
{
	struct group *group = find(ip, index);
	struct set *set, *old;
	int rc = check(ip, count, error);

	if (rc)
		return rc;
	if (!group || !group->own)
		return mr_error_set(error, -EINVAL, "group %u cannot be changed", index);
	set = set_create(ip, members, count);
	if (!set)
		return mr_error_set(error, -ENOMEM, "no memory for a group of next hops");
	old = group->set;
	if (set_equals(set, old)) {
		set_release(set);
		return 0;
	}
	rc = set_finish(set, error);
	if (rc)
		return rc;
	group->set = set;
	set_publish(ip, index, set);
	defer(ip->group_state, &old->rcu, set_freed);
	return 0;
}

void
mr_group_ref(struct mr_ip *ip, uint32_t index)
{
	struct group *group = find(ip, index);

	if (group)
		group->references++;
}

void
mr_group_put(struct mr_ip *ip, uint32_t index)
{
	struct group *group = find(ip, index);

	if (!group || --group->references > 0)
		return;
	if (!group->own)
		hash_remove(ip->group_state, group);
	defer(ip->group_state, &group->rcu, group_freed);
}

unsigned
mr_group_members(const struct mr_ip *ip, uint32_t index, struct mr_group_member *members,
    unsigned max)
{
	const struct group *group = find(ip, index);

	if (is_special(index) && max > 0)
		members[0] = (struct mr_group_member){ .adjacency = index, .weight = 1 };
	if (!group)
		return is_special(index) ? 1 : 0;
	for (unsigned i = 0; i < MR_MIN(max, (unsigned)group->set->count); i++)
		members[i] = (struct mr_group_member){
			.adjacency = group->set->members[i].adjacency,
			.weight = group->set->members[i].weight,
		};
	return group->set->count;
}

unsigned
mr_group_usable(const struct mr_ip *ip, uint32_t index)
{
	const struct group *group = find(ip, index);

	if (!group)
		return is_special(index) ? 1 : 0;
	return group->set->usable;
}

void
mr_group_interface(struct mr_ip *ip, uint16_t interface, bool up,
    void (*changed)(void *user, uint32_t group), void *user)
{
	struct mr_groups *g = ip->group_state;

	if (!interface)
		return;
	for (uint32_t i = MR_IP_SPECIALS; g && i < g->end; i++)
		if (g->at[i] && g->at[i]->references && set_follow(g->at[i]->set, interface, up) &&
		    changed)
			changed(user, i);
}

uint32_t
mr_group_next(const struct mr_ip *ip, uint32_t index)
{
	const struct mr_groups *g = ip->group_state;

	for (index = MR_MAX(index + 1, (uint32_t)MR_IP_SPECIALS); g && index < g->end; index++)
		if (g->at[index] && g->at[index]->references)
			return index;
	return 0;
}

unsigned
mr_group_share(const struct mr_ip *ip, uint32_t index, uint32_t adjacency, unsigned *buckets)
{
	uint64_t word = atomic_load_explicit(&ip->groups[index], memory_order_relaxed);
	uint32_t base = mr_group_base(word), mask = mr_group_mask(word);
	unsigned share = 0;

	*buckets = mask + 1;
	if (!mask)
		return base == adjacency;
	for (uint32_t b = 0; b <= mask; b++)
		share +=
		    atomic_load_explicit(&ip->buckets[base + b], memory_order_relaxed) == adjacency;
	return share;
}
