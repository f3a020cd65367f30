/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table's vector look-up. Each vector is gone through three times, none of them with a
 * branch on what is found: keys are hashed and buckets fetched; tags are compared and the line of
 * the first that fits is fetched (line 0, which has no flow's key, where none does); keys are
 * compared. Then the few that found another's line look again, with time.
 *
 * The loops are written once, over functions that compare a bucket's tags and two keys; they are
 * compiled for any processor and for AVX2.
 */
#include "kit/flow/table_int.h"

#if defined(__x86_64__)
#define FLOW_X86 1
#include <immintrin.h>
#endif

/* Two bits for each tag that fits, from the lowest. */
typedef uint32_t match_fn(const struct flow_bucket *, uint16_t tag);
typedef bool same_fn(const struct mr_flow_key *, const struct mr_flow_key *);

mr_inline uint32_t
match_any(const struct flow_bucket *b, uint16_t tag)
{
	uint32_t m = 0;

	for (unsigned i = 0; i < FLOW_WAYS; i++)
		m |= (uint32_t)(b->tag[i] == tag) << (2 * i);
	return m;
}

/* Who found no flow at the first look: in most cases there is none, and no bucket behind. The others
 * go through the chain, once all their second buckets and lines are on the way. */
mr_inline void
again(const struct mr_flow_table *t, struct mr_flow_batch *batch, const uint32_t *at,
    uint16_t *todo, unsigned count, match_fn *match)
{
	const struct flow_bucket *b;
	unsigned n = 0;

	for (unsigned k = 0; k < count; k++) {
		unsigned i = todo[k];
		uint32_t next = t->buckets[at[i]].link & FLOW_NEXT;

		todo[n] = (uint16_t)i;
		n += next || batch->found[i];
		mr_prefetch(&t->buckets[next ? next : at[i]]);
	}
	for (unsigned k = 0; k < n; k++) {
		uint32_t m;

		b = &t->buckets[at[todo[k]]];
		b = &t->buckets[b->link & FLOW_NEXT];
		m = match(b, flow_tag(batch->hash[todo[k]]));
		if (m)
			mr_prefetch(&t->lines[b->index[(unsigned)__builtin_ctz(m) / 2]]);
	}
	for (unsigned k = 0; k < n; k++) {
		unsigned i = todo[k];

		batch->found[i] = flow_bucket_find(t, batch->hash[i], &batch->key[i]);
	}
}

mr_inline void
find(const struct mr_flow_table *t, struct mr_flow_batch *restrict batch, unsigned count,
    match_fn *match, same_fn *same)
{
	const struct flow_bucket *buckets = t->buckets;
	const struct mr_flow *lines = t->lines;
	const struct mr_flow_values *values = t->values;
	const struct mr_hash_key key = t->hash;
	const bool fetch = t->fetch_values;
	uint32_t at[MR_VECTOR_MAX];
	uint16_t todo[MR_VECTOR_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t hash = flow_hash(&key, &batch->key[i]);

		batch->hash[i] = hash;
		at[i] = flow_bucket_of(t, hash);
		mr_prefetch_far(&buckets[at[i]]);
	}
	for (unsigned i = 0; i < count; i++) {
		const struct flow_bucket *b = &buckets[at[i]];
		uint32_t m = match(b, flow_tag(batch->hash[i]));
		uint32_t flow = b->index[(unsigned)__builtin_ctz(m | 1u << 18) / 2];

		flow = m ? flow : MR_FLOW_NONE;
		batch->found[i] = flow;
		mr_prefetch_far(&lines[flow]);
		if (mr_unlikely(fetch))
			mr_prefetch_far(&values[flow]);
	}
	for (unsigned i = 0; i < count; i++) {
		todo[n] = (uint16_t)i;
		n += !same(&lines[batch->found[i]].key, &batch->key[i]);
	}
	if (n > 0)
		again(t, batch, at, todo, n, match);
}

#ifdef FLOW_X86
#define WIDE __attribute__((target("avx2,bmi,bmi2")))

WIDE static inline uint32_t
match_avx2(const struct flow_bucket *b, uint16_t tag)
{
	__m256i tags = _mm256_load_si256((const __m256i *)(const void *)b);
	__m256i same = _mm256_cmpeq_epi16(tags, _mm256_set1_epi16((short)tag));

	/* Behind the tags follow other things. */
	return (uint32_t)_mm256_movemask_epi8(same) & 0xfffffu;
}

WIDE static inline bool
same_avx2(const struct mr_flow_key *a, const struct mr_flow_key *b)
{
	/* The last 16 bytes overlap with the first 32. */
	const char *x = (const char *)a, *y = (const char *)b;
	__m256i front = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)x),
	    _mm256_loadu_si256((const __m256i *)(const void *)y));
	__m128i back = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(x + 28)),
	    _mm_loadu_si128((const __m128i *)(const void *)(y + 28)));

	static_assert(sizeof(*a) == 28 + 16, "the key's last bytes");
	front = _mm256_or_si256(front, _mm256_castsi128_si256(back));
	return _mm256_testz_si256(front, front);
}

WIDE static void
find_avx2(const struct mr_flow_table *t, struct mr_flow_batch *batch, unsigned count)
{
	find(t, batch, count, match_avx2, same_avx2);
}

mr_inline uint32_t
match_sse2(const struct flow_bucket *b, uint16_t tag)
{
	const char *tags = (const char *)b->tag;
	__m128i want = _mm_set1_epi16((short)tag);
	__m128i front = _mm_loadu_si128((const __m128i *)(const void *)tags);
	__m128i back = _mm_loadu_si128((const __m128i *)(const void *)(tags + 4));

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi16(front, want)) |
	    (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi16(back, want)) << 4;
}

static void
find_sse2(const struct mr_flow_table *t, struct mr_flow_batch *batch, unsigned count)
{
	find(t, batch, count, match_sse2, flow_same);
}

bool
flow_find_wide(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	    __builtin_cpu_supports("bmi2");
}
#else
bool
flow_find_wide(void)
{
	return false;
}
#endif

void
flow_find_portable(struct mr_flow_table *t, struct mr_flow_batch *batch, unsigned count)
{
	find(t, batch, count, match_any, flow_same);
}

void
mr_flow_table_find(struct mr_flow_table *t, struct mr_flow_batch *batch, unsigned count)
{
#ifdef FLOW_X86
	if (mr_likely(t->wide))
		find_avx2(t, batch, count);
	else
		find_sse2(t, batch, count);
#else
	flow_find_portable(t, batch, count);
#endif
}

uint64_t
mr_flow_table_hash(const struct mr_flow_table *t, const struct mr_flow_key *key)
{
	return flow_hash(&t->hash, key);
}

uint32_t
mr_flow_table_get(struct mr_flow_table *t, const struct mr_flow_key *key)
{
	return flow_bucket_find(t, flow_hash(&t->hash, key), key);
}

uint32_t
mr_flow_table_get_hashed(struct mr_flow_table *t, const struct mr_flow_key *key, uint64_t hash)
{
	return flow_bucket_find(t, hash, key);
}
