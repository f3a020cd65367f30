/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_WIRE_L4_H
#define MR_KIT_PACKET_WIRE_L4_H

/*
 * Wire formats of layer 4: TCP, UDP, SCTP, ICMP and ICMPv6.
 * No state: nothing to own, share or fail.
 */

#include "kit/packet/wire_eth.h"

/* RFC 9293, section 3.1 */
struct mr_tcp {
	be16_t src;
	be16_t dst;
	be32_t seq;
	be32_t ack;
	uint8_t offset; /* header length in units of 4 bytes, in the upper four bits */
	uint8_t flags;  /* MR_TCP_* */
	be16_t window;
	be16_t check;
	be16_t urgent;
} MR_WIRE;
static_assert(sizeof(struct mr_tcp) == 20, "TCP header without options");
static_assert(offsetof(struct mr_tcp, check) == 16, "where the checksum stands");

enum mr_tcp_flag {
	MR_TCP_FIN = 0x01,
	MR_TCP_SYN = 0x02,
	MR_TCP_RST = 0x04,
	MR_TCP_PSH = 0x08,
	MR_TCP_ACK = 0x10,
	MR_TCP_URG = 0x20,
	MR_TCP_ECE = 0x40,
	MR_TCP_CWR = 0x80,
};

mr_inline unsigned
mr_tcp_header_len(const struct mr_tcp *tcp)
{
	return (unsigned)(tcp->offset >> 4) * 4u;
}

/* RFC 768 */
struct mr_udp {
	be16_t src;
	be16_t dst;
	be16_t len;   /* header included */
	be16_t check; /* 0 over IPv4: none */
} MR_WIRE;
static_assert(sizeof(struct mr_udp) == 8, "UDP header");
static_assert(offsetof(struct mr_udp, check) == 6, "where the checksum stands");

/* RFC 9260, section 3.1 */
struct mr_sctp {
	be16_t src;
	be16_t dst;
	be32_t tag;
	uint32_t check; /* CRC32c, least significant byte first */
} MR_WIRE;
static_assert(sizeof(struct mr_sctp) == 12, "SCTP common header");

/* RFC 792 and RFC 4443; `id` and `seq` belong to echo, `mtu` to the too-big errors */
struct mr_icmp {
	uint8_t type;
	uint8_t code;
	be16_t check;
	union {
		struct {
			be16_t id;
			be16_t seq;
		} MR_WIRE;
		be32_t rest;
	} MR_WIRE;
} MR_WIRE;
static_assert(sizeof(struct mr_icmp) == 8, "ICMP header");

enum mr_icmp4_type {
	MR_ICMP4_ECHO_REPLY = 0,
	MR_ICMP4_UNREACHABLE = 3,
	MR_ICMP4_REDIRECT = 5,
	MR_ICMP4_ECHO = 8,
	MR_ICMP4_ROUTER_ADVERT = 9,
	MR_ICMP4_ROUTER_SOLICIT = 10,
	MR_ICMP4_TIME_EXCEEDED = 11,
	MR_ICMP4_PARAM_PROBLEM = 12,
	MR_ICMP4_TIMESTAMP = 13,
	MR_ICMP4_TIMESTAMP_REPLY = 14,
};

enum mr_icmp4_unreachable {
	MR_ICMP4_UNREACHABLE_NET = 0,
	MR_ICMP4_UNREACHABLE_HOST = 1,
	MR_ICMP4_UNREACHABLE_PROTO = 2,
	MR_ICMP4_UNREACHABLE_PORT = 3,
	MR_ICMP4_UNREACHABLE_NEED_FRAG = 4, /* next-hop MTU in the last two bytes (RFC 1191) */
	MR_ICMP4_UNREACHABLE_ADMIN = 13,
};

enum mr_icmp6_type {
	MR_ICMP6_UNREACHABLE = 1,
	MR_ICMP6_TOO_BIG = 2,
	MR_ICMP6_TIME_EXCEEDED = 3,
	MR_ICMP6_PARAM_PROBLEM = 4,
	MR_ICMP6_ECHO = 128,
	MR_ICMP6_ECHO_REPLY = 129,
	MR_ICMP6_MLD_QUERY = 130, /* RFC 2710, 3810 */
	MR_ICMP6_MLD_REPORT = 131,
	MR_ICMP6_MLD_DONE = 132,
	MR_ICMP6_ROUTER_SOLICIT = 133, /* RFC 4861 */
	MR_ICMP6_ROUTER_ADVERT = 134,
	MR_ICMP6_NEIGHBOR_SOLICIT = 135,
	MR_ICMP6_NEIGHBOR_ADVERT = 136,
	MR_ICMP6_REDIRECT = 137,
	MR_ICMP6_MLD2_REPORT = 143,
};

/* RFC 4861, sections 4.3 and 4.4; options follow */
struct mr_icmp6_neighbor {
	uint8_t type;
	uint8_t code;
	be16_t check;
	be32_t flags; /* of an advertisement: router, solicited, override in the top three bits */
	uint8_t target[16];
} MR_WIRE;
static_assert(sizeof(struct mr_icmp6_neighbor) == 24, "neighbour solicitation and advertisement");

#endif
