/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_RECORD_FAMILY_H
#define MR_KIT_RECORD_FAMILY_H

/*
 * The one edit that depends on each packet's own length: the IP header becomes one of the other
 * family (RFC 7915), for the plain packets that the flow lane replays: IPv6 without extension
 * headers, IPv4 without options that is no fragment, TCP, UDP and ICMP echo behind it.
 *
 *   IPv6 -> IPv4   the head shrinks by 20 bytes; Don't Fragment above 1,260 bytes, else an
 *                  identification made of what layer 4 begins with: equal for equal packets only
 *   IPv4 -> IPv6   it grows by 20; flow label 0
 *
 * Both addresses are zero afterwards: the caller sets them, and takes into the checksums what the
 * old and new ones make of them; the Ethernet type is the caller's, too. TTL and hop limit stay:
 * the router behind makes them less. Of an echo the type and what its checksum covers beside
 * addresses are done here, as the length is part of it.
 *
 * Threads: no state. Errors: false, and the packet as it was.
 */

#include "kit/record/edit.h"

#define MR_FAMILY_HEAD4 20u
#define MR_FAMILY_HEAD6 40u
/* Up to here a translated packet may be cut on its way (RFC 7915, 5.1). */
#define MR_FAMILY_CUT_MAX 1260u

/* The identification of an IPv4 packet that may be cut, from the four bytes at layer 4's fifth: TCP's
 * sequence number, UDP's length and checksum, an echo's identifier and number. */
mr_inline be16_t
mr_family_id(const uint8_t *l4)
{
	uint32_t word;

	memcpy(&word, l4 + 4, sizeof(word));
	return (be16_t)((word * 0x9e3779b1u) >> 16);
}

/* The packet's IP header at `at` becomes one of `to` (4 or 6), which it is not yet; the whole of it and
 * eight bytes more (of ICMP) lie in the first segment. False: no headroom, or not plain. */
MR_API bool mr_edit_family(struct mr_recorder *, struct mr_packet *, unsigned at, unsigned to);

#endif
