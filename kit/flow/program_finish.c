/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is left of a walk's edits (program_head.c) in its shortest form: guards, moves, writes and the
 * rest, of a head of which every byte is known for an old or a new one.
 *
 * Old bytes keep their order, so moves of whole stretches can always be done one after the other:
 * first those towards the front, from the front; then those towards the back, from the back.
 */

#include <string.h>

#include "kit/flow/program_int.h"

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
		    k->value[at] != h->cells[j + i].value || h->cells[j + i].kind != HEAD_NEW)
			return false;
	return true;
}

/* How many of the `len` bytes written at the front are the first line's. What follows is most often
 * the flow's own, and with IPv6 that begins with its label. */
static unsigned
first_write(const struct head *h, unsigned len)
{
	unsigned type = 12;

	if (len > 18 && head_pair_value(h, type) == mr_be16(MR_ETH_TYPE_VLAN))
		type += 4;
	if (len > type + 2 && head_pair_value(h, type) == mr_be16(MR_ETH_TYPE_IP6))
		return type + 2;
	return MR_MIN(len, (unsigned)PROGRAM_WRITE_MAX);
}

/* Where the old bytes from `from` on are in the end, untouched; 0: nowhere that counts. */
static unsigned
place_of(const struct head *h, unsigned from)
{
	for (unsigned j = 1; j + 1 < h->count; j++)
		if (head_all(h, j, 2, HEAD_OLD) && h->cells[j].from == from &&
		    h->cells[j + 1].from == from + 1 && !h->cells[j].mod && !h->cells[j + 1].mod)
			return j;
	return 0;
}

static bool
finish_length(const struct head *h, const struct head_length *l, unsigned at, unsigned sum,
    struct head_result *r)
{
	unsigned of = l->of_packet ? 0 : place_of(h, l->of);

	if (!l->of_packet && !of)
		return false;
	r->lengths[r->length_count++] = (struct mr_length){
		.offset = (uint16_t)at,
		.of = (uint16_t)of,
		.more = (int16_t)(l->more - (l->of_packet ? (unsigned)h->grow : 0)),
		.sum = (uint16_t)sum,
		.kind = sum ? l->kind : 0,
		.twice = sum ? l->twice : 0,
	};
	return true;
}

/* Both halves of each, and no checksum without its length. */
static enum mr_program_refusal
finish_lengths(const struct head *h, struct head_result *r)
{
	unsigned at[HEAD_LENGTHS] = { 0 }, sum[HEAD_LENGTHS] = { 0 };
	bool is[HEAD_LENGTHS] = { 0 };

	for (unsigned j = 0; j < h->count && h->length_count; j++) {
		enum head_kind kind = (enum head_kind)h->cells[j].kind;
		unsigned i = h->cells[j].mod - 1u;

		if (kind != HEAD_LENGTH && kind != HEAD_LENGTH_SUM)
			continue;
		if (j + 1 == h->count || !head_is_pair(h, j, kind))
			return MR_PROGRAM_CONFLICT;
		is[i] |= kind == HEAD_LENGTH;
		*(kind == HEAD_LENGTH ? &at[i] : &sum[i]) = j;
		if (kind == HEAD_LENGTH_SUM && j == 0)
			return MR_PROGRAM_CONFLICT;
		j++;
	}
	for (unsigned i = 0; i < h->length_count; i++) {
		if (!is[i] && sum[i])
			return MR_PROGRAM_CONFLICT;
		if (is[i] && !finish_length(h, &h->lengths[i], at[i], sum[i], r))
			return MR_PROGRAM_CONFLICT;
	}
	return MR_PROGRAM_OK;
}

/* Stretches that move and of which the flow's port says what they hold (an Ethernet type) are
 * written: one write less, mostly, and no move. */
static void
settle_moves(struct head *h, const struct head_known *k)
{
	for (unsigned j = 0, len, known; j < h->count; j += len) {
		const struct head_cell *c = &h->cells[j];

		len = known = 0;
		while (j + len < h->count && c[len].kind == HEAD_OLD && !c[len].mod &&
		    c[len].from < HEAD_BYTES && c[len].from == c->from + len) {
			known += k->mask[c[len].from] == 0xff &&
			    !(k->fields[c[len].from] & ~MR_FLOW_PORT);
			len++;
		}
		if (!len || shift_of(h, j) == 0 || known < len) {
			len = MR_MAX(len, 1u);
			continue;
		}
		for (unsigned i = j; i < j + len; i++)
			h->cells[i] = (struct head_cell){ .kind = HEAD_NEW,
				.value = k->value[h->cells[i].from] };
	}
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
		if (h->cells[j].kind == HEAD_OLD)
			continue;
		while (j + len < h->count && h->cells[j + len].kind != HEAD_OLD &&
		    h->cells[j + len].kind != HEAD_EMPTY)
			len++;
		if (there_already(h, k, fields, j, len))
			continue;
		first = j == 0 ? first_write(h, len) : 0;
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
	const struct head_mod *mod = head_mod_of(h, &h->cells[j]);
	int at = (int)j - h->grow - (mod->ttl6 ? 7 : 8);
	const struct head_cell *check = &h->cells[j + 2];

	/* The header's first bytes may be gone. */
	if (r->ttl || mod->count != 1 || at < 1 || at > UINT8_MAX || at + h->grow < 0)
		return false;
	if (mod->ttl6) {
		r->ttl6 = true;
	} else {
		if (j + 3 >= h->count || check->kind != HEAD_OLD || !check->mod ||
		    check->half != 0 || head_mod_of(h, check)->kind != PROGRAM_FIX_SUM ||
		    !head_mod_of(h, check)->count)
			return false;
		head_mod_of(h, check)->count--;
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
		mod = head_mod_of(h, c);
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
	r->length_count = 0;
	r->first_len = r->ttl = 0;
	r->ttl6 = false;
	why = finish_family(h, k, fields, r);
	if (!why)
		why = finish_guards(h, k, fields, r);
	if (!why && h->shifted && !h->family)
		settle_moves(h, k);
	if (!why)
		why = finish_writes(h, k, *fields, r);
	if (!why)
		why = finish_lengths(h, r);
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
