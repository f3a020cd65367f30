/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a recording to a program: its operations one after the other, then the bytes.
 *
 * Edits and guards are the head's (program_head.c). The rest is here: who took part, what the walk
 * rested on, what is to be called and credited, and how it ended.
 */

#include <string.h>

#include "kit/flow/program_int.h"
#include "kit/graph/graph.h"

static const struct mr_node_class *
class_of(const struct mr_programs *s, unsigned node)
{
	return node < s->nodes ? s->classes[node] : NULL;
}

/* -- what it rests on ------------------------------------------------------------------- */

/* The cell was read once, or always with the same answer. */
static enum mr_program_refusal
add_cell(struct mr_program_cell *cells, unsigned *count, const struct mr_generation *cell,
    uint32_t value)
{
	for (unsigned i = 0; i < *count; i++)
		if (cells[i].cell == cell)
			return cells[i].value == value ? MR_PROGRAM_OK : MR_PROGRAM_CHANGED;
	cells[(*count)++] = (struct mr_program_cell){ .cell = cell, .value = value };
	return MR_PROGRAM_OK;
}

static enum mr_program_refusal
op_read(struct program_builder *b, const struct mr_op *op)
{
	const struct mr_generation *cell = (const struct mr_generation *)(uintptr_t)op->b;

	if (!cell)
		return MR_PROGRAM_CHANGED;
	return add_cell(b->cells, &b->cell_count, cell, (uint32_t)op->a);
}

/* Flows through the same tables share their program although their addresses are in different
 * regions: it names the table, and the key the region. */
static enum mr_program_refusal
op_region(struct program_builder *b, const struct mr_op *op, const struct mr_flow_key *key)
{
	const struct mr_regions *regions = (const struct mr_regions *)(uintptr_t)op->b;
	unsigned before = b->region_count;
	enum mr_program_refusal why;

	if (!regions || op->arg >= MR_REGIONS)
		return MR_PROGRAM_CHANGED;
	why =
	    add_cell(b->region_cells, &b->region_count, &regions->cells[op->arg], (uint32_t)op->a);
	if (why || b->region_count == before)
		return why;
	b->own[before] = false;
	for (unsigned src = 0; src < 2; src++) {
		if (op->arg != program_region_of(key, src) || b->regions[src])
			continue;
		b->regions[src] = regions;
		b->fields |= src ? MR_FLOW_SRC : MR_FLOW_DST;
		return MR_PROGRAM_OK;
	}
	b->own[before] = true;
	return MR_PROGRAM_OK;
}

/* -- what is done and counted ------------------------------------------------------------ */

static enum mr_program_refusal
credit(struct program_builder *b, struct mr_program_credit c)
{
	for (unsigned i = 0; i < b->credit_count; i++) {
		struct mr_program_credit *old = &b->credits[i];

		if (old->kind != c.kind || old->counter != c.counter || old->node != c.node ||
		    c.kind == MR_CREDIT_TALLY || !c.times || !old->times)
			continue;
		if (old->times > UINT32_MAX - c.times)
			return MR_PROGRAM_LONG;
		old->times += c.times;
		return MR_PROGRAM_OK;
	}
	b->credits[b->credit_count++] = c;
	return MR_PROGRAM_OK;
}

static enum mr_program_refusal
op_count(struct program_builder *b, const struct mr_node_class *class, const struct mr_op *op)
{
	if (!class || op->arg >= class->counter_count || op->arg > UINT8_MAX)
		return MR_PROGRAM_NODE;
	if (op->a > UINT32_MAX)
		return MR_PROGRAM_LONG;
	return credit(b,
	    (struct mr_program_credit){
		.kind = MR_CREDIT_COUNTER,
		.counter = (uint8_t)op->arg,
		.node = op->node,
		.times = (uint32_t)op->a,
		.grown = op->a ? 0 : mr_program_head_grown(&b->head),
	    });
}

