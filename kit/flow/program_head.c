/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The normaliser of edits. It walks the operations over a head of symbols: each byte is an old one
 * (from where), a new one (what value) or empty room; an old one may carry a change, of a TTL or
 * a checksum. Whatever the order of the operations, what is left at the end says in one
 * go where each byte of the new head comes from (program_finish.c):
 *
 *   before   |d d d d d d|s s s s s s|08 00|45 ..|TTL|..        as it comes in
 *   after    |n n n n n n|n n n n n n|n  n |45 ..|TTL - 1|..    n: written
 *
 * Nothing here trusts a recording: offsets outside of the symbols are refused.
 */

#include <string.h>

#include "kit/flow/program_int.h"

void
mr_program_head_init(struct head *h)
{
	h->count = 0;
	h->grow = 0;
	h->reach = h->reach_before = 0;
	h->family = h->family_at = 0;
	h->max_length = UINT16_MAX;
	h->mod_count = h->length_count = 0;
	h->shifted = false;
	h->written = 0;
	memset(h->guard_mask, 0, sizeof(h->guard_mask));
	memset(h->guard_value, 0, sizeof(h->guard_value));
}

/* -- operations ------------------------------------------------------------------------ */

/* These bytes of the head as it is now must be there: old ones in the packet as it comes in. */
static bool
touch(struct head *h, unsigned at, unsigned len)
{
	if (at + len > HEAD_BYTES + (unsigned)h->grow)
		return false;
	for (; h->count < at + len; h->count++)
		h->cells[h->count] =
		    (struct head_cell){ .from = (uint16_t)((int)h->count - h->grow) };
	/* Old bytes keep their order: the last one counts. */
	for (unsigned i = at + len; i-- > at;)
		if (h->cells[i].kind == HEAD_OLD) {
			h->reach = MR_MAX(h->reach, h->cells[i].from + 1u);
			break;
		}
	return true;
}

static enum mr_program_refusal
op_set(struct head *h, const struct mr_op *op)
{
	if (op->len > sizeof(op->bytes))
		return MR_PROGRAM_CONFLICT;
	if (!touch(h, op->offset, op->len))
		return MR_PROGRAM_LONG;
	for (unsigned i = 0; i < op->len; i++)
		h->cells[op->offset + i] =
		    (struct head_cell){ .kind = HEAD_NEW, .value = op->bytes[i] };
	h->written = MR_MAX(h->written, op->offset + (unsigned)op->len);
	return MR_PROGRAM_OK;
}

static enum mr_program_refusal
op_push(struct head *h, const struct mr_op *op)
{
	struct head_cell *at;

	if (h->grow + op->len > HEAD_GROWS || !touch(h, 0, op->offset))
		return MR_PROGRAM_LONG;
	at = h->cells + op->offset;
	memmove(at + op->len, at, (h->count - op->offset) * sizeof(*at));
	for (unsigned i = 0; i < op->len; i++)
		at[i] = (struct head_cell){ .kind = HEAD_EMPTY };
	h->count += op->len;
	h->grow += op->len;
	h->shifted = true;
	return MR_PROGRAM_OK;
}

static enum mr_program_refusal
op_pop(struct head *h, const struct mr_op *op)
{
	struct head_cell *at;

	if (h->grow - op->len < -HEAD_GROWS || !touch(h, 0, op->offset + op->len))
		return MR_PROGRAM_LONG;
	at = h->cells + op->offset;
	memmove(at, at + op->len, (h->count - op->offset - op->len) * sizeof(*at));
	h->count -= op->len;
	h->grow -= op->len;
	h->shifted = true;
	return MR_PROGRAM_OK;
}

