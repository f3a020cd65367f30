/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/table/regions.h"

static void
bump(struct mr_regions *r, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		mr_generation_bump(&r->cells[first + i]);
}

void
mr_regions_changed4(struct mr_regions *r, uint32_t address, unsigned len)
{
	unsigned count = len >= 16 ? 1 : 1u << (16 - len);

	bump(r, mr_region4(address) & ~(count - 1), count);
}

/* Prefixes shorter than a region are few, and the cells that they cover are all over. */
void
mr_regions_changed6(struct mr_regions *r, uint64_t address, unsigned len)
{
	if (len >= 40)
		mr_generation_bump(&r->cells[mr_region6(address)]);
	else if (len >= 32)
		for (uint64_t i = 0; i < 1u << (40 - len); i++)
			mr_generation_bump(&r->cells[mr_region6(
			    (address & (~0ull << (64 - len))) + (i << 24))]);
	else
		bump(r, 0, MR_REGIONS);
}