static enum mr_program_refusal
op_tally(struct program_builder *b, const struct mr_node_class *class, const struct mr_op *op)
{
	if (!class || !class->tally)
		return MR_PROGRAM_NODE;
	return credit(b,
	    (struct mr_program_credit){
		.kind = MR_CREDIT_TALLY,
		.node = op->node,
		.times = op->arg,
		.grown = mr_program_head_grown(&b->head),
	    });
}

static enum mr_program_refusal
op_call(struct program_builder *b, const struct mr_node_class *class, const struct mr_op *op)
{
	unsigned at = b->call_count;

	if (!class || !class->replay)
		return MR_PROGRAM_NODE;
	/* Before those that leave marks: what is refused by then was not counted by anybody. */
	for (; !class->marks && at > 0 && (b->calls[at - 1].flags & MR_PROGRAM_CALL_MARKS); at--)
		b->calls[at] = b->calls[at - 1];
	b->calls[at] = (struct mr_program_call){
		.node = op->node,
		.flags = (uint8_t)(op->len | (class->marks ? MR_PROGRAM_CALL_MARKS : 0)),
		.arg = op->arg,
	};
	b->marks += class->marks;
	b->owes |= (op->len & MR_CALL_SECONDLY) && class->settle;
	b->call_count++;
	return MR_PROGRAM_OK;
}

static unsigned
flags_of(const struct mr_program_call *c)
{
	return c->flags & ~MR_PROGRAM_CALL_MARKS;
}

/* The state of one call moves into the flow's line, so that flows share the program: the first's
 * that is made for every packet; where there is none, the first's that is the flow's own. */
static void
place_state(struct program_builder *b)
{
	struct mr_program_call *chosen = NULL;

	for (unsigned i = 0; i < b->call_count; i++) {
		struct mr_program_call *c = &b->calls[i];

		if (c->arg && (!chosen || flags_of(chosen) > flags_of(c)))
			chosen = c;
	}
	if (!chosen)
		return;
	b->arg = chosen->arg;
	chosen->arg = 0;
	chosen->from = MR_CALL_FROM_FLOW;
}

/* What else is called for every packet has state of this flow, and it is in the program. */
static bool
is_private(const struct program_builder *b)
{
	for (unsigned i = 0; i < b->call_count && !b->valued; i++)
		if (b->calls[i].arg && !(b->calls[i].flags & MR_CALL_SECONDLY))
			return true;
	return false;
}

/* -- the walk ------------------------------------------------------------------------------ */

/* What a node that was entered rested on: all, unless it said what. */
struct visit {
	bool open, said;
	bool unwrapped; /* out of a tunnel */
};

static void
leave(struct program_builder *b, struct visit *v)
{
	if (v->open && !v->said)
		b->fields |= MR_FLOW_ALL;
	v->open = v->said = false;
}

static enum mr_program_refusal
enter(struct program_builder *b, const struct mr_node_class *class, struct visit *v, unsigned node)
{
	leave(b, v);
	if (node == MR_GRAPH_NODE_RX || node == MR_GRAPH_NODE_TX)
		return MR_PROGRAM_OK;
	if (!class || !class->replays)
		return MR_PROGRAM_NODE;
	v->open = true;
	v->unwrapped |= class->unwraps;
	return credit(b,
	    (struct mr_program_credit){ .kind = MR_CREDIT_NODE,
		.node = (uint16_t)node,
		.times = 1 });
}

static enum mr_program_refusal
op_end(struct program_builder *b, const struct mr_node_class *class, const struct mr_op *op)
{
	if (op->kind == MR_OP_OUTPUT) {
		if (op->arg >= MR_PORT_MAX)
			return MR_PROGRAM_NO_END;
		/* The nodes behind the output were part of the walk. */
		b->verdict = mr_verdict_send(op->arg);
		return MR_PROGRAM_OK;
	}
	/* What the graph itself drops, it drops for a state of its own: a port that is down. */
	if (op->node < MR_GRAPH_NODE_FIRST || !class || op->arg >= class->drop_count)
		return MR_PROGRAM_NO_END;
	b->verdict = mr_verdict_drop(op->arg);
	b->drop_node = op->node;
	return MR_PROGRAM_OK;
}

