/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_POOL_BITS_INT_H
#define MR_NF_NAT_POOL_BITS_INT_H

/*
 * Bits that say what is free, in two levels: `some` has a bit for each word that has one set. A bit
 * is taken and put by compare-and-swap of its word. `some` is right in one direction: a word
 * with a free bit has its bit there, but for the moment in which it is being set; so the
 * search looks at words that somebody may have emptied, and passes none.
 *
 * Ownership: the words are the caller's. Threads: any number take and put.
 */

#include "kit/base/def.h"

#define NAT_BITS_NONE UINT32_MAX
#define NAT_BITS_WORDS(count) (((count) + 63) / 64)

struct nat_bits {
	_Atomic uint64_t *words, *some;
};

/* Sets bits of a word. Sequentially consistent, as all here: put looks at the word before `some`,
 * take at `some` before the word. */
mr_inline void
nat_bits_put_word(const struct nat_bits *b, uint32_t word, uint64_t bits)
{
	if (bits && !atomic_fetch_or(&b->words[word], bits))
		atomic_fetch_or(&b->some[word / 64], UINT64_C(1) << word % 64);
}

/* The bit is not set, which makes an addition of it: half the price of an or that tells what was. */
mr_inline void
nat_bits_put(const struct nat_bits *b, uint32_t bit)
{
	if (!atomic_fetch_add(&b->words[bit / 64], UINT64_C(1) << bit % 64))
		atomic_fetch_or(&b->some[bit / 64 / 64], UINT64_C(1) << bit / 64 % 64);
}

/* The word has run empty: says so, unless somebody put a bit meanwhile. */
mr_inline void
nat_bits_emptied(const struct nat_bits *b, uint32_t word)
{
	uint64_t bit = UINT64_C(1) << word % 64;

	atomic_fetch_and(&b->some[word / 64], ~bit);
	if (mr_unlikely(atomic_load(&b->words[word])))
		atomic_fetch_or(&b->some[word / 64], bit);
}

/* Takes the lowest of these bits that is free; NAT_BITS_NONE: none is. */
mr_inline uint32_t
nat_bits_take_in(const struct nat_bits *b, uint32_t word, uint64_t mask)
{
	uint64_t seen;

	while ((seen = atomic_load_explicit(&b->words[word], memory_order_relaxed) & mask) != 0) {
		unsigned n = (unsigned)__builtin_ctzll(seen);

		/* In these words, a single instruction. */
		if (mr_unlikely(!(atomic_fetch_and(&b->words[word], ~(UINT64_C(1) << n)) &
			(UINT64_C(1) << n))))
			continue; /* somebody else was first */
		if (mr_unlikely(!atomic_load(&b->words[word])))
			nat_bits_emptied(b, word);
		return word * 64 + n;
	}
	return NAT_BITS_NONE;
}

/* Takes all of these bits when all are free. */
bool nat_bits_take_all(const struct nat_bits *, uint32_t word, uint64_t bits);
/* Takes a free bit from `first` to `last`, from `start` on and around; `mask`: which of 64. */
uint32_t nat_bits_take(const struct nat_bits *, uint32_t first, uint32_t last, uint32_t start,
    uint64_t mask);
/* The bits of this word that lie from `first` to `last`. */
mr_inline uint64_t
nat_bits_mask(uint32_t word, uint32_t first, uint32_t last)
{
	uint64_t mask = ~UINT64_C(0);

	if (word == first / 64)
		mask &= ~UINT64_C(0) << first % 64;
	if (word == last / 64)
		mask &= ~UINT64_C(0) >> (63 - last % 64);
	return mask;
}
uint64_t nat_bits_count(const struct nat_bits *, uint32_t count);

#endif
