/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_FORWARD_INL_H
#define MR_NF_IP_FORWARD_INL_H

/*
 * What IPv4 and IPv6 share on the way from a group to the wire. A vector goes through in
 * phases: check all headers, look all destinations up, fetch all adjacencies, send.
 */

#include "kit/packet/flow_hash.h"
#include "kit/packet/wire_ip.h"
#include "kit/packet/wire_l4.h"
#include "nf/ip/drop.h"
#include "nf/ip/group.h"

/* What every call of a node needs. The loops get `rec` once more, as a value that the compiler
 * knows to be null in the bare variant. */
struct ip_work {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	const struct mr_ip *ip;
};

/* Where a packet is, for what does not go by the vector. */
struct ip_at {
	unsigned in;      /* interface where it came in */
	unsigned l3;      /* offset of its IP header */
	unsigned meta;    /* enum mr_ip_meta_flag */
	bool group_frame; /* in a broadcast or multicast frame */
};

/* How many packets go through the phases together: enough to have many tables' lines on their
 * way at once, few enough for the headers to stay in the first-level cache from one phase to the next. */
#ifndef IP_DEPTH
#define IP_DEPTH 256u
#endif

/* The packets that one phase hands to the next. */
struct ip_batch {
	uint16_t at[IP_DEPTH]; /* which of the vector */
	uint32_t group[IP_DEPTH];
	uint32_t back[IP_DEPTH]; /* the group towards the source, with a reverse-path filter */
	uint32_t adjacency[IP_DEPTH];
	union {
		uint32_t address[IP_DEPTH];
		const uint8_t *pointer[IP_DEPTH];
	};
};

mr_inline uint32_t
ip_member_of(const struct mr_ip *ip, const _Atomic uint64_t *groups, uint32_t group,
    const struct mr_packet *p)
{
	/* Acquire pairs with the release in group.c: the buckets are filled. */
	uint64_t word = atomic_load_explicit(&groups[group], memory_order_acquire);
	uint32_t mask = mr_group_mask(word), base = mr_group_base(word);

	if (mr_likely(!mask))
		return base;
	return atomic_load_explicit(&ip->buckets[base + (mr_packet_flow_hash(p) & mask)],
	    memory_order_acquire);
}

mr_inline uint32_t
ip_member(const struct mr_ip *ip, uint32_t group, const struct mr_packet *p)
{
	return ip_member_of(ip, ip->groups, group, p);
}

/* Whether a group leads out of this interface. */
mr_inline bool
ip_leads_to(const struct mr_ip *ip, uint32_t group, unsigned interface)
{
	uint64_t word = atomic_load_explicit(&ip->groups[group], memory_order_acquire);
	uint32_t mask = mr_group_mask(word), base = mr_group_base(word);

	for (uint32_t i = 0; i <= mask; i++) {
		uint32_t a = mask
		    ? atomic_load_explicit(&ip->buckets[base + i], memory_order_acquire)
		    : base;
		uint64_t control =
		    atomic_load_explicit(&ip->adjacencies[a].control, memory_order_relaxed);

		if (MR_ADJACENCY_INTERFACE(control) == interface)
			return true;
	}
	return false;
}

/* Whether this source may come in here (RFC 3704). */
mr_inline bool
ip_reverse_ok(const struct mr_ip *ip, uint32_t back, unsigned interface, bool strict)
{
	if (back < MR_IP_SPECIALS)
		return false;
	return !strict || ip_leads_to(ip, back, interface);
}

/* Its source is one of this machine's by now: the one that it came from was its sender's. */
mr_inline bool
ip_is_translated(const struct mr_packet *p)
{
	return p->flags & MR_PACKET_TRANSLATED;
}

/* In place of an adjacency: the reverse-path filter says no. It is one that has no rewrite, so
 * that the loops come upon it, and that nothing leads to: interface 0's. */
#define IP_REFUSED ((uint32_t)MR_IP_SPECIALS)

/* Before anything is read of the interfaces: what recorded packets' decisions will rest on. */
mr_inline void
ip_record_begin(const struct ip_work *w, const uint32_t *packets, unsigned count)
{
	for (unsigned i = 0; w->rec && i < count; i++)
		mr_record_read(w->rec, mr_packet_at(w->run->base, packets[i]), "interfaces",
		    &w->ip->cells->interfaces);
}

/* The group that a recorded packet's destination has led to: its next hop, and what that rests
 * on. Notes both. */
uint32_t ip_record_member(const struct ip_work *, const struct mr_packet *, uint32_t group);

/* Each packet's next hop, and its line on the way. */
mr_inline void
ip_members(const struct ip_work *w, struct ip_batch *b, const uint32_t *packets, unsigned count)
{
	const struct mr_adjacency *adjacencies = w->ip->adjacencies;
	const _Atomic uint64_t *groups = w->ip->groups;
	const struct mr_ip *ip = w->ip;
	uint8_t *base = w->run->base;

	for (unsigned i = 0; i < count; i++) {
		uint32_t a =
		    ip_member_of(ip, groups, b->group[i], mr_packet_at(base, packets[b->at[i]]));

		b->adjacency[i] = a;
		mr_prefetch(&adjacencies[a]);
	}
}

