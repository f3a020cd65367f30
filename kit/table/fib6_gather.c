/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups by AVX-512, sixteen at a time. Nodes that skip nothing test byte after byte, so all
 * look-ups of a vector are at the same byte; those at nodes of one kind go together, in a list.
 * What comes upon a node that skips is finished as without vectors (fib6_lookup_rest).
 *
 * Each lane of a gather is an aligned word, read at once; x86 loads in order, as the acquires
 * of fib6_lookup.c ask for. ThreadSanitizer sees no gathers, so under it what is read through
 * their results would look like a race: there the portable look-up is the only one.
 */
#include "kit/table/fib4_int.h"
#include "kit/table/fib6_int.h"

#if defined(__x86_64__) && !defined(MR_RCU_TSAN)
#include <immintrin.h>

#define LANES 16u
#define V32(x_) _mm512_set1_epi32((int)(x_))
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")))
/* A node's first word, counted in words from the first unit. */
#define WORDS(e_) _mm512_and_si512(_mm512_slli_epi32(e_, 2), V32(FIB6_NUMBER << 2))

/* Look-ups that are at nodes of one kind. */
struct list {
	MR_CACHE_ALIGNED uint32_t slot[MR_VECTOR_MAX + LANES];
	uint32_t bytes[MR_VECTOR_MAX + LANES]; /* the next four, the first on top */
	uint32_t who[MR_VECTOR_MAX + LANES];
	unsigned count;
};

enum { WIDE, RUNS, ONE, KINDS };

/* Those that are at nodes that skip. */
struct rest {
	MR_CACHE_ALIGNED uint32_t slot[MR_VECTOR_MAX + LANES];
	uint32_t who[MR_VECTOR_MAX + LANES];
	unsigned count;
};

TARGET mr_inline void
put(struct list *l, __mmask16 mask, __m512i slot, __m512i bytes, __m512i who)
{
	_mm512_storeu_si512(&l->slot[l->count], _mm512_maskz_compress_epi32(mask, slot));
	_mm512_storeu_si512(&l->bytes[l->count], _mm512_maskz_compress_epi32(mask, bytes));
	_mm512_storeu_si512(&l->who[l->count], _mm512_maskz_compress_epi32(mask, who));
	l->count += (unsigned)__builtin_popcount(mask);
}

TARGET mr_inline __mmask16
of_kind(__mmask16 mask, __m512i slot, uint32_t kind)
{
	return _mm512_mask_cmpeq_epi32_mask(mask,
	    _mm512_and_si512(slot, V32(FIB6_KIND | FIB6_CHILD)), V32(kind | FIB6_CHILD));
}

TARGET mr_inline __m512i
gather(const struct mr_fib6 *t, __mmask16 mask, __m512i word, size_t offset)
{
	return _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), mask, word,
	    (const void *)(t->lines.base + offset), 4);
}

/* A node's slots, or `best` where they are 0; what was there in the other lanes. Lanes that have a
 * slot are left in `mask`. */
TARGET mr_inline __m512i
slot_or_best(const struct mr_fib6 *t, __mmask16 *mask, __m512i word, __m512i slot)
{
	__mmask16 none = _mm512_mask_testn_epi32_mask(*mask, slot, slot);

	if (none) {
		slot =
		    _mm512_mask_i32gather_epi32(slot, none, word, (const void *)t->lines.base, 4);
		*mask &= (__mmask16)~none;
	}
	return slot;
}

TARGET mr_inline __m512i
step_wide(const struct mr_fib6 *t, __mmask16 mask, __m512i word, __m512i byte)
{
	return gather(t, mask, _mm512_add_epi32(word, byte), offsetof(struct fib6_wide, slot));
}

TARGET mr_inline __m512i
step_one(const struct mr_fib6 *t, __mmask16 mask, __m512i word, __m512i byte)
{
	__m512i head = gather(t, mask, word, offsetof(struct fib6_node, head));
	__m512i first = _mm512_and_si512(_mm512_srli_epi32(head, 8), V32(255));

	mask = _mm512_mask_cmple_epu32_mask(mask, _mm512_sub_epi32(byte, first),
	    _mm512_srli_epi32(head, 16));
	return gather(t, mask, word, offsetof(struct fib6_one, slot));
}

/* Eight counts of the runs that begin up to a byte, in its word of bits. */
TARGET mr_inline __m256i
count_eight(const struct mr_fib6 *t, __mmask8 mask, __m256i at, __m256i shift)
{
	__m512i bits = _mm512_mask_i32gather_epi64(_mm512_setzero_si512(), mask, at,
	    (const void *)(t->lines.base + offsetof(struct fib6_runs, bits)), 8);

	bits = _mm512_sllv_epi64(bits, _mm512_cvtepu32_epi64(shift));
	return _mm512_cvtepi64_epi32(_mm512_popcnt_epi64(bits));
}

