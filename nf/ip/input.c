/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ip-input: where frames enter the router. It reads the Ethernet header, finds the interface, and
 * forwards at once what is plain: untagged, to our address, IPv4 or IPv6 with nothing
 * unusual. Everything else leaves by an edge.
 */
#include <string.h>

#include "nf/ip/forward4_inl.h"
#include "nf/ip/forward6_inl.h"
#include "nf/ip/ip_int.h"

/* How many packets ahead the bytes are fetched. */
#define AHEAD 12u

#define L3 ((unsigned)sizeof(struct mr_eth))
#define MAC_MASK 0xffffffffffffull
#define NOBODY UINT64_MAX

static const uint8_t nothing[64];

/* A frame that is not plain. */
static mr_verdict_t
input_slow(const struct ip_work *w, struct mr_packet *p)
{
	const struct mr_ip_port *port = &w->ip->ports[p->port % MR_PORT_MAX];
	const uint8_t *bytes = mr_packet_bytes_const(p);
	const struct mr_ip_interface *interface;
	struct ip_at at = { .in = mr_ip_interface_at(port, 0), .l3 = L3 };
	unsigned type;
	uint64_t dst;

	if (p->len < L3)
		return mr_verdict_drop(MR_IP_DROP_L2_SHORT);
	type = mr_load_be16(bytes + 12);
	if (type == MR_ETH_TYPE_VLAN) {
		unsigned vlan;

		at.l3 = L3 + sizeof(struct mr_vlan);
		if (p->len < at.l3)
			return mr_verdict_drop(MR_IP_DROP_L2_SHORT);
		vlan = mr_load_be16(bytes + L3) & 0xfff;
		mr_guard(w->rec, p, 12, 4, 0xff0fffff);
		/* VLAN 0 only carries a priority (IEEE 802.1Q). */
		if (vlan)
			at.in = mr_ip_interface_at(port, vlan);
		type = mr_load_be16(bytes + at.l3 - 2);
	}
	if (!at.in)
		return mr_verdict_drop(MR_IP_DROP_NO_INTERFACE);
	interface = &w->ip->interfaces[at.in];
	if (!(mr_ip_flags(interface) & MR_IP_UP))
		return mr_verdict_drop(MR_IP_DROP_DOWN);
	memcpy(&dst, bytes, sizeof(dst));
	at.group_frame = dst & 1;
	if (!at.group_frame && (dst & MAC_MASK) != mr_ip_mac(interface))
		return mr_verdict_drop(MR_IP_DROP_NOT_OURS);
	switch (type) {
	case MR_ETH_TYPE_IP4:
		if (at.l3 == L3 || at.group_frame)
			return ip4_slow(w, p, &at);
		return ip_leave(&at, p, MR_IP_EDGE_FORWARD4, 0, 0);
	case MR_ETH_TYPE_IP6:
		if (at.l3 == L3 || at.group_frame)
			return ip6_slow(w, p, &at);
		return ip_leave(&at, p, MR_IP_EDGE_FORWARD6, 0, 0);
	case MR_ETH_TYPE_ARP:
		return ip_leave(&at, p, MR_IP_EDGE_ARP, 0, 0);
	default:
		return ip_leave(&at, p, MR_IP_EDGE_PUNT, 0, 0);
	}
}

/* Some packets of one port. */
mr_inline void
input_some(const struct ip_work *w, struct mr_recorder *rec, struct ip_batch *four,
    struct ip_batch *six, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	uint8_t *base = w->run->base;
	unsigned in = mr_ip_interface_at(
	    &w->ip->ports[mr_packet_at(base, packets[0])->port % MR_PORT_MAX], 0);
	const struct mr_ip_interface *interface = &w->ip->interfaces[in];
	bool up = mr_ip_flags(interface) & MR_IP_UP;
	bool do4 = up && (mr_ip_flags(interface) & MR_IP_FORWARD4);
	bool do6 = up && (mr_ip_flags(interface) & MR_IP_FORWARD6);
	uint64_t mac4 = do4 ? mr_ip_mac(interface) : NOBODY,
		 mac6 = do6 ? mr_ip_mac(interface) : NOBODY;
	unsigned n4 = 0, n6 = 0;

	for (unsigned i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(base, packets[i]);
		const struct mr_packet *later =
		    mr_packet_at(base, packets[MR_MIN(i + AHEAD, count - 1)]);
		const uint8_t *bytes = p->len >= L3 + IP4_HEADER ? mr_packet_bytes(p) : nothing;
		uint64_t dst;

		mr_prefetch(mr_packet_bytes_const(later));
		memcpy(&dst, bytes, sizeof(dst));
		/* With IPv4 off, `mac4` is nobody's. */
		if (mr_likely((dst & MAC_MASK) == mac4) &&
		    mr_likely(ip4_plain_at(bytes + 12, p->total - L3))) {
			four->at[n4] = (uint16_t)i;
			four->address[n4++] = ip4_load(bytes + L3 + 16);
			continue;
		}
		if (mr_likely((dst & MAC_MASK) == mac6) && mr_likely(p->len >= L3 + IP6_HEADER) &&
		    mr_likely(ip6_plain_at(bytes + 12, p->total - L3))) {
			six->at[n6] = (uint16_t)i;
			six->pointer[n6++] = bytes + L3 + 24;
			continue;
		}
		verdicts[i] = input_slow(w, p);
	}
	if (n4 > 0)
		ip4_batch(w, rec, four, n4, packets, verdicts, in, L3);
	if (n6 > 0)
		ip6_batch(w, rec, six, n6, packets, verdicts, in, L3);
}

mr_inline void
input_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	const struct ip_work w = { run, rec, run->self };
	struct ip_batch four, six;
	unsigned first = 0, end;

	ip_record_begin(&w, packets, count);
	while (first < count) {
		unsigned port = mr_packet_at(run->base, packets[first])->port;

		for (end = first + 1; end < MR_MIN(count, first + IP_DEPTH) &&
		     mr_packet_at(run->base, packets[end])->port == port;
		     end++)
			;
		input_some(&w, rec, &four, &six, packets + first, verdicts + first, end - first);
		first = end;
	}
}
MR_NODE_FUNCTIONS(input)

const struct mr_node_class mr_ip_input_class = {
	.name = "ip-input",
	.doc = "frames into the router: interface, and the whole way of plain packets",
	.replays = true,
	.edges = mr_ip_edge_names,
	.edge_count = MR_IP_EDGES,
	.drops = mr_ip_drops,
	.drop_count = MR_IP_DROP_COUNT,
	MR_NODE_RUN(input),
};
