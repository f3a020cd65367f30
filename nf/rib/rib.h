/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RIB_RIB_H
#define MR_NF_RIB_RIB_H

/*
 * The RIB: every route that somebody gave us, by VRF, family, prefix and source, and the best
 * of each prefix in the FIB. Sources are ranked; of one source and prefix the last route given
 * counts.
 *
 * A next hop is an address on an interface, an address alone (recursive: resolved through
 * the best route to it, up to 8 deep, never through itself), an interface alone (connected),
 * or a decision (local, blackhole, unreachable, prohibit). A route whose next hops cannot be
 * resolved, or are all unusable, stays in the RIB and out of the FIB, with the reason.
 *
 * A daemon that restarts: mr_rib_mark, then its routes come again, then mr_rib_sweep
 * takes away what did not come. Nothing that stays is touched in between.
 *
 * Ownership: the RIB owns routes and their references to groups. Texts in errors are the caller's.
 * Threads: the control thread. Workers see the FIBs only.
 * Errors: 0 or -errno; a route that cannot be put into the FIB for want of memory is
 * counted and shown as such.
 */

#include "nf/ip/group.h"
#include "nf/ip/ip.h"

/* In the order of preference: the first that has a route wins. */
enum mr_route_source {
	MR_ROUTE_LOCAL,     /* the router's own addresses, broadcasts, groups, martians */
	MR_ROUTE_CONNECTED, /* subnets of its addresses */
	MR_ROUTE_NEIGHBOR,  /* /32 and /128 of resolved neighbours */
	MR_ROUTE_STATIC,    /* the configuration's */
	MR_ROUTE_FPM,
	MR_ROUTE_KERNEL,
	MR_ROUTE_SOURCES,
};

enum mr_route_hop_kind {
	MR_HOP_VIA,     /* address, and interface unless 0 (then recursive) */
	MR_HOP_DIRECT,  /* interface: the destination is on its link */
	MR_HOP_SPECIAL, /* `special` */
};

struct mr_route_hop {
	uint8_t kind;    /* enum mr_route_hop_kind */
	uint8_t family;  /* enum mr_ip_family of `address`: IPv4 routes may go via IPv6 (RFC 8950) */
	uint8_t special; /* enum mr_ip_special */
	bool onlink;     /* the address need not be in a subnet of the interface */
	uint16_t interface;
	uint16_t weight; /* at least 1 */
	uint8_t address[16];
};

struct mr_route {
	uint8_t family; /* enum mr_ip_family */
	uint8_t len;
	uint8_t source; /* enum mr_route_source */
	uint8_t protocol; /* as rtnetlink numbers them (RTPROT_*), for show; 0: not known */
	uint32_t metric; /* for show, and among routes of the kernel with several metrics: the lowest */
	uint8_t prefix[16];
	uint16_t hop_count;
	const struct mr_route_hop *hops;
};

enum mr_route_state {
	MR_ROUTE_ACTIVE,      /* in the FIB */
	MR_ROUTE_SHADOWED,    /* another source has the prefix */
	MR_ROUTE_UNRESOLVED,  /* no usable next hop */
	MR_ROUTE_LOOPS,       /* a next hop resolves to itself */
	MR_ROUTE_NO_MEMORY,
};

struct mr_rib;

int mr_rib_create(struct mr_rib **out, struct mr_ip *, struct mr_error *);
void mr_rib_destroy(struct mr_rib *);

/* Adds or replaces. -EINVAL (bits beyond the length, no hops, an interface that does not exist or
 * belongs to another VRF unless it was leaked on purpose), -ENOMEM. Unresolvable is no error. */
int mr_rib_set(struct mr_rib *, uint16_t vrf, const struct mr_route *, struct mr_error *);
/* -ENOENT. */
int mr_rib_unset(struct mr_rib *, uint16_t vrf, enum mr_ip_family, const uint8_t prefix[16],
    unsigned len, enum mr_route_source);
/* All routes of a source in a VRF. */
void mr_rib_clear(struct mr_rib *, uint16_t vrf, enum mr_route_source);
/* All routes of a VRF, before it is destroyed. */
void mr_rib_clear_vrf(struct mr_rib *, uint16_t vrf);

void mr_rib_mark(struct mr_rib *, uint16_t vrf, enum mr_route_source);
/* Returns how many were taken away. */
uint32_t mr_rib_sweep(struct mr_rib *, uint16_t vrf, enum mr_route_source);

/* To be called when an interface went up, down or away. */
void mr_rib_interface(struct mr_rib *, uint16_t interface, bool up);
/* Resolves again what changed since: recursive routes whose way was touched. Called after a batch of
 * changes (the router's tick, the end of a burst of netlink messages). */
void mr_rib_settle(struct mr_rib *);

/* The route of a source to exactly this prefix; hops point into the RIB until the next change. */
bool mr_rib_get(const struct mr_rib *, uint16_t vrf, enum mr_ip_family, const uint8_t prefix[16],
    unsigned len, enum mr_route_source, struct mr_route *, enum mr_route_state *);
/* Every route of a VRF, sorted by family, prefix, length, source when `sorted`. Stops when the
 * callback returns false. */
typedef bool mr_rib_each_fn(void *user, const struct mr_route *, enum mr_route_state,
    uint32_t group);
int mr_rib_each(const struct mr_rib *, uint16_t vrf, bool sorted, mr_rib_each_fn *, void *user);
uint32_t mr_rib_count(const struct mr_rib *, uint16_t vrf, enum mr_ip_family,
    enum mr_route_source);

/* Compares: for every prefix, what the FIB says against what the RIB's best route asks for; and
 * FIB entries that no route asks for. The callback gets each difference. Returns their number. */
struct mr_rib_difference {
	uint8_t family, len;
	uint8_t prefix[16];
	uint32_t in_fib, wanted; /* groups; 0: none */
};
uint32_t mr_rib_diff(const struct mr_rib *, uint16_t vrf,
    void (*difference)(void *user, const struct mr_rib_difference *), void *user);

const char *mr_route_source_name(enum mr_route_source); /* "static" */
const char *mr_route_state_name(enum mr_route_state);

#endif
