/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What of a program is the flow's own. A program that writes behind the Ethernet header, or whose
 * calls for every packet have more than one number, gives the flow values:
 *
 *   a patch   two deltas (4 bytes) | numbers of calls (12) | three windows (48)
 *   a wrap    the same, with two windows, and words of the headers around the packet in place of the third
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

/* -- headers around the packet ------------------------------------------------------------------ */

/* A word of them is the flow's own. */
static void
set_own(struct program_builder *b, uint8_t *bytes, unsigned i, unsigned at)
{
	memcpy(b->values.bytes + MR_PROGRAM_WRAP_BYTES + 4 * i, bytes + at, 4);
	memset(bytes + at, 0, 4);
	b->wrap.own_at[i] = (int16_t)at;
}

/* Which words differ from flow to flow: UDP's ports, and its checksum, if it has one; of IPv4 the
 * destination, and what holds the checksum; IPv6's label. False: it is not UDP. */
static bool
find_own(struct program_builder *b, uint8_t *bytes, unsigned len)
{
	unsigned ip = 14, l4, n = 0;
	bool six, udp = false;

	if (len > 18 && mr_load_be16(bytes + 12) == MR_ETH_TYPE_VLAN)
		ip = 18;
	six = mr_load_be16(bytes + ip - 2) == MR_ETH_TYPE_IP6;
	l4 = ip + (six ? 40u : 20u);
	if (l4 + 8 > len)
		return false;
	if (six)
		udp = bytes[ip + 6] == MR_IP_PROTO_UDP;
	else if (mr_load_be16(bytes + ip - 2) == MR_ETH_TYPE_IP4)
		udp = bytes[ip] == 0x45 && bytes[ip + 9] == MR_IP_PROTO_UDP;
	if (!udp)
		return false;
	if (bytes[l4 + 6] | bytes[l4 + 7])
		set_own(b, bytes, n++, l4 + 4);
	set_own(b, bytes, n++, l4);
	if (six) {
		set_own(b, bytes, n++, ip);
	} else {
		set_own(b, bytes, n++, ip + 8);
		set_own(b, bytes, n++, ip + 16);
	}
	for (unsigned i = n; i < MR_PROGRAM_WRAP_OWN; i++) {
		b->wrap.own_at[i] = b->wrap.own_at[0];
		memcpy(b->values.bytes + MR_PROGRAM_WRAP_BYTES + 4 * i,
		    b->values.bytes + MR_PROGRAM_WRAP_BYTES, 4);
	}
	return true;
}

/* What is written at the front becomes a wrap, if it is longer than the first line has room for. */
static bool
wrap(struct program_builder *b)
{
	struct head_result *e = &b->edits;
	const struct program_write *w = &e->writes[0];
	uint8_t bytes[MR_PROGRAM_WRAP_MAX];
	unsigned len;

	if (!e->write_count || !e->first_len || b->head.grow <= 0 ||
	    w->at != (int)e->first_len - b->head.grow)
		return false;
	len = e->first_len + w->len;
	if (len > sizeof(bytes) || len <= PROGRAM_WRITE_MAX)
		return false;
	memset(&b->wrap, 0, sizeof(b->wrap));
	memcpy(bytes, e->first, e->first_len);
	memcpy(bytes + e->first_len, e->bytes + w->data, w->len);
	if (!find_own(b, bytes, len))
		return false;
	memcpy(b->wrap.bytes + MR_PROGRAM_WRAP_MAX - len, bytes, len);
	b->wrap.len = (uint8_t)len;
	b->wrap_data = w->data;
	e->write_count--;
	memmove(e->writes, e->writes + 1, e->write_count * sizeof(e->writes[0]));
	return true;
}

/* Not after all. */
static void
unwrap(struct program_builder *b)
{
	struct head_result *e = &b->edits;

	memmove(e->writes + 1, e->writes, e->write_count * sizeof(e->writes[0]));
	e->writes[0] = (struct program_write){
		.at = (int16_t)((int)e->first_len - b->head.grow),
		.len = (uint16_t)(b->wrap.len - e->first_len),
		.data = b->wrap_data,
	};
	e->write_count++;
	memset(b->values.bytes, 0, sizeof(b->values.bytes));
	b->wrapped = false;
}

/* -- a patch, all of it ------------------------------------------------------------------------- */

/* Masks and bytes; writes become pieces, each within one window. */
static void
move_windows(struct program_builder *b, unsigned windows)
{
	struct program_write pieces[16 * MR_PROGRAM_WINDOWS];
	struct mr_program_patch *t = &b->patch;
	struct head_result *e = &b->edits;
	/* In the values the last one's place is the wrap's. */
	unsigned count = 0, all = b->wrapped ? MR_PROGRAM_WINDOWS - 1 : MR_PROGRAM_WINDOWS;

	for (unsigned i = windows; i < MR_PROGRAM_WINDOWS; i++)
		t->at[i] = t->at[0];
	if (windows == 1)
		t->kinds |= MR_PROGRAM_ONE_WINDOW;
	for (unsigned i = 0; i < e->write_count; i++) {
		const struct program_write *w = &e->writes[i];
		unsigned of = MR_PROGRAM_WINDOWS;

		for (unsigned k = 0; k < w->len; k++) {
			unsigned first = MR_PROGRAM_WINDOWS;

			for (unsigned x = all; x-- > 0;) {
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

/* A window that writes nothing, where nothing else is written: there is always one. */
static unsigned
no_window(const struct program_builder *b, int16_t *windows)
{
	windows[0] = (int16_t)((int)b->edits.length - 16);
	return 1;
}

/* It takes all windows, or more: an IP header in front of another takes one or two, whatever is in it. */
static bool
needs_wrap(const struct program_builder *b)
{
	int16_t windows[MR_PROGRAM_WINDOWS];
	unsigned n = cover(b, windows);

	return n == 0 || n == MR_PROGRAM_WINDOWS;
}

/* Windows behind what is put around the packet: how many, 0: too many, or in the way. */
static unsigned
cover_wrapped(const struct program_builder *b, int16_t *windows)
{
	unsigned n = b->edits.write_count ? cover(b, windows) : no_window(b, windows);

	if (n >= MR_PROGRAM_WINDOWS)
		return 0;
	for (unsigned i = 0; i < n; i++)
		if (windows[i] < (int)b->wrap.len - b->head.grow)
			return 0;
	return n;
}

static bool
patch(struct program_builder *b, bool wrapped)
{
	struct mr_program_patch *t = &b->patch;
	unsigned windows;

	memset(t, 0, sizeof(*t));
	if (b->edits.move_count || b->edits.family || b->edits.length_count > 2 ||
	    count_args(b) * sizeof(uint32_t) > MR_PROGRAM_PATCH_BYTES - MR_PROGRAM_PATCH_ARGS)
		return false;
	windows = wrapped ? cover_wrapped(b, t->at) : cover(b, t->at);
	if (!windows || !patch_sums(b))
		return false;
	if (wrapped)
		b->edits.first_len = 0;
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
	b->valued = b->patched = b->wrapped = false;
	if (!has_values(b))
		return;
	if (needs_wrap(b))
		b->wrapped = wrap(b);
	b->patched = patch(b, b->wrapped);
	if (b->wrapped && !b->patched) {
		unwrap(b);
		b->patched = patch(b, false);
	}
	b->valued = b->patched || pack(b);
}
