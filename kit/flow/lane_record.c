/* SPDX-License-Identifier: Apache-2.0 */

/* From a recording to a flow, and how a flow ends. */

#include <string.h>

#include "kit/flow/offload_int.h"

/* -- what programs rest on ---------------------------------------------------------------------- */

static void
take_plan(struct lane_worker *l, struct mr_node_run *run)
{
	l->plan = mr_replay_plan(run);
	l->first_epoch = ++l->epoch;
	l->watch_count = 0;
	l->watch_full = false;
	/* A new flow must not bring an old one's program back to life. */
	mr_programs_set_era(l->programs, l->first_epoch);
	memset(l->classes, 0, sizeof(l->classes));
	mr_replay_classes(run, l->classes, MR_GRAPH_NODES_MAX);
}

static void recorded(void *user, const struct mr_recording *);
static void knock_expected(struct lane_worker *);

void
lane_begin(struct lane_worker *l, struct mr_node_run *run)
{
	bool changed = false;

	l->run = run;
	lane_answer(l);
	if (mr_unlikely(l->expected_count))
		knock_expected(l);
	if (mr_unlikely(l->plan != mr_replay_plan(run))) {
		take_plan(l, run);
		if (l->offload)
			lane_offload_end(l, run);
	}
	if (mr_unlikely(l->offload && lane_offload_must_end(l)))
		lane_offload_end(l, run);
	for (unsigned i = 0; i < l->watch_count; i++) {
		uint32_t value = mr_generation_read(l->watch[i].cell);

		changed |= value != l->watch[i].value;
		l->watch[i].value = value;
	}
	l->epoch += changed;
	if (mr_unlikely(changed && l->offload))
		lane_offload_changed(l);
	l->recorder = mr_replay_recorder(run);
	/* Another lane may have listened: one that was before us, and whose nodes are gone. It is left
	 * at that when we go, since no recording outlives its pass. */
	if (mr_unlikely(l->recorder && l->recorder->readers[MR_RECORD_LANE].user != l))
		mr_recorder_listen(l->recorder, MR_RECORD_LANE, recorded, l);
}

bool
lane_holds(struct lane_worker *l, struct mr_program *g)
{
	/* Of another plan: its cells may be gone. */
	if ((int32_t)(g->checked - l->first_epoch) < 0 || !mr_program_holds(g))
		return false;
	g->checked = l->epoch;
	return true;
}

static void
watch_cells(struct lane_worker *l, const struct mr_program *g)
{
	const struct mr_program_cell *cells;
	unsigned count = mr_program_cells(g, &cells), k;

	for (unsigned i = 0; i < count; i++) {
		for (k = 0; k < l->watch_count && l->watch[k].cell != cells[i].cell; k++)
			;
		if (k < l->watch_count)
			continue;
		if (l->watch_count == WATCH_MAX) {
			l->watch_full = true;
			return;
		}
		l->watch[l->watch_count++] = (struct watch){ cells[i].cell, cells[i].value };
	}
}

/* -- flows -------------------------------------------------------------------------------------- */

/* A program, and what goes with it into a flow's lines. */
struct made {
	struct mr_flow_values values;
	uint32_t program, arg, stamp;
};

static void
let_go(struct lane_worker *l, struct mr_flow *line)
{
	uint32_t flow = (uint32_t)(line - l->lines);

	if (mr_unlikely(l->offload != NULL))
		lane_offload_forget(l, flow);
	if (mr_unlikely(l->ledger != NULL))
		lane_ledger_unlink(l, flow);
	lane_pay(l, flow);
	if (line->program == LANE_BARRED)
		mr_counter_add(&l->barred, (uint64_t)-1);
	else
		mr_program_release(l->programs, line->program);
	if (line->key.pair)
		mr_flow_pairs_release(l->pairs, MR_FLOW_PAIR(line->key.pair));
	mr_flow_set(line, LANE_BARRED, 0, 0);
}

void
lane_forget(struct lane_worker *l, uint32_t flow)
{
	/* Twice in a vector: the first packet has done it. */
	if (!mr_flow_table_has(l->table, flow))
		return;
	let_go(l, &l->lines[flow]);
	mr_flow_table_remove(l->table, flow);
}

