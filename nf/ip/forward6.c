/* SPDX-License-Identifier: Apache-2.0 */
/* ip6-forward, and what IPv6 does with packets that are not plain. */
#include <string.h>

#include "nf/ip/forward6_inl.h"
#include "nf/ip/ip_int.h"

static bool
is_link_local(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* :: or ::1 */
static bool
is_nobody(const uint8_t *a, unsigned last)
{
	for (unsigned i = 0; i < 15; i++)
		if (a[i])
			return false;
	return a[15] == last;
}

uint32_t
ip6_record(const struct ip_work *w, const struct mr_packet *p, unsigned in, unsigned l3)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[in];
	const struct mr_regions *regions = w->ip->vrfs[mr_ip_vrf(interface)].regions[MR_IP6];
	const uint8_t *src = mr_packet_bytes_const(p) + l3 + 8, *dst = src + 16;
	uint8_t prefix[16] = { 0 };
	unsigned len = 0;
	uint32_t group;

	mr_record_note(w->rec, p, "interface", in);
	mr_record_region(w->rec, p, "fib6", regions, mr_region6(mr_load_be64(dst)));
	if (mr_ip_flags(interface) & (MR_IP_URPF6_STRICT | MR_IP_URPF6_LOOSE))
		mr_record_region(w->rec, p, "fib6", regions, mr_region6(mr_load_be64(src)));
	group = mr_fib6_find(mr_ip_fib6(interface), dst);
	/* Which prefix it was, only control's side of the table knows. */
	if (mr_record_is_dry(w->rec)) {
		group = mr_fib6_match(mr_ip_fib6(interface), dst, prefix, &len);
		mr_record_match(w->rec, p, "fib6", prefix, sizeof(prefix), len, group);
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
		return ip_error(at, p, MR_ICMP6_UNREACHABLE, CODE_ADDRESS, 0);
	case MR_IP_SPECIAL_PROHIBIT:
		return ip_error(at, p, MR_ICMP6_UNREACHABLE, CODE_PROHIBITED, 0);
	case MR_IP_SPECIAL_NONE:
		return ip_error(at, p, MR_ICMP6_UNREACHABLE, CODE_NO_ROUTE, 0);
	case MR_IP_SPECIAL_BLACKHOLE:
		return mr_verdict_drop(MR_IP_DROP_BLACKHOLE);
	case MR_IP_SPECIAL_LINK_LOCAL:
		/* What we say ourselves goes back to where it was asked. */
		if (at->meta & MR_IP_META_ORIGIN)
			return ip_leave(at, p, MR_IP_EDGE_RESOLVE,
			    mr_ip_glean_index(at->in, MR_IP6), 0);
		return mr_verdict_drop(MR_IP_DROP_LINK_LOCAL);
	default:
		return mr_verdict_drop(MR_IP_DROP_MARTIAN);
	}
}

/* A TCP SYN right behind the IPv6 header; one behind extension headers passes as it is. */
static bool
is_syn(const struct mr_packet *p, unsigned l3)
{
	const uint8_t *h = mr_packet_bytes_const(p) + l3;
	unsigned l4 = l3 + IP6_HEADER;

	return h[6] == MR_IP_PROTO_TCP && l4 + sizeof(struct mr_tcp) <= p->len &&
	    (mr_packet_bytes_const(p)[l4 + 13] & MR_TCP_SYN);
}

mr_verdict_t
ip6_decide(const struct ip_work *w, struct mr_packet *p, const struct ip_at *at, uint32_t group)
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

	if (index < MR_IP_SPECIALS)
		return special(p, at, index);
	if (is_nobody(header + 8, 0))
		return mr_verdict_drop(MR_IP_DROP_SOURCE6);
	/* RFC 4291, 2.5.6: such a source says nothing beyond its link. */
	if (is_link_local(header + 8) && !origin)
		return ip_error(at, p, MR_ICMP6_UNREACHABLE, CODE_BEYOND_SCOPE, 0);
	if (!origin && header[7] <= 1)
		return ip_error(at, p, MR_ICMP6_TIME_EXCEEDED, 0, 0);
	if ((verdict & MR_VERDICT_CLASS) == MR_VERDICT_DROP)
		return verdict;
	if (ip_piece(p, at->l3, mr_load_be16(header + 4) + IP6_HEADER) > mtu)
		return ip_error(at, p, MR_ICMP6_TOO_BIG, 0, mtu);
	ip_cut(w, p, at->l3, mr_load_be16(header + 4) + IP6_HEADER, mtu);
	mr_guard_length(w->rec, p, at->l3 + mtu);
	if (!origin) {
		mr_edit_ttl6(w->rec, p, at->l3);
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
		mr_be16(MR_ETH_TYPE_IP6)))
		return mr_verdict_drop(MR_IP_DROP_NO_ROOM);
	return verdict;
}