static enum mr_program_refusal
one(struct mr_programs *s, const struct mr_op *op, const struct mr_flow_key *key, struct visit *v)
{
	const struct mr_node_class *class = class_of(s, op->node);
	struct program_builder *b = &s->builder;

	switch ((enum mr_op_kind)op->kind) {
	case MR_OP_NODE:
		return enter(b, class, v, op->node);
	case MR_OP_USE:
		b->fields |= op->arg & MR_FLOW_ALL;
		v->said = true;
		return MR_PROGRAM_OK;
	case MR_OP_READ:
		return op_read(b, op);
	case MR_OP_REGION:
		return op_region(b, op, key);
	case MR_OP_COUNT:
		return op_count(b, class, op);
	case MR_OP_TALLY:
		return op_tally(b, class, op);
	case MR_OP_CALL:
		/* With a replay it would be told where the headers of the packet inside are. */
		if (MR_FLOW_INSIDE(key->pair) && !v->unwrapped)
			return MR_PROGRAM_SAID;
		return op_call(b, class, op);
	case MR_OP_OUTPUT:
	case MR_OP_DROP:
		return op_end(b, class, op);
	case MR_OP_HOLD:
		return MR_PROGRAM_HELD;
	case MR_OP_REFUSED:
	case MR_OP_END:
		return MR_PROGRAM_NO_END;
	case MR_OP_COPY:
		return MR_PROGRAM_COPIES;
	case MR_OP_UNCACHEABLE:
		return MR_PROGRAM_SAID;
	case MR_OP_META: /* metadata ends with the walk */
	case MR_OP_MATCH:
	case MR_OP_NOTE:
		return MR_PROGRAM_OK;
	case MR_OP_SET:
	case MR_OP_PUSH:
	case MR_OP_POP:
	case MR_OP_TRIM:
	case MR_OP_SUM:
	case MR_OP_TTL:
	case MR_OP_SET_LENGTH:
	case MR_OP_FAMILY:
	case MR_OP_GUARD:
	case MR_OP_LENGTH:
		return mr_program_head_op(&b->head, op);
	}
	return MR_PROGRAM_CONFLICT;
}

/* What says by itself that there will be no program, the plainest first. */
static enum mr_program_refusal
hopeless(const struct mr_recording *r)
{
	bool copies = r->branches > 1;

	if ((r->flags & MR_RECORDING_TRUNCATED) || r->count > MR_RECORD_OPS_MAX)
		return MR_PROGRAM_LONG;
	for (unsigned i = 0; i < r->count; i++) {
		if (r->ops[i].kind == MR_OP_UNCACHEABLE)
			return r->ops[i].node == MR_GRAPH_NODE_HANDOFF ? MR_PROGRAM_NO_END
								       : MR_PROGRAM_SAID;
		copies |= r->ops[i].kind == MR_OP_COPY || r->ops[i].branch;
	}
	if (r->flags & MR_RECORDING_UNCACHEABLE)
		return MR_PROGRAM_SAID;
	return copies ? MR_PROGRAM_COPIES : MR_PROGRAM_OK;
}

/* Nodes that see the packet before it is unwrapped may read its source port freely, as that of any other;
 * the key has the port of the packet inside. Where one did, the outer one is a condition. */
static enum mr_program_refusal
outer_port(struct program_builder *b, const struct mr_recording *r, const struct mr_flow_key *key)
{
	unsigned l3 = MR_FLOW_WHERE_VLAN(key->where) ? 18 : 14;
	struct mr_op op = { .kind = MR_OP_GUARD, .len = 2, .b = UINT16_MAX };
	uint16_t port;

	if (!(b->fields & MR_FLOW_SPORT))
		return MR_PROGRAM_OK;
	if (r->snapped < l3 + 42u)
		return MR_PROGRAM_CONFLICT;
	op.offset = (uint16_t)(l3 + (mr_load_be16(r->snap + l3 - 2) == MR_ETH_TYPE_IP6 ? 40 : 20));
	memcpy(&port, r->snap + op.offset, sizeof(port));
	op.a = port;
	return mr_program_head_op(&b->head, &op);
}

