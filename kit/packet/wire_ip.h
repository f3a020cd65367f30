/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_WIRE_IP_H
#define MR_KIT_PACKET_WIRE_IP_H

/*
 * Wire formats of IPv4, IPv6 and IPv6's extension headers, AH and ESP.
 * No state: nothing to own, share or fail.
 */

#include <string.h>

#include "kit/packet/wire_eth.h"

/* IANA protocol numbers; IPv6 extension headers are among them. */
enum mr_ip_proto {
	MR_IP_PROTO_HOP_BY_HOP = 0,
	MR_IP_PROTO_ICMP = 1,
	MR_IP_PROTO_IGMP = 2,
	MR_IP_PROTO_IP4 = 4, /* IPv4 inside */
	MR_IP_PROTO_TCP = 6,
	MR_IP_PROTO_UDP = 17,
	MR_IP_PROTO_DCCP = 33,
	MR_IP_PROTO_IP6 = 41, /* IPv6 inside */
	MR_IP_PROTO_ROUTING = 43,
	MR_IP_PROTO_FRAGMENT = 44,
	MR_IP_PROTO_GRE = 47,
	MR_IP_PROTO_ESP = 50,
	MR_IP_PROTO_AH = 51,
	MR_IP_PROTO_ICMP6 = 58,
	MR_IP_PROTO_NONE = 59, /* nothing follows */
	MR_IP_PROTO_DEST_OPTIONS = 60,
	MR_IP_PROTO_EIGRP = 88,
	MR_IP_PROTO_OSPF = 89,
	MR_IP_PROTO_PIM = 103,
	MR_IP_PROTO_VRRP = 112,
	MR_IP_PROTO_L2TP = 115,
	MR_IP_PROTO_SCTP = 132,
	MR_IP_PROTO_MOBILITY = 135,
	MR_IP_PROTO_UDPLITE = 136,
	MR_IP_PROTO_MPLS = 137, /* RFC 4023 */
	MR_IP_PROTO_HIP = 139,
	MR_IP_PROTO_SHIM6 = 140,
};

/* RFC 791, section 3.1 */
struct mr_ip4 {
	uint8_t version_ihl; /* 0x45: no options */
	uint8_t tos;         /* DSCP in the upper six bits (RFC 2474), ECN below (RFC 3168) */
	be16_t total_len;    /* header included */
	be16_t id;
	be16_t frag; /* MR_IP4_*, offset in units of 8 bytes */
	uint8_t ttl;
	uint8_t proto;
	be16_t check;
	be32_t src;
	be32_t dst;
} MR_WIRE;
static_assert(sizeof(struct mr_ip4) == 20, "IPv4 header without options");
static_assert(offsetof(struct mr_ip4, src) == 12, "IPv4 addresses");

#define MR_IP4_DONT_FRAGMENT 0x4000u
#define MR_IP4_MORE_FRAGMENTS 0x2000u
#define MR_IP4_FRAG_OFFSET 0x1fffu

mr_inline unsigned
mr_ip4_header_len(const struct mr_ip4 *ip)
{
	return (ip->version_ihl & 15u) * 4u;
}

/* RFC 8200, section 3 */
struct mr_ip6 {
	be32_t version_class_flow; /* 4, 8 and 20 bits */
	be16_t payload_len;        /* behind this header, extension headers included */
	uint8_t next;
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
} MR_WIRE;
static_assert(sizeof(struct mr_ip6) == 40, "IPv6 header");
static_assert(offsetof(struct mr_ip6, dst) == 24, "IPv6 addresses");

/* RFC 8200, section 4: what hop-by-hop, routing, destination options and mobility share */
struct mr_ip6_ext {
	uint8_t next;
	uint8_t len; /* units of 8 bytes beyond the first 8 */
} MR_WIRE;
static_assert(sizeof(struct mr_ip6_ext) == 2, "IPv6 extension header");

/* RFC 8200, section 4.4 */
struct mr_ip6_routing {
	uint8_t next;
	uint8_t len;
	uint8_t
	    type; /* 0 deprecated (RFC 5095), 2 mobile IPv6, 3 RPL, 4 segment routing (RFC 8754) */
	uint8_t segments_left;
} MR_WIRE;
static_assert(sizeof(struct mr_ip6_routing) == 4, "IPv6 routing header, common part");

/* RFC 8200, section 4.5 */
struct mr_ip6_frag {
	uint8_t next;
	uint8_t reserved;
	be16_t frag; /* offset in the upper 13 bits (units of 8 bytes), MR_IP6_MORE_FRAGMENTS */
	be32_t id;
} MR_WIRE;
static_assert(sizeof(struct mr_ip6_frag) == 8, "IPv6 fragment header");

#define MR_IP6_MORE_FRAGMENTS 0x0001u
#define MR_IP6_FRAG_OFFSET 0xfff8u /* as a number of bytes */

/* Options inside hop-by-hop and destination options (type, length, data) */
enum mr_ip6_option {
	MR_IP6_OPTION_PAD1 = 0, /* a single byte without length */
	MR_IP6_OPTION_PADN = 1,
	MR_IP6_OPTION_ROUTER_ALERT = 5,    /* RFC 2711 */
	MR_IP6_OPTION_JUMBO = 0xc2,        /* RFC 2675: 32-bit length */
	MR_IP6_OPTION_HOME_ADDRESS = 0xc9, /* RFC 6275, section 6.3: the true source */
};

/* RFC 4302, section 2. Its length counts in units of 4 bytes, minus 2. */
struct mr_ah {
	uint8_t next;
	uint8_t len;
	be16_t reserved;
	be32_t spi;
	be32_t seq;
} MR_WIRE;
static_assert(sizeof(struct mr_ah) == 12, "AH without its check value");

/* RFC 4303, section 2 */
struct mr_esp {
	be32_t spi;
	be32_t seq;
} MR_WIRE;
static_assert(sizeof(struct mr_esp) == 8, "ESP header");

mr_inline bool
mr_ip6_is_multicast(const uint8_t *address)
{
	return address[0] == 0xff;
}

/* `address` in host order: 224.0.0.0/4 */
mr_inline bool
mr_ip4_is_multicast(uint32_t address)
{
	return address >> 28 == 14;
}

#endif
