/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets to servers that have the service's address themselves: whole, behind another IP header
 * (RFC 2003, RFC 2473), for which they answer to the client directly. With GUE (draft-ietf-
 * intarea-gue, variant 0) UDP stands between, whose source port tells flows apart on the way (RFC
 * 8086, 3.1).
 */
#include <string.h>

#include "kit/packet/flow_hash.h"
#include "kit/packet/wire_tunnel.h"
#include "nf/lb/node_int.h"

#define TTL 64u
#define GUE_SIZE (sizeof(struct mr_udp) + sizeof(struct mr_gue))

struct outer {
	const struct lb_backend *backend;
	unsigned head, size; /* of IP, and of all */
	uint8_t tos;
	bool cut; /* routers may cut the outer packet */
	uint8_t source[16];
};

static void
write_outer4(uint8_t *to, const struct outer *o, unsigned proto, unsigned len, uint16_t id)
{
	struct mr_ip4 ip = { .version_ihl = 0x45,
		.tos = o->tos,
		.total_len = mr_be16((uint16_t)len),
		.id = o->cut ? mr_be16(id) : 0,
		.frag = o->cut ? 0 : mr_be16(MR_IP4_DONT_FRAGMENT),
		.ttl = TTL,
		.proto = (uint8_t)proto };

	memcpy(&ip.src, o->source, 4);
	memcpy(&ip.dst, o->backend->address, 4);
	ip.check = mr_checksum_ipv4_header(&ip);
	memcpy(to, &ip, sizeof(ip));
}

static void
write_outer6(uint8_t *to, const struct outer *o, unsigned proto, unsigned len, uint32_t hash)
{
	struct mr_ip6 ip = { .version_class_flow =
				 mr_be32(6u << 28 | (uint32_t)o->tos << 20 | (hash & 0xfffff)),
		.payload_len = mr_be16((uint16_t)(len - sizeof(ip))),
		.next = (uint8_t)proto,
		.hop_limit = TTL };

	memcpy(ip.src, o->source, 16);
	memcpy(ip.dst, o->backend->address, 16);
	memcpy(to, &ip, sizeof(ip));
}

/* The sum of a packet from layer 4 on, where that has a right checksum of its own: then it is
 * what its pseudo-header is not (local checksum offload, as Linux calls it). */
static bool
known_sum(const struct mr_packet *p, const struct lb_packet *k, uint64_t *sum)
{
	const uint8_t *ip = mr_packet_bytes_const(p) + k->l3;
	unsigned head = k->l4 - k->l3, len = k->ip_len - head;
	be32_t src, dst;
	be16_t check;

	/* Also of one that a device will yet finish: so it will be then. */
	if (k->what != LB_FLOW || k->first)
		return false;
	memcpy(&check, ip + head + (k->proto == MR_IP_PROTO_TCP ? 16 : 6), 2);
	if (k->proto == MR_IP_PROTO_UDP &&
	    (!check || mr_load_be16(ip + head + offsetof(struct mr_udp, len)) != len))
		return false;
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	*sum = k->six ? mr_checksum_pseudo6(ip + 8, ip + 24, k->proto, len)
		      : mr_checksum_pseudo4(src, dst, k->proto, (uint16_t)len);
	*sum = mr_checksum_add((be16_t)~mr_checksum_fold(*sum), ip, head);
	return true;
}

/* UDP's checksum is needed over IPv6 (RFC 8200, 8.1), and left out over IPv4. */
static be16_t
gue_sum(const struct lb_pass *s, const struct mr_packet *p, const struct lb_packet *k,
    const struct outer *o, const uint8_t *gue, unsigned len)
{
	uint64_t sum = 0;

	if (!o->backend->six)
		return 0;
	if (!known_sum(p, k, &sum) &&
	    mr_checksum_add_chain(&sum, s->run->buffers, mr_packet_handle(s->run->base, p), k->l3,
		k->ip_len))
		return 0;
	sum += mr_checksum_pseudo6(o->source, o->backend->address, MR_IP_PROTO_UDP, len);
	return mr_checksum_finish_udp(mr_checksum_add(sum, gue, GUE_SIZE));
}

