/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_CHECKSUM_H
#define MR_KIT_PACKET_CHECKSUM_H

/*
 * The Internet checksum (RFC 1071) over bytes and chains, its incremental update
 * (RFC 1624), and the finishing of what a kernel left unfinished.
 *
 * A *sum* here is a uint64_t: 16-bit words added as they lie in memory, not yet
 * folded. Sums of pieces add up with +, as long as every piece but the last has an even
 * length. mr_checksum_fold makes 16 bits of it, mr_checksum_finish the value for a
 * header field. Byte order does not matter (RFC 1071, section 2 (B)), so nothing is
 * ever swapped.
 *
 * Ownership: none is taken. Threads: no state.
 * Errors: functions that walk a packet check their bounds and return -EINVAL.
 */

#include "kit/packet/packet.h"
#include "kit/packet/wire.h"

struct mr_buffers;

/* `bytes` added to `sum`; an odd last byte counts as if a zero followed. */
MR_API uint64_t mr_checksum_add(uint64_t sum, const void *bytes, size_t len);

/* The same, without choosing a faster variant at run time: what the tests compare with. */
MR_API uint64_t mr_checksum_add_portable(uint64_t sum, const void *bytes, size_t len);

/* Adds `len` bytes from `offset` of a chain; segments of odd length are fine.
 * -EINVAL when the packet is shorter. */
MR_API int mr_checksum_add_chain(uint64_t *sum, const struct mr_buffers *, uint32_t handle,
    unsigned offset, unsigned len);

/* 16 bits, not complemented; 0 only when everything summed up was 0. */
mr_inline be16_t
mr_checksum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (be16_t)(sum + (sum >> 16));
}

mr_inline be16_t
mr_checksum_finish(uint64_t sum)
{
	return (be16_t)~mr_checksum_fold(sum);
}

/* UDP keeps 0 for "no checksum" and sends 0xffff instead (RFC 768); for every
 * other protocol the two mean the same. */
mr_inline be16_t
mr_checksum_finish_udp(uint64_t sum)
{
	be16_t check = mr_checksum_finish(sum);

	return check ? check : UINT16_MAX;
}

/* The sum of a pseudo-header. `len` is that of layer 4, header included. */
mr_inline uint64_t
mr_checksum_pseudo4(be32_t src, be32_t dst, uint8_t proto, uint16_t len)
{
	return (uint64_t)src + dst + ((uint32_t)proto << 8) + mr_be16(len);
}

/* RFC 8200, section 8.1; `src` and `dst` are 16 bytes at any alignment. */
mr_inline uint64_t
mr_checksum_pseudo6(const void *src, const void *dst, uint8_t proto, uint32_t len)
{
	uint32_t a[4], b[4];

	memcpy(a, src, sizeof(a));
	memcpy(b, dst, sizeof(b));
	return (uint64_t)a[0] + a[1] + a[2] + a[3] + b[0] + b[1] + b[2] + b[3] +
	    ((uint32_t)proto << 8) + mr_be32(len);
}

/* Incremental update, RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m'). A delta is
 * ~m + m' as a sum: deltas of several fields add up with + and are applied at once.
 * Fields start at an even offset of what the checksum covers. */
mr_inline uint64_t
mr_checksum_delta16(be16_t from, be16_t to)
{
	return (uint64_t)(uint16_t)~from + to;
}

mr_inline uint64_t
mr_checksum_delta32(be32_t from, be32_t to)
{
	return (uint64_t)(uint32_t)~from + to;
}

/* Of 16 bytes: an IPv6 address. */
mr_inline uint64_t
mr_checksum_delta128(const void *from, const void *to)
{
	uint32_t a[4], b[4];

	memcpy(a, from, sizeof(a));
	memcpy(b, to, sizeof(b));
	return (uint64_t)~a[0] + ~a[1] + ~a[2] + ~a[3] + b[0] + b[1] + b[2] + b[3];
}

mr_inline be16_t
mr_checksum_apply(be16_t check, uint64_t delta)
{
	return mr_checksum_finish((uint64_t)(uint16_t)~check + delta);
}

/* For UDP: 0 stays 0 (there is none), and none is made 0. */
mr_inline be16_t
mr_checksum_apply_udp(be16_t check, uint64_t delta)
{
	return check ? mr_checksum_finish_udp((uint64_t)(uint16_t)~check + delta) : 0;
}

/* For a field with MR_PACKET_CSUM_PARTIAL, which holds a sum that is not complemented. */
mr_inline be16_t
mr_checksum_apply_partial(be16_t field, uint64_t delta)
{
	return mr_checksum_fold((uint64_t)field + delta);
}

mr_inline be16_t
mr_checksum_update16(be16_t check, be16_t from, be16_t to)
{
	return mr_checksum_apply(check, mr_checksum_delta16(from, to));
}

