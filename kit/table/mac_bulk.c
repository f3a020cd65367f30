/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MAC table's vector look-ups. Each goes twice: over all keys in their first
 * buckets, without a branch on what it finds, collecting those not settled there;
 * then over the collected few in their second buckets, prefetched together.
 *
 * Each loop is written once, over a function that compares a bucket's four keys; it is compiled
 * for any processor and for AVX2.
 */
#include "kit/packet/packet.h"
#include "kit/table/mac.h"
#include "kit/table/mac_int.h"

#if defined(__SANITIZE_THREAD__)
#define MAC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAC_TSAN 1
#endif
#endif
/* The sanitizer takes a vector load for a plain one. */
#if defined(__x86_64__) && !defined(MAC_TSAN)
#define MAC_AVX2 1
#include <immintrin.h>
#endif

/* Which keys of the bucket equal `key`, as bits. A hint until mac_read confirms it. */
typedef unsigned match_fn(const struct mac_bucket *b, uint64_t key);

static inline unsigned
match_any(const struct mac_bucket *b, uint64_t key)
{
	unsigned m = 0;

	for (unsigned i = 0; i < MAC_WAYS; i++)
		m |= (unsigned)(atomic_load_explicit(&b->key[i], memory_order_relaxed) == key) << i;
	return m;
}

/* The entry that a match names; some entry where there is none. */
mr_inline const struct mac_entry *
matched(const struct mac_bucket *b, unsigned match)
{
	return mac_entry_at(b, (unsigned)__builtin_ctz(match | 1u << (MAC_WAYS - 1)));
}

/* Does the bucket show this station on this port, heard in this second? Not
 * confirmed: at worst an entry that is just being re-used is refreshed a packet later. */
mr_inline bool
is_fresh(const struct mac_bucket *b, uint64_t key, uint64_t want, match_fn *match)
{
	unsigned m = match(b, key);
	uint64_t value = atomic_load_explicit(&matched(b, m)->value, memory_order_relaxed);
	/* A static entry's time does not matter. */
	uint64_t seconds = MAC_SECONDS & ((value >> (MAC_FLAG_SHIFT + 2) & 1) - 1);

	static_assert(MR_MAC_STATIC == 1u << 2, "the shift above");
	return ((m == 0) | ((value ^ want) & (MAC_PORT_MASK | MAC_LIVE | seconds))) == 0;
}

typedef bool fresh_fn(const struct mac_bucket *b, uint64_t key, uint64_t want);

static inline bool
fresh_any(const struct mac_bucket *b, uint64_t key, uint64_t want)
{
	return is_fresh(b, key, want, match_any);
}

mr_inline unsigned
stale(const struct mr_mac *t, const uint64_t *keys, const uint32_t *buckets, const uint16_t *ports,
    uint32_t now, uint16_t *restrict todo, unsigned count, fresh_fn *fresh)
{
	uint64_t stamp = (uint64_t)(now & MR_MAC_SECONDS_MASK) << MAC_SECONDS_SHIFT | MAC_LIVE;
	uint32_t second[MR_VECTOR_MAX];
	unsigned left = 0, n = 0;

	for (unsigned i = 0; i < count; i++) {
		todo[n] = (uint16_t)i;
		n += !fresh(&t->buckets[buckets[i]], keys[i], stamp | ports[i]) & (keys[i] != 0);
	}
	for (unsigned j = 0; j < n; j++) {
		second[j] = mac_second(t, mac_hash(t, keys[todo[j]]));
		mr_prefetch(&t->buckets[second[j]]);
	}
	for (unsigned j = 0; j < n; j++) {
		unsigned i = todo[j];

		todo[left] = (uint16_t)i;
		/* Static entries have no fresh time; the quick look does not tell. */
		left += !(fresh_any(&t->buckets[second[j]], keys[i], stamp | ports[i]) ||
		    fresh_any(&t->buckets[buckets[i]], keys[i], stamp | ports[i]));
	}
	return left;
}

mr_inline void
find(const struct mr_mac *t, const uint64_t *keys, const uint32_t *buckets,
    uint32_t *restrict found, unsigned count, match_fn *match)
{
	uint32_t second[MR_VECTOR_MAX];
	uint16_t todo[MR_VECTOR_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct mac_bucket *b = &t->buckets[buckets[i]];
		uint64_t value;
		bool ok = mac_read(matched(b, match(b, keys[i])), keys[i], &value);

		found[i] = (uint32_t)(value & MAC_FOUND_MASK);
		todo[n] = (uint16_t)i;
		n += !ok;
	}
	for (unsigned j = 0; j < n; j++) {
		second[j] = mac_second(t, mac_hash(t, keys[todo[j]]));
		mr_prefetch(&t->buckets[second[j]]);
	}
	for (unsigned j = 0; j < n; j++) {
		const struct mac_bucket *b = &t->buckets[second[j]];
		unsigned i = todo[j], m = match(b, keys[i]);
		uint64_t value;

		if (!keys[i])
			found[i] = 0;
		else if (mac_read(matched(b, m), keys[i], &value))
			found[i] = (uint32_t)(value & MAC_FOUND_MASK);
		else if (!m && !match(&t->buckets[buckets[i]], keys[i]))
			found[i] = 0;
		else /* changed under our eyes */
			found[i] = mr_mac_get(t, keys[i]);
	}
}

