/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/pool/bits_int.h"

bool
nat_bits_take_all(const struct nat_bits *b, uint32_t word, uint64_t bits)
{
	uint64_t seen = atomic_load(&b->words[word]);

	if (!bits)
		return true;
	do {
		if ((seen & bits) != bits)
			return false;
	} while (!atomic_compare_exchange_weak(&b->words[word], &seen, seen & ~bits));
	if (!(seen & ~bits))
		nat_bits_emptied(b, word);
	return true;
}

/* The next word from `word` to `last` that may have free bits; last + 1: none. */
static uint32_t
next_word(const struct nat_bits *b, uint32_t word, uint32_t last)
{
	while (word <= last) {
		uint64_t some = atomic_load(&b->some[word / 64]) >> word % 64;

		if (some) {
			word += (uint32_t)__builtin_ctzll(some);
			return MR_MIN(word, last + 1);
		}
		word = (word / 64 + 1) * 64;
	}
	return last + 1;
}

uint32_t
nat_bits_take(const struct nat_bits *b, uint32_t first, uint32_t last, uint32_t start,
    uint64_t mask)
{
	uint32_t begin = start / 64, bit;

	/* Mostly one of the first word will do. */
	bit = nat_bits_take_in(b, begin,
	    mask & nat_bits_mask(begin, first, last) & ~UINT64_C(0) << start % 64);
	if (mr_likely(bit != NAT_BITS_NONE))
		return bit;
	/* To the end, and from the beginning up to the first word again. */
	for (unsigned turn = 0; turn < 2; turn++) {
		uint32_t to = turn ? begin : last / 64;

		for (uint32_t w = next_word(b, turn ? first / 64 : begin + 1, to); w <= to;
		     w = next_word(b, w + 1, to)) {
			bit = nat_bits_take_in(b, w, mask & nat_bits_mask(w, first, last));
			if (bit != NAT_BITS_NONE)
				return bit;
		}
	}
	return NAT_BITS_NONE;
}

uint64_t
nat_bits_count(const struct nat_bits *b, uint32_t count)
{
	uint64_t n = 0;

	for (uint32_t w = 0; w < NAT_BITS_WORDS(count); w++)
		n += (unsigned)__builtin_popcountll(
		    atomic_load_explicit(&b->words[w], memory_order_relaxed));
	return n;
}