/* What the flow's packets are done to. */
static void
set(struct lane_worker *l, struct mr_flow_table *table, uint32_t flow, const struct made *m)
{
	mr_flow_set(&mr_flow_table_lines(table)[flow], m->program, m->arg, m->stamp);
	if (mr_program_at(l->programs, m->program)->flags & MR_PROGRAM_VALUES)
		mr_flow_table_set_values(table, flow, &m->values);
}

/* What a masked entry has of a program; its pair is no pair but the mask's number. */
static void
let_go_wide(struct lane_worker *l, uint32_t flow)
{
	mr_program_release(l->programs, l->wide_lines[flow].program);
}

void
lane_forget_wide(struct lane_worker *l, uint32_t flow)
{
	if (!mr_flow_table_has(mr_flow_masks_table(l->masks), flow))
		return;
	let_go_wide(l, flow);
	mr_flow_masks_remove(l->masks, flow);
}

void
lane_promote(struct lane_worker *l, uint32_t wide, const struct mr_flow_key *key, uint64_t hash,
    uint32_t seconds)
{
	const struct mr_flow *from = &l->wide_lines[wide];
	struct made made = {
		.values = l->wide_values[wide],
		.program = from->program,
		.arg = from->arg,
		.stamp = from->stamp,
	};
	uint32_t flow = mr_flow_table_add(l->table, key, hash, seconds);

	if (flow == MR_FLOW_NONE)
		return;
	if (key->pair)
		mr_flow_pairs_hold(l->pairs, MR_FLOW_PAIR(key->pair));
	mr_program_hold(l->programs, made.program);
	set(l, l->table, flow, &made);
	if (l->ledger)
		lane_ledger_link(l, flow, mr_program_at(l->programs, made.program), NULL, 0);
}

static void
expired(void *user, uint32_t flow)
{
	struct lane_worker *l = user;

	let_go(l, &l->lines[flow]);
}

static void
expired_wide(void *user, uint32_t flow)
{
	struct lane_worker *l = user;

	let_go_wide(l, flow);
}

static uint32_t
idle(void *user, const struct mr_flow *line)
{
	struct lane_worker *l = user;

	return line->program == LANE_BARRED
	    ? LANE_BARRED_SECONDS + 1
	    : atomic_load_explicit(&l->lane->idle_seconds, memory_order_relaxed);
}

void
lane_age(struct lane_worker *l, struct mr_node_run *run, unsigned budget)
{
	l->run = run;
	mr_flow_table_age(l->table, run->seconds, budget, idle, expired, l);
	mr_flow_masks_age(l->masks, run->seconds, budget / 4, idle, expired_wide, l);
}

/* An entry for this key that is fresh: MR_FLOW_NONE when the table is full. */
static uint32_t
add(struct lane_worker *l, const struct pending *p)
{
	uint32_t flow = mr_flow_table_get_hashed(l->table, &p->key, p->hash);

	if (flow != MR_FLOW_NONE)
		lane_forget(l, flow);
	flow = mr_flow_table_add(l->table, &p->key, p->hash, l->run->seconds);
	if (flow != MR_FLOW_NONE && p->key.pair)
		mr_flow_pairs_hold(l->pairs, MR_FLOW_PAIR(p->key.pair));
	return flow;
}

/* They knock, when their places at the door have had time to come. */
static void
knock_expected(struct lane_worker *l)
{
	for (unsigned i = 0; i < l->expected_count; i++)
		mr_flow_door_expect(l->door, l->expected[i], l->run->seconds);
	l->expected_count = 0;
}

/* The way back is seldom silent: its first packet is recorded at once. */
static void
expect_reverse(struct lane_worker *l, const struct mr_flow_key *key, const struct mr_program *g)
{
	struct mr_flow_key back;

	if (key->pair || (g->verdict & MR_VERDICT_CLASS) != MR_VERDICT_OUTPUT)
		return;
	mr_flow_key_reverse(key, &back);
	back.where |= MR_FLOW_WHERE(g->verdict & MR_VERDICT_INDEX & ~MR_VERDICT_FINAL, 0, 0, 0);
	if (l->expected_count == MR_ARRAY_COUNT(l->expected))
		knock_expected(l);
	l->expected[l->expected_count] = mr_flow_table_hash(l->table, &back);
	mr_flow_door_prefetch(l->door, l->expected[l->expected_count++]);
}

