/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/graph/replay.h"

#include "kit/graph/graph_int.h"

uint64_t
mr_replay_plan(const struct mr_node_run *run)
{
	return run->owner->current->generation;
}

bool
mr_replay_plan_ends(const struct mr_node_run *run)
{
	/* Acquire pairs with announce() in graph.c. */
	return !run->owner->graph->started ||
	    atomic_load_explicit(&run->owner->ending, memory_order_acquire);
}

unsigned
mr_replay_classes(const struct mr_node_run *run, const struct mr_node_class **classes, unsigned max)
{
	const struct mr_plan *plan = run->owner->current;
	unsigned count = MR_MIN(plan->node_count, max);

	for (unsigned i = 0; i < count; i++)
		classes[i] = plan->nodes[i].rt ? plan->nodes[i].rt->class : NULL;
	return count;
}

struct mr_recorder *
mr_replay_recorder(const struct mr_node_run *run)
{
	return run->owner->recorder;
}

void
mr_replay_enter(struct mr_node_run *run, unsigned edge, const uint32_t *packets, unsigned count,
    bool recorded)
{
	struct mr_worker *w = run->owner;
	const struct plan_node *pn = &w->current->nodes[run->node];

	if (!count)
		return;
	mr_counter_add(&pn->rt->edges[edge], count);
	mr_worker_enter(w, pn->edges[edge], packets, count, recorded);
}

static struct node_rt *
runtime(const struct mr_node_run *run, uint16_t node)
{
	const struct mr_plan *plan = run->owner->current;

	return node < plan->node_count ? plan->nodes[node].rt : NULL;
}

void
mr_replay_drop(struct mr_node_run *run, uint16_t node, unsigned reason, uint32_t flow,
    const uint32_t *packets, unsigned count)
{
	struct mr_worker *w = run->owner;
	struct node_rt *rt = runtime(run, node);

	/* Cannot be: programs end with the plan. A packet is never lost without a name. */
	if (mr_unlikely(!rt)) {
		rt = w->current->nodes[MR_GRAPH_NODE_RX].rt;
		reason = MR_RX_DROP_NO_VERDICT;
	}
	w->drop_flow = flow;
	mr_worker_drop(w, rt, reason, packets, count);
	w->drop_flow = MR_FLIGHT_NO_FLOW;
}

static void
enter_pass(struct node_rt *rt, const struct mr_node_run *run)
{
	rt->run.now = run->now;
	rt->run.seconds = run->seconds;
	rt->run.ports = run->ports;
	rt->run.port_count = run->port_count;
}

void
mr_replay_call(struct mr_node_run *run, uint16_t node, const uint32_t *packets,
    const uint32_t *args, const struct mr_replayed *replayed, uint8_t *skip, unsigned count)
{
	struct node_rt *rt = runtime(run, node);

	if (!rt || !rt->class->replay)
		return;
	enter_pass(rt, run);
	rt->class->replay(&rt->run, packets, args, replayed, skip, count);
}

struct mr_node_run *
mr_replay_run(struct mr_node_run *run, uint16_t node, const struct mr_node_class **class)
{
	struct node_rt *rt = runtime(run, node);

	if (!rt || !rt->class->replay_one)
		return NULL;
	enter_pass(rt, run);
	*class = rt->class;
	return &rt->run;
}

void
mr_replay_settle(struct mr_node_run *run, uint16_t node, uint32_t arg, uint32_t packets)
{
	struct node_rt *rt = runtime(run, node);

	if (!rt || !rt->class->settle)
		return;
	enter_pass(rt, run);
	rt->class->settle(&rt->run, arg, packets);
}

void
mr_replay_tally(struct mr_node_run *run, uint16_t node, uint32_t number, uint64_t packets,
    uint64_t bytes)
{
	struct node_rt *rt = runtime(run, node);

	if (rt && rt->class->tally)
		rt->class->tally(&rt->run, number, packets, bytes);
}

void
mr_replay_count(struct mr_node_run *run, uint16_t node, unsigned counter, uint64_t n)
{
	struct node_rt *rt = runtime(run, node);

	if (rt && counter < rt->class->counter_count)
		mr_counter_add(&rt->run.counters[counter], n);
}

void
mr_replay_passed(struct mr_node_run *run, uint16_t node, uint64_t packets)
{
	struct node_rt *rt = runtime(run, node);

	if (rt && node >= MR_GRAPH_NODE_FIRST)
		mr_counter_add(&rt->packets, packets);
}
