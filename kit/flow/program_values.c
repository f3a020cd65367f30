/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What of a program is the flow's own. A program that writes behind the Ethernet header, or whose
 * calls for every packet have more than one number, gives the flow values:
 *
 *   a patch   two deltas (4 bytes) | numbers of calls (12) | three windows (48)
 *   others    numbers of calls | deltas | bytes
 *
 * Where they do not fit, or there are none, all of it stays in the program. What changes the
 * Ethernet header or the first bytes of IP's (a tag, a class of service) differs little between
 * flows and is no reason to have values.
 */

#include "kit/flow/program_int.h"

/* Of the new head: Ethernet with two tags, or IP's header up to the TTL. */
#define SHARED_BYTES 22

static bool
has_values(const struct program_builder *b)
{
	const struct head_result *e = &b->edits;

	for (unsigned i = 0; i < e->write_count; i++)
		if (e->writes[i].at + b->head.grow + e->writes[i].len > SHARED_BYTES)
			return true;
	for (unsigned i = 0; i < b->call_count; i++)
		if (b->calls[i].arg && !(b->calls[i].flags & MR_CALL_SHARED))
			return true;
	return false;
}

/* -- numbers of calls ------------------------------------------------------------------------- */

static unsigned
count_args(const struct program_builder *b)
{
	unsigned count = 0;

	for (unsigned i = 0; i < b->call_count; i++)
		count += b->calls[i].arg != 0;
	return count;
}

static void
move_args(struct program_builder *b, unsigned to)
{
	for (unsigned i = 0; i < b->call_count; i++) {
		struct mr_program_call *c = &b->calls[i];

		if (!c->arg)
			continue;
		memcpy(b->values.bytes + to, &c->arg, sizeof(c->arg));
		c->from = MR_CALL_FROM_VALUES;
		c->arg = to;
		to += sizeof(c->arg);
	}
}

/* -- a patch ---------------------------------------------------------------------------------- */

/* Windows over all bytes that are written: how many, 0: too many. */
static unsigned
cover(const struct program_builder *b, int16_t *windows)
{
	const struct head_result *e = &b->edits;
	int last = (int)e->length - 16; /* where one may begin */
	unsigned n = 0;

	for (unsigned i = 0; i < e->write_count; i++) {
		for (unsigned k = 0; k < e->writes[i].len; k++) {
			int at = e->writes[i].at + (int)k;

			if (n && at < windows[n - 1] + 16)
				continue;
			at = MR_MIN(at, last);
			if (n == MR_PROGRAM_WINDOWS || at < -b->head.grow)
				return 0;
			windows[n++] = (int16_t)at;
		}
	}
	return n;
}

/* Which of the checksums changed is the header's whose TTL goes down; -1: none. */
static int
ttl_sum(const struct program_builder *b)
{
	const struct head_result *e = &b->edits;

	for (unsigned i = 0; i < e->fix_count; i++)
		if (e->ttl && !e->ttl6 && e->fixes[i].at == (int)e->ttl + 10)
			return (int)i;
	return -1;
}

/* Checksums and the TTL. False: more than a patch has. */
static bool
patch_sums(struct program_builder *b)
{
	struct mr_program_patch *t = &b->patch;
	struct head_result *e = &b->edits;
	int with_ttl = ttl_sum(b);
	unsigned n = 0;

	if (e->ttl && !e->ttl6) {
		/* Without a delta of its own, zeros of the values are it. */
		t->sum_at[n++] = (int16_t)(e->ttl + 10);
		t->sum_add = PROGRAM_TTL_DELTA;
	}
	for (unsigned i = 0; i < e->fix_count; i++) {
		struct program_fix *f = &e->fixes[i];
		unsigned k = (int)i == with_ttl ? 0 : n;

		if (f->kind == PROGRAM_FIX_LESS || k == MR_ARRAY_COUNT(t->sum_at))
			return false;
		n += (int)i != with_ttl;
		t->sum_at[k] = f->at;
		t->kinds |= (uint8_t)((f->kind == PROGRAM_FIX_SUM_UDP) << k);
	}
	t->sums = (uint8_t)n;
	if (e->ttl)
		t->age_at = (int16_t)(e->ttl + (e->ttl6 ? 7 : 8));
	else
		t->age_at = t->sum_at[0];
	return true;
}