/* As fib6_runs_find. */
TARGET mr_inline __m512i
step_runs(const struct mr_fib6 *t, __mmask16 mask, __m512i word, __m512i byte)
{
	__m512i head = gather(t, mask, word, offsetof(struct fib6_node, head));
	__m512i which = _mm512_srli_epi32(byte, 6);
	__m512i at = _mm512_add_epi32(_mm512_srli_epi32(word, 1), which);
	__m512i shift = _mm512_sub_epi32(V32(63), _mm512_and_si512(byte, V32(63)));
	__m256i low = count_eight(t, (__mmask8)mask, _mm512_castsi512_si256(at),
	    _mm512_castsi512_si256(shift));
	__m256i high = count_eight(t, (__mmask8)(mask >> 8), _mm512_extracti64x4_epi64(at, 1),
	    _mm512_extracti64x4_epi64(shift, 1));
	__m512i before = _mm512_and_si512(
	    _mm512_srlv_epi32(_mm512_andnot_si512(V32(255), head), _mm512_slli_epi32(which, 3)),
	    V32(255));

	before = _mm512_add_epi32(before, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
	return gather(t, mask, _mm512_add_epi32(word, before),
	    offsetof(struct fib6_runs, slot) - sizeof(uint32_t));
}

/* The bytes `from` to `from + 3` of an address, the first on top; 0 behind its end. */
mr_inline uint32_t
four_bytes(const uint8_t *address, unsigned from)
{
	uint32_t v;

	memcpy(&v, address + MR_MIN(from, 12u), 4);
	return mr_be32(v) << 8 * (from - MR_MIN(from, 12u));
}

/* Those in `mask` go on, in the lists of the next byte or in the one for the end. */
TARGET mr_inline void
go_on(const struct mr_fib6 *t, struct list *next, struct rest *rest, __mmask16 mask, __m512i slot,
    __m512i bytes, __m512i who)
{
	__mmask16 wide = of_kind(mask, slot, FIB6_WIDE), runs = of_kind(mask, slot, FIB6_RUNS);
	__mmask16 one = of_kind(mask, slot, FIB6_ONE);
	__mmask16 skips = mask & (__mmask16) ~(wide | runs | one);

	put(&next[WIDE], wide, slot, bytes, who);
	put(&next[RUNS], runs, slot, bytes, who);
	put(&next[ONE], one, slot, bytes, who);
	if (skips) {
		_mm512_storeu_si512(&rest->slot[rest->count],
		    _mm512_maskz_compress_epi32(skips, slot));
		_mm512_storeu_si512(&rest->who[rest->count],
		    _mm512_maskz_compress_epi32(skips, who));
		rest->count += (unsigned)__builtin_popcount(skips);
	}
}

/* All of one list, one byte further. */
TARGET mr_inline void
step(const struct mr_fib6 *t, unsigned kind, const struct list *l, struct list *next,
    struct rest *rest, uint32_t *values)
{
	for (unsigned i = 0; i < l->count; i += LANES) {
		unsigned left = l->count - i;
		__mmask16 mask = left < LANES ? (__mmask16)((1u << left) - 1) : 0xffff, more;
		__m512i slot = _mm512_loadu_si512(&l->slot[i]);
		__m512i bytes = _mm512_loadu_si512(&l->bytes[i]);
		__m512i who = _mm512_loadu_si512(&l->who[i]);
		__m512i word = WORDS(slot), byte = _mm512_srli_epi32(bytes, 24);

		if (kind == WIDE)
			slot = step_wide(t, mask, word, byte);
		else if (kind == RUNS)
			slot = step_runs(t, mask, word, byte);
		else
			slot = step_one(t, mask, word, byte);
		more = mask;
		slot = slot_or_best(t, &more, word, slot);
		more &= _mm512_movepi32_mask(slot);
		_mm512_mask_i32scatter_epi32(values, mask & (__mmask16)~more, who, slot, 4);
		if (more)
			go_on(t, next, rest, more, slot, _mm512_slli_epi32(bytes, 8), who);
	}
}

/* Sixteen addresses: bytes 0 to 3 and bytes 4 to 7 of each. */
TARGET mr_inline void
load_addresses(const uint8_t *const *addresses, __mmask16 mask, __m512i *first, __m512i *second)
{
	const __m512i swap = _mm512_broadcast_i32x4(
	    _mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
	const __m512i odd =
	    _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
	__m512i zero = _mm512_setzero_si512();
	__m512i a = _mm512_mask_i64gather_epi64(zero, (__mmask8)mask,
	    _mm512_maskz_loadu_epi64((__mmask8)mask, addresses), NULL, 1);
	__m512i b = _mm512_mask_i64gather_epi64(zero, (__mmask8)(mask >> 8),
	    _mm512_maskz_loadu_epi64((__mmask8)(mask >> 8), addresses + 8), NULL, 1);

	a = _mm512_shuffle_epi8(a, swap);
	b = _mm512_shuffle_epi8(b, swap);
	*first = _mm512_permutex2var_epi32(a, odd, b);
	*second = _mm512_permutex2var_epi32(a, _mm512_sub_epi32(odd, V32(1)), b);
}

TARGET void
fib6_lookup_gather(const struct mr_fib6 *t, const uint8_t *const *addresses, uint32_t *values,
    unsigned count)
{
	/* By byte, modulo 3: the first loop finds out who goes on at bytes 2, 3 and 4. */
	struct list lists[3][KINDS];
	struct rest rest;
	__m512i who = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	unsigned level, kind, i;

	rest.count = 0;
	for (level = 0; level < 3; level++)
		for (kind = 0; kind < KINDS; kind++)
			lists[level][kind].count = 0;
	for (i = 0; i < count; i += LANES) {
		__mmask16 valid = count - i < LANES ? (__mmask16)((1u << (count - i)) - 1) : 0xffff;
		__mmask16 wide, stay, more;
		__m512i first, second, slot, word;

		load_addresses(addresses + i, valid, &first, &second);
		slot = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), valid,
		    _mm512_srli_epi32(first, 16), (const void *)t->root, 4);
		/* Wide nodes at bytes 2 and 3, which is nearly all, at once. */
		wide = of_kind(valid, slot, FIB6_WIDE);
		stay = _mm512_movepi32_mask(slot) & (__mmask16)~wide;
		if (mr_unlikely(stay))
			go_on(t, lists[2], &rest, stay, slot,
			    _mm512_or_si512(_mm512_slli_epi32(first, 16),
				_mm512_srli_epi32(second, 16)),
			    who);
		word = WORDS(slot);
		slot = _mm512_mask_blend_epi32(wide, slot,
		    step_wide(t, wide, word,
			_mm512_and_si512(_mm512_srli_epi32(first, 8), V32(255))));
		slot = slot_or_best(t, &wide, word, slot);
		more = _mm512_movepi32_mask(slot) & wide;
		wide = of_kind(more, slot, FIB6_WIDE);
		if (mr_unlikely(more != wide))
			go_on(t, lists[0], &rest, more & (__mmask16)~wide, slot,
			    _mm512_or_si512(_mm512_slli_epi32(first, 24),
				_mm512_srli_epi32(second, 8)),
			    who);
		stay |= more & (__mmask16)~wide;
		word = WORDS(slot);
		slot = _mm512_mask_blend_epi32(wide, slot,
		    step_wide(t, wide, word, _mm512_and_si512(first, V32(255))));
		slot = slot_or_best(t, &wide, word, slot);
		more = _mm512_movepi32_mask(slot) & wide;
		_mm512_mask_storeu_epi32(values + i, valid & (__mmask16) ~(stay | more), slot);
		go_on(t, lists[1], &rest, more, slot, second, who);
		who = _mm512_add_epi32(who, V32(LANES));
	}
	for (level = 2; level < 16; level++) {
		struct list *now = lists[level % 3], *next = lists[(level + 1) % 3];

		/* Those from here on began with bytes 2 to 4. */
		if (level > 4 && !(now[WIDE].count | now[RUNS].count | now[ONE].count))
			break;
		for (kind = 0; kind < KINDS; kind++) {
			struct list *l = &now[kind];

			/* Used up first by those that began with byte 2. */
			if (level > 4 && level % 4 == 2)
				for (i = 0; i < l->count; i++)
					l->bytes[i] = four_bytes(addresses[l->who[i]], level);
		}
		step(t, WIDE, &now[WIDE], next, &rest, values);
		step(t, RUNS, &now[RUNS], next, &rest, values);
		step(t, ONE, &now[ONE], next, &rest, values);
		for (kind = 0; kind < KINDS; kind++)
			now[kind].count = 0;
	}
	for (i = 0; i < rest.count; i++)
		mr_prefetch(fib6_node_at(t, rest.slot[i]));
	/* The compiler keeps the order, too. */
	atomic_signal_fence(memory_order_acquire);
	fib6_lookup_rest(t, addresses, values, rest.slot, rest.who, rest.count);
}

bool
fib6_gathers(void)
{
	return fib4_gathers() && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512vpopcntdq");
}

#else

void
fib6_lookup_gather(const struct mr_fib6 *t, const uint8_t *const *addresses, uint32_t *values,
    unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		values[i] = mr_fib6_find(t, addresses[i]);
}

bool
fib6_gathers(void)
{
	return false;
}

#endif
