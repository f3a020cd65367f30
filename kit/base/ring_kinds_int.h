/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_RING_KINDS_INT_H
#define MR_KIT_BASE_RING_KINDS_INT_H

/*
 * Both rings behind one table, for their tests: `struct kind` maps each ring and
 * element type to arrays of 64-bit values. Positions start shortly before their type
 * wraps, so that every test crosses that point.
 */

#include "kit/base/ring_mpmc.h"
#include "kit/base/ring_spsc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BURST_MAX 64u
#define START_BEFORE_WRAP 1000u

enum way {
	BURST,
	BULK,
	ZERO_COPY, /* reserve up to the count, commit all of it */
	WAYS,
};

struct kind {
	const char *name;
	uint32_t element_size;
	bool many; /* producers and consumers */
	int (*create)(void **, const struct mr_ring_config *, struct mr_error *);
	void (*destroy)(void *);
	size_t (*size)(uint32_t, uint32_t);
	unsigned (*put)(void *, enum way, const uint64_t *, unsigned);
	unsigned (*get)(void *, enum way, uint64_t *, unsigned);
	unsigned (*count)(const void *);
	unsigned (*free)(const void *);
	unsigned (*capacity)(const void *);
};

static void
span_write(const struct mr_ring_span *span, uint32_t size, const uint64_t *in)
{
	unsigned part, i;

	for (part = 0; part < 2; part++) {
		for (i = 0; i < span->count[part]; i++, in++) {
			if (size == 4)
				((uint32_t *)span->part[part])[i] = (uint32_t)*in;
			else
				((uint64_t *)span->part[part])[i] = *in;
		}
	}
}

static void
span_read(const struct mr_ring_span *span, uint32_t size, uint64_t *out)
{
	unsigned part, i;

	for (part = 0; part < 2; part++) {
		for (i = 0; i < span->count[part]; i++, out++) {
			if (size == 4)
				*out = ((uint32_t *)span->part[part])[i];
			else
				*out = ((uint64_t *)span->part[part])[i];
		}
	}
}

static unsigned
spsc_put_span(struct mr_spsc *ring, const uint64_t *in, unsigned n)
{
	struct mr_ring_span span;

	n = mr_spsc_put_reserve(ring, n, &span);
	span_write(&span, ring->element_size, in);
	mr_spsc_put_commit(ring, n);
	return n;
}

static unsigned
spsc_get_span(struct mr_spsc *ring, uint64_t *out, unsigned n)
{
	struct mr_ring_span span;

	n = mr_spsc_get_reserve(ring, n, &span);
	span_read(&span, ring->element_size, out);
	mr_spsc_get_commit(ring, n);
	return n;
}

static unsigned
mpmc_put_span(struct mr_mpmc *ring, const uint64_t *in, unsigned n)
{
	struct mr_mpmc_reservation r;

	mr_mpmc_put_reserve(ring, n, &r);
	span_write(&r.span, ring->element_size, in);
	mr_mpmc_put_commit(ring, &r);
	return r.count;
}

static unsigned
mpmc_get_span(struct mr_mpmc *ring, uint64_t *out, unsigned n)
{
	struct mr_mpmc_reservation r;

	mr_mpmc_get_reserve(ring, n, &r);
	span_read(&r.span, ring->element_size, out);
	mr_mpmc_get_commit(ring, &r);
	return r.count;
}

static int
create_spsc(void **out, const struct mr_ring_config *config, struct mr_error *error)
{
	struct mr_spsc *ring;
	int rc = mr_spsc_create(&ring, config, error);

	*out = ring;
	if (!rc) {
		ring->tail = ring->head = UINT32_MAX - START_BEFORE_WRAP;
		ring->tail_seen = ring->head_seen = UINT32_MAX - START_BEFORE_WRAP;
	}
	return rc;
}

static int
create_mpmc(void **out, const struct mr_ring_config *config, struct mr_error *error)
{
	/* The lower half wraps as an index, the whole only to show that even that works. */
	static uint64_t start;
	struct mr_mpmc *ring;
	int rc = mr_mpmc_create(&ring, config, error);

	*out = ring;
	if (!rc) {
		start = (start == UINT32_MAX - START_BEFORE_WRAP ? UINT64_MAX : UINT32_MAX) -
		    START_BEFORE_WRAP;
		ring->put.claimed = ring->put.done = ring->put.other_seen = start;
		ring->get.claimed = ring->get.done = ring->get.other_seen = start;
	}
	return rc;
}

/* The typed functions of one ring and element type behind the table's. */
#define KIND(ring, type, suffix) \
	static unsigned put_##ring##_##suffix(void *r, enum way way, const uint64_t *values, \
	    unsigned n) \
	{ \
		type in[BURST_MAX]; \
		unsigned i; \
\
		if (way == ZERO_COPY) \
			return ring##_put_span(r, values, n); \
		for (i = 0; i < n; i++) \
			in[i] = (type)values[i]; \
		return way == BULK ? mr_##ring##_put_bulk_##suffix(r, in, n) \
				   : mr_##ring##_put_burst_##suffix(r, in, n); \
	} \
\
	static unsigned get_##ring##_##suffix(void *r, enum way way, uint64_t *values, unsigned n) \
	{ \
		type out[BURST_MAX]; \
		unsigned i; \
\
		if (way == ZERO_COPY) \
			return ring##_get_span(r, values, n); \
		n = way == BULK ? mr_##ring##_get_bulk_##suffix(r, out, n) \
				: mr_##ring##_get_burst_##suffix(r, out, n); \
		for (i = 0; i < n; i++) \
			values[i] = (uint64_t)out[i]; \
		return n; \
	}

#define RING(ring) \
	static unsigned count_##ring(const void *r) \
	{ \
		return mr_##ring##_count(r); \
	} \
\
	static unsigned free_##ring(const void *r) \
	{ \
		return mr_##ring##_free(r); \
	} \
\
	static unsigned capacity_##ring(const void *r) \
	{ \
		return mr_##ring##_capacity(r); \
	} \
\
	static void destroy_##ring(void *r) \
	{ \
		mr_##ring##_destroy(r); \
	}

typedef void *pointer;

/* clang-format off */
KIND(spsc, uint32_t, u32)
KIND(spsc, uint64_t, u64)
KIND(spsc, pointer, ptr)
KIND(mpmc, uint32_t, u32)
KIND(mpmc, uint64_t, u64)
KIND(mpmc, pointer, ptr)
RING(spsc)
RING(mpmc)

#define ROW(ring, many, size, suffix) \
	{#ring "_" #suffix, size, many, create_##ring, destroy_##ring, mr_##ring##_size, \
	    put_##ring##_##suffix, get_##ring##_##suffix, count_##ring, free_##ring, \
	    capacity_##ring}
/* clang-format on */

static const struct kind kinds[] = {
	ROW(spsc, false, 4, u32),
	ROW(spsc, false, 8, u64),
	ROW(spsc, false, 8, ptr),
	ROW(mpmc, true, 4, u32),
	ROW(mpmc, true, 8, u64),
	ROW(mpmc, true, 8, ptr),
};

static void *
make(const struct kind *kind, uint32_t capacity)
{
	struct mr_ring_config config = { .capacity = capacity, .element_size = kind->element_size };
	struct mr_error error = { 0 };
	void *ring;

	if (kind->create(&ring, &config, &error))
		fail_msg("%s: %s", kind->name, error.text);
	return ring;
}

static unsigned
next_random(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

#endif
