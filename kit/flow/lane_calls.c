/* SPDX-License-Identifier: Apache-2.0 */

/* What nodes do with packets that are replayed, beyond edits: all of a vector at once. */

#include "kit/flow/lane_work_int.h"
#include "kit/flow/program_inl.h"

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
	c->args[n] =
	    mr_program_call_arg(call, w->l->lines[hit->flow].arg, &w->l->values[hit->flow]);
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
		if (mr_program_calls(&programs[w->hits[n].program], &call) != 1 ||
		    (call->flags & (MR_CALL_SECONDLY | MR_PROGRAM_CALL_MARKS)) ||
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
		node[h] = UINT16_MAX;
		if (skip[h] || (programs[w->hits[h].program].flags & MR_PROGRAM_MARKS))
			continue;
		count = mr_program_calls(&programs[w->hits[h].program], &calls);
		more |= count > round + 1;
		if (round >= count ||
		    ((calls[round].flags & MR_CALL_SECONDLY) && !w->hits[h].due) ||
		    (calls[round].flags & MR_PROGRAM_CALL_MARKS))
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

/* One call of one packet, or (ask) whether it would be refused. */
static uint8_t
call_one(struct work *w, unsigned h, const struct mr_program_call *call, bool ask)
{
	uint8_t skip[MR_VECTOR_MAX] = { 0 };
	struct calls c;

	call_add(w, &c, 0, h, call);
	c.replayed[0].ask = ask;
	call_node(w, call->node, &c, 1, skip);
	return skip[h];
}

/* Calls of which several leave marks: all but the last of these are asked before it is made, and
 * made when it was. */
static uint8_t
call_marking(struct work *w, unsigned h)
{
	const struct mr_program *programs = mr_programs_lines(w->l->programs);
	const struct mr_program_call *calls, *due[MR_RECORD_OPS_MAX];
	unsigned count = mr_program_calls(&programs[w->hits[h].program], &calls), n = 0, plain = 0;
	uint8_t skip = 0;

	for (unsigned i = 0; i < count; i++) {
		if ((calls[i].flags & MR_CALL_SECONDLY) && !w->hits[h].due)
			continue;
		plain += !(calls[i].flags & MR_PROGRAM_CALL_MARKS);
		due[n++] = &calls[i];
	}
	for (unsigned i = 0; i < n && !skip; i++)
		skip = call_one(w, h, due[i], i >= plain && i + 1 < n);
	for (unsigned i = plain; i + 1 < n && !skip; i++)
		skip = call_one(w, h, due[i], false);
	return skip;
}

/* What is left to be called for a hit: nodes that leave marks. */
static uint8_t
call_last(struct work *w, unsigned h)
{
	const struct mr_program *g = &mr_programs_lines(w->l->programs)[w->hits[h].program];
	const struct mr_program_call *calls;
	unsigned count;

	if (g->flags & MR_PROGRAM_MARKS)
		return call_marking(w, h);
	count = mr_program_calls(g, &calls);
	if (!count || !(calls[count - 1].flags & MR_PROGRAM_CALL_MARKS) ||
	    ((calls[count - 1].flags & MR_CALL_SECONDLY) && !w->hits[h].due))
		return 0;
	return call_one(w, h, &calls[count - 1], false);
}

/* A packet that takes the graph takes those behind it, between the same ends, with it: before anybody has
 * left a mark of them. The first ones have nothing left to be called for. */
static void
call_in_order(struct work *w, unsigned first, uint8_t *skip)
{
	const struct mr_flow_batch *b = &w->l->batch;
	struct walkers walkers;
	bool any = false;

	for (unsigned h = 0; h < w->hit_count; h++) {
		const struct mr_flow_key *key = &b->key[w->hits[h].key];

		if (mr_unlikely(any) && !skip[h] &&
		    walkers_have(&walkers, walker(key->src, key->dst))) {
			skip[h] = MR_REPLAY_SKIP;
			continue;
		}
		if (!skip[h] && h >= first)
			skip[h] = call_last(w, h);
		if (mr_likely(!skip[h]))
			continue;
		if (!any)
			memset(&walkers, 0, sizeof(walkers));
		any = true;
		walkers_add(&walkers, walker(key->src, key->dst));
	}
}

/* Which hits are the first of their flow in this second. Of those before them nodes are told first. */
static void
look_for_due(struct work *w, unsigned first)
{
	struct mr_program *programs = mr_programs_lines(w->l->programs);

	for (unsigned h = first; h < w->hit_count; h++) {
		struct hit *hit = &w->hits[h];

		hit->due = !lane_seen_now(&w->l->lines[hit->flow], w->seconds);
		if (!hit->due || !(programs[hit->program].flags & MR_PROGRAM_OWES))
			continue;
		lane_pay(w->l, hit->flow);
		mr_flow_table_owe(w->l->table, hit->flow);
	}
}

void
lane_call_all(struct work *w)
{
	uint8_t skip[MR_VECTOR_MAX] = { 0 };
	unsigned first = call_alike(w, skip), round = 0, kept = 0;

	look_for_due(w, first);
	while (first < w->hit_count && call_round(w, first, round, skip))
		round++;
	call_in_order(w, first, skip);
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
