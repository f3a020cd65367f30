/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_INSIDE_H
#define MR_KIT_FLOW_INSIDE_H

/*
 * Whose a packet is that holds another one: which of a router's tunnels, and which of its remote ends, by
 * the outer packet's addresses and port and the network that it names. Whoever owns the tunnels makes
 * such a table with each configuration. The flow lane reads it, too: the key of a flow that comes in through
 * a tunnel is that of the packet inside, with the number found here.
 *
 * A number stands for the same remote end as long as anybody may have it in a flow's key.
 *
 * Shape: whole keys of 40 bytes in an open table that is at most half full; a keyed hash, as
 * anybody may send to a tunnel's port.
 * Ownership: the caller's; it is retired through RCU. Threads: made by one; constant then.
 */

#include "kit/base/error.h"
#include "kit/packet/packet.h"

struct mr_flow_inside;

/* What is looked up. `vrf` has its highest bit set where addresses are IPv6's. */
struct mr_flow_outer {
	uint8_t local[16],
	    remote[16];   /* the outer destination, and source; IPv4 in the first four */
	uint32_t network; /* VXLAN's identifier */
	uint16_t port;    /* UDP's destination, host order */
	uint16_t vrf;
};
static_assert(sizeof(struct mr_flow_outer) == 40, "hashed as five words");
#define MR_FLOW_OUTER_SIX 0x8000u

/* Numbers that may be part of a flow's key: up to this one. Others are not replayed. */
#define MR_FLOW_INSIDE_MAX 16383u

/* For `count` keys. */
MR_API int mr_flow_inside_create(struct mr_flow_inside **out, uint32_t count, struct mr_error *);
MR_API void mr_flow_inside_destroy(struct mr_flow_inside *);
/* A key that is there keeps its number, which is not 0. */
MR_API void mr_flow_inside_add(struct mr_flow_inside *, const struct mr_flow_outer *,
    uint32_t number);
/* 0: it is nobody's. */
MR_API uint32_t mr_flow_inside_find(const struct mr_flow_inside *, const struct mr_flow_outer *);
/* A bit for each UDP port that a key has, by its lower six bits: most packets need no look-up. */
MR_API uint64_t mr_flow_inside_ports(const struct mr_flow_inside *);

#endif
