/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/counter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
mr_counters_create(struct mr_counters **out, uint32_t workers, uint32_t count,
    struct mr_error *error)
{
	const uint32_t line = MR_CACHE_LINE / sizeof(uint64_t);
	struct mr_counters *c;
	size_t size;

	*out = NULL;
	if (!workers || !count || count > UINT32_MAX - line)
		return mr_error_set(error, -EINVAL, "counters: %u workers of %u counters", workers,
		    count);
	c = malloc(sizeof(*c));
	if (!c)
		goto no_memory;
	c->workers = workers;
	c->count = count;
	c->stride = MR_ALIGN_UP(count, line);
	if (__builtin_mul_overflow((size_t)workers * sizeof(uint64_t), c->stride, &size))
		goto no_memory;
	c->rows = aligned_alloc(MR_CACHE_LINE, size);
	if (!c->rows)
		goto no_memory;
	memset((void *)c->rows, 0, size);
	*out = c;
	return 0;

no_memory:
	free(c);
	return mr_error_set(error, -ENOMEM, "counters: no memory for %u workers of %u counters",
	    workers, count);
}

void
mr_counters_destroy(struct mr_counters *c)
{
	if (!c)
		return;
	free((void *)c->rows);
	free(c);
}
