/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_DROP_H
#define MR_NF_IP_DROP_H

#include "kit/graph/node.h"

/* Why the forwarding nodes drop; one list for ip-input, ip4-forward, ip6-forward and
 * ip-output, so that a verdict means the same in each. X(constant, name, doc) */
#define MR_IP_DROPS(X) \
	X(L2_SHORT, "l2-short", "shorter than an Ethernet header and its tag") \
	X(NO_INTERFACE, "no-interface", "no router has this VLAN of the interface") \
	X(DOWN, "interface-down", "the interface is down") \
	X(NOT_OURS, "not-ours", "to another station's Ethernet address") \
	X(NO_IP4, "ip4-disabled", "IPv4 on an interface without an IPv4 address") \
	X(NO_IP6, "ip6-disabled", "IPv6 on an interface without IPv6") \
	X(SHORT4, "ip4-short", "ends inside the IPv4 header (RFC 1812, 5.2.2)") \
	X(VERSION4, "ip4-version", "IP version is not 4 (RFC 1812, 5.2.2)") \
	X(HEADER4, "ip4-header-length", "header length below 20 bytes (RFC 1812, 5.2.2)") \
	X(LENGTH4, "ip4-total-length", \
	    "total length below the header's, or more than arrived (RFC 1812, 5.2.2)") \
	X(CHECKSUM4, "ip4-checksum", "wrong header checksum (RFC 1812, 5.2.2)") \
	X(SOURCE4, "ip4-source", "a source that no host may have (RFC 1812, 5.3.7)") \
	X(SHORT6, "ip6-short", "ends inside the IPv6 header") \
	X(VERSION6, "ip6-version", "IP version is not 6 (RFC 8200, 3)") \
	X(LENGTH6, "ip6-payload-length", "payload length is more than arrived (RFC 8200, 3)") \
	X(SOURCE6, "ip6-source", "a source that no host may have (RFC 4291, 2.5.2, 2.5.3, 2.7)") \
	X(MARTIAN, "martian", "a destination that is on no wire (RFC 1812, 5.3.7)") \
	X(BLACKHOLE, "blackhole", "a blackhole route") \
	X(LINK_LOCAL, "link-local", \
	    "to a link-local address that is not the interface's (RFC 4291, 2.5.6)") \
	X(BROADCAST, "directed-broadcast", \
	    "to a subnet's broadcast address, which is not sent on (RFC 2644)") \
	X(L2_GROUP, "l2-group", \
	    "in a broadcast or multicast frame, though not to a group (RFC 1812, 5.3.4)") \
	X(REVERSE4, "reverse-path4", "the reverse-path filter: no route back (RFC 3704)") \
	X(REVERSE6, "reverse-path6", "the reverse-path filter: no route back (RFC 3704)") \
	X(NO_ROOM, "no-headroom", "no room for the header of the way out") \
	X(STALE, "stale", "its next hop went away while it waited")

/* clang-format off */
enum mr_ip_drop {
#define X(id, name, doc) MR_IP_DROP_##id,
	MR_IP_DROPS(X)
#undef X
	MR_IP_DROP_COUNT,
};
/* clang-format on */

extern const struct mr_named mr_ip_drops[MR_IP_DROP_COUNT];

#endif
