/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Recordings that are alike but for addresses, ports, and a call's number have the same program: the
 * one of the last that was like this one is found without making it again.
 *
 * What decides of an operation is written as four words (struct program_like_op): a node's cycle
 * stamp, what was matched and notes do not count, nor in which region of a table the address is.
 * Of what the key says of the packet (program_known.c), bytes that no guard and no write is about
 * may be others. Only programs are kept whose flows have no values and share them, of walks that open
 * and remove nothing, so that places in the recording are places in the packet as it comes in.
 */

#include "kit/base/counter.h"
#include "kit/flow/program_int.h"

enum { HEAD = 1u << 0, ARG = 1u << 1, A = 1u << 2, B = 1u << 3, NEVER = 1u << 4 };

/* What counts beside an operation's kind and branch. */
static const uint8_t counts[] = {
	[MR_OP_NODE] = HEAD,
	[MR_OP_SET] = HEAD | A | B,
	[MR_OP_PUSH] = NEVER,
	[MR_OP_POP] = NEVER,
	[MR_OP_TRIM] = NEVER,
	[MR_OP_SET_LENGTH] = NEVER,
	[MR_OP_SUM] = HEAD | ARG,
	[MR_OP_TTL] = HEAD | ARG,
	[MR_OP_FAMILY] = NEVER,
	[MR_OP_META] = 0,
	[MR_OP_GUARD] = HEAD | A | B,
	[MR_OP_READ] = HEAD | A | B,
	[MR_OP_REGION] = HEAD | B,
	[MR_OP_MATCH] = 0,
	[MR_OP_NOTE] = 0,
	[MR_OP_COUNT] = HEAD | ARG | A,
	[MR_OP_LENGTH] = HEAD | ARG,
	[MR_OP_CALL] = HEAD,
	[MR_OP_TALLY] = HEAD | ARG,
	[MR_OP_USE] = HEAD | ARG,
	[MR_OP_COPY] = NEVER,
	[MR_OP_UNCACHEABLE] = NEVER,
	[MR_OP_OUTPUT] = HEAD | ARG,
	[MR_OP_DROP] = HEAD | ARG,
	[MR_OP_HOLD] = NEVER,
	[MR_OP_REFUSED] = NEVER,
	[MR_OP_END] = NEVER,
};

mr_inline uint64_t
all_if(unsigned set)
{
	return set ? UINT64_MAX : 0;
}

/* The region is one of the key's addresses' (op_region in program_build.c), and as it was. */
static bool
read_region(struct program_like *l, const struct mr_op *op, const struct mr_flow_key *key,
    struct program_like_op *to)
{
	const struct mr_regions *regions = (const struct mr_regions *)(uintptr_t)op->b;
	unsigned src;

	if (!regions || op->arg >= MR_REGIONS ||
	    mr_generation_read(&regions->cells[op->arg]) != (uint32_t)op->a)
		return false;
	for (src = 0; src < 2; src++)
		if (!l->regions[src] && op->arg == program_region_of(key, src))
			break;
	if (src == 2 || (l->regions[!src] == regions && l->region[!src] == op->arg))
		return false;
	l->regions[src] = regions;
	l->region[src] = op->arg;
	l->stamp += (uint32_t)op->a;
	to->arg = src;
	return true;
}

static bool
read_cell(const struct mr_op *op)
{
	const struct mr_generation *cell = (const struct mr_generation *)(uintptr_t)op->b;

	return cell && mr_generation_read(cell) == (uint32_t)op->a;
}

/* One call may be of any number: it goes into the flow's line. */
static bool
read_call(struct program_like *l, const struct mr_op *op, struct program_like_op *to)
{
	if (l->calls++)
		return false;
	l->arg = op->arg;
	to->arg = op->arg != 0;
	return true;
}

bool
program_like_read(struct program_like *l, const struct mr_recording *r,
    const struct mr_flow_key *key)
{
	uint64_t hash = r->count;

	if (r->count > MR_ARRAY_COUNT(l->ops) || r->flags || r->branches > 1)
		return false;
	l->regions[0] = l->regions[1] = NULL;
	l->calls = l->arg = l->stamp = 0;
	for (unsigned i = 0; i < r->count; i++) {
		const struct mr_op *op = &r->ops[i];
		struct program_like_op *to = &l->ops[i];
		unsigned by;

		if (op->kind >= MR_ARRAY_COUNT(counts) || (counts[op->kind] & NEVER))
			return false;
		by = counts[op->kind];
		memcpy(&to->head, op, sizeof(to->head));
		to->head &= all_if(by & HEAD) | 0xffff;
		to->arg = op->arg & all_if(by & ARG);
		to->a = op->a & all_if(by & A);
		to->b = op->b & all_if(by & B);
		if ((op->kind == MR_OP_REGION && !read_region(l, op, key, to)) ||
		    (op->kind == MR_OP_READ && !read_cell(op)) ||
		    (op->kind == MR_OP_CALL && !read_call(l, op, to)))
			return false;
		hash = (hash ^ to->head ^ to->arg << 32) * 0x9e3779b97f4a7c15ull;
		hash = (hash ^ hash >> 29 ^ to->a ^ (to->b << 23 | to->b >> 41)) *
		    0xff51afd7ed558ccdull;
	}
	l->count = r->count;
	l->slot = (uint32_t)(hash >> 32) % PROGRAM_LIKES;
	return true;
}

