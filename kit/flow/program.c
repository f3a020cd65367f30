/* SPDX-License-Identifier: Apache-2.0 */

/* Replay of programs that are not plain, and what others ask a program for. */

#include <string.h>

#include "kit/flow/program_inl.h"
#include "kit/flow/program_int.h"
#include "kit/record/family.h"

const struct mr_named *
mr_program_refusals(void)
{
	static const struct mr_named names[] = {
#define X(id, text, what) { .name = text, .doc = what },
		MR_PROGRAM_REFUSALS(X)
#undef X
	};

	return names;
}

/* -- replay ------------------------------------------------------------------------------- */

bool
mr_program_fits_more(const struct mr_program *g, const struct mr_packet *p)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);
	const struct program_guard *guards;
	const void *first;
	uint64_t differs = 0;
	unsigned count;

	if (p->len < program_more(g)->min_length)
		return false;
	count = program_part(g, PROGRAM_GUARDS, &first);
	guards = first;
	for (unsigned i = 0; i < count; i++) {
		uint64_t there;

		memcpy(&there, bytes + guards[i].offset, sizeof(there));
		differs |= (there ^ guards[i].value) & guards[i].mask;
	}
	return !differs;
}

bool
mr_program_fits(const struct mr_program *g, const struct mr_packet *p)
{
	return mr_program_fits_inl(g, p);
}

static void
fix(uint8_t *bytes, const struct program_fix *f, be16_t delta)
{
	be16_t check;

	bytes += f->at;
	if (f->kind == PROGRAM_FIX_LESS) {
		bytes[0] = (uint8_t)(bytes[0] - delta);
		return;
	}
	memcpy(&check, bytes, sizeof(check));
	check = f->kind == PROGRAM_FIX_SUM_UDP ? mr_checksum_apply_udp(check, delta)
					       : mr_checksum_apply(check, delta);
	memcpy(bytes, &check, sizeof(check));
}

/* memmove, of a length that mostly is an address's or a port's. */
mr_inline void
copy(uint8_t *to, const uint8_t *from, unsigned len)
{
	uint64_t a, b;
	uint32_t c, d;
	uint16_t e, f;

	if (len > 16) {
		memmove(to, from, len);
	} else if (len >= 8) {
		memcpy(&a, from, 8);
		memcpy(&b, from + len - 8, 8);
		memcpy(to, &a, 8);
		memcpy(to + len - 8, &b, 8);
	} else if (len >= 4) {
		memcpy(&c, from, 4);
		memcpy(&d, from + len - 4, 4);
		memcpy(to, &c, 4);
		memcpy(to + len - 4, &d, 4);
	} else if (len >= 2) {
		memcpy(&e, from, 2);
		memcpy(&f, from + len - 2, 2);
		memcpy(to, &e, 2);
		memcpy(to + len - 2, &f, 2);
	} else if (len) {
		*to = *from;
	}
}

static void
write_rest(const struct mr_program *g, const struct mr_flow_values *values, uint8_t *bytes)
{
	const uint8_t *data = program_data(g, values);
	const struct program_write *writes;
	const void *first;
	unsigned count = program_part(g, PROGRAM_WRITES, &first);

	writes = first;
	for (unsigned i = 0; i < count; i++)
		copy(bytes + writes[i].at, data + writes[i].data, writes[i].len);
}

unsigned
program_around(const struct mr_program *g, const struct mr_flow_values *values,
    uint8_t around[MR_PROGRAM_WRAP_MAX])
{
	const struct mr_program_wrap *t = (const struct mr_program_wrap *)(const void *)(g + 3);

	memcpy(around, t->bytes + MR_PROGRAM_WRAP_MAX - t->len, t->len);
	for (unsigned i = 0; i < MR_PROGRAM_WRAP_OWN; i++)
		memcpy(around + t->own_at[i], values->bytes + MR_PROGRAM_WRAP_BYTES + 4 * i, 4);
	return t->len;
}

