/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared store is an array with room for every handle, behind a spin lock.
 * A lock, because it is taken once per half cache (256 objects by default), so
 * that even a contended one costs less than a cycle per object; because under it
 * "all or none" and the exact count are one comparison, where a lock-free ring or
 * list of batches would have to take several batches and give them back; and
 * because the array then is a stack, which keeps the set of objects in use, and
 * with it the cache footprint, small. It is held for one copy of a few hundred
 * handles and never across a system call; a thread that meets a holder who was
 * descheduled yields its CPU.
 *
 * In a guarded pool the same array is a ring: puts go to the back, gets come from
 * the front, so that a freed object stays poisoned for as long as can be.
 */
#include "kit/base/pool.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#endif

#ifdef POOL_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, size) ((void)(p), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(p, size) ((void)(p), (void)(size))
#endif

#if defined(POOL_ASAN) || defined(MR_CHECKED)
#define POOL_GUARD_BUILD true
#else
#define POOL_GUARD_BUILD false
#endif

#define POOL_PAIR (2 * MR_CACHE_LINE) /* what the adjacent-line prefetcher fetches together */
#define POOL_SPINS 1000

struct mr_pool_store {
	/* Taken by any thread. The fields below it are written under it; `held` and
	 * `faults` are read without. */
	MR_CACHE_ALIGNED _Atomic uint32_t lock;
	_Atomic uint32_t held; /* handles in the store */
	_Atomic uint32_t faults;
	uint32_t front;        /* guarded: index of the handle put longest ago */
	uint32_t fault_handle; /* the first wrong put, written once before `faults` */
	bool fault_foreign;

	/* Constant after create. */
	MR_CACHE_ALIGNED uint32_t *handles;
	uint64_t *inside; /* guarded: a bit for each object that the pool holds */
	uint8_t *base;
	uint32_t first, stride, count, cache;
	unsigned shift;
	bool guarded;
};

static void
store_lock(struct mr_pool_store *store)
{
	unsigned spins = 0;

	/* Acquire pairs with the release in store_unlock. */
	while (atomic_exchange_explicit(&store->lock, 1, memory_order_acquire)) {
		while (atomic_load_explicit(&store->lock, memory_order_relaxed)) {
			mr_relax();
			if (++spins % POOL_SPINS == 0)
				sched_yield();
		}
	}
}

static void
store_unlock(struct mr_pool_store *store)
{
	/* Release pairs with the acquire in store_lock. */
	atomic_store_explicit(&store->lock, 0, memory_order_release);
}

static uint32_t
store_held(const struct mr_pool_store *store)
{
	return atomic_load_explicit(&store->held, memory_order_relaxed);
}

static void
store_set_held(struct mr_pool_store *store, uint32_t held)
{
	atomic_store_explicit(&store->held, held, memory_order_relaxed);
}

static void
store_fault(struct mr_pool_store *store, uint32_t handle, bool foreign)
{
	uint32_t faults = atomic_load_explicit(&store->faults, memory_order_relaxed);

	if (!faults) {
		store->fault_handle = handle;
		store->fault_foreign = foreign;
	}
	/* Release pairs with the acquire in mr_pool_check. */
	atomic_store_explicit(&store->faults, faults + 1, memory_order_release);
}

/* The stack: handles[count - held] is its top. Both are called with the lock taken;
 * store_take only with `count` at most what is held. */
static void
store_take(struct mr_pool_store *store, uint32_t *handles, uint32_t count)
{
	uint32_t held = store_held(store);

	memcpy(handles, &store->handles[store->count - held], count * sizeof(*handles));
	store_set_held(store, held - count);
}

static void
store_give(struct mr_pool_store *store, const uint32_t *handles, uint32_t count)
{
	uint32_t held = store_held(store), room = store->count - held;

	if (mr_unlikely(count > room)) {
		store_fault(store, handles[room], false);
		count = room;
	}
	memcpy(&store->handles[room - count], handles, count * sizeof(*handles));
	store_set_held(store, held + count);
}

/* The guarded ring, one handle at a time, with the lock taken. */
static void
guard_take(struct mr_pool_store *store, uint32_t *handles, uint32_t count)
{
	size_t size = (size_t)store->stride << store->shift;
	uint32_t i, object;

	for (i = 0; i < count; i++) {
		handles[i] = store->handles[store->front];
		store->front = store->front + 1 == store->count ? 0 : store->front + 1;
		object = (handles[i] - store->first) / store->stride;
		store->inside[object / 64] &= ~(1ull << object % 64);
		ASAN_UNPOISON_MEMORY_REGION(store->base + ((uint64_t)handles[i] << store->shift),
		    size);
	}
	store_set_held(store, store_held(store) - count);
}

