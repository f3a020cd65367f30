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

#include "kit/flow/offload_int.h"
#include "kit/flow/program_inl.h"

enum { EDGE_GRAPH };

#define WALKERS_BITS 13
#define ETH ((unsigned)sizeof(struct mr_eth))
#define VLAN ((unsigned)sizeof(struct mr_vlan))

/* A hit on its way through the steps. */
struct hit {
	uint32_t flow;
	uint32_t program;
	uint16_t at; /* place in the vector */
	uint16_t key;
};

/* A set of pairs of addresses; with a whole vector in it, it takes one stranger in 300 for a
 * member (Bloom, 1970). */
struct walkers {
	uint64_t bits[(1u << WALKERS_BITS) / 64];
};

struct work {
	struct mr_node_run *run;
	struct mr_recorder *rec;
	struct lane_worker *l;
	const uint32_t *packets;
	mr_verdict_t *verdicts;
	uint32_t seconds;
	unsigned hit_count; /* that wait: their programs call nodes, or order is to be kept */
	unsigned late_count;
	unsigned miss_count;
	unsigned replayed;
	struct walkers walkers; /* while in_order: between whom */
	bool in_order; /* some packets walk: hits wait until it is known which must not overtake */
	bool recorded; /* some packet was given a recording */
	uint16_t
	    unfit[MR_VECTOR_MAX]; /* keys of packets that conditions kept from their programs */
	unsigned unfit_count;
	uint32_t count[MR_LANE_COUNTER_COUNT];
	struct hit hits[MR_VECTOR_MAX];
	uint16_t late[MR_VECTOR_MAX]; /* keys whose flows are out of date */
	uint16_t miss[MR_VECTOR_MAX]; /* keys that have no flow */
};

static struct mr_packet *
packet_at(const struct work *w, unsigned at)
{
	return mr_packet_at(w->run->base, w->packets[at]);
}

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
edit(const struct work *w, const struct mr_program *g, struct mr_packet *p)
{
	if (mr_unlikely(mr_recorded(w->rec, p))) {
		mr_record_note(w->rec, p, "replayed, flows of the program", g->users);
		return mr_program_edit(g, w->rec, p);
	}
	return mr_program_edit_inl(g, p);
}

/* What the flow's program says is done to the packet. */
mr_inline void
replay(struct work *w, struct mr_flow_table *table, struct mr_flow *lines, uint32_t flow,
    uint32_t program, struct mr_program *g, struct mr_packet *p, unsigned at)
{
	struct lane_worker *l = w->l;
	uint32_t length = p->total;

	if (mr_unlikely(!edit(w, g, p))) {
		w->count[MR_LANE_COUNT_CONDITION]++;
		return;
	}
	mr_flow_touch(table, lines, flow, length, w->seconds);
	lane_credit(l, w->run, program, g, 1, length);
	w->replayed++;
	w->verdicts[at] = g->verdict | MR_VERDICT_FINAL;
	if (mr_unlikely((g->verdict & MR_VERDICT_CLASS) == MR_VERDICT_DROP)) {
		mr_replay_drop(w->run, g->drop_node, g->verdict & MR_VERDICT_INDEX, &w->packets[at],
		    1);
		w->verdicts[at] = MR_VERDICT_GONE;
	}
}

mr_inline void
look(struct work *w, unsigned count)
{
	struct lane_worker *l = w->l;
	const struct mr_flow_batch *b = &l->batch;
	struct mr_program *programs = mr_programs_lines(l->programs);
	struct mr_flow *lines = l->lines;
	uint8_t *base = w->run->base;
	uint32_t epoch = l->epoch;

	for (unsigned i = 0; i < count; i++) {
		uint32_t flow = b->found[i];
		struct mr_flow *line = &lines[flow];
		unsigned at = b->at[i];
		struct mr_packet *p = mr_packet_at(base, w->packets[at]);
		struct mr_program *g = &programs[line->program];

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
		if (mr_likely(!(g->flags & MR_PROGRAM_CALLS) && !w->in_order)) {
			replay(w, l->table, lines, flow, line->program, g, p, at);
			continue;
		}
		w->hits[w->hit_count++] = (struct hit){
			.flow = flow,
			.program = line->program,
			.at = (uint16_t)at,
			.key = (uint16_t)i,
		};
	}
}

/* -- order ----------------------------------------------------------------------------------- */

mr_inline uint64_t
walker(const uint8_t src[16], const uint8_t dst[16])
{
	uint64_t s[2], d[2];

	memcpy(s, src, sizeof(s));
	memcpy(d, dst, sizeof(d));
	return ((s[0] ^ s[1]) * 0x9e3779b97f4a7c15ull + (d[0] ^ d[1])) * 0xff51afd7ed558ccdull;
}

mr_inline void
walkers_add(struct walkers *set, uint64_t hash)
{
	unsigned one = (unsigned)(hash >> (64 - WALKERS_BITS));
	unsigned two = (unsigned)(hash >> (64 - 2 * WALKERS_BITS)) % (1u << WALKERS_BITS);

	set->bits[one / 64] |= 1ull << one % 64;
	set->bits[two / 64] |= 1ull << two % 64;
}

