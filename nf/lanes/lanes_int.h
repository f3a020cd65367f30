/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LANES_LANES_INT_H
#define MR_NF_LANES_LANES_INT_H

/* What the files of this function share. */

#include "kit/flow/lane.h"
#include "nf/dataplane.h"
#include "nf/interface/interface.h"
#include "nf/lanes/lanes.h"

enum lane_wish { LANE_AUTO, LANE_GRAPH, LANE_FLOW };

/* One interface's lane. */
struct lane_of {
	enum lane_wish wish;
	bool flow;
	bool ledger;     /* its flows are kept */
	bool walk;       /* the graph, with a lane in front that keeps flows only */
	bool by_address; /* Ethernet addresses are part of its flows' keys */
	const char *reason;
	uint16_t node; /* valid while flow */
	struct mr_lane_port *port;
	struct mr_flow_view view;
	uint16_t *vrfs; /* the view's, by VLAN, or null */
	bool offloads;  /* its port forwards flows by itself */
	char offload_reason[120];
};

struct lanes_settings {
	enum lane_wish mode;
	uint32_t flows, idle;
	bool offload;
	uint32_t offload_flows, offload_rate;
	struct {
		char name[MR_PORT_NAME_MAX];
		enum lane_wish wish;
	} own[MR_PORT_MAX];
	unsigned own_count;
};

struct lanes {
	struct mr_dataplane *dp;
	struct lanes_settings now, next;
	struct mr_lane *lane;      /* in force */
	struct mr_lane *next_lane; /* while a configuration is brought in; may be the same */
	struct mr_lane *old;       /* to go after the commit */
	struct mr_lane *retired;   /* to go with the next tick: its ledger may be read till then */
	struct mr_lanes_ledger ledger_wanted, ledger; /* the latter: in force */
	struct lane_of of[MR_PORT_MAX];
	struct lane_of before[MR_PORT_MAX]; /* of the configuration that goes */
};

/* lanes.c */
void lanes_read_settings(struct lanes_settings *, const struct mr_config *);

/* plan.c */
void lanes_plan(void *state, struct mr_nf_plan *);

/* choose.c: whether packets of the interface take the flow lane, and why. */
void lanes_choose(const struct lanes *, const struct mr_interface *, struct lane_of *);

/* offload.c */
/* Tells the lane which ports there are, and that something may have changed. */
void lanes_offload(struct lanes *);
/* Gives back what a lane that goes has of the ports that are still there. */
void lanes_offload_end(struct lanes *, struct mr_lane *);

/* stream.c */
int lanes_stream(void *state, const char *name, const struct mr_nf_query *, struct mr_nf_stream *,
    struct mr_error *);

/* show.c */
void lanes_show(void *state, struct mr_state *);

#endif
