/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_WIRE_ETH_H
#define MR_KIT_PACKET_WIRE_ETH_H

/*
 * Wire formats of layer 2 and what stands between it and IP: Ethernet, VLAN tags,
 * LLC/SNAP, ARP, MPLS, PPPoE; and the loads and stores of unaligned wire-order
 * numbers that every parser uses. No state: nothing to own, share or fail.
 */

#include <string.h>

#include "kit/base/def.h"

#define MR_WIRE __attribute__((packed))

/* Host-order values from and to wire-order bytes at any address. */
mr_inline uint16_t
mr_load_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

mr_inline uint32_t
mr_load_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

mr_inline uint64_t
mr_load_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

/* Up to 16 bytes of two places that do not overlap. */
mr_inline void
mr_bytes_swap(void *a, void *b, unsigned len)
{
	uint8_t was[16];

	memcpy(was, a, len);
	memcpy(a, b, len);
	memcpy(b, was, len);
}

mr_inline void
mr_store_be16(void *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

mr_inline void
mr_store_be32(void *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

/* IEEE 802 numbers, as IANA lists them. */
enum mr_eth_type {
	MR_ETH_LENGTH_MAX = 0x05dc, /* up to here the field is a length (IEEE 802.3) */
	MR_ETH_TYPE_MIN = 0x0600,
	MR_ETH_TYPE_IP4 = 0x0800,
	MR_ETH_TYPE_ARP = 0x0806,
	MR_ETH_TYPE_TEB = 0x6558, /* Ethernet inside GRE or Geneve (RFC 1701) */
	MR_ETH_TYPE_RARP = 0x8035,
	MR_ETH_TYPE_VLAN = 0x8100, /* 802.1Q customer tag */
	MR_ETH_TYPE_IP6 = 0x86dd,
	MR_ETH_TYPE_MAC_CONTROL = 0x8808, /* pause frames (IEEE 802.3 annex 31) */
	MR_ETH_TYPE_SLOW = 0x8809,        /* LACP, OAM */
	MR_ETH_TYPE_MPLS = 0x8847,
	MR_ETH_TYPE_MPLS_MC = 0x8848, /* upstream-assigned labels (RFC 5332) */
	MR_ETH_TYPE_PPPOE_DISCOVERY = 0x8863,
	MR_ETH_TYPE_PPPOE = 0x8864,
	MR_ETH_TYPE_EAPOL = 0x888e,
	MR_ETH_TYPE_QINQ = 0x88a8,   /* 802.1ad service tag */
	MR_ETH_TYPE_ERSPAN = 0x88be, /* type II, inside GRE */
	MR_ETH_TYPE_LLDP = 0x88cc,
	MR_ETH_TYPE_MACSEC = 0x88e5,
	MR_ETH_TYPE_PBB = 0x88e7,
	MR_ETH_TYPE_PTP = 0x88f7,
	MR_ETH_TYPE_QINQ_OLD = 0x9100, /* service tag before 802.1ad */
};

#define MR_ETH_ADDR_SIZE 6u
#define MR_ETH_MIN 60u /* shortest frame, without its check sequence */

/* IEEE 802.3 */
struct mr_eth {
	uint8_t dst[MR_ETH_ADDR_SIZE];
	uint8_t src[MR_ETH_ADDR_SIZE];
	be16_t type;
} MR_WIRE;
static_assert(sizeof(struct mr_eth) == 14, "Ethernet header");

mr_inline bool
mr_eth_is_multicast(const uint8_t *mac)
{
	return mac[0] & 1;
}

mr_inline bool
mr_eth_is_broadcast(const uint8_t *mac)
{
	uint32_t a;
	uint16_t b;

	memcpy(&a, mac, 4);
	memcpy(&b, mac + 4, 2);
	return a == UINT32_MAX && b == UINT16_MAX;
}

mr_inline bool
mr_eth_is_zero(const uint8_t *mac)
{
	uint32_t a;
	uint16_t b;

	memcpy(&a, mac, 4);
	memcpy(&b, mac + 4, 2);
	return (a | b) == 0;
}

/* The 48 bits as a number, first byte highest: a key for tables. */
mr_inline uint64_t
mr_eth_addr_u64(const uint8_t *mac)
{
	return (uint64_t)mr_load_be16(mac) << 32 | mr_load_be32(mac + 2);
}

/* 01:80:c2:00:00:0x: bridges do not forward these (IEEE 802.1Q, table 8-1). */
mr_inline bool
mr_eth_is_link_local(const uint8_t *mac)
{
	return mr_load_be32(mac) == 0x0180c200 && mac[4] == 0 && (mac[5] & 0xf0) == 0;
}

/* IEEE 802.1Q and 802.1ad: what follows a tag's own type. */
struct mr_vlan {
	be16_t tci;
	be16_t type; /* of what comes behind */
} MR_WIRE;
static_assert(sizeof(struct mr_vlan) == 4, "VLAN tag");

#define MR_VLAN_ID_MASK 0x0fffu
#define MR_VLAN_DEI 0x1000u
#define MR_VLAN_PCP_SHIFT 13
#define MR_VLAN_ID_MAX 4094u /* 4095 is reserved */

mr_inline bool
mr_eth_type_is_vlan(uint16_t type)
{
	return type == MR_ETH_TYPE_VLAN || type == MR_ETH_TYPE_QINQ || type == MR_ETH_TYPE_QINQ_OLD;
}

/* IEEE 802.2 with SNAP (RFC 1042) */
struct mr_llc {
	uint8_t dsap;
	uint8_t ssap;
	uint8_t control;
} MR_WIRE;
static_assert(sizeof(struct mr_llc) == 3, "LLC header");

struct mr_snap {
	struct mr_llc llc; /* aa aa 03 */
	uint8_t oui[3];
	be16_t type;
} MR_WIRE;
static_assert(sizeof(struct mr_snap) == 8, "SNAP header");

#define MR_LLC_SAP_SNAP 0xaa
#define MR_LLC_SAP_STP 0x42

/* RFC 826, for IPv4 over Ethernet */
struct mr_arp {
	be16_t hardware;       /* 1: Ethernet */
	be16_t protocol;       /* MR_ETH_TYPE_IP4 */
	uint8_t hardware_size; /* 6 */
	uint8_t protocol_size; /* 4 */
	be16_t op;
	uint8_t sender_mac[MR_ETH_ADDR_SIZE];
	be32_t sender_ip;
	uint8_t target_mac[MR_ETH_ADDR_SIZE];
	be32_t target_ip;
} MR_WIRE;
static_assert(sizeof(struct mr_arp) == 28, "ARP for IPv4 over Ethernet");

#define MR_ARP_FIXED_SIZE 8u /* the part before the addresses */
#define MR_ARP_ETHERNET 1

enum mr_arp_op {
	MR_ARP_REQUEST = 1,
	MR_ARP_REPLY = 2,
};

/* RFC 3032 label stack entry: label 20 bits, traffic class 3, bottom 1, TTL 8 */
struct mr_mpls {
	be32_t entry;
} MR_WIRE;
static_assert(sizeof(struct mr_mpls) == 4, "MPLS label stack entry");

#define MR_MPLS_LABEL_SHIFT 12
#define MR_MPLS_TC_SHIFT 9
#define MR_MPLS_BOTTOM 0x100u
#define MR_MPLS_TTL_MASK 0xffu

/* RFC 2516, section 4 */
struct mr_pppoe {
	uint8_t version_type; /* 0x11 */
	uint8_t code;         /* 0: session data */
	be16_t session;
	be16_t length; /* of what follows, the PPP protocol number included */
} MR_WIRE;
static_assert(sizeof(struct mr_pppoe) == 6, "PPPoE header");

#define MR_PPPOE_VERSION_TYPE 0x11

/* RFC 1661 protocol numbers, in the two bytes behind a PPPoE session header */
enum mr_ppp_protocol {
	MR_PPP_IP4 = 0x0021,
	MR_PPP_IP6 = 0x0057,
	MR_PPP_MPLS = 0x0281,
	MR_PPP_LCP = 0xc021,
	MR_PPP_PAP = 0xc023,
	MR_PPP_CHAP = 0xc223,
	MR_PPP_IPCP = 0x8021,
	MR_PPP_IP6CP = 0x8057,
};

#endif