static enum mr_program_refusal
walk(struct mr_programs *s, const struct mr_recording *r, const struct mr_flow_key *key)
{
	struct program_builder *b = &s->builder;
	struct visit visit = { 0 };
	enum mr_program_refusal why = hopeless(r);
	bool wrapped = MR_FLOW_INSIDE(key->pair);

	for (unsigned i = 0; i < r->count && !why; i++) {
		const struct mr_op *op = &r->ops[i];
		const struct mr_node_class *class = class_of(s, op->node);

		if (b->verdict != MR_VERDICT_NONE)
			return MR_PROGRAM_CONFLICT;
		if (wrapped && op->kind == MR_OP_NODE && class && class->unwraps) {
			leave(b, &visit);
			why = outer_port(b, r, key);
			wrapped = false;
		}
		if (!why)
			why = one(s, op, key, &visit);
	}
	leave(b, &visit);
	if (!why && wrapped)
		why = outer_port(b, r, key);
	if (!why && b->verdict == MR_VERDICT_NONE)
		return MR_PROGRAM_NO_END;
	return why;
}

/* -- the bytes ------------------------------------------------------------------------------ */

/* Appends an array; false: it does not fit. */
static bool
append(struct program_builder *b, enum program_part part, const void *items, size_t size,
    unsigned count)
{
	struct program_more *more = (struct program_more *)(b->bytes + sizeof(struct mr_program));

	size_t at = MR_ALIGN_UP(b->used, 8);

	if (at + size * count > sizeof(b->bytes))
		return false;
	memset(b->bytes + b->used, 0, at - b->used);
	b->used = at;
	more->part[part].at = (uint16_t)b->used;
	more->part[part].count = (uint16_t)count;
	memcpy(b->bytes + b->used, items, size * count);
	b->used += size * count;
	return true;
}

static bool
append_own(struct program_builder *b)
{
	const struct mr_generation *own[MR_RECORD_OPS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < b->region_count; i++)
		if (b->own[i])
			own[count++] = b->region_cells[i].cell;
	return append(b, PROGRAM_OWN, own, sizeof(own[0]), count);
}

static bool
append_all(struct program_builder *b)
{
	struct head_result *e = &b->edits;
	unsigned bytes;

	/* In front: a patch looks for them at the fourth line. A wrap has them. */
	if ((!b->wrapped &&
		!append(b, PROGRAM_LENGTHS, e->lengths, sizeof(e->lengths[0]), e->length_count)) ||
	    !append(b, PROGRAM_GUARDS, e->guards, sizeof(e->guards[0]), e->guard_count) ||
	    !append(b, PROGRAM_MOVES, e->moves, sizeof(e->moves[0]), e->move_count) ||
	    !append(b, PROGRAM_FIXES, e->fixes, sizeof(e->fixes[0]), e->fix_count) ||
	    !append(b, PROGRAM_CALLS, b->calls, sizeof(b->calls[0]), b->call_count) ||
	    !append(b, PROGRAM_CREDITS, b->credits, sizeof(b->credits[0]), b->credit_count) ||
	    !append(b, PROGRAM_CELLS, b->cells, sizeof(b->cells[0]), b->cell_count) ||
	    !append_own(b))
		return false;
	/* Writes say where their bytes are: behind them. */
	bytes = (unsigned)(MR_ALIGN_UP(b->used, 8) + e->write_count * sizeof(e->writes[0]));
	for (unsigned i = 0; i < e->write_count && !b->valued; i++)
		e->writes[i].data = (uint16_t)(e->writes[i].data + bytes);
	if (!append(b, PROGRAM_WRITES, e->writes, sizeof(e->writes[0]), e->write_count))
		return false;
	if (b->valued)
		return true;
	if (b->used + e->byte_count > sizeof(b->bytes))
		return false;
	memcpy(b->bytes + b->used, e->bytes, e->byte_count);
	b->used += e->byte_count;
	return true;
}

