/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_PARSE_H
#define MR_KIT_PACKET_PARSE_H

/*
 * The parser: from the bytes of a frame to where its layers are and what names its
 * flow. It reads the first segment of a packet; who expects headers behind it pulls them in
 * (mr_packet_pull) when the answer is MR_PARSE_SPLIT.
 *
 *   mr_parse           a frame, from Ethernet to layer 4
 *   mr_parse_ip        the same from an IP header on
 *   mr_parse_inner     what the tunnel carries that a first parse came upon
 *
 * A frame of a protocol that is not known here is no error: the parse ends at
 * the layer before and says MR_PARSE_OK. An error names what is wrong with the packet;
 * the fields up to that layer are filled and hold, so a bridge may forward what a
 * router would drop. The list below is meant to become a node's drop reasons.
 *
 * Not checked: the checksums (kit/packet/checksum.h), and addresses.
 *
 * Ownership: the result keeps no pointer, only offsets from the first byte.
 * Threads: no state. Errors: enum mr_parse_error.
 */

#include "kit/packet/wire.h"

/* X(constant, name, doc) */
#define MR_PARSE_ERRORS(X) \
	X(OK, "ok", "Nothing wrong was found.") \
	X(SPLIT, "header-split", "A header lies past the packet's first segment.") \
	X(ETH_SHORT, "eth-short", "Shorter than an Ethernet header.") \
	X(VLAN_SHORT, "vlan-short", "Ends inside a VLAN tag.") \
	X(ARP_SHORT, "arp-short", "Ends inside ARP.") \
	X(ARP_FORMAT, "arp-format", "ARP for other than IPv4 over Ethernet.") \
	X(IP4_SHORT, "ip4-short", "Ends inside the IPv4 header.") \
	X(IP4_VERSION, "ip4-version", "Said to be IPv4, but its version is not 4.") \
	X(IP4_HEADER_LENGTH, "ip4-header-length", "IPv4 header length below 20 bytes.") \
	X(IP4_TOTAL_LENGTH, "ip4-total-length", "IPv4 total length is less than its header.") \
	X(IP4_TRUNCATED, "ip4-truncated", "IPv4 total length is more than has arrived.") \
	X(IP4_FRAGMENT_LENGTH, "ip4-fragment-length", \
	    "An IPv4 fragment with more to come is not a multiple of 8 bytes.") \
	X(IP4_FRAGMENT_END, "ip4-fragment-end", "An IPv4 fragment ends past 65,535 bytes.") \
	X(IP6_SHORT, "ip6-short", "Ends inside the IPv6 header.") \
	X(IP6_VERSION, "ip6-version", "Said to be IPv6, but its version is not 6.") \
	X(IP6_TRUNCATED, "ip6-truncated", "IPv6 payload length is more than has arrived.") \
	X(IP6_JUMBOGRAM, "ip6-jumbogram", \
	    "An IPv6 jumbogram (RFC 2675); these are not supported.") \
	X(IP6_EXT_SHORT, "ip6-ext-short", "Ends inside an IPv6 extension header.") \
	X(IP6_EXT_MANY, "ip6-ext-many", "More than 8 IPv6 extension headers.") \
	X(IP6_HOP_BY_HOP, "ip6-hop-by-hop", \
	    "Hop-by-hop options are not the first IPv6 extension header.") \
	X(IP6_FRAGMENT_LENGTH, "ip6-fragment-length", \
	    "An IPv6 fragment with more to come is not a multiple of 8 bytes.") \
	X(IP6_FRAGMENT_END, "ip6-fragment-end", "An IPv6 fragment ends past 65,535 bytes.") \
	X(TCP_SHORT, "tcp-short", "Ends inside the TCP header.") \
	X(TCP_HEADER_LENGTH, "tcp-header-length", \
	    "TCP data offset is below 20 bytes or past the segment's end.") \
	X(UDP_SHORT, "udp-short", "Ends inside the UDP header.") \
	X(UDP_LENGTH, "udp-length", "UDP length is below 8 or more than IP carries.") \
	X(SCTP_SHORT, "sctp-short", "Ends inside the SCTP header.") \
	X(DCCP_SHORT, "dccp-short", "Ends inside the DCCP header.") \
	X(ICMP_SHORT, "icmp-short", "Ends inside the ICMP header.") \
	X(ICMP6_SHORT, "icmp6-short", "Ends inside the ICMPv6 header.") \
	X(INNER_NONE, "inner-none", "There is no tunnel to look into.") \
	X(MPLS_SHORT, "mpls-short", "Ends inside the MPLS label stack.") \
	X(MPLS_DEEP, "mpls-deep", "More than 16 MPLS labels.") \
	X(PPPOE_SHORT, "pppoe-short", "Ends inside the PPPoE header.") \
	X(PPPOE_VERSION, "pppoe-version", "Not PPPoE version 1, type 1, session data.") \
	X(PPPOE_LENGTH, "pppoe-length", "PPPoE length is more than has arrived.") \
	X(GRE_SHORT, "gre-short", "Ends inside the GRE header.") \
	X(GRE_VERSION, "gre-version", "GRE version is not 0.") \
	X(GRE_ROUTING, "gre-routing", "GRE with source routes (RFC 1701).") \
	X(VXLAN_SHORT, "vxlan-short", "Ends inside the VXLAN header.") \
	X(VXLAN_FLAGS, "vxlan-flags", "VXLAN without a valid network identifier.") \
	X(GENEVE_SHORT, "geneve-short", "Ends inside the Geneve header or its options.") \
	X(GENEVE_VERSION, "geneve-version", "Geneve version is not 0.") \
	X(GTPU_SHORT, "gtpu-short", "Ends inside the GTP-U header.") \
	X(GTPU_VERSION, "gtpu-version", "Not GTP version 1.") \
	X(GTPU_LENGTH, "gtpu-length", "GTP-U length is more than UDP carries.") \
	X(GTPU_EXTENSION, "gtpu-extension", \
	    "GTP-U extension headers are malformed or more than 8.") \
	X(TUNNEL_FRAGMENT, "tunnel-fragment", "The tunnel's packet is a fragment.")

