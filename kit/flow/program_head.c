/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The normaliser of edits. It walks the operations over a head of symbols: each byte is an old one
 * (from where), a new one (what value) or empty room; an old one may carry a change, of a TTL or
 * a checksum. Whatever the order of the operations, what is left at the end says in one
 * go where each byte of the new head comes from:
 *
 *   before   |d d d d d d|s s s s s s|08 00|45 ..|TTL|..        as it comes in
 *   after    |n n n n n n|n n n n n n|n  n |45 ..|TTL - 1|..    n: written
 *
 * Old bytes keep their order, so moves of whole stretches can always be done one after the other:
 * first those towards the front, from the front; then those towards the back, from the back.
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
	h->mod_count = 0;
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

static struct head_mod *
mod_of(struct head *h, const struct head_cell *c)
{
	return &h->mods[c->mod - 1];
}

/* A change of the `len` old bytes at `at`: the one that they have, or a new one of this kind. */
static struct head_mod *
mod_get(struct head *h, unsigned at, unsigned len, enum program_fix_kind kind)
{
	struct head_cell *c = h->cells + at;

	if (c->mod) {
		if (mod_of(h, c)->kind != kind || c->half != 0 ||
		    (len == 2 && (c[1].mod != c->mod || c[1].half != 1)))
			return NULL;
		return mod_of(h, c);
	}
	if ((len == 2 && c[1].mod) || h->mod_count == HEAD_MODS)
		return NULL;
	h->mods[h->mod_count] = (struct head_mod){ .kind = (uint8_t)kind };
	h->mod_count++;
	for (unsigned i = 0; i < len; i++) {
		c[i].mod = (uint8_t)h->mod_count;
		c[i].half = (uint8_t)i;
	}
	return mod_of(h, c);
}

/* All `len` bytes at `at` are of one kind. */
static bool
all(const struct head *h, unsigned at, unsigned len, enum head_kind kind)
{
	for (unsigned i = at; i < at + len; i++)
		if (h->cells[i].kind != kind)
			return false;
	return true;
}

