/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/regions.h"

/* One thread changes a table of prefixes, so a load and a store do. */
mr_inline void
bump_one(struct mr_generation *g)
{
	atomic_store_explicit(&g->value, atomic_load_explicit(&g->value, memory_order_relaxed) + 1,
	    memory_order_release);
}

static void
bump(struct mr_regions *r, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		bump_one(&r->cells[first + i]);
}

void
mr_regions_changed4(struct mr_regions *r, uint32_t address, unsigned len)
{
	unsigned count = len >= 16 ? 1 : 1u << (16 - len);

	bump(r, mr_region4(address) & ~(count - 1), count);
}

/* The cells of a short prefix are all over; of a very short one they are all. */
void
mr_regions_changed6(struct mr_regions *r, uint64_t address, unsigned len)
{
	uint64_t first = len >= 32 ? address : len ? address & (~0ull << (64 - len)) : 0;

	if (len < 17)
		bump(r, 0, MR_REGIONS);
	else
		for (uint64_t i = 0; i < (len < 32 ? 1u << (32 - len) : 1u); i++)
			bump_one(&r->cells[mr_region6(first + (i << 32))]);
}
