/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NEIGHBOR_PART_INT_H
#define MR_NF_NEIGHBOR_PART_INT_H

/* The part of the router: what neighbor.c, conf.c and show.c share. */

#include "nf/neighbor/neighbor_int.h"

struct neighbor_plan_interface {
	char name[MR_PORT_NAME_MAX];
	struct neighbor_settings settings;
	struct neighbor_interface_settings own;
	bool tell_mtu;
};

struct neighbor_plan_static {
	char interface[MR_PORT_NAME_MAX];
	uint8_t family;
	uint8_t address[16];
	uint8_t mac[6];
};

struct neighbor_plan {
	struct neighbor_plan_interface *interfaces;
	struct neighbor_plan_static *statics;
	uint32_t interface_count, static_count;
};

struct neighbor_part {
	struct mr_router_base base;
	const struct mr_router_base *router; /* the same, as others know it */
	struct neighbors *neighbors;         /* null until a router is configured */
	struct neighbor_plan next;
	int epoll;
	uint16_t port;
	uint16_t arp, nd, resolve, output; /* nodes, or UINT16_MAX */
};

/* conf.c */
void neighbor_conf_check(void *state, const struct mr_config *, struct mr_report *);
int neighbor_plan_read(struct neighbor_plan *, const struct mr_config *, struct mr_error *);
void neighbor_plan_free(struct neighbor_plan *);

/* show.c */
void neighbor_show(void *state, uint16_t vrf, struct mr_state *);

/* describe.c */
bool neighbor_describe(void *state, const struct mr_op *, char *text, size_t size);

#endif
