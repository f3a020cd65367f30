/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rejected packet becomes the answer to it, in place, with its Ethernet addresses exchanged: a TCP
 * reset (RFC 9293, 3.10.7.1), or an ICMP error with as much of the packet as fits (RFC 1812, 4.3.2.3;
 * RFC 4443, 2.4). The answer comes from the address that the packet was for, as if that host had refused
 * it, so this works on bridges, too, which have no address.
 */
#include "kit/packet/checksum.h"
#include "nf/acl/acl_int.h"
#include "nf/icmp/icmp_int.h"

#define QUOTE4 (576u - 28u)
#define QUOTE6 (1280u - 48u)
#define TTL 64

static bool
is_reset(const struct mr_parsed *r, enum acl_reject how)
{
	return how == ACL_REJECT_RESET && r->proto == MR_IP_PROTO_TCP;
}

/* Whether a packet with these addresses, or of this kind, may be answered at all. */
static bool
may_answer(struct mr_node_run *run, uint32_t packet, const struct mr_packet *p,
    const struct mr_parsed *r, bool reset)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);

	if (r->l3 < sizeof(struct mr_eth) || mr_eth_is_multicast(bytes + 6))
		return false;
	/* What holds for errors holds for resets: groups, broadcasts, sources that are no host. */
	if (icmp_error_refused(bytes, p->len, p->total, r->l3, r->version == 6 ? MR_IP6 : MR_IP4,
		r->version == 6 ? MR_ICMP6_UNREACHABLE : MR_ICMP4_UNREACHABLE,
		0) != ICMP_COUNT_COUNT)
		return false;
	if (r->version == 6 &&
	    (r->flags & (MR_PARSED_FRAGMENT | MR_PARSED_FIRST)) == MR_PARSED_FRAGMENT)
		return false;
	if (reset && (!(r->flags & MR_PARSED_L4) || (r->tcp_flags & MR_TCP_RST)))
		return false;
	/* A damaged packet's sender may be anybody. */
	return (p->flags & MR_PACKET_CSUM_PARTIAL) ||
	    mr_checksum_packet_verify(run->buffers, packet) != MR_CHECKSUM_BAD;
}

static void
forget(struct mr_packet *p)
{
	p->flags = MR_PACKET_ANSWER;
	p->csum_start = p->csum_offset = 0;
	p->gso_size = 0;
	p->hash = 0;
}

static void
write_bytes(struct mr_recorder *rec, struct mr_packet *p, unsigned at, const void *bytes,
    unsigned len)
{
	for (unsigned i = 0; i < len; i += 16)
		mr_edit_set(rec, p, at + i, (const uint8_t *)bytes + i, MR_MIN(16u, len - i));
}

static void
exchange_macs(struct mr_recorder *rec, struct mr_packet *p)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	uint8_t eth[12];

	memcpy(eth, bytes + 6, 6);
	memcpy(eth + 6, bytes, 6);
	mr_edit_set(rec, p, 0, eth, sizeof(eth));
}

static void
cut(struct mr_node_run *run, struct mr_recorder *rec, uint32_t packet, unsigned len)
{
	struct mr_packet *p = mr_packet_at(run->base, packet);

	if (len >= p->total)
		return;
	mr_packet_trim(run->buffers, run->worker, packet, len);
	if (mr_unlikely(mr_recorded(rec, p)))
		mr_record_op(rec, p, MR_OP_TRIM)->arg = p->total;
}

/* The IP header of an answer of `len` bytes behind it to the packet whose header is at `ip`. */
static unsigned
make_ip(uint8_t out[40], const uint8_t *ip, bool six, uint8_t proto, unsigned len)
{
	struct mr_ip4 four = { .version_ihl = 0x45,
		.frag = mr_be16(MR_IP4_DONT_FRAGMENT),
		.ttl = TTL,
		.proto = proto,
		.total_len = mr_be16((uint16_t)(20 + len)) };
	struct mr_ip6 to6 = { .version_class_flow = mr_be32(6u << 28),
		.payload_len = mr_be16((uint16_t)len),
		.next = proto,
		.hop_limit = TTL };

	if (six) {
		memcpy(to6.src, ip + 24, 16);
		memcpy(to6.dst, ip + 8, 16);
		memcpy(out, &to6, sizeof(to6));
		return sizeof(to6);
	}
	memcpy(&four.src, ip + 16, 4);
	memcpy(&four.dst, ip + 12, 4);
	four.check = mr_checksum_ipv4_header(&four);
	memcpy(out, &four, sizeof(four));
	return sizeof(four);
}

static uint64_t
pseudo(const uint8_t *ip, bool six, uint8_t proto, unsigned len)
{
	be32_t src, dst;

	if (six)
		return mr_checksum_pseudo6(ip + 8, ip + 24, proto, len);
	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	return mr_checksum_pseudo4(src, dst, proto, (uint16_t)len);
}

