/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_HELD_INT_H
#define MR_NF_NAT_HELD_INT_H

/*
 * SYNs from outside that nobody asked for (RFC 5382, REQ-4): kept some seconds, for the inside may be
 * about to open the same connection; then dropped without a word if it did, else answered with
 * "port unreachable". A few of each worker at most; the others are dropped at once.
 *
 * Threads: a table is its worker's.
 */

#include "nf/nat/nat_int.h"

#define NAT_HELD_MAX 64u

struct nat_held {
	_Atomic uint32_t count; /* written by its worker */
	struct nat_held_syn {
		uint32_t packet; /* MR_PACKET_NONE: free */
		uint32_t until;  /* second */
		uint16_t node;
	} syns[NAT_HELD_MAX];
};

/* Whether this packet, which is refused for `why`, is kept. An explanation keeps none. */
bool nat_hold_syn(const struct nat_pass *, const struct nat_instance *, uint32_t packet,
    struct mr_packet *, const struct nat_packet *, uint32_t why);
void nat_held_tick(const struct nat_pass *);
void nat_held_free(struct nat_held *, struct mr_buffers *);

#endif
