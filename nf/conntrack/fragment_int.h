/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_FRAGMENT_INT_H
#define MR_NF_CONNTRACK_FRAGMENT_INT_H

/*
 * Fragments of packets under way: what the first one was found to be, for those that follow, and
 * the ones that wait for it. A table for each worker (fragments of one packet have one
 * receive hash), of fixed size: sets of four entries by a keyed hash of (zone, addresses,
 * number, protocol), of which 64 bits are kept. The oldest of a set makes room.
 *
 * Ownership: packets that wait belong to the table until given back.
 * Threads: an entry is its worker's; `ports` may be read by anybody.
 */

#include "kit/base/error.h"
#include "kit/packet/packet.h"

#define CT_FRAGMENT_SECONDS 30u  /* as Linux waits */
#define CT_FRAGMENT_WAITING 256u /* packets that a worker keeps */
#define CT_FRAGMENT_WAITING_EACH 16u

struct ct_fragment {
	uint64_t key;   /* 0: empty */
	uint32_t track; /* of the first; 0: not here yet */
	uint32_t ports; /* source and destination, in wire order */
	uint32_t base;  /* of TCP: number of the byte behind the IP header, as if it counted */
	uint32_t until; /* second */
	uint32_t first, last; /* packets that wait, by their `hash` field */
	uint16_t node;        /* that keeps those */
	uint8_t waiting;
	bool tcp;
};

struct ct_fragments;

int ct_fragments_create(struct ct_fragments **out, struct mr_error *);
void ct_fragments_destroy(struct ct_fragments *);

/* The entry of this key; null: there is none. */
struct ct_fragment *ct_fragment_find(struct ct_fragments *, uint64_t key, uint32_t now);
/* The same, or a fresh one in place of the set's oldest; what waited there goes to *evicted (a
 * list as below). Null: packets that other nodes keep are in the way. */
struct ct_fragment *ct_fragment_make(struct ct_fragments *, uint64_t key, uint16_t node,
    uint32_t now, uint32_t *evicted);
/* The node keeps a packet until its first fragment comes; false: too many wait, or others of this
 * one wait at another node. */
bool ct_fragment_wait(struct ct_fragments *, struct ct_fragment *, uint16_t node, void *base,
    uint32_t packet);
/* Takes out what waits: the first packet of a list by mr_packet's `hash`. */
uint32_t ct_fragment_take(struct ct_fragments *, struct ct_fragment *);
/* The next entry from *cursor on that has packets waiting for no reason any more: the first one was
 * seen, or its time is over. Of this node, or of one that seems to be gone. */
struct ct_fragment *ct_fragments_due(struct ct_fragments *, uint16_t node, uint32_t now,
    uint32_t *cursor);
uint32_t ct_fragments_waiting(const struct ct_fragments *);

/* An entry's number, to be found by others again. */
uint32_t ct_fragment_number(const struct ct_fragments *, const struct ct_fragment *);
uint32_t ct_fragment_ports(const struct ct_fragments *, uint32_t number);

#endif
