/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_RING_MPMC_H
#define MR_KIT_BASE_RING_MPMC_H

/*
 * A bounded ring for any number of threads that put and that get.
 *
 * Each side has two positions. A thread claims a stretch by moving `claimed`
 * forward with a compare-and-swap, copies at leisure and in parallel with others,
 * and publishes by moving `done` over its stretch, in the order of the claims: it
 * waits until `done` has reached its start. Between the two `done` lie the
 * elements that are there.
 *
 *      get.done   get.claimed   put.done   put.claimed   get.done + capacity
 *         | being read | ready      | being written | free     |
 *
 * One atomic read-modify-write per burst and side, as few as any ring with many
 * writers can do. Each side keeps in its own line what somebody of it last saw
 * of the other's `done`, so that the other's line is fetched when a ring has run
 * empty or full and not for every burst. That note may be old, even older
 * than another thread's: then it shows too little room and is read again.
 * Positions are 64 bits wide, so that none ever comes back and a compare-and-swap
 * that succeeds late (ABA) cannot be.
 *
 * A thread that is descheduled between claim and publication holds up those of its
 * side that claimed after it: they wait, and after a thousand turns yield the CPU. The
 * other side goes on with what was published.
 *
 * Zero-copy: a reservation is a claim, a commit its publication, so threads may
 * fill their stretches side by side. The price is that what was reserved must be
 * committed, whole and soon: whoever claimed later waits for it. Look-before-take
 * is for the ring with one consumer (ring_spsc.h).
 *
 * Ownership: as in ring.h.
 * Threads: everything but create and destroy is safe from any thread.
 * Errors: as in ring.h.
 */

#include "kit/base/ring.h"

struct mr_mpmc_side {
	/* Written by the threads of this side. */
	MR_RING_APART _Atomic uint64_t claimed;
	_Atomic uint64_t other_seen; /* of the other side's `done` */
	uint64_t capacity;           /* constant */
	/* Written by the threads of this side, read by the other's. On a line of its own,
	 * so that the other side's look does not delay the next compare-and-swap: between two
	 * cores 6.4 cycles per object in bursts of 32 instead of 9.6. */
	MR_RING_APART _Atomic uint64_t done;
};

struct mr_mpmc {
	struct mr_mpmc_side put, get;

	/* Constant after create. */
	MR_RING_APART uint32_t element_size;
	uint32_t owned; /* the memory is the ring's */

	MR_RING_APART uint8_t elements[];
};

struct mr_mpmc_reservation {
	uint64_t at;
	uint32_t count;
	struct mr_ring_span span;
};

MR_API int mr_mpmc_create(struct mr_mpmc **out, const struct mr_ring_config *, struct mr_error *);
MR_API void mr_mpmc_destroy(struct mr_mpmc *);

/* Bytes of memory that a ring takes. */
MR_API size_t mr_mpmc_size(uint32_t capacity, uint32_t element_size);

/* Waits until `done` is `at`, yielding now and then. */
MR_API void mr_mpmc_wait(const _Atomic uint64_t *done, uint64_t at);

/*
 * Claims up to `count` elements (all: exactly that many or none) on the side `mine` and
 * returns how many, from `*at` on. What lies between the sides' positions differs by
 * `slack`: the capacity for producers (room), 0 for consumers (elements ready).
 */