/* The deltas, where patch_sums has put them. */
static void
move_deltas(struct program_builder *b)
{
	struct mr_program_patch *t = &b->patch;

	for (unsigned i = 0; i < b->edits.fix_count; i++) {
		struct program_fix *f = &b->edits.fixes[i];
		unsigned k = f->at == t->sum_at[0] ? 0 : 1;

		memcpy(b->values.bytes + 2 * k, &f->delta, sizeof(f->delta));
		f->delta = (be16_t)(2 * k);
	}
	/* One that is not needed is written before the first, in the same place. */
	if (t->sums == 1)
		t->sum_at[1] = t->sum_at[0];
}

/* Masks and bytes; writes become pieces, each within one window. */
static void
move_windows(struct program_builder *b, unsigned windows)
{
	struct program_write pieces[16 * MR_PROGRAM_WINDOWS];
	struct mr_program_patch *t = &b->patch;
	struct head_result *e = &b->edits;
	unsigned count = 0;

	for (unsigned i = windows; i < MR_PROGRAM_WINDOWS; i++)
		t->at[i] = t->at[0];
	if (windows == 1)
		t->kinds |= MR_PROGRAM_ONE_WINDOW;
	for (unsigned i = 0; i < e->write_count; i++) {
		const struct program_write *w = &e->writes[i];
		unsigned of = MR_PROGRAM_WINDOWS;

		for (unsigned k = 0; k < w->len; k++) {
			unsigned first = MR_PROGRAM_WINDOWS;

			for (unsigned x = MR_PROGRAM_WINDOWS; x-- > 0;) {
				int in = w->at + (int)k - t->at[x];

				if (in < 0 || in >= 16)
					continue;
				t->mask[x][in] = 0xff;
				b->values.bytes[MR_PROGRAM_PATCH_BYTES + 16 * x + (unsigned)in] =
				    e->bytes[w->data + k];
				first = x;
			}
			if (first != of)
				pieces[count++] = (struct program_write){
					.at = (int16_t)(w->at + (int)k),
					.data = (uint16_t)(MR_PROGRAM_PATCH_BYTES + 16 * first +
					    (unsigned)(w->at + (int)k - t->at[first])),
				};
			pieces[count - 1].len++;
			of = first;
		}
	}
	memcpy(e->writes, pieces, count * sizeof(pieces[0]));
	e->write_count = count;
}

static bool
patch(struct program_builder *b)
{
	struct mr_program_patch *t = &b->patch;
	unsigned windows;

	memset(t, 0, sizeof(*t));
	if (b->edits.move_count || b->edits.family || b->edits.length_count > 2 ||
	    count_args(b) * sizeof(uint32_t) > MR_PROGRAM_PATCH_BYTES - MR_PROGRAM_PATCH_ARGS)
		return false;
	windows = cover(b, t->at);
	if (!windows || !patch_sums(b))
		return false;
	move_deltas(b);
	move_args(b, MR_PROGRAM_PATCH_ARGS);
	move_windows(b, windows);
	return true;
}

/* -- others ----------------------------------------------------------------------------------- */

static bool
pack(struct program_builder *b)
{
	unsigned sums = 0, at = count_args(b) * (unsigned)sizeof(uint32_t);
	struct head_result *e = &b->edits;

	for (unsigned i = 0; i < e->fix_count; i++)
		sums += e->fixes[i].kind != PROGRAM_FIX_LESS;
	if (at + sums * sizeof(be16_t) + e->byte_count > sizeof(b->values.bytes))
		return false;
	move_args(b, 0);
	for (unsigned i = 0; i < e->fix_count; i++) {
		struct program_fix *f = &e->fixes[i];

		if (f->kind == PROGRAM_FIX_LESS)
			continue;
		memcpy(b->values.bytes + at, &f->delta, sizeof(f->delta));
		f->delta = (be16_t)at;
		at += sizeof(f->delta);
	}
	memcpy(b->values.bytes + at, e->bytes, e->byte_count);
	for (unsigned i = 0; i < e->write_count; i++)
		e->writes[i].data = (uint16_t)(e->writes[i].data + at);
	return true;
}

void
mr_program_split(struct program_builder *b)
{
	memset(&b->values, 0, sizeof(b->values));
	b->valued = b->patched = false;
	if (!has_values(b))
		return;
	b->patched = patch(b);
	b->valued = b->patched || pack(b);
}
