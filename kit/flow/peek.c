/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a flow beside its worker. A flow's version grows when it comes, goes, or moves its
 * counters; what was read between two equal versions belongs together.
 */
#include "kit/flow/table_int.h"

/* The worker is done with a change in some nanoseconds, unless it lost its processor. */
#define TRIES 10000u

static void
copy(const struct mr_flow *line, const struct flow_cold *cold, uint32_t seconds,
    struct mr_flow_peek *out)
{
	uint32_t words[sizeof(out->key) / sizeof(uint32_t)], last;
	uint16_t packets, seen;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(words); i++)
		words[i] = flow_load((const uint32_t *)&line->key + i);
	memcpy(&out->key, words, sizeof(words));
	out->program = flow_load(&line->program);
	out->arg = flow_load(&line->arg);
	packets =
	    atomic_load_explicit((const _Atomic uint16_t *)&line->packets, memory_order_relaxed);
	seen = atomic_load_explicit((const _Atomic uint16_t *)&line->seen, memory_order_relaxed);
	out->packets = mr_counter_get(&cold->packets) + packets;
	out->bytes = mr_counter_get(&cold->bytes) + flow_load(&line->bytes);
	last = packets ? flow_seen(seen, seconds)
		       : atomic_load_explicit(&cold->last, memory_order_relaxed);
	out->idle = seconds > last ? seconds - last : 0;
	last = flow_load(&cold->timer.data);
	out->age = seconds > last ? seconds - last : 0;
}

bool
mr_flow_table_peek(const struct mr_flow_table *t, uint32_t index, uint32_t seconds,
    struct mr_flow_peek *out)
{
	const struct flow_cold *cold = &t->cold[index];
	uint32_t before, after;

	if (!index || index > t->max)
		return false;
	for (unsigned try = 0; try < TRIES; try++) {
		/* Acquire pairs with the release of a version that is live. */
		before = atomic_load_explicit(&cold->version, memory_order_acquire);
		if ((before & FLOW_STATE) == FLOW_DEAD)
			return false;
		if ((before & FLOW_STATE) == FLOW_LIVE) {
			copy(&t->lines[index], cold, seconds, out);
			/* Pairs with the fences in fold and remove. */
			atomic_thread_fence(memory_order_acquire);
			after = atomic_load_explicit(&cold->version, memory_order_relaxed);
			if (after == before)
				return true;
		}
		mr_relax();
	}
	return false;
}

uint32_t
mr_flow_table_top(const struct mr_flow_table *t)
{
	return atomic_load_explicit(&t->top, memory_order_relaxed);
}