static void
write_all(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k,
    const struct outer *o)
{
	const struct lb_service *service = &s->view->services[o->backend->service];
	unsigned inner = k->six ? MR_IP_PROTO_IP6 : MR_IP_PROTO_IP4, proto = inner,
		 len = o->size + k->ip_len;
	uint32_t hash = mr_packet_flow_hash(p);
	be16_t type = mr_be16(o->backend->six ? MR_ETH_TYPE_IP6 : MR_ETH_TYPE_IP4);
	uint8_t bytes[40 + GUE_SIZE];

	if (o->size > o->head) {
		struct mr_udp udp = { .src = mr_be16((uint16_t)(0xc000u | (hash ^ hash >> 16))),
			.dst = mr_be16(service->gue_port),
			.len = mr_be16((uint16_t)(len - o->head)) };
		struct mr_gue gue = { .proto = (uint8_t)inner };

		proto = MR_IP_PROTO_UDP;
		memcpy(bytes + o->head, &udp, sizeof(udp));
		memcpy(bytes + o->head + sizeof(udp), &gue, sizeof(gue));
		udp.check = gue_sum(s, p, k, o, bytes + o->head, len - o->head);
		memcpy(bytes + o->head, &udp, sizeof(udp));
	}
	if (o->backend->six)
		write_outer6(bytes, o, proto, len, hash);
	else
		write_outer4(bytes, o, proto, len, (uint16_t)(s->run->now ^ hash));
	(void)mr_edit_push(s->rec, p, k->l3, o->size);
	for (unsigned at = 0; at < o->size; at += 16)
		mr_edit_set(s->rec, p, k->l3 + at, bytes + at, MR_MIN(16u, o->size - at));
	if (o->backend->six != k->six)
		mr_edit_set16(s->rec, p, k->l3 - 2u, type);
}

mr_verdict_t
lb_encapsulate(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k,
    uint16_t backend)
{
	const struct lb_backend *b = &s->view->backends[backend];
	const struct lb_live *live = &s->core->live[backend];
	unsigned mtu = atomic_load_explicit(&live->mtu, memory_order_relaxed);
	uint64_t source[2] = { atomic_load_explicit(&live->source[0], memory_order_relaxed),
		atomic_load_explicit(&live->source[1], memory_order_relaxed) };
	const uint8_t *ip = mr_packet_bytes_const(p) + k->l3;
	struct outer o = { .backend = b, .head = b->six ? 40 : 20 };
	bool cut = lb_may_cut(p, k);

	if (!mtu || !(source[0] | source[1]))
		return mr_verdict_drop(LB_DROP_SOURCE);
	o.size = o.head + (s->view->services[b->service].mode == LB_MODE_GUE ? GUE_SIZE : 0);
	o.cut = cut && !b->six;
	/* DSCP and ECN are the packet's (RFC 2983, 3; RFC 6040, 4.1). */
	o.tos = k->six ? (uint8_t)(mr_load_be16(ip) >> 4) : ip[1];
	memcpy(o.source, source, 16);
	if (p->flags & MR_PACKET_GSO)
		return mr_verdict_drop(LB_DROP_SUPER);
	if (o.size + k->ip_len > mtu && !o.cut)
		return cut
		    ? mr_verdict_drop(LB_DROP_TOO_BIG)
		    : lb_too_big(s, p, k, MR_MAX(mtu - MR_MIN(o.size, mtu), k->six ? 1280u : 68u));
	if (o.size + k->ip_len > UINT16_MAX || mr_packet_headroom(p) < o.size)
		return mr_verdict_drop(LB_DROP_ROOM);
	mr_record_uncacheable(s->rec, p, "encapsulated: its new header holds its length");
	write_all(s, p, k, &o);
	p->flags |= MR_PACKET_TRANSLATED;
	return mr_verdict_edge(LB_EDGE_NEXT);
}
