/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_FORWARD4_INL_H
#define MR_NF_IP_FORWARD4_INL_H

/* IPv4 forwarding (RFC 1812, section 5), for ip-input and ip4-forward alike. */

#include "kit/table/fib4.h"
#include "nf/ip/forward_inl.h"

#define IP4_HEADER ((unsigned)sizeof(struct mr_ip4))

/* 0xffff for a right header without options. */
mr_inline unsigned
ip4_sum(const uint8_t *header)
{
	uint64_t a, b, s;
	uint32_t c;

	memcpy(&a, header, 8);
	memcpy(&b, header + 8, 8);
	memcpy(&c, header + 16, 4);
	s = (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32) + c;
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	return (unsigned)((s & 0xffff) + (s >> 16));
}

mr_inline uint32_t
ip4_load(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return mr_be32(v);
}

/* A host's unicast address, as far as can be told without a table. */
mr_inline bool
ip4_source_fine(uint32_t src)
{
	uint32_t top = src >> 24;

	return (top - 1 < 126) | (top - 128 < 96);
}

/* Nothing about this header needs a closer look; `room` bytes from it on have arrived.
 * Checked without branches, since nearly all are fine. */
mr_inline bool
ip4_plain(const uint8_t *header, unsigned room)
{
	unsigned total = mr_load_be16(header + 2);

	return (header[0] == 0x45) & (total >= IP4_HEADER) & (total <= room) & (header[8] > 1) &
	    (ip4_sum(header) == 0xffff) & ip4_source_fine(ip4_load(header + 12));
}

/* The general case of sending: after the look-up, whatever is unusual about the packet or its way. */
mr_verdict_t ip4_decide(const struct ip_work *, struct mr_packet *, const struct ip_at *,
    uint32_t group);
/* The same from the header's checks on. */
mr_verdict_t ip4_slow(const struct ip_work *, struct mr_packet *, const struct ip_at *);
/* Writes down what the look-up found. */
void ip4_record(const struct ip_work *, const struct mr_packet *, unsigned in, unsigned l3);

/* One packet on its way to an adjacency, the usual case in line. */
mr_inline mr_verdict_t
ip4_send(const struct ip_work *w, struct mr_packet *p, unsigned in, unsigned in_flags, unsigned l3,
    uint32_t group, uint32_t index)
{
	const struct mr_adjacency *adjacency = &w->ip->adjacencies[index];
	/* Acquire pairs with publish() in adjacency.c. */
	uint64_t control = atomic_load_explicit(&adjacency->control, memory_order_acquire);
	const uint8_t *header = mr_packet_bytes_const(p) + l3;
	unsigned flags = MR_ADJACENCY_FLAGS(control);
	bool plain = (flags & (MR_ADJACENCY_COMPLETE | MR_ADJACENCY_CLAMP)) ==
		MR_ADJACENCY_COMPLETE &&
	    mr_load_be16(header + 2) <= MR_ADJACENCY_MTU(control) &&
	    MR_ADJACENCY_INTERFACE(control) != in && !(in_flags & MR_IP_CLAMP);

	if (mr_unlikely(mr_recorded(w->rec, p)))
		ip4_record(w, p, in, l3);
	if (mr_unlikely(!plain))
		return ip4_decide(w, p, &(struct ip_at){ .in = in, .l3 = l3 }, group);
	if (mr_unlikely(!ip_rewrite(w->rec, p, l3, adjacency, control, mr_be16(MR_ETH_TYPE_IP4))))
		return mr_verdict_drop(MR_IP_DROP_NO_ROOM);
	mr_edit_ttl4(w->rec, p, MR_ADJACENCY_LEN(control));
	return MR_ADJACENCY_VERDICT(control);
}

/* The plain packets of a vector, whose destinations are in b->address: looked up and sent.
 * All came in on one interface and their IP headers stand at `l3`. */
mr_inline void
ip4_batch(const struct ip_work *w, struct ip_batch *b, unsigned count, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned in, unsigned l3)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[in];
	unsigned in_flags = interface->flags;
	uint8_t *base = w->run->base;
	bool filter = in_flags & (MR_IP_URPF4_STRICT | MR_IP_URPF4_LOOSE);

	mr_fib4_lookup(interface->fib4, b->address, b->group, count);
	for (unsigned i = 0; i < count; i++) {
		b->adjacency[i] =
		    ip_member(w->ip, b->group[i], mr_packet_at(base, packets[b->at[i]]));
		mr_prefetch(&w->ip->adjacencies[b->adjacency[i]]);
	}
	if (mr_unlikely(filter)) {
		for (unsigned i = 0; i < count; i++)
			b->address[i] = ip4_load(
			    mr_packet_bytes_const(mr_packet_at(base, packets[b->at[i]])) + l3 + 12);
		mr_fib4_lookup(interface->fib4, b->address, b->back, count);
	}
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(base, packets[b->at[i]]);

		if (mr_unlikely(filter) &&
		    !ip_reverse_ok(w->ip, b->back[i], in, in_flags & MR_IP_URPF4_STRICT)) {
			verdicts[b->at[i]] = mr_verdict_drop(MR_IP_DROP_REVERSE4);
			continue;
		}
		verdicts[b->at[i]] =
		    ip4_send(w, p, in, in_flags, l3, b->group[i], b->adjacency[i]);
	}
}

#endif
