/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lane's loop. A vector goes through in steps: keys; the table (in phases of its own); each
 * hit's program, whether it holds and fits, and its edits; those whose programs call nodes wait
 * until these have been asked, all packets at once. What is left goes to the graph in the order in
 * which it came.
 *
 * What is replayed leaves before what walks. Flows stay in order all the same: where some packet
 * between two addresses has to walk although their flows are known (the last segment of a
 * connection), those of the vector between these two that come behind it walk with it.
 */

#include "kit/flow/lane_work_int.h"
#include "kit/flow/offload_int.h"
#include "kit/flow/program_inl.h"

enum { EDGE_GRAPH };

/* -- what goes to the graph ------------------------------------------------------------------ */

static mr_noinline void
record(struct work *w, unsigned i)
{
	const struct mr_flow_batch *b = &w->l->batch;
	struct mr_packet *p = packet_at(w, b->at[i]);

	if (p->record)
		return; /* somebody traces it */
	if (lane_begun(w->l, b->hash[i])) {
		w->count[MR_LANE_COUNT_BEGUN]++;
		return;
	}
	if (!lane_attach(w->l, w->run, p, &b->key[i], b->hash[i])) {
		w->count[MR_LANE_COUNT_BUSY]++;
		return;
	}
	if (MR_FLOW_INSIDE(b->key[i].pair))
		p->flags |= MR_PACKET_INSIDE;
	w->count[MR_LANE_COUNT_RECORDED]++;
	w->recorded = true;
}

static mr_noinline void
miss(struct work *w, unsigned i)
{
	struct lane_worker *l = w->l;

	if (l->lane->eager || mr_flow_door_knock(l->door, l->batch.hash[i], w->run->seconds))
		record(w, i);
	else
		w->count[MR_LANE_COUNT_FIRST]++;
}

/* Its decision is out of date: the walk is recorded anew. */
static mr_noinline void
stale(struct work *w, unsigned i)
{
	mr_counter_add(&w->l->stale, 1);
	w->count[MR_LANE_COUNT_STALE]++;
	lane_forget(w->l, w->l->batch.found[i]);
	record(w, i);
}

static mr_noinline void
barred(struct work *w, unsigned i)
{
	struct mr_flow *line = &w->l->lines[w->l->batch.found[i]];

	if ((int32_t)(w->run->seconds - line->arg) >= 0 || line->stamp != w->l->epoch) {
		lane_forget(w->l, w->l->batch.found[i]);
		record(w, i);
		return;
	}
	w->count[MR_LANE_COUNT_BARRED]++;
}

/* -- hits ------------------------------------------------------------------------------------ */

/* A region's generation is mostly all that there is to sum up. */
mr_inline bool
is_stale(const struct mr_program *g, const struct mr_flow *line)
{
	return g->regions && mr_program_stamp(g, &line->key) != line->stamp;
}

mr_inline bool
edit(const struct work *w, const struct mr_program *g, const struct mr_flow_values *values,
    struct mr_packet *p)
{
	if (mr_unlikely(mr_recorded(w->rec, p))) {
		mr_record_note(w->rec, p, "replayed, flows of the program", g->users);
		return mr_program_edit(g, values, w->rec, p);
	}
	return mr_program_edit_inl(g, values, p);
}

/* The frame's length without the padding that brought it to Ethernet's least. */
static mr_noinline uint32_t
unpadded(const struct mr_packet *p, const struct mr_flow_key *key, uint32_t length)
{
	uint32_t l3 = MR_FLOW_WHERE_VLAN(key->where) ? 18 : 14, all;
	const uint8_t *ip = mr_packet_bytes_const(p) + l3;

	all = MR_FLOW_WHERE_SIX(key->where)
	    ? l3 + (uint32_t)sizeof(struct mr_ip6) +
		mr_load_be16(ip + offsetof(struct mr_ip6, payload_len))
	    : l3 + mr_load_be16(ip + offsetof(struct mr_ip4, total_len));
	return MR_MIN(all, length);
}

/* What the flow's program says is done to the packet. False: it was not. */
mr_inline bool
replay(struct work *w, struct mr_flow_table *table, struct mr_flow *lines,
    const struct mr_flow_values *values, uint32_t flow, uint32_t program, struct mr_program *g,
    struct mr_packet *p, unsigned at)
{
	struct lane_worker *l = w->l;
	uint32_t length = p->total, counted = length;

