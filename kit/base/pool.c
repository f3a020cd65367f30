/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared store is a stack of full magazines and, behind them in the same array,
 * the empty ones, under a spin lock. A lock, because it is taken once per
 * magazine (256 objects by default) and held while two pointers are exchanged, so that
 * even a contended one costs little per object; and because under it "all or none"
 * is one comparison, where a lock-free list would have to take several magazines
 * and give them back. A stack, because that keeps the set of objects in use,
 * and with it the footprint in caches and TLB, small. A thread that meets a holder who
 * was descheduled yields its CPU. Fetching the lines of an exchanged magazine ahead was
 * measured to cost more than it saves.
 *
 * There are as many slots as full magazines can be. When a worker has to hand in a full
 * one, its two magazines hold objects too, so a slot with an empty one is there.
 *
 * What comes through MR_POOL_SHARED is kept in one more magazine of the store, filled
 * in part, from which workers take when there are no full ones.
 */
#include "kit/base/pool_int.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define POOL_PAIR (2 * MR_CACHE_LINE) /* what the adjacent-line prefetcher fetches together */
#define POOL_SPINS 1000

static_assert(sizeof(struct mr_pool_cache) == MR_CACHE_LINE, "a burst touches one line of it");

void
mr_pool_store_lock(struct mr_pool_store *store)
{
	unsigned spins = 0;

	/* Acquire pairs with the release in mr_pool_store_unlock. */
	while (atomic_exchange_explicit(&store->lock, 1, memory_order_acquire)) {
		while (atomic_load_explicit(&store->lock, memory_order_relaxed)) {
			mr_relax();
			if (++spins % POOL_SPINS == 0)
				sched_yield();
		}
	}
}

void
mr_pool_store_unlock(struct mr_pool_store *store)
{
	/* Release pairs with the acquire in mr_pool_store_lock. */
	atomic_store_explicit(&store->lock, 0, memory_order_release);
}

void
mr_pool_store_fault(struct mr_pool_store *store, uint32_t handle, bool foreign)
{
	uint32_t faults = atomic_load_explicit(&store->faults, memory_order_relaxed);

	if (!faults) {
		store->fault_handle = handle;
		store->fault_foreign = foreign;
	}
	/* Release pairs with the acquire in mr_pool_check. */
	atomic_store_explicit(&store->faults, faults + 1, memory_order_release);
}

