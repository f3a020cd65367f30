/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to remote ends: looked up once a second, since what changes with them is no more than
 * whether there is one, and the largest packet that it takes. Where packets go, the router says. */
#include "nf/ip/adjacency.h"
#include "nf/ip/group.h"
#include "nf/tunnel/control_int.h"

struct way {
	unsigned via, mtu;
};

static struct way
way_of(const struct mr_ip *ip, uint32_t found)
{
	/* Acquire pairs with the release in group.c: the buckets are filled. */
	uint64_t group = atomic_load_explicit(&ip->groups[found], memory_order_acquire);
	uint32_t mask = mr_group_mask(group), base = mr_group_base(group);
	struct way way = { 0, 0 };

	for (uint32_t i = 0; i <= mask; i++) {
		uint32_t a = mask
		    ? atomic_load_explicit(&ip->buckets[base + i], memory_order_acquire)
		    : base;
		uint64_t control =
		    atomic_load_explicit(&ip->adjacencies[a].control, memory_order_acquire);
		unsigned mtu = MR_ADJACENCY_MTU(control);

		if (a < MR_IP_SPECIALS || !mtu)
			continue;
		way.via = (unsigned)MR_ADJACENCY_INTERFACE(control);
		way.mtu = way.mtu ? MR_MIN(way.mtu, mtu) : mtu;
	}
	return way;
}

static uint32_t
look_up(const struct mr_ip *ip, uint16_t vrf, const struct tunnel_ip *a)
{
	uint8_t prefix[16];
	unsigned len;

	return mr_ip_lookup(ip, vrf, a->six ? MR_IP6 : MR_IP4, a->bytes, prefix, &len);
}

static void
refresh(const struct mr_ip *ip, struct tunnel_record *r)
{
	bool changed = false;

	for (unsigned i = 0; i < r->now.remote_count; i++) {
		struct tunnel_live *live = &r->t->live[r->number_of[i]];
		struct way way = way_of(ip, look_up(ip, r->vrf, &r->now.remotes[i]));

		changed |= atomic_load_explicit(&live->via, memory_order_relaxed) != way.via ||
		    atomic_load_explicit(&live->mtu, memory_order_relaxed) != way.mtu;
		atomic_store_explicit(&live->mtu, (uint16_t)way.mtu, memory_order_relaxed);
		atomic_store_explicit(&live->via, (uint16_t)way.via, memory_order_relaxed);
	}
	if (changed)
		mr_generation_bump(&r->t->changed);
}

void
tunnel_routes_refresh(struct tunnels *all)
{
	struct tunnel_record *r;
	unsigned slot;

	tunnels_each(all, slot, r)
		refresh(all->base->ip, r);
}

bool
tunnel_local_is_own(const struct tunnels *all, const struct tunnel_record *r)
{
	const struct mr_ip *ip = all->base->ip;
	uint64_t group = atomic_load_explicit(&ip->groups[look_up(ip, r->vrf, &r->now.local)],
	    memory_order_acquire);

	return !mr_group_mask(group) && mr_group_base(group) == MR_IP_SPECIAL_LOCAL;
}