mr_inline be16_t
mr_checksum_update32(be16_t check, be32_t from, be32_t to)
{
	return mr_checksum_apply(check, mr_checksum_delta32(from, to));
}

mr_inline be16_t
mr_checksum_update128(be16_t check, const void *from, const void *to)
{
	return mr_checksum_apply(check, mr_checksum_delta128(from, to));
}

mr_inline uint64_t
mr_checksum_ipv4_sum(const struct mr_ip4 *ip)
{
	const uint8_t *p = (const uint8_t *)ip;
	unsigned i, len = mr_ip4_header_len(ip);
	uint64_t sum = 0;
	uint32_t w;

	for (i = 0; i < len; i += 4) {
		memcpy(&w, p + i, sizeof(w));
		sum += w;
	}
	return sum;
}

/* What belongs into the header's checksum field, whatever it holds now. The
 * header's whole length (mr_ip4_header_len, at least 20) is readable. */
mr_inline be16_t
mr_checksum_ipv4_header(const struct mr_ip4 *ip)
{
	return mr_checksum_finish(mr_checksum_ipv4_sum(ip) + (uint16_t)~ip->check);
}

mr_inline bool
mr_checksum_ipv4_header_good(const struct mr_ip4 *ip)
{
	return mr_checksum_fold(mr_checksum_ipv4_sum(ip)) == UINT16_MAX;
}

/*
 * Whether the sum of a header of 20 bytes, loaded as these three numbers, is right: 0xffff, with the
 * carries put back at the bottom. That is, a multiple of 65,535: and so is the header taken as one
 * large number, since 2^16 is 1 modulo 65,535. `s` is a multiple of this odd number when its product
 * with the number's inverse modulo 2^64 is no larger than the largest quotient (Granlund and
 * Montgomery, 1994).
 */
mr_inline bool
mr_checksum_ip4_good(uint64_t a, uint64_t b, uint32_t c)
{
	uint64_t s = a + b, carry = s < b;

	s += c;
	carry += s < c;
	s += carry; /* no third carry: what wrapped around is small */
	return s * 0xfffefffefffeffffull <= 0x0001000100010001ull;
}

enum mr_checksum_verdict {
	MR_CHECKSUM_GOOD,
	MR_CHECKSUM_BAD,
	MR_CHECKSUM_ABSENT, /* UDP over IPv4 with 0: the sender made none */
	MR_CHECKSUM_UNKNOWN, /* not IP, a protocol without a checksum known here, a fragment, cut short */
};

/* Checks the layer-4 checksum of a whole Ethernet frame: TCP, UDP, ICMP, IGMP,
 * ICMPv6, SCTP's CRC32c. Looks behind VLAN tags and IPv6
 * extension headers, not into tunnels. */
MR_API enum mr_checksum_verdict mr_checksum_l4_verify(const uint8_t *bytes, unsigned len);

/* The same for a packet; its headers must lie in the first segment. */
MR_API enum mr_checksum_verdict mr_checksum_packet_verify(const struct mr_buffers *,
    uint32_t handle);

/*
 * Finishes a packet with MR_PACKET_CSUM_PARTIAL: sums from csum_start to the end of the
 * chain, which takes in the pseudo-header's sum that the field holds, writes the result
 * at csum_start + csum_offset (0 becomes 0xffff, as UDP wants and the others accept)
 * and clears the flag. A packet without the flag is left alone. With csum_offset 8 the
 * field is SCTP's CRC32c (no protocol has an Internet checksum there).
 * -EINVAL, and nothing changes, when the field is not inside the packet.
 *
 * A super-frame (MR_PACKET_GSO) is cut first, kit/packet/gso.h: one sum over all its
 * payload says nothing about its pieces.
 */
MR_API int mr_checksum_complete(struct mr_buffers *, uint32_t handle);

/* The general case of mr_checksum_is_unfinished: extension headers and tunnels. */
MR_API bool mr_checksum_find_unfinished(const uint8_t *bytes, unsigned len, uint16_t *csum_start,
    uint16_t *csum_offset);

