/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels' nodes, in the graph's draft: which there are, and where they lead. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "nf/icmp/icmp.h"
#include "nf/icmp/reassembly.h"
#include "nf/tunnel/control_int.h"

#define NO_NODE UINT16_MAX

static struct mr_graph *
graph_of(const struct tunnels *all)
{
	return mr_dataplane_graph(all->dp);
}

void
tunnel_node_remove(struct tunnels *all, uint16_t *node)
{
	if (*node != NO_NODE)
		mr_graph_remove_node(graph_of(all), *node);
	*node = NO_NODE;
}

/* Edges that lead nowhere lead back; nothing takes them. */
static void
close_edges(struct tunnels *all, uint16_t node, unsigned first, unsigned count)
{
	for (unsigned edge = first; edge < count; edge++)
		mr_graph_link(graph_of(all), node, edge, node);
}

static int
add_enter(struct tunnels *all, unsigned n, struct mr_error *error)
{
	char name[MR_GRAPH_NAME_MAX];
	int rc;

	if (!all->enters[n]) {
		all->enters[n] = calloc(1, sizeof(*all->enters[n]));
		if (!all->enters[n])
			return mr_error_set(error, -ENOMEM, "no memory");
		all->enters[n]->node = NO_NODE;
	}
	if (all->enters[n]->node != NO_NODE)
		return 0;
	snprintf(name, sizeof(name), "tunnel-enter-%u", n);
	rc = mr_graph_add_node(graph_of(all), &tunnel_enter_class, name, all->enters[n]->edge_of,
	    &all->enters[n]->node, error);
	if (!rc)
		close_edges(all, all->enters[n]->node, 0, TUNNEL_ENTER_EDGES);
	return rc;
}

static int
add_nodes(struct tunnels *all, struct tunnel_record *r, struct mr_error *error)
{
	unsigned enter = r->t->slot / TUNNEL_ENTER_EDGES;
	char name[MR_GRAPH_NAME_MAX];
	int rc = 0;

	if (all->in == NO_NODE) {
		rc = mr_graph_add_node(graph_of(all), &tunnel_in_class, NULL, &all->core, &all->in,
		    error);
		if (!rc)
			close_edges(all, all->in, 0, TUNNEL_IN_EDGES);
	}
	if (!rc)
		rc = add_enter(all, enter, error);
	snprintf(name, sizeof(name), "tunnel-out@%s", r->now.name);
	if (!rc && r->node == NO_NODE)
		rc = mr_graph_add_node(graph_of(all), &tunnel_out_class, name, r->t, &r->node,
		    error);
	return rc;
}

/* A tunnel that is new, or whose interface is another, stays closed until the plan is in force
 * (tunnel_open): workers see its remote ends before, and the edges of the plan that they still have lead
 * nowhere. */
void
tunnel_place(struct tunnels *all, struct tunnel_record *r)
{
	struct mr_interfaces *interfaces = mr_interfaces_of(all->dp);
	const struct mr_interface *i = mr_interface_find(interfaces, r->now.name);
	unsigned enter = r->t->slot / TUNNEL_ENTER_EDGES, edge = r->t->slot % TUNNEL_ENTER_EDGES;
	struct mr_graph *graph = graph_of(all);
	bool fresh = r->node == NO_NODE;
	struct mr_error error;

	if (!i)
		return;
	if (add_nodes(all, r, &error)) {
		mr_log(mr_dataplane_log(all->dp), MR_LOG_ERROR, "tunnel %s: %s", r->now.name,
		    error.text);
		return;
	}
	/* Workers may read it: it is only written while nothing arrives there. */
	if (fresh || r->t->index != i->index)
		all->enters[enter]->edge_of[i->index] = (uint8_t)edge;
	/* Release pairs with the nodes' acquire. */
	atomic_store_explicit(&r->t->port, fresh || r->t->index != i->index ? NULL : i->port,
	    memory_order_release);
	mr_graph_link(graph, r->node, TUNNEL_OUT_FORWARD4, all->base->ip->forward4);
	mr_graph_link(graph, r->node, TUNNEL_OUT_FORWARD6, all->base->ip->forward6);
	mr_graph_link(graph, all->in, TUNNEL_IN_ENTER + enter, all->enters[enter]->node);
	mr_interface_carry(interfaces, i->index, r->node, all->enters[enter]->node, (uint16_t)edge);
}

void
tunnel_open(struct tunnels *all, struct tunnel_record *r)
{
	const struct mr_interface *i = mr_interface_find(mr_interfaces_of(all->dp), r->now.name);

	if (!i || r->node == NO_NODE ||
	    atomic_load_explicit(&r->t->port, memory_order_relaxed) == i->port)
		return;
	r->t->index = i->index;
	/* Release pairs with the nodes' acquire: whoever sees the port, sees its index and its edge. */
	atomic_store_explicit(&r->t->port, i->port, memory_order_release);
	/* What was closed may have been recorded. */
	mr_generation_bump(&r->t->changed);
}

/* Of a tunnel that is no more. */
void
tunnel_leave(struct tunnels *all, struct tunnel_record *r)
{
	struct tunnel_enter *enter = all->enters[r->t->slot / TUNNEL_ENTER_EDGES];
	unsigned edge = r->t->slot % TUNNEL_ENTER_EDGES;

	atomic_store_explicit(&r->t->port, NULL, memory_order_relaxed);
	mr_rcu_publish(&all->core.tunnels[r->t->slot], NULL);
	tunnel_node_remove(all, &r->node);
	if (enter && enter->node != NO_NODE)
		close_edges(all, enter->node, edge, edge + 1);
}

/* Between the host and what is sent to the router: also what was put together from pieces. */
void
tunnel_stand_before_host(struct tunnels *all)
{
	uint16_t whole = mr_icmp_reassembly_node(all->base);
	struct mr_ip *ip = all->base->ip;

	mr_graph_link(graph_of(all), all->in, TUNNEL_IN_NEXT, mr_ip_attached(ip, MR_IP_EDGE_LOCAL));
	mr_ip_attach(ip, MR_IP_EDGE_LOCAL, all->in);
	if (whole != NO_NODE)
		mr_graph_link(graph_of(all), whole, MR_REASSEMBLY_EDGE_WHOLE, all->in);
}

void
tunnel_nodes_remove(struct tunnels *all)
{
	tunnel_node_remove(all, &all->in);
	for (unsigned n = 0; n < TUNNEL_ENTERS_MAX; n++)
		if (all->enters[n])
			tunnel_node_remove(all, &all->enters[n]->node);
}
