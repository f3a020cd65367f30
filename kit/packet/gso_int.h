/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_GSO_INT_H
#define MR_KIT_PACKET_GSO_INT_H

/* What a super-frame is made of, and how it is to be cut: between gso_plan.c, which reads it, and gso.c,
 * which makes the pieces. Threads, errors: as kit/packet/gso.h says. */

#include "kit/packet/gso.h"
#include "kit/packet/parse.h"

/* Enough for Ethernet, two tags, IPv6 with a few extension headers and a full TCP header. */
#define GSO_HEADERS_PULL 256u
#define GSO_HEADERS_MAX 512u
static_assert(GSO_HEADERS_MAX < MR_PACKET_ROOM, "headers fit a piece's first buffer");

/* Tunnels in tunnels. */
#define GSO_OUTERS_MAX 2u

struct gso_plan {
	struct mr_parsed outers[GSO_OUTERS_MAX]; /* the tunnels' headers, the outermost first */
	unsigned outer_count;
	struct mr_parsed at; /* what is cut */
	unsigned header;     /* bytes that every piece repeats */
	unsigned payload;    /* bytes to share out */
	unsigned size;       /* of a piece's payload */
	unsigned pieces;
	bool tcp;
	bool unsummed; /* UDP over IPv4 that never had a checksum */
};

int gso_make_plan(struct mr_buffers *, unsigned worker, uint32_t handle, unsigned mtu,
    struct gso_plan *);

#endif
