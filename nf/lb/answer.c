/* SPDX-License-Identifier: Apache-2.0 */
/* Services' addresses that are on a link, but none of the router's: who asks for them there is
 * told our Ethernet address (RFC 826; RFC 4861, 7.2.4). The question becomes the answer. */
#include <string.h>

#include "nf/lb/node_int.h"
#include "nf/neighbor/message.h"

static unsigned
arp_answer(uint8_t *frame, const struct mr_ip_interface *i, const struct mr_packet *p, unsigned l3)
{
	struct neighbor_message m;

	if (neighbor_read_arp(mr_packet_bytes_const(p), p->len, l3, &m) || m.kind != NEIGHBOR_ASK)
		return 0;
	return neighbor_write_arp(frame, i, MR_ARP_REPLY, m.mac, m.target, m.mac, m.source);
}

static unsigned
nd_answer(uint8_t *frame, const struct mr_ip_interface *i, const struct mr_packet *p, unsigned l3)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	struct neighbor_message m;
	uint8_t mac[6];

	if (neighbor_read_nd(bytes, p->len, l3, p->flags & MR_PACKET_CSUM_GOOD, &m) ||
	    m.kind != NEIGHBOR_ASK)
		return 0;
	if (m.unspecified) {
		/* Somebody is about to take the address: all are told whose it is. */
		neighbor_group_mac(mac, neighbor_all_nodes);
		return neighbor_write_advert(frame, i, mac, m.target, neighbor_all_nodes, m.target,
		    NEIGHBOR_FLAG_ROUTER | NEIGHBOR_FLAG_OVERRIDE);
	}
	memcpy(mac, m.has_mac ? m.mac : bytes + 6, 6);
	return neighbor_write_advert(frame, i, mac, m.target, m.source, m.target,
	    NEIGHBOR_FLAG_ROUTER | NEIGHBOR_FLAG_SOLICITED | NEIGHBOR_FLAG_OVERRIDE);
}

mr_verdict_t
lb_answer(const struct lb_pass *s, uint32_t packet, const struct lb_packet *k)
{
	const struct mr_ip_interface *i = &s->core->ip->interfaces[k->interface];
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	unsigned len =
	    k->what == LB_ARP ? arp_answer(frame, i, p, k->l3) : nd_answer(frame, i, p, k->l3);

	if (!len || p->segments != 1 || p->len + mr_packet_tailroom(p) < len)
		return mr_verdict_edge(LB_EDGE_NEXT);
	mr_record_uncacheable(s->rec, p, "answered");
	mr_node_count_packet(s->run, s->rec, p, LB_NODE_ASKED, 1);
	p->len = (uint16_t)len;
	p->total = len;
	p->flags &= (uint16_t)~MR_PACKET_CSUM_PARTIAL;
	for (unsigned at = 0; at < len; at += 16)
		mr_edit_set(s->rec, p, at, frame + at, MR_MIN(16u, len - at));
	return mr_verdict_output(mr_ip_port(i));
}
