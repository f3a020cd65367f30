/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/held_int.h"

#include <string.h>

#include "kit/packet/checksum.h"
#include "nf/nat/pass_int.h"

#define GONE_SECONDS 5u /* its node would have seen to it */
#define QUOTE 68u /* IP header and all of TCP's but options (RFC 1812, 4.3.2.3 lets us say more) */

bool
nat_hold_syn(const struct nat_pass *s, const struct nat_instance *n, uint32_t packet,
    struct mr_packet *p, const struct nat_packet *k, uint32_t why)
{
	struct nat_held *h;

	if (k->what != NAT_FLOW || k->proto != MR_IP_PROTO_TCP || k->first || !n->hold_syn ||
	    (k->tcp & (MR_TCP_SYN | MR_TCP_ACK | MR_TCP_RST | MR_TCP_FIN)) != MR_TCP_SYN)
		return false;
	if (why != NAT_DROP_FILTERED && (why != NAT_DROP_NO_MAPPING || nat_is_own(n, k->dst)))
		return false;
	mr_record_uncacheable(s->rec, p, "a SYN that nobody asked for");
	if (s->dry)
		return true;
	h = s->core->held[s->run->worker];
	for (unsigned i = 0; i < NAT_HELD_MAX; i++) {
		if (h->syns[i].packet != MR_PACKET_NONE)
			continue;
		h->syns[i] =
		    (struct nat_held_syn){ packet, s->run->seconds + n->hold_syn, s->run->node };
		atomic_store_explicit(&h->count, h->count + 1, memory_order_relaxed);
		mr_node_count(s->run, NAT_HELD_COUNTER, 1);
		nat_count(s->table, s->run->worker, n->number, NAT_COUNT_FILTERED);
		return true;
	}
	return false;
}

/* Did the inside open this connection meanwhile? */
static bool
was_opened(const struct nat_pass *s, const struct nat_packet *k)
{
	const struct nat_port *port;
	struct nat_pass look = *s;
	struct nat_found f;

	if (!s->view)
		return true;
	look.dry = true;
	port = &s->view->ports[s->self->port];
	for (unsigned i = 0; i < port->outside_count; i++) {
		const struct nat_instance *n = &s->view->instances[port->outside[i]];

		if (nat_is_vlan(port->outside_vlan[i], k->vlan) && nat_is_outside(s, n, k->dst))
			return nat_inward(&look, n, k, &f) == NAT_DONE;
	}
	return true;
}

/* Makes the packet the ICMP error about itself, from the address that it was for. */
static bool
make_unreachable(const struct nat_pass *s, uint32_t packet, const struct nat_packet *k)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	unsigned quote = MR_MIN(MR_MIN(k->end, (unsigned)p->len) - k->l3, QUOTE);
	uint8_t macs[12], *bytes, *icmp;
	struct mr_ip4 ip = { .version_ihl = 0x45,
		.total_len = mr_be16((uint16_t)(28 + quote)),
		.ttl = 64,
		.proto = MR_IP_PROTO_ICMP,
		.src = k->dst,
		.dst = k->src };
	be16_t sum;

	mr_packet_trim(s->run->buffers, s->run->worker, packet, k->l3 + quote);
	memcpy(macs, mr_packet_bytes(p) + 6, 6);
	memcpy(macs + 6, mr_packet_bytes(p), 6);
	if (!mr_edit_push(s->rec, p, k->l3, 28))
		return false;
	bytes = mr_packet_bytes(p);
	memcpy(bytes, macs, sizeof(macs));
	ip.check = mr_checksum_ipv4_header(&ip);
	memcpy(bytes + k->l3, &ip, sizeof(ip));
	icmp = bytes + k->l3 + 20;
	memset(icmp, 0, 8);
	icmp[0] = MR_ICMP4_UNREACHABLE;
	icmp[1] = 3;
	sum = mr_checksum_finish(mr_checksum_add(0, icmp, 8 + quote));
	memcpy(icmp + 2, &sum, 2);
	p->flags = MR_PACKET_ANSWER | MR_PACKET_TRANSLATED;
	p->csum_start = p->csum_offset = p->gso_size = 0;
	return true;
}

static void
let_go(const struct nat_pass *s, uint32_t packet)
{
	struct mr_packet *p = mr_packet_at(s->run->base, packet);
	struct nat_packet k;

	nat_classify(&k, p);
	if (was_opened(s, &k) || (mr_packet_bytes_const(p)[6] & 1) ||
	    !make_unreachable(s, packet, &k))
		mr_node_release(s->run, packet, mr_verdict_drop(NAT_DROP_UNSOLICITED));
	else
		mr_node_release(s->run, packet, mr_verdict_output(p->port));
}

void
nat_held_tick(const struct nat_pass *s)
{
	struct nat_held *h = s->core->held[s->run->worker];
	uint32_t now = s->run->seconds;

	for (unsigned i = 0; h->count && i < NAT_HELD_MAX; i++) {
		struct nat_held_syn syn = h->syns[i];

		if (syn.packet == MR_PACKET_NONE || (int32_t)(now - syn.until) < 0 ||
		    (syn.node != s->run->node && (int32_t)(now - syn.until - GONE_SECONDS) < 0))
			continue;
		h->syns[i].packet = MR_PACKET_NONE;
		atomic_store_explicit(&h->count, h->count - 1, memory_order_relaxed);
		let_go(s, syn.packet);
	}
}

void
nat_held_free(struct nat_held *h, struct mr_buffers *buffers)
{
	for (unsigned i = 0; h && buffers && i < NAT_HELD_MAX; i++)
		if (h->syns[i].packet != MR_PACKET_NONE)
			mr_packets_free(buffers, MR_POOL_SHARED, &h->syns[i].packet, 1);
}

void
nat_tick(struct mr_node_run *run)
{
	const struct nat_pass s = nat_pass_of(run, NULL, NULL);

	nat_pieces_tick(&s);
	nat_held_tick(&s);
}