mr_verdict_t
ip6_slow(const struct ip_work *w, struct mr_packet *p, const struct ip_at *at)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[at->in];
	const uint8_t *header = mr_packet_bytes_const(p) + at->l3;
	uint32_t group;
	bool local_source;

	/* What has become IPv6 on its way here may come from where there is only IPv4. */
	if (!(mr_ip_flags(interface) & MR_IP_FORWARD6) && !(p->flags & MR_PACKET_TRANSLATED))
		return mr_verdict_drop(MR_IP_DROP_NO_IP6);
	if (p->len < at->l3 + IP6_HEADER)
		return mr_verdict_drop(MR_IP_DROP_SHORT6);
	if (header[0] >> 4 != 6)
		return mr_verdict_drop(MR_IP_DROP_VERSION6);
	if (mr_load_be16(header + 4) + IP6_HEADER > p->total - at->l3)
		return mr_verdict_drop(MR_IP_DROP_LENGTH6);
	if (mr_ip6_is_multicast(header + 8) || is_nobody(header + 8, 1))
		return mr_verdict_drop(MR_IP_DROP_SOURCE6);
	if (is_nobody(header + 24, 0) || is_nobody(header + 24, 1))
		return mr_verdict_drop(MR_IP_DROP_MARTIAN);
	if (at->group_frame && !mr_ip6_is_multicast(header + 24))
		return mr_verdict_drop(MR_IP_DROP_L2_GROUP);
	local_source = is_link_local(header + 8) || is_nobody(header + 8, 0);
	group = mr_unlikely(mr_recorded(w->rec, p))
	    ? ip6_record(w, p, at->in, at->l3)
	    : mr_fib6_find(mr_ip_fib6(interface), header + 24);
	if ((mr_ip_flags(interface) & (MR_IP_URPF6_STRICT | MR_IP_URPF6_LOOSE)) && !local_source &&
	    !(at->meta & MR_IP_META_ORIGIN) && !ip_is_translated(p) &&
	    !ip_reverse_ok(w->ip, mr_fib6_find(mr_ip_fib6(interface), header + 8), at->in,
		mr_ip_flags(interface) & MR_IP_URPF6_STRICT))
		return mr_verdict_drop(MR_IP_DROP_REVERSE6);
	return ip6_decide(w, p, at, group);
}

mr_verdict_t
ip6_unusual(const struct ip_work *w, struct mr_packet *p, unsigned in, unsigned l3, uint32_t group,
    uint32_t adjacency)
{
	const struct mr_ip_interface *interface = &w->ip->interfaces[in];
	const struct ip_at at = { .in = in, .l3 = l3 };
	unsigned filter = mr_ip_flags(interface) & (MR_IP_URPF6_STRICT | MR_IP_URPF6_LOOSE);

	/* What is written down must be younger than the generations in front of it. */
	if (mr_unlikely(mr_recorded(w->rec, p))) {
		const uint8_t *src = mr_packet_bytes_const(p) + l3 + 8;

		group = ip6_record(w, p, in, l3);
		if (filter && !is_link_local(src) && !ip_is_translated(p) &&
		    !ip_reverse_ok(w->ip, mr_fib6_find(mr_ip_fib6(interface), src), in,
			filter & MR_IP_URPF6_STRICT))
			return mr_verdict_drop(MR_IP_DROP_REVERSE6);
	} else if (adjacency == IP_REFUSED) {
		return mr_verdict_drop(MR_IP_DROP_REVERSE6);
	}
	return ip6_decide(w, p, &at, group);
}

/* The plain ones of a vector go together as long as they come from the same interface. */
mr_inline void
forward6_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
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
			ip6_batch(&w, rec, &b, n, packets, verdicts, in, l3);
			n = 0;
		}
		in = p->context % MR_IP_INTERFACES_MAX;
		l3 = m->l3;
		if (m->flags || p->len < l3 + IP6_HEADER || !ip6_plain(header, p->total - l3) ||
		    !(mr_ip_flags(&w.ip->interfaces[in]) & MR_IP_FORWARD6)) {
			const struct ip_at at = { .in = in, .l3 = l3, .meta = m->flags };

			verdicts[i] = ip6_slow(&w, p, &at);
			continue;
		}
		b.at[n] = (uint16_t)i;
		b.pointer[n++] = header + 24;
	}
	if (n > 0)
		ip6_batch(&w, rec, &b, n, packets, verdicts, in, l3);
}
MR_NODE_FUNCTIONS(forward6)

const struct mr_node_class mr_ip6_forward_class = {
	.name = "ip6-forward",
	.doc = "IPv6: checks, look-up, next hop (RFC 8200)",
	.replays = true,
	.edges = mr_ip_edge_names,
	.edge_count = MR_IP_EDGES,
	.drops = mr_ip_drops,
	.drop_count = MR_IP_DROP_COUNT,
	MR_NODE_RUN(forward6),
};
