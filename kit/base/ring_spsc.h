/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_RING_SPSC_H
#define MR_KIT_BASE_RING_SPSC_H

/*
 * A bounded ring between one thread that puts and one that gets.
 *
 * `tail` is the position behind the last element put, `head` that of the next one to
 * get; both count up freely. The producer alone writes `tail`, the consumer alone
 * `head`, so plain stores do; a store with release order publishes the elements
 * (or the room) before it, and the other side's load with acquire order takes them
 * over. Each side remembers what it last saw of the other and looks again only
 * when that does not suffice, so that the other's line moves between cores when
 * a ring has run empty or full and not for every burst.
 *
 *   producer: room  = capacity - (tail - head seen)   copy in,  tail += n (release)
 *   consumer: ready = tail seen - head                copy out, head += n (release)
 *
 * Ownership: as in ring.h.
 * Threads: put functions belong to one thread, get functions to one (perhaps the
 * same); count is safe from any.
 * Errors: as in ring.h.
 */

#include "kit/base/ring.h"

/* Each side has in its own line all that a burst needs: the geometry twice. */
struct mr_spsc {
	/* Written by the producer; `tail` read by the consumer. */
	MR_RING_APART _Atomic uint32_t tail;
	uint32_t head_seen;
	uint32_t put_mask;

	/* Written by the consumer; `head` read by the producer. */
	MR_RING_APART _Atomic uint32_t head;
	uint32_t tail_seen;
	uint32_t get_mask;

	/* Constant after create. */
	MR_RING_APART uint32_t element_size;
	uint32_t owned; /* the memory is the ring's */

	MR_RING_APART uint8_t elements[];
};

MR_API int mr_spsc_create(struct mr_spsc **out, const struct mr_ring_config *, struct mr_error *);
MR_API void mr_spsc_destroy(struct mr_spsc *);

/* Bytes of memory that a ring takes. */
MR_API size_t mr_spsc_size(uint32_t capacity, uint32_t element_size);

/* The room for `count` elements: that many, or fewer when there are fewer. */
mr_inline uint32_t
mr_spsc_room(struct mr_spsc *ring, uint32_t tail, uint32_t count)
{
	uint32_t capacity = ring->put_mask + 1, room = capacity - (tail - ring->head_seen);

	if (mr_unlikely(room < count)) {
		/* Acquire pairs with the release in mr_spsc_get_commit and mr_spsc_get: the
		 * consumer has read the elements that are overwritten now. */
		ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
		room = capacity - (tail - ring->head_seen);
	}
	return room;
}

mr_inline uint32_t
mr_spsc_ready(struct mr_spsc *ring, uint32_t head, uint32_t count)
{
	uint32_t ready = ring->tail_seen - head;

	if (ready < count) {
		/* Acquire pairs with the release in mr_spsc_put_commit and mr_spsc_put: the
		 * elements are there. */
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		ready = ring->tail_seen - head;
	}
	return ready;
}

mr_inline unsigned
mr_spsc_put(struct mr_spsc *ring, const void *in, unsigned count, bool all, const size_t size)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint32_t room = mr_spsc_room(ring, tail, count);

	if (mr_likely(room >= count)) {
		mr_ring_copy_in(ring->elements, ring->put_mask, tail, in, count, size);
	} else {
		if (all || !room)
			return 0;
		count = room;
		mr_ring_copy_in(ring->elements, ring->put_mask, tail, in, count, size);
	}
	/* Release pairs with the acquire in mr_spsc_ready. */
	atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
	return count;
}

mr_inline unsigned
mr_spsc_get(struct mr_spsc *ring, void *out, unsigned count, bool all, const size_t size)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint32_t ready = mr_spsc_ready(ring, head, count);

	if (mr_likely(ready >= count)) {
		mr_ring_copy_out(ring->elements, ring->get_mask, head, out, count, size);
	} else {
		if (all || !ready)
			return 0;
		count = ready;
		mr_ring_copy_out(ring->elements, ring->get_mask, head, out, count, size);
	}
	/* Release pairs with the acquire in mr_spsc_room. */
	atomic_store_explicit(&ring->head, head + count, memory_order_release);
	return count;
}

/* As many as fit or are there; returns how many. */
mr_inline unsigned
mr_spsc_put_burst_u32(struct mr_spsc *ring, const uint32_t *in, unsigned count)
{
	return mr_spsc_put(ring, in, count, false, sizeof(*in));
}

