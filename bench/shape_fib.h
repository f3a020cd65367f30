/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_SHAPE_FIB_H
#define MR_BENCH_SHAPE_FIB_H

/* What both sides of the rows fib4-* do alike: the table, its values, the destinations. */

#include <stdlib.h>

#include "kit/table/prefixes.h"

#define SHAPE_FIB_PREFIXES 1000000u
#define SHAPE_FIB_NEXT_HOPS 250u
#define SHAPE_FIB_VECTOR 256u
#define SHAPE_FIB_TURNS 16 /* vectors between two looks at the clock */

mr_inline uint64_t
shape_fib_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s * 0x2545f4914f6cdd1dull;
}

mr_inline struct mr_prefix4 *
shape_fib_prefixes(uint32_t *real)
{
	char path[512];

	return mr_prefixes_load4(mr_prefixes_path(path, sizeof(path)), SHAPE_FIB_PREFIXES, 1, real);
}

mr_inline uint32_t
shape_fib_value(struct mr_prefix4 p)
{
	uint64_t key = (uint64_t)p.prefix << 8 | p.len;

	return 1 + (uint32_t)((key * 0x9e3779b97f4a7c15ull >> 32) % SHAPE_FIB_NEXT_HOPS);
}

mr_inline uint32_t *
shape_fib_destinations(const struct mr_prefix4 *prefixes, uint32_t count)
{
	uint32_t *destinations = malloc(count * sizeof(*destinations));
	uint64_t random = 0x9e3779b97f4a7c15ull;

	for (uint32_t i = 0; destinations && i < count; i++) {
		struct mr_prefix4 p = prefixes[shape_fib_random(&random) % SHAPE_FIB_PREFIXES];
		uint32_t host = (uint32_t)shape_fib_random(&random);

		destinations[i] = p.len == 32 ? p.prefix : p.prefix | (host & ~0u >> p.len);
	}
	return destinations;
}

#endif
