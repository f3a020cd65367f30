/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_FORWARD6_INL_H
#define MR_NF_IP_FORWARD6_INL_H

/* IPv6 forwarding (RFC 8200), for ip-input and ip6-forward alike. */

#include "kit/table/fib6.h"
#include "nf/ip/forward_inl.h"

#define IP6_HEADER ((unsigned)sizeof(struct mr_ip6))

/* Codes of ICMPv6 unreachable (RFC 4443, 3.1). */
enum {
	CODE_NO_ROUTE = 0,
	CODE_PROHIBITED = 1,
	CODE_BEYOND_SCOPE = 2,
	CODE_ADDRESS = 3,
};

/* Global or unique local unicast: what nearly all sources are. */
mr_inline bool
ip6_source_fine(const uint8_t *src)
{
	return src[0] >> 5 == 1 || (src[0] & 0xfe) == 0xfc;
}

mr_inline bool
ip6_plain(const uint8_t *header, unsigned room)
{
	return mr_likely(header[0] >> 4 == 6) &&
	    mr_likely(mr_load_be16(header + 4) + IP6_HEADER <= room) && mr_likely(header[7] > 1) &&
	    mr_likely(ip6_source_fine(header + 8));
}

/* Whether an Ethernet type and the header behind it are IPv6 that needs no closer look; as ip6_plain,
 * one test after the other, as they hardly ever fail. */
mr_inline bool
ip6_plain_at(const uint8_t *type, unsigned room)
{
	uint32_t first;
	uint64_t a;

	memcpy(&first, type, 4);
	memcpy(&a, type + 2, 8);
	return mr_likely(!((first ^ (0x600000u | mr_be16(MR_ETH_TYPE_IP6))) & 0xf0ffff)) &&
	    mr_likely(mr_be16((uint16_t)(a >> 32)) + IP6_HEADER <= room) &&
	    mr_likely(a >> 56 > 1) && mr_likely(ip6_source_fine(type + 10));
}

mr_verdict_t ip6_decide(const struct ip_work *, struct mr_packet *, const struct ip_at *,
    uint32_t group);
mr_verdict_t ip6_slow(const struct ip_work *, struct mr_packet *, const struct ip_at *);
uint32_t ip6_record(const struct ip_work *, const struct mr_packet *, unsigned in, unsigned l3);

/* What the loop below leaves out: recorded, refused, or not the usual way. */
mr_verdict_t ip6_unusual(const struct ip_work *, struct mr_packet *, unsigned in, unsigned l3,
    uint32_t group, uint32_t adjacency);

/* As ip4_batch, with pointers to the destinations, in the packets, in b->pointer. */
mr_inline void
ip6_batch(const struct ip_work *w, struct mr_recorder *rec, struct ip_batch *b, unsigned count,
    const uint32_t *packets, mr_verdict_t *verdicts, unsigned in, unsigned l3)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[in];
	unsigned in_flags = mr_ip_flags(interface);
	const struct mr_adjacency *adjacencies = w->ip->adjacencies;
	uint8_t *base = w->run->base;
	bool filter = in_flags & (MR_IP_URPF6_STRICT | MR_IP_URPF6_LOOSE);
	unsigned usual = ip_usual(MR_IP6, l3, in_flags);

	mr_fib6_lookup(mr_ip_fib6(interface), b->pointer, b->group, count);
	ip_members(w, b, packets, count);
	if (mr_unlikely(filter)) {
		for (unsigned i = 0; i < count; i++)
			b->pointer[i] -= 16; /* to the source */
		mr_fib6_lookup(mr_ip_fib6(interface), b->pointer, b->back, count);
		for (unsigned i = 0; i < count; i++) {
			b->pointer[i] += 16;
			if (!ip_reverse_ok(w->ip, b->back[i], in, in_flags & MR_IP_URPF6_STRICT) &&
			    !ip_is_translated(mr_packet_at(base, packets[b->at[i]])))
				b->adjacency[i] = IP_REFUSED;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		uint8_t *ip = (uint8_t *)b->pointer[i] - 24;
		unsigned at = b->at[i];
		const struct mr_adjacency *adjacency = &adjacencies[b->adjacency[i]];
		/* Acquire pairs with publish() in adjacency.c. */
		uint64_t control = atomic_load_explicit(&adjacency->control, memory_order_acquire);
		struct mr_packet *p = mr_packet_at(base, packets[at]);
		unsigned size = p->total - l3; /* with what follows the packet */

		if (mr_unlikely(rec || ip_way(control) != usual ||
			MR_ADJACENCY_INTERFACE(control) == in ||
			size > MR_ADJACENCY_MTU(control))) {
			verdicts[at] = ip6_unusual(w, p, in, l3, b->group[i], b->adjacency[i]);
			continue;
		}
		ip_write(ip, l3, adjacency, control);
		ip[7]--;
		verdicts[at] = MR_ADJACENCY_VERDICT(control);
	}
}

#endif
