/* SPDX-License-Identifier: Apache-2.0 */

/* The nodes that every graph has, and what all nodes and workers counted. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kit/graph/graph_int.h"

/* These are run by the worker itself (worker.c, output.c, handoff.c); as nodes they
 * carry names, counters and drop reasons. */
static void
never_run(struct mr_node_run *run, const uint32_t *packets, mr_verdict_t *verdicts, unsigned count)
{
	(void)run;
	(void)packets;
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = MR_VERDICT_NONE;
}

static const struct mr_named rx_drops[] = {
	[MR_RX_DROP_NO_INPUT] = { "no-input", "the port is not used by any function" },
	[MR_RX_DROP_NO_VERDICT] = { "no-verdict",
	    "a node gave this packet no valid verdict: a bug in it" },
};
static const struct mr_named tx_drops[] = {
	[MR_TX_DROP_FULL] = { "tx-full", "the device took no more packets" },
	[MR_TX_DROP_NO_PORT] = { "port-down", "the port to send on is down, gone or never was" },
	[MR_TX_DROP_UNSETTLED] = { "tx-unsettled",
	    "a checksum or segmentation that the device lacks could not be done for it (no buffer, "
	    "or not cuttable)" },
};
static const struct mr_named handoff_drops[] = {
	[MR_HANDOFF_DROP_FULL] = { "handoff-full", "the other worker's ring was full" },
	[MR_HANDOFF_DROP_STALE] = { "handoff-stale",
	    "its node was taken out of the graph on the way" },
};

const struct mr_node_class mr_graph_rx_class = {
	.name = "port-rx",
	.doc = "receives from ports",
	.drops = rx_drops,
	.drop_count = MR_RX_DROPS,
	.run = never_run,
};
const struct mr_node_class mr_graph_tx_class = {
	.name = "port-tx",
	.doc = "settles and sends on ports",
	.drops = tx_drops,
	.drop_count = MR_TX_DROPS,
	.run = never_run,
};
const struct mr_node_class mr_graph_handoff_class = {
	.name = "handoff",
	.doc = "carries packets to another worker",
	.drops = handoff_drops,
	.drop_count = MR_HANDOFF_DROPS,
	.run = never_run,
};

unsigned
mr_graph_node_count(const struct mr_graph *g)
{
	return g->node_count;
}

int
mr_graph_node_stats(const struct mr_graph *g, uint16_t node, struct mr_node_stats *out)
{
	const struct draft_node *dn;

	memset(out, 0, sizeof(*out));
	if (node >= g->node_count || !g->nodes[node].class)
		return -ENOENT;
	dn = &g->nodes[node];
	out->class = dn->class;
	memcpy(out->name, dn->name, sizeof(out->name));
	for (unsigned w = 0; w < g->worker_count; w++) {
		const struct node_rt *rt = g->workers[w]->rt[node];

		if (!rt || rt->class != dn->class)
			continue; /* added, not yet committed */
		out->calls += mr_counter_get(&rt->calls);
		out->packets += mr_counter_get(&rt->packets);
		out->cycles += mr_counter_get(&rt->cycles);
		out->held += mr_counter_get(&rt->held);
		for (unsigned i = 0; i < dn->class->drop_count; i++)
			out->drops[i] += mr_counter_get(&rt->drops[i]);
		for (unsigned i = 0; i < dn->class->counter_count; i++)
			out->counters[i] += mr_counter_get(&rt->run.counters[i]);
		for (unsigned i = 0; i < dn->class->edge_count; i++)
			out->edges[i] += mr_counter_get(&rt->edges[i]);
	}
	return 0;
}

static uint64_t
sends_of(const struct node_rt *rt, unsigned slot)
{
	/* Relaxed: this thread made it. */
	const _Atomic uint64_t *counters =
	    atomic_load_explicit(&rt->sends[slot / SENDS], memory_order_relaxed);

	return counters ? mr_counter_get(&counters[slot % SENDS]) : 0;
}

void
mr_graph_node_sends(const struct mr_graph *g, uint16_t node, uint16_t port, uint64_t *sent,
    uint64_t *behind)
{
	uint64_t first = 0, final = 0;

	for (unsigned w = 0; w < g->worker_count && node < g->node_count && port < MR_PORT_MAX;
	     w++) {
		const struct node_rt *rt = g->workers[w]->rt[node];

		if (!rt || rt->class != g->nodes[node].class)
			continue;
		first += sends_of(rt, port);
		final += sends_of(rt, OUT_FINAL + port);
	}
	/* Where nothing stands behind the output, both are sent. */
	*behind = mr_graph_output(g, port) == UINT16_MAX ? 0 : first;
	*sent = final + first - *behind;
}

uint64_t
mr_graph_hz(const struct mr_graph *g)
{
	return g->hz;
}

unsigned
mr_graph_worker_count(const struct mr_graph *g)
{
	return g->worker_count;
}

int
mr_graph_worker_stats(const struct mr_graph *g, unsigned worker, struct mr_worker_stats *out)
{
	const struct mr_worker *w;

	if (worker >= g->worker_count)
		return -ENOENT;
	w = g->workers[worker];
	*out = (struct mr_worker_stats){
		.cpu = w->cpu,
		.passes = mr_counter_get(&w->passes),
		.empty_passes = mr_counter_get(&w->empty_passes),
		.sleeps = mr_counter_get(&w->sleeps),
		.wakes = mr_counter_get(&w->wakes),
		.busy_cycles = mr_counter_get(&w->busy_cycles),
		.received = mr_counter_get(&w->received),
		.handoffs = mr_counter_get(&w->handoffs),
		.asleep = atomic_load_explicit(&w->asleep, memory_order_relaxed),
	};
	return 0;
}

void
mr_graph_totals(const struct mr_graph *g, struct mr_graph_totals *out)
{
	*out = (struct mr_graph_totals){ .dropped = g->retired_dropped };
	for (unsigned w = 0; w < g->worker_count; w++) {
		const struct mr_worker *worker = g->workers[w];

		out->received += mr_counter_get(&worker->received);
		out->created += mr_counter_get(&worker->created);
		out->merged += mr_counter_get(&worker->merged);
		out->sent += mr_counter_get(&worker->sent);
		for (unsigned i = 0; i < MR_GRAPH_NODES_MAX; i++) {
			const struct node_rt *rt = worker->rt[i];

			if (!rt)
				continue;
			out->held += mr_counter_get(&rt->held);
			for (unsigned k = 0; k < rt->class->drop_count; k++)
				out->dropped += mr_counter_get(&rt->drops[k]);
		}
	}
}

struct mr_port *
mr_graph_port(const struct mr_graph *g, uint16_t port)
{
	return port < g->port_count ? g->ports[port].port : NULL;
}

const char *
mr_graph_node_name(const struct mr_graph *g, uint16_t node)
{
	return node < g->node_count && g->nodes[node].class ? g->nodes[node].name : "?";
}

const struct mr_node_class *
mr_graph_node_class(const struct mr_graph *g, uint16_t node)
{
	return node < g->node_count ? g->nodes[node].class : NULL;
}

uint16_t
mr_graph_edge(const struct mr_graph *g, uint16_t node, unsigned edge)
{
	const struct mr_node_class *class = mr_graph_node_class(g, node);

	return class && edge < class->edge_count ? g->nodes[node].edges[edge] : UINT16_MAX;
}
