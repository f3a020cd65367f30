/* SPDX-License-Identifier: Apache-2.0 */

/* The control thread's side: the draft, start and stop. */

#include "kit/graph/graph.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/cpu.h"
#include "kit/base/rcu.h"
#include "kit/graph/graph_int.h"

static void
add_builtin(struct mr_graph *g, enum mr_graph_node index, const struct mr_node_class *class)
{
	struct draft_node *dn = &g->nodes[index];

	dn->class = class;
	snprintf(dn->name, sizeof(dn->name), "%s", class->name);
	dn->incarnation = ++g->incarnation;
}

int
mr_graph_create(struct mr_graph **out, const struct mr_graph_config *config, struct mr_error *error)
{
	struct mr_graph *g;
	int rc;

	if (config->workers == 0 || config->workers > MR_GRAPH_WORKERS_MAX)
		return mr_error_set(error, -EINVAL, "graph: %u workers, but 1 to %u are possible",
		    config->workers, MR_GRAPH_WORKERS_MAX);
	g = calloc(1, sizeof(*g));
	if (!g)
		return mr_error_set(error, -ENOMEM, "graph: no memory");
	g->buffers = config->buffers;
	g->log = config->log;
	g->mode = config->mode;
	g->hz = mr_cpu_tsc_hz();
	g->spin_cycles = g->hz / 1000000 * config->spin_us;
	add_builtin(g, MR_GRAPH_NODE_RX, &mr_graph_rx_class);
	add_builtin(g, MR_GRAPH_NODE_TX, &mr_graph_tx_class);
	add_builtin(g, MR_GRAPH_NODE_HANDOFF, &mr_graph_handoff_class);
	g->node_count = MR_GRAPH_NODE_FIRST;
	g->worker_count = config->workers;
	for (unsigned i = 0; i < config->workers; i++) {
		rc = mr_worker_create(&g->workers[i], g, (uint16_t)i,
		    config->cpus ? config->cpus[i] : -1, error);
		if (!rc && config->flight.packets)
			rc = flight_create(&g->workers[i]->flight, &config->flight, error);
		if (rc)
			goto fail;
	}
	rc = mr_graph_commit(g, error);
	if (rc)
		goto fail;
	*out = g;
	return 0;

fail:
	mr_graph_destroy(g);
	return rc;
}

void
mr_graph_destroy(struct mr_graph *g)
{
	if (!g)
		return;
	mr_graph_stop(g);
	for (unsigned i = 0; i < g->worker_count; i++) {
		if (!g->workers[i])
			continue;
		mr_plan_free(atomic_load_explicit(&g->workers[i]->plan, memory_order_relaxed));
		mr_worker_destroy(g->workers[i]);
	}
	free(g->probe_set);
	free(g);
}

static bool
name_taken(const struct mr_graph *g, const char *name)
{
	for (unsigned i = 0; i < g->node_count; i++)
		if (g->nodes[i].class && strcmp(g->nodes[i].name, name) == 0)
			return true;
	return false;
}

int
mr_graph_add_node(struct mr_graph *g, const struct mr_node_class *class, const char *name,
    void *self, uint16_t *index, struct mr_error *error)
{
	struct draft_node *dn;
	unsigned i;

	name = name ? name : class->name;
	if (strlen(name) >= MR_GRAPH_NAME_MAX)
		return mr_error_set(error, -ENAMETOOLONG, "node \"%s\": the name is longer than %d",
		    name, MR_GRAPH_NAME_MAX - 1);
	if (name_taken(g, name))
		return mr_error_set(error, -EEXIST, "node \"%s\": the name is taken", name);
	if (class->edge_count > MR_NODE_EDGES_MAX || class->drop_count > MR_NODE_DROPS_MAX ||
	    class->counter_count > MR_NODE_COUNTERS_MAX || !class->run)
		return mr_error_set(error, -EINVAL,
		    "node \"%s\": its class has no function, or more than 64 edges, drops or "
		    "counters",
		    name);
	for (i = MR_GRAPH_NODE_FIRST; i < g->node_count && g->nodes[i].class; i++)
		;
	if (i == MR_GRAPH_NODES_MAX)
		return mr_error_set(error, -ENOSPC, "node \"%s\": the graph has %u nodes already",
		    name, MR_GRAPH_NODES_MAX);
	dn = &g->nodes[i];
	memset(dn, 0, sizeof(*dn));
	memset(dn->edges, 0xff, sizeof(dn->edges));
	dn->class = class;
	dn->self = self;
	dn->place_count = class->alone ? 1 : 0; /* worker 0 */
	dn->incarnation = ++g->incarnation;
	snprintf(dn->name, sizeof(dn->name), "%s", name);
	g->node_count = MR_MAX(g->node_count, i + 1);
	*index = (uint16_t)i;
	return 0;
}