	if (mr_unlikely(length <= l->padded) &&
	    (length <= LEDGER_PADDED || MR_FLOW_WHERE_VLAN(lines[flow].key.where)))
		counted = unpadded(p, &lines[flow].key, length);
	if (mr_unlikely(!edit(w, g, &values[flow], p))) {
		w->count[MR_LANE_COUNT_CONDITION]++;
		return false;
	}
	mr_flow_touch(table, lines, flow, counted, w->seconds);
	lane_credit(l, w->run, program, g, 1, length);
	w->replayed++;
	w->verdicts[at] = g->verdict | MR_VERDICT_FINAL;
	if (mr_unlikely((g->verdict & MR_VERDICT_CLASS) == MR_VERDICT_DROP)) {
		mr_replay_drop(w->run, g->node, g->verdict & MR_VERDICT_INDEX, flow,
		    &w->packets[at], 1);
		w->verdicts[at] = MR_VERDICT_GONE;
	}
	return true;
}

/* No node is to be called for the packet: none is on the way, or each was in this second. */
mr_inline bool
is_quiet(const struct mr_program *g, const struct mr_flow *line, uint32_t seconds)
{
	return !(g->flags & MR_PROGRAM_CALLS) ||
	    ((g->flags & MR_PROGRAM_RARE) && lane_seen_now(line, seconds));
}

/* -- who is asked ------------------------------------------------------------------------------ */

/* The node that programs of this vector ask, packet by packet: mostly there is one. */
struct asked {
	uint16_t node;           /* 0: none yet */
	struct mr_node_run *run; /* null: the node takes vectors only */
	uint8_t (*one)(struct mr_node_run *, uint32_t packet, uint32_t arg, struct mr_replayed,
	    uint32_t *counts);
	uint32_t counts[MR_REPLAY_COUNTERS];
};

/* What it counted is counted. */
static mr_noinline void
ask_end(struct asked *a)
{
	for (unsigned i = 0; a->run && i < MR_REPLAY_COUNTERS; i++)
		if (a->counts[i])
			mr_node_count(a->run, i, a->counts[i]);
}

static mr_noinline void
ask_begin(struct work *w, struct asked *a, uint16_t node)
{
	const struct mr_node_class *class;

	if (a->node)
		ask_end(a);
	memset(a->counts, 0, sizeof(a->counts));
	a->node = node;
	a->run = mr_replay_run(w->run, node, &class);
	if (!a->run)
		return;
	a->one = class->replay_one;
	w->l->called = node;
	class->replay_lines(a->run, &w->l->call_lines);
}

/* What those of the last vector asked for, those of this one will, too: some packets ahead, so that
 * its line is there and still in the first cache. */
#define FETCH_AHEAD 16u

mr_inline void
fetch_asked(const struct mr_replay_lines *at, const struct mr_flow *lines, const uint32_t *found,
    unsigned i, unsigned count)
{
	uint32_t flow = found[MR_MIN(i + FETCH_AHEAD, count - 1)];

	mr_prefetch_write(at->lines + (size_t)(lines[flow].arg & at->mask) * at->stride);
}

/* enum mr_replay_skip. */
mr_inline uint8_t
ask(struct asked *a, const struct mr_flow_batch *b, uint32_t packet, uint32_t arg, unsigned i)
{
	const struct mr_replayed replayed = {
		.l3 = b->l3[i],
		.l4 = b->l4[i],
		.tcp = b->tcp[i],
		.six = MR_FLOW_WHERE_SIX(b->key[i].where),
	};

	return a->one(a->run, packet, arg, replayed, a->counts);
}

/* What comes behind it between these addresses must not overtake it. */
static mr_noinline void
skipped(struct work *w, unsigned i, uint8_t skip)
{
	w->unfit[w->unfit_count++] = (uint16_t)i;
	w->skipped_count++;
	w->in_order = true;
	if (skip & MR_REPLAY_STALE)
		w->late[w->late_count++] = (uint16_t)i;
	else
		w->count[MR_LANE_COUNT_SKIPPED]++;
}

