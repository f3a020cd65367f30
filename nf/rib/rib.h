/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RIB_RIB_H
#define MR_NF_RIB_RIB_H

/*
 * The RIB: every route that somebody gave us, by VRF, family, prefix and source, and the best
 * of each prefix in the FIB. Sources are ranked; of one source and prefix the last route given
 * counts, but of the kernel's one per metric, the lowest first.
 *
 * A next hop is an address on an interface, an address alone (recursive), an interface alone
 * (connected), or a decision (local, blackhole, unreachable, prohibit). A route whose next
 * hops cannot be resolved, or are all unusable, stays in the RIB and out of the FIB, with the
 * reason, and leaves the prefix to the next source, or to a shorter prefix.
 *
 * A recursive next hop is reached through the longest prefix that covers it and has a route that
 * does not itself need this next hop: never through itself, up to 8 deep. What the RIB
 * holds decides that, not the order in which it came.
 *
 *   route --> hop set --> group --> adjacencies
 *
 * Routes with the same next hops share a *hop set*. That of recursive ones owns a group that
 * changes in place: when the way to a BGP next hop moves, its routes follow without
 * being touched.
 *
 * A daemon that restarts: mr_rib_mark, then its routes come again, then mr_rib_sweep
 * takes away what did not come. Nothing that stays is touched in between.
 *
 * Ownership: the RIB owns routes and their references to groups. Texts in errors are the caller's.
 * Threads: the control thread. Workers see the FIBs only.
 * Errors: 0 or -errno; a route that cannot be put into the FIB for want of memory is
 * counted and shown as such, and tried again when others have left.
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
	uint8_t kind;   /* enum mr_route_hop_kind */
	uint8_t family; /* enum mr_ip_family of `address`: IPv4 routes may go via IPv6 (RFC 8950) */
	uint8_t special; /* enum mr_ip_special */
	bool onlink;     /* the address need not be in a subnet of the interface, nor the
			  * interface in the route's VRF */
	uint16_t interface;
	uint16_t weight; /* at least 1 */
	uint8_t address[16];
};

struct mr_route {
	uint8_t family; /* enum mr_ip_family */
	uint8_t len;
	uint8_t source;   /* enum mr_route_source */
	uint8_t protocol; /* as rtnetlink numbers them (RTPROT_*), for show; 0: not known */
	uint32_t metric;  /* for show; of the kernel's, the lowest wins */
	uint8_t prefix[16];
	uint16_t hop_count;
	const struct mr_route_hop *hops;
};

enum mr_route_state {
	MR_ROUTE_ACTIVE,     /* in the FIB */
	MR_ROUTE_SHADOWED,   /* another source has the prefix */
	MR_ROUTE_UNRESOLVED, /* no usable next hop */
	MR_ROUTE_LOOPS,      /* a next hop resolves to itself */
	MR_ROUTE_NO_MEMORY,
};

struct mr_rib;

int mr_rib_create(struct mr_rib **out, struct mr_ip *, struct mr_error *);
void mr_rib_destroy(struct mr_rib *);

/* Adds or replaces. -EINVAL (bits beyond the length, no hops, an interface that does not exist or
 * belongs to another VRF, unless `onlink`), -ENOMEM. Unresolvable is no error. */
int mr_rib_set(struct mr_rib *, uint16_t vrf, const struct mr_route *, struct mr_error *);
/* Takes away the source's route to this prefix, of the kernel's all. -ENOENT. */
int mr_rib_unset(struct mr_rib *, uint16_t vrf, enum mr_ip_family, const uint8_t prefix[16],
    unsigned len, enum mr_route_source);
/* The kernel's with this metric. -ENOENT. */
int mr_rib_unset_metric(struct mr_rib *, uint16_t vrf, enum mr_ip_family, const uint8_t prefix[16],
    unsigned len, enum mr_route_source, uint32_t metric);
/* All routes of a source in a VRF. */
void mr_rib_clear(struct mr_rib *, uint16_t vrf, enum mr_route_source);
/* All routes of a VRF, before it is destroyed. */
void mr_rib_clear_vrf(struct mr_rib *, uint16_t vrf);

void mr_rib_mark(struct mr_rib *, uint16_t vrf, enum mr_route_source);
/* Returns how many were taken away. */
uint32_t mr_rib_sweep(struct mr_rib *, uint16_t vrf, enum mr_route_source);

/* To be called when an interface went up or down, or its addresses changed (`up` as it is): tells
 * its groups (mr_group_interface) and moves the routes at once. What was not told, settle sees. */
void mr_rib_interface(struct mr_rib *, uint16_t interface, bool up);
/* Before the interface is destroyed: routes through it stay, unresolved, until they are
 * given anew, whoever has its index next. */
void mr_rib_interface_gone(struct mr_rib *, uint16_t interface);
/* Resolves again what changed since: recursive routes whose way was touched. Called after a batch
 * of changes (the router's tick, the end of a burst of netlink messages). Waits for the workers
 * when groups were put. */
void mr_rib_settle(struct mr_rib *);

/* The route of a source to exactly this prefix; hops point into the RIB until the next change. */
bool mr_rib_get(const struct mr_rib *, uint16_t vrf, enum mr_ip_family, const uint8_t prefix[16],
    unsigned len, enum mr_route_source, struct mr_route *, enum mr_route_state *);
/* Every route of a VRF, sorted by family, prefix, length, source when `sorted`; `group` is what
 * its next hops came to, 0: nothing. Stops when the callback returns false. */
typedef bool mr_rib_each_fn(void *user, const struct mr_route *, enum mr_route_state,
    uint32_t group);
int mr_rib_each(const struct mr_rib *, uint16_t vrf, bool sorted, mr_rib_each_fn *, void *user);
uint32_t mr_rib_count(const struct mr_rib *, uint16_t vrf, enum mr_ip_family, enum mr_route_source);

/* A walk in that order that can pause while the RIB changes: it remembers which prefixes there
 * were, and shows what is there when it comes to them. */
struct mr_rib_filter {
	bool families[MR_IP_FAMILIES];
	bool covering; /* of `prefix`: what covers it, not what it covers */
	bool given;    /* `family`, `prefix` and `len` count */
	uint8_t family, len;
	uint8_t prefix[16];
};
struct mr_rib_walk;
int mr_rib_walk_create(struct mr_rib_walk **out, const struct mr_rib *, uint16_t vrf,
    const struct mr_rib_filter *);
void mr_rib_walk_destroy(struct mr_rib_walk *);
/* The routes of the next prefix, until the callback returns false; false at the end. */
bool mr_rib_walk_next(struct mr_rib_walk *, mr_rib_each_fn *, void *user);

/* Compares: for every prefix, what the FIB says against what the RIB's best route asks for; and
 * FIB entries that no route asks for. The callback gets each difference. Returns their number. */
struct mr_rib_difference {
	uint8_t family, len;
	uint8_t prefix[16];
	uint32_t in_fib, wanted; /* groups; 0: none */
};
uint32_t mr_rib_diff(const struct mr_rib *, uint16_t vrf,
    void (*difference)(void *user, const struct mr_rib_difference *), void *user);

/* What there is. Memory is of the RIB alone. */
struct mr_rib_stats {
	uint64_t routes, prefixes, bytes;
	uint32_t hop_sets, recursive;
	uint64_t unresolved, loops, no_memory; /* routes */
};
void mr_rib_stats(const struct mr_rib *, struct mr_rib_stats *);

const char *mr_route_source_name(enum mr_route_source); /* "static" */
const char *mr_route_state_name(enum mr_route_state);

#endif
