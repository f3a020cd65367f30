/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_IP_ADJACENCY_H
#define MR_NF_IP_ADJACENCY_H

/*
 * An adjacency: what to do with a packet whose next hop is known, in one line. A real one is
 * (interface, family, next hop's address) and has an Ethernet header once the neighbour
 * is resolved; until then its packets go to the RESOLVE edge. The first few indices stand for
 * decisions that need no neighbour.
 *
 * A reader loads `control` once: verdict, sizes, and which of the two rewrites is valid. A
 * writer fills the other one and then publishes it through `control`, so a header is never
 * seen half written. It may do so twice only with a grace period between.
 *
 * Threads: workers read; the control thread writes.
 */

#include "nf/ip/ip.h"

/* Fixed adjacencies; groups of the same numbers lead to them. */
enum mr_ip_special {
	MR_IP_SPECIAL_NONE,        /* no route: ICMP net unreachable, no route to destination */
	MR_IP_SPECIAL_LOCAL,       /* an address of this router */
	MR_IP_SPECIAL_BLACKHOLE,   /* dropped without a word */
	MR_IP_SPECIAL_UNREACHABLE, /* ICMP host unreachable / address unreachable */
	MR_IP_SPECIAL_PROHIBIT,    /* ICMP administratively prohibited */
	MR_IP_SPECIAL_MARTIAN,     /* an address that no packet on a wire may have */
	MR_IP_SPECIAL_MULTICAST,
	MR_IP_SPECIAL_LINK_LOCAL, /* fe80::/10: not forwarded; local when it is ours */
	MR_IP_SPECIAL_BROADCAST,  /* a subnet's directed broadcast that is not forwarded */
	MR_IP_SPECIALS,
};

#define MR_ADJACENCY_REWRITE_MAX 24u

enum mr_adjacency_flag {
	MR_ADJACENCY_SECOND = 1u << 0,   /* the second rewrite is the valid one */
	MR_ADJACENCY_COMPLETE = 1u << 1, /* has a rewrite; the verdict is an output */
	MR_ADJACENCY_CLAMP = 1u << 2,    /* its interface has MR_IP_CLAMP */
	MR_ADJACENCY_GLEAN =
	    1u << 3, /* a connected subnet: the next hop is the packet's destination */
	MR_ADJACENCY_IP6 = 1u << 4,
};

/* control: verdict 16 | mtu 16 | interface 16 | rewrite length 8 | flags 8 (enum
 * mr_adjacency_flag), from the lowest bits up. */
#define MR_ADJACENCY_VERDICT(c) ((mr_verdict_t)(c))
#define MR_ADJACENCY_MTU(c) ((unsigned)((c) >> 16) & 0xffff)
#define MR_ADJACENCY_INTERFACE(c) ((unsigned)((c) >> 32) & 0xffff)
#define MR_ADJACENCY_LEN(c) ((unsigned)((c) >> 48) & 0xff)
#define MR_ADJACENCY_FLAGS(c) ((unsigned)((c) >> 56))

struct mr_adjacency {
	_Atomic uint64_t control;
	/* Ethernet headers, their last byte at the end of the array. */
	uint8_t rewrite[2][MR_ADJACENCY_REWRITE_MAX];
	uint64_t spare;
} __attribute__((aligned(MR_CACHE_LINE)));
static_assert(sizeof(struct mr_adjacency) == 64, "an adjacency is one line");

/* What control knows of one. */
struct mr_adjacency_info {
	uint32_t references; /* 0: free */
	uint16_t interface;
	uint8_t family;
	bool complete;
	bool glean;
	uint8_t address[16]; /* the next hop's */
	uint64_t switched;   /* grace period after which the other rewrite may be written */
};

/* The adjacency of an interface's connected subnets: every interface has one of each family at a
 * fixed index. */
mr_inline uint32_t
mr_ip_glean_index(unsigned interface, enum mr_ip_family family)
{
	return MR_IP_SPECIALS + interface * MR_IP_FAMILIES + (unsigned)family;
}

/* Finds or makes the adjacency to this next hop, one reference more. -ENOSPC. */
int mr_adjacency_get(struct mr_ip *, uint16_t interface, enum mr_ip_family, const uint8_t *address,
    uint32_t *index, struct mr_error *);
/* A reference to that of an interface's connected subnets. */
int mr_adjacency_glean(struct mr_ip *, uint16_t interface, enum mr_ip_family, uint32_t *index,
    struct mr_error *);
void mr_adjacency_ref(struct mr_ip *, uint32_t index);
/* One reference less; the last one frees it after a grace period. */
void mr_adjacency_put(struct mr_ip *, uint32_t index);
/* The same as get, without a reference and without making one; 0: there is none. */
uint32_t mr_adjacency_find(const struct mr_ip *, uint16_t interface, enum mr_ip_family,
    const uint8_t *address);
const struct mr_adjacency_info *mr_adjacency_info(const struct mr_ip *, uint32_t index);
/* Every adjacency in use: start with 0, ends with 0. */
uint32_t mr_adjacency_next(const struct mr_ip *, uint32_t index);

/* Resolved: packets leave with this header (Ethernet, tag of the interface included). */
void mr_adjacency_complete(struct mr_ip *, uint32_t index, const uint8_t *header, unsigned len);
/* To this MAC address, from the interface's own, with its tag. */
void mr_adjacency_resolve(struct mr_ip *, uint32_t index, const uint8_t mac[6]);
/* Not any more: packets go to RESOLVE. */
void mr_adjacency_forget(struct mr_ip *, uint32_t index);
/* An interface's MTU, MAC, port or flags changed: rebuilds all that lead through it. */
void mr_adjacency_refresh(struct mr_ip *, uint16_t interface);

#endif
