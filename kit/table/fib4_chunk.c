/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that workers read: chunks by number, their wide twins, lines. A number that is
 * given up is retired: used again only after a grace period, together with others.
 *
 * Chunks never run out. Each that is in use stands in the root at least once (chunk 0 apart,
 * see unpin), so that there are at most 65,536 of them; when a new one is wanted and there is none, even
 * after a grace period, then each stands there exactly once, and what its /16 wants
 * can be written into it in place.
 */
#include "kit/table/fib4_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kit/base/rcu.h"

#define CHUNK_SIZE 512u
/* The end of the chunks' memory goes back to the kernel in pieces of at least this. */
#define GIVE_BACK (512u << 10)

static void
synchronize(struct mr_fib4_control *c)
{
	mr_rcu_synchronize();
	c->grace++;
}

static void
chunk_fill(struct mr_fib4 *fib, unsigned chunk, uint32_t value)
{
	struct mr_fib4_wide *wide = fib4_wide_of(fib, chunk);

	for (unsigned i = 0; wide && i < 256; i++)
		atomic_store_explicit(&wide->entries[i], value, memory_order_relaxed);
	for (unsigned i = 0; i < 256; i++)
		atomic_store_explicit(&fib->entries[chunk << 8 | i], (uint16_t)fib4_short_of(value),
		    memory_order_relaxed);
}

/* Takes the wide twin away; no worker holds an escape that it alone can answer. */
static void
chunk_narrow(struct mr_fib4 *fib, unsigned chunk, bool in_use)
{
	struct mr_fib4_wide *wide = fib4_wide_of(fib, chunk);

	if (!wide)
		return;
	atomic_store_explicit(&fib->wide[chunk], NULL, memory_order_relaxed);
	if (in_use)
		mr_rcu_synchronize();
	fib4_free(fib->control, wide, sizeof(*wide));
	fib->control->wide_count--;
}

/* A free number, the lowest; -1: none. */
static int
chunk_take(struct mr_fib4_control *c)
{
	for (unsigned w = c->chunk_hint; w < MR_FIB4_CHUNKS / 64; w++) {
		unsigned n;

		if (!~c->chunk_used[w])
			continue;
		n = w * 64 + (unsigned)__builtin_ctzll(~c->chunk_used[w]);
		c->chunk_used[w] |= 1ull << (n & 63);
		c->chunk_hint = w;
		c->chunk_high = MR_MAX(c->chunk_high, n + 1);
		c->chunk_touched = MR_MAX(c->chunk_touched, c->chunk_high);
		c->chunks[n].value = FIB4_PRIVATE;
		c->chunks[n].left = 0;
		c->chunk_count++;
		return (int)n;
	}
	c->chunk_hint = MR_FIB4_CHUNKS / 64;
	return -1;
}

static void
chunk_release(struct mr_fib4 *fib, unsigned n)
{
	struct mr_fib4_control *c = fib->control;

	chunk_narrow(fib, n, false);
	c->chunk_used[n >> 6] &= ~(1ull << (n & 63));
	c->chunk_hint = MR_MIN(c->chunk_hint, n >> 6);
	c->chunk_count--;
}

/* Gives the memory behind the last chunk in use back, if that is worth a call. */
static void
chunk_trim(struct mr_fib4 *fib)
{
	struct mr_fib4_control *c = fib->control;
	size_t from, to, grain;
	unsigned w;

	for (w = (c->chunk_high + 63) / 64; w && !c->chunk_used[w - 1]; w--)
		;
	c->chunk_high = w ? w * 64 - (unsigned)__builtin_clzll(c->chunk_used[w - 1]) : 0;
	/* Huge pages are not split for it. */
	grain = (size_t)c->chunk_high * CHUNK_SIZE > MR_FIB4_HUGE ? MR_FIB4_HUGE : 4096;
	from = MR_ALIGN_UP((size_t)c->chunk_high * CHUNK_SIZE, grain);
	to = (size_t)c->chunk_touched * CHUNK_SIZE;
	if (to < from + GIVE_BACK)
		return;
	madvise((char *)fib->entries + from, to - from, MADV_DONTNEED);
	c->chunk_touched = (uint32_t)(from / CHUNK_SIZE);
}

