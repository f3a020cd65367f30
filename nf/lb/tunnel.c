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
	bool cut; /* routers cut the outer packet: this one is the first that has to */
	uint8_t source[16];
};

/* Without its length. What routers may not cut needs no number (RFC 6864, 4): `id` is 0. */
static void
write_outer4(uint8_t *to, const struct outer *o, unsigned proto, uint16_t id)
{
	struct mr_ip4 ip = { .version_ihl = 0x45,
		.tos = o->tos,
		.id = mr_be16(id),
		.frag = o->cut ? 0 : mr_be16(MR_IP4_DONT_FRAGMENT),
		.ttl = TTL,
		.proto = (uint8_t)proto };

	memcpy(&ip.src, o->source, 4);
	memcpy(&ip.dst, o->backend->address, 4);
	ip.check = mr_checksum_ipv4_header(&ip);
	memcpy(to, &ip, sizeof(ip));
}

static void
write_outer6(uint8_t *to, const struct outer *o, unsigned proto, uint32_t hash)
{
	struct mr_ip6 ip = { .version_class_flow =
				 mr_be32(6u << 28 | (uint32_t)o->tos << 20 | (hash & 0xfffff)),
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

/* What known_sum looks at but the key and the length are to be the same; that UDP has a checksum is
 * looked at in each packet (LB_ARG_SUMMED). */
static void
rest_on_sum(const struct lb_pass *s, const struct mr_packet *p, const struct lb_packet *k)
{
	/* Class, label and hop limit; a header of IPv4 is nothing to a sum. */
	if (k->six)
		mr_guard(s->rec, p, k->l3, 8, 0xff000000ffffffffull);
}

/* UDP's checksum is needed over IPv6 (RFC 8200, 8.1), and left out over IPv4. */
static be16_t
gue_sum(const struct lb_pass *s, const struct mr_packet *p, const struct lb_packet *k,
    const struct outer *o, const uint8_t *gue, unsigned len)
{
	uint64_t sum = 0;

	if (!o->backend->six)
		return 0;
	if (known_sum(p, k, &sum)) {
		rest_on_sum(s, p, k);
	} else {
		mr_record_uncacheable(s->rec, p,
		    "GUE over IPv6 has a checksum, which rests on the packet's own: there is none");
		sum = 0;
		if (mr_checksum_add_chain(&sum, s->run->buffers, mr_packet_handle(s->run->base, p),
			k->l3, k->ip_len))
			return 0;
	}
	sum += mr_checksum_pseudo6(o->source, o->backend->address, MR_IP_PROTO_UDP, len);
	return mr_checksum_finish_udp(mr_checksum_add(sum, gue, GUE_SIZE));
}

/* The outer lengths follow from the inner one, which need not be the frame's. */
static void
write_lengths(const struct lb_pass *s, struct mr_packet *p, const struct lb_packet *k,
    const struct outer *o)
{
	unsigned inner = k->l3 + o->size, six = k->six ? sizeof(struct mr_ip6) : 0;
	struct mr_length ip = { .of = (uint16_t)(inner + (k->six ? 4 : 2)) }, udp = ip;

	ip.offset = (uint16_t)(k->l3 + (o->backend->six ? 4 : 2));
	ip.more = (int16_t)(six + o->size - (o->backend->six ? o->head : 0));
	ip.sum = o->backend->six ? 0 : (uint16_t)(k->l3 + offsetof(struct mr_ip4, check));
	mr_edit_length(s->rec, p, &ip);
	if (o->size == o->head)
		return;
	udp.offset = (uint16_t)(k->l3 + o->head + offsetof(struct mr_udp, len));
	udp.more = (int16_t)(six + o->size - o->head);
	/* UDP's header says it, and its pseudo-header; what the inner packet sums up to (known_sum)
	 * is less the pseudo-header there, and more IPv6's header. */
	udp.sum =
	    o->backend->six ? (uint16_t)(k->l3 + o->head + offsetof(struct mr_udp, check)) : 0;
	udp.kind = MR_SUM_UDP;
	udp.twice = k->six;
	mr_edit_length(s->rec, p, &udp);
}

/* Which pieces are one packet's: another number for each that is sent in pieces to an address, whatever
 * the service, as long as 16 bits last. Addresses may share a count, which takes nothing from them but
 * some of the 16 bits. */
static uint16_t
next_id(const struct lb_pass *s, const struct outer *o)
{
	unsigned worker = MR_MIN(s->run->worker, s->core->workers);
	_Atomic uint64_t *cut =
	    mr_counters_row(s->core->cuts, worker) + mr_load_be32(o->backend->address) % LB_CUTS;
	uint64_t before = mr_counter_get(cut);

	if (!s->dry)
		mr_counter_add(cut, 1);
	return (uint16_t)(before * (s->core->workers + 1) + worker);
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
		write_outer6(bytes, o, proto, hash);
	else
		write_outer4(bytes, o, proto, o->cut ? next_id(s, o) : 0);
	(void)mr_edit_push(s->rec, p, k->l3, o->size);
	for (unsigned at = 0; at < o->size; at += 16)
		mr_edit_set(s->rec, p, k->l3 + at, bytes + at, MR_MIN(16u, o->size - at));
	write_lengths(s, p, k, o);
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
	bool cut = lb_may_cut(p, k), big;

	if (!mtu || !(source[0] | source[1]))
		return mr_verdict_drop(LB_DROP_SOURCE);
	o.size = o.head + (s->view->services[b->service].mode == LB_MODE_GUE ? GUE_SIZE : 0);
	big = o.size + k->ip_len > mtu;
	/* What fits is not to be cut on the way, so that it needs no number of its own (RFC 2003, 3.1). */
	o.cut = big && cut && !b->six;
	/* DSCP and ECN are the packet's (RFC 2983, 3; RFC 6040, 4.1). */
	o.tos = k->six ? (uint8_t)(mr_load_be16(ip) >> 4) : ip[1];
	memcpy(o.source, source, 16);
	if (big)
		mr_record_uncacheable(s->rec, p, "too big for the way to the server");
	if (p->flags & MR_PACKET_GSO)
		return mr_verdict_drop(LB_DROP_SUPER);
	if (big && !o.cut)
		return cut
		    ? mr_verdict_drop(LB_DROP_TOO_BIG)
		    : lb_too_big(s, p, k, MR_MAX(mtu - MR_MIN(o.size, mtu), k->six ? 1280u : 68u));
	if (o.size + k->ip_len > UINT16_MAX || mr_packet_headroom(p) < o.size) {
		mr_record_uncacheable(s->rec, p, "no room for another header");
		return mr_verdict_drop(LB_DROP_ROOM);
	}
	mr_guard_length(s->rec, p, k->l3 + mtu - o.size);
	if (k->six)
		mr_guard(s->rec, p, k->l3, 2, 0xf00f);
	else
		mr_guard(s->rec, p, k->l3 + 1u, 1, 0xff);
	write_all(s, p, k, &o);
	p->flags |= MR_PACKET_TRANSLATED;
	return mr_verdict_edge(LB_EDGE_NEXT);
}
