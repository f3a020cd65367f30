/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_TABLE_INL_H
#define MR_KIT_FLOW_TABLE_INL_H

/*
 * How a flow's worker writes its line (kit/flow/table.h): by stores that another thread may read
 * beside, and that cost what plain ones do.
 */

#include "kit/flow/table.h"

/* A packet of `length` bytes in this second. */
mr_inline void
mr_flow_touch(struct mr_flow_table *t, struct mr_flow *lines, uint32_t flow, uint32_t length,
    uint32_t seconds)
{
	struct mr_flow *line = &lines[flow];
	uint32_t bytes = line->bytes + length;
	unsigned packets = line->packets + 1u;

	/* Relaxed: peek reads each for itself. */
	atomic_store_explicit((_Atomic uint32_t *)&line->bytes, bytes, memory_order_relaxed);
	atomic_store_explicit((_Atomic uint16_t *)&line->packets, (uint16_t)packets,
	    memory_order_relaxed);
	atomic_store_explicit((_Atomic uint16_t *)&line->seen, (uint16_t)seconds,
	    memory_order_relaxed);
	if (mr_unlikely((packets >> 15) | (bytes >> 31)))
		mr_flow_table_fold(t, flow);
}

/* What its packets are done to. */
mr_inline void
mr_flow_set(struct mr_flow *line, uint32_t program, uint32_t arg, uint32_t stamp)
{
	line->stamp = stamp; /* nobody else reads it */
	atomic_store_explicit((_Atomic uint32_t *)&line->program, program, memory_order_relaxed);
	atomic_store_explicit((_Atomic uint32_t *)&line->arg, arg, memory_order_relaxed);
}

#endif
