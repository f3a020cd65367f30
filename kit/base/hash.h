/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_HASH_H
#define MR_KIT_BASE_HASH_H

/*
 * Hashes of keys that an attacker may choose: addresses, ports, MACs, names. Every
 * table draws its own random key, so that nobody outside can compute which entries
 * share a bucket.
 *
 * Ownership: a key is a value of the table that uses it.
 * Threads: none; keys are read-only after they are filled.
 * Errors: only mr_hash_key_random can fail.
 *
 * How it works, for words w[0..n-1] and secret words k, f:
 *
 *   s = sum over i of (w[2i] + k[2i]) * (w[2i+1] + k[2i+1])   mod 2^128   (NH)
 *   p = (low64(s) + f[0]) * (high64(s) + f[1])                the full 128 bits
 *   hash = low64(p) ^ high64(p)
 *
 * with additions in 64 bits and a missing last word taken as 0. One multiplication per
 * two words, none waiting for another, and one at the end.
 *
 * What that is worth against an attacker who knows this file but not the key:
 *
 * - The first step is NH (Black et al., UMAC, CRYPTO 1999) with 64-bit words. Any
 *   two different messages of the same number of words give the same s for at
 *   most one key in 2^64. It is a theorem about all pairs: there is no difference,
 *   xor or additive, that collides whatever the key is. (CRC and Toeplitz hashes
 *   have them: one collision found offline collides under every key.)
 * - Multiply-and-fold hashes with public multipliers fail when a word equals the
 *   public constant: a factor becomes zero and the other word no longer counts.
 *   Here every factor contains a secret word of its own. For a given w[2i] the
 *   factor is zero for one key in 2^64, the attacker does not know for which, and
 *   trying q words finds it with probability q / 2^64. The same holds for f.
 * - Buckets use a few bits of the result, so partial collisions exist as for any
 *   hash: keys that happen to share a bucket can be found by timing one pair after
 *   another. They do not multiply, though: which pairs they are depends on all
 *   128 bits of s through the non-linear second step, so appending or adding the
 *   same to both members of a pair separates them again. Filling a bucket of a
 *   table with 2^b buckets costs some 2^b timed probes per entry.
 * - The second step is not proven; it is tested (hash_test.c).
 * - It is no MAC. Someone who sees many outputs can solve for the key, so hashes
 *   never leave the process; what does (cookies, identifiers) takes mr_siphash.
 *
 * Keys of different lengths in one table go through mr_hash_bytes, which adds the
 * length to s; the others expect one number of words per key.
 */

#include <string.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_HASH_WORDS_MAX 8

struct mr_hash_key {
	uint64_t f[2];
	uint64_t k[MR_HASH_WORDS_MAX];
	uint64_t sip[2]; /* of mr_siphash, and of bytes that are too long for k */
};

/* From the kernel's generator; blocks until that is seeded, early at boot. */
MR_API int mr_hash_key_random(struct mr_hash_key *, struct mr_error *);

/* The same key for the same seed on every machine: tests and benchmarks only. */
MR_API void mr_hash_key_seed(struct mr_hash_key *, uint64_t seed);

mr_inline __uint128_t
mr_hash_mul(uint64_t a, uint64_t b)
{
	return (__uint128_t)a * b;
}

/* The second step. */
mr_inline uint64_t
mr_hash_finish(const struct mr_hash_key *key, __uint128_t s)
{
	__uint128_t p = mr_hash_mul((uint64_t)s + key->f[0], (uint64_t)(s >> 64) + key->f[1]);

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

mr_inline uint64_t
mr_hash_u64(const struct mr_hash_key *key, uint64_t a)
{
	return mr_hash_finish(key, mr_hash_mul(a + key->k[0], key->k[1]));
}

mr_inline uint64_t
mr_hash_u128(const struct mr_hash_key *key, uint64_t a, uint64_t b)
{
	return mr_hash_finish(key, mr_hash_mul(a + key->k[0], b + key->k[1]));
}

mr_inline __uint128_t
mr_hash_sum(const struct mr_hash_key *key, const uint64_t *words, unsigned count)
{
	__uint128_t s = 0;
	unsigned i;

	for (i = 0; i + 1 < count; i += 2)
		s += mr_hash_mul(words[i] + key->k[i], words[i + 1] + key->k[i + 1]);
	if (i < count)
		s += mr_hash_mul(words[i] + key->k[i], key->k[i + 1]);
	return s;
}

/* `count` words, up to MR_HASH_WORDS_MAX; a constant count is unrolled. One and
 * two words give what mr_hash_u64 and mr_hash_u128 give. */
mr_inline uint64_t
mr_hash_words(const struct mr_hash_key *key, const uint64_t *words, unsigned count)
{
	return mr_hash_finish(key, mr_hash_sum(key, words, count));
}

/* SipHash-2-4 (Aumasson, Bernstein, 2012): a proven design for cold paths, for
 * outputs that leave the process, and for any length. */
MR_API uint64_t mr_siphash(const uint64_t key[2], const void *bytes, size_t len);

/* Any length; past 64 bytes this is SipHash. */
MR_API uint64_t mr_hash_bytes(const struct mr_hash_key *, const void *bytes, size_t len);

#endif
