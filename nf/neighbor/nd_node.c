/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nd-input: neighbour discovery (RFC 4861) that is addressed to the router or to a group. Does for
 * IPv6 what arp-input does for IPv4.
 */
#include "nf/neighbor/input_int.h"

/* Replaces the packet's bytes; a recording gets them as edits. */
static bool
replace(struct mr_recorder *rec, struct mr_packet *p, const uint8_t *frame, unsigned len)
{
	if (p->next || p->data + len > MR_PACKET_STRIDE)
		return false;
	if (mr_unlikely(mr_recorded(rec, p)))
		mr_record_op(rec, p, MR_OP_TRIM)->arg = len;
	p->len = (uint16_t)len;
	p->total = len;
	p->flags &= (uint16_t) ~(MR_PACKET_TX_WORK | MR_PACKET_CSUM_GOOD);
	for (unsigned at = 0; at < len; at += 16)
		mr_edit_set(rec, p, at, frame + at, MR_MIN(len - at, 16u));
	return true;
}

/* RFC 4861, 7.2.4. */
static mr_verdict_t
answer(const struct neighbor_input *in, const struct neighbor_message *m, struct mr_packet *p,
    const struct neighbor_view_address *ours)
{
	const struct mr_ip_interface *i = &in->nodes->ip->interfaces[in->interface];
	uint32_t flags = NEIGHBOR_FLAG_ROUTER | (ours->tentative ? 0 : NEIGHBOR_FLAG_OVERRIDE);
	const uint8_t *to = m->source, *bytes = mr_packet_bytes_const(p);
	uint8_t frame[NEIGHBOR_FRAME_MAX], dst[6];
	unsigned len;

	/* Nobody sends from a group's Ethernet address; an answer would go to all of it. */
	if (!m->unspecified && !m->has_mac && mr_eth_is_multicast(bytes + 6))
		return mr_verdict_drop(NEIGHBOR_FLAW_SENDER);
	if (m->unspecified) {
		to = neighbor_all_nodes;
		neighbor_group_mac(dst, to);
	} else {
		flags |= NEIGHBOR_FLAG_SOLICITED;
		memcpy(dst, m->has_mac ? m->mac : bytes + 6, 6);
	}
	len = neighbor_write_advert(frame, i, dst, m->target, to, m->target, flags);
	if (!replace(in->rec, p, frame, len))
		return mr_verdict_drop(NEIGHBOR_DROP_NO_ROOM);
	mr_record_uncacheable(in->rec, p, "answered");
	mr_node_count(in->run, NEIGHBOR_COUNT_ANSWERED, 1);
	return mr_verdict_output(mr_ip_port(i));
}

static mr_verdict_t
nd_one(struct neighbor_input *in, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(in->run->base, packet);
	const uint8_t *bytes = mr_packet_bytes_const(p);
	const struct neighbor_view_address *ours;
	struct neighbor_message m;
	unsigned l3, type, flaw;

	in->interface = p->context % MR_IP_INTERFACES_MAX;
	in->view = mr_rcu_read(&in->nodes->views[in->interface]);
	if (!in->view || !in->view->count[MR_IP6])
		return mr_verdict_drop(NEIGHBOR_DROP_NO_INTERFACE);
	if (!neighbor_l3(bytes, p->len, &l3, &type))
		return mr_verdict_drop(NEIGHBOR_FLAW_SHORT);
	if (type != MR_ETH_TYPE_IP6)
		return mr_verdict_drop(NEIGHBOR_FLAW_VALID);
	flaw = neighbor_read_nd(bytes, p->len, l3,
	    p->flags & (MR_PACKET_CSUM_GOOD | MR_PACKET_CSUM_PARTIAL), &m);
	if (flaw)
		return mr_verdict_drop(flaw);
	if (mr_ip_mac_is(&in->nodes->ip->interfaces[in->interface], bytes + 6))
		return mr_verdict_drop(NEIGHBOR_DROP_OWN);
	mr_record_note(in->rec, p, "neighbour discovery, ICMPv6 type",
	    133u + (unsigned)(bytes[l3 + sizeof(struct mr_ip6)] - MR_ICMP6_ROUTER_SOLICIT));
	ours = neighbor_view_find(in->view, MR_IP6, m.target);
	if (m.kind == NEIGHBOR_ASK && ours) {
		mr_node_count(in->run, NEIGHBOR_COUNT_ASKED, 1);
		/* Two that try the same address: control decides (RFC 4862, 5.4.3). */
		if (m.unspecified && ours->tentative)
			return neighbor_hand(in, p, NEIGHBOR_CLASS_HEARD,
			    NEIGHBOR_DROP_HEARD_LIMIT);
		if (!m.unspecified && m.has_mac)
			neighbor_hand_copy(in, packet);
		return answer(in, &m, p, ours);
	}
	return neighbor_hear(in, &m, packet, ours, !m.group);
}

mr_inline void
nd_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct neighbor_input in = { run, rec, run->self, NULL, 0, NEIGHBOR_PARCEL_ND };

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = nd_one(&in, packets[i]);
}
MR_NODE_FUNCTIONS(nd)

const struct mr_node_class neighbor_nd_class = {
	.name = "nd-input",
	.doc = "answers neighbour solicitations for the router's addresses, hands on what is worth "
	       "knowing",
	.drops = neighbor_input_drops,
	.drop_count = NEIGHBOR_INPUT_DROP_COUNT,
	.counters = neighbor_input_counters,
	.counter_count = NEIGHBOR_INPUT_COUNTER_COUNT,
	MR_NODE_RUN(nd),
};
