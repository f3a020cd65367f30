/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ICMP_REASSEMBLY_INT_H
#define MR_NF_ICMP_REASSEMBLY_INT_H

/*
 * The table of datagrams that are incomplete. Fragments hang on a datagram in the order of their
 * offsets, linked through the metadata of the packets; all but the first have lost their
 * headers. A datagram that went wrong stays, empty, to swallow what is still to come.
 */

#include "kit/base/hash.h"
#include "nf/icmp/reassembly.h"
#include "nf/ip/ip.h"

#define REASSEMBLY_SHARES 4096u
#define REASSEMBLY_BUCKETS 4096u

struct reassembly_key {
	uint8_t src[16], dst[16];
	uint32_t id;
	uint16_t vrf;
	uint8_t proto; /* of IPv4 */
	uint8_t family;
};
static_assert(sizeof(struct reassembly_key) == 40, "five words without padding");

struct datagram {
	struct reassembly_key key;
	uint32_t next;         /* in the bucket, or of the free ones */
	uint32_t older, newer; /* of its VRF and family */
	uint32_t deadline;     /* seconds */
	uint32_t first;        /* packet */
	uint32_t have, total;  /* bytes of payload; total 0: not known yet */
	uint16_t count;        /* fragments */
	uint16_t buffers;
	uint16_t share; /* of its source */
	uint8_t marks;  /* ECN codepoints seen, one bit each */
	uint8_t dead;   /* reason + 1: fragments of it are dropped for that */
};

struct datagrams {
	uint32_t oldest, newest;
};

struct reassembly_vrf {
	struct datagrams age[MR_IP_FAMILIES];
	_Atomic uint32_t datagrams, buffers;
	/* Limits, the control thread's. */
	_Atomic uint32_t max_datagrams, max_buffers, max_fragments, max_share;
};

struct mr_reassembly {
	const struct mr_ip *ip;
	struct mr_buffers *packets;
	struct reassembly_vrf *vrfs; /* [MR_IP_VRFS_MAX] */
	struct datagram *datagrams;  /* [MR_REASSEMBLY_DATAGRAMS + 1]; 0: none */
	uint32_t free;
	uint32_t buckets[REASSEMBLY_BUCKETS];
	uint16_t shares[REASSEMBLY_SHARES]; /* buffers, by source */
	uint32_t buffers, max_buffers;      /* of all VRFs */
	uint32_t count;                     /* datagrams */
	struct mr_hash_key key;
};

/* One fragment as its headers describe it. */
struct fragment {
	struct reassembly_key key;
	uint32_t packet;
	unsigned l3, header; /* payload stands behind l3 + header */
	unsigned offset, len;
	bool more;
	uint8_t marks;
};

/* A held fragment's place, where its packet had a connection and a mark: the whole datagram has
 * none yet. */
mr_inline uint32_t *
fragment_next(struct mr_packet *p)
{
	return &p->track;
}
mr_inline unsigned
fragment_offset(struct mr_packet *p)
{
	return p->mark >> 16;
}
mr_inline unsigned
fragment_len(struct mr_packet *p)
{
	return p->mark & 0xffff;
}

/* The datagram of this key, or 0. */
uint32_t reassembly_find(const struct mr_reassembly *, const struct reassembly_key *);
/* A new one; 0: none is free. */
uint32_t reassembly_begin(struct mr_reassembly *, const struct reassembly_key *, uint32_t deadline);
/* Forgets a datagram whose fragments are gone. */
void reassembly_end(struct mr_reassembly *, uint32_t index);
/* The oldest one of a VRF, of the fullest when this has none; 0: there is none at all. */
uint32_t reassembly_oldest(const struct mr_reassembly *, uint16_t vrf);
/* Where a fragment belongs. 0: `*after` is the one before it (MR_PACKET_NONE: it is the first); else the
 * drop reason + 1. */
unsigned reassembly_place(struct mr_reassembly *, struct datagram *, const struct fragment *,
    uint32_t *after);
/* Takes it in; its packet has been stripped to what is kept. */
void reassembly_add(struct mr_reassembly *, struct datagram *, const struct fragment *,
    uint32_t after);
/* Takes the fragments out, first to last by fragment_next; the datagram is empty then. */
uint32_t reassembly_take(struct mr_reassembly *, struct datagram *);

#endif