mr_inline unsigned
mr_spsc_get_burst_u32(struct mr_spsc *ring, uint32_t *out, unsigned count)
{
	return mr_spsc_get(ring, out, count, false, sizeof(*out));
}

mr_inline unsigned
mr_spsc_put_burst_u64(struct mr_spsc *ring, const uint64_t *in, unsigned count)
{
	return mr_spsc_put(ring, in, count, false, sizeof(*in));
}

mr_inline unsigned
mr_spsc_get_burst_u64(struct mr_spsc *ring, uint64_t *out, unsigned count)
{
	return mr_spsc_get(ring, out, count, false, sizeof(*out));
}

mr_inline unsigned
mr_spsc_put_burst_ptr(struct mr_spsc *ring, void *const *in, unsigned count)
{
	return mr_spsc_put(ring, in, count, false, sizeof(*in));
}

mr_inline unsigned
mr_spsc_get_burst_ptr(struct mr_spsc *ring, void **out, unsigned count)
{
	return mr_spsc_get(ring, out, count, false, sizeof(*out));
}

/* All or none: `count` or 0. */
mr_inline unsigned
mr_spsc_put_bulk_u32(struct mr_spsc *ring, const uint32_t *in, unsigned count)
{
	return mr_spsc_put(ring, in, count, true, sizeof(*in));
}

mr_inline unsigned
mr_spsc_get_bulk_u32(struct mr_spsc *ring, uint32_t *out, unsigned count)
{
	return mr_spsc_get(ring, out, count, true, sizeof(*out));
}

mr_inline unsigned
mr_spsc_put_bulk_u64(struct mr_spsc *ring, const uint64_t *in, unsigned count)
{
	return mr_spsc_put(ring, in, count, true, sizeof(*in));
}

mr_inline unsigned
mr_spsc_get_bulk_u64(struct mr_spsc *ring, uint64_t *out, unsigned count)
{
	return mr_spsc_get(ring, out, count, true, sizeof(*out));
}

mr_inline unsigned
mr_spsc_put_bulk_ptr(struct mr_spsc *ring, void *const *in, unsigned count)
{
	return mr_spsc_put(ring, in, count, true, sizeof(*in));
}

mr_inline unsigned
mr_spsc_get_bulk_ptr(struct mr_spsc *ring, void **out, unsigned count)
{
	return mr_spsc_get(ring, out, count, true, sizeof(*out));
}

/*
 * Zero-copy. put_reserve points at room for up to `count` elements and returns how
 * many; put_commit publishes the first `count` of them (fewer than reserved is fine, 0
 * too). get_reserve points at up to `count` elements that are ready, get_commit gives
 * the first `count` of them back. A reservation changes nothing until its commit, so
 * that get_reserve alone is a peek.
 */
mr_inline unsigned
mr_spsc_put_reserve(struct mr_spsc *ring, unsigned count, struct mr_ring_span *span)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint32_t room = mr_spsc_room(ring, tail, count);

	count = MR_MIN(count, room);
	mr_ring_span_set(span, ring->elements, ring->put_mask, tail, count, ring->element_size);
	return count;
}

mr_inline void
mr_spsc_put_commit(struct mr_spsc *ring, unsigned count)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	/* Release pairs with the acquire in mr_spsc_ready. */
	atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
}

mr_inline unsigned
mr_spsc_get_reserve(struct mr_spsc *ring, unsigned count, struct mr_ring_span *span)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint32_t ready = mr_spsc_ready(ring, head, count);

	count = MR_MIN(count, ready);
	mr_ring_span_set(span, ring->elements, ring->get_mask, head, count, ring->element_size);
	return count;
}

mr_inline void
mr_spsc_get_commit(struct mr_spsc *ring, unsigned count)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	/* Release pairs with the acquire in mr_spsc_room. */
	atomic_store_explicit(&ring->head, head + count, memory_order_release);
}

mr_inline unsigned
mr_spsc_capacity(const struct mr_spsc *ring)
{
	return ring->get_mask + 1;
}

/* Elements in the ring: exact for either side while the other is quiet, else a value
 * that was nearly true. */
mr_inline unsigned
mr_spsc_count(const struct mr_spsc *ring)
{
	/* Acquire, so that the tail read next is not older than this head. */
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

	return MR_MIN(tail - head, ring->get_mask + 1);
}

mr_inline unsigned
mr_spsc_free(const struct mr_spsc *ring)
{
	return mr_spsc_capacity(ring) - mr_spsc_count(ring);
}

#endif
