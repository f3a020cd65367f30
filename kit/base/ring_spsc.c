/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/ring_spsc.h"

#include <stdlib.h>

static_assert(offsetof(struct mr_spsc, head) - offsetof(struct mr_spsc, tail) >= 2 * MR_CACHE_LINE,
    "producer and consumer are apart by a pair of lines");

size_t
mr_spsc_size(uint32_t capacity, uint32_t element_size)
{
	return mr_ring_size(sizeof(struct mr_spsc), capacity, element_size);
}

int
mr_spsc_create(struct mr_spsc **out, const struct mr_ring_config *config, struct mr_error *error)
{
	struct mr_spsc *ring;
	void *memory;
	int rc;

	*out = NULL;
	rc = mr_ring_alloc(&memory, config, sizeof(*ring), error);
	if (rc)
		return rc;
	ring = memory;
	ring->put_mask = mr_ring_capacity(config->capacity) - 1;
	ring->get_mask = ring->put_mask;
	ring->element_size = config->element_size;
	ring->owned = !config->memory;
	*out = ring;
	return 0;
}

void
mr_spsc_destroy(struct mr_spsc *ring)
{
	if (ring && ring->owned)
		free(ring);
}
