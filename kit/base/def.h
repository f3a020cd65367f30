/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_DEF_H
#define MR_KIT_BASE_DEF_H

/*
 * The few words that every file of millrace shares: attributes, byte orders,
 * sizes of cache lines, the cycle counter. Nothing here has state.
 */

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#error "millrace's headers are C; wrap them in a C file of your own"
#endif

#define MR_CACHE_LINE 64
#define MR_CACHE_ALIGNED alignas(MR_CACHE_LINE)

#define mr_likely(x) __builtin_expect(!!(x), 1)
#define mr_unlikely(x) __builtin_expect(!!(x), 0)
#define mr_inline static inline __attribute__((always_inline))
#define mr_noinline __attribute__((noinline))
#define mr_printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define mr_must_check __attribute__((warn_unused_result))
/* The shared object hides everything but what carries this. */
#define MR_API __attribute__((visibility("default")))

#define MR_ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* Each use names its variables anew, so that one may stand inside another. */
#define MR_MIN(a, b) MR_PICK(a, <, b, __COUNTER__)
#define MR_MAX(a, b) MR_PICK(a, >, b, __COUNTER__)
#define MR_PICK(a, op, b, n) MR_PICK_NAMED(a, op, b, MR_JOIN(mr_a, n), MR_JOIN(mr_b, n))
#define MR_PICK_NAMED(a, op, b, x, y) \
	({ \
		__auto_type x = (a); \
		__auto_type y = (b); \
		x op y ? x : y; \
	})
#define MR_JOIN(a, b) MR_JOIN_EXPANDED(a, b)
#define MR_JOIN_EXPANDED(a, b) a##b
/* `align` is a power of two. */
#define MR_ALIGN_UP(x, align) (((x) + (align)-1) & ~((__typeof__(x))(align)-1))
#define mr_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Wire order, so that a missing conversion shows in a prototype. */
typedef uint16_t be16_t;
typedef uint32_t be32_t;
typedef uint64_t be64_t;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "millrace is written for little-endian machines (x86-64, aarch64)"
#endif
#define mr_be16(x) ((be16_t)__builtin_bswap16(x))
#define mr_be32(x) ((be32_t)__builtin_bswap32(x))
#define mr_be64(x) ((be64_t)__builtin_bswap64(x))

/* The time-stamp counter: constant rate, not serialising, one per machine. */
mr_inline uint64_t
mr_cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#else
#error "no cycle counter known for this machine"
#endif
}

/* Tell the core that this is a spin-wait loop. */
mr_inline void
mr_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

mr_inline void
mr_prefetch(const void *p)
{
	__builtin_prefetch(p, 0, 3);
}

/* Into the second-level cache. A core waits for the lines on their way to the first level, some 12 or
 * 16; for the second level it may ask for three times as many. For arrays beyond the caches that
 * are gone through in a vector's depth, measured 15 cycles a line instead of 21. */
mr_inline void
mr_prefetch_far(const void *p)
{
	__builtin_prefetch(p, 0, 2);
}

mr_inline void
mr_prefetch_write(const void *p)
{
	__builtin_prefetch(p, 1, 3);
}

#endif
