/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_FORWARD4_INL_H
#define MR_NF_IP_FORWARD4_INL_H

/* IPv4 forwarding (RFC 1812, section 5), for ip-input and ip4-forward alike. */

#include "kit/packet/checksum.h"
#include "kit/table/fib4.h"
#include "nf/ip/forward_inl.h"

#define IP4_HEADER ((unsigned)sizeof(struct mr_ip4))

mr_inline uint32_t
ip4_load(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return mr_be32(v);
}

/* Whether a source may begin with this byte: not 0/8, 127/8, nor above unicast. */
extern const uint8_t ip4_source_first[256];

/* Whether an Ethernet type and the header behind it are IPv4 that needs no closer look: no options,
 * right lengths and checksum, a TTL to spare, a source that may be. `room` bytes from the
 * header on have arrived. */
mr_inline bool
ip4_plain_at(const uint8_t *type, unsigned room)
{
	uint32_t first, c;
	uint64_t a, b;

	memcpy(&first, type, 4);
	memcpy(&a, type + 2, 8);
	memcpy(&b, type + 10, 8);
	memcpy(&c, type + 18, 4);
	return mr_likely(!((first ^ (0x450000u | mr_be16(MR_ETH_TYPE_IP4))) & 0xffffff)) &&
	    mr_likely(mr_be16((uint16_t)(a >> 16)) - IP4_HEADER <= room - IP4_HEADER) &&
	    mr_likely((uint8_t)b > 1) && mr_likely(!ip4_source_first[(uint8_t)(b >> 32)]) &&
	    mr_likely(mr_checksum_ip4_good(a, b, c));
}

/* The same without a type in front. */
mr_inline bool
ip4_plain(const uint8_t *header, unsigned room)
{
	uint64_t a, b;
	uint32_t c;

	memcpy(&a, header, 8);
	memcpy(&b, header + 8, 8);
	memcpy(&c, header + 16, 4);
	return (uint8_t)a == 0x45 &&
	    mr_be16((uint16_t)(a >> 16)) - IP4_HEADER <= room - IP4_HEADER && (uint8_t)b > 1 &&
	    !ip4_source_first[(uint8_t)(b >> 32)] && mr_checksum_ip4_good(a, b, c);
}

mr_inline bool
ip4_source_fine(uint32_t src)
{
	return !ip4_source_first[src >> 24];
}

/* The general case of sending: after the look-up, whatever is unusual about the packet or its way. */
mr_verdict_t ip4_decide(const struct ip_work *, struct mr_packet *, const struct ip_at *,
    uint32_t group);
/* The same from the header's checks on. */
mr_verdict_t ip4_slow(const struct ip_work *, struct mr_packet *, const struct ip_at *);
/* Looks a recorded packet's destination up, and writes down what that rests on. */
uint32_t ip4_record(const struct ip_work *, const struct mr_packet *, unsigned in, unsigned l3);

/* What the loop below leaves out: recorded, refused, or not the usual way. */
mr_verdict_t ip4_unusual(const struct ip_work *, struct mr_packet *, unsigned in, unsigned l3,
    uint32_t group, uint32_t adjacency);

/* TTL one less and the checksum with it, as mr_edit_ttl4 does. */
mr_inline void
ip4_age(uint8_t *ip)
{
	uint32_t word;

	/* TTL, protocol, checksum; the sum's upper byte stands in the lower place. */
	memcpy(&word, ip + 8, 4);
	if (mr_unlikely(word >= 0xfffe0000u))
		word += 0x10000u; /* 0xffff is 0 (RFC 1141) */
	word += 0x10000u - 1;
	memcpy(ip + 8, &word, 4);
}

/* The plain packets of a vector, whose destinations are in b->address: looked up and sent.
 * All came in on one interface and their IP headers stand at `l3`. */
mr_inline void
ip4_batch(const struct ip_work *w, struct mr_recorder *rec, struct ip_batch *b, unsigned count,
    const uint32_t *packets, mr_verdict_t *verdicts, unsigned in, unsigned l3)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[in];
	unsigned in_flags = mr_ip_flags(interface);
	/* Local, because the compiler must take every store of bytes for one to the tables. */
	const struct mr_adjacency *adjacencies = w->ip->adjacencies;
	uint8_t *base = w->run->base;
	bool filter = in_flags & (MR_IP_URPF4_STRICT | MR_IP_URPF4_LOOSE);
	unsigned usual = ip_usual(MR_IP4, l3, in_flags);

	mr_fib4_lookup(mr_ip_fib4(interface), b->address, b->group, count);
	ip_members(w, b, packets, count);
	if (mr_unlikely(filter)) {
		for (unsigned i = 0; i < count; i++)
			b->address[i] = ip4_load(
			    mr_packet_bytes_const(mr_packet_at(base, packets[b->at[i]])) + l3 + 12);
		mr_fib4_lookup(mr_ip_fib4(interface), b->address, b->back, count);
		for (unsigned i = 0; i < count; i++)
			if (!ip_reverse_ok(w->ip, b->back[i], in, in_flags & MR_IP_URPF4_STRICT) &&
			    !ip_is_translated(mr_packet_at(base, packets[b->at[i]])))
				b->adjacency[i] = IP_REFUSED;
	}
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(base, packets[b->at[i]]);
		uint8_t *ip = mr_packet_bytes(p) + l3;
		const struct mr_adjacency *adjacency = &adjacencies[b->adjacency[i]];
		/* Acquire pairs with publish() in adjacency.c. */
		uint64_t control = atomic_load_explicit(&adjacency->control, memory_order_acquire);
		unsigned size = p->total - l3; /* with what follows the packet */

		if (mr_unlikely(rec || ip_way(control) != usual ||
			MR_ADJACENCY_INTERFACE(control) == in ||
			size > MR_ADJACENCY_MTU(control))) {
			verdicts[b->at[i]] =
			    ip4_unusual(w, p, in, l3, b->group[i], b->adjacency[i]);
			continue;
		}
		ip_write(ip, l3, adjacency, control);
		ip4_age(ip);
		verdicts[b->at[i]] = MR_ADJACENCY_VERDICT(control);
	}
}

#endif
