/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_REGIONS_H
#define MR_KIT_TABLE_REGIONS_H

/*
 * Generations (kit/base/generation.h) of a table of prefixes, a cell for each region of the
 * address space, so that the change of one route does not concern the flows of all others.
 *
 * Ownership: stand in the table that they speak for. Threads: bumped by one, read by workers.
 */

#include "kit/base/generation.h"

/*
 * Regions of IPv4 are the 65,536 prefixes of 16 bits; of IPv6 the first 32 bits, folded into as
 * many cells. A change of a shorter prefix bumps every cell that it covers.
 */
#define MR_REGIONS 65536u

struct mr_regions {
	struct mr_generation cells[MR_REGIONS];
};

/* `first` is the address's first 32 bits, host order. */
mr_inline unsigned
mr_region4(uint32_t first)
{
	return first >> 16;
}

/* `first` is the address's first 64 bits, host order. */
mr_inline unsigned
mr_region6(uint64_t first)
{
	return (unsigned)(((first >> 32) * 0x9e3779b97f4a7c15ull) >> 48);
}

/* The prefix changed: `address` as above, `len` its length in bits. */
MR_API void mr_regions_changed4(struct mr_regions *, uint32_t address, unsigned len);
MR_API void mr_regions_changed6(struct mr_regions *, uint64_t address, unsigned len);

#endif
