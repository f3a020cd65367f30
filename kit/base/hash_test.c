/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* xorshift64*: reproducible inputs that have nothing to do with the hash. */
static uint64_t
draw(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static void
test_siphash(void **state)
{
	/* The designers' vectors: key 00 .. 0f, message 00 01 02 ... */
	static const struct {
		size_t len;
		uint64_t hash;
	} table[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) },
		{ 1, UINT64_C(0x74f839c593dc67fd) },
		{ 7, UINT64_C(0xab0200f58b01d137) },
		{ 8, UINT64_C(0x93f5f5799a932462) },
		{ 15, UINT64_C(0xa129ca6149be45e5) }, /* the one in the paper */
		{ 16, UINT64_C(0x3f2acc7f57c29bdb) },
		{ 63, UINT64_C(0x958a324ceb064572) },
	};
	const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
	uint8_t message[64];
	unsigned i;

	for (i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	for (i = 0; i < MR_ARRAY_COUNT(table); i++)
		assert_int_equal(mr_siphash(key, message, table[i].len), table[i].hash);
}

/* The definition in the header, written once more, slowly: 128-bit products from
 * 32-bit pieces. */
static void
slow_mul(uint64_t a, uint64_t b, uint64_t *lo, uint64_t *hi)
{
	uint64_t ll = (a & UINT32_MAX) * (b & UINT32_MAX), lh = (a & UINT32_MAX) * (b >> 32);
	uint64_t hl = (a >> 32) * (b & UINT32_MAX), hh = (a >> 32) * (b >> 32);
	uint64_t mid = (ll >> 32) + (lh & UINT32_MAX) + (hl & UINT32_MAX);

	*lo = (mid << 32) | (ll & UINT32_MAX);
	*hi = hh + (lh >> 32) + (hl >> 32) + (mid >> 32);
}

static uint64_t
slow_hash(const struct mr_hash_key *key, const uint64_t *words, unsigned count)
{
	uint64_t s_lo = 0, s_hi = 0, lo, hi;
	unsigned i;

	for (i = 0; i < count; i += 2) {
		slow_mul(words[i] + key->k[i], (i + 1 < count ? words[i + 1] : 0) + key->k[i + 1],
		    &lo, &hi);
		s_lo += lo;
		s_hi += hi + (s_lo < lo);
	}
	slow_mul(s_lo + key->f[0], s_hi + key->f[1], &lo, &hi);
	return lo ^ hi;
}

static void
test_definition(void **state)
{
	uint64_t words[MR_HASH_WORDS_MAX], rng = 1, h;
	struct mr_hash_key key;
	unsigned i, round, count;

	for (round = 0; round < 2000; round++) {
		mr_hash_key_seed(&key, draw(&rng));
		for (i = 0; i < MR_HASH_WORDS_MAX; i++)
			words[i] = draw(&rng);
		for (count = 1; count <= MR_HASH_WORDS_MAX; count++) {
			h = slow_hash(&key, words, count);
			assert_int_equal(mr_hash_words(&key, words, count), h);
			if (count == 1)
				assert_int_equal(mr_hash_u64(&key, words[0]), h);
			if (count == 2)
				assert_int_equal(mr_hash_u128(&key, words[0], words[1]), h);
		}
	}
}

/* The same everywhere: saved traces and benchmarks rely on it. */
static void
test_known(void **state)
{
	static const char text[] =
	    "the quick brown fox jumps over the lazy dog, and then over it again";
	struct mr_hash_key key;

	mr_hash_key_seed(&key, 1);
	assert_int_equal(key.f[0], UINT64_C(0x910a2dec89025cc1)); /* splitmix64's first of seed 1 */
	assert_int_equal(mr_hash_u64(&key, 0), UINT64_C(0xffe0d2baf29e474e));
	assert_int_equal(mr_hash_u64(&key, 1), UINT64_C(0xeed4bbf7b1b0b43e));
	assert_int_equal(mr_hash_u128(&key, 1, 2), UINT64_C(0xfa012cb027fbe7d3));
	assert_int_equal(mr_hash_bytes(&key, NULL, 0), UINT64_C(0x0f451a6a278e9149));
	assert_int_equal(mr_hash_bytes(&key, text, 13), UINT64_C(0x7f83b1e6fef1696f));
	assert_int_equal(mr_hash_bytes(&key, text, 64), UINT64_C(0x58e2d1bdef340cae));
	assert_int_equal(mr_hash_bytes(&key, text, 65), mr_siphash(key.sip, text, 65));
}

