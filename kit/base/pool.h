/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_POOL_H
#define MR_KIT_BASE_POOL_H

/*
 * A pool of objects of one size, named by 32-bit handles, in memory that the
 * caller provides. Each worker has a cache of its own: two magazines, arrays of
 * handles used as stacks that grow downwards, so that taking is one copy from the
 * top and a fresh pool hands a worker ascending addresses whatever the bursts. When
 * both are empty (or full), one is exchanged for a full (or empty) one of the shared
 * store: two pointers under a lock, once per few hundred objects, and no handle is
 * copied for it. The scheme is Bonwick's and Adams's ("Magazines and Vmem", 2001).
 *
 * All or none: a get gives what was asked for or nothing. It sees the worker's
 * own cache and the store; what idles in the caches of other workers is out of
 * reach, so make a pool larger than its users need by workers * cache objects.
 *
 * Ownership: the memory of the objects is the caller's; the pool never touches it.
 * Threads: a worker number is used by one thread at a time. MR_POOL_SHARED (and any
 * number that is no worker) goes to the store and is safe from any thread. create
 * and destroy belong to one thread.
 * Errors: running out is a return value. Putting an object twice is a bug of the
 * caller: a guarded pool finds and refuses it, an unguarded one keeps its own
 * memory intact, no more.
 *
 * A guarded pool (every one in builds with AddressSanitizer or MR_CHECKED) is the
 * same to its users, but slow: it has no caches, hands out the object that was put
 * longest ago, poisons what it holds, knows which objects those are, and notes
 * each put that was wrong for mr_pool_check.
 */

#include <string.h>

#include "kit/base/def.h"
#include "kit/base/error.h"

/* Instead of a worker number: past the caches, safe from any thread. */
#define MR_POOL_SHARED UINT32_MAX
#define MR_POOL_CACHE 512u

enum mr_pool_guard {
	MR_POOL_GUARD_BUILD, /* on in builds with AddressSanitizer or MR_CHECKED */
	MR_POOL_GUARD_ON,
	MR_POOL_GUARD_OFF,
};

struct mr_pool_config {
	const char *name;
	void *base; /* what handles count from: object h is at base + (h << shift) */
	unsigned shift;
	uint32_t first;   /* handle of the first object */
	uint32_t stride;  /* handles from one object to the next */
	uint32_t count;   /* objects */
	unsigned workers; /* caches */
	unsigned cache;   /* handles that one cache may hold; 0: MR_POOL_CACHE */
	enum mr_pool_guard guard;
};

struct mr_pool_store;

/* handles[top] to handles[end - 1] are in the loaded magazine, the last put first; the
 * spare one is full or empty. All is written by its worker alone; `top` and
 * `spare_held` are read by mr_pool_used. In a guarded pool `top` and `end` are 0,
 * which sends every get and put the slow way at no cost to the others. */
struct mr_pool_cache {
	MR_CACHE_ALIGNED uint32_t *handles;
	_Atomic uint32_t top;
	uint32_t end;
	uint32_t *spare;
	_Atomic uint32_t spare_held;
};

/* Constant after create. */
struct mr_pool {
	MR_CACHE_ALIGNED uint8_t *caches;
	size_t cache_size; /* bytes from one cache to the next */
	uint32_t workers;
	uint32_t count;
	struct mr_pool_store *store;
	char name[32];
};

MR_API int mr_pool_create(struct mr_pool **out, const struct mr_pool_config *, struct mr_error *);
MR_API void mr_pool_destroy(struct mr_pool *);

/* The ways that the cache alone cannot serve. */
MR_API unsigned mr_pool_get_slow(struct mr_pool *, unsigned worker, uint32_t *handles,
    unsigned count);
MR_API void mr_pool_put_slow(struct mr_pool *, unsigned worker, const uint32_t *handles,
    unsigned count);

mr_inline struct mr_pool_cache *
mr_pool_cache_of(const struct mr_pool *pool, unsigned worker)
{
	return (struct mr_pool_cache *)(pool->caches + worker * pool->cache_size);
}

/* `count` handles, all or none; returns `count` or 0. */
mr_inline unsigned
mr_pool_get(struct mr_pool *pool, unsigned worker, uint32_t *handles, unsigned count)
{
	struct mr_pool_cache *cache;
	uint32_t top;

	if (mr_likely(worker < pool->workers)) {
		cache = mr_pool_cache_of(pool, worker);
		top = atomic_load_explicit(&cache->top, memory_order_relaxed);
		if (mr_likely(count <= cache->end - top)) {
			memcpy(handles, &cache->handles[top], count * sizeof(*handles));
			atomic_store_explicit(&cache->top, top + count, memory_order_relaxed);
			return count;
		}
	}
	return mr_pool_get_slow(pool, worker, handles, count);
}

mr_inline void
mr_pool_put(struct mr_pool *pool, unsigned worker, const uint32_t *handles, unsigned count)
{
	struct mr_pool_cache *cache;
	uint32_t top;

	if (mr_likely(worker < pool->workers)) {
		cache = mr_pool_cache_of(pool, worker);
		top = atomic_load_explicit(&cache->top, memory_order_relaxed);
		if (mr_likely(count <= top)) {
			top -= count;
			memcpy(&cache->handles[top], handles, count * sizeof(*handles));
			atomic_store_explicit(&cache->top, top, memory_order_relaxed);
			return;
		}
	}
	mr_pool_put_slow(pool, worker, handles, count);
}

/* Objects not in the pool, exact when no worker is in get or put. */
MR_API uint32_t mr_pool_used(const struct mr_pool *);

/* 0, or -EFAULT and a sentence on the first wrong put: one of an object that was in
 * the pool already or that is none of this pool's. An unguarded pool notices only
 * when so much was put that it has no room left. */
MR_API int mr_pool_check(const struct mr_pool *, struct mr_error *);

#endif