mr_inline void
look(struct work *w, unsigned count)
{
	struct lane_worker *l = w->l;
	const struct mr_flow_batch *b = &l->batch;
	struct mr_program *programs = mr_programs_lines(l->programs);
	const struct mr_flow_values *values = l->values;
	struct mr_flow *lines = l->lines;
	uint8_t *base = w->run->base;
	uint32_t epoch = l->epoch;
	const struct mr_replay_lines called = l->call_lines;
	const bool calls = l->called;
	struct asked asked;
	unsigned flags = 0;
	uint8_t skip;

	asked.node = 0;
	l->called = 0;
	for (unsigned i = 0; i < count; i++) {
		uint32_t flow = b->found[i];
		struct mr_flow *line = &lines[flow];
		unsigned at = b->at[i];
		struct mr_packet *p = mr_packet_at(base, w->packets[at]);
		struct mr_program *g = &programs[line->program];

		if (calls)
			fetch_asked(&called, lines, b->found, i, count);
		if (mr_unlikely(flow == MR_FLOW_NONE)) {
			w->miss[w->miss_count++] = (uint16_t)i;
			continue;
		}
		if (mr_unlikely(line->program == LANE_BARRED)) {
			barred(w, i);
			continue;
		}
		if (mr_unlikely((g->checked != epoch || l->watch_full) && !lane_holds(l, g)) ||
		    mr_unlikely(is_stale(g, line))) {
			w->late[w->late_count++] = (uint16_t)i;
			continue;
		}
		if (mr_unlikely(!mr_program_fits_inl(g, p))) {
			w->unfit[w->unfit_count++] = (uint16_t)i;
			w->in_order = true;
			continue;
		}
		if (mr_likely(is_quiet(g, line, w->seconds) && !w->in_order)) {
			flags |= g->flags;
			replay(w, l->table, lines, values, flow, line->program, g, p, at);
			continue;
		}
		flags |= g->flags;
		if ((g->flags & MR_PROGRAM_ASK) && !w->in_order) {
			if (mr_unlikely(g->node != asked.node))
				ask_begin(w, &asked, g->node);
			if (mr_likely(asked.run != NULL)) {
				skip = ask(&asked, b, w->packets[at], line->arg, i);
				if (mr_likely(!skip))
					replay(w, l->table, lines, values, flow, line->program, g,
					    p, at);
				else
					skipped(w, i, skip);
				continue;
			}
		}
		if (g->flags & MR_PROGRAM_OWES)
			mr_flow_table_fetch_debt(l->table, flow);
		w->hits[w->hit_count++] = (struct hit){
			.flow = flow,
			.program = line->program,
			.at = (uint16_t)at,
			.key = (uint16_t)i,
		};
	}
	if (asked.node)
		ask_end(&asked);
	if (mr_unlikely(!!(flags & MR_PROGRAM_VALUES) != l->has_values)) {
		l->has_values = flags & MR_PROGRAM_VALUES;
		mr_flow_table_fetch_values(l->table, l->has_values);
	}
}

/* Hits that had to wait. */
static mr_noinline void
replay_waiting(struct work *w)
{
	struct mr_program *programs = mr_programs_lines(w->l->programs);

	lane_call_all(w);
	for (unsigned h = 0; h < w->hit_count; h++) {
		const struct hit *hit = &w->hits[h];

		struct mr_program *g = &programs[hit->program];

		if (replay(w, w->l->table, w->l->lines, w->l->values, hit->flow, hit->program, g,
			packet_at(w, hit->at), hit->at) &&
		    hit->due && (g->flags & MR_PROGRAM_OWES))
			mr_flow_table_paid(w->l->table, hit->flow);
	}
}

/* One that a masked entry holds for: replayed, and with its second packet (where the lane is eager,
 * with its first) it has an entry of its own. */