/* clang-format off */
enum mr_parse_error {
#define X(id, name, doc) MR_PARSE_##id,
	MR_PARSE_ERRORS(X)
#undef X
	MR_PARSE_ERROR_COUNT,
};
/* clang-format on */

/* The name and the sentence of the list above; "?" outside of it. */
MR_API const char *mr_parse_error_name(enum mr_parse_error);
MR_API const char *mr_parse_error_doc(enum mr_parse_error);

enum mr_parsed_flag {
	MR_PARSED_FRAGMENT = 1u << 0,   /* a fragment of a larger packet */
	MR_PARSED_FIRST = 1u << 1,      /* the one at offset 0; only it has a layer 4 */
	MR_PARSED_ATOMIC = 1u << 2,     /* IPv6 fragment header on a whole packet (RFC 6946) */
	MR_PARSED_OPTIONS = 1u << 3,    /* IPv4 options, or IPv6 hop-by-hop options */
	MR_PARSED_EXTENSIONS = 1u << 4, /* IPv6 extension headers of any kind */
	MR_PARSED_ROUTING = 1u << 5,    /* IPv6 routing header with segments left */
	MR_PARSED_L4 = 1u << 6,         /* the fields of layer 4 below are filled */
	MR_PARSED_LLC = 1u << 7,        /* IEEE 802.3: ethertype is a length */
	MR_PARSED_TRAILER = 1u << 8,    /* bytes behind layer 3's end: padding */
	MR_PARSED_MORE_TAGS = 1u << 9,  /* a third VLAN tag, where the parse ended */
	MR_PARSED_NO_L2 = 1u << 10,     /* started at layer 3 */
	MR_PARSED_OPAQUE = 1u << 11,    /* of a tunnel's content: nothing that we can parse */
};

/* What a packet carries, judged by protocol and UDP destination port. mr_parse_inner
 * finds out whether that is so; set it by hand for other ports. */
enum mr_tunnel {
	MR_TUNNEL_NONE,
	MR_TUNNEL_IP4, /* IP in IP */
	MR_TUNNEL_IP6,
	MR_TUNNEL_GRE,
	MR_TUNNEL_VXLAN,
	MR_TUNNEL_GENEVE,
	MR_TUNNEL_GTPU,
	MR_TUNNEL_MPLS,
	MR_TUNNEL_PPPOE,
};

