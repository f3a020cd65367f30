/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_LANES_LANES_H
#define MR_NF_LANES_LANES_H

/*
 * Lanes: decides with each commit which interfaces have the flow lane (kit/flow/lane.h) in front,
 * and shows which have, and why. It comes last among the functions, when all nodes and stages of a
 * configuration are in the graph's draft.
 *
 * Threads: the control thread.
 */

#include "kit/flow/ledger.h"
#include "nf/nf.h"

/* The data plane's flow lane; null before the first configuration. */
struct mr_lane *mr_lanes_lane(struct mr_dataplane *);

/* What the flow lane has for a packet. */
enum mr_lanes_answer {
	MR_LANES_GRAPH,   /* its interface has no lane in front */
	MR_LANES_NO_KEY,  /* it is not plain: the graph's, always */
	MR_LANES_NO_FLOW, /* no packet of its flow was recorded, or not lately */
	MR_LANES_BRIDGED, /* flows of bridged interfaces are only known to their worker */
	MR_LANES_FLOW,
};

struct mr_lanes_flow {
	const char *reason; /* why its interface has this lane */
	unsigned worker;
	uint32_t index;
	struct mr_flow_peek flow; /* MR_LANES_FLOW */
	char program[4096];       /* in words, a line each; empty when the worker does not answer */
};

/* Looks for the flow that this packet would be replayed by, had it come in on this interface. Takes
 * as long as looking at all flows. */
enum mr_lanes_answer mr_lanes_find(struct mr_dataplane *, uint16_t interface, uint32_t packet,
    struct mr_lanes_flow *);

/* Whose flows are kept in the lane's ledger (kit/flow/ledger.h): of these interfaces, or of all. */
struct mr_lanes_ledger {
	uint32_t flows; /* of each worker; 0: nobody's */
	bool all;
	char names[MR_PORT_MAX][MR_PORT_NAME_MAX];
	unsigned name_count;
};

/* What the data plane's next configuration shall have, and all after it; copied. Who changes its
 * mind before that says so again. */
void mr_lanes_ledger_want(struct mr_dataplane *, const struct mr_lanes_ledger *);
/* Whether this is so, or the data plane has to apply its configuration once more. */
bool mr_lanes_ledger_is_due(struct mr_dataplane *);
/* Whether this interface's flows are kept. */
bool mr_lanes_ledger_keeps(struct mr_dataplane *, uint16_t interface);
/* The lane that the last configuration took away, with its ledger: there until the next tick; null:
 * none. */
struct mr_lane *mr_lanes_retired(struct mr_dataplane *);

extern const struct mr_nf mr_nf_lanes;

#endif
