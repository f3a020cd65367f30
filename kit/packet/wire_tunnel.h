/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_WIRE_TUNNEL_H
#define MR_KIT_PACKET_WIRE_TUNNEL_H

/*
 * Wire formats of tunnels: VXLAN, Geneve, GRE, GTP-U, GUE. IP in IP has no header
 * of its own: its protocol numbers are in wire_ip.h. MPLS and PPPoE are in wire_eth.h.
 * No state: nothing to own, share or fail.
 */

#include "kit/packet/wire_eth.h"

enum mr_tunnel_port {
	MR_TUNNEL_PORT_GTPU = 2152,
	MR_TUNNEL_PORT_VXLAN = 4789,
	MR_TUNNEL_PORT_VXLAN_GPE = 4790,
	MR_TUNNEL_PORT_GENEVE = 6081,
	MR_TUNNEL_PORT_GUE = 6080,
	MR_TUNNEL_PORT_MPLS_UDP = 6635,
	MR_TUNNEL_PORT_VXLAN_LINUX = 8472, /* Linux's default from before IANA had assigned one */
};

/* RFC 7348, section 5 */
struct mr_vxlan {
	uint8_t flags; /* MR_VXLAN_VNI_VALID */
	uint8_t reserved[3];
	uint8_t vni[3];
	uint8_t reserved2;
} MR_WIRE;
static_assert(sizeof(struct mr_vxlan) == 8, "VXLAN header");

#define MR_VXLAN_VNI_VALID 0x08

/* RFC 8926, section 3.4; options follow */
struct mr_geneve {
	uint8_t version_len; /* version in two bits (0), options in units of 4 bytes in six */
	uint8_t flags;       /* control 0x80, critical options 0x40 */
	be16_t type;
	uint8_t vni[3];
	uint8_t reserved;
} MR_WIRE;
static_assert(sizeof(struct mr_geneve) == 8, "Geneve header");

#define MR_GENEVE_CONTROL 0x80
#define MR_GENEVE_CRITICAL 0x40

/* RFC 2784 and 2890 (version 0), RFC 2637 (version 1, PPTP); options follow by flag */
struct mr_gre {
	be16_t flags; /* MR_GRE_* */
	be16_t type;
} MR_WIRE;
static_assert(sizeof(struct mr_gre) == 4, "GRE header without options");

#define MR_GRE_CHECKSUM 0x8000u /* 2 bytes of sum and 2 reserved */
#define MR_GRE_ROUTING 0x4000u  /* RFC 1701's source routes; nobody sends them any more */
#define MR_GRE_KEY 0x2000u
#define MR_GRE_SEQUENCE 0x1000u
#define MR_GRE_ACK 0x0080u /* version 1 */
#define MR_GRE_VERSION 0x0007u
#define MR_GRE_TYPE_PPP 0x880b /* version 1 */

/* 3GPP TS 29.281, section 5.1 */
struct mr_gtpu {
	uint8_t flags;
	uint8_t type;  /* 255: a user packet */
	be16_t length; /* behind these 8 bytes */
	be32_t teid;
} MR_WIRE;
static_assert(sizeof(struct mr_gtpu) == 8, "GTP-U header");

/* Behind it when any of the low three flags is set */
struct mr_gtpu_options {
	be16_t sequence;
	uint8_t npdu;
	uint8_t next; /* type of the first extension header, 0: none */
} MR_WIRE;
static_assert(sizeof(struct mr_gtpu_options) == 4, "GTP-U optional fields");

#define MR_GTPU_VERSION_MASK 0xe0
#define MR_GTPU_VERSION_1 0x20
#define MR_GTPU_PROTOCOL 0x10 /* GTP; 0 is GTP', for charging */
#define MR_GTPU_EXTENSION 0x04
#define MR_GTPU_SEQUENCE 0x02
#define MR_GTPU_NPDU 0x01
#define MR_GTPU_TYPE_GPDU 255

/* draft-ietf-intarea-gue-09; variant 1 is a bare IP header instead */
struct mr_gue {
	uint8_t
	    version_len; /* variant in two bits, control bit 0x20, length in five (4 bytes each) */
	uint8_t proto;
	be16_t flags;
} MR_WIRE;
static_assert(sizeof(struct mr_gue) == 4, "GUE header");

#endif
