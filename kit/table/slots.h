/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_SLOTS_H
#define MR_KIT_TABLE_SLOTS_H

/*
 * Slots: the part that hash tables shared by all workers have in common. They lead from a keyed
 * hash to the numbers of the entries that may have it; entries, keys and what becomes of entries
 * that are gone are the caller's.
 *
 *   bucket   64 bytes: 15 slots of (8 bits of the hash, number of an entry), and a lock
 *
 * A hash has two buckets. Slots are claimed and cleared by compare-and-swap, one by one, and a
 * look-up takes no lock: it reads the numbers whose tags match and compares the keys of these
 * entries, of which one in 256 is another's. The first bucket's lock is for who adds: held
 * from the look-up that found nothing to the claim, it keeps a key from getting two entries.
 *
 *	mr_slots_each(n, slots, hash)
 *		if (entry_is_live_and_has(&entries[n], key))
 *			return n;
 *
 * An entry found so may be gone, or be another's, by the time it is compared: entries need a
 * word that tells (nf/conntrack/table_int.h: an age), and memory that stays.
 *
 * Ownership: memory for `max` entries at a load of a half, reserved, and touched where used.
 * Threads: any number do anything at once. Errors: a claim fails when both buckets are full,
 * which at `max` entries happens to one in billions unless somebody knows the hash's key.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_SLOTS_WAYS 15u
#define MR_SLOTS_NUMBER 0x00ffffffu /* of an entry: 1 and up */

struct mr_slots_bucket {
	MR_CACHE_ALIGNED _Atomic uint32_t slot[MR_SLOTS_WAYS]; /* tag on top; 0: empty */
	_Atomic uint32_t lock;
};
static_assert(sizeof(struct mr_slots_bucket) == MR_CACHE_LINE, "a bucket is one line");

struct mr_slots {
	struct mr_slots_bucket *buckets;
	uint32_t mask; /* buckets - 1 */
};

MR_API int mr_slots_create(struct mr_slots *, uint32_t max, struct mr_error *);
/* One that was never created has null buckets. */
MR_API void mr_slots_destroy(struct mr_slots *);

mr_inline struct mr_slots_bucket *
mr_slots_first(const struct mr_slots *s, uint64_t hash)
{
	return &s->buckets[hash & s->mask];
}

mr_inline struct mr_slots_bucket *
mr_slots_second(const struct mr_slots *s, uint64_t hash)
{
	uint32_t second = (uint32_t)(hash >> 28) & s->mask;

	/* There are at least two. */
	return &s->buckets[second ^ (second == (hash & s->mask))];
}

mr_inline void
mr_slots_prefetch(const struct mr_slots *s, uint64_t hash)
{
	mr_prefetch(mr_slots_first(s, hash));
	mr_prefetch(mr_slots_second(s, hash));
}

/* Which of a bucket's slots have the hash's tag, as bits. A hint until the key is compared. */
MR_API unsigned mr_slots_match(const struct mr_slots_bucket *, uint64_t hash);

mr_inline uint32_t
mr_slots_at(const struct mr_slots_bucket *b, unsigned i)
{
	/* Acquire pairs with the claim: who sees the number sees the entry. */
	return atomic_load_explicit(&b->slot[i], memory_order_acquire) & MR_SLOTS_NUMBER;
}

/* A number that may be it, for its entry to be prefetched; 0: none. */
MR_API uint32_t mr_slots_guess(const struct mr_slots *, uint64_t hash);

/* The walk of mr_slots_each. */
struct mr_slots_walk {
	const struct mr_slots_bucket *bucket;
	unsigned matches;
	bool second;
};

mr_inline struct mr_slots_walk
mr_slots_begin(const struct mr_slots *s, uint64_t hash)
{
	const struct mr_slots_bucket *b = mr_slots_first(s, hash);

	return (struct mr_slots_walk){ b, mr_slots_match(b, hash), false };
}

/* The next number; 0: that was all. */
mr_inline uint32_t
mr_slots_next(const struct mr_slots *s, uint64_t hash, struct mr_slots_walk *w)
{
	for (;;) {
		while (w->matches) {
			unsigned i = (unsigned)__builtin_ctz(w->matches);
			uint32_t number = mr_slots_at(w->bucket, i);

			w->matches &= w->matches - 1;
			if (number)
				return number;
		}
		if (w->second)
			return 0;
		w->second = true;
		w->bucket = mr_slots_second(s, hash);
		w->matches = mr_slots_match(w->bucket, hash);
	}
}

/* The numbers `n` that may have this hash, one after the other. */
#define mr_slots_each(n, slots, hash) \
	for (struct mr_slots_walk n##_walk = mr_slots_begin(slots, hash); n##_walk.bucket; \
	     n##_walk.bucket = NULL) \
		for (uint32_t n; (n = mr_slots_next(slots, hash, &n##_walk)) != 0;)

/* Claims a slot for this entry, which is complete: who finds it sees it whole. False: no room. */
MR_API bool mr_slots_claim(struct mr_slots *, uint64_t hash, uint32_t number);
/* False: it was not there. */
MR_API bool mr_slots_clear(struct mr_slots *, uint64_t hash, uint32_t number);

mr_inline void
mr_slots_lock(struct mr_slots *s, uint64_t hash)
{
	/* Acquire pairs with the release of unlock. */
	while (atomic_exchange_explicit(&mr_slots_first(s, hash)->lock, 1, memory_order_acquire))
		mr_relax();
}

mr_inline void
mr_slots_unlock(struct mr_slots *s, uint64_t hash)
{
	atomic_store_explicit(&mr_slots_first(s, hash)->lock, 0, memory_order_release);
}

#endif