static enum mr_program_refusal
sum(struct head *h, unsigned at, be16_t delta, enum mr_sum_kind kind, bool ttl)
{
	struct head_cell *c = h->cells + at;
	struct head_mod *mod;
	be16_t check;

	if (all(h, at, 2, HEAD_NEW)) {
		memcpy(&check, (uint8_t[]){ c[0].value, c[1].value }, sizeof(check));
		check = kind == MR_SUM_UDP ? mr_checksum_apply_udp(check, delta)
					   : mr_checksum_apply(check, delta);
		c[0].value = (uint8_t)check;
		c[1].value = (uint8_t)(check >> 8);
		return MR_PROGRAM_OK;
	}
	if (!all(h, at, 2, HEAD_OLD))
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
	if (c->kind == HEAD_EMPTY)
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
		if (mod_of(h, c)->kind != PROGRAM_FIX_LESS || mask != 0xff)
			return MR_PROGRAM_CONFLICT;
		value = (uint8_t)(value + mod_of(h, c)->count);
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
		else if (c->kind == HEAD_EMPTY || ((c->value ^ value) & mask))
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

/* -- the end ----------------------------------------------------------------------------- */

/* So many bytes there are in all packets that agree in these fields. */
static unsigned
promised(const struct head_known *k, unsigned fields)
{
	return fields & MR_FLOW_PROTO ? k->length_l4 : k->length;
}

/* On none of the eight bytes from here on. */
mr_inline bool
no_guards(const struct head *h, unsigned i)
{
	uint64_t mask;

	memcpy(&mask, h->guard_mask + i, sizeof(mask));
	return !mask;
}

/* Guards that the key answers are settled; the others are gathered by eight bytes. */
static enum mr_program_refusal
finish_guards(struct head *h, const struct head_known *k, unsigned *fields, struct head_result *r)
{
	unsigned seen = h->reach, end;

	for (unsigned i = 0; i < seen; i++) {
		uint8_t by_key = k->mask[i] & h->guard_mask[i];

		if (no_guards(h, i)) {
			i += 7;
			continue;
		}
		if (!by_key)
			continue;
		if ((k->value[i] ^ h->guard_value[i]) & by_key)
			return MR_PROGRAM_CONFLICT;
		*fields |= k->fields[i];
		h->guard_mask[i] &= (uint8_t)~by_key;
	}
	/* Eight bytes are always read: they must be there. */
	end = MR_MAX(h->reach, promised(k, *fields));
	end = MR_MAX(end, 8u);
	for (unsigned i = 0; i < seen;) {
		struct program_guard *g = &r->guards[r->guard_count];
		unsigned at = MR_MIN(i, end - 8);

		if (!h->guard_mask[i]) {
			i += no_guards(h, i) ? 8 : 1;
			continue;
		}
		*g = (struct program_guard){ .offset = at };
		for (unsigned j = i - at; j < 8; j++, i++) {
			g->mask |= (uint64_t)h->guard_mask[i] << 8 * j;
			g->value |= (uint64_t)(h->guard_value[i] & h->guard_mask[i]) << 8 * j;
		}
		r->guard_count++;
		h->reach = MR_MAX(h->reach, at + 8);
	}
	return MR_PROGRAM_OK;
}

/* How far the old byte at `j` of the new head is from where it came in; towards the back: > 0. */
static int
shift_of(const struct head *h, unsigned j)
{
	return (int)j - h->grow - (int)h->cells[j].from;
}

static void
add_move(struct head_result *r, const struct head *h, unsigned j, unsigned len)
{
	r->moves[r->move_count++] = (struct program_move){
		.from = (int16_t)h->cells[j].from,
		.to = (int16_t)((int)j - h->grow),
		.len = (uint16_t)len,
	};
}

static void
finish_moves(const struct head *h, struct head_result *r)
{
	unsigned i = 0, len, back;

	for (; i < h->count; i += len) {
		len = 1;
		if (h->cells[i].kind != HEAD_OLD || shift_of(h, i) >= 0)
			continue;
		while (i + len < h->count && h->cells[i + len].kind == HEAD_OLD &&
		    shift_of(h, i + len) == shift_of(h, i))
			len++;
		add_move(r, h, i, len);
	}
	for (back = h->count; back > 0; back -= len) {
		len = 1;
		if (h->cells[back - 1].kind != HEAD_OLD || shift_of(h, back - 1) <= 0)
			continue;
		while (back > len && h->cells[back - 1 - len].kind == HEAD_OLD &&
		    shift_of(h, back - 1 - len) == shift_of(h, back - 1))
			len++;
		add_move(r, h, back - len, len);
	}
}

/* The bytes of the run at `j` stand there already, by fields that the flow rests on anyway. Only
 * whole runs are left out: an accident of single bytes must not make two programs of one. */
static bool
there_already(const struct head *h, const struct head_known *k, unsigned fields, unsigned j,
    unsigned len)
{
	int at = (int)j - h->grow;

	if (at < 0 || h->family)
		return false;
	for (unsigned i = 0; i < len; i++, at++)
		if (at >= (int)HEAD_BYTES || k->mask[at] != 0xff || (k->fields[at] & ~fields) ||
		    k->value[at] != h->cells[j + i].value)
			return false;
	return true;
}

static enum mr_program_refusal
finish_writes(const struct head *h, const struct head_known *k, unsigned fields,
    struct head_result *r)
{
	/* What nothing was opened in has new bytes only where some were written. */
	unsigned end = h->shifted ? h->count : MR_MIN(h->count, h->written);

	for (unsigned j = 0, len; j < end; j += len) {
		unsigned first;

		len = 1;
		if (h->cells[j].kind == HEAD_EMPTY)
			return MR_PROGRAM_CONFLICT;
		if (h->cells[j].kind != HEAD_NEW)
			continue;
		while (j + len < h->count && h->cells[j + len].kind == HEAD_NEW)
			len++;
		if (there_already(h, k, fields, j, len))
			continue;
		first = j == 0 ? MR_MIN(len, (unsigned)PROGRAM_WRITE_MAX) : 0;
		for (unsigned i = 0; i < first; i++)
			r->first[i] = h->cells[i].value;
		if (j == 0)
			r->first_len = first;
		if (len == first)
			continue;
		r->writes[r->write_count++] = (struct program_write){
			.at = (int16_t)((int)(j + first) - h->grow),
			.len = (uint16_t)(len - first),
			.data = (uint16_t)r->byte_count,
		};
		for (unsigned i = first; i < len; i++)
			r->bytes[r->byte_count++] = h->cells[j + i].value;
	}
	return MR_PROGRAM_OK;
}

static void
add_fix(struct head_result *r, int at, enum program_fix_kind kind, be16_t delta)
{
	r->fixes[r->fix_count++] =
	    (struct program_fix){ .at = (int16_t)at, .kind = (uint16_t)kind, .delta = delta };
}

/* Whether the TTL at `j` of the new head can be the first line's; its checksum then does one TTL
 * less of its own. */
static bool
first_ttl(struct head *h, struct head_result *r, unsigned j)
{
	const struct head_mod *mod = mod_of(h, &h->cells[j]);
	int at = (int)j - h->grow - (mod->ttl6 ? 7 : 8);
	const struct head_cell *check = &h->cells[j + 2];

	/* The header's first bytes may be gone. */
	if (r->ttl || mod->count != 1 || at < 1 || at > UINT8_MAX || at + h->grow < 0)
		return false;
	if (mod->ttl6) {
		r->ttl6 = true;
	} else {
		if (j + 3 >= h->count || check->kind != HEAD_OLD || !check->mod ||
		    check->half != 0 || mod_of(h, check)->kind != PROGRAM_FIX_SUM ||
		    !mod_of(h, check)->count)
			return false;
		mod_of(h, check)->count--;
	}
	r->ttl = (unsigned)at;
	return true;
}

static enum mr_program_refusal
finish_fixes(struct head *h, struct head_result *r)
{
	unsigned left = h->mod_count;

	for (unsigned j = 0; j < h->count && left > 0; j++) {
		const struct head_cell *c = &h->cells[j];
		const struct head_mod *mod;
		int at = (int)j - h->grow;
		uint64_t delta;

		if (c->kind != HEAD_OLD || !c->mod)
			continue;
		mod = mod_of(h, c);
		if (mod->kind == PROGRAM_FIX_LESS) {
			if (!first_ttl(h, r, j))
				add_fix(r, at, PROGRAM_FIX_LESS, mod->count);
			left--;
			continue;
		}
		/* Both halves of a checksum, and together. */
		if (c->half != 0 || j + 1 == h->count || c[1].kind != HEAD_OLD ||
		    c[1].mod != c->mod || c[1].half != 1)
			return MR_PROGRAM_CONFLICT;
		delta = mod->delta + (uint64_t)mod->count * PROGRAM_TTL_DELTA;
		if (delta)
			add_fix(r, at, (enum program_fix_kind)mod->kind, mr_checksum_fold(delta));
		left--;
		j++;
	}
	return MR_PROGRAM_OK;
}

/* The key says that the packets are what kit/record/family.h is made for. */
static enum mr_program_refusal
finish_family(struct head *h, const struct head_known *k, unsigned *fields, struct head_result *r)
{
	r->family = h->family;
	r->family_at = h->family_at;
	if (!h->family)
		return MR_PROGRAM_OK;
	if (!k->l3 || h->family_at != k->l3 || k->six != (h->family == 4) ||
	    (!k->ports && !k->echo))
		return MR_PROGRAM_CONFLICT;
	*fields |= MR_FLOW_PROTO | (k->echo ? MR_FLOW_DPORT : 0);
	/* From here on, of the packet as it comes in. */
	if (h->family == 4 && h->reach)
		h->reach += 20;
	else if (h->family == 6)
		h->reach -= MR_MIN(h->reach, 20u);
	h->reach = MR_MAX(h->reach, h->reach_before);
	return MR_PROGRAM_OK;
}

enum mr_program_refusal
mr_program_head_finish(struct head *h, const struct head_known *k, unsigned *fields,
    struct head_result *r)
{
	enum mr_program_refusal why;

	r->guard_count = r->move_count = r->fix_count = r->write_count = r->byte_count = 0;
	r->first_len = r->ttl = 0;
	r->ttl6 = false;
	why = finish_family(h, k, fields, r);
	if (!why)
		why = finish_guards(h, k, fields, r);
	if (!why)
		why = finish_writes(h, k, *fields, r);
	if (!why)
		why = finish_fixes(h, r);
	if (why)
		return why;
	if (h->shifted)
		finish_moves(h, r);
	r->min_length = h->reach > promised(k, *fields) ? h->reach : 0;
	r->length = MR_MAX(h->reach, promised(k, *fields));
	r->max_length = h->max_length;
	return MR_PROGRAM_OK;
}