mr_inline bool
walkers_have(const struct walkers *set, uint64_t hash)
{
	unsigned one = (unsigned)(hash >> (64 - WALKERS_BITS));
	unsigned two = (unsigned)(hash >> (64 - 2 * WALKERS_BITS)) % (1u << WALKERS_BITS);

	return set->bits[one / 64] >> one % 64 & set->bits[two / 64] >> two % 64 & 1;
}

/* Of a packet that has no key; false: it is of no flow. */
static bool
walker_of(const struct work *w, unsigned at, uint64_t *out)
{
	uint8_t bytes[ETH + VLAN + sizeof(struct mr_ip6)], src[16] = { 0 }, dst[16] = { 0 };
	/* Also across segments. */
	unsigned len = mr_packet_read(w->run->buffers, w->packets[at], 0, bytes, sizeof(bytes));
	unsigned l3 = ETH, type;
	const uint8_t *ip;

	if (len < ETH + VLAN)
		return false;
	type = mr_load_be16(bytes + 12);
	if (type == MR_ETH_TYPE_VLAN) {
		l3 += VLAN;
		type = mr_load_be16(bytes + l3 - 2);
	}
	ip = bytes + l3;
	if (type == MR_ETH_TYPE_IP4 && len >= l3 + sizeof(struct mr_ip4)) {
		memcpy(src, ip + 12, 4);
		memcpy(dst, ip + 16, 4);
	} else if (type == MR_ETH_TYPE_IP6 && len >= l3 + sizeof(struct mr_ip6)) {
		memcpy(src, ip + 8, 16);
		memcpy(dst, ip + 24, 16);
	} else {
		return false;
	}
	*out = walker(src, dst);
	return true;
}

mr_inline bool
must_walk(const struct work *w, const struct mr_flow_key *key)
{
	return w->in_order && walkers_have(&w->walkers, walker(key->src, key->dst));
}

/* Takes those hits out that would leave in another order than they came. */
static mr_noinline void
keep_order(struct work *w, const uint16_t *rest, unsigned rest_count)
{
	const struct mr_flow_batch *b = &w->l->batch;
	unsigned kept = 0;
	uint64_t hash;

	memset(&w->walkers, 0, sizeof(w->walkers));
	for (unsigned i = 0; i < rest_count; i++)
		if (walker_of(w, rest[i], &hash))
			walkers_add(&w->walkers, hash);
	for (unsigned i = 0; i < w->unfit_count; i++) {
		const struct mr_flow_key *key = &b->key[w->unfit[i]];

		walkers_add(&w->walkers, walker(key->src, key->dst));
	}
	for (unsigned h = 0; h < w->hit_count; h++) {
		if (must_walk(w, &b->key[w->hits[h].key]))
			w->count[MR_LANE_COUNT_ORDER]++;
		else
			w->hits[kept++] = w->hits[h];
	}
	w->hit_count = kept;
}

/* -- calls ------------------------------------------------------------------------------------ */

/* What one node wants to do with packets: gathered, and done. */
struct calls {
	uint32_t packets[MR_VECTOR_MAX];
	uint32_t args[MR_VECTOR_MAX];
	struct mr_replayed replayed[MR_VECTOR_MAX];
	uint16_t hit[MR_VECTOR_MAX];
	uint8_t skip[MR_VECTOR_MAX];
};

mr_inline void
call_add(const struct work *w, struct calls *c, unsigned n, unsigned h,
    const struct mr_program_call *call)
{
	const struct mr_flow_batch *b = &w->l->batch;
	const struct hit *hit = &w->hits[h];

	c->packets[n] = w->packets[hit->at];
	c->args[n] = call->from_flow ? w->l->lines[hit->flow].arg : call->arg;
	c->replayed[n] = (struct mr_replayed){
		.l3 = b->l3[hit->key],
		.l4 = b->l4[hit->key],
		.tcp = b->tcp[hit->key],
		.six = MR_FLOW_WHERE_SIX(b->key[hit->key].where),
	};
	c->hit[n] = (uint16_t)h;
}

/* Asks the node, and writes down what it says of each hit. */
static void
call_node(struct work *w, uint16_t node, struct calls *c, unsigned n, uint8_t *skip)
{
	memset(c->skip, 0, n);
	mr_replay_call(w->run, node, c->packets, c->args, c->replayed, c->skip, n);
	for (unsigned i = 0; i < n; i++)
		skip[c->hit[i]] |= c->skip[i];
}

/* What mostly is: every program has one call, for each packet, all of one node. How many hits these
 * are, from the first on. */
static unsigned
call_alike(struct work *w, uint8_t *skip)
{
	struct mr_program *programs = mr_programs_lines(w->l->programs);
	const struct mr_program_call *call;
	uint16_t node = UINT16_MAX;
	struct calls c;
	unsigned n;

	for (n = 0; n < w->hit_count; n++) {
		if (mr_program_calls(&programs[w->hits[n].program], &call) != 1 || call->secondly ||
		    (n > 0 && call->node != node))
			break;
		node = call->node;
		call_add(w, &c, n, n, call);
	}
	if (n > 0)
		call_node(w, node, &c, n, skip);
	return n;
}