/* Where the walk rested on a part of the key only, it holds for all flows that agree in it. Not
 * where nodes are called with a flow's own state. */
static void
add_wide(struct lane_worker *l, const struct mr_flow_key *key, const struct made *made,
    unsigned fields)
{
	const struct mr_program *g = mr_program_at(l->programs, made->program);
	enum mr_flow_masks_refusal why;
	uint32_t flow;

	if ((fields & MR_FLOW_ALL & ~MR_FLOW_L2) == (MR_FLOW_ALL & ~MR_FLOW_L2) ||
	    (g->flags & (MR_PROGRAM_CALLS | MR_PROGRAM_PRIVATE)) || key->pair)
		return;
	flow = mr_flow_masks_add(l->masks, fields | MR_FLOW_PORT, key, l->run->seconds, &why);
	if (flow == MR_FLOW_NONE)
		return;
	if (l->wide_lines[flow].program)
		let_go_wide(l, flow);
	mr_program_hold(l->programs, made->program);
	set(l, mr_flow_masks_table(l->masks), flow, made);
}

static void
bar(struct lane_worker *l, const struct pending *p)
{
	uint32_t flow = add(l, p);

	if (flow == MR_FLOW_NONE)
		return;
	mr_flow_set(&l->lines[flow], LANE_BARRED, l->run->seconds + LANE_BARRED_SECONDS, l->epoch);
	mr_counter_add(&l->barred, 1);
}

/* The recording of a packet's walk is finished. */
static void
recorded(void *user, const struct mr_recording *r)
{
	struct lane_worker *l = user;
	const struct pending *p = &l->pending[r - l->recorder->slots];
	enum mr_program_refusal refusal;
	struct mr_program *g;
	struct made made;
	unsigned fields;
	uint32_t flow;

	refusal = mr_program_build(l->programs, r, &p->key, l->epoch, &made.program, &made.arg,
	    &made.stamp, &made.values, &fields);
	if (refusal != MR_PROGRAM_OK) {
		mr_counter_add(&l->refused[refusal], 1);
		bar(l, p);
		return;
	}
	g = mr_program_at(l->programs, made.program);
	if (!mr_program_holds(g)) {
		mr_counter_add(&l->refused[MR_PROGRAM_CHANGED], 1);
		mr_program_release(l->programs, made.program);
		return;
	}
	g->checked = l->epoch;
	watch_cells(l, g);
	flow = add(l, p);
	if (flow == MR_FLOW_NONE) {
		mr_counter_add(&l->refused[MR_PROGRAM_MEMORY], 1);
		mr_program_release(l->programs, made.program);
		return;
	}
	set(l, l->table, flow, &made);
	/* The packet that was recorded is the flow's first; the graph has counted it. */
	mr_flow_touch(l->table, l->lines, flow, r->length, l->run->seconds);
	if (l->ledger)
		lane_ledger_link(l, flow, g, r, r->length);
	if (g->flags & MR_PROGRAM_OWES) {
		mr_flow_table_paid(l->table, flow);
		mr_flow_table_owe(l->table, flow);
	}
	mr_counter_add(&l->refused[MR_PROGRAM_OK], 1);
	add_wide(l, &p->key, &made, fields);
	expect_reverse(l, &p->key, g);
}

bool
lane_begun(const struct lane_worker *l, uint64_t hash)
{
	return l->begun[hash % BEGUN].hash == hash && l->begun[hash % BEGUN].vector == l->vector;
}

bool
lane_attach(struct lane_worker *l, struct mr_node_run *run, struct mr_packet *p,
    const struct mr_flow_key *key, uint64_t hash)
{
	struct pending *pending;

	if (!l->recorder || !mr_recorder_attach_for(l->recorder, MR_RECORD_LANE, p, 0))
		return false;
	pending = &l->pending[(p->record & ((1u << MR_RECORD_SLOT_BITS) - 1)) - 1];
	pending->key = *key;
	pending->hash = hash;
	l->begun[hash % BEGUN].hash = hash;
	l->begun[hash % BEGUN].vector = l->vector;
	return true;
}
