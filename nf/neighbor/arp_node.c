/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arp-input: takes every ARP packet of a routed interface. Who asks for an address of the interface is
 * answered in the frame that asked; what may teach us something goes to the control thread.
 */
#include "nf/neighbor/input_int.h"

static mr_verdict_t
answer(const struct neighbor_input *in, const struct neighbor_message *m, struct mr_packet *p,
    unsigned l3)
{
	const struct mr_ip_interface *i = &in->nodes->ip->interfaces[in->interface];
	uint8_t ethernet[12], sender[10], target[10];
	be16_t op = mr_be16(MR_ARP_REPLY);

	memcpy(ethernet, m->mac, 6);
	mr_ip_mac_copy(i, ethernet + 6);
	mr_ip_mac_copy(i, sender);
	memcpy(sender + 6, m->target, 4);
	memcpy(target, m->mac, 6);
	memcpy(target + 6, m->source, 4);
	mr_edit_set(in->rec, p, 0, ethernet, sizeof(ethernet));
	mr_edit_set(in->rec, p, l3 + offsetof(struct mr_arp, op), &op, sizeof(op));
	mr_edit_set(in->rec, p, l3 + offsetof(struct mr_arp, sender_mac), sender, sizeof(sender));
	mr_edit_set(in->rec, p, l3 + offsetof(struct mr_arp, target_mac), target, sizeof(target));
	mr_record_uncacheable(in->rec, p, "answered");
	mr_node_count(in->run, NEIGHBOR_COUNT_ANSWERED, 1);
	return mr_verdict_output(mr_ip_port(i));
}

static mr_verdict_t
arp_one(struct neighbor_input *in, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(in->run->base, packet);
	const uint8_t *bytes = mr_packet_bytes_const(p);
	struct neighbor_message m;
	unsigned l3, type, flaw;
	bool ours;

	in->interface = p->context % MR_IP_INTERFACES_MAX;
	in->view = mr_rcu_read(&in->nodes->views[in->interface]);
	if (!in->view || !in->view->count[MR_IP4])
		return mr_verdict_drop(NEIGHBOR_DROP_NO_INTERFACE);
	if (!neighbor_l3(bytes, p->len, &l3, &type))
		return mr_verdict_drop(NEIGHBOR_FLAW_SHORT);
	if (type != MR_ETH_TYPE_ARP)
		return mr_verdict_drop(NEIGHBOR_FLAW_VALID);
	flaw = neighbor_read_arp(bytes, p->len, l3, &m);
	if (flaw)
		return mr_verdict_drop(flaw);
	if (mr_ip_mac_is(&in->nodes->ip->interfaces[in->interface], m.mac))
		return mr_verdict_drop(NEIGHBOR_DROP_OWN);
	mr_record_note(in->rec, p,
	    m.kind == NEIGHBOR_ASK ? "ARP request for" : "ARP reply or announcement of",
	    mr_load_be32(m.target));
	ours = neighbor_view_find(in->view, MR_IP4, m.target);
	/* Somebody else speaks from our address: control must know (RFC 5227, 2.4). */
	if (!m.unspecified && neighbor_view_find(in->view, MR_IP4, m.source))
		return neighbor_hand(in, p, NEIGHBOR_CLASS_HEARD, NEIGHBOR_DROP_HEARD_LIMIT);
	if (m.kind == NEIGHBOR_ASK && ours) {
		mr_node_count(in->run, NEIGHBOR_COUNT_ASKED, 1);
		neighbor_hand_copy(in, packet);
		return answer(in, &m, p, l3);
	}
	return neighbor_hear(in, &m, packet, ours,
	    m.kind == NEIGHBOR_ANSWER && neighbor_view_find(in->view, MR_IP4, m.to));
}

mr_inline void
arp_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct neighbor_input in = { run, rec, run->self, NULL, 0, NEIGHBOR_PARCEL_ARP };

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = arp_one(&in, packets[i]);
}
MR_NODE_FUNCTIONS(arp)

#define X(id, name, doc) { name, doc },
const struct mr_named neighbor_input_drops[] = { NEIGHBOR_FLAWS(X) NEIGHBOR_INPUT_DROPS(X) };
const struct mr_named neighbor_input_counters[] = { NEIGHBOR_INPUT_COUNTERS(X) };
#undef X

const struct mr_node_class neighbor_arp_class = {
	.name = "arp-input",
	.doc = "answers ARP requests for the router's addresses, hands on what is worth knowing",
	.drops = neighbor_input_drops,
	.drop_count = NEIGHBOR_INPUT_DROP_COUNT,
	.counters = neighbor_input_counters,
	.counter_count = NEIGHBOR_INPUT_COUNTER_COUNT,
	MR_NODE_RUN(arp),
};