/* Bytes: no two of a family that differs in length and trailing zeros collide. */
static void
test_bytes(void **state)
{
	uint8_t zeros[80] = { 0 }, copy[81];
	uint64_t seen[81];
	struct mr_hash_key key;
	unsigned i, j;

	assert_int_equal(mr_hash_key_random(&key, NULL), 0);
	for (i = 0; i <= 80; i++) {
		seen[i] = mr_hash_bytes(&key, zeros, i);
		for (j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
		memset(copy, 0xee, sizeof(copy)); /* what lies behind does not count */
		memset(copy + 1, 0, i);
		assert_int_equal(mr_hash_bytes(&key, copy + 1, i), seen[i]);
	}
}

/* Flipping any bit of the key flips every bit of the hash half of the time. */
static void
check_avalanche(unsigned count)
{
	enum { ROUNDS = 4096 };
	static uint32_t flips[MR_HASH_WORDS_MAX * 64][64];
	uint64_t words[MR_HASH_WORDS_MAX], rng = 7, h, diff;
	double share, worst = 0;
	struct mr_hash_key key;
	unsigned i, b, round;

	memset(flips, 0, sizeof(flips));
	for (round = 0; round < ROUNDS; round++) {
		if (round % 256 == 0)
			mr_hash_key_seed(&key, draw(&rng));
		for (i = 0; i < count; i++) /* half of them small numbers, as real keys are */
			words[i] = round % 2 ? draw(&rng) : draw(&rng) >> 48;
		h = mr_hash_words(&key, words, count);
		for (i = 0; i < count * 64; i++) {
			words[i / 64] ^= UINT64_C(1) << (i % 64);
			diff = h ^ mr_hash_words(&key, words, count);
			words[i / 64] ^= UINT64_C(1) << (i % 64);
			for (b = 0; b < 64; b++)
				flips[i][b] += diff >> b & 1;
		}
	}
	for (i = 0; i < count * 64; i++)
		for (b = 0; b < 64; b++) {
			share = (double)flips[i][b] / ROUNDS - 0.5;
			share = share < 0 ? -share : share;
			worst = MR_MAX(worst, share);
		}
	print_message("avalanche of %u words: worst bias %.4f\n", count, worst);
	assert_true(worst < 0.045); /* 5.8 standard deviations of a fair coin */
}

static void
test_avalanche(void **state)
{
	check_avalanche(1);
	check_avalanche(2);
	check_avalanche(5);
}

static void
key_sequential(uint64_t i, uint64_t out[2])
{
	out[0] = i;
	out[1] = 0;
}

static void
key_high(uint64_t i, uint64_t out[2])
{
	out[0] = i << 44;
	out[1] = 0;
}

static void
key_mac(uint64_t i, uint64_t out[2]) /* one vendor, counting; a VLAN above */
{
	out[0] = UINT64_C(0x0000525400000000) | (i & 0xffff) | (i >> 16) << 48;
	out[1] = 0;
}

static void
key_mac_wire(uint64_t i, uint64_t out[2]) /* as loaded from the wire */
{
	out[0] = __builtin_bswap64(UINT64_C(0x5254000000000000) | i << 16);
	out[1] = 0;
}

static void
key_flow(uint64_t i, uint64_t out[2]) /* 10.0.x.y to one server, ports counting */
{
	out[0] = (UINT64_C(0x0a000000) | (i & 0xff)) << 32 | UINT64_C(0xc0a80001);
	out[1] = (1024 + (i >> 8)) << 16 | 443;
}

static void
key_second(uint64_t i, uint64_t out[2])
{
	out[0] = 0;
	out[1] = i;
}

/* Chi-square over 4,096 buckets by low bits, high bits and middle bits. */
static void
test_distribution(void **state)
{
	static const struct {
		const char *name;
		void (*make)(uint64_t, uint64_t[2]);
	} kinds[] = {
		{ "sequential", key_sequential },
		{ "high bits", key_high },
		{ "MACs", key_mac },
		{ "MACs in wire order", key_mac_wire },
		{ "flows", key_flow },
		{ "second word", key_second },
	};
	enum { KEYS = 1 << 17, BUCKETS = 4096 };
	static uint32_t buckets[3][BUCKETS];
	const double expect = (double)KEYS / BUCKETS;
	uint64_t words[2], h, i;
	struct mr_hash_key key;
	unsigned kind, seed, s;
	double chi, d;

	for (kind = 0; kind < MR_ARRAY_COUNT(kinds); kind++)
		for (seed = 0; seed < 4; seed++) {
			mr_hash_key_seed(&key, seed);
			memset(buckets, 0, sizeof(buckets));
			for (i = 0; i < KEYS; i++) {
				kinds[kind].make(i, words);
				h = mr_hash_words(&key, words, 2);
				buckets[0][h % BUCKETS]++;
				buckets[1][h >> 52]++;
				buckets[2][(h >> 26) % BUCKETS]++;
			}
			for (s = 0; s < 3; s++) {
				for (chi = 0, i = 0; i < BUCKETS; i++) {
					d = buckets[s][i] - expect;
					chi += d * d / expect;
				}
				/* 4,095 degrees of freedom: mean 4,095, deviation 90.5. */
				if (chi < 4095 - 500 || chi > 4095 + 500)
					fail_msg("%s, seed %u, slice %u: chi-square %.0f",
					    kinds[kind].name, seed, s, chi);
			}
		}
}

struct hashed {
	uint64_t hash;
	uint64_t key;
};

static int
compare_hashed(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Keys that share 24 bits under one secret are strangers under another. */
static void
test_secret(void **state)
{
	enum { KEYS = 1 << 18 };
	struct hashed *all = calloc(KEYS, sizeof(*all));
	struct mr_hash_key one, two;
	unsigned i, pairs = 0, still = 0;

	assert_non_null(all);
	assert_int_equal(mr_hash_key_random(&one, NULL), 0);
	assert_int_equal(mr_hash_key_random(&two, NULL), 0);
	assert_memory_not_equal(&one, &two, sizeof(one));
	for (i = 0; i < KEYS; i++) {
		all[i].key = i;
		all[i].hash = mr_hash_u64(&one, i) >> 40;
	}
	qsort(all, KEYS, sizeof(*all), compare_hashed);
	for (i = 1; i < KEYS; i++) {
		if (all[i].hash != all[i - 1].hash)
			continue;
		pairs++;
		still +=
		    mr_hash_u64(&two, all[i].key) >> 40 == mr_hash_u64(&two, all[i - 1].key) >> 40;
	}
	/* 2^36 / 2^25 pairs = 2,048 expected; 2,048 / 2^24 of them again. */
	assert_in_range(pairs, 1700, 2400);
	assert_true(still <= 1);
	free(all);
}

/* CRC's hole: a difference that collides for one key collides for all. Differences
 * found to collide on 12 bits are tried, xor and additive, on other keys. */
static void
test_differences(void **state)
{
	enum { TRIES = 1 << 19, OTHERS = 64 };
	uint64_t rng = 99, a, b, da, db, x, y, h;
	unsigned i, j, found = 0, xors = 0, sums = 0;
	struct mr_hash_key key;

	mr_hash_key_seed(&key, 5);
	a = draw(&rng);
	b = draw(&rng);
	h = mr_hash_u128(&key, a, b);
	for (i = 0; i < TRIES; i++) {
		da = draw(&rng);
		db = i % 2 ? draw(&rng) : 0;
		if ((mr_hash_u128(&key, a ^ da, b ^ db) ^ h) & 0xfff)
			continue;
		found++;
		for (j = 0; j < OTHERS; j++) {
			x = draw(&rng);
			y = draw(&rng);
			xors += ((mr_hash_u128(&key, x, y) ^ mr_hash_u128(&key, x ^ da, y ^ db)) &
				    0xfff) == 0;
			sums += ((mr_hash_u128(&key, x, y) ^
				     mr_hash_u128(&key, x + (a ^ da) - a, y + (b ^ db) - b)) &
				    0xfff) == 0;
		}
	}
	/* 128 differences expected, each tried on 64 keys: 2 chance hits expected. */
	assert_in_range(found, 80, 190);
	assert_true(xors <= 12);
	assert_true(sums <= 12);
}

/* Where public multipliers lie, zero factors hide: none may exist for any secret,
 * so a word of ours, of its negation, or of a neighbour table must not stand out. */
static void
test_zero_factor(void **state)
{
	struct mr_hash_key key, other;
	uint64_t i, h;

	mr_hash_key_seed(&key, 11);
	mr_hash_key_seed(&other, 12);
	/* The one value that does: only who knows the secret can name it. */
	assert_int_equal(mr_hash_u128(&key, -key.k[0], 1), mr_hash_u128(&key, -key.k[0], 2));
	/* Under any other key the same value is ordinary. */
	h = mr_hash_u128(&other, -key.k[0], 0);
	for (i = 1; i < 1000; i++)
		assert_int_not_equal(mr_hash_u128(&other, -key.k[0], i), h);
}

static void
test_cost(void **state)
{
	enum { ROUNDS = 200000 };
	uint64_t words[5] = { 1, 2, 3, 4, 5 }, sum = 0, start, spent[3];
	struct mr_hash_key key;
	unsigned i;

	mr_hash_key_seed(&key, 3);
	start = mr_cycles();
	for (i = 0; i < ROUNDS; i++)
		sum += mr_hash_u64(&key, i);
	spent[0] = mr_cycles() - start;
	start = mr_cycles();
	for (i = 0; i < ROUNDS; i++)
		sum += mr_hash_u128(&key, i, sum & 1);
	spent[1] = mr_cycles() - start;
	start = mr_cycles();
	for (i = 0; i < ROUNDS; i++) {
		words[0] = i;
		sum += mr_hash_words(&key, words, 5);
	}
	spent[2] = mr_cycles() - start;
	print_message("cycles per hash: %.1f one word, %.1f two (chained), %.1f five (%llu)\n",
	    (double)spent[0] / ROUNDS, (double)spent[1] / ROUNDS, (double)spent[2] / ROUNDS,
	    (unsigned long long)sum);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_definition),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_avalanche),
		cmocka_unit_test(test_distribution),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_zero_factor),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
