/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/icmp/route_int.h"

#include "kit/packet/flow_hash.h"
#include "kit/table/fib4.h"
#include "kit/table/fib6.h"

static uint32_t
member(const struct mr_ip *ip, uint32_t found, uint32_t hash)
{
	/* Acquire pairs with the release in group.c: the buckets are filled. */
	uint64_t group = atomic_load_explicit(&ip->groups[found], memory_order_acquire);
	uint32_t mask = mr_group_mask(group), base = mr_group_base(group);

	if (!mask)
		return base;
	return atomic_load_explicit(&ip->buckets[base + (hash & mask)], memory_order_acquire);
}

uint32_t
icmp_route(const struct icmp_work *w, const struct mr_ip_interface *i, enum mr_ip_family family,
    const uint8_t *address)
{
	uint32_t found = family == MR_IP4 ? mr_fib4_find(mr_ip_fib4(i), mr_load_be32(address))
					  : mr_fib6_find(mr_ip_fib6(i), address);

	return member(w->icmp->ip, found, 0);
}

uint32_t
icmp_route_packet(const struct icmp_work *w, const struct mr_ip_interface *i,
    const struct mr_packet *p, const uint8_t *address)
{
	return member(w->icmp->ip, mr_fib4_find(mr_ip_fib4(i), mr_load_be32(address)),
	    mr_packet_flow_hash(p));
}