static void
write_lengths(const struct mr_program *g, struct mr_recorder *rec, struct mr_packet *p)
{
	const void *first;
	unsigned count = program_part(g, PROGRAM_LENGTHS, &first);

	for (const struct mr_length *l = first; count > 0; l++, count--)
		mr_edit_length(rec, p, l);
}

static bool
has_headroom(const struct mr_program *g, const struct mr_packet *p)
{
	int more = g->flags & MR_PROGRAM_FAMILY && program_more(g)->family == 6 ? 20 : 0;

	return (int)mr_packet_headroom(p) >= MR_MAX(g->grow, 0) + more;
}

bool
mr_program_edit_more(const struct mr_program *g, const struct mr_flow_values *values,
    struct mr_packet *p)
{
	uint8_t *bytes, around[MR_PROGRAM_WRAP_MAX];
	const void *first;
	unsigned count;
	bool room;

	if (!has_headroom(g, p))
		return false;
	/* What the key says of the packet makes it plain. */
	if ((g->flags & MR_PROGRAM_FAMILY) &&
	    !mr_edit_family(NULL, p, program_more(g)->family_at, program_more(g)->family))
		return false;
	bytes = mr_packet_bytes(p);
	room = mr_packet_headroom(p) >= g->headroom;
	count = program_part(g, PROGRAM_MOVES, &first);
	for (const struct program_move *m = first; count > 0; m++, count--)
		copy(bytes + m->to, bytes + m->from, m->len);
	count = program_part(g, PROGRAM_FIXES, &first);
	for (const struct program_fix *f = first; count > 0; f++, count--)
		fix(bytes, f, program_delta(g, values, f));
	if (g->ttl)
		mr_program_age(bytes + g->ttl, g->flags & MR_PROGRAM_TTL6);
	p->data = (uint16_t)(p->data - g->grow);
	p->len = (uint16_t)(p->len + g->grow);
	p->total += (uint32_t)(int32_t)g->grow;
	if (g->flags & MR_PROGRAM_WRAP)
		memcpy(bytes - g->grow, around, program_around(g, values, around));
	else if (mr_likely(room))
		mr_program_write(g, bytes - g->grow);
	else
		memcpy(bytes - g->grow, g->write + PROGRAM_WRITE_MAX - g->write_len, g->write_len);
	write_rest(g, values, bytes);
	write_lengths(g, NULL, p);
	return true;
}

/* -- replay, written down -------------------------------------------------------------------- */

static void
set_recorded(struct mr_recorder *rec, struct mr_packet *p, unsigned offset, const uint8_t *bytes,
    unsigned len)
{
	for (unsigned i = 0; i < len; i += 16)
		mr_edit_set(rec, p, offset + i, bytes + i, MR_MIN(len - i, 16u));
}

static void
fix_recorded(struct mr_recorder *rec, struct mr_packet *p, unsigned offset,
    const struct program_fix *f, be16_t delta)
{
	uint8_t byte;

	if (f->kind != PROGRAM_FIX_LESS) {
		mr_edit_sum(rec, p, offset, delta,
		    f->kind == PROGRAM_FIX_SUM_UDP ? MR_SUM_UDP : MR_SUM_PLAIN);
		return;
	}
	byte = (uint8_t)(mr_packet_bytes(p)[offset] - delta);
	mr_edit_set(rec, p, offset, &byte, 1);
}

/* Old bytes that move are read from a copy, since each step is one that a node could have
 * done. */
static void
edit_recorded(const struct mr_program *g, const struct mr_flow_values *values,
    struct mr_recorder *rec, struct mr_packet *p)
{
	const uint8_t *data = program_data(g, values);
	const struct program_write *writes;
	uint8_t old[HEAD_BYTES], around[MR_PROGRAM_WRAP_MAX];
	const void *first;
	unsigned count, grow = (unsigned)(int)g->grow;

