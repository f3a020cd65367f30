/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A draft becomes what workers run. First everything that can fail is made (runtimes of new nodes, a
 * plan for every worker); then it is published, the workers take their plans up, and what they left
 * behind is freed.
 */

#include <errno.h>
#include <stdlib.h>

#include "kit/base/rcu.h"
#include "kit/graph/graph_int.h"

/* Everything linked, everything known. */
static int
check_draft(const struct mr_graph *g, struct mr_error *error)
{
	for (unsigned i = 0; i < g->node_count; i++) {
		const struct draft_node *dn = &g->nodes[i];

		for (unsigned e = 0; dn->class && e < dn->class->edge_count; e++)
			if (dn->edges[e] >= g->node_count || !g->nodes[dn->edges[e]].class)
				return mr_error_set(error, -EINVAL,
				    "graph: edge \"%s\" of node \"%s\" leads nowhere",
				    dn->class->edges[e], dn->name);
	}
	for (unsigned i = 0; i < g->port_count; i++)
		if (g->ports[i].port && !g->nodes[g->ports[i].node].class)
			return mr_error_set(error, -EINVAL,
			    "graph: what port %s receives goes to a node that is not there",
			    g->ports[i].port->name);
	for (unsigned i = 0; i < g->port_count; i++)
		if (g->ports[i].port && g->ports[i].behind < g->node_count &&
		    !g->nodes[g->ports[i].behind].class)
			return mr_error_set(error, -EINVAL,
			    "graph: what port %s sends goes to a node that is not there",
			    g->ports[i].port->name);
	return 0;
}

static uint64_t
dropped_by(const struct node_rt *rt)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < rt->class->drop_count; i++)
		sum += mr_counter_get(&rt->drops[i]);
	return sum;
}

/* What a commit does to one node on one worker: puts `rt` in the place of what is
 * there (null: nothing). Doing it a second time undoes it. */
struct change {
	struct node_rt *rt;
	bool wanted;
};

/* Runtimes for the nodes that are new, nothing for those that are gone. */
static int
make_changes(struct mr_graph *g, struct change *changes, struct mr_error *error)
{
	for (unsigned w = 0; w < g->worker_count; w++) {
		for (unsigned i = 0; i < MR_GRAPH_NODES_MAX; i++) {
			const struct draft_node *dn = &g->nodes[i];
			struct change *c = &changes[w * MR_GRAPH_NODES_MAX + i];

			if (!dn->class) {
				c->wanted = g->workers[w]->rt[i] != NULL;
				continue;
			}
			if (dn->built == dn->incarnation)
				continue;
			c->rt = mr_node_rt_create(g->workers[w], (uint16_t)i, dn->class, dn->self);
			if (!c->rt)
				return mr_error_set(error, -ENOMEM, "graph: no memory for node %s",
				    dn->name);
			c->wanted = true;
		}
	}
	return 0;
}

static void
make_or_undo(struct mr_graph *g, struct change *changes)
{
	for (unsigned w = 0; w < g->worker_count; w++) {
		for (unsigned i = 0; i < MR_GRAPH_NODES_MAX; i++) {
			struct change *c = &changes[w * MR_GRAPH_NODES_MAX + i];
			struct node_rt *old = g->workers[w]->rt[i];

			if (!c->wanted)
				continue;
			g->workers[w]->rt[i] = c->rt;
			c->rt = old;
		}
	}
}

static void
free_changes(struct mr_graph *g, struct change *changes, bool ran)
{
	for (unsigned i = 0; i < g->worker_count * MR_GRAPH_NODES_MAX; i++) {
		if (changes[i].rt && ran)
			g->retired_dropped += dropped_by(changes[i].rt);
		mr_node_rt_destroy(changes[i].rt);
	}
	free(changes);
}

static bool
tells(const struct mr_graph *g)
{
	for (unsigned i = 0; i < g->node_count; i++)
		if (g->nodes[i].class && g->nodes[i].class->plan_ends)
			return true;
	return false;
}

/* From here on nodes that want to know are told after each pass: it may be this plan's last. A
 * worker may have been between its look and its quiescent state: hence twice. */
static void
announce(struct mr_graph *g)
{
	for (unsigned w = 0; w < g->worker_count; w++) {
		/* Release pairs with the end of a pass. */
		atomic_store_explicit(&g->workers[w]->ending, g->started, memory_order_release);
		if (!g->started)
			mr_worker_end_plan(g->workers[w]);
	}
	for (unsigned i = 0; i < 2 && g->started; i++)
		mr_rcu_synchronize();
}

static void
publish(struct mr_graph *g, struct mr_plan **plans)
{
	if (tells(g))
		announce(g);
	for (unsigned w = 0; w < g->worker_count; w++) {
		/* Release pairs with begin_pass; sequentially consistent for the sleeper's look. */
		plans[w] =
		    atomic_exchange_explicit(&g->workers[w]->plan, plans[w], memory_order_seq_cst);
		mr_worker_wake(g->workers[w]);
	}
	for (unsigned i = 0; i < g->node_count; i++) {
		struct draft_node *dn = &g->nodes[i];

		if (dn->class && dn->built != dn->incarnation)
			dn->since = g->generation;
		dn->built = dn->class ? dn->incarnation : 0;
	}
	if (g->started)
		mr_rcu_synchronize();
	for (unsigned w = 0; w < g->worker_count; w++) {
		atomic_store_explicit(&g->workers[w]->ending, false, memory_order_relaxed);
		if (!g->started)
			g->workers[w]->current = NULL;
	}
}

int
mr_graph_commit(struct mr_graph *g, struct mr_error *error)
{
	struct mr_plan *plans[MR_GRAPH_WORKERS_MAX] = { NULL };
	struct change *changes;
	int rc = check_draft(g, error);

	if (rc)
		return rc;
	changes = calloc((size_t)g->worker_count * MR_GRAPH_NODES_MAX, sizeof(*changes));
	if (!changes)
		return mr_error_set(error, -ENOMEM, "graph: no memory for a commit");
	rc = make_changes(g, changes, error);
	if (rc) {
		free_changes(g, changes, false);
		return rc;
	}
	make_or_undo(g, changes);
	g->generation++;
	for (unsigned w = 0; w < g->worker_count && !rc; w++)
		rc = mr_plan_build(g, g->workers[w], &plans[w], error);
	if (rc)
		make_or_undo(g, changes);
	else
		publish(g, plans);
	for (unsigned w = 0; w < g->worker_count; w++)
		mr_plan_free(plans[w]);
	free_changes(g, changes, rc == 0);
	return rc;
}
