/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/ring_mpmc.h"

#include <sched.h>
#include <stdlib.h>

#define WAIT_SPINS 1000

static_assert(sizeof(struct mr_mpmc_side) % (2 * MR_CACHE_LINE) == 0,
    "producers and consumers are apart by a pair of lines");

size_t
mr_mpmc_size(uint32_t capacity, uint32_t element_size)
{
	return mr_ring_size(sizeof(struct mr_mpmc), capacity, element_size);
}

int
mr_mpmc_create(struct mr_mpmc **out, const struct mr_ring_config *config, struct mr_error *error)
{
	struct mr_mpmc *ring;
	void *memory;
	int rc;

	*out = NULL;
	rc = mr_ring_alloc(&memory, config, sizeof(*ring), error);
	if (rc)
		return rc;
	ring = memory;
	ring->put.capacity = mr_ring_capacity(config->capacity);
	ring->get.capacity = ring->put.capacity;
	ring->element_size = config->element_size;
	ring->owned = !config->memory;
	*out = ring;
	return 0;
}

void
mr_mpmc_destroy(struct mr_mpmc *ring)
{
	if (ring && ring->owned)
		free(ring);
}

void
mr_mpmc_wait(const _Atomic uint64_t *done, uint64_t at)
{
	unsigned spins = 0;

	/* Acquire as in mr_mpmc_publish, for which this waits. */
	while (atomic_load_explicit(done, memory_order_acquire) != at) {
		mr_relax();
		if (++spins % WAIT_SPINS == 0)
			sched_yield();
	}
}