void
mr_fib4_flush(struct mr_fib4 *fib)
{
	struct mr_fib4_control *c = fib->control;

	if (!c->retired_count)
		return;
	synchronize(c);
	for (unsigned i = 0; i < c->retired_count; i++) {
		if (c->retired[i] & MR_FIB4_DEEP)
			fib4_line_release(fib, c->retired[i]);
		else
			chunk_release(fib, c->retired[i]);
	}
	c->retired_count = 0;
	chunk_trim(fib);
}

static void
retire(struct mr_fib4 *fib, uint32_t what)
{
	struct mr_fib4_control *c = fib->control;

	c->retired[c->retired_count++] = what;
	if (c->retired_count == FIB4_RETIRED_MAX)
		mr_fib4_flush(fib);
}

bool
fib4_is_private(const struct mr_fib4 *fib, unsigned slot)
{
	return fib->control->chunks[fib4_chunk_of(fib, slot)].value == FIB4_PRIVATE;
}

/* The shared chunk is no longer to be found by its value. */
static void
chunk_unshare(struct mr_fib4_control *c, unsigned chunk)
{
	c->chunks[chunk].value = FIB4_PRIVATE;
	c->shared_count--;
}

/* The slot leaves `old`, workers come to `chunk`, which is filled. */
static void
chunk_move(struct mr_fib4 *fib, unsigned slot, unsigned old, unsigned chunk)
{
	struct mr_fib4_control *c = fib->control;

	c->chunks[chunk].refs++;
	/* Release: pairs with the acquire in mr_fib4_locate. */
	atomic_store_explicit(&fib->root[slot], (uint16_t)chunk, memory_order_release);
	if (--c->chunks[old].refs) {
		c->chunks[old].left = c->grace;
		return;
	}
	if (c->chunks[old].value != FIB4_PRIVATE)
		chunk_unshare(c, old);
	retire(fib, old);
}

/* Chunk 0 is kept for "no route" though no slot has it: its own memory is always there, and the
 * last chunk of an emptied table is not one far behind. Until its number is needed. */
static void
unpin(struct mr_fib4_control *c)
{
	if (!c->pinned)
		return;
	c->pinned = false;
	c->chunks[0].refs--;
}

/* A number, or -1: then every chunk stands in the root exactly once. */
static int
chunk_new(struct mr_fib4 *fib)
{
	struct mr_fib4_control *c = fib->control;
	int n = chunk_take(c);

	if (n >= 0)
		return n;
	mr_fib4_flush(fib);
	n = chunk_take(c);
	if (n >= 0)
		return n;
	unpin(c);
	if (c->chunks[0].refs)
		return -1;
	chunk_unshare(c, 0);
	synchronize(c);
	return 0;
}

void
fib4_chunk_own(struct mr_fib4 *fib, unsigned slot, uint32_t base)
{
	struct mr_fib4_control *c = fib->control;
	unsigned old = fib4_chunk_of(fib, slot);
	int n;

	if (c->chunks[old].value == FIB4_PRIVATE)
		return;
	/* In place only where no worker may still look another slot's addresses up in it, having come
	 * by that slot before it left. */
	n = c->chunks[old].refs == 1 && c->chunks[old].left != c->grace ? -1 : chunk_new(fib);
	if (n < 0) {
		if (c->chunks[old].left == c->grace)
			synchronize(c);
		chunk_unshare(c, old);
		chunk_fill(fib, old, base);
		return;
	}
	chunk_fill(fib, (unsigned)n, base);
	chunk_move(fib, slot, old, (unsigned)n);
}

static void
shared_as(struct mr_fib4_control *c, unsigned chunk, uint32_t value)
{
	if (c->chunks[chunk].value == FIB4_PRIVATE)
		c->shared_count++;
	c->chunks[chunk].value = value;
	c->shared[value] = (uint16_t)chunk;
}

/* Nobody else has the slot's chunk. */
static void
share_in_place(struct mr_fib4 *fib, unsigned slot, unsigned chunk, uint32_t value)
{
	if (value == MR_FIB4_ESCAPE)
		chunk_fill(fib, chunk,
		    atomic_load_explicit(&fib->slots[slot], memory_order_relaxed));
	else
		chunk_fill(fib, chunk, value);
	if (fib4_wide_of(fib, chunk)) {
		mr_rcu_synchronize();
		chunk_narrow(fib, chunk, true);
	}
	shared_as(fib->control, chunk, value);
}