mr_inline uint32_t
mr_mpmc_claim(struct mr_mpmc_side *mine, const struct mr_mpmc_side *other, uint64_t slack,
    uint32_t count, bool all, uint64_t *at)
{
	uint64_t claimed = atomic_load_explicit(&mine->claimed, memory_order_relaxed), seen;
	uint32_t n;

	do {
		/* Acquire pairs with the release below: whoever noted it had acquired it from
		 * the other side, and now we have. Signed, since an old note may lie further
		 * back than a capacity; a `claimed` that is old makes the swap fail. */
		seen = atomic_load_explicit(&mine->other_seen, memory_order_acquire);
		n = count;
		if ((int64_t)(seen + slack - claimed) < (int64_t)count) {
			/* Acquire pairs with the release in mr_mpmc_publish. */
			seen = atomic_load_explicit(&other->done, memory_order_acquire);
			atomic_store_explicit(&mine->other_seen, seen, memory_order_release);
			if ((int64_t)(seen + slack - claimed) < (int64_t)count) {
				if (all || (int64_t)(seen + slack - claimed) <= 0)
					return 0;
				n = (uint32_t)(seen + slack - claimed);
			}
		}
		/* Relaxed: the order against the other side comes from `seen`, that against
		 * threads of this side from `done`. */
	} while (mr_unlikely(!atomic_compare_exchange_weak_explicit(&mine->claimed, &claimed,
	    claimed + n, memory_order_relaxed, memory_order_relaxed)));
	*at = claimed;
	return n;
}

mr_inline void
mr_mpmc_publish(struct mr_mpmc_side *mine, uint64_t at, uint32_t count)
{
	/* Acquire pairs with the release of the thread that claimed before us: our own
	 * release then covers its elements too. */
	if (mr_unlikely(atomic_load_explicit(&mine->done, memory_order_acquire) != at))
		mr_mpmc_wait(&mine->done, at);
	/* Release pairs with the acquire in mr_mpmc_claim. */
	atomic_store_explicit(&mine->done, at + count, memory_order_release);
}

mr_inline unsigned
mr_mpmc_put(struct mr_mpmc *ring, const void *in, unsigned count, bool all, const size_t size)
{
	uint64_t capacity = ring->put.capacity, at;
	uint32_t n = mr_mpmc_claim(&ring->put, &ring->get, capacity, count, all, &at);

	if (mr_unlikely(!n))
		return 0;
	mr_ring_copy_in(ring->elements, (uint32_t)capacity - 1, (uint32_t)at, in, n, size);
	mr_mpmc_publish(&ring->put, at, n);
	return n;
}

mr_inline unsigned
mr_mpmc_get(struct mr_mpmc *ring, void *out, unsigned count, bool all, const size_t size)
{
	uint64_t capacity = ring->get.capacity, at;
	uint32_t n = mr_mpmc_claim(&ring->get, &ring->put, 0, count, all, &at);

	if (mr_unlikely(!n))
		return 0;
	mr_ring_copy_out(ring->elements, (uint32_t)capacity - 1, (uint32_t)at, out, n, size);
	mr_mpmc_publish(&ring->get, at, n);
	return n;
}

/* As many as fit or are there; returns how many. */
mr_inline unsigned
mr_mpmc_put_burst_u32(struct mr_mpmc *ring, const uint32_t *in, unsigned count)
{
	return mr_mpmc_put(ring, in, count, false, sizeof(*in));
}

mr_inline unsigned
mr_mpmc_get_burst_u32(struct mr_mpmc *ring, uint32_t *out, unsigned count)
{
	return mr_mpmc_get(ring, out, count, false, sizeof(*out));
}

mr_inline unsigned
mr_mpmc_put_burst_u64(struct mr_mpmc *ring, const uint64_t *in, unsigned count)
{
	return mr_mpmc_put(ring, in, count, false, sizeof(*in));
}

mr_inline unsigned
mr_mpmc_get_burst_u64(struct mr_mpmc *ring, uint64_t *out, unsigned count)
{
	return mr_mpmc_get(ring, out, count, false, sizeof(*out));
}

mr_inline unsigned
mr_mpmc_put_burst_ptr(struct mr_mpmc *ring, void *const *in, unsigned count)
{
	return mr_mpmc_put(ring, in, count, false, sizeof(*in));
}

mr_inline unsigned
mr_mpmc_get_burst_ptr(struct mr_mpmc *ring, void **out, unsigned count)
{
	return mr_mpmc_get(ring, out, count, false, sizeof(*out));
}

