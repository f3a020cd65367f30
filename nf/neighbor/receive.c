/* SPDX-License-Identifier: Apache-2.0 */
/* What comes through the channel: messages to learn from, packets that must wait. */
#include <string.h>

#include "nf/ip/group.h"
#include "nf/neighbor/neighbor_int.h"

#define AT_ONCE 64u
#define ROUNDS 64u

/* Not the address of a station: a subnet's broadcast addresses (RFC 1812, 4.2.2.11) are nobody's,
 * and who claimed one would get what is sent to all. */
static bool
is_broadcast(const struct mr_ip_interface_info *info, const uint8_t *address)
{
	uint32_t a = mr_load_be32(address);

	for (uint32_t k = 0; k < info->address_count; k++) {
		const struct mr_ip_address *own = &info->addresses[k];
		uint32_t hosts = own->len < 31 ? UINT32_MAX >> own->len : 0;

		if (own->family == MR_IP4 && hosts &&
		    (a | hosts) == (mr_load_be32(own->bytes) | hosts) &&
		    ((a & hosts) == 0 || (a & hosts) == hosts))
			return true;
	}
	return false;
}

static bool
nobodys(const struct neighbors *n, uint16_t interface, const struct neighbor_message *m,
    const uint8_t *address)
{
	const struct mr_ip_interface_info *info = &n->ip->info[interface];

	return m->family == MR_IP4 &&
	    (is_broadcast(info, address) ||
		(info->borrowed && is_broadcast(&n->ip->info[info->borrowed], address)));
}

/* The messages that tell an address of a neighbour (RFC 826; RFC 4861, 7.2.3, 7.2.5, 6.2.6). */
static void
learn(struct neighbors *n, uint16_t interface, const struct neighbor_message *m)
{
	const struct neighbor_interface *i = &n->interfaces[interface];
	const uint8_t *address = m->kind == NEIGHBOR_ANSWER ? m->target : m->source;
	struct neighbor *e = neighbor_find(n, interface, m->family, address);
	bool asked, asks = m->kind != NEIGHBOR_ANSWER;

	if (nobodys(n, interface, m, address))
		return;
	if (e)
		e->router = m->kind == NEIGHBOR_ROUTER_ANSWER ||
		    (!asks && m->family == MR_IP6 ? m->router : e->router);
	/* An answer without its option is one of the address that we asked (7.2.5). */
	if (!m->has_mac) {
		if (e && m->kind == NEIGHBOR_ANSWER && m->solicited &&
		    e->machine.state != NEIGHBOR_INCOMPLETE && e->machine.state != NEIGHBOR_FAILED)
			neighbor_happens(n, e, NEIGHBOR_SOLICITED, e->machine.mac, m->override);
		return;
	}
	if (!e && (asks || i->own.gratuitous == NEIGHBOR_GRATUITOUS_LEARN) && !m->unspecified &&
	    mr_ip_on_link(n->ip, interface, (enum mr_ip_family)m->family, address))
		e = neighbor_make(n, interface, m->family, address);
	if (!e || (!asks && !m->solicited && i->own.gratuitous == NEIGHBOR_GRATUITOUS_IGNORE))
		return;
	/* ARP has no word for it: an answer while we ask is one to us. */
	asked = m->solicited &&
	    (m->family == MR_IP6 || e->machine.state == NEIGHBOR_INCOMPLETE ||
		e->machine.state == NEIGHBOR_PROBE);
	neighbor_happens(n, e,
	    asks        ? NEIGHBOR_HEARD
		: asked ? NEIGHBOR_SOLICITED
			: NEIGHBOR_UNSOLICITED,
	    m->mac, m->override);
}

/* Whether packets to the target leave by another interface (RFC 1027; RFC 4389, 4.1.3.3). */
static bool
reached_elsewhere(const struct neighbors *n, uint16_t interface, const struct neighbor_message *m)
{
	struct mr_group_member member;
	uint8_t prefix[16];
	unsigned len;
	uint32_t group = mr_ip_lookup(n->ip, mr_ip_vrf(&n->ip->interfaces[interface]),
	    (enum mr_ip_family)m->family, m->target, prefix, &len);

	if (group < MR_IP_SPECIALS || !mr_group_members(n->ip, group, &member, 1))
		return false;
	return mr_adjacency_info(n->ip, member.adjacency)->interface != interface;
}