/*
 * Does this Ethernet frame carry a layer-4 checksum that the sending kernel left to the
 * device? veth passes such frames on as they are, and through AF_XDP nothing in the
 * metadata says so. But the field then holds exactly the folded pseudo-header sum,
 * not complemented, and that can be recomputed from the headers: up to two VLAN tags,
 * IPv4 with options, IPv6 with extension headers, TCP and UDP. When it is so, the
 * return value is true and the two places are what a driver puts into csum_start and
 * csum_offset beside MR_PACKET_CSUM_PARTIAL.
 *
 * A finished checksum may hold the same 16 bits by chance (1 packet in 65,536).
 * Finishing it again is harmless: with field F, pseudo-header sum P and sum D of
 * everything else, finished means F = ~(P + D); the chance is F = P; and finishing
 * computes ~(F + D) = ~(P + D) = F. The same value is written, at the cost of summing one packet.
 * (If the packet had been damaged on its way, this would make a bad checksum
 * good once in 65,536 bad packets: what a 16-bit checksum lets through anyway.)
 *
 * - UDP over IPv4 with 0 has no checksum and is not unfinished: a folded
 *   pseudo-header sum is never 0.
 * - Fragments are never unfinished: the kernel finishes before it fragments. An
 *   atomic fragment (RFC 6946) is a whole packet and is looked through.
 * - The length in the pseudo-header is taken from the IP header, so `len` may be that
 *   of the first segment only, and padding does not matter.
 * - Tunnels: with VXLAN, Geneve, GRE and IP in IP the kernel leaves the sum of the inner
 *   packet unfinished, while an outer UDP checksum is either absent or already right for the
 *   finished inner packet (local checksum offload). If the inner sum was finished
 *   before, the outer one may be left. There is at most one per packet. We take the
 *   outermost that matches and look through at most two tunnels; UDP tunnels are known by their
 *   destination port (4789, 8472, 6081). An outer sum that matches by chance while
 *   the inner one is unfinished is mistaken, once in 65,536 tunnelled packets with an
 *   outer checksum; the receiver drops that packet.
 * - SCTP over veth leaves its CRC32c at 0, which we take as unfinished (csum_offset 8).
 */
mr_inline bool
mr_checksum_is_unfinished(const uint8_t *bytes, unsigned len, uint16_t *csum_start,
    uint16_t *csum_offset)
{
	const struct mr_ip4 *ip4 = (const struct mr_ip4 *)(bytes + sizeof(struct mr_eth));
	const struct mr_ip6 *ip6 = (const struct mr_ip6 *)(bytes + sizeof(struct mr_eth));
	unsigned l4, l4_len, offset;
	be16_t type, field, port;
	uint64_t sum;
	uint8_t proto;

	/* Here: no tag, IPv4 without options, IPv6 without extension headers. */
	if (mr_unlikely(len < sizeof(struct mr_eth) + sizeof(*ip4) + sizeof(struct mr_udp)))
		return false;
	memcpy(&type, bytes + offsetof(struct mr_eth, type), sizeof(type));
	if (type == mr_be16(MR_ETH_TYPE_IP4)) {
		l4 = sizeof(struct mr_eth) + sizeof(*ip4);
		l4_len = mr_be16(ip4->total_len) - (unsigned)sizeof(*ip4);
		proto = ip4->proto;
		if (mr_unlikely(ip4->version_ihl != 0x45 || l4_len > UINT16_MAX ||
			(ip4->frag & mr_be16(MR_IP4_MORE_FRAGMENTS | MR_IP4_FRAG_OFFSET))))
			goto general;
		sum = mr_checksum_pseudo4(ip4->src, ip4->dst, proto, (uint16_t)l4_len);
	} else if (type == mr_be16(MR_ETH_TYPE_IP6)) {
		l4 = sizeof(struct mr_eth) + sizeof(*ip6);
		if (mr_unlikely(len < l4 || bytes[sizeof(struct mr_eth)] >> 4 != 6))
			return false;
		proto = ip6->next;
		sum = mr_checksum_pseudo6(ip6->src, ip6->dst, proto, mr_be16(ip6->payload_len));
	} else if (type == mr_be16(MR_ETH_TYPE_ARP)) {
		return false;
	} else {
		goto general;
	}
	if (mr_likely(proto == MR_IP_PROTO_TCP))
		offset = offsetof(struct mr_tcp, check);
	else if (proto == MR_IP_PROTO_UDP)
		offset = offsetof(struct mr_udp, check);
	else if (proto == MR_IP_PROTO_ICMP || proto == MR_IP_PROTO_ICMP6)
		return false;
	else
		goto general;
	if (mr_unlikely(len < l4 + offset + 2))
		return false;
	memcpy(&field, bytes + l4 + offset, sizeof(field));
	if (field == mr_checksum_fold(sum)) {
		*csum_start = (uint16_t)l4;
		*csum_offset = (uint16_t)offset;
		return true;
	}
	/* Only UDP to a tunnel's port may carry another one. */
	if (proto == MR_IP_PROTO_TCP)
		return false;
	memcpy(&port, bytes + l4 + offsetof(struct mr_udp, dst), sizeof(port));
	if (mr_likely(port != mr_be16(MR_TUNNEL_PORT_VXLAN) &&
		port != mr_be16(MR_TUNNEL_PORT_GENEVE) &&
		port != mr_be16(MR_TUNNEL_PORT_VXLAN_LINUX)))
		return false;
general:
	return mr_checksum_find_unfinished(bytes, len, csum_start, csum_offset);
}

#endif