#ifdef MAC_AVX2
#define WIDE __attribute__((target("avx2,bmi")))

WIDE static inline unsigned
match_avx2(const struct mac_bucket *b, uint64_t key)
{
	__m256i keys = _mm256_load_si256((const __m256i *)(const void *)b->key);
	__m256i same = _mm256_cmpeq_epi64(keys, _mm256_set1_epi64x((long long)key));

	return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(same));
}

/* Key and value of each entry compared at once; a static one only passes by chance. */
WIDE static inline bool
fresh_avx2(const struct mac_bucket *b, uint64_t key, uint64_t want)
{
	const __m256i mask = _mm256_set1_epi64x(MAC_PORT_MASK | MAC_LIVE | MAC_SECONDS);
	__m256i keys = _mm256_load_si256((const __m256i *)(const void *)b->key);
	__m256i values = _mm256_load_si256((const __m256i *)(const void *)b->value);
	__m256i same = _mm256_cmpeq_epi64(keys, _mm256_set1_epi64x((long long)key));

	values =
	    _mm256_cmpeq_epi64(_mm256_and_si256(values, mask), _mm256_set1_epi64x((long long)want));
	return !_mm256_testz_si256(same, values);
}

WIDE static unsigned
stale_avx2(const struct mr_mac *t, const uint64_t *keys, const uint32_t *buckets,
    const uint16_t *ports, uint32_t now, uint16_t *restrict todo, unsigned count)
{
	return stale(t, keys, buckets, ports, now, todo, count, fresh_avx2);
}

WIDE static void
find_avx2(const struct mr_mac *t, const uint64_t *keys, const uint32_t *buckets,
    uint32_t *restrict found, unsigned count)
{
	find(t, keys, buckets, found, count, match_avx2);
}

/* Four keys at a time; returns how many it did. */
WIDE static unsigned
prefetch_avx2(const struct mr_mac *t, const uint64_t *keys, uint32_t *restrict buckets,
    unsigned count)
{
	const __m256i k =
	    _mm256_set1_epi64x((long long)((uint64_t)t->hash_k[1] << 32 | t->hash_k[0]));
	const __m256i f =
	    _mm256_set1_epi64x((long long)((uint64_t)t->hash_f[1] << 32 | t->hash_f[0]));
	const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
	const __m128i mask = _mm_set1_epi32((int)t->mask);
	const struct mac_bucket *base = t->buckets;
	unsigned i;

	for (i = 0; i + 4 <= count; i += 4) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(keys + i));
		__m128i first;

		x = _mm256_add_epi32(x, k);
		x = _mm256_mul_epu32(x, _mm256_srli_epi64(x, 32));
		x = _mm256_add_epi32(x, f);
		x = _mm256_mul_epu32(x, _mm256_srli_epi64(x, 32));
		x = _mm256_xor_si256(x, _mm256_srli_epi64(x, 32));
		first = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(x, even));
		first = _mm_and_si128(first, mask);
		_mm_storeu_si128((__m128i *)(void *)(buckets + i), first);
		for (unsigned j = 0; j < 4; j++)
			mr_prefetch(&base[buckets[i + j]]);
	}
	return i;
}

bool
mac_wide(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}
#else
bool
mac_wide(void)
{
	return false;
}
#endif

void
mr_mac_prefetch(const struct mr_mac *t, const uint64_t *keys, uint32_t *restrict buckets,
    unsigned count)
{
	unsigned done = 0;

#ifdef MAC_AVX2
	if (t->wide)
		done = prefetch_avx2(t, keys, buckets, count);
#endif
	for (unsigned i = done; i < count; i++) {
		buckets[i] = mac_first(t, mac_hash(t, keys[i]));
		mr_prefetch(&t->buckets[buckets[i]]);
	}
}

unsigned
mr_mac_stale(const struct mr_mac *t, const uint64_t *keys, const uint32_t *buckets,
    const uint16_t *ports, uint32_t now, uint16_t *restrict todo, unsigned count)
{
#ifdef MAC_AVX2
	if (t->wide)
		return stale_avx2(t, keys, buckets, ports, now, todo, count);
#endif
	return stale(t, keys, buckets, ports, now, todo, count, fresh_any);
}

void
mr_mac_find(const struct mr_mac *t, const uint64_t *keys, const uint32_t *buckets,
    uint32_t *restrict found, unsigned count)
{
#ifdef MAC_AVX2
	if (t->wide) {
		find_avx2(t, keys, buckets, found, count);
		return;
	}
#endif
	find(t, keys, buckets, found, count, match_any);
}

uint32_t
mr_mac_get(const struct mr_mac *t, uint64_t key)
{
	uint64_t value;

	return mac_locate(t, key, &value) ? (uint32_t)(value & MAC_FOUND_MASK) : 0;
}
