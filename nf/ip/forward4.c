/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ip4-forward, and what IPv4 does with packets that are not plain. The order of checks is that of
 * RFC 1812, 5.2.
 */
#include <string.h>

#include "nf/ip/forward4_inl.h"
#include "nf/ip/ip_int.h"

/* clang-format off */
const uint8_t ip4_source_first[256] = {
	[0] = 1, [127] = 1, [224 ... 255] = 1,
};
/* clang-format on */

uint32_t
ip4_record(const struct ip_work *w, const struct mr_packet *p, unsigned in, unsigned l3)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[in];
	const struct mr_regions *regions = w->ip->vrfs[mr_ip_vrf(interface)].regions[MR_IP4];
	const uint8_t *header = mr_packet_bytes_const(p) + l3;
	uint32_t src = ip4_load(header + 12), dst = ip4_load(header + 16), prefix = 0, group;
	unsigned len = 0;

	mr_record_note(w->rec, p, "interface", in);
	mr_record_region(w->rec, p, "fib4", regions, mr_region4(dst));
	if (mr_ip_flags(interface) & (MR_IP_URPF4_STRICT | MR_IP_URPF4_LOOSE))
		mr_record_region(w->rec, p, "fib4", regions, mr_region4(src));
	group = mr_fib4_find(mr_ip_fib4(interface), dst);
	/* Which prefix it was, only control's side of the table knows. */
	if (mr_record_is_dry(w->rec)) {
		group = mr_fib4_match(mr_ip_fib4(interface), dst, &prefix, &len);
		prefix = mr_be32(prefix);
		mr_record_match(w->rec, p, "fib4", &prefix, sizeof(prefix), len, group);
	} else {
		mr_record_note(w->rec, p, "group", group);
	}
	ip_record_member(w, p, group);
	return group;
}

/* What is to be done with packets of the fixed adjacencies. */
static mr_verdict_t
special(struct mr_packet *p, const struct ip_at *at, uint32_t index)
{
	switch (index) {
	case MR_IP_SPECIAL_LOCAL:
		return ip_leave(at, p, MR_IP_EDGE_LOCAL, index, 0);
	case MR_IP_SPECIAL_MULTICAST:
		return ip_leave(at, p, MR_IP_EDGE_MULTICAST, index, 0);
	case MR_IP_SPECIAL_UNREACHABLE:
		return ip_error(at, p, MR_ICMP4_UNREACHABLE, MR_ICMP4_UNREACHABLE_HOST, 0);
	case MR_IP_SPECIAL_PROHIBIT:
		return ip_error(at, p, MR_ICMP4_UNREACHABLE, MR_ICMP4_UNREACHABLE_ADMIN, 0);
	case MR_IP_SPECIAL_NONE:
		return ip_error(at, p, MR_ICMP4_UNREACHABLE, MR_ICMP4_UNREACHABLE_NET, 0);
	case MR_IP_SPECIAL_BLACKHOLE:
		return mr_verdict_drop(MR_IP_DROP_BLACKHOLE);
	case MR_IP_SPECIAL_BROADCAST:
		return mr_verdict_drop(MR_IP_DROP_BROADCAST);
	default:
		return mr_verdict_drop(MR_IP_DROP_MARTIAN);
	}
}

/* A frame to everybody may hold a packet to everybody, and nothing else. */
static mr_verdict_t
group_frame(const struct ip_work *w, struct mr_packet *p, const struct ip_at *at, uint32_t index,
    uint64_t control)
{
	unsigned second = MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_SECOND;
	unsigned first = MR_ADJACENCY_REWRITE_MAX - MR_ADJACENCY_LEN(control);
	uint32_t dst = ip4_load(mr_packet_bytes_const(p) + at->l3 + 16);

	if (index == MR_IP_SPECIAL_MULTICAST)
		return special(p, at, index);
	if (dst == UINT32_MAX || index == MR_IP_SPECIAL_BROADCAST)
		return ip_leave(at, p, MR_IP_EDGE_LOCAL, index, 0);
	/* To its own subnet's broadcast address, where we forward those from elsewhere. */
	if ((MR_ADJACENCY_FLAGS(control) & MR_ADJACENCY_COMPLETE) &&
	    MR_ADJACENCY_INTERFACE(control) == at->in &&
	    w->ip->adjacencies[index].rewrite[second][first] == 0xff)
		return ip_leave(at, p, MR_IP_EDGE_LOCAL, index, 0);
	return mr_verdict_drop(MR_IP_DROP_L2_GROUP);
}

static bool
is_syn(const struct mr_packet *p, unsigned l3)
{
	const uint8_t *h = mr_packet_bytes_const(p) + l3;
	unsigned l4 = l3 + (h[0] & 15u) * 4;

	return h[9] == MR_IP_PROTO_TCP && !(mr_load_be16(h + 6) & MR_IP4_FRAG_OFFSET) &&
	    l4 + sizeof(struct mr_tcp) <= p->len &&
	    (mr_packet_bytes_const(p)[l4 + 13] & MR_TCP_SYN);
}

