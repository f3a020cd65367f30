/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NEIGHBOR_MESSAGE_H
#define MR_NF_NEIGHBOR_MESSAGE_H

/*
 * ARP packets (RFC 826, 5227) and the ICMPv6 messages of neighbour discovery (RFC 4861) as one
 * kind of message: somebody asks for the owner of an address, or says that he is. Reading checks
 * everything that the RFCs want checked; writing makes whole Ethernet frames.
 *
 * Ownership: values; buffers are the caller's. Threads: no state.
 * Errors: why a packet is not valid (enum neighbor_flaw); 0 is valid.
 */

#include "kit/packet/wire.h"
#include "nf/ip/ip.h"

enum neighbor_kind {
	NEIGHBOR_ASK,    /* ARP request, neighbour solicitation */
	NEIGHBOR_ANSWER, /* ARP reply or gratuitous ARP, neighbour advertisement */
	NEIGHBOR_ROUTER_ASK,
	NEIGHBOR_ROUTER_ANSWER,
	NEIGHBOR_REDIRECT,
};

/* X(constant, name, doc): first of all drops of arp-input and nd-input. */
#define NEIGHBOR_FLAWS(X) \
	X(VALID, "not-valid", "not what the node is for") \
	X(SHORT, "short", "ends too early") \
	X(FORMAT, "format", \
	    "ARP not for IPv4 over Ethernet or of unknown operation (RFC 826); no ND message") \
	X(SENDER, "sender-invalid", \
	    "sender's address is a group's, broadcast, loopback or its MAC none (RFC 5227, RFC " \
	    "826)") \
	X(HOP_LIMIT, "nd-hop-limit", \
	    "hop limit is not 255: came through a router (RFC 4861, 7.1)") \
	X(CHECKSUM, "nd-checksum", "wrong ICMPv6 checksum (RFC 4861, 7.1)") \
	X(CODE, "nd-code", "ICMPv6 code is not 0 (RFC 4861, 7.1)") \
	X(LENGTH, "nd-length", "shorter than its type's fixed part (RFC 4861, 7.1)") \
	X(OPTION, "nd-option", "an option of length 0 or beyond the end (RFC 4861, 7.1)") \
	X(TARGET, "nd-target", "target is a multicast address (RFC 4861, 7.1)") \
	X(UNSPECIFIED, "nd-unspecified", \
	    "unspecified source with a link-layer address, or not to the solicited-node group " \
	    "(RFC " \
	    "4861, 7.1.1, 6.1.1)") \
	X(SOLICITED, "nd-solicited", "advertised to a group as solicited (RFC 4861, 7.1.2)") \
	X(NOT_LOCAL, "nd-not-link-local", \
	    "a router's message from no link-local address (RFC 4861, 6.1.2, 8.1)")

/* clang-format off */
enum neighbor_flaw {
#define X(id, name, doc) NEIGHBOR_FLAW_##id,
	NEIGHBOR_FLAWS(X)
#undef X
	NEIGHBOR_FLAW_COUNT,
};
/* clang-format on */

struct neighbor_message {
	uint8_t family;     /* enum mr_ip_family */
	uint8_t kind;       /* enum neighbor_kind */
	uint8_t source[16]; /* who speaks; all 0: nobody yet (duplicate detection) */
	uint8_t target[16]; /* whose address it is about */
	uint8_t to[16];     /* IPv6: the packet's destination. IPv4: the target protocol address */
	uint8_t
	    mac[6]; /* that it tells: of the source when it asks, of the target when it answers */
	bool has_mac;
	bool unspecified;                 /* the source is */
	bool group;                       /* IPv6: to a multicast address */
	bool solicited, override, router; /* of answers */
	bool has_nonce;
	uint8_t nonce[6]; /* RFC 3971, 5.3.2; used by RFC 7527 */
};

/* Where the network header begins and the Ethernet type before it; false when too short. */
mr_inline bool
neighbor_l3(const uint8_t *bytes, unsigned len, unsigned *l3, unsigned *type)
{
	unsigned at = 12;

	if (len < 14)
		return false;
	*type = mr_load_be16(bytes + at);
	if (mr_eth_type_is_vlan((uint16_t)*type)) {
		at += 4;
		if (len < 18)
			return false;
		*type = mr_load_be16(bytes + at);
	}
	*l3 = at + 2;
	return true;
}

/* `bytes` is a frame of `len` bytes that lies in one piece. */
enum neighbor_flaw neighbor_read_arp(const uint8_t *bytes, unsigned len, unsigned l3,
    struct neighbor_message *);
/* `checked`: the checksum need not be. */
enum neighbor_flaw neighbor_read_nd(const uint8_t *bytes, unsigned len, unsigned l3, bool checked,
    struct neighbor_message *);

#define NEIGHBOR_FRAME_MAX 128u /* of what the functions below write */

/* Ethernet header and tag; returns their length. */
unsigned neighbor_write_ethernet(uint8_t *frame, const struct mr_ip_interface *,
    const uint8_t dst[6], unsigned type);
/* To `dst`; returns the frame's length, padded to the least that Ethernet carries. */
unsigned neighbor_write_arp(uint8_t *frame, const struct mr_ip_interface *, enum mr_arp_op,
    const uint8_t dst[6], const uint8_t source[4], const uint8_t target_mac[6],
    const uint8_t target[4]);
/* `with_mac`: a source link-layer address option. A null `nonce` is left out. To `dst`, or when
 * it is null to the target's solicited-node group. */
unsigned neighbor_write_solicit(uint8_t *frame, const struct mr_ip_interface *,
    const uint8_t dst[6], const uint8_t source[16], const uint8_t target[16], bool with_mac,
    const uint8_t nonce[6]);
#define NEIGHBOR_FLAG_ROUTER 0x80000000u
#define NEIGHBOR_FLAG_SOLICITED 0x40000000u
#define NEIGHBOR_FLAG_OVERRIDE 0x20000000u
/* `to` may be all nodes. */
unsigned neighbor_write_advert(uint8_t *frame, const struct mr_ip_interface *, const uint8_t dst[6],
    const uint8_t source[16], const uint8_t to[16], const uint8_t target[16], uint32_t flags);
/* Completes the IPv6 header at `l3` and the ICMPv6 checksum of `icmp_len` bytes behind it. */
void neighbor_write_ip6(uint8_t *frame, unsigned l3, const uint8_t source[16], const uint8_t to[16],
    unsigned icmp_len);

/* The group ff02::1:ff00:0/104 of an address, and the Ethernet address of a group. */
void neighbor_solicited_node(uint8_t group[16], const uint8_t address[16]);
void neighbor_group_mac(uint8_t mac[6], const uint8_t group[16]);

extern const uint8_t neighbor_all_nodes[16];
extern const uint8_t neighbor_unspecified[16];

mr_inline bool
neighbor_is_link_local(const uint8_t *address)
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

#endif