void
mr_graph_remove_node(struct mr_graph *g, uint16_t node)
{
	if (node < MR_GRAPH_NODE_FIRST || node >= g->node_count)
		return;
	g->nodes[node].class = NULL;
	g->nodes[node].name[0] = 0;
}

int
mr_graph_rename_node(struct mr_graph *g, uint16_t node, const char *name)
{
	if (node < MR_GRAPH_NODE_FIRST || node >= g->node_count || !g->nodes[node].class ||
	    strlen(name) >= MR_GRAPH_NAME_MAX)
		return -EINVAL;
	if (strcmp(g->nodes[node].name, name) == 0)
		return 0;
	if (name_taken(g, name))
		return -EEXIST;
	snprintf(g->nodes[node].name, sizeof(g->nodes[node].name), "%s", name);
	return 0;
}

int
mr_graph_link(struct mr_graph *g, uint16_t from, unsigned edge, uint16_t to)
{
	if (from >= g->node_count || to >= g->node_count || !g->nodes[from].class ||
	    !g->nodes[to].class || edge >= g->nodes[from].class->edge_count ||
	    to < MR_GRAPH_NODE_FIRST)
		return -EINVAL;
	g->nodes[from].edges[edge] = to;
	return 0;
}

int
mr_graph_place(struct mr_graph *g, uint16_t node, const uint16_t *workers, unsigned count)
{
	if (node < MR_GRAPH_NODE_FIRST || node >= g->node_count || !g->nodes[node].class ||
	    g->nodes[node].class->alone || count > PLACE_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		if (workers[i] >= g->worker_count)
			return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		g->nodes[node].place[i] = workers[i];
	g->nodes[node].place_count = (uint16_t)count;
	return 0;
}

int
mr_graph_add_port(struct mr_graph *g, struct mr_port *port, const uint16_t *workers, unsigned count,
    struct mr_error *error)
{
	struct draft_port *dp;

	if (port->index >= MR_PORT_MAX || count > MR_GRAPH_WORKERS_MAX)
		return mr_error_set(error, -EINVAL, "port %s: index %u is not below %u", port->name,
		    port->index, MR_PORT_MAX);
	for (unsigned i = 0; i < count; i++)
		if (workers[i] >= g->worker_count)
			return mr_error_set(error, -EINVAL,
			    "port %s: worker %u asked for, but there are %u", port->name,
			    workers[i], g->worker_count);
	dp = &g->ports[port->index];
	if (dp->port)
		return mr_error_set(error, -EEXIST, "port %s: index %u is taken by %s", port->name,
		    port->index, dp->port->name);
	memset(dp, 0, sizeof(*dp));
	dp->port = port;
	dp->node = MR_GRAPH_NODE_RX;
	dp->behind = UINT16_MAX;
	dp->up = true;
	for (unsigned i = 0; i < count; i++)
		dp->workers[i] = workers[i];
	dp->worker_count = (uint16_t)count;
	dp->since = g->generation + 1;
	dp->first = g->next_worker;
	g->next_worker =
	    (uint16_t)((g->next_worker + MR_MAX(port->rx_queues, (uint16_t)1)) % g->worker_count);
	g->port_count = MR_MAX(g->port_count, port->index + 1u);
	return 0;
}

void
mr_graph_remove_port(struct mr_graph *g, uint16_t port)
{
	if (port < g->port_count)
		g->ports[port].port = NULL;
}

int
mr_graph_set_input(struct mr_graph *g, uint16_t port, uint16_t node, uint16_t arg)
{
	if (port >= g->port_count || !g->ports[port].port || node == MR_GRAPH_NODE_HANDOFF ||
	    node >= g->node_count || !g->nodes[node].class)
		return -EINVAL;
	g->ports[port].node = node;
	g->ports[port].arg = arg;
	return 0;
}

uint16_t
mr_graph_input(const struct mr_graph *g, uint16_t port)
{
	return port < g->port_count && g->ports[port].port ? g->ports[port].node : UINT16_MAX;
}

uint16_t
mr_graph_output(const struct mr_graph *g, uint16_t port)
{
	return port < g->port_count && g->ports[port].port ? g->ports[port].behind : UINT16_MAX;
}

int
mr_graph_set_output(struct mr_graph *g, uint16_t port, uint16_t node)
{
	if (port >= g->port_count || !g->ports[port].port)
		return -EINVAL;
	if (node != UINT16_MAX &&
	    (node < MR_GRAPH_NODE_FIRST || node >= g->node_count || !g->nodes[node].class))
		return -EINVAL;
	g->ports[port].behind = node;
	return 0;
}

void
mr_graph_set_port_up(struct mr_graph *g, uint16_t port, bool up)
{
	if (port < g->port_count)
		g->ports[port].up = up;
}

int
mr_graph_start(struct mr_graph *g, struct mr_error *error)
{
	int rc;

	if (g->started)
		return 0;
	rc = mr_graph_commit(g, error);
	for (unsigned i = 0; i < g->worker_count && !rc; i++)
		rc = mr_worker_start(g->workers[i], error);
	g->started = true;
	if (rc)
		mr_graph_stop(g);
	return rc;
}

void
mr_graph_stop(struct mr_graph *g)
{
	bool more = true;

	if (!g->started)
		return;
	for (unsigned i = 0; i < g->worker_count; i++)
		mr_worker_stop(g->workers[i]);
	/* What they handed to each other on their way out still goes where it was meant to. */
	while (more) {
		more = false;
		for (unsigned i = 0; i < g->worker_count; i++)
			more |= mr_worker_drain(g->workers[i]);
	}
	g->started = false;
}

bool
mr_graph_running(const struct mr_graph *g)
{
	return g->started;
}

void
mr_graph_wake(struct mr_graph *g)
{
	for (unsigned i = 0; i < g->worker_count; i++)
		mr_worker_wake(g->workers[i]);
}

unsigned
mr_graph_pass(struct mr_graph *g, unsigned worker)
{
	return mr_worker_pass(g->workers[worker]);
}

void
mr_graph_inject(struct mr_graph *g, unsigned worker, uint16_t node, const uint32_t *packets,
    unsigned count)
{
	mr_worker_inject(g->workers[worker], node, packets, count);
}

/* Which worker will record is not known beforehand: all. */
int
mr_graph_record(struct mr_graph *g, struct mr_error *error)
{
	for (unsigned i = 0; i < g->worker_count; i++) {
		struct mr_worker *w = g->workers[i];
		struct mr_recorder *recorder;
		int rc;

		/* Relaxed: only this thread writes it. */
		if (atomic_load_explicit(&w->recorder_published, memory_order_relaxed))
			continue;
		rc = mr_recorder_create(&recorder, RECORDINGS, mr_probe_recorded, w, error);
		if (rc)
			return rc;
		/* Release pairs with begin_pass in worker.c. */
		atomic_store_explicit(&w->recorder_published, recorder, memory_order_release);
	}
	return 0;
}

uint64_t
mr_graph_plan(const struct mr_graph *g)
{
	return g->generation;
}