static mr_verdict_t
too_big(const struct ip_work *w, struct mr_packet *p, const struct ip_at *at, uint32_t index,
    unsigned mtu)
{
	bool may_cut =
	    !(mr_load_be16(mr_packet_bytes_const(p) + at->l3 + 6) & MR_IP4_DONT_FRAGMENT);

	if (!may_cut || (p->flags & MR_PACKET_GSO))
		return ip_error(at, p, MR_ICMP4_UNREACHABLE, MR_ICMP4_UNREACHABLE_NEED_FRAG, mtu);
	if (!(at->meta & MR_IP_META_ORIGIN))
		mr_edit_ttl4(w->rec, p, at->l3);
	return ip_leave(at, p, MR_IP_EDGE_FRAGMENT4, index, mtu);
}

mr_verdict_t
ip4_decide(const struct ip_work *w, struct mr_packet *p, const struct ip_at *at, uint32_t group)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[at->in];
	uint32_t index = ip_member(w->ip, group, p);
	uint64_t control =
	    atomic_load_explicit(&w->ip->adjacencies[index].control, memory_order_acquire);
	const uint8_t *header = mr_packet_bytes_const(p) + at->l3;
	bool origin = at->meta & MR_IP_META_ORIGIN;
	unsigned flags = MR_ADJACENCY_FLAGS(control), mtu = MR_ADJACENCY_MTU(control);
	mr_verdict_t verdict = MR_ADJACENCY_VERDICT(control);
	struct ip_at aged = *at; /* what an ICMP error would have to undo */

	if (at->group_frame)
		return group_frame(w, p, at, index, control);
	if (index < MR_IP_SPECIALS)
		return special(p, at, index);
	if (!origin && header[8] <= 1)
		return ip_error(at, p, MR_ICMP4_TIME_EXCEEDED, 0, 0);
	if ((verdict & MR_VERDICT_CLASS) == MR_VERDICT_DROP)
		return verdict;
	if (ip_piece(p, at->l3, mr_load_be16(header + 2)) > mtu)
		return too_big(w, p, at, index, mtu);
	ip_cut(w, p, at->l3, mr_load_be16(header + 2), mtu);
	mr_guard_length(w->rec, p, at->l3 + mtu);
	if (!origin) {
		mr_edit_ttl4(w->rec, p, at->l3);
		aged.meta |= MR_IP_META_DECREMENTED;
	}
	/* Also what will have to wait for its next hop. */
	if (((flags & MR_ADJACENCY_CLAMP) || (mr_ip_flags(interface) & MR_IP_CLAMP)) &&
	    is_syn(p, at->l3))
		return ip_leave(&aged, p, MR_IP_EDGE_MSS, index, MR_MIN(mtu, mr_ip_mtu(interface)));
	if (!(flags & MR_ADJACENCY_COMPLETE))
		return ip_leave(&aged, p, MR_IP_EDGE_RESOLVE, index, mtu);
	if (MR_ADJACENCY_INTERFACE(control) == at->in &&
	    (mr_ip_flags(interface) & MR_IP_REDIRECTS) && !origin)
		return ip_leave(&aged, p, MR_IP_EDGE_REDIRECT, index, mtu);
	if (!ip_rewrite(w->rec, p, at->l3, &w->ip->adjacencies[index], control,
		mr_be16(MR_ETH_TYPE_IP4)))
		return mr_verdict_drop(MR_IP_DROP_NO_ROOM);
	return verdict;
}

/* Header checks in full; 0 or the drop's number + 1. */
static unsigned
wrong(const uint8_t *header, unsigned room, unsigned here)
{
	unsigned len = (header[0] & 15u) * 4, total = mr_load_be16(header + 2);
	uint32_t sum = 0;

	if (header[0] >> 4 != 4)
		return MR_IP_DROP_VERSION4 + 1;
	if (len < IP4_HEADER)
		return MR_IP_DROP_HEADER4 + 1;
	if (total < len || total > room)
		return MR_IP_DROP_LENGTH4 + 1;
	if (len > here)
		return MR_IP_DROP_SHORT4 + 1;
	for (unsigned i = 0; i < len; i += 2)
		sum += mr_load_be16(header + i);
	sum = (sum & 0xffff) + (sum >> 16);
	if (((sum & 0xffff) + (sum >> 16)) != 0xffff)
		return MR_IP_DROP_CHECKSUM4 + 1;
	return 0;
}

