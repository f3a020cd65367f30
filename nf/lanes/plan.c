/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What another configuration means for the flows that are known. Every configuration that comes
 * in makes a new plan of the graph, and what was recorded under the old one holds no longer: the
 * next packet of each flow walks, and its walk is recorded. So it is all of them, whatever the
 * change; tables of another size are new ones, too.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nf/lanes/lanes_int.h"

#define LOOK_MAX 262144u /* flows that are looked at one by one */

static uint64_t
count_flows(const struct lanes *all, uint64_t *top)
{
	struct mr_lane_stats stats;
	uint64_t count = 0;

	*top = 0;
	for (unsigned w = 0; w < mr_lane_workers(all->lane); w++) {
		mr_lane_stats(all->lane, w, &stats);
		count += stats.flows.flows;
		*top += mr_lane_top(all->lane, w);
	}
	return count;
}

/* "lan1 12, lan2 3": by the interfaces that they came in on. */
static void
by_interface(const struct lanes *all, char *text, size_t size)
{
	uint32_t counts[MR_PORT_MAX] = { 0 };
	const struct mr_interface *i;
	struct mr_flow_peek peek;
	size_t used = 0;

	for (unsigned w = 0; w < mr_lane_workers(all->lane); w++)
		for (uint32_t f = 1; f <= mr_lane_top(all->lane, w); f++)
			if (mr_lane_peek(all->lane, w, f, &peek) &&
			    MR_FLOW_WHERE_PORT(peek.key.where) < MR_PORT_MAX)
				counts[MR_FLOW_WHERE_PORT(peek.key.where)]++;
	for (unsigned p = 0; p < MR_PORT_MAX && used < size; p++) {
		i = mr_interface_at(mr_interfaces_of(all->dp), (uint16_t)p);
		if (counts[p] && i)
			used += (size_t)snprintf(text + used, size - used, "%s%s %" PRIu32,
			    used ? ", " : ": ", i->name, counts[p]);
	}
}

void
lanes_plan(void *state, struct mr_nf_plan *plan)
{
	const struct lanes *all = state;
	struct lanes_settings next;
	uint64_t count, top;
	char where[512] = "";

	if (!all->lane)
		return;
	lanes_read_settings(&next, plan->next);
	count = count_flows(all, &top);
	if (count && top <= LOOK_MAX)
		by_interface(all, where, sizeof(where));
	if (next.flows != all->now.flows || next.offload != all->now.offload ||
	    next.offload_flows != all->now.offload_flows)
		mr_nf_plan_add(plan, MR_PLAN_LOST, "lanes", count,
		    "the flow tables are made anew, and %" PRIu64 " flows forgotten%s", count,
		    where);
	else
		mr_nf_plan_add(plan, MR_PLAN_FLOWS, "lanes", count,
		    "%" PRIu64 " flows are recorded anew, each by its next packet%s", count, where);
}
