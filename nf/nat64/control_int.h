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

/* What the log has said of a reason for drops, and when it may say so again. */
#define N64_WATCHED 6u
struct n64_watch {
	uint64_t told;
	uint32_t next;
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
	struct n64_watch watch[N64_INSTANCES_MAX + 1][N64_WATCHED];
};

/* The workers' clock. */
uint32_t n64_now(void);
void n64_show(void *state, struct mr_state *);
int n64_stream(void *state, const char *name, const struct mr_nf_query *, struct mr_nf_stream *,
    struct mr_error *);
void n64_watch_tick(struct mr_nat64 *, uint32_t now);

#endif
