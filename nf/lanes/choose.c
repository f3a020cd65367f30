/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which lane an interface's packets take. Decided anew with each commit: by what stands on their
 * way, which the graph's draft says.
 */

#include "nf/lanes/lanes_int.h"

/* What a walk from the interface may come upon. */
struct way {
	unsigned replaying; /* nodes that take part */
	bool first_replays;
	bool by_address;
};

static void
visit(const struct mr_graph *g, uint16_t node, struct way *way, uint8_t *seen)
{
	const struct mr_node_class *class = mr_graph_node_class(g, node);

	if (!class || seen[node])
		return;
	seen[node] = 1;
	way->by_address |= class->by_address;
	way->replaying += class->replays;
	/* What comes behind it is never replayed, or is another packet. */
	if (!class->replays || class->unwraps)
		return;
	for (unsigned e = 0; e < class->edge_count; e++)
		visit(g, mr_graph_edge(g, node, e), way, seen);
}

static struct way
look(const struct mr_graph *g, uint16_t first)
{
	const struct mr_node_class *class = mr_graph_node_class(g, first);
	uint8_t seen[MR_GRAPH_NODES_MAX] = { 0 };
	struct way way = { .first_replays = class && class->replays };

	visit(g, first, &way, seen);
	return way;
}

void
lanes_choose(const struct lanes *all, const struct mr_interface *i, struct lane_of *of)
{
	const struct mr_interfaces *interfaces = mr_interfaces_of(all->dp);
	struct way way =
	    look(mr_dataplane_graph(all->dp), mr_interface_first(interfaces, i->index));
	bool staged = mr_interface_is_staged(interfaces, i->index);

	of->flow = false;
	if (i->within)
		of->reason =
		    "the end of a pair, or a tunnel: packets took a lane where they came in";
	else if (of->wish == LANE_GRAPH)
		of->reason = "asked for";
	else if (!way.first_replays)
		of->reason = "the first node on the way does not take part in the flow lane";
	else if (of->wish == LANE_AUTO && !staged && !of->ledger)
		of->reason = "nothing but forwarding on the way: the graph costs less than finding "
			     "a flow";
	else
		of->flow = true;
	if (of->flow)
		of->reason = of->wish == LANE_FLOW ? "asked for"
		    : !staged
		    ? "flows are kept: the flow lane does it by the way"
		    : "rules or connections on the way: a replay costs less than the walk";
	of->by_address = way.by_address;
}
