/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CMD_PACKET_BUILD_H
#define MR_CMD_PACKET_BUILD_H

/*
 * A frame from fields as people write them:
 *
 *	src=10.0.0.1 dst=10.1.2.3 proto=udp sport=1000 dport=53 ttl=64 len=100 vlan=7
 *	src=2001:db8::1 dst=2001:db8:2::9 tcp flags=syn dport=443
 *	dst=10.0.0.1 src=10.0.0.9 arp
 *
 * What is not said has a plain value: an ICMP echo request of 100 bytes with TTL 64, checksums
 * right. Ethernet addresses: mr_packet_field_doc lists all fields.
 *
 * Ownership: the caller's. Threads: no state. Errors: -EINVAL, and a text that names the field.
 */

#include "kit/base/error.h"

#define MR_PACKET_BUILD_MAX 9216u

struct mr_packet_build {
	uint8_t frame[MR_PACKET_BUILD_MAX];
	unsigned len;
	bool has_dmac; /* dmac was given, or follows from what it is (ARP) */
};

int mr_packet_build(struct mr_packet_build *, const char *const *words, unsigned count,
    struct mr_error *);

/* "src" and what it is; null past the last. */
const char *mr_packet_field(unsigned n, const char **doc);

#endif
