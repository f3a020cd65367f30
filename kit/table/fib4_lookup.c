/* SPDX-License-Identifier: Apache-2.0 */
/* The workers' side of the IPv4 table, as far as it is not in fib4_inl.h. */
#include "kit/table/fib4_int.h"

#include "kit/packet/packet.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* Look-ups between an entry's prefetch and its use: half a cycle better than a whole vector. */
#define AHEAD 32u

uint32_t
mr_fib4_value_far(const struct mr_fib4 *fib, uint32_t address, uint32_t at)
{
	/* Acquires: pair with the releases in store and store_short, so that a twin or a line
	 * is there, and filled, when something leads to it. */
	uint32_t value = atomic_load_explicit(&fib->entries[at], memory_order_acquire);

	if (value == MR_FIB4_ESCAPE) {
		const struct mr_fib4_wide *wide =
		    atomic_load_explicit(&fib->wide[at >> 8], memory_order_acquire);

		value = atomic_load_explicit(wide ? &wide->entries[at & 255]
						  : &fib->slots[address >> 16],
		    memory_order_acquire);
		for (unsigned shift = 4; value & MR_FIB4_DEEP; shift -= 4)
			value = atomic_load_explicit(
			    &fib4_line(fib, value)->entries[address >> shift & 15],
			    memory_order_acquire);
	}
	if (value)
		return value;
	return atomic_load_explicit(&fib->top[address >> 24], memory_order_acquire);
}

static void
lookup_portable(const struct mr_fib4 *fib, const uint32_t *addresses, uint32_t *values, unsigned n)
{
	uint32_t at[MR_VECTOR_MAX];
	unsigned ahead = MR_MIN(n, AHEAD), i;

	for (i = 0; i < ahead; i++) {
		at[i] = mr_fib4_locate(fib, addresses[i]);
		mr_fib4_prefetch_at(fib, at[i]);
	}
	for (i = 0; i + ahead < n; i++) {
		at[i + ahead] = mr_fib4_locate(fib, addresses[i + ahead]);
		mr_fib4_prefetch_at(fib, at[i + ahead]);
		values[i] = mr_fib4_value(fib, addresses[i], at[i]);
	}
	for (; i < n; i++)
		values[i] = mr_fib4_value(fib, addresses[i], at[i]);
}

#if defined(__x86_64__)

/*
 * Sixteen at a time. A lane loads four bytes for the two that it wants: the entry and
 * what stands behind it in the root, before it in the chunks (both lie inside the table), and
 * lets the others go. The two are in one aligned word, so they are loaded at once, and x86
 * loads in order, as the acquire in mr_fib4_locate asks for.
 */
__attribute__((target("avx512f"))) static void
lookup_gather(const struct mr_fib4 *fib, const uint32_t *addresses, uint32_t *values, unsigned n)
{
	const __m512i low16 = _mm512_set1_epi32(0xffff), low8 = _mm512_set1_epi32(0xff);
	const char *before = (const char *)fib->entries - 2;
	unsigned i;

	for (i = 0; i + 16 <= n; i += 16) {
		__m512i address = _mm512_loadu_si512(&addresses[i]);
		__m512i chunk = _mm512_i32gather_epi32(_mm512_srli_epi32(address, 16),
		    (const void *)fib->root, 2);
		__m512i at = _mm512_or_si512(_mm512_slli_epi32(_mm512_and_si512(chunk, low16), 8),
		    _mm512_and_si512(_mm512_srli_epi32(address, 8), low8));
		__m512i entry =
		    _mm512_srli_epi32(_mm512_i32gather_epi32(at, (const void *)before, 2), 16);
		__mmask16 far =
		    _mm512_cmpge_epu32_mask(_mm512_sub_epi32(entry, _mm512_set1_epi32(1)),
			_mm512_set1_epi32(MR_FIB4_ESCAPE - 1));

		if (mr_unlikely(far)) {
			MR_CACHE_ALIGNED uint32_t where[16], what[16];

			_mm512_store_si512(where, at);
			_mm512_store_si512(what, entry);
			for (; far; far &= (__mmask16)(far - 1)) {
				unsigned k = (unsigned)__builtin_ctz(far);

				what[k] = mr_fib4_value_far(fib, addresses[i + k], where[k]);
			}
			entry = _mm512_load_si512(what);
		}
		_mm512_storeu_si512(&values[i], entry);
	}
	for (; i < n; i++)
		values[i] = mr_fib4_find(fib, addresses[i]);
}

/* Gathers pay from Sapphire Rapids on; before, microcode against data sampling made them
 * slow, and AMD's take them apart. FP16 came with it, and no other sign tells. */
bool
fib4_gathers(void)
{
	unsigned a, b, c, d;

	return __builtin_cpu_supports("avx512f") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
	    (d >> 23 & 1);
}

#else

static void
lookup_gather(const struct mr_fib4 *fib, const uint32_t *addresses, uint32_t *values, unsigned n)
{
	lookup_portable(fib, addresses, values, n);
}

bool
fib4_gathers(void)
{
	return false;
}

#endif

void
mr_fib4_lookup(const struct mr_fib4 *fib, const uint32_t *addresses, uint32_t *values, unsigned n)
{
	if (fib->gather)
		lookup_gather(fib, addresses, values, n);
	else
		lookup_portable(fib, addresses, values, n);
}