/* A change of the `len` old bytes at `at`: the one that they have, or a new one of this kind. */
static struct head_mod *
mod_get(struct head *h, unsigned at, unsigned len, enum program_fix_kind kind)
{
	struct head_cell *c = h->cells + at;

	if (c->mod) {
		if (head_mod_of(h, c)->kind != kind || c->half != 0 ||
		    (len == 2 && (c[1].mod != c->mod || c[1].half != 1)))
			return NULL;
		return head_mod_of(h, c);
	}
	if ((len == 2 && c[1].mod) || h->mod_count == HEAD_MODS)
		return NULL;
	h->mods[h->mod_count] = (struct head_mod){ .kind = (uint8_t)kind };
	h->mod_count++;
	for (unsigned i = 0; i < len; i++) {
		c[i].mod = (uint8_t)h->mod_count;
		c[i].half = (uint8_t)i;
	}
	return head_mod_of(h, c);
}

static enum mr_program_refusal
sum(struct head *h, unsigned at, be16_t delta, enum mr_sum_kind kind, bool ttl)
{
	struct head_cell *c = h->cells + at;
	struct head_mod *mod;
	be16_t check;

	if (head_all(h, at, 2, HEAD_NEW) || head_is_pair(h, at, HEAD_LENGTH_SUM)) {
		if (c->mod && h->lengths[c->mod - 1].kind != kind)
			return MR_PROGRAM_CONFLICT;
		memcpy(&check, (uint8_t[]){ c[0].value, c[1].value }, sizeof(check));
		check = kind == MR_SUM_UDP ? mr_checksum_apply_udp(check, delta)
					   : mr_checksum_apply(check, delta);
		c[0].value = (uint8_t)check;
		c[1].value = (uint8_t)(check >> 8);
		return MR_PROGRAM_OK;
	}
	if (!head_all(h, at, 2, HEAD_OLD))
		return MR_PROGRAM_CONFLICT;
	mod = mod_get(h, at, 2, kind == MR_SUM_UDP ? PROGRAM_FIX_SUM_UDP : PROGRAM_FIX_SUM);
	if (!mod)
		return MR_PROGRAM_CONFLICT;
	if (ttl)
		mod->count++;
	else
		mod->delta += delta;
	return MR_PROGRAM_OK;
}

static enum mr_program_refusal
op_sum(struct head *h, const struct mr_op *op)
{
	if (op->len > MR_SUM_UDP || op->arg > UINT16_MAX)
		return MR_PROGRAM_CONFLICT;
	if (!touch(h, op->offset, 2))
		return MR_PROGRAM_LONG;
	return sum(h, op->offset, (be16_t)op->arg, (enum mr_sum_kind)op->len, false);
}

static enum mr_program_refusal
less(struct head *h, unsigned at, bool six)
{
	struct head_cell *c = h->cells + at;
	struct head_mod *mod;

	if (c->kind == HEAD_NEW) {
		c->value--;
		return MR_PROGRAM_OK;
	}
	if (c->kind != HEAD_OLD)
		return MR_PROGRAM_CONFLICT;
	mod = mod_get(h, at, 1, PROGRAM_FIX_LESS);
	if (!mod || mod->count == UINT8_MAX)
		return MR_PROGRAM_CONFLICT;
	mod->count++;
	mod->ttl4 = !six;
	mod->ttl6 = six;
	return MR_PROGRAM_OK;
}

static enum mr_program_refusal
op_ttl(struct head *h, const struct mr_op *op)
{
	enum mr_program_refusal why;

	if (op->arg == 6)
		return touch(h, op->offset + 7u, 1) ? less(h, op->offset + 7u, true)
						    : MR_PROGRAM_LONG;
	if (op->arg != 4)
		return MR_PROGRAM_CONFLICT;
	if (!touch(h, op->offset + 8u, 1) || !touch(h, op->offset + 10u, 2))
		return MR_PROGRAM_LONG;
	why = less(h, op->offset + 8u, false);
	return why ? why : sum(h, op->offset + 10u, PROGRAM_TTL_DELTA, MR_SUM_PLAIN, true);
}

