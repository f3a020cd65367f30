/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RIB_RIB_INT_H
#define MR_NF_RIB_RIB_INT_H

/*
 * What the files of the RIB share.
 *
 *   table.c    the prefixes of one VRF and family, each with its routes in the order of preference
 *   hops.c     hop sets: found by their hops, counted
 *   resolve.c  from a hop set to a group, and which ones to look at again
 *   rib.c      routes in and out
 *   follow.c   the best of each prefix in the FIB; interfaces and next hops that change
 *   walk.c     sorted walks, comparison with the FIB
 *   stream.c   routes as text
 *
 * Memory of one route: 20 bytes (IPv4) or 32 (IPv6), and 4 in a hash table that is
 * between a third and three quarters full.
 */

#include "kit/base/hash.h"
#include "nf/rib/rib.h"

#define ROUTES_MAX 0xffffffu /* of one VRF and family: indices have 24 bits */

enum route_flag {
	ROUTE_USED = 1u << 0,
	ROUTE_HEAD = 1u << 1, /* the first of its prefix */
	ROUTE_FIB = 1u << 2,  /* the one in the FIB */
	ROUTE_MARKED = 1u << 3,
	ROUTE_NO_MEMORY = 1u << 4, /* should be in the FIB */
};

struct route {
	uint32_t next; /* of the same prefix, less preferred; or the next free one. 0: none */
	uint32_t hops; /* the hop set's number */
	uint32_t metric;
	uint8_t len, protocol, source;
	uint8_t flags;    /* enum route_flag */
	uint8_t prefix[]; /* 4 or 16 bytes */
};

struct table {
	uint8_t *routes;       /* by stride; index 0 is none */
	uint32_t stride, size; /* bytes of a route, of a prefix */
	uint32_t end, room;    /* above the largest index ever used, of the array */
	uint32_t free;
	uint32_t *slots; /* tag 8 | index 24 of heads; 0: free, TOMB: was used */
	uint32_t mask, heads, tombs;
	uint32_t lengths[129]; /* prefixes of each length */
	uint32_t sources[MR_ROUTE_SOURCES];
	struct mr_hash_key key;
};

struct vrf {
	struct table tables[MR_IP_FAMILIES];
	bool changed[MR_IP_FAMILIES]; /* has routes of hop sets that changed */
};

/* A recursive next hop whose way decided about a hop set. */
struct target {
	uint8_t key[19]; /* VRF, family, address, so that they can be compared as bytes */
	uint8_t len;     /* of a changed prefix; else 0 */
	uint32_t hops;
};

enum hops_state { HOPS_RESOLVED, HOPS_UNRESOLVED, HOPS_LOOPS, HOPS_NO_MEMORY };

struct hops {
	uint32_t references; /* routes, and whoever is at it */
	uint32_t id, next;   /* with the same hash */
	uint32_t hash;
	uint32_t group;        /* 0: none */
	uint32_t old_group;    /* still in the FIB until routes were moved; 0: none */
	uint32_t recursive_at; /* + 1, in the list of recursive ones; 0: is none */
	uint16_t vrf, count;
	uint8_t family; /* of its routes */
	uint8_t state;  /* enum hops_state */
	bool usable;    /* its routes may be in the FIB */
	bool links;     /* resolved by what is on an interface's link */
	bool orphan;    /* an interface of it is gone: not to be found any more */
	bool idle;      /* in the list of those that may go */
	bool own;       /* the group is */
	bool watch_all; /* too many targets to remember */
	uint16_t target_count;
	struct target *targets;
	struct mr_route_hop hops[];
};

/* What of an interface decides about next hops, as last seen. */
struct seen {
	uint32_t generation; /* of its addresses */
	uint16_t vrf;
	bool exists, up;
};

struct mr_rib {
	struct mr_ip *ip;
	struct seen seen[MR_IP_INTERFACES_MAX];
	struct vrf *vrfs[MR_IP_VRFS_MAX];