static void
answer_for(struct neighbors *n, uint16_t interface, const struct neighbor_message *m,
    const uint8_t *ethernet)
{
	const struct mr_ip_interface *i = &n->ip->interfaces[interface];
	const uint8_t *dst = m->has_mac ? m->mac : ethernet + 6;
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	unsigned len;

	if (m->unspecified || mr_eth_is_multicast(dst) || !reached_elsewhere(n, interface, m))
		return; /* who probes for himself must not be told that it is taken */
	if (m->family == MR_IP4)
		len = neighbor_write_arp(frame, i, MR_ARP_REPLY, dst, m->target, m->mac, m->source);
	else
		len = neighbor_write_advert(frame, i, dst, m->target, m->source, m->target,
		    NEIGHBOR_FLAG_ROUTER | NEIGHBOR_FLAG_SOLICITED);
	neighbors_send_frame(n, interface, frame, len);
	neighbor_count(n, interface, NEIGHBOR_ANSWERED_N, 1);
}

static bool
is_ours(const struct neighbors *n, uint16_t interface, unsigned family, const uint8_t *address)
{
	return mr_ip_address_find(n->ip, interface, (enum mr_ip_family)family, address);
}

static void
message(struct neighbors *n, const struct mr_packet *p, unsigned parcel)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	uint16_t interface = (uint16_t)(p->context % MR_IP_INTERFACES_MAX);
	struct neighbor_message m;
	unsigned l3, type;

	/* Checked by the node, checksum included; but the interface may be another by now. */
	if (!n->interfaces[interface].known || !neighbor_l3(bytes, p->len, &l3, &type))
		return;
	if (parcel == NEIGHBOR_PARCEL_ARP ? neighbor_read_arp(bytes, p->len, l3, &m)
					  : neighbor_read_nd(bytes, p->len, l3, true, &m))
		return;
	neighbor_count(n, interface, NEIGHBOR_HEARD_N, 1);
	if ((m.kind == NEIGHBOR_ASK || m.kind == NEIGHBOR_ANSWER) &&
	    ((!m.unspecified && is_ours(n, interface, m.family, m.source)) ||
		(m.kind == NEIGHBOR_ANSWER && is_ours(n, interface, m.family, m.target)) ||
		(m.unspecified && is_ours(n, interface, m.family, m.target)))) {
		neighbors_conflict(n, interface, &m);
		return;
	}
	if (m.kind == NEIGHBOR_ROUTER_ASK) {
		neighbor_count(n, interface, NEIGHBOR_SOLICITED_N, 1);
		neighbor_ra_asked(n, interface);
	}
	if (m.kind == NEIGHBOR_ASK && !is_ours(n, interface, m.family, m.target) &&
	    n->interfaces[interface].own.proxy) {
		answer_for(n, interface, &m, bytes);
		return;
	}
	if (!m.unspecified)
		learn(n, interface, &m);
}

/* Returns whether the packet has been taken. */
static bool
resolve(struct neighbors *n, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(n->buffers->base, packet);
	const struct mr_ip_meta *meta = mr_ip_meta(p);
	const struct mr_adjacency_info *a = mr_adjacency_info(n->ip, meta->adjacency);
	uint8_t address[16] = { 0 };
	unsigned at = meta->l3 + (a->family == MR_IP4 ? 16u : 24u);
	unsigned size = a->family == MR_IP4 ? 4 : 16;
	struct neighbor *e;

	if (!a->references || !n->interfaces[a->interface].known) {
		neighbor_count(n, a->interface, NEIGHBOR_STRAY_N, 1);
		return false;
	}
	if (a->glean) {
		if (mr_packet_read(n->buffers, packet, at, address, size) != size)
			return false;
	} else {
		memcpy(address, a->address, size);
	}
	e = neighbor_make(n, a->interface, a->family, address);
	if (e)
		neighbor_take(n, e, packet, a->glean);
	else
		neighbor_unreachable(n, &n->interfaces[a->interface], packet);
	return true;
}

void
neighbors_receive(struct neighbors *n)
{
	uint32_t packets[AT_ONCE];
	unsigned count, rounds = 0;

	while (
	    rounds++ < ROUNDS && (count = mr_channel_receive(n->channel, packets, AT_ONCE)) > 0) {
		for (unsigned k = 0; k < count; k++) {
			const struct mr_packet *p = mr_packet_at(n->buffers->base, packets[k]);

			if (p->out == NEIGHBOR_PARCEL_RESOLVE) {
				if (resolve(n, packets[k]))
					continue;
			} else if (p->out == NEIGHBOR_PARCEL_ARP || p->out == NEIGHBOR_PARCEL_ND) {
				message(n, p, p->out);
			}
			mr_packets_free(n->buffers, MR_POOL_SHARED, &packets[k], 1);
		}
	}
}
