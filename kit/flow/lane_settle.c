/* SPDX-License-Identifier: Apache-2.0 */

/* What was replayed is told to those in whose name it was done. */

#include "kit/flow/offload_int.h"
#include "kit/flow/program_inl.h"

/* Timers looked after in the tick of a second, and buckets of address pairs. */
#define TICK_BUDGET 262144u
#define SWEEP_BUDGET 512u
/* Flows that are paid for in it while there is traffic. */
#define BUSY_BUDGET 4096u

static void
give(struct mr_node_run *run, const struct mr_program_credit *c, uint64_t packets, uint64_t bytes)
{
	int64_t grown = (int64_t)bytes + c->grown * (int64_t)packets;

	switch (c->kind) {
	case MR_CREDIT_NODE:
		mr_replay_passed(run, c->node, packets * c->times);
		break;
	case MR_CREDIT_COUNTER:
		mr_replay_count(run, c->node, c->counter,
		    c->times ? packets * c->times : (uint64_t)grown);
		break;
	case MR_CREDIT_TALLY:
		mr_replay_tally(run, c->node, c->times, packets, (uint64_t)grown);
		break;
	default:
		break;
	}
}

static void
settle_program(struct lane_worker *l, struct mr_node_run *run, uint32_t program)
{
	struct mr_program *g = mr_program_at(l->programs, program);
	const struct mr_program_credit *credits;
	uint64_t packets = g->packets, bytes = g->bytes;
	unsigned count;

	if (!packets)
		return;
	g->packets = g->bytes = 0;
	/* Nodes of another plan are not there to be told. */
	if ((int32_t)(g->checked - l->first_epoch) < 0)
		return;
	count = mr_program_credits(g, &credits);
	for (unsigned i = 0; i < count; i++)
		give(run, &credits[i], packets, bytes);
}

void
lane_settle(struct lane_worker *l, struct mr_node_run *run)
{
	for (unsigned i = 0; i < l->dirty_count; i++) {
		settle_program(l, run, l->dirty[i]);
		mr_program_release(l->programs, l->dirty[i]);
	}
	l->dirty_count = 0;
}

void
lane_pay(struct lane_worker *l, uint32_t flow)
{
	const struct mr_flow *line = &l->lines[flow];
	const struct mr_program *g = mr_program_at(l->programs, line->program);
	const struct mr_program_call *calls;
	uint32_t packets;
	unsigned count;

	if (line->program == LANE_BARRED || !(g->flags & MR_PROGRAM_OWES))
		return;
	packets = mr_flow_table_pay(l->table, flow);
	/* Nodes of another plan are not there to be told. */
	if (!packets || (int32_t)(g->checked - l->first_epoch) < 0)
		return;
	count = mr_program_calls(g, &calls);
	for (unsigned i = 0; i < count; i++)
		if (calls[i].flags & MR_CALL_SECONDLY)
			mr_replay_settle(l->run, calls[i].node,
			    mr_program_call_arg(&calls[i], line->arg, &l->values[flow]), packets);
}

/* One that had packets in this second will have more of which nobody is told. */
void
lane_pay_some(struct lane_worker *l, struct mr_node_run *run, uint32_t budget)
{
	uint32_t count = MR_MIN(l->owing, budget);

	l->run = run;
	l->owing -= count;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t flow = mr_flow_table_debtor(l->table);

		if (!mr_flow_table_has(l->table, flow))
			continue;
		lane_pay(l, flow);
		if (lane_seen_now(&l->lines[flow], run->seconds))
			mr_flow_table_owe(l->table, flow);
	}
}

static void
pay_all(struct lane_worker *l, struct mr_node_run *run)
{
	l->owing = mr_flow_table_owing(l->table);
	lane_pay_some(l, run, UINT32_MAX);
}

void
lane_tick(struct mr_node_run *run)
{
	struct mr_lane_port *port = run->self;
	struct lane_worker *l = port->lane->workers[run->worker];

	lane_answer(l);
	if (l->ticked == run->seconds)
		return;
	l->ticked = run->seconds;
	lane_begin(l, run);
	if (l->offload)
		lane_offload_tick(l, run);
	lane_settle(l, run);
	/* Where there is traffic, the rest with its vectors. */
	l->owing = mr_flow_table_owing(l->table);
	lane_pay_some(l, run, l->vector == l->ticked_vector ? TICK_BUDGET : BUSY_BUDGET);
	l->ticked_vector = l->vector;
	lane_age(l, run, TICK_BUDGET);
	if (l->ledger)
		lane_ledger_tick(l, TICK_BUDGET);
	mr_flow_pairs_sweep(l->pairs, SWEEP_BUDGET);
}

void
lane_plan_ends(struct mr_node_run *run)
{
	struct mr_lane_port *port = run->self;
	struct lane_worker *l = port->lane->workers[run->worker];

	/* What ports have stays with them while the worker sleeps. */
	if (l->offload && (mr_replay_plan_ends(run) || lane_offload_must_end(l)))
		lane_offload_end(l, run);
	lane_settle(l, run);
	if (mr_replay_plan_ends(run))
		pay_all(l, run);
	lane_answer(l);
}

void
mr_lane_settle(struct mr_lane *lane)
{
	if (mr_graph_running(lane->graph))
		return; /* their tick does it */
	for (unsigned i = 0; i < lane->worker_count; i++)
		if (lane->workers[i]->run) {
			lane_settle(lane->workers[i], lane->workers[i]->run);
			pay_all(lane->workers[i], lane->workers[i]->run);
		}
}
