/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_METER_H
#define MR_KIT_TABLE_METER_H

/*
 * Meters: how many packets per second may do something, with so many of them at once. The
 * generic cell rate algorithm (GCRA, ITU-T I.371) in its virtual scheduling form: a token bucket
 * whose whole state is one number, the time at which the bucket will be full again.
 *
 *   rate r, burst b:  interval = 1/r, depth = b/r
 *   start = max(due, now)         what was not used beyond the depth is lost
 *   conforms when start + interval <= now + depth; then due = start + interval
 *
 * So over any time t at most b + r * t pass, and a source that keeps to r always does.
 * A meter is a rate and such a word. A table of meters is one rate for many keys (sources,
 * destinations): words found by a keyed hash, with nothing else in them. Keys that meet in a
 * word share its rate: an outsider cannot know which do, nor take more memory than there is.
 *
 * Times are cycles (mr_cycles, or a node's run->now), kept to 1/16. They may go back by
 * a little, as between workers, but must not wrap: 2^60 cycles are years.
 *
 * Cost, measured in a loop: 22 cycles to take (all but two of them the compare-and-swap), 29 when
 * several are asked for, which divides; 2 to refuse, which writes nothing, so a flood above the
 * rate does not take the line from other workers. A table adds a hash and a cache line.
 *
 * Ownership: a meter lies in the caller's memory; a table is made and destroyed.
 * Threads: any number may take. Rates are set before anybody takes, or field by field while
 * they do: a moment with the old interval and the new depth does no harm.
 * Errors: only the making of a table can fail.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"
#include "kit/base/hash.h"

#define MR_METER_UNLIMITED UINT64_MAX /* as a rate: everything conforms */
#define MR_METER_FRACTION 4           /* bits of a cycle */

struct mr_meter_rate {
	_Atomic uint64_t interval; /* between two packets, 1/16 cycles; 0: everything conforms */
	_Atomic uint64_t depth;    /* burst x interval; below the interval: nothing conforms */
};

struct mr_meter {
	_Atomic uint64_t due;
	struct mr_meter_rate rate;
};

struct mr_meter_table {
	struct mr_meter_rate rate;
	uint32_t mask; /* words - 1 */
	struct mr_hash_key key;
	_Atomic uint64_t *words;
};

/* `rate` packets per second of `hz` cycles, `burst` of them at once (0 counts as 1). Rate 0:
 * none ever. Keeps the word: what was taken stays taken. */
MR_API void mr_meter_rate_set(struct mr_meter_rate *, uint64_t hz, uint64_t rate, uint64_t burst);

/* A table of at least `words` words (a power of two is made of it), unlimited at first. */
MR_API int mr_meter_table_create(struct mr_meter_table **out, uint32_t words, struct mr_error *);
MR_API void mr_meter_table_destroy(struct mr_meter_table *);

/* How many of `n` packets conform; they are taken. */
mr_inline unsigned
mr_meter_word_take(_Atomic uint64_t *word, const struct mr_meter_rate *rate, uint64_t now,
    unsigned n)
{
	/* Relaxed: nothing is published by a meter; the word alone must be right. */
	uint64_t interval = atomic_load_explicit(&rate->interval, memory_order_relaxed);
	uint64_t depth = atomic_load_explicit(&rate->depth, memory_order_relaxed);
	uint64_t due = atomic_load_explicit(word, memory_order_relaxed);
	uint64_t start, room;

	if (!interval)
		return n;
	now <<= MR_METER_FRACTION;
	do {
		start = MR_MAX(due, now);
		room = start - now < depth ? depth - (start - now) : 0;
		if (room < interval)
			return 0;
		if (n > 1)
			n = (unsigned)MR_MIN((uint64_t)n, room / interval);
	} while (n &&
	    !atomic_compare_exchange_weak_explicit(word, &due, start + n * interval,
		memory_order_relaxed, memory_order_relaxed));
	return n;
}

/* Whether one packet would conform now; takes nothing. */
mr_inline bool
mr_meter_word_ready(const _Atomic uint64_t *word, const struct mr_meter_rate *rate, uint64_t now)
{
	uint64_t interval = atomic_load_explicit(&rate->interval, memory_order_relaxed);
	uint64_t depth = atomic_load_explicit(&rate->depth, memory_order_relaxed);
	uint64_t due = atomic_load_explicit(word, memory_order_relaxed);

	now <<= MR_METER_FRACTION;
	return !interval || MR_MAX(due, now) + interval <= now + depth;
}

mr_inline void
mr_meter_set(struct mr_meter *m, uint64_t hz, uint64_t rate, uint64_t burst)
{
	mr_meter_rate_set(&m->rate, hz, rate, burst);
}

mr_inline unsigned
mr_meter_take(struct mr_meter *m, uint64_t now, unsigned n)
{
	return mr_meter_word_take(&m->due, &m->rate, now, n);
}

mr_inline bool
mr_meter_ready(const struct mr_meter *m, uint64_t now)
{
	return mr_meter_word_ready(&m->due, &m->rate, now);
}

/* The word of a key of 128 bits (an address; beside IPv4's 32, a VRF's number and the like). */
mr_inline _Atomic uint64_t *
mr_meter_table_word(struct mr_meter_table *t, uint64_t a, uint64_t b)
{
	return &t->words[mr_hash_u128(&t->key, a, b) & t->mask];
}

mr_inline unsigned
mr_meter_table_take(struct mr_meter_table *t, uint64_t a, uint64_t b, uint64_t now, unsigned n)
{
	return mr_meter_word_take(mr_meter_table_word(t, a, b), &t->rate, now, n);
}

#endif