static enum mr_program_refusal
guard_old(struct head *h, const struct head_cell *c, uint8_t mask, uint8_t value)
{
	/* Only what stands in front of a header that became another one is where it was. */
	if (h->family && c->from >= h->family_at)
		return MR_PROGRAM_CONFLICT;
	if (c->mod) {
		/* What it was before it was made less is known when all of it is. */
		if (head_mod_of(h, c)->kind != PROGRAM_FIX_LESS || mask != 0xff)
			return MR_PROGRAM_CONFLICT;
		value = (uint8_t)(value + head_mod_of(h, c)->count);
	}
	if ((h->guard_value[c->from] ^ value) & h->guard_mask[c->from] & mask)
		return MR_PROGRAM_CONFLICT;
	h->guard_mask[c->from] |= mask;
	h->guard_value[c->from] |= value;
	return MR_PROGRAM_OK;
}

static enum mr_program_refusal
op_guard(struct head *h, const struct mr_op *op)
{
	enum mr_program_refusal why = MR_PROGRAM_OK;
	uint64_t may;

	if (op->len > 8 || !touch(h, op->offset, op->len))
		return MR_PROGRAM_GUARD;
	may = op->len ? UINT64_MAX >> (64 - 8 * op->len) & op->b : 0;
	if (op->a & ~may) /* holds for no packet */
		return MR_PROGRAM_CONFLICT;
	for (unsigned i = 0; i < op->len && !why; i++) {
		const struct head_cell *c = &h->cells[op->offset + i];
		uint8_t mask = (uint8_t)(op->b >> 8 * i), value = (uint8_t)(op->a >> 8 * i) & mask;

		if (!mask)
			continue;
		if (c->kind == HEAD_OLD)
			why = guard_old(h, c, mask, value);
		else if (c->kind != HEAD_NEW || ((c->value ^ value) & mask))
			why = MR_PROGRAM_CONFLICT;
	}
	return why;
}

static enum mr_program_refusal
op_length(struct head *h, const struct mr_op *op)
{
	int64_t bound = (int64_t)op->arg - mr_program_head_grown(h);

	if (bound < 0)
		return MR_PROGRAM_CONFLICT;
	if (bound < h->max_length)
		h->max_length = (uint32_t)bound;
	return MR_PROGRAM_OK;
}

/* -- lengths that are written ----------------------------------------------------------- */

static void
pair_set(struct head *h, unsigned at, enum head_kind kind, unsigned mod, be16_t value)
{
	uint8_t bytes[2];

	memcpy(bytes, &value, sizeof(bytes));
	for (unsigned i = 0; i < 2; i++)
		h->cells[at + i] = (struct head_cell){ .kind = (uint8_t)kind,
			.value = bytes[i],
			.mod = (uint8_t)mod,
			.half = (uint8_t)i };
}

/* What it is reckoned from: the packet, another length, or old bytes. */
static bool
length_source(const struct head *h, unsigned of, struct head_length *l)
{
	const struct head_cell *c = h->cells + of;
	const struct head_length *other;

	if (!of) {
		l->of_packet = true;
		l->more = (uint16_t)(l->more + (unsigned)h->grow);
		return true;
	}
	if (head_is_pair(h, of, HEAD_LENGTH)) {
		other = &h->lengths[c->mod - 1];
		l->of_packet = other->of_packet;
		l->of = other->of;
		l->more = (uint16_t)(l->more + other->more);
		return true;
	}
	l->of = c->from;
	return head_all(h, of, 2, HEAD_OLD) && !c[0].mod && !c[1].mod && c[1].from == c[0].from + 1;
}

/* The checksum is left without the length that stood there. False: it is no new one, or has another
 * length in it already. */