/* All numbers in host order; offsets from the first byte that was given. */
struct mr_parsed {
	/* 0 */
	uint16_t l2;
	uint16_t l3;      /* of what `ethertype` names */
	uint16_t l4;      /* 0: not reached. Of IP: behind options and extension headers */
	uint16_t payload; /* behind layer 4's header; layer 4 itself when its size is not known */
	uint32_t end;     /* of layer 3 as IP says, else of the bytes; may lie in a later segment */
	uint16_t flags;   /* enum mr_parsed_flag */
	uint16_t ethertype;

	/* 16 */
	uint16_t vlan[2]; /* tags' control information, the outermost first */
	uint8_t vlan_count;
	uint8_t version;   /* 4 or 6, 0 when it is not IP */
	uint8_t proto;     /* behind IPv6 extension headers */
	uint8_t tunnel;    /* enum mr_tunnel: what can be looked into */
	uint16_t src_port; /* TCP, UDP, UDP-Lite, SCTP, DCCP */
	uint16_t dst_port;
	uint8_t tcp_flags;
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t error; /* enum mr_parse_error, as returned */

	/* 32 */
	uint16_t icmp_id;   /* of echo requests and replies */
	uint8_t via;        /* enum mr_tunnel: through which this was found, by mr_parse_inner */
	uint8_t ttl;        /* or hop limit */
	uint32_t tunnel_id; /* with `via`: VNI, GRE key, TEID, top MPLS label, PPPoE session */
	uint32_t frag_id;
	uint16_t frag_offset; /* bytes */
	uint16_t fragment;    /* offset of the IPv6 fragment header, 0 when there is none */
};
static_assert(sizeof(struct mr_parsed) == 48, "a parse fits one cache line");

/* IPv6 extension headers that are walked before MR_PARSE_IP6_EXT_MANY. */
#define MR_PARSE_EXT_MAX 8
#define MR_PARSE_MPLS_MAX 16

/* `len` bytes are at `bytes`, `total` are in the whole packet (total >= len). */
MR_API enum mr_parse_error mr_parse_ethernet(struct mr_parsed *, const uint8_t *bytes, unsigned len,
    unsigned total);

/* From an IPv4 or IPv6 header at `at`; which of the two, its first nibble tells. */
MR_API enum mr_parse_error mr_parse_ip(struct mr_parsed *, const uint8_t *bytes, unsigned len,
    unsigned total, unsigned at);

/* What is inside the tunnel that `outer` came upon. `bytes`, `len`, `total` are the
 * whole packet's, as before; offsets stay relative to its start. The content ends where
 * the outer packet does. `inner` may be `outer`. An opaque content is no error: l3 and
 * end say where it is, MR_PARSED_OPAQUE that nobody looked. */
MR_API enum mr_parse_error mr_parse_inner(const struct mr_parsed *outer, struct mr_parsed *inner,
    const uint8_t *bytes, unsigned len, unsigned total);

/* Where layer 3 begins in the frame at `at`, behind at most two tags, and its Ethernet type, which is a
 * third tag's where there is one. 0: the bytes end before. */
mr_inline unsigned
mr_find_l3(const uint8_t *bytes, unsigned len, unsigned at, uint16_t *type)
{
	if (len < at + sizeof(struct mr_eth))
		return 0;
	*type = mr_load_be16(bytes + at + offsetof(struct mr_eth, type));
	at += (unsigned)sizeof(struct mr_eth);
	for (unsigned tags = 0; tags < 2 && mr_eth_type_is_vlan(*type); tags++) {
		if (len < at + sizeof(struct mr_vlan))
			return 0;
		*type = mr_load_be16(bytes + at + offsetof(struct mr_vlan, type));
		at += (unsigned)sizeof(struct mr_vlan);
	}
	return at;
}

/* Ethernet and tags, nothing else: what a bridge needs. Fills l2, l3, ethertype, the
 * tags; the other fields are 0, `end` is `total`. */
