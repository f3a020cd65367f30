/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RTNL_IMPORT_INT_H
#define MR_NF_RTNL_IMPORT_INT_H

/* What import.c (routes), import_set.c (hop sets) and import_object.c (those with numbers) share.
 * Index 0 is none, everywhere. */

#include <linux/rtnetlink.h>

#include "kit/base/hash.h"
#include "nf/rtnl/import.h"

#define IMPORT_HOP_FLAGS (RTNH_F_DEAD | RTNH_F_ONLINK) /* that make a next hop another one */

enum {
	ROUTE_IP6 = 1u << 0,
	ROUTE_USED = 1u << 1,
	ROUTE_IN_RIB = 1u << 2,
};

/* One route: small, for there may be millions. */
struct route {
	uint8_t prefix[16];
	uint32_t metric;
	uint32_t set : 24, flags : 8;
	uint32_t next;          /* in its bucket; routes of one prefix in order of preference */
	uint32_t before, after; /* in its hop set's list */
	uint8_t len, protocol;
	uint16_t generation; /* of the mark under which it was last heard */
};
static_assert(sizeof(struct route) == 40, "a route is 40 bytes");

#define SET_BUCKETS (1u << 16)

enum set_kind {
	SET_UNKNOWN, /* an object that routes name before anyone has told what it is */
	SET_HOPS,
	SET_GROUP,
};

struct set {
	uint8_t kind;    /* enum set_kind */
	bool interned;   /* found by its next hops */
	bool numbered;   /* found by `id` */
	bool queued;     /* in import->work */
	bool doomed;     /* an object that was removed: its routes go too */
	uint8_t special; /* enum mr_ip_special of routes that go nowhere; 0: hops */
	uint16_t count;  /* of hops or members */
	uint16_t resolved_count;
	uint32_t id;
	uint32_t chain;      /* next in its bucket, of ids or of next hops */
	uint32_t index;      /* its own */
	uint32_t routes;     /* how many lead here */
	uint32_t mentions;   /* groups that have it as a member */
	uint32_t head, tail; /* list of routes of which the RIB knows */
	uint32_t waiting;    /* list of those not given to it since the set changed */
	uint32_t next_queued;
	uint64_t hash;
	struct mr_rtnl_hop *hops;
	struct mr_rtnl_member *members;
	struct mr_route_hop *resolved; /* what the RIB gets; none: the routes lead nowhere here */
};

struct mr_import {
	struct mr_import_config config;
	struct mr_import_stats stats;
	struct mr_hash_key key;
	char trouble[256];

	/* Reserved at their largest, touched where used. Linear hashing: a bucket is split with
	 * each route that comes, so that growing never takes long. */
	struct route *routes;
	uint32_t *heads;
	uint32_t routes_max, route_end, route_free;
	uint32_t buckets; /* in use */
	uint16_t generation;
	bool loading;   /* between mark and sweep */
	uint32_t fresh; /* routes of this generation */
	uint32_t sweep; /* next to be looked at; 0: no sweep */

	struct set **sets;
	uint32_t set_end, set_free_count, *set_free;
	uint32_t *by_hops, *by_id; /* [SET_BUCKETS] */
	uint32_t work, work_tail;  /* sets with waiting routes */
	struct mr_route_hop scratch[MR_RTNL_HOPS_MAX];
};

/* import_set.c */
int import_sets_create(struct mr_import *);
void import_sets_destroy(struct mr_import *);
/* The set that a route names or spells out, made when there is none. 0: no memory. */
uint32_t import_set_of(struct mr_import *, const struct mr_rtnl *route);
/* The anonymous set of these; 0: no memory. */
uint32_t import_set_get(struct mr_import *, const struct mr_rtnl_hop *, unsigned count,
    uint8_t special);
/* Whether every next hop of the one is one of the other, whatever their weights. */
bool import_set_within(const struct mr_import *, uint32_t inner, uint32_t outer);
/* The set of the one's next hops that the other does not have; 0: none are left, or no memory. */
uint32_t import_set_without(struct mr_import *, uint32_t from, uint32_t less);
/* Frees it if nothing refers to it. */
void import_set_drop_unused(struct mr_import *, uint32_t set);
bool import_set_same_way(const struct mr_import *, uint32_t a, uint32_t b);
/* Gives up to `budget` waiting routes to the RIB; returns what is left of it. */
unsigned import_sets_work(struct mr_import *, unsigned budget);
void import_set_leave(struct mr_import *, struct set *); /* is found no more */
bool import_set_same_hops(const struct set *, const struct mr_rtnl_hop *, unsigned count,
    uint8_t special);
bool import_set_copy_hops(struct set *, const struct mr_rtnl_hop *, unsigned count);
/* True if it resolves to something else than before; its routes then wait to be told. */
bool import_set_resolve(struct mr_import *, struct set *);
void import_set_resolve_groups(struct mr_import *, const struct set *member);
void import_set_queue(struct mr_import *, struct set *);
/* The RIB is told of routes by objects that nobody has told about. */
void import_sets_queue_unknown(struct mr_import *);
void import_set_link(struct mr_import *, uint32_t route, uint32_t set);
void import_set_unlink(struct mr_import *, uint32_t route);

/* import_object.c */
struct set *import_set_number(const struct mr_import *, uint32_t id); /* null: none */
struct set *import_set_get_number(struct mr_import *, uint32_t id);   /* null: no memory */
void import_sets_forget_numbers(struct mr_import *);

/* import.c */
/* Tells the RIB what the route's prefix has come to. */
void import_refresh(struct mr_import *, const struct route *);
void import_remove(struct mr_import *, uint32_t route);

#endif
