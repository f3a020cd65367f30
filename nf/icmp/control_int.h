/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ICMP_CONTROL_INT_H
#define MR_NF_ICMP_CONTROL_INT_H

/* The control side of nf/icmp. */

#include "nf/icmp/icmp.h"
#include "nf/icmp/icmp_int.h"

enum icmp_node {
	ICMP_NODE_ERROR,
	ICMP_NODE_ECHO,
	ICMP_NODE_OPTIONS,
	ICMP_NODE_FRAGMENT,
	ICMP_NODE_MSS,
	ICMP_NODE_REDIRECT,
	ICMP_NODE_REASSEMBLY,
	ICMP_NODES,
};

/* What a configuration says of one VRF. */
struct icmp_wanted {
	char name[64];
	struct icmp_settings settings;
};

struct icmp_part {
	const struct mr_router_base *base;
	struct icmp_state *icmp;
	struct icmp_wanted *next; /* between prepare and commit */
	unsigned next_count;
	bool active; /* the nodes are in the graph */
	uint16_t nodes[ICMP_NODES];
};

/* icmp_conf.c: what the configuration says; -ENOMEM. */
int icmp_conf_read(struct icmp_part *, const struct mr_config *, struct mr_error *);
void icmp_conf_check(const struct mr_config *, struct mr_report *);

/* icmp_show.c */
void icmp_show(void *state, uint16_t vrf, struct mr_state *);

#endif