static bool
is_open(const struct head_result *e)
{
	return !e->guard_count && !e->min_length;
}

static bool
simple(const struct head_result *e)
{
	return !e->move_count && !e->fix_count && !e->write_count && !e->family && !e->length_count;
}

static bool
asks(const struct program_builder *b)
{
	return b->call_count == 1 && !(b->calls[0].flags & MR_CALL_SECONDLY) &&
	    b->calls[0].from == MR_CALL_FROM_FLOW &&
	    (b->verdict & MR_VERDICT_CLASS) != MR_VERDICT_DROP;
}

static enum mr_program_refusal
emit(struct program_builder *b)
{
	const struct head_result *e = &b->edits;
	struct mr_program *g = &b->program;
	struct program_more *more = (struct program_more *)(g + 1);
	unsigned secondly = 0;

	/* Counts are bounded: 16 KB are enough for 256 operations, but append looks. */
	memset(b->bytes, 0, sizeof(*g) + sizeof(*more));
	g->verdict = b->verdict;
	g->node = b->drop_node;
	g->max_length = (uint16_t)e->max_length;
	g->grow = (int8_t)b->head.grow;
	g->ttl = (uint8_t)e->ttl;
	g->write_len = (uint8_t)e->first_len;
	g->headroom = (uint8_t)(MR_MAX(b->head.grow, 0) + (int)(PROGRAM_WRITE_MAX - e->first_len));
	memcpy(g->write + PROGRAM_WRITE_MAX - e->first_len, e->first, e->first_len);
	g->flags = (uint16_t)((e->ttl6 ? MR_PROGRAM_TTL6 : 0) |
	    (b->call_count ? MR_PROGRAM_CALLS : 0) | (b->private ? MR_PROGRAM_PRIVATE : 0) |
	    (b->valued ? MR_PROGRAM_VALUES : 0) | (b->patched ? MR_PROGRAM_PATCH : 0) |
	    (b->wrapped ? MR_PROGRAM_WRAP : 0) | (e->family ? MR_PROGRAM_FAMILY : 0));
	if (e->length_count)
		g->flags |= e->length_count == 1 ? MR_PROGRAM_LENGTH : MR_PROGRAM_LENGTHS;
	g->flags |=
	    (uint16_t)((simple(e) ? MR_PROGRAM_SIMPLE : 0) | (is_open(e) ? MR_PROGRAM_OPEN : 0));
	if (asks(b)) {
		g->flags |= MR_PROGRAM_ASK;
		g->node = b->calls[0].node;
	}
	for (unsigned i = 0; i < b->call_count; i++)
		secondly += b->calls[i].flags & MR_CALL_SECONDLY;
	g->flags |= (uint16_t)((secondly ? MR_PROGRAM_SECONDLY : 0) |
	    (secondly && secondly == b->call_count ? MR_PROGRAM_RARE : 0) |
	    (b->owes ? MR_PROGRAM_OWES : 0) | (b->marks > 1 ? MR_PROGRAM_MARKS : 0));
	g->regions = (uint8_t)((b->regions[0] ? MR_PROGRAM_REGION_DST : 0) |
	    (b->regions[1] ? MR_PROGRAM_REGION_SRC : 0));
	for (unsigned i = 0; i < b->region_count; i++)
		g->regions |= b->own[i] ? MR_PROGRAM_REGION_OWN : 0;
	more->regions[0] = b->regions[0];
	more->regions[1] = b->regions[1];
	more->min_length = (uint16_t)e->min_length;
	more->family = (uint8_t)e->family;
	more->family_at = (uint8_t)e->family_at;
	more->era = b->era;
	b->used = sizeof(*g) + sizeof(*more);
	if (b->patched) {
		memset(b->bytes + b->used, 0, 2 * sizeof(*g) - b->used);
		memcpy(b->bytes + 2 * sizeof(*g), &b->patch, sizeof(b->patch));
		b->used = 2 * sizeof(*g) + sizeof(b->patch);
	}
	if (b->wrapped) {
		memcpy(b->wrap.lengths, e->lengths, e->length_count * sizeof(e->lengths[0]));
		b->wrap.usual = e->length_count == 2 && !e->lengths[0].of && !e->lengths[1].of &&
		    e->lengths[0].kind == MR_SUM_PLAIN && !e->lengths[0].twice &&
		    !e->lengths[1].sum;
		memcpy(b->bytes + b->used, &b->wrap, sizeof(b->wrap));
		more->part[PROGRAM_LENGTHS].at = (uint16_t)b->used;
		more->part[PROGRAM_LENGTHS].count = (uint16_t)e->length_count;
		b->used += sizeof(b->wrap);
		g->headroom = (uint8_t)((unsigned)b->head.grow + MR_PROGRAM_WRAP_MAX - b->wrap.len);
	}
	if (!append_all(b))
		return MR_PROGRAM_LONG;
	g = &b->program;
	g->lines = (uint8_t)((b->used + MR_CACHE_LINE - 1) / MR_CACHE_LINE);
	memset(b->bytes + b->used, 0, g->lines * MR_CACHE_LINE - b->used);
	return MR_PROGRAM_OK;
}

