/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_GENERATION_H
#define MR_KIT_BASE_GENERATION_H

/*
 * What a decision rested on, as a number that grows whenever the answer may be another.
 *
 * Whoever decides by a table names the table's cell in the recording (mr_record_read) BEFORE it
 * looks; whoever changes the table bumps the cell AFTER the change can be seen. So a recording
 * that was made from the old answer carries the old number, and is found stale by its next
 * packet; at worst one made from the new answer is thrown away for nothing.
 *
 * A table of prefixes has a cell for each region of the address space (kit/table/regions.h), so that
 * a change of one route does not concern the flows of all others.
 *
 * Ownership: cells stand in the table that they speak for, and live as long as a plan
 * of the graph that has nodes which read it.
 * Threads: bumped by anybody, read by workers.
 */

#include <stdatomic.h>

#include "kit/base/def.h"

struct mr_generation {
	_Atomic uint32_t value;
};

/* Acquire pairs with mr_generation_bump: a reader of the new number reads the new table. */
mr_inline uint32_t
mr_generation_read(const struct mr_generation *g)
{
	return atomic_load_explicit(&g->value, memory_order_acquire);
}

mr_inline void
mr_generation_bump(struct mr_generation *g)
{
	atomic_fetch_add_explicit(&g->value, 1, memory_order_release);
}

#endif
