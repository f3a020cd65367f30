/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_BRIDGE_CONTROL_INT_H
#define MR_NF_BRIDGE_CONTROL_INT_H

/* What the descriptor's files share: the bridges of one data plane by name. */

#include "nf/bridge/bridge.h"
#include "nf/dataplane.h"
#include "nf/interface/interface.h"

struct member {
	char name[MR_PORT_NAME_MAX];
	uint16_t port;
	bool up; /* at the last tick */
};

struct entry {
	struct entry *next;
	char name[MR_PORT_NAME_MAX];
	struct mr_bridge *bridge;
	uint16_t node;
	struct mr_bridge_port *ports; /* [member_count] in force, or of the last prepare */
	struct member *members;
	unsigned member_count;
	bool fresh;  /* made by the prepare that is under way */
	bool wanted; /* in the configuration being brought in */
	/* The members that prepare found, until commit or abort. */
	struct mr_bridge_port *next_ports;
	struct member *next_members;
	unsigned next_count;
};

struct bridges {
	struct mr_dataplane *dp;
	struct entry *list;
};

/* bridge_conf.c: what a configuration says, in the terms of bridge.h. `ports`, `members`
 * and `statics` of `out` are allocated. */
struct wanted {
	struct mr_bridge_config config;
	struct mr_bridge_port *ports;
	struct mr_bridge_static *statics;
	struct member *members;
};
int bridge_conf_read(struct wanted *out, const struct mr_conf *, const struct mr_interfaces *,
    struct mr_error *);
void bridge_conf_free(struct wanted *);
void bridge_conf_check(const struct mr_config *, const struct mr_conf *, struct mr_report *);

/* bridge_show.c */
void bridge_show(void *state, struct mr_state *);

/* The workers' clock. */
uint32_t bridge_seconds(void);

#endif