void
fib4_chunk_share(struct mr_fib4 *fib, unsigned slot, uint32_t value)
{
	struct mr_fib4_control *c = fib->control;
	unsigned old = fib4_chunk_of(fib, slot);
	int n;

	if (c->chunks[old].value == value)
		return;
	n = c->shared[value];
	if (!c->chunks[n].refs || c->chunks[n].value != value) {
		n = chunk_new(fib);
		if (n < 0) {
			share_in_place(fib, slot, old, value);
			return;
		}
		chunk_fill(fib, (unsigned)n, value);
		shared_as(c, (unsigned)n, value);
	}
	chunk_move(fib, slot, old, (unsigned)n);
}

int
fib4_chunk_widen(struct mr_fib4 *fib, unsigned slot)
{
	struct mr_fib4_control *c = fib->control;
	unsigned chunk = fib4_chunk_of(fib, slot);
	struct mr_fib4_wide *wide = fib4_wide_of(fib, chunk);

	if (wide)
		return 0;
	wide = fib4_alloc(c, sizeof(*wide), MR_CACHE_LINE);
	if (!wide)
		return -ENOMEM;
	for (unsigned i = 0; i < 256; i++) {
		uint32_t value =
		    atomic_load_explicit(&fib->entries[chunk << 8 | i], memory_order_relaxed);

		if (value == MR_FIB4_ESCAPE)
			value = atomic_load_explicit(&fib->slots[slot], memory_order_relaxed);
		atomic_store_explicit(&wide->entries[i], value, memory_order_relaxed);
	}
	c->wide_count++;
	/* Release: pairs with the acquire in mr_fib4_value_far. */
	atomic_store_explicit(&fib->wide[chunk], wide, memory_order_release);
	return 0;
}

#define SEGMENT_SIZE (MR_FIB4_SEGMENT_LINES * sizeof(struct mr_fib4_line))

uint32_t
fib4_line_alloc(struct mr_fib4 *fib)
{
	struct mr_fib4_control *c = fib->control;
	struct mr_fib4_line *segment;
	uint32_t s, n;

	for (s = c->line_hint; s < MR_FIB4_SEGMENTS; s++)
		if (c->line_used[s] < MR_FIB4_SEGMENT_LINES)
			break;
	c->line_hint = s;
	if (s == MR_FIB4_SEGMENTS)
		return 0;
	segment = atomic_load_explicit(&fib->lines[s], memory_order_relaxed);
	if (!segment) {
		segment = fib4_alloc(c, SEGMENT_SIZE, MR_CACHE_LINE);
		if (!segment)
			return 0;
		/* Release: pairs with the acquire in fib4_line. */
		atomic_store_explicit(&fib->lines[s], segment, memory_order_release);
	}
	if (c->line_free[s]) {
		n = c->line_free[s] - 1;
		c->line_free[s] =
		    atomic_load_explicit(&segment[n].entries[0], memory_order_relaxed);
	} else {
		n = c->line_fresh[s]++;
	}
	c->line_used[s]++;
	c->line_count++;
	return MR_FIB4_DEEP | (s * MR_FIB4_SEGMENT_LINES + n);
}

void
fib4_line_retire(struct mr_fib4 *fib, uint32_t number)
{
	retire(fib, number | MR_FIB4_DEEP);
}

void
fib4_line_release(struct mr_fib4 *fib, uint32_t number)
{
	struct mr_fib4_control *c = fib->control;
	struct mr_fib4_line *line = fib4_line(fib, number);
	uint32_t s = (number & ~MR_FIB4_DEEP) / MR_FIB4_SEGMENT_LINES;

	c->line_count--;
	c->line_hint = MR_MIN(c->line_hint, s);
	if (--c->line_used[s]) {
		atomic_store_explicit(&line->entries[0], c->line_free[s], memory_order_relaxed);
		c->line_free[s] = 1 + number % MR_FIB4_SEGMENT_LINES;
		return;
	}
	fib4_free(c, atomic_load_explicit(&fib->lines[s], memory_order_relaxed), SEGMENT_SIZE);
	atomic_store_explicit(&fib->lines[s], NULL, memory_order_relaxed);
	c->line_free[s] = 0;
	c->line_fresh[s] = 0;
}