/* Nothing that the walk rested on has changed since it was read. */
static bool
still(const struct program_builder *b)
{
	for (unsigned i = 0; i < b->cell_count; i++)
		if (mr_generation_read(b->cells[i].cell) != b->cells[i].value)
			return false;
	for (unsigned i = 0; i < b->region_count; i++)
		if (mr_generation_read(b->region_cells[i].cell) != b->region_cells[i].value)
			return false;
	return true;
}

static void
begin(struct program_builder *b)
{
	mr_program_head_init(&b->head);
	b->regions[0] = b->regions[1] = NULL;
	b->cell_count = b->region_count = b->call_count = b->credit_count = 0;
	b->owes = false;
	b->marks = 0;
	b->fields = MR_FLOW_PORT;
	b->arg = 0;
	b->private = false;
	b->verdict = MR_VERDICT_NONE;
	b->drop_node = 0;
}

enum mr_program_refusal
mr_program_build(struct mr_programs *s, const struct mr_recording *r, const struct mr_flow_key *key,
    uint32_t epoch, uint32_t *program, uint32_t *arg, uint32_t *stamp,
    struct mr_flow_values *values, unsigned *fields)
{
	struct program_builder *b = &s->builder;
	enum mr_program_refusal why;
	bool comparable = !MR_FLOW_INSIDE(key->pair) && program_like_read(&s->like, r, key);
	uint32_t sum = 0, made;

	made = comparable ? program_like_find(s, r, key, fields) : 0;
	if (made) {
		mr_program_at(s, made)->checked = epoch;
		*program = made;
		*arg = s->like.arg;
		*stamp = s->like.stamp;
		memset(values, 0, sizeof(*values));
		return MR_PROGRAM_OK;
	}
	begin(b);
	why = walk(s, r, key);
	if (why)
		return why;
	mr_program_known(&b->known, r, key);
	place_state(b);
	why = mr_program_head_finish(&b->head, &b->known, &b->fields, &b->edits);
	if (!why && !still(b))
		why = MR_PROGRAM_CHANGED;
	if (why)
		return why;
	mr_program_split(b);
	b->private = is_private(b);
	why = emit(b);
	if (why)
		return why;
	for (unsigned i = 0; i < b->region_count; i++)
		sum += b->region_cells[i].value;
	made = mr_programs_intern(s, b->private);
	if (!made)
		return MR_PROGRAM_MEMORY;
	mr_program_at(s, made)->checked = epoch;
	*program = made;
	*arg = b->arg;
	*stamp = sum;
	memcpy(values, &b->values, sizeof(*values));
	*fields = b->fields;
	if (comparable)
		program_like_keep(s, r, key, made);
	return MR_PROGRAM_OK;
}