	memcpy(old, mr_packet_bytes(p), MR_MIN((unsigned)p->len, HEAD_BYTES));
	if (g->grow > 0)
		mr_edit_push(rec, p, 0, grow);
	else if (g->grow < 0)
		mr_edit_pop(rec, p, 0, -grow);
	count = program_part(g, PROGRAM_MOVES, &first);
	for (const struct program_move *m = first; count > 0; m++, count--)
		set_recorded(rec, p, (unsigned)m->to + grow, old + m->from, m->len);
	count = program_part(g, PROGRAM_FIXES, &first);
	for (const struct program_fix *f = first; count > 0; f++, count--)
		fix_recorded(rec, p, (unsigned)f->at + grow, f, program_delta(g, values, f));
	if (g->ttl && (g->flags & MR_PROGRAM_TTL6))
		mr_edit_ttl6(rec, p, g->ttl + grow);
	else if (g->ttl)
		mr_edit_ttl4(rec, p, g->ttl + grow);
	if (g->flags & MR_PROGRAM_WRAP)
		set_recorded(rec, p, 0, around, program_around(g, values, around));
	else
		set_recorded(rec, p, 0, g->write + PROGRAM_WRITE_MAX - g->write_len, g->write_len);
	count = program_part(g, PROGRAM_WRITES, &first);
	writes = first;
	for (unsigned i = 0; i < count; i++)
		set_recorded(rec, p, (unsigned)writes[i].at + grow, data + writes[i].data,
		    writes[i].len);
	write_lengths(g, rec, p);
}

bool
mr_program_edit(const struct mr_program *g, const struct mr_flow_values *values,
    struct mr_recorder *rec, struct mr_packet *p)
{
	if (mr_likely(!mr_recorded(rec, p)))
		return mr_program_edit_inl(g, values, p);
	if (!has_headroom(g, p))
		return false;
	if ((g->flags & MR_PROGRAM_FAMILY) &&
	    !mr_edit_family(rec, p, program_more(g)->family_at, program_more(g)->family))
		return false;
	edit_recorded(g, values, rec, p);
	return true;
}

/* -- what it rests on, calls and credits -------------------------------------------------------- */

bool
mr_program_holds(const struct mr_program *g)
{
	const struct mr_program_cell *cells;
	unsigned count = mr_program_cells(g, &cells);

	for (unsigned i = 0; i < count; i++)
		if (mr_generation_read(cells[i].cell) != cells[i].value)
			return false;
	return true;
}

static uint32_t
region(const struct mr_regions *regions, const uint8_t *address, bool six)
{
	unsigned r = six ? mr_region6(mr_load_be64(address)) : mr_region4(mr_load_be32(address));

	return mr_generation_read(&regions->cells[r]);
}

static uint32_t
own(const struct mr_program *g)
{
	const void *first;
	unsigned count = program_part(g, PROGRAM_OWN, &first);
	const struct mr_generation *const *cells = first;
	uint32_t sum = 0;

	for (unsigned i = 0; i < count; i++)
		sum += mr_generation_read(cells[i]);
	return sum;
}

uint32_t
mr_program_stamp(const struct mr_program *g, const struct mr_flow_key *key)
{
	bool six = MR_FLOW_WHERE_SIX(key->where);
	uint32_t sum = 0;

	if (g->regions & MR_PROGRAM_REGION_DST)
		sum += region(program_more(g)->regions[0], key->dst, six);
	if (g->regions & MR_PROGRAM_REGION_SRC)
		sum += region(program_more(g)->regions[1], key->src, six);
	if (mr_unlikely(g->regions & MR_PROGRAM_REGION_OWN))
		sum += own(g);
	return sum;
}

unsigned
mr_program_calls(const struct mr_program *g, const struct mr_program_call **out)
{
	return program_part(g, PROGRAM_CALLS, (const void **)out);
}

unsigned
mr_program_credits(const struct mr_program *g, const struct mr_program_credit **out)
{
	return program_part(g, PROGRAM_CREDITS, (const void **)out);
}

unsigned
mr_program_cells(const struct mr_program *g, const struct mr_program_cell **out)
{
	return program_part(g, PROGRAM_CELLS, (const void **)out);
}
