/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From the draft to what one worker runs. Ranks are positions in the reverse
 * postorder of a depth-first walk from the inputs, so that a node comes after all
 * that lead to it unless the graph has a cycle.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/graph/graph_int.h"

/* A worker's share of the port's queues. */
static bool
serves(const struct mr_graph *g, const struct draft_port *dp, unsigned queue, unsigned worker)
{
	if (dp->worker_count)
		return dp->workers[queue % dp->worker_count] == worker;
	return (dp->first + queue) % g->worker_count == worker;
}

/* The queue that this worker sends through, and whose it is. With fewer queues than
 * workers some share one, by handing over to its owner. */
static void
choose_tx(const struct mr_graph *g, const struct draft_port *dp, unsigned worker,
    struct plan_port *pp)
{
	unsigned queues = dp->port->tx_queues;

	pp->queue = (uint16_t)(worker % queues);
	if (queues >= g->worker_count) {
		pp->owner = (uint16_t)worker;
		return;
	}
	/* The owner is who serves the reception queue of the same number. */
	for (unsigned w = 0; w < g->worker_count; w++) {
		if (serves(g, dp, pp->queue, w)) {
			pp->owner = (uint16_t)w;
			return;
		}
	}
}

static int
plan_ports(const struct mr_graph *g, unsigned worker, struct mr_plan *plan)
{
	unsigned inputs = 0;

	for (unsigned i = 0; i < g->port_count; i++)
		if (g->ports[i].port)
			inputs += g->ports[i].port->rx_queues;
	plan->ports = calloc(g->port_count + 1, sizeof(*plan->ports));
	plan->views = calloc(g->port_count + 1, sizeof(*plan->views));
	plan->inputs = calloc(inputs + 1, sizeof(*plan->inputs));
	if (!plan->ports || !plan->views || !plan->inputs)
		return -ENOMEM;
	plan->port_count = g->port_count;
	for (unsigned i = 0; i < g->port_count; i++) {
		const struct draft_port *dp = &g->ports[i];
		struct mr_port *port = dp->port;

		if (!port)
			continue;
		plan->views[i] =
		    (struct mr_port_view){ .port = port, .mtu = port->mtu, .up = dp->up };
		if (port->tx_queues) {
			plan->ports[i].port = port;
			plan->ports[i].up = dp->up;
			plan->ports[i].behind = dp->behind;
			plan->ports[i].settle =
			    (port->caps & (MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN)) !=
			    (MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN);
			choose_tx(g, dp, worker, &plan->ports[i]);
		}
		for (unsigned q = 0; q < port->rx_queues; q++) {
			if (!serves(g, dp, q, worker))
				continue;
			plan->inputs[plan->input_count++] = (struct plan_input){
				.port = port,
				.queue = (uint16_t)q,
				.node = dp->node,
				.arg = dp->arg,
				.fd = port->driver->rx_fd ? port->driver->rx_fd(port, q) : -1,
			};
		}
	}
	return 0;
}

static void
visit(const struct mr_graph *g, uint16_t node, uint8_t *seen, uint16_t *order, unsigned *next)
{
	const struct draft_node *dn = &g->nodes[node];

	if (seen[node])
		return;
	seen[node] = 1;
	for (unsigned e = 0; e < dn->class->edge_count; e++)
		if (dn->edges[e] < g->node_count)
			visit(g, dn->edges[e], seen, order, next);
	order[--*next] = node;
}

static void
rank_nodes(const struct mr_graph *g, struct mr_plan *plan)
{
	uint8_t seen[MR_GRAPH_NODES_MAX] = { 0 };
	unsigned next = g->node_count;

	for (unsigned i = 0; i < g->port_count; i++)
		if (g->ports[i].port && g->ports[i].node < g->node_count)
			visit(g, g->ports[i].node, seen, plan->by_rank, &next);
	for (unsigned i = 0; i < g->port_count; i++)
		if (g->ports[i].port && g->ports[i].behind < g->node_count)
			visit(g, g->ports[i].behind, seen, plan->by_rank, &next);
	for (unsigned i = 0; i < g->node_count; i++)
		if (g->nodes[i].class)
			visit(g, (uint16_t)i, seen, plan->by_rank, &next);
	/* Free indices take the ranks that are left; they never have anything pending. */
	for (unsigned i = 0; i < g->node_count; i++)
		if (!g->nodes[i].class)
			plan->by_rank[--next] = (uint16_t)i;
	for (unsigned r = 0; r < g->node_count; r++)
		plan->nodes[plan->by_rank[r]].rank = (uint16_t)r;
}

static int
plan_nodes(struct mr_graph *g, struct mr_worker *w, struct mr_plan *plan)
{
	plan->node_count = g->node_count;
	plan->nodes = calloc(g->node_count, sizeof(*plan->nodes));
	plan->by_rank = calloc(g->node_count, sizeof(*plan->by_rank));
	if (!plan->nodes || !plan->by_rank)
		return -ENOMEM;
	for (unsigned i = 0; i < g->node_count; i++) {
		const struct draft_node *dn = &g->nodes[i];
		struct plan_node *pn = &plan->nodes[i];

		if (!dn->class)
			continue;
		pn->rt = w->rt[i];
		if (pn->rt && mr_node_rt_add_ports(pn->rt, g->port_count))
			return -ENOMEM;
		pn->place_count = dn->place_count;
		memcpy(pn->place, dn->place, sizeof(pn->place));
		memcpy(pn->edges, dn->edges, sizeof(pn->edges));
	}
	rank_nodes(g, plan);
	return 0;
}

int
mr_plan_build(struct mr_graph *g, struct mr_worker *w, struct mr_plan **out, struct mr_error *error)
{
	struct mr_plan *plan = calloc(1, sizeof(*plan));

	if (!plan || plan_nodes(g, w, plan) || plan_ports(g, w->index, plan)) {
		mr_plan_free(plan);
		return mr_error_set(error, -ENOMEM, "graph: no memory for the plan of worker %u",
		    w->index);
	}
	plan->generation = g->generation;
	*out = plan;
	return 0;
}

void
mr_plan_free(struct mr_plan *plan)
{
	if (!plan)
		return;
	free(plan->nodes);
	free(plan->by_rank);
	free(plan->ports);
	free(plan->views);
	free(plan->inputs);
	free(plan);
}
