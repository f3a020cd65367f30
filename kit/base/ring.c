/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/ring.h"

#include <errno.h>
#include <stdlib.h>

uint32_t
mr_ring_capacity(uint32_t wanted)
{
	uint32_t capacity = 1;

	while (capacity < wanted)
		capacity *= 2;
	return capacity;
}

size_t
mr_ring_size(size_t header, uint32_t capacity, uint32_t element_size)
{
	if (!capacity || capacity > MR_RING_CAPACITY_MAX ||
	    (element_size != 4 && element_size != 8))
		return 0;
	return header +
	    MR_ALIGN_UP((size_t)mr_ring_capacity(capacity) * element_size,
		(size_t)2 * MR_CACHE_LINE);
}

int
mr_ring_alloc(void **out, const struct mr_ring_config *config, size_t header,
    struct mr_error *error)
{
	size_t size = mr_ring_size(header, config->capacity, config->element_size);
	void *memory = config->memory;

	*out = NULL;
	if (!size)
		return mr_error_set(error, -EINVAL,
		    "ring of %u elements of %u bytes: 1 to %u elements of 4 or 8", config->capacity,
		    config->element_size, MR_RING_CAPACITY_MAX);
	if (memory && (uintptr_t)memory % (2 * MR_CACHE_LINE))
		return mr_error_set(error, -EINVAL, "ring at %p: not aligned to %d bytes", memory,
		    2 * MR_CACHE_LINE);
	if (memory && config->memory_size < size)
		return mr_error_set(error, -ENOSPC,
		    "ring of %u elements of %u bytes: %zu bytes of memory given, %zu needed",
		    config->capacity, config->element_size, config->memory_size, size);
	if (!memory)
		memory = aligned_alloc(2 * MR_CACHE_LINE, size);
	if (!memory)
		return mr_error_set(error, -ENOMEM, "no memory for a ring of %u elements",
		    config->capacity);
	/* The elements too: no page of them is left to be faulted in by a packet. */
	memset(memory, 0, size);
	*out = memory;
	return 0;
}
