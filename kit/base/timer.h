/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_TIMER_H
#define MR_KIT_BASE_TIMER_H

/*
 * A hierarchical timer wheel for millions of timers of one worker: set, move,
 * cancel and expire in constant time, whatever the distance.
 *
 * A timer is 16 bytes that stand wherever the caller likes, one in each element of an
 * array (a flow's state line), and is named by the element's index. The wheel adds
 * about 5 bytes per timer of its own:
 *
 *   level 7 ... level 1      256 slots of 2^8, 2^16 ... ticks each
 *              level 0       256 slots of one tick
 *   a slot is a list of 64-byte chunks of up to 14 indices; only its newest chunk
 *   is not full, and a timer knows its place in a chunk.
 *
 * A timer stands on the level of the highest byte in which its tick differs from the
 * present one, in the slot of that byte. When time enters a slot of a higher
 * level, its timers move down. Chunks instead of linked lists, because a list makes
 * every set, cancel and move wait for memory of its neighbours, one after the other;
 * a chunk's timers are prefetched together. Bitmaps of the slots in use make
 * empty time free: advancing over an idle year costs as much as over a tick. All of
 * 2^64 ticks fit the 8 levels, so there is no horizon.
 *
 * Time is any 64-bit counter that does not go back (nanoseconds, cycles); a tick is
 * 2^tick_shift of its units. A timer never expires early: it is delivered by the
 * first mr_timer_advance whose time has reached the end of the tick it falls
 * into, if that call's budget reaches it.
 *
 * Ownership: the array is the caller's and must outlive the wheel; elements start
 * zeroed. An armed timer's 16 bytes belong to the wheel.
 * Threads: one; the wheel has no locks.
 * Errors: only create can fail; memory for every timer is taken then.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_TIMER_LEVELS 8
#define MR_TIMER_SLOTS 256

struct mr_timer {
	uint64_t tick;  /* when it is due, while armed */
	uint32_t place; /* in the wheel's chunks; 0: not armed */
	uint32_t data;  /* the caller's */
};

static_assert(sizeof(struct mr_timer) == 16, "a timer is 16 bytes");

struct mr_timer_wheel;

struct mr_timer_wheel_config {
	void *timers;        /* the first element's struct mr_timer */
	size_t stride;       /* bytes from one element's timer to the next */
	uint32_t count;      /* elements */
	unsigned tick_shift; /* a tick is 2^this units of time; below 64 */
	uint64_t now;
};

MR_API int mr_timer_wheel_create(struct mr_timer_wheel **out, const struct mr_timer_wheel_config *,
    struct mr_error *);
MR_API void mr_timer_wheel_destroy(struct mr_timer_wheel *);

/* Arms a timer for `time`, or moves an armed one. A time that has passed is due at once:
 * the next advance delivers it. */
MR_API void mr_timer_set(struct mr_timer_wheel *, uint32_t index, uint64_t time);

/* Returns whether it was armed. A timer that advance has delivered is not. */
MR_API bool mr_timer_cancel(struct mr_timer_wheel *, uint32_t index);

mr_inline bool
mr_timer_armed(const struct mr_timer *timer)
{
	return timer->place;
}

/* Moves time forward to `now` and writes the indices of timers that are due to
 * `expired`, at most `max`, disarmed; returns how many. Ticks come in order, timers of
 * one tick in any order. At most `budget` timers are touched (moved down or
 * expired): a worker calls it once per loop with, say, 64, and what it does not reach is
 * reached by the next call. Each element's memory has been prefetched when the
 * timer is delivered. */
MR_API unsigned mr_timer_advance(struct mr_timer_wheel *, uint64_t now, unsigned budget,
    uint32_t *expired, unsigned max);

/* Whether the last advance stopped before the time it was given. */
MR_API bool mr_timer_behind(const struct mr_timer_wheel *);

/* When advance has to be called next at the latest, for a worker that wants to sleep:
 * nothing is due before. May be early (a move between levels), never late.
 * UINT64_MAX when nothing is armed. */
MR_API uint64_t mr_timer_next(const struct mr_timer_wheel *);

/* Timers armed. */
MR_API uint32_t mr_timer_count(const struct mr_timer_wheel *);

#endif