static bool
length_sum(struct head *h, const struct mr_op *op, unsigned mod)
{
	unsigned at = (unsigned)op->b;
	uint64_t was = (uint64_t)(be16_t)~head_pair_value(h, op->offset) << (op->len >> 1);
	be16_t check;

	if (!head_all(h, at, 2, HEAD_NEW) || !head_all(h, op->offset, 2, HEAD_NEW))
		return false;
	check = head_pair_value(h, at);
	if ((op->len & 1) != MR_SUM_UDP)
		pair_set(h, at, HEAD_LENGTH_SUM, mod, mr_checksum_apply(check, was));
	else if (check)
		pair_set(h, at, HEAD_LENGTH_SUM, mod, mr_checksum_apply_udp(check, was));
	return true;
}

static bool
are_apart(unsigned a, unsigned b)
{
	return a + 2 <= b || b + 2 <= a;
}

/* All ones stand in for it: they are nothing to a checksum. */
static enum mr_program_refusal
op_set_length(struct head *h, const struct mr_op *op)
{
	struct head_length l = { .kind = op->len & 1,
		.twice = op->len >> 1,
		.more = (uint16_t)op->arg };

	if (op->len > 3 || op->a > UINT16_MAX || op->b > UINT16_MAX)
		return MR_PROGRAM_CONFLICT;
	if (!touch(h, op->offset, 2) || (op->a && !touch(h, (unsigned)op->a, 2)) ||
	    (op->b && !touch(h, (unsigned)op->b, 2)))
		return MR_PROGRAM_LONG;
	if ((op->a && !are_apart((unsigned)op->a, op->offset)) ||
	    (op->b && !are_apart((unsigned)op->b, op->offset)) ||
	    (op->a && op->b && !are_apart((unsigned)op->a, (unsigned)op->b)) ||
	    !length_source(h, (unsigned)op->a, &l))
		return MR_PROGRAM_CONFLICT;
	if (h->length_count == HEAD_LENGTHS)
		return MR_PROGRAM_LONG;
	if (op->b && !length_sum(h, op, h->length_count + 1))
		return MR_PROGRAM_CONFLICT;
	h->lengths[h->length_count++] = l;
	pair_set(h, op->offset, HEAD_LENGTH, h->length_count, UINT16_MAX);
	h->written = MR_MAX(h->written, op->offset + 2u);
	return MR_PROGRAM_OK;
}

/* It is done in front of everything else: nothing may have been. */
static enum mr_program_refusal
op_family(struct head *h, const struct mr_op *op)
{
	if (h->family || h->grow || h->mod_count || (op->arg != 4 && op->arg != 6))
		return MR_PROGRAM_CONFLICT;
	for (unsigned i = 0; i < h->count; i++)
		if (h->cells[i].kind != HEAD_OLD || h->cells[i].from != i)
			return MR_PROGRAM_CONFLICT;
	/* The header, and eight bytes of layer 4. */
	if (op->offset > UINT8_MAX || op->offset + 48u > HEAD_BYTES)
		return MR_PROGRAM_LONG;
	h->family = op->arg;
	h->family_at = op->offset;
	h->reach_before = MR_MAX(h->reach, op->offset + (op->arg == 4 ? 48u : 28u));
	h->count = h->reach = 0;
	return MR_PROGRAM_OK;
}

enum mr_program_refusal
mr_program_head_op(struct head *h, const struct mr_op *op)
{
	switch (op->kind) {
	case MR_OP_SET:
		return op_set(h, op);
	case MR_OP_PUSH:
		return op_push(h, op);
	case MR_OP_POP:
		return op_pop(h, op);
	case MR_OP_SUM:
		return op_sum(h, op);
	case MR_OP_TTL:
		return op_ttl(h, op);
	case MR_OP_SET_LENGTH:
		return op_set_length(h, op);
	case MR_OP_FAMILY:
		return op_family(h, op);
	case MR_OP_GUARD:
		return op_guard(h, op);
	case MR_OP_LENGTH:
		return op_length(h, op);
	case MR_OP_TRIM: /* it depends on the length, and is done at the tail */
		return MR_PROGRAM_CONFLICT;
	default:
		return MR_PROGRAM_OK;
	}
}