/* Where the key's source address stands in the packet. */
mr_inline unsigned
source_at(const struct mr_flow_key *key)
{
	return (MR_FLOW_WHERE_VLAN(key->where) ? 18 : 14) +
	    (MR_FLOW_WHERE_SIX(key->where) ? 8 : 12);
}

/* What the key says of the packet is the same, as far as it matters. */
static bool
same_known(const struct program_liked *k, const struct mr_recording *r,
    const struct mr_flow_key *key)
{
	unsigned size = MR_FLOW_WHERE_SIX(key->where) ? 16 : 4, src = source_at(key);

	if (k->where != key->where || k->paired != (key->pair != 0) || r->snapped < k->snapped)
		return false;
	for (unsigned i = 0; i < MR_ARRAY_COUNT(k->mask); i++) {
		uint64_t word;

		memcpy(&word, r->snap + 8 * i, sizeof(word));
		if ((word & k->mask[i]) != k->value[i])
			return false;
	}
	return !memcmp(r->snap + src, key->src, size) &&
	    !memcmp(r->snap + src + size, key->dst, size);
}

uint32_t
program_like_find(struct mr_programs *s, const struct mr_recording *r,
    const struct mr_flow_key *key, unsigned *fields)
{
	struct program_like *l = &s->like;

	for (unsigned way = 0; way < 2; way++) {
		unsigned slot = l->slot ^ way;
		const struct program_liked *k = &s->liked[slot];

		if (!s->liked_program[slot] || k->count != l->count ||
		    memcmp(k->ops, l->ops, l->count * sizeof(k->ops[0])) || !same_known(k, r, key))
			continue;
		mr_counter_add(&s->shared, 1);
		mr_program_at(s, s->liked_program[slot])->users++;
		*fields = k->fields;
		return s->liked_program[slot];
	}
	return 0;
}

/* A guard or a write is about this byte. */
static bool
is_used(const struct mr_recording *r, unsigned at)
{
	for (unsigned i = 0; i < r->count; i++)
		if ((r->ops[i].kind == MR_OP_SET || r->ops[i].kind == MR_OP_GUARD) &&
		    at - r->ops[i].offset < r->ops[i].len)
			return true;
	return false;
}

void
program_like_keep(struct mr_programs *s, const struct mr_recording *r,
    const struct mr_flow_key *key, uint32_t program)
{
	const struct program_builder *b = &s->builder;
	unsigned proto = MR_FLOW_WHERE_PROTO(key->where), others = MR_FLOW_SRC | MR_FLOW_DST, slot;
	bool tcp = proto == MR_IP_PROTO_TCP;
	uint8_t mask[PROGRAM_LIKE_BYTES] = { 0 }, value[PROGRAM_LIKE_BYTES] = { 0 };
	struct program_liked *k;

	if (b->valued || b->private || !b->known.length ||
	    r->snapped < b->known.length + (tcp ? sizeof(struct mr_tcp) : 8) ||
	    b->known.length + sizeof(struct mr_tcp) > PROGRAM_LIKE_BYTES)
		return;
	if (b->known.ports)
		others |= MR_FLOW_SPORT | MR_FLOW_DPORT;
	for (unsigned i = 0; i < PROGRAM_LIKE_BYTES; i++) {
		if ((b->known.fields[i] & others) && !is_used(r, i))
			continue;
		mask[i] = b->known.mask[i];
		value[i] = b->known.value[i] & mask[i];
	}
	slot = s->like.slot ^ (s->like_way ^= 1);
	k = &s->liked[slot];
	s->liked_program[slot] = program;
	k->where = key->where;
	k->paired = key->pair != 0;
	k->snapped = (uint8_t)(b->known.length + (tcp ? sizeof(struct mr_tcp) : 8));
	k->count = s->like.count;
	k->fields = b->fields;
	memcpy(k->mask, mask, sizeof(mask));
	memcpy(k->value, value, sizeof(value));
	memcpy(k->ops, s->like.ops, k->count * sizeof(k->ops[0]));
}

void
program_like_forget(struct mr_programs *s, uint32_t program)
{
	for (unsigned i = 0; i < PROGRAM_LIKES; i++)
		s->liked_program[i] = s->liked_program[i] == program ? 0 : s->liked_program[i];
}

void
program_like_forget_all(struct mr_programs *s)
{
	memset(s->liked_program, 0, sizeof(s->liked_program));
}
