/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT64_CONTROL_INT_H
#define MR_NF_NAT64_CONTROL_INT_H

/* The function's state in one data plane, for its descriptor's files. */

#include "nf/dataplane.h"
#include "nf/interface/interface.h"
#include "nf/nat64/conf_int.h"

struct n64_stage {
	struct n64_stage *next;
	char name[MR_PORT_NAME_MAX];
	struct n64_self self;
	uint16_t node;
	bool wanted, fresh;
};

/* By its number: a pool and whose it is. */
struct n64_made {
	struct n64_conf conf, next;
	struct nat_pool *pool; /* null: the number is free */
	bool wanted, fresh;
};

struct mr_nat64 {
	struct mr_dataplane *dp;
	struct n64_core *core; /* null: there was no instance yet */
	struct n64_world *then, *old;
	struct n64_stage *stages;
	struct n64_made made[N64_INSTANCES_MAX + 1];
};

/* The workers' clock. */
uint32_t n64_now(void);
void n64_show(void *state, struct mr_state *);

#endif