static void
guard_give(struct mr_pool_store *store, const uint32_t *handles, uint32_t count)
{
	size_t size = (size_t)store->stride << store->shift;
	uint32_t i, object, held = store_held(store);

	for (i = 0; i < count; i++) {
		object = (handles[i] - store->first) / store->stride;
		if (object >= store->count || handles[i] < store->first ||
		    (handles[i] - store->first) % store->stride) {
			store_fault(store, handles[i], true);
			continue;
		}
		if (store->inside[object / 64] & 1ull << object % 64) {
			store_fault(store, handles[i], false);
			continue;
		}
		store->inside[object / 64] |= 1ull << object % 64;
		store->handles[((uint64_t)store->front + held) % store->count] = handles[i];
		held++;
		ASAN_POISON_MEMORY_REGION(store->base + ((uint64_t)handles[i] << store->shift),
		    size);
	}
	store_set_held(store, held);
}

unsigned
mr_pool_get_slow(struct mr_pool *pool, unsigned worker, uint32_t *handles, unsigned count)
{
	struct mr_pool_store *store = pool->store;
	struct mr_pool_cache *cache = NULL;
	uint32_t have = 0, fill = 0, top = 0;
	unsigned got = 0;

	if (!store->guarded && worker < pool->workers) {
		cache = mr_pool_cache_of(pool, worker);
		top = atomic_load_explicit(&cache->top, memory_order_relaxed);
		have = MR_MIN(cache->end - top, (uint32_t)count);
	}
	store_lock(store);
	if (count - have <= store_held(store)) {
		got = count;
		if (store->guarded) {
			guard_take(store, handles, count);
		} else {
			/* What the cache has first: it is the warmest. */
			if (have)
				memcpy(handles, &cache->handles[top], have * sizeof(*handles));
			store_take(store, handles + have, count - have);
		}
		/* The cache is empty now: fill half of it, which leaves room for puts. */
		if (cache) {
			fill = MR_MIN(store->cache / 2, store_held(store));
			top = cache->end - fill;
			store_take(store, &cache->handles[top], fill);
		}
	}
	store_unlock(store);
	if (cache && got)
		atomic_store_explicit(&cache->top, top, memory_order_relaxed);
	return got;
}

void
mr_pool_put_slow(struct mr_pool *pool, unsigned worker, const uint32_t *handles, unsigned count)
{
	struct mr_pool_store *store = pool->store;
	struct mr_pool_cache *cache;
	uint32_t top, keep, old, half = store->cache / 2;

	if (store->guarded || worker >= pool->workers) {
		store_lock(store);
		if (store->guarded)
			guard_give(store, handles, count);
		else
			store_give(store, handles, count);
		store_unlock(store);
		return;
	}
	/* Keep half a cache of the warmest: of the new ones first, then of the old ones
	 * from the top. The rest goes to the store, the oldest first. */
	cache = mr_pool_cache_of(pool, worker);
	top = atomic_load_explicit(&cache->top, memory_order_relaxed);
	keep = MR_MIN((uint32_t)count, half);
	old = MR_MIN(cache->end - top, half - keep);
	store_lock(store);
	store_give(store, &cache->handles[top + old], cache->end - top - old);
	store_give(store, handles + keep, count - keep);
	store_unlock(store);
	memmove(&cache->handles[cache->end - old], &cache->handles[top], old * sizeof(*handles));
	top = cache->end - old - keep;
	memcpy(&cache->handles[top], handles, keep * sizeof(*handles));
	atomic_store_explicit(&cache->top, top, memory_order_relaxed);
}

uint32_t
mr_pool_used(const struct mr_pool *pool)
{
	const struct mr_pool_cache *cache;
	uint32_t held = store_held(pool->store), worker;

	for (worker = 0; worker < pool->workers; worker++) {
		cache = mr_pool_cache_of(pool, worker);
		held += cache->end - atomic_load_explicit(&cache->top, memory_order_relaxed);
	}
	/* While workers are at it a handle may be seen twice on its way. */
	return held < pool->count ? pool->count - held : 0;
}

int
mr_pool_check(const struct mr_pool *pool, struct mr_error *error)
{
	const struct mr_pool_store *store = pool->store;
	/* Acquire pairs with the release in store_fault. */
	uint32_t faults = atomic_load_explicit(&store->faults, memory_order_acquire);

	if (!faults)
		return 0;
	return mr_error_set(error, -EFAULT, "pool %s: %u wrong puts, the first of handle %u, %s",
	    pool->name, faults, store->fault_handle,
	    store->fault_foreign ? "which is no object of this pool"
				 : "which was in the pool already");
}

