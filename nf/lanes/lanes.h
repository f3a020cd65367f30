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

#include "kit/flow/lane.h"
#include "nf/nf.h"

/* The data plane's flow lane; null before the first configuration. */
struct mr_lane *mr_lanes_lane(struct mr_dataplane *);

extern const struct mr_nf mr_nf_lanes;

#endif
