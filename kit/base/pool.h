/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_POOL_H
#define MR_KIT_BASE_POOL_H

/*
 * CONTRACT (the implementer completes this header and the code behind it).
 *
 * A pool of objects of one size, named by 32-bit handles, in memory that the
 * caller provides. Each worker takes from and gives to a cache of its own (a
 * stack of handles); caches refill from and spill to a shared store in bulk.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

/* Instead of a worker number: past the caches, safe from any thread. */
#define MR_POOL_SHARED UINT32_MAX

struct mr_pool;

struct mr_pool_config {
	const char *name;
	void *base;	/* what handles count from: object h is at base + (h << shift) */
	unsigned shift;
	uint32_t first; /* handle of the first object */
	uint32_t stride; /* handles from one object to the next */
	uint32_t count; /* objects */
	unsigned workers; /* caches */
	unsigned cache;	/* handles that one cache may hold; 0: 512 */
};

MR_API int mr_pool_create(struct mr_pool **out, const struct mr_pool_config *, struct mr_error *);
MR_API void mr_pool_destroy(struct mr_pool *);

/* `count` handles, all or none; returns `count` or 0. */
mr_inline unsigned mr_pool_get(struct mr_pool *, unsigned worker, uint32_t *handles, unsigned count);
mr_inline void mr_pool_put(struct mr_pool *, unsigned worker, const uint32_t *handles, unsigned count);

/* Objects not in the pool, exact when no worker is in get or put. */
MR_API uint32_t mr_pool_used(const struct mr_pool *);

#endif