	struct hops **sets; /* by number; 0 is none */
	uint8_t *changed;   /* by number: routes must be looked at */
	uint32_t set_end, set_room;
	uint32_t *set_free, set_free_count;
	uint32_t set_count;
	uint32_t *heads, heads_mask;
	struct mr_hash_key key;
	uint32_t *recursive, recursive_count, recursive_room;
	uint32_t *idle, idle_count, idle_room;

	struct target *watch; /* sorted: who is to be resolved again */
	uint32_t watch_count, watch_room;
	bool watch_stale;
	struct target *dirty; /* prefixes that changed */
	uint32_t dirty_count;
	bool dirty_all; /* too many, or something that all depend on */
	bool links_changed;
	bool any_changed;

	uint64_t starved; /* routes that had no memory */
	uint64_t removed, removed_seen;
};

/* table.c */
int table_open(struct table *, enum mr_ip_family, struct mr_error *);
void table_close(struct table *);
uint32_t table_hash(const struct table *, const uint8_t *prefix, unsigned len);
/* The place of a prefix, null: it has none. */
uint32_t *table_slot(const struct table *, const uint8_t *prefix, unsigned len, uint32_t hash);
uint32_t table_find(const struct table *, const uint8_t *prefix, unsigned len);
/* Room for one more route and its prefix: after it, the next two cannot fail. */
int table_reserve(struct table *);
uint32_t table_take(struct table *);
void table_give(struct table *, uint32_t index);
void table_insert(struct table *, uint32_t hash, uint32_t head);
void table_remove(struct table *, uint32_t *slot, unsigned len);
uint64_t table_bytes(const struct table *);

mr_inline struct route *
table_at(const struct table *t, uint32_t index)
{
	return (struct route *)(void *)(t->routes + (size_t)index * t->stride);
}

#define SLOT_INDEX(s) ((s)&0xffffffu)

/* hops.c */
int hops_open(struct mr_rib *, struct mr_error *);
void hops_close(struct mr_rib *);
/* One reference more. */
int hops_get(struct mr_rib *, uint16_t vrf, const struct mr_route *, uint32_t *id,
    struct mr_error *);
void hops_put(struct mr_rib *, uint32_t id);
/* Lets those go that no route has. */
void hops_reap(struct mr_rib *);
void hops_orphan(struct mr_rib *, struct hops *);
bool hops_is_recursive(const struct mr_route_hop *);

/* resolve.c */
void resolve_hops(struct mr_rib *, struct hops *);
/* A prefix has other routes than before. */
void resolve_touched(struct mr_rib *, uint16_t vrf, enum mr_ip_family, const uint8_t *prefix,
    unsigned len);
/* Resolves again what must be; afterwards rib->changed says whose routes are to be moved. */
void resolve_again(struct mr_rib *);

/* rib.c */
enum mr_route_state rib_state(const struct mr_rib *, const struct table *, uint32_t head,
    uint32_t index);
void rib_route(const struct mr_rib *, const struct table *, enum mr_ip_family, uint32_t index,
    struct mr_route *);
/* follow.c */
/* Makes the FIB say what the routes of a prefix ask for. `was`: the FIB has the prefix, by a route
 * of the list with ROUTE_FIB, or by one that just left. `again`: the group may be another. */
void rib_choose(struct mr_rib *, uint16_t vrf, enum mr_ip_family, uint32_t head,
    const uint8_t *prefix, unsigned len, bool was, bool again);
/* Of a prefix's routes the first that can be used; 0: none. */
uint32_t rib_best(const struct mr_rib *, const struct table *, uint32_t head);
/* What the FIB says of exactly this prefix. */
uint32_t rib_fib_get(const struct mr_rib *, uint16_t vrf, enum mr_ip_family, const uint8_t *prefix,
    unsigned len);

/* The first `len` bits, the rest 0. */
void rib_mask(uint8_t out[16], const uint8_t *address, unsigned len);
bool rib_covers(const uint8_t *prefix, unsigned len, const uint8_t *address);

#endif
