/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_HOST_CLASS_H
#define MR_NF_HOST_CLASS_H

/*
 * The classes of what is for the router itself, each with a rate of its own, so that a flood
 * of one kind leaves the others what is theirs. TCP is cut in two: packets of sessions in
 * which the host has spoken (local_node.c says how that is known), and all others, so that
 * floods of SYNs, and of anything else to an open port, do not touch sessions that stand.
 *
 * No state. X(constant, name, doc, packets per second, packets at once)
 */

#include "kit/packet/wire.h"

#define MR_HOST_CLASSES(X) \
	X(BGP, "bgp", "BGP (TCP 179) of sessions that stand", 20000, 4000) \
	X(BGP_NEW, "bgp-new", "BGP of no session yet", 500, 100) \
	X(BFD, "bfd", "BFD (UDP 3784, 3785, 4784, 6784)", 10000, 2000) \
	X(OSPF, "ospf", "OSPFv2 and OSPFv3", 5000, 2000) \
	X(ISIS, "isis", "IS-IS", 5000, 2000) \
	X(LDP, "ldp", "LDP (TCP and UDP 646)", 2000, 500) \
	X(RIP, "rip", "RIP and RIPng (UDP 520, 521)", 1000, 500) \
	X(PIM, "pim", "PIM", 1000, 500) \
	X(IGMP, "igmp", "IGMP and MLD", 1000, 500) \
	X(VRRP, "vrrp", "VRRP", 1000, 200) \
	X(DHCP, "dhcp", "DHCP and DHCPv6 (UDP 67, 68, 546, 547)", 500, 200) \
	X(SSH, "ssh", "SSH (TCP 22) of sessions that stand", 20000, 4000) \
	X(SSH_NEW, "ssh-new", "SSH of no session yet", 200, 100) \
	X(SNMP, "snmp", "SNMP (UDP 161)", 1000, 500) \
	X(NTP, "ntp", "NTP (UDP 123)", 500, 200) \
	X(DNS, "dns", "answers of name servers (from UDP 53)", 1000, 500) \
	X(ARP, "arp", "ARP", 2000, 500) \
	X(ND, "nd", "neighbour and router discovery of IPv6 (ICMPv6 133 to 137)", 5000, 1000) \
	X(ECHO, "echo", "echo requests, answered without the host", 10000, 2000) \
	X(ICMP_ERROR, "icmp-error", "ICMP and ICMPv6 errors", 500, 200) \
	X(ICMP_OTHER, "icmp-other", "other ICMP and ICMPv6: echo replies, time stamps", 1000, 200) \
	X(TRACEROUTE, "traceroute", "UDP to ports 33434 to 33534", 500, 100) \
	X(OPTIONS, "options", "IP options, hop-by-hop options, router alert", 200, 100) \
	X(TCP, "tcp", "other TCP of sessions that stand", 50000, 8000) \
	X(TCP_NEW, "tcp-new", "other TCP of no session yet", 500, 100) \
	X(UDP, "udp", "other UDP", 5000, 1000) \
	X(OTHER, "other", "other protocols over IP", 1000, 200) \
	X(FRAGMENTS, "fragments", "fragments, before they are put together", 5000, 1000) \
	X(LLDP, "lldp", "LLDP", 100, 50) \
	X(L2, "l2", "other protocols over Ethernet", 500, 100)

/* clang-format off */
enum mr_host_class {
#define X(id, name, doc, rate, burst) MR_HOST_##id,
	MR_HOST_CLASSES(X)
#undef X
	MR_HOST_CLASS_COUNT,
};
/* clang-format on */

struct mr_host_class_info {
	const char *name;
	const char *doc;
	uint32_t rate;  /* packets per second, unless the configuration says another */
	uint32_t burst; /* packets */
};
extern const struct mr_host_class_info mr_host_class_info[MR_HOST_CLASS_COUNT];

/* MR_HOST_CLASS_COUNT: there is none of that name. */
enum mr_host_class mr_host_class_find(const char *name);

enum mr_host_scope {
	MR_HOST_UNICAST,    /* or broadcast */
	MR_HOST_LINK_LOCAL, /* an address in fe80::/10 */
	MR_HOST_LINK_GROUP, /* a group that never leaves the link: 224.0.0.0/24, ff02::/16 */
	MR_HOST_GROUP,      /* any other group */
};

/* What the classifier saw. Pointers go into the frame. */
struct mr_host_packet {
	uint8_t class;  /* enum mr_host_class; of TCP the one for sessions that stand */
	uint8_t family; /* 4, 6, or 0: not IP */
	uint8_t scope;  /* enum mr_host_scope */
	uint8_t fresh;  /* of TCP without a session: the class to take instead */
	bool tcp;       /* source and destination port are filled */
	bool syn;       /* TCP that opens a session */
	bool tagged;    /* one VLAN tag at byte 12 */
	uint16_t src_port, dst_port;
	const uint8_t *src, *dst; /* 4 or 16 bytes */
};

/* From a frame's first segment of `len` bytes; `total` are in all. False: malformed. */
bool mr_host_classify(struct mr_host_packet *, const uint8_t *bytes, unsigned len, unsigned total);

#endif
