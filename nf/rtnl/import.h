/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_RTNL_IMPORT_H
#define MR_NF_RTNL_IMPORT_H

/*
 * Routes of one outside source (a kernel's table, a routing daemon's stream) for one VRF: every route
 * with where it leads, and the best of each prefix in the RIB.
 *
 *   message --> route: prefix, metric --> hop set: next hops, or an object --> RIB
 *
 * Routes with the same next hops share a hop set. A next-hop object (a route that says RTA_NH_ID) is
 * one too, with a number; so what changes under many routes at once, an object, or a
 * device that becomes one of ours, is found by its hop set, whose routes are then given to the RIB anew.
 * That may be a million, so it is work done in portions by mr_import_work.
 *
 * A prefix may have several routes: of different metrics, or (IPv4) appended ones. The first
 * that leads anywhere here counts. Those that lead to devices that are not interfaces of this VRF are
 * kept and counted as foreign, for the device may become one.
 *
 * A source that starts over: mr_import_mark, then its routes come again, then mr_import_sweep.
 * Numbers of objects mean nothing across a mark: routes keep the next hops that they had.
 *
 * Ownership: owns its routes and, in the RIB, all routes of its source and VRF.
 * Threads: the control thread.
 * Errors: only create can fail. What cannot be taken for want of memory or above a limit is counted.
 */

#include "kit/base/error.h"
#include "nf/rib/rib.h"
#include "nf/rtnl/rtnl.h"

#define MR_IMPORT_ROUTES_MAX (1u << 22)
#define MR_IMPORT_SETS_MAX (1u << 18)

struct mr_import;

struct mr_import_config {
	struct mr_rib *rib;
	uint16_t vrf;
	enum mr_route_source source;
	/* The interface of this VRF behind a device of the source's namespace; 0: none. */
	uint16_t (*interface)(void *user, uint32_t ifindex);
	void *user;
	/* One route per prefix, whatever its metric: what comes replaces. */
	bool single;
	/* Routes outlive the object that they name, with the next hops that it had. In a kernel
	 * they go with it. */
	bool orphans;
	uint32_t routes_max; /* 0: MR_IMPORT_ROUTES_MAX */
};

struct mr_import_stats {
	uint32_t routes;   /* known */
	uint32_t imported; /* in the RIB */
	uint32_t foreign;  /* lead nowhere here: foreign devices, unknown objects, tunnels */
	uint32_t stale;    /* not heard of since the mark */
	uint32_t nexthops; /* objects */
	uint32_t sets;     /* sets of next hops, objects among them */
	uint64_t added, removed, replaced; /* routes */
	uint64_t renewed;                  /* said again as they were */
	uint64_t swept;
	uint64_t unknown; /* to be removed, but not there */
	uint64_t refused; /* above a limit, or no memory */
	uint64_t rib_errors;
};

int mr_import_create(struct mr_import **out, const struct mr_import_config *, struct mr_error *);
/* Takes its routes out of the RIB. */
void mr_import_destroy(struct mr_import *);

/* `message` is a route: taken in, or out when it is deleted. True when it changed anything. */
bool mr_import_route(struct mr_import *, const struct mr_rtnl *message);
/* The same with a next-hop object; with one that is deleted go the routes through it,
 * unless they may be orphans. */
void mr_import_nexthop(struct mr_import *, const struct mr_rtnl *message);
/* Devices are other interfaces than before, or interfaces are: looks at every hop set again. */
void mr_import_remap(struct mr_import *);

void mr_import_mark(struct mr_import *);
void mr_import_sweep(struct mr_import *);
/* Does up to about `budget` routes' worth of what is left to do; false: nothing is left. */
bool mr_import_work(struct mr_import *, unsigned budget);
bool mr_import_idle(const struct mr_import *);

void mr_import_stats(const struct mr_import *, struct mr_import_stats *);
/* How many routes were not heard of since the mark. */
uint32_t mr_import_stale(const struct mr_import *);
/* The text of the last route that the RIB did not take, or "". */
const char *mr_import_trouble(const struct mr_import *);

#endif