/* The `round`-th call of every program, node by node. Returns whether there are more. */
static bool
call_round(struct work *w, unsigned first, unsigned round, uint8_t *skip)
{
	struct mr_program *programs = mr_programs_lines(w->l->programs);
	uint16_t node[MR_VECTOR_MAX], next = 0;
	const struct mr_program_call *calls;
	unsigned left = 0, n, count;
	bool more = false;
	struct calls c;

	for (unsigned h = first; h < w->hit_count; h++) {
		struct mr_flow *line = &w->l->lines[w->hits[h].flow];

		node[h] = UINT16_MAX;
		if (skip[h])
			continue;
		count = mr_program_calls(&programs[w->hits[h].program], &calls);
		more |= count > round + 1;
		if (round >= count ||
		    (calls[round].secondly && line->seen == (uint16_t)w->seconds && line->packets))
			continue;
		node[h] = next = calls[round].node;
		left++;
	}
	while (left > 0) {
		uint16_t other = UINT16_MAX;

		n = 0;
		for (unsigned h = first; h < w->hit_count; h++) {
			if (node[h] != next) {
				other = node[h] == UINT16_MAX ? other : node[h];
				continue;
			}
			mr_program_calls(&programs[w->hits[h].program], &calls);
			call_add(w, &c, n++, h, &calls[round]);
			node[h] = UINT16_MAX;
		}
		call_node(w, next, &c, n, skip);
		left -= n;
		next = other;
	}
	return more;
}

/* Takes hits out that a node wants to see itself. */
static void
call_all(struct work *w)
{
	uint8_t skip[MR_VECTOR_MAX] = { 0 };
	unsigned first = call_alike(w, skip), round = 0, kept = 0;

	while (first < w->hit_count && call_round(w, first, round, skip))
		round++;
	for (unsigned h = 0; h < w->hit_count; h++) {
		if (skip[h] & MR_REPLAY_STALE)
			w->late[w->late_count++] = w->hits[h].key;
		else if (skip[h])
			w->count[MR_LANE_COUNT_SKIPPED]++;
		else if (kept++ != h)
			w->hits[kept - 1] = w->hits[h];
	}
	w->hit_count = kept;
}

/* Hits that had to wait. */
static mr_noinline void
replay_waiting(struct work *w)
{
	struct mr_program *programs = mr_programs_lines(w->l->programs);

	call_all(w);
	for (unsigned h = 0; h < w->hit_count; h++) {
		const struct hit *hit = &w->hits[h];

		replay(w, w->l->table, w->l->lines, hit->flow, hit->program,
		    &programs[hit->program], packet_at(w, hit->at), hit->at);
	}
}

/* One that a masked entry holds for: replayed, and with its second packet it has an entry of its
 * own. */
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
	replay(w, mr_flow_masks_table(l->masks), l->wide_lines, wide, line->program, g,
	    packet_at(w, b->at[i]), b->at[i]);
	if (mr_flow_door_knock(l->door, b->hash[i], w->seconds) &&
	    mr_flow_table_get(l->table, &b->key[i]) == MR_FLOW_NONE)
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

	memcpy(left, w->miss, w->miss_count * sizeof(*left));
	mr_flow_masks_find(w->l->masks, &w->l->batch, left, w->miss_count, wide);
	for (unsigned k = 0; k < w->miss_count; k++) {
		unsigned i = w->miss[k];

		if (wide[i] && mr_flow_table_has(table, wide[i]))
			replay_wide(w, i, wide[i]);
		else
			miss(w, i);
	}
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
	w.hit_count = w.late_count = w.miss_count = w.unfit_count = w.replayed = 0;
	w.recorded = false;
	memset(w.count, 0, sizeof(w.count));
	lane_begin(l, run);
	l->vector++;
	n = mr_flow_keys(&port->view, l->pairs, run->base, packets, count, &l->batch, rest,
	    &rest_count);
	mr_flow_table_find(l->table, &l->batch, n);
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = mr_verdict_edge(EDGE_GRAPH);
	w.in_order = rest_count > 0;
	look(&w, n);
	if (mr_unlikely(l->offload != NULL) && n)
		lane_offload_sample(l->offload, l->batch.found, n);
	if (w.in_order && w.hit_count + w.miss_count > 0)
		keep_order(&w, rest, rest_count);
	if (w.hit_count)
		replay_waiting(&w);
	if (w.miss_count)
		miss_all(&w);
	/* Not before: other packets of the vector may have used their flows. */
	for (unsigned i = 0; i < w.late_count; i++)
		stale(&w, w.late[i]);
	if (mr_unlikely(w.recorded))
		enter_recorded(&w, count);
	w.count[MR_LANE_COUNT_NOT_PLAIN] = rest_count;
	w.count[MR_LANE_COUNT_REPLAYED] = w.replayed;
	w.count[MR_LANE_COUNT_CONDITION] += w.unfit_count;
	for (unsigned i = 0; i < MR_LANE_COUNTER_COUNT; i++)
		if (w.count[i])
			mr_node_count(run, i, w.count[i]);
	lane_age(l, run, 8);
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