static void
replay_wide(struct work *w, unsigned i, uint32_t wide)
{
	struct lane_worker *l = w->l;
	const struct mr_flow_batch *b = &l->batch;
	struct mr_flow *line = &l->wide_lines[wide];
	struct mr_program *g = mr_program_at(l->programs, line->program);

	if (((g->checked != l->epoch || l->watch_full) && !lane_holds(l, g)) || is_stale(g, line)) {
		w->count[MR_LANE_COUNT_STALE]++;
		lane_forget_wide(l, wide);
		record(w, i);
		return;
	}
	if (must_walk(w, &b->key[i])) {
		w->count[MR_LANE_COUNT_ORDER]++;
		return;
	}
	if (!mr_program_fits_inl(g, packet_at(w, b->at[i]))) {
		/* Those of its flow that come behind it in this vector are still to be looked at. */
		if (!w->in_order)
			memset(&w->walkers, 0, sizeof(w->walkers));
		w->in_order = true;
		walkers_add(&w->walkers, walker(b->key[i].src, b->key[i].dst));
		w->count[MR_LANE_COUNT_CONDITION]++;
		return;
	}
	w->count[MR_LANE_COUNT_WIDE]++;
	/* Of the entry for many nobody knows whose it counts: it is written into its flow's, as if it
	 * walked. */
	if (mr_unlikely(w->ledger)) {
		lane_ledger_note(l->ledger, &b->key[i],
		    mr_packet_bytes(packet_at(w, b->at[i])) + b->l3[i], b->tcp[i]);
		lane_ledger_write(l, w->run);
	}
	if (mr_unlikely(!replay(w, mr_flow_masks_table(l->masks), l->wide_lines, l->wide_values,
		wide, line->program, g, packet_at(w, b->at[i]), b->at[i])) &&
	    w->ledger)
		w->noted[b->at[i] / 64] |= 1ull << b->at[i] % 64;
	if ((l->lane->eager || mr_flow_door_knock(l->door, b->hash[i], w->seconds)) &&
	    mr_flow_table_get_hashed(l->table, &b->key[i], b->hash[i]) == MR_FLOW_NONE)
		lane_promote(l, wide, &b->key[i], b->hash[i], w->seconds);
}

/* Keys without a flow: an entry for many may hold for them. Entries go while others are replayed:
 * each is looked at when its turn comes. */
static mr_noinline void
miss_all(struct work *w)
{
	struct mr_flow_table *table = mr_flow_masks_table(w->l->masks);
	uint32_t wide[MR_VECTOR_MAX] = { 0 };
	uint16_t left[MR_VECTOR_MAX];
	unsigned left_count = 0;

	for (unsigned k = 0; k < w->miss_count; k++)
		mr_flow_door_prefetch(w->l->door, w->l->batch.hash[w->miss[k]]);
	/* No entry for many is of packets that came through a tunnel. */
	for (unsigned k = 0; k < w->miss_count; k++)
		if (!MR_FLOW_INSIDE(w->l->batch.key[w->miss[k]].pair))
			left[left_count++] = w->miss[k];
	mr_flow_masks_find(w->l->masks, &w->l->batch, left, left_count, wide);
	for (unsigned k = 0; k < w->miss_count; k++) {
		unsigned i = w->miss[k];

		if (wide[i] && mr_flow_table_has(table, wide[i]))
			replay_wide(w, i, wide[i]);
		else
			miss(w, i);
	}
}

/* What walks is written into the ledger: all that is for the graph now. */
static mr_noinline void
note_walkers(struct work *w, const struct mr_lane_port *port, unsigned keyed, unsigned count)
{
	struct lane_worker *l = w->l;
	const struct mr_flow_batch *b = &l->batch;

	for (unsigned i = 0, k = 0; i < count; i++) {
		bool has_key = k < keyed && b->at[k] == i;

		if (w->verdicts[i] == mr_verdict_edge(EDGE_GRAPH) &&
		    !(w->noted[i / 64] >> i % 64 & 1)) {
			const struct mr_packet *p = packet_at(w, i);

			if (has_key)
				lane_ledger_note(l->ledger, &b->key[k],
				    mr_packet_bytes_const(p) + b->l3[k], b->tcp[k]);
			else
				lane_ledger_note_rest(l, port, p);
		}
		k += has_key;
	}
	/* As many go as come. */
	lane_ledger_tick(l, 2 * l->ledger->count);
	lane_ledger_write(l, w->run);
}

