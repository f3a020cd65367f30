/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/slots.h"

#include <errno.h>
#include <sys/mman.h>

#if defined(__SANITIZE_THREAD__)
#define SLOTS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLOTS_TSAN 1
#endif
#endif
/* The sanitizer takes a vector load for a plain one. */
#if defined(__x86_64__) && !defined(SLOTS_TSAN)
#define SLOTS_SSE 1
#include <emmintrin.h>
#endif

mr_inline uint32_t
tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 56);
}

int
mr_slots_create(struct mr_slots *s, uint32_t max, struct mr_error *error)
{
	uint32_t buckets = 64;
	void *m;

	while (buckets < max / 8)
		buckets *= 2;
	m = mmap(NULL, (size_t)buckets * sizeof(*s->buckets), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED) {
		s->buckets = NULL;
		return mr_error_set(error, -ENOMEM, "no memory for a table of %u", max);
	}
	(void)madvise(m, (size_t)buckets * sizeof(*s->buckets), MADV_HUGEPAGE);
	s->buckets = m;
	s->mask = buckets - 1;
	return 0;
}

void
mr_slots_destroy(struct mr_slots *s)
{
	if (s->buckets)
		munmap(s->buckets, (s->mask + 1ul) * sizeof(*s->buckets));
	s->buckets = NULL;
}

unsigned
mr_slots_match(const struct mr_slots_bucket *b, uint64_t hash)
{
	unsigned m = 0;

#ifdef SLOTS_SSE
	const __m128i want = _mm_set1_epi32((int)tag_of(hash));

	for (unsigned i = 0; i < 4; i++) {
		__m128i v = _mm_load_si128((const __m128i *)b + i);
		__m128i same = _mm_cmpeq_epi32(_mm_srli_epi32(v, 24), want);

		m |= (unsigned)_mm_movemask_ps(_mm_castsi128_ps(same)) << 4 * i;
	}
	m &= (1u << MR_SLOTS_WAYS) - 1;
#else
	for (unsigned i = 0; i < MR_SLOTS_WAYS; i++)
		m |= (unsigned)((atomic_load_explicit(&b->slot[i], memory_order_relaxed) >> 24) ==
			 tag_of(hash))
		    << i;
#endif
	return m;
}

uint32_t
mr_slots_guess(const struct mr_slots *s, uint64_t hash)
{
	struct mr_slots_walk w = mr_slots_begin(s, hash);

	return mr_slots_next(s, hash, &w);
}

static unsigned
used(const struct mr_slots_bucket *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MR_SLOTS_WAYS; i++)
		n += atomic_load_explicit(&b->slot[i], memory_order_relaxed) != 0;
	return n;
}

static bool
swap(struct mr_slots_bucket *b, uint32_t from, uint32_t to)
{
	for (unsigned i = 0; i < MR_SLOTS_WAYS; i++) {
		uint32_t want = from;

		/* Release pairs with mr_slots_at. */
		if (atomic_load_explicit(&b->slot[i], memory_order_relaxed) == from &&
		    atomic_compare_exchange_strong_explicit(&b->slot[i], &want, to,
			memory_order_release, memory_order_relaxed))
			return true;
	}
	return false;
}

bool
mr_slots_claim(struct mr_slots *s, uint64_t hash, uint32_t number)
{
	struct mr_slots_bucket *a = mr_slots_first(s, hash), *b = mr_slots_second(s, hash);
	uint32_t value = tag_of(hash) << 24 | number;

	if (used(b) < used(a))
		return swap(b, 0, value) || swap(a, 0, value);
	return swap(a, 0, value) || swap(b, 0, value);
}

bool
mr_slots_clear(struct mr_slots *s, uint64_t hash, uint32_t number)
{
	uint32_t value = tag_of(hash) << 24 | number;

	return swap(mr_slots_first(s, hash), value, 0) || swap(mr_slots_second(s, hash), value, 0);
}