mr_verdict_t
ip4_slow(const struct ip_work *w, struct mr_packet *p, const struct ip_at *at)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[at->in];
	const uint8_t *header = mr_packet_bytes_const(p) + at->l3;
	uint32_t src, dst, group;
	unsigned reason;

	/* What has become IPv4 on its way here may come from where there is only IPv6. */
	if (!(mr_ip_flags(interface) & MR_IP_FORWARD4) && !(p->flags & MR_PACKET_TRANSLATED))
		return mr_verdict_drop(MR_IP_DROP_NO_IP4);
	if (p->len < at->l3 + IP4_HEADER)
		return mr_verdict_drop(MR_IP_DROP_SHORT4);
	reason = wrong(header, p->total - at->l3, p->len - at->l3);
	if (reason)
		return mr_verdict_drop(reason - 1);
	src = ip4_load(header + 12);
	dst = ip4_load(header + 16);
	/* A host without an address yet may speak to everybody (RFC 1122, 3.2.1.3). */
	if (!ip4_source_fine(src) && !(src == 0 && (dst == UINT32_MAX || mr_ip4_is_multicast(dst))))
		return mr_verdict_drop(MR_IP_DROP_SOURCE4);
	group = mr_unlikely(mr_recorded(w->rec, p)) ? ip4_record(w, p, at->in, at->l3)
						    : mr_fib4_find(mr_ip_fib4(interface), dst);
	/* Before its options, about which the source would be told. */
	if ((mr_ip_flags(interface) & (MR_IP_URPF4_STRICT | MR_IP_URPF4_LOOSE)) && src != 0 &&
	    !(at->meta & MR_IP_META_ORIGIN) && !ip_is_translated(p) &&
	    !ip_reverse_ok(w->ip, mr_fib4_find(mr_ip_fib4(interface), src), at->in,
		mr_ip_flags(interface) & MR_IP_URPF4_STRICT))
		return mr_verdict_drop(MR_IP_DROP_REVERSE4);
	if (header[0] != 0x45 && !(at->meta & (MR_IP_META_OPTIONS | MR_IP_META_ORIGIN)) &&
	    !at->group_frame)
		return ip_leave(at, p, MR_IP_EDGE_OPTIONS4, 0, 0);
	return ip4_decide(w, p, at, group);
}

mr_verdict_t
ip4_unusual(const struct ip_work *w, struct mr_packet *p, unsigned in, unsigned l3, uint32_t group,
    uint32_t adjacency)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[in];
	const struct ip_at at = { .in = in, .l3 = l3 };
	unsigned filter = mr_ip_flags(interface) & (MR_IP_URPF4_STRICT | MR_IP_URPF4_LOOSE);

	/* What is written down must be younger than the generations in front of it. */
	if (mr_unlikely(mr_recorded(w->rec, p))) {
		uint32_t src = ip4_load(mr_packet_bytes_const(p) + l3 + 12);

		group = ip4_record(w, p, in, l3);
		if (filter && !ip_is_translated(p) &&
		    !ip_reverse_ok(w->ip, mr_fib4_find(mr_ip_fib4(interface), src), in,
			filter & MR_IP_URPF4_STRICT))
			return mr_verdict_drop(MR_IP_DROP_REVERSE4);
	} else if (adjacency == IP_REFUSED) {
		return mr_verdict_drop(MR_IP_DROP_REVERSE4);
	}
	return ip4_decide(w, p, &at, group);
}

/* The plain ones of a vector go together as long as they come from the same interface. */
mr_inline void
forward4_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	const struct ip_work w = { run, rec, run->self };
	unsigned n = 0, in = 0, l3 = 0;
	struct ip_batch b;

	ip_record_begin(&w, packets, count);
	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(run->base, packets[i]);
		const struct mr_ip_meta *m = mr_ip_meta(p);
		const uint8_t *header = mr_packet_bytes_const(p) + m->l3;

		if (n > 0 && (n == IP_DEPTH || p->context != in || m->l3 != l3)) {
			ip4_batch(&w, rec, &b, n, packets, verdicts, in, l3);
			n = 0;
		}
		in = p->context % MR_IP_INTERFACES_MAX;
		l3 = m->l3;
		if (m->flags || p->len < l3 + IP4_HEADER || !ip4_plain(header, p->total - l3) ||
		    !(mr_ip_flags(&w.ip->interfaces[in]) & MR_IP_FORWARD4)) {
			const struct ip_at at = { .in = in, .l3 = l3, .meta = m->flags };

			verdicts[i] = ip4_slow(&w, p, &at);
			continue;
		}
		b.at[n] = (uint16_t)i;
		b.address[n++] = ip4_load(header + 16);
	}
	if (n > 0)
		ip4_batch(&w, rec, &b, n, packets, verdicts, in, l3);
}
MR_NODE_FUNCTIONS(forward4)

const struct mr_node_class mr_ip4_forward_class = {
	.name = "ip4-forward",
	.doc = "IPv4: checks, look-up, next hop (RFC 1812)",
	.replays = true,
	.edges = mr_ip_edge_names,
	.edge_count = MR_IP_EDGES,
	.drops = mr_ip_drops,
	.drop_count = MR_IP_DROP_COUNT,
	MR_NODE_RUN(forward4),
};