/* All or none: `count` or 0. */
mr_inline unsigned
mr_mpmc_put_bulk_u32(struct mr_mpmc *ring, const uint32_t *in, unsigned count)
{
	return mr_mpmc_put(ring, in, count, true, sizeof(*in));
}

mr_inline unsigned
mr_mpmc_get_bulk_u32(struct mr_mpmc *ring, uint32_t *out, unsigned count)
{
	return mr_mpmc_get(ring, out, count, true, sizeof(*out));
}

mr_inline unsigned
mr_mpmc_put_bulk_u64(struct mr_mpmc *ring, const uint64_t *in, unsigned count)
{
	return mr_mpmc_put(ring, in, count, true, sizeof(*in));
}

mr_inline unsigned
mr_mpmc_get_bulk_u64(struct mr_mpmc *ring, uint64_t *out, unsigned count)
{
	return mr_mpmc_get(ring, out, count, true, sizeof(*out));
}

mr_inline unsigned
mr_mpmc_put_bulk_ptr(struct mr_mpmc *ring, void *const *in, unsigned count)
{
	return mr_mpmc_put(ring, in, count, true, sizeof(*in));
}

mr_inline unsigned
mr_mpmc_get_bulk_ptr(struct mr_mpmc *ring, void **out, unsigned count)
{
	return mr_mpmc_get(ring, out, count, true, sizeof(*out));
}

/* The span of a claim, empty when there was none. */
mr_inline unsigned
mr_mpmc_reserved(struct mr_mpmc *ring, struct mr_mpmc_reservation *r, uint64_t at, uint32_t count)
{
	r->at = at;
	r->count = count;
	mr_ring_span_set(&r->span, ring->elements, (uint32_t)ring->put.capacity - 1, (uint32_t)at,
	    count, ring->element_size);
	return count;
}

/* Up to `count` elements, returned and described in `r`, which some thread then has to
 * commit once. Committing an empty reservation does nothing. */
mr_inline unsigned
mr_mpmc_put_reserve(struct mr_mpmc *ring, unsigned count, struct mr_mpmc_reservation *r)
{
	uint64_t at = 0;
	uint32_t n = mr_mpmc_claim(&ring->put, &ring->get, ring->put.capacity, count, false, &at);

	return mr_mpmc_reserved(ring, r, at, n);
}

mr_inline void
mr_mpmc_put_commit(struct mr_mpmc *ring, const struct mr_mpmc_reservation *r)
{
	if (r->count)
		mr_mpmc_publish(&ring->put, r->at, r->count);
}

mr_inline unsigned
mr_mpmc_get_reserve(struct mr_mpmc *ring, unsigned count, struct mr_mpmc_reservation *r)
{
	uint64_t at = 0;
	uint32_t n = mr_mpmc_claim(&ring->get, &ring->put, 0, count, false, &at);

	return mr_mpmc_reserved(ring, r, at, n);
}

mr_inline void
mr_mpmc_get_commit(struct mr_mpmc *ring, const struct mr_mpmc_reservation *r)
{
	if (r->count)
		mr_mpmc_publish(&ring->get, r->at, r->count);
}

mr_inline unsigned
mr_mpmc_capacity(const struct mr_mpmc *ring)
{
	return (unsigned)ring->get.capacity;
}

/* Elements that are ready: exact at quiet, else a value that was nearly true. */
mr_inline unsigned
mr_mpmc_count(const struct mr_mpmc *ring)
{
	/* Acquire, so that the other one read next is not older than this. */
	uint64_t head = atomic_load_explicit(&ring->get.done, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&ring->put.done, memory_order_acquire);

	return (unsigned)MR_MIN(tail - head, ring->get.capacity);
}

mr_inline unsigned
mr_mpmc_free(const struct mr_mpmc *ring)
{
	return mr_mpmc_capacity(ring) - mr_mpmc_count(ring);
}

#endif