/* What matters of an adjacency's control word, in one number: length of the header and flags, but
 * for which of the two headers is the valid one. */
mr_inline unsigned
ip_way(uint64_t control)
{
	return (unsigned)(control >> 48) & ~((unsigned)MR_ADJACENCY_SECOND << 8);
}

/* What that number is for packets that need nothing but the header: the adjacency is resolved, of
 * the packets' own family, and its header is as long as theirs. A number that never is, where
 * all packets need more. */
mr_inline unsigned
ip_usual(enum mr_ip_family family, unsigned l3, unsigned in_flags)
{
	unsigned flags = MR_ADJACENCY_COMPLETE | (family == MR_IP6 ? MR_ADJACENCY_IP6 : 0u);

	return in_flags & MR_IP_CLAMP ? UINT32_MAX : flags << 8 | l3;
}

/* An adjacency's header in front of the IP header `ip`, in place of one as long. */
mr_inline void
ip_write(uint8_t *ip, unsigned len, const struct mr_adjacency *adjacency, uint64_t control)
{
	const uint8_t *header =
	    adjacency->rewrite[MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_SECOND] +
	    MR_ADJACENCY_REWRITE_MAX;

	static_assert(MR_ADJACENCY_SECOND == 1, "the flag is the index");
	memcpy(ip - 8, header - 8, 8);
	memcpy(ip - 14, header - 14, 8);
	if (mr_unlikely(len > 14))
		memcpy(ip - len, header - len, 8);
}

/* The general case: a header of any length, whose type becomes `type` (in wire order); recorded
 * where a recording is attached. False: no room. */
mr_inline bool
ip_rewrite(struct mr_recorder *rec, struct mr_packet *p, unsigned l3,
    const struct mr_adjacency *adjacency, uint64_t control, be16_t type)
{
	const uint8_t *header =
	    adjacency->rewrite[MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_SECOND];
	unsigned len = MR_ADJACENCY_LEN(control);
	uint8_t fresh[MR_ADJACENCY_REWRITE_MAX];

	if (l3 > len)
		mr_edit_pop(rec, p, 0, l3 - len);
	else if (l3 < len && !mr_edit_push(rec, p, 0, len - l3))
		return false;
	memcpy(fresh, header + MR_ADJACENCY_REWRITE_MAX - len, len);
	memcpy(fresh + len - 2, &type, 2);
	for (unsigned i = 0; i < len; i += 16)
		mr_edit_set(rec, p, i, fresh + i, MR_MIN(len - i, 16u));
	return true;
}

/* What follows a packet of `total` bytes that fits the way out, in a frame that would not. Shorter
 * padding passes. */
mr_inline void
ip_cut(const struct ip_work *w, struct mr_packet *p, unsigned l3, unsigned total, unsigned mtu)
{
	if (mr_likely(p->total - l3 <= mtu) || (p->flags & MR_PACKET_GSO))
		return;
	mr_packet_trim(w->run->buffers, w->run->worker, mr_packet_handle(w->run->base, p),
	    l3 + total);
	if (mr_unlikely(mr_recorded(w->rec, p)))
		mr_record_op(w->rec, p, MR_OP_TRIM)->arg = p->total;
}

/* A packet leaves by an edge: what the next node wants to know. */
mr_inline mr_verdict_t
ip_leave(const struct ip_at *at, struct mr_packet *p, unsigned edge, uint32_t adjacency,
    unsigned mtu)
{
	p->context = at->in;
	*mr_ip_meta(p) = (struct mr_ip_meta){
		.adjacency = adjacency,
		.l3 = (uint16_t)at->l3,
		.mtu = (uint16_t)mtu,
		.flags = (uint8_t)at->meta,
	};
	return mr_verdict_edge(edge);
}

mr_inline mr_verdict_t
ip_error(const struct ip_at *at, struct mr_packet *p, unsigned type, unsigned code, uint32_t data)
{
	mr_verdict_t verdict = ip_leave(at, p, MR_IP_EDGE_ICMP, 0, 0);
	struct mr_ip_meta *m = mr_ip_meta(p);

	m->icmp_type = (uint8_t)type;
	m->icmp_code = (uint8_t)code;
	m->icmp_data = data;
	return verdict;
}

/* The bytes of IP in the largest piece that the packet will be cut into on the way out. */
mr_inline unsigned
ip_piece(const struct mr_packet *p, unsigned l3, unsigned total)
{
	unsigned headers;

	if (!(p->flags & MR_PACKET_GSO))
		return total;
	if (!p->gso_size)
		return 0;
	/* The layer-4 header begins where the checksum does; TCP's length stands in it. */
	headers = p->csum_start - l3;
	if (p->flags & MR_PACKET_GSO_UDP)
		headers += 8;
	else if (p->csum_start + 13u <= p->len)
		headers += (unsigned)(mr_packet_bytes_const(p)[p->csum_start + 12] >> 4) * 4;
	return MR_MIN(total, headers + p->gso_size);
}

#endif
