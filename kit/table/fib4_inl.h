/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_FIB4_INL_H
#define MR_KIT_TABLE_FIB4_INL_H

/*
 * What a worker does with the table of fib4.h, for loops that do more than look up:
 *
 *   for each packet:  at[i] = mr_fib4_locate(fib, address); mr_fib4_prefetch_at(fib, at[i]);
 *   for each packet:  value = mr_fib4_value(fib, address, at[i]);
 *
 * Ownership: none. A location is good until the worker's next quiescent state.
 * Threads: as in fib4.h. Every word that a worker reads is an atomic of its own.
 * Errors: none.
 */

#include "kit/base/def.h"

#define MR_FIB4_ESCAPE 0xffffu
#define MR_FIB4_CHUNKS 65536u
#define MR_FIB4_SEGMENTS 65536u
#define MR_FIB4_SEGMENT_LINES 256u
#define MR_FIB4_DEEP 0x80000000u
#define MR_FIB4_HUGE (2u << 20)

/* 16 values, or names of lines for the next four bits: DEEP | number. */
struct mr_fib4_line {
	MR_CACHE_ALIGNED _Atomic uint32_t entries[16];
};

struct mr_fib4_wide {
	_Atomic uint32_t entries[256];
};

struct mr_fib4_control;

/* One mapping, touched page by page: most of it is not there in a small table. All of it is
 * written by the writer and read by workers, but for `control`. */
struct mr_fib4 {
	_Atomic uint16_t root[65536];
	_Atomic uint32_t top[256]; /* the best of /0 to /8 */
	/* What the best of /9 to /16 says, for those /16s where that is no short value. */
	_Atomic uint32_t slots[65536];
	/* By chunk number; set before the chunk's first escape. */
	_Atomic(struct mr_fib4_wide *) wide[MR_FIB4_CHUNKS];
	_Atomic(struct mr_fib4_line *) lines[MR_FIB4_SEGMENTS];
	struct mr_fib4_control *control; /* the writer's */
	bool gather;                     /* which mr_fib4_lookup it is; never changes */
	/* The chunks. The first 2 MB stay on small pages unless many prefixes are expected. */
	alignas(MR_FIB4_HUGE) _Atomic uint16_t entries[MR_FIB4_CHUNKS * 256u];
};

static_assert(offsetof(struct mr_fib4, entries) == MR_FIB4_HUGE, "what stands in front is small");

/* The long way, for what mr_fib4_value does not find in the chunk. */
MR_API uint32_t mr_fib4_value_far(const struct mr_fib4 *, uint32_t address, uint32_t at);

/* Where the address's entry stands. */
mr_inline uint32_t
mr_fib4_locate(const struct mr_fib4 *fib, uint32_t address)
{
	/* Acquire: pairs with the release in fib4_chunk.c; the chunk is filled. */
	uint32_t chunk = atomic_load_explicit(&fib->root[address >> 16], memory_order_acquire);

	return chunk << 8 | (address >> 8 & 255);
}

mr_inline void
mr_fib4_prefetch_at(const struct mr_fib4 *fib, uint32_t at)
{
	mr_prefetch((const void *)&fib->entries[at]);
}

/* Both, where the location is not kept. */
mr_inline void
mr_fib4_prefetch(const struct mr_fib4 *fib, uint32_t address)
{
	mr_fib4_prefetch_at(fib, mr_fib4_locate(fib, address));
}

/* The value that is located at `at`; 0: no route. */
mr_inline uint32_t
mr_fib4_value(const struct mr_fib4 *fib, uint32_t address, uint32_t at)
{
	uint32_t entry = atomic_load_explicit(&fib->entries[at], memory_order_relaxed);

	if (mr_unlikely(entry - 1 >= MR_FIB4_ESCAPE - 1))
		return mr_fib4_value_far(fib, address, at);
	return entry;
}

/* One address. */
mr_inline uint32_t
mr_fib4_find(const struct mr_fib4 *fib, uint32_t address)
{
	return mr_fib4_value(fib, address, mr_fib4_locate(fib, address));
}

#endif
