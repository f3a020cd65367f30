/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ICMP_ROUTE_INT_H
#define MR_NF_ICMP_ROUTE_INT_H

/* One address looked up on a worker, as the forwarding nodes do it for vectors. */

#include "nf/icmp/icmp_int.h"
#include "nf/ip/group.h"

/* The adjacency that leads to the address from this interface's VRF (the first of several);
 * one below MR_IP_SPECIALS is a decision. */
uint32_t icmp_route(const struct icmp_work *, const struct mr_ip_interface *, enum mr_ip_family,
    const uint8_t *address);
/* That which an IPv4 packet will take, of several by its flow. */
uint32_t icmp_route_packet(const struct icmp_work *, const struct mr_ip_interface *,
    const struct mr_packet *, const uint8_t *address);

/* An address of this router. */
mr_inline bool
icmp_is_ours(const struct icmp_work *w, const struct mr_ip_interface *i, enum mr_ip_family family,
    const uint8_t *address)
{
	return icmp_route(w, i, family, address) == MR_IP_SPECIAL_LOCAL;
}

/* Whether packets to an adjacency leave as broadcasts: a subnet's broadcast address, where those
 * are sent on. */
mr_inline bool
icmp_is_broadcast(const struct icmp_work *w, uint32_t adjacency)
{
	const struct mr_adjacency *a = &w->icmp->ip->adjacencies[adjacency];
	/* Acquire pairs with publish() in nf/ip/adjacency.c. */
	uint64_t control = atomic_load_explicit(&a->control, memory_order_acquire);
	unsigned len = MR_ADJACENCY_LEN(control);

	return adjacency == MR_IP_SPECIAL_BROADCAST ||
	    ((MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_COMPLETE) && len >= 6 &&
		len <= MR_ADJACENCY_REWRITE_MAX &&
		mr_eth_is_multicast(a->rewrite[MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_SECOND] +
		    MR_ADJACENCY_REWRITE_MAX - len));
}

/* An address that an answer can be sent to: there is a way to it, and it is neither ours nor a
 * subnet's broadcast. (Of link-local ones the frame knows the way.) */
mr_inline bool
icmp_is_remote(const struct icmp_work *w, const struct mr_ip_interface *i, enum mr_ip_family family,
    const uint8_t *address)
{
	uint32_t adjacency = icmp_route(w, i, family, address);

	return (adjacency >= MR_IP_SPECIALS && !icmp_is_broadcast(w, adjacency)) ||
	    (family == MR_IP6 && icmp_is_link_local6(address));
}

/* The interface that an adjacency leaves by; 0: none. */
mr_inline uint16_t
icmp_leaves_by(const struct icmp_work *w, uint32_t adjacency)
{
	uint64_t control = atomic_load_explicit(&w->icmp->ip->adjacencies[adjacency].control,
	    memory_order_acquire);

	return (uint16_t)MR_ADJACENCY_INTERFACE(control);
}

#endif
