/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ROUTER_ROUTER_INT_H
#define MR_NF_ROUTER_ROUTER_INT_H

/*
 * What the files of this function share. A configuration is read into a *plan*, arrays of
 * plain structs, before anything is changed; commit makes the tables what the plan says.
 *
 *   plan.c      configuration --> plan, and what is wrong with it
 *   apply.c     plan --> VRFs, interfaces, addresses
 *   routes.c    addresses and static routes --> RIB
 *   link.c      what ports do by themselves: up, down, other MTU
 *   router.c    the descriptor, and the parts
 */

#include "nf/interface/interface.h"
#include "nf/rib/rib.h"
#include "nf/router/router.h"

struct plan_interface {
	char name[MR_PORT_NAME_MAX];
	char parent[MR_PORT_NAME_MAX]; /* empty: a loopback */
	char unnumbered[MR_PORT_NAME_MAX];
	uint16_t vrf; /* index in the plan */
	uint16_t vlan;
	uint16_t mtu, clamp4, clamp6;
	uint32_t flags; /* enum mr_ip_interface_flag, those that the configuration decides */
	bool ipv6, has_mac;
	uint8_t mac[6];
	struct mr_ip_address addresses[MR_IP_ADDRESSES_MAX];
	uint32_t address_count;
	uint16_t index;  /* once it has one */
	bool fresh;      /* and this plan made it */
	uint32_t routed; /* the generation of its addresses that routes were made of */
};

struct plan_hop {
	struct mr_route_hop hop;
	char interface[MR_PORT_NAME_MAX]; /* empty: none */
};

struct plan_route {
	uint16_t vrf; /* index in the plan */
	struct mr_route route;
	struct plan_hop *hops; /* [route.hop_count] */
};

struct plan_vrf {
	char name[64];
	uint16_t index;
	bool fresh;
};

struct plan {
	struct plan_vrf *vrfs;
	struct plan_interface *interfaces;
	struct plan_route *routes;
	uint32_t vrf_count, interface_count, route_count;
};

struct router {
	struct mr_router_base base;
	struct plan now, next;
	bool changing;
	int door;         /* what is waited on: holds `epoll` while a router is configured */
	int epoll, timer; /* the parts' descriptors, and when they want to be called */
	unsigned part_count;
	void **parts; /* [part_count] states */
	bool active;  /* its nodes are in the graph */
};

/* plan.c */
void router_check(const struct mr_config *, struct mr_report *);
int router_plan_read(struct plan *, const struct mr_config *, struct mr_error *);
void router_plan_free(struct plan *);
struct plan_interface *router_plan_interface(const struct plan *, const char *name);

/* apply.c */
int router_allocate(struct router *, struct mr_error *);
void router_deallocate(struct router *);
void router_apply(struct router *);
void router_release(struct router *, const struct plan *old);

/* routes.c: what follows from addresses, for one VRF (index in the tables) */
void router_routes_of(struct router *, const struct plan *, const struct plan_vrf *);

/* link.c */
void router_link(struct router *);
/* Fills what nodes read of this interface. */
void router_interface_update(struct router *, const struct plan_interface *);

/* show.c */
void router_show(void *state, struct mr_state *);

#endif