/* Some of the packets for the graph carry recordings: they go there together, in order. */
static mr_noinline void
enter_recorded(struct work *w, unsigned count)
{
	uint32_t packets[MR_VECTOR_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		if (w->verdicts[i] != mr_verdict_edge(EDGE_GRAPH))
			continue;
		packets[n++] = w->packets[i];
		w->verdicts[i] = MR_VERDICT_GONE;
	}
	mr_replay_enter(w->run, EDGE_GRAPH, packets, n, true);
}

/* -- the node -------------------------------------------------------------------------------- */

/* What would happen is what the graph would do: the same, or the lane would be wrong. */
static void
explain(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		mr_record_use(rec, mr_packet_at(run->base, packets[i]), 0);
		verdicts[i] = mr_verdict_edge(EDGE_GRAPH);
	}
}

mr_inline void
lane_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
    mr_verdict_t *verdicts, unsigned count)
{
	struct mr_lane_port *port = run->self;
	struct lane_worker *l;
	uint16_t rest[MR_VECTOR_MAX];
	unsigned rest_count, n;
	struct work w;

	if (mr_unlikely(mr_record_is_dry(rec))) {
		explain(run, rec, packets, verdicts, count);
		return;
	}
	l = port->lane->workers[run->worker];
	w.run = run;
	w.rec = rec;
	w.l = l;
	w.packets = packets;
	w.verdicts = verdicts;
	w.seconds = run->seconds;
	w.hit_count = w.late_count = w.miss_count = w.unfit_count = w.skipped_count = w.replayed =
	    0;
	w.recorded = false;
	w.ledger = port->view.ledger && l->ledger;
	memset(w.noted, 0, sizeof(w.noted));
	memset(w.count, 0, sizeof(w.count));
	lane_begin(l, run);
	l->vector++;
	n = mr_flow_keys(&port->view, l->pairs, run->base, packets, count, &l->batch, rest,
	    &rest_count);
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_edge(EDGE_GRAPH);
	if (mr_unlikely(port->view.walk)) {
		if (w.ledger)
			note_walkers(&w, port, n, count);
		return;
	}
	mr_flow_table_find(l->table, &l->batch, n);
	w.in_order = rest_count > 0;
	look(&w, n);
	if (mr_unlikely(l->offload != NULL) && n)
		lane_offload_sample(l->offload, l->batch.found, n);
	if (w.in_order && w.hit_count + w.miss_count > 0)
		lane_keep_order(&w, rest, rest_count);
	if (w.hit_count)
		replay_waiting(&w);
	if (w.miss_count)
		miss_all(&w);
	/* Not before: other packets of the vector may have used their flows. */
	for (unsigned i = 0; i < w.late_count; i++)
		stale(&w, w.late[i]);
	if (mr_unlikely(w.ledger && w.replayed < count))
		note_walkers(&w, port, n, count);
	if (mr_unlikely(w.recorded))
		enter_recorded(&w, count);
	w.count[MR_LANE_COUNT_NOT_PLAIN] = rest_count;
	w.count[MR_LANE_COUNT_REPLAYED] = w.replayed;
	w.count[MR_LANE_COUNT_CONDITION] += w.unfit_count - w.skipped_count;
	for (unsigned i = 0; i < MR_LANE_COUNTER_COUNT; i++)
		if (w.count[i])
			mr_node_count(run, i, w.count[i]);
	if (mr_unlikely(l->owing))
		lane_pay_some(l, run, 64);
	/* As many go as come: each new flow is looked after once when it may still stay, and once when it
	 * goes. */
	lane_age(l, run, 8 + 2 * w.count[MR_LANE_COUNT_RECORDED]);
}
MR_NODE_FUNCTIONS(lane)

static const char *const edges[] = { "graph" };
#define X(id, name, doc) { name, doc },
static const struct mr_named counters[] = { MR_LANE_COUNTERS(X) };
#undef X

const struct mr_node_class mr_lane_class = {
	.name = "flow-lane",
	.doc = "does to packets of known flows what the graph did to an earlier one",
	.edges = edges,
	.edge_count = 1,
	.counters = counters,
	.counter_count = MR_LANE_COUNTER_COUNT,
	.replays = true,
	.tick = lane_tick,
	.plan_ends = lane_plan_ends,
	MR_NODE_RUN(lane),
};
