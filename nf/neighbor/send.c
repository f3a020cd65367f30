/* SPDX-License-Identifier: Apache-2.0 */
/* What the control thread sends, through the channel to neighbor-output. */
#include <string.h>

#include "nf/neighbor/neighbor_int.h"

#define ASKS_PER_SECOND 2000u
#define ASKS_AT_ONCE 500u

static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t nobody[6];

void
neighbors_flush(struct neighbors *n)
{
	unsigned sent;

	if (!n->out_count)
		return;
	sent = mr_channel_send(n->channel, n->out, n->out_count);
	/* The channel counts what it could not take. */
	mr_packets_free(n->buffers, MR_POOL_SHARED, n->out + sent, n->out_count - sent);
	n->out_count = 0;
}

void
neighbors_give(struct neighbors *n, uint32_t packet, enum neighbor_parcel parcel)
{
	mr_packet_at(n->buffers->base, packet)->out = (uint16_t)parcel;
	n->out[n->out_count++] = packet;
	if (n->out_count == MR_ARRAY_COUNT(n->out))
		neighbors_flush(n);
}

void
neighbors_send_frame(struct neighbors *n, uint16_t interface, const uint8_t *frame, unsigned len)
{
	const struct mr_ip_interface *i = &n->ip->interfaces[interface];
	uint16_t port = mr_ip_port(i);
	struct mr_packet *p;
	uint32_t packet;

	if (port == MR_IP_NO_PORT || !(mr_ip_flags(i) & MR_IP_UP))
		return;
	packet = mr_packet_from(n->buffers, MR_POOL_SHARED, frame, len);
	if (packet == MR_PACKET_NONE)
		return;
	p = mr_packet_at(n->buffers->base, packet);
	memset(p->scratch, 0, sizeof(p->scratch));
	memcpy(p->node, &port, sizeof(port));
	neighbors_give(n, packet, NEIGHBOR_PARCEL_FRAME);
}

/* GCRA over all questions; a flood of unknown destinations must not become one of ours. */
static bool
may_ask(struct neighbors *n)
{
	uint64_t now = n->now * 1000, step = 1000000 / ASKS_PER_SECOND;
	uint64_t start = MR_MAX(n->asks_due, now);

	if (start - now > step * ASKS_AT_ONCE)
		return false;
	n->asks_due = start + step;
	return true;
}

/*
 * Our address to ask from. While all of them are still tentative, the link-local one, with our
 * Ethernet address although RFC 4429, 3.2 would have it left out: what must be forwarded
 * does not wait for our addresses, hosts do not answer without it, and it is made of the
 * Ethernet address, so that it is hardly anybody else's.
 */
static const struct mr_ip_address *
source_for(const struct neighbors *n, const struct neighbor *e)
{
	const struct mr_ip_address *a =
	    mr_ip_address_for(n->ip, e->interface, (enum mr_ip_family)e->family, e->address);
	const struct mr_ip_interface_info *info = &n->ip->info[e->interface];

	for (uint32_t k = 0; !a && k < info->address_count; k++)
		if (info->addresses[k].family == e->family && !info->addresses[k].duplicate &&
		    (e->family == MR_IP4 || info->addresses[k].link_local))
			a = &info->addresses[k];
	return a;
}

void
neighbor_ask(struct neighbors *n, struct neighbor *e, const uint8_t *mac)
{
	const struct mr_ip_interface *i = &n->ip->interfaces[e->interface];
	const struct mr_ip_address *source = source_for(n, e);
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	unsigned len;

	if (!may_ask(n)) {
		neighbor_count(n, e->interface, NEIGHBOR_ASK_LIMIT_N, 1);
		return;
	}
	if (!source && e->family == MR_IP6)
		return; /* nobody could answer */
	if (e->family == MR_IP4)
		len = neighbor_write_arp(frame, i, MR_ARP_REQUEST, mac ? mac : broadcast,
		    source ? source->bytes : neighbor_unspecified, mac ? mac : nobody, e->address);
	else
		len = neighbor_write_solicit(frame, i, mac, source->bytes, e->address, true, NULL);
	neighbors_send_frame(n, e->interface, frame, len);
	neighbor_count(n, e->interface, NEIGHBOR_ASKED_N, 1);
}

void
neighbor_probe_own(struct neighbors *n, uint16_t interface, const struct neighbor_address *a)
{
	const struct mr_ip_interface *i = &n->ip->interfaces[interface];
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	unsigned len;

	if (a->family == MR_IP4)
		len = neighbor_write_arp(frame, i, MR_ARP_REQUEST, broadcast, neighbor_unspecified,
		    nobody, a->bytes);
	else
		len = neighbor_write_solicit(frame, i, NULL, neighbor_unspecified, a->bytes, false,
		    a->nonce);
	neighbors_send_frame(n, interface, frame, len);
	neighbor_count(n, interface, NEIGHBOR_ASKED_N, 1);
}

void
neighbor_announce(struct neighbors *n, uint16_t interface, const struct neighbor_address *a)
{
	const struct mr_ip_interface *i = &n->ip->interfaces[interface];
	uint8_t frame[NEIGHBOR_FRAME_MAX], dst[6];
	unsigned len;

	if (a->family == MR_IP4) {
		len = neighbor_write_arp(frame, i, MR_ARP_REQUEST, broadcast, a->bytes, nobody,
		    a->bytes);
	} else {
		neighbor_group_mac(dst, neighbor_all_nodes);
		len = neighbor_write_advert(frame, i, dst, a->bytes, neighbor_all_nodes, a->bytes,
		    NEIGHBOR_FLAG_ROUTER | NEIGHBOR_FLAG_OVERRIDE);
	}
	neighbors_send_frame(n, interface, frame, len);
	neighbor_count(n, interface, NEIGHBOR_ANNOUNCED_N, 1);
}

/* The node that makes ICMP errors limits their rate. The error is of the packet's family, which need
 * not be its next hop's (RFC 8950). */
void
neighbor_unreachable(struct neighbors *n, struct neighbor_interface *i, uint32_t packet)
{
	struct mr_ip_meta *m = mr_ip_meta(mr_packet_at(n->buffers->base, packet));
	uint8_t first = 0;
	bool four;

	(void)mr_packet_read(n->buffers, packet, m->l3, &first, 1);
	four = first >> 4 == 4;
	m->icmp_type = four ? MR_ICMP4_UNREACHABLE : MR_ICMP6_UNREACHABLE;
	m->icmp_code = four ? 1 : 3; /* host unreachable; address unreachable */
	m->icmp_data = 0;
	i->counts[NEIGHBOR_UNREACHABLE_N]++;
	neighbors_give(n, packet, NEIGHBOR_PARCEL_FAIL);
}
