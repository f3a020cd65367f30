/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ICMP_PIECES_INT_H
#define MR_NF_ICMP_PIECES_INT_H

/*
 * Fragmentation: a packet becomes fragments of at most `mtu` bytes of IP (RFC 791; RFC 8200, 4.5).
 * All but the last are new packets, sent on by `verdict`; the packet itself becomes the last one
 * and leaves by its own verdict, so that they leave in order. Each has what stands in
 * front of IP, the same metadata and, when it is recorded, a branch of the recording.
 *
 * An IPv4 packet may be a fragment itself. Checksums of layer 4 must be finished. Of
 * IPv6, what has no extension headers.
 */

#include "nf/icmp/icmp_int.h"

struct ip_pieces {
	struct icmp_work w;
	uint32_t packet;
	unsigned l3, mtu;
	enum mr_ip_family family;
	mr_verdict_t verdict;
	unsigned made; /* out: how many beside the packet itself */
};

/* False, and the packet as it was (but for its headers pulled together): no buffers, or an MTU
 * that holds no payload. */
bool ip_pieces_cut(struct ip_pieces *);

#endif