static void
make_reset(struct mr_node_run *run, struct mr_recorder *rec, uint32_t packet,
    const struct mr_parsed *r)
{
	struct mr_packet *p = mr_packet_at(run->base, packet);
	const uint8_t *bytes = mr_packet_bytes_const(p);
	bool six = r->version == 6;
	struct mr_tcp was, tcp = { .offset = 5 << 4, .flags = MR_TCP_RST };
	uint8_t head[40 + sizeof(tcp)];
	unsigned len;

	memcpy(&was, bytes + r->l4, sizeof(was));
	tcp.src = was.dst;
	tcp.dst = was.src;
	if (was.flags & MR_TCP_ACK) {
		tcp.seq = was.ack;
	} else {
		unsigned more =
		    r->end - r->payload + !!(was.flags & MR_TCP_SYN) + !!(was.flags & MR_TCP_FIN);

		tcp.flags |= MR_TCP_ACK;
		tcp.ack = mr_be32(mr_be32(was.seq) + more);
	}
	len = make_ip(head, bytes + r->l3, six, MR_IP_PROTO_TCP, sizeof(tcp));
	tcp.check = mr_checksum_finish(
	    mr_checksum_add(pseudo(head, six, MR_IP_PROTO_TCP, sizeof(tcp)), &tcp, sizeof(tcp)));
	memcpy(head + len, &tcp, sizeof(tcp));
	len += sizeof(tcp);
	/* The packet is at least as long: its own headers are. */
	cut(run, rec, packet, r->l3 + len);
	write_bytes(rec, p, r->l3, head, len);
	forget(p);
}

static bool
make_error(struct mr_node_run *run, struct mr_recorder *rec, uint32_t packet,
    const struct mr_parsed *r, enum acl_reject how)
{
	static const uint8_t codes[ACL_REJECTS][2] = {
		[ACL_REJECT_PORT] = { MR_ICMP4_UNREACHABLE_PORT, 4 },
		[ACL_REJECT_HOST] = { MR_ICMP4_UNREACHABLE_HOST, 3 },
		[ACL_REJECT_NET] = { MR_ICMP4_UNREACHABLE_NET, 0 },
		[ACL_REJECT_ADMIN] = { MR_ICMP4_UNREACHABLE_ADMIN, 1 },
		[ACL_REJECT_RESET] = { MR_ICMP4_UNREACHABLE_PORT, 4 },
	};
	struct mr_packet *p = mr_packet_at(run->base, packet);
	bool six = r->version == 6;
	unsigned quote = MR_MIN(r->end - r->l3, six ? QUOTE6 : QUOTE4);
	uint8_t proto = six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP, head[40 + 8];
	struct mr_icmp icmp = { .type = six ? MR_ICMP6_UNREACHABLE : MR_ICMP4_UNREACHABLE,
		.code = codes[how][six] };
	unsigned len = six ? 48 : 28;
	uint64_t sum = 0;

	if (mr_packet_headroom(p) < len ||
	    (p->len < r->l3 + quote &&
		mr_packet_pull(run->buffers, run->worker, packet, r->l3 + quote)))
		return false;
	/* What is quoted has its checksum; a super-frame's sum says nothing to its sender. */
	if ((p->flags & MR_PACKET_CSUM_PARTIAL) && !(p->flags & MR_PACKET_GSO))
		(void)mr_checksum_complete(run->buffers, packet);
	cut(run, rec, packet, r->l3 + quote);
	len = make_ip(head, mr_packet_bytes_const(p) + r->l3, six, proto, 8 + quote);
	if (six)
		sum = pseudo(head, six, proto, 8 + quote);
	sum = mr_checksum_add(sum, &icmp, 8);
	sum = mr_checksum_add(sum, mr_packet_bytes_const(p) + r->l3, quote);
	icmp.check = mr_checksum_finish(sum);
	memcpy(head + len, &icmp, 8);
	len += 8;
	(void)mr_edit_push(rec, p, r->l3, len);
	write_bytes(rec, p, r->l3, head, len);
	forget(p);
	return true;
}

bool
acl_reject_make(struct mr_node_run *run, struct mr_recorder *rec, uint32_t packet,
    const struct mr_parsed *r, enum acl_reject how)
{
	struct mr_packet *p = mr_packet_at(run->base, packet);
	bool reset = is_reset(r, how);

	if (!may_answer(run, packet, p, r, reset))
		return false;
	if (reset)
		make_reset(run, rec, packet, r);
	else if (!make_error(run, rec, packet, r, how))
		return false;
	exchange_macs(rec, p);
	return true;
}