/* The counts under the lock, or one's own: nobody else writes them meanwhile. */
static uint32_t
load(const _Atomic uint32_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
store_to(_Atomic uint32_t *counter, uint32_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* A full magazine for the empty one at `*magazine`, with the lock taken. */
static void
exchange_for_full(struct mr_pool_store *store, uint32_t **magazine)
{
	uint32_t full = load(&store->full) - 1, *got = store->slots[full];

	store->slots[full] = *magazine;
	*magazine = got;
	store_to(&store->full, full);
}

/* An empty magazine for the full one at `*magazine`, with the lock taken. Without a
 * slot, more was put than there is: the magazine is emptied where it stands. */
static void
exchange_for_empty(struct mr_pool_store *store, uint32_t **magazine)
{
	uint32_t full = load(&store->full), *got;

	if (mr_unlikely(full == store->slot_count)) {
		mr_pool_store_fault(store, **magazine, false);
		return;
	}
	got = store->slots[full];
	store->slots[full] = *magazine;
	*magazine = got;
	store_to(&store->full, full + 1);
}

/* Past the caches: from the magazine in part, refilled by full ones. */
static unsigned
shared_get(struct mr_pool_store *store, uint32_t *handles, unsigned count)
{
	uint32_t size = store->magazine, top, part, left = count;

	mr_pool_store_lock(store);
	top = load(&store->partial_top);
	if (count > (uint64_t)load(&store->full) * size + (size - top)) {
		mr_pool_store_unlock(store);
		return 0;
	}
	while (left) {
		if (top == size) {
			exchange_for_full(store, &store->partial);
			top = 0;
		}
		part = MR_MIN(left, size - top);
		memcpy(handles, store->partial + top, part * sizeof(*handles));
		handles += part;
		top += part;
		left -= part;
	}
	store_to(&store->partial_top, top);
	mr_pool_store_unlock(store);
	return count;
}

static void
shared_put(struct mr_pool_store *store, const uint32_t *handles, unsigned count)
{
	uint32_t top, part, left = count;

	mr_pool_store_lock(store);
	top = load(&store->partial_top);
	while (left) {
		if (!top) {
			exchange_for_empty(store, &store->partial);
			top = store->magazine;
		}
		part = MR_MIN(left, top);
		top -= part;
		left -= part;
		memcpy(store->partial + top, handles + left, part * sizeof(*handles));
	}
	store_to(&store->partial_top, top);
	mr_pool_store_unlock(store);
}

static void
swap_magazines(struct mr_pool_cache *cache)
{
	uint32_t *loaded = cache->handles;

	cache->handles = cache->spare;
	cache->spare = loaded;
}

unsigned
mr_pool_get_slow(struct mr_pool *pool, unsigned worker, uint32_t *handles, unsigned count)
{
	struct mr_pool_store *store = pool->store;
	uint32_t size = store->magazine, top, have, spare, part, need, *empty;
	struct mr_pool_cache *cache;
	bool last;

	if (store->guarded)
		return mr_pool_guard_get(store, handles, count);
	if (worker >= pool->workers)
		return shared_get(store, handles, count);
	cache = mr_pool_cache_of(pool, worker);
	top = load(&cache->top);
	have = size - top;
	spare = load(&cache->spare_held);
	need = have + spare < count ? count - have - spare : 0;
	if (need) {
		mr_pool_store_lock(store);
		if (need >
		    (uint64_t)load(&store->full) * size + (size - load(&store->partial_top))) {
			mr_pool_store_unlock(store);
			return 0;
		}
	}
	/* The loaded magazine first: it is the warmest. Then the spare one. */
	memcpy(handles, cache->handles + top, have * sizeof(*handles));
	handles += have;
	top = size;
	if (spare) {
		swap_magazines(cache);
		store_to(&cache->spare_held, 0);
		top = MR_MIN(count - have, size);
		memcpy(handles, cache->handles, top * sizeof(*handles));
		handles += top;
	}
	/* Both are empty when something is needed still. */
	while (need) {
		if (load(&store->full)) {
			exchange_for_full(store, &cache->handles);
			top = 0;
		} else {
			empty = cache->handles;
			cache->handles = store->partial;
			top = load(&store->partial_top);
			store->partial = empty;
			store_to(&store->partial_top, size);
		}
		part = MR_MIN(need, size - top);
		last = part == need;
		if (last)
			mr_pool_store_unlock(store);
		memcpy(handles, cache->handles + top, part * sizeof(*handles));
		handles += part;
		top += part;
		need -= part;
	}
	store_to(&cache->top, top);
	return count;
}

void
mr_pool_put_slow(struct mr_pool *pool, unsigned worker, const uint32_t *handles, unsigned count)
{
	struct mr_pool_store *store = pool->store;
	struct mr_pool_cache *cache;
	uint32_t top, part, left;

	if (store->guarded) {
		mr_pool_guard_put(store, handles, count);
		return;
	}
	if (worker >= pool->workers) {
		shared_put(store, handles, count);
		return;
	}
	/* From the last handle to the first, so that they come out in the order given. */
	cache = mr_pool_cache_of(pool, worker);
	top = load(&cache->top);
	for (left = count; left;) {
		if (!top) {
			if (load(&cache->spare_held)) {
				mr_pool_store_lock(store);
				exchange_for_empty(store, &cache->spare);
				mr_pool_store_unlock(store);
			}
			swap_magazines(cache);
			store_to(&cache->spare_held, store->magazine);
			top = store->magazine;
		}
		part = MR_MIN(left, top);
		top -= part;
		left -= part;
		memcpy(cache->handles + top, handles + left, part * sizeof(*handles));
	}
	store_to(&cache->top, top);
}

uint32_t
mr_pool_used(const struct mr_pool *pool)
{
	const struct mr_pool_store *store = pool->store;
	const struct mr_pool_cache *cache;
	uint64_t held = load(&store->held);
	uint32_t worker;

	if (!store->guarded) {
		held = (uint64_t)load(&store->full) * store->magazine;
		held += store->magazine - load(&store->partial_top);
		for (worker = 0; worker < pool->workers; worker++) {
			cache = mr_pool_cache_of(pool, worker);
			held += cache->end - load(&cache->top) + load(&cache->spare_held);
		}
	}
	/* While workers are at it, a handle may be seen twice on its way. */
	return held < pool->count ? pool->count - (uint32_t)held : 0;
}

int
mr_pool_check(const struct mr_pool *pool, struct mr_error *error)
{
	const struct mr_pool_store *store = pool->store;
	/* Acquire pairs with the release in mr_pool_store_fault. */
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
		    "0, the last at most 31",
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

void *
mr_pool_alloc(size_t size)
{
	void *p;

	size = MR_ALIGN_UP(size, (size_t)POOL_PAIR);
	p = aligned_alloc(POOL_PAIR, size);
	if (p)
		memset(p, 0, size);
	return p;
}

/* Magazines for the slots, the shared way and two for each worker; the full ones so
 * that the first taken has the lowest handles. */
static int
magazines_create(struct mr_pool *pool, struct mr_pool_store *store)
{
	size_t size = store->magazine, step, i, k;
	struct mr_pool_cache *cache;
	uint32_t *next, handle = store->first;

	step = MR_ALIGN_UP(size * sizeof(*next), (size_t)POOL_PAIR) / sizeof(*next);
	store->slot_count = store->count / store->magazine;
	store->slots = mr_pool_alloc((store->slot_count + 1) * sizeof(*store->slots));
	store->memory = mr_pool_alloc(
	    (store->slot_count + 1 + 2 * (size_t)pool->workers) * step * sizeof(*next));
	if (!store->slots || !store->memory)
		return -ENOMEM;
	next = store->memory;
	for (i = store->slot_count; i-- > 0; next += step) {
		store->slots[i] = next;
		for (k = 0; k < size; k++, handle += store->stride)
			next[k] = handle;
	}
	store_to(&store->full, store->slot_count);
	store->partial = next;
	next += step;
	k = store->magazine - store->count % store->magazine;
	store_to(&store->partial_top, (uint32_t)k);
	for (; k < size; k++, handle += store->stride)
		store->partial[k] = handle;
	for (i = 0; i < pool->workers; i++) {
		cache = mr_pool_cache_of(pool, (unsigned)i);
		cache->handles = next;
		cache->spare = next + step;
		cache->end = store->magazine;
		store_to(&cache->top, store->magazine);
		next += 2 * step;
	}
	return 0;
}

int
mr_pool_create(struct mr_pool **out, const struct mr_pool_config *config, struct mr_error *error)
{
	struct mr_pool_store *store;
	struct mr_pool *pool;
	uint32_t i;
	int rc;

	*out = NULL;
	rc = pool_check_config(config, error);
	if (rc)
		return rc;
	pool = mr_pool_alloc(sizeof(*pool));
	if (!pool)
		goto nomem;
	pool->count = config->count;
	pool->workers = config->workers;
	pool->cache_size = POOL_PAIR;
	snprintf(pool->name, sizeof(pool->name), "%s", config->name ? config->name : "?");
	store = pool->store = mr_pool_alloc(sizeof(*store));
	pool->caches = mr_pool_alloc((pool->workers + 1) * pool->cache_size);
	if (!store || !pool->caches)
		goto nomem;
	store->base = config->base;
	store->shift = config->shift;
	store->first = config->first;
	store->stride = config->stride;
	store->count = config->count;
	store->magazine = (config->cache ? config->cache : MR_POOL_CACHE) / 2;
	store->guarded = config->guard == MR_POOL_GUARD_ON ||
	    (config->guard == MR_POOL_GUARD_BUILD && mr_pool_guard_build());
	if (store->guarded) {
		rc = mr_pool_guard_create(store);
		/* Never read or written, but not null: a burst of nothing copies 0 bytes. */
		for (i = 0; i < pool->workers; i++)
			mr_pool_cache_of(pool, i)->handles = store->memory;
	} else {
		rc = magazines_create(pool, store);
	}
	if (rc)
		goto nomem;
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
	if (!pool)
		return;
	if (pool->store) {
		mr_pool_guard_destroy(pool->store);
		free(pool->store->slots);
		free(pool->store->memory);
		free(pool->store);
	}
	free(pool->caches);
	free(pool);
}