mr_inline enum mr_parse_error
mr_parse_l2(struct mr_parsed *r, const uint8_t *bytes, unsigned len, unsigned total, unsigned at)
{
	uint16_t type;

	*r = (struct mr_parsed){ .l2 = (uint16_t)at, .end = total };
	if (mr_unlikely(len < at + sizeof(struct mr_eth)))
		goto short_eth;
	type = mr_load_be16(bytes + at + offsetof(struct mr_eth, type));
	at += sizeof(struct mr_eth);
	while (mr_unlikely(mr_eth_type_is_vlan(type))) {
		if (r->vlan_count == 2) {
			r->flags = MR_PARSED_MORE_TAGS;
			break;
		}
		if (len < at + sizeof(struct mr_vlan))
			goto short_vlan;
		r->vlan[r->vlan_count++] = mr_load_be16(bytes + at);
		type = mr_load_be16(bytes + at + 2);
		at += sizeof(struct mr_vlan);
	}
	r->l3 = (uint16_t)at;
	r->ethertype = type;
	if (type <= MR_ETH_LENGTH_MAX)
		r->flags |= MR_PARSED_LLC;
	return MR_PARSE_OK;
short_eth:
	at += sizeof(struct mr_eth);
	return r->error = at > total ? (uint8_t)MR_PARSE_ETH_SHORT : (uint8_t)MR_PARSE_SPLIT;
short_vlan:
	at += sizeof(struct mr_vlan);
	return r->error = at > total ? (uint8_t)MR_PARSE_VLAN_SHORT : (uint8_t)MR_PARSE_SPLIT;
}

/* mr_parse_ethernet with the commonest case inline: no tag, IPv4 without options, whole,
 * TCP or UDP, no tunnel's port. The result is the same to the last bit. */
mr_inline enum mr_parse_error
mr_parse(struct mr_parsed *r, const uint8_t *bytes, unsigned len, unsigned total)
{
	const struct mr_ip4 *ip = (const struct mr_ip4 *)(bytes + sizeof(struct mr_eth));
	const uint8_t *l4 = bytes + sizeof(struct mr_eth) + sizeof(*ip);
	unsigned ip_len, l4_len, header, dst;
	be16_t type;

	if (mr_unlikely(len < sizeof(struct mr_eth) + sizeof(*ip) + sizeof(struct mr_tcp)))
		goto general;
	memcpy(&type, bytes + offsetof(struct mr_eth, type), sizeof(type));
	if (type != mr_be16(MR_ETH_TYPE_IP4) || ip->version_ihl != 0x45 ||
	    (ip->frag & mr_be16(MR_IP4_MORE_FRAGMENTS | MR_IP4_FRAG_OFFSET)))
		goto general;
	ip_len = mr_be16(ip->total_len);
	if (ip_len < sizeof(*ip) || ip_len > total - sizeof(struct mr_eth))
		goto general;
	l4_len = ip_len - (unsigned)sizeof(*ip);
	dst = mr_load_be16(l4 + 2);
	if (ip->proto == MR_IP_PROTO_TCP) {
		header = (unsigned)(l4[12] >> 4) * 4;
		if (header < sizeof(struct mr_tcp) || header > l4_len ||
		    header > len - sizeof(struct mr_eth) - sizeof(*ip))
			goto general;
	} else if (ip->proto == MR_IP_PROTO_UDP) {
		unsigned udp_len = mr_load_be16(l4 + offsetof(struct mr_udp, len));

		header = sizeof(struct mr_udp);
		if (udp_len < header || udp_len > l4_len || dst == MR_TUNNEL_PORT_VXLAN ||
		    dst == MR_TUNNEL_PORT_GENEVE || dst == MR_TUNNEL_PORT_GTPU ||
		    dst == MR_TUNNEL_PORT_VXLAN_LINUX)
			goto general;
	} else {
		goto general;
	}
	*r = (struct mr_parsed){
		.l3 = sizeof(struct mr_eth),
		.l4 = sizeof(struct mr_eth) + sizeof(*ip),
		.payload = (uint16_t)(sizeof(struct mr_eth) + sizeof(*ip) + header),
		.end = (uint32_t)sizeof(struct mr_eth) + ip_len,
		.flags = (uint16_t)(MR_PARSED_L4 |
		    (ip_len < total - sizeof(struct mr_eth) ? MR_PARSED_TRAILER : 0)),
		.ethertype = MR_ETH_TYPE_IP4,
		.version = 4,
		.proto = ip->proto,
		.src_port = mr_load_be16(l4),
		.dst_port = (uint16_t)dst,
		.tcp_flags = ip->proto == MR_IP_PROTO_TCP ? l4[13] : 0,
		.ttl = ip->ttl,
	};
	return MR_PARSE_OK;
general:
	return mr_parse_ethernet(r, bytes, len, total);
}

#endif
