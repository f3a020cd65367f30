/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_RING_H
#define MR_KIT_BASE_RING_H

/*
 * What the bounded rings share: geometry, spans, and the copy of a burst between
 * a ring and an array. The rings themselves are ring_spsc.h (one thread puts, one
 * gets) and ring_mpmc.h (any number of each).
 *
 * A ring holds elements of 4 bytes (packet handles) or 8 (pointers, words). Its
 * capacity is a power of two and all of it is usable: positions count up freely
 * and wrap with their type, so that full and empty differ. `burst` moves as many as
 * fit, `bulk` all or none.
 *
 * Ownership: a ring is one flat piece of memory without pointers, the caller's (it may
 * be shared between processes that trust each other) or its own.
 * Threads: said in each ring's header.
 * Errors: full and empty are return values.
 */

#include <string.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

/* Apart by two lines, because the adjacent-line prefetcher fetches them in pairs. */
#define MR_RING_APART alignas(2 * MR_CACHE_LINE)
#define MR_RING_CAPACITY_MAX (1u << 30)

struct mr_ring_config {
	uint32_t capacity;     /* elements; rounded up to a power of two */
	uint32_t element_size; /* 4 or 8 bytes */
	void *memory;          /* null: allocated; else aligned to two cache lines */
	size_t memory_size;    /* bytes there, at least what the ring's _size() says */
};

/* Room in a ring for zero-copy: two parts, the second empty unless the span wraps. */
struct mr_ring_span {
	void *part[2];
	uint32_t count[2]; /* elements */
};

/* For the rings' own create: the capacity rounded up; header and elements in bytes (0 for
 * a geometry that cannot be); that memory, checked or allocated, and zeroed. */
uint32_t mr_ring_capacity(uint32_t wanted);
size_t mr_ring_size(size_t header, uint32_t capacity, uint32_t element_size);
int mr_ring_alloc(void **out, const struct mr_ring_config *, size_t header, struct mr_error *);

/* The elements from position `at` on. */
mr_inline void
mr_ring_span_set(struct mr_ring_span *span, uint8_t *elements, uint32_t mask, uint32_t at,
    uint32_t count, size_t size)
{
	uint32_t index = at & mask, first = MR_MIN(count, mask + 1 - index);

	span->part[0] = elements + index * size;
	span->part[1] = elements;
	span->count[0] = first;
	span->count[1] = count - first;
}

mr_inline void
mr_ring_copy_in(uint8_t *elements, uint32_t mask, uint32_t at, const void *in, uint32_t count,
    const size_t size)
{
	uint32_t index = at & mask, first = mask + 1 - index;

	if (mr_likely(count <= first)) {
		memcpy(elements + index * size, in, count * size);
	} else {
		memcpy(elements + index * size, in, first * size);
		memcpy(elements, (const uint8_t *)in + first * size, (count - first) * size);
	}
}

mr_inline void
mr_ring_copy_out(const uint8_t *elements, uint32_t mask, uint32_t at, void *out, uint32_t count,
    const size_t size)
{
	uint32_t index = at & mask, first = mask + 1 - index;

	if (mr_likely(count <= first)) {
		memcpy(out, elements + index * size, count * size);
	} else {
		memcpy(out, elements + index * size, first * size);
		memcpy((uint8_t *)out + first * size, elements, (count - first) * size);
	}
}

#endif