static int
pool_check_config(const struct mr_pool_config *config, struct mr_error *error)
{
	const char *name = config->name ? config->name : "?";

	if (!config->count || !config->stride || config->shift > 31)
		return mr_error_set(error, -EINVAL,
		    "pool %s: %u objects of %u handles at shift %u: none of the first two may be "
		    "0, "
		    "the last at most 31",
		    name, config->count, config->stride, config->shift);
	if (config->first + (uint64_t)config->count * config->stride > UINT32_MAX)
		return mr_error_set(error, -EOVERFLOW,
		    "pool %s: %u objects of %u handles do not fit 32-bit handles", name,
		    config->count, config->stride);
	if (config->workers > 65535 || config->cache > 1u << 24 || config->cache == 1)
		return mr_error_set(error, -EINVAL,
		    "pool %s: %u workers with caches of %u: at most 65535 with 2 to 16777216", name,
		    config->workers, config->cache);
	return 0;
}

/* Zeroed, and never in one line pair with anything else. */
static void *
pool_alloc(size_t size)
{
	void *p;

	size = MR_ALIGN_UP(size, (size_t)POOL_PAIR);
	p = aligned_alloc(POOL_PAIR, size);
	if (p)
		memset(p, 0, size);
	return p;
}

int
mr_pool_create(struct mr_pool **out, const struct mr_pool_config *config, struct mr_error *error)
{
	unsigned entries = config->cache ? config->cache : MR_POOL_CACHE;
	struct mr_pool_store *store;
	struct mr_pool_cache *cache;
	struct mr_pool *pool;
	uint32_t i;
	int rc;

	*out = NULL;
	rc = pool_check_config(config, error);
	if (rc)
		return rc;
	pool = pool_alloc(sizeof(*pool));
	store = pool ? pool_alloc(sizeof(*store)) : NULL;
	if (!store)
		goto nomem;
	pool->store = store;
	pool->count = config->count;
	pool->workers = config->workers;
	snprintf(pool->name, sizeof(pool->name), "%s", config->name ? config->name : "?");
	store->base = config->base;
	store->shift = config->shift;
	store->first = config->first;
	store->stride = config->stride;
	store->count = config->count;
	store->cache = entries;
	store->guarded = config->guard == MR_POOL_GUARD_ON ||
	    (config->guard == MR_POOL_GUARD_BUILD && POOL_GUARD_BUILD);
	store->handles = pool_alloc(config->count * sizeof(uint32_t));
	if (!store->handles)
		goto nomem;
	for (i = 0; i < config->count; i++)
		store->handles[i] = config->first + i * config->stride;
	store_set_held(store, config->count);

	pool->cache_size = MR_ALIGN_UP(sizeof(*cache) + entries * sizeof(uint32_t),
	    (size_t)POOL_PAIR);
	if (config->workers) {
		pool->caches = pool_alloc(config->workers * pool->cache_size);
		if (!pool->caches)
			goto nomem;
	}
	if (store->guarded) {
		store->inside = pool_alloc((config->count / 64 + 1) * sizeof(uint64_t));
		if (!store->inside)
			goto nomem;
		memset(store->inside, 0xff, (config->count / 64 + 1) * sizeof(uint64_t));
		ASAN_POISON_MEMORY_REGION(store->base + ((uint64_t)store->first << store->shift),
		    (uint64_t)store->count * store->stride << store->shift);
	} else {
		for (i = 0; i < config->workers; i++) {
			cache = mr_pool_cache_of(pool, i);
			cache->end = entries;
			atomic_init(&cache->top, entries);
		}
	}
	*out = pool;
	return 0;
nomem:
	mr_pool_destroy(pool);
	return mr_error_set(error, -ENOMEM, "pool %s: no memory for %u handles and %u caches",
	    config->name ? config->name : "?", config->count, config->workers);
}

void
mr_pool_destroy(struct mr_pool *pool)
{
	struct mr_pool_store *store;

	if (!pool)
		return;
	store = pool->store;
	if (store) {
		if (store->inside)
			ASAN_UNPOISON_MEMORY_REGION(store->base +
				((uint64_t)store->first << store->shift),
			    (uint64_t)store->count * store->stride << store->shift);
		free(store->inside);
		free(store->handles);
		free(store);
	}
	free(pool->caches);
	free(pool);
}
