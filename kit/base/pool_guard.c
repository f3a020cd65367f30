/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guarded twin of a pool: one ring of handles under the lock. Puts go to the
 * back and gets come from the front, so that what was put stays poisoned for as
 * long as can be.
 */
#include "kit/base/pool_int.h"

#include <errno.h>
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

bool
mr_pool_guard_build(void)
{
#if defined(POOL_ASAN) || defined(MR_CHECKED)
	return true;
#else
	return false;
#endif
}

static uint8_t *
object_at(const struct mr_pool_store *store, uint32_t handle)
{
	return store->base + ((uint64_t)handle << store->shift);
}

static size_t
objects_size(const struct mr_pool_store *store, uint32_t count)
{
	return (size_t)count * store->stride << store->shift;
}

int
mr_pool_guard_create(struct mr_pool_store *store)
{
	size_t bits = (store->count / 64 + 1) * sizeof(uint64_t);
	uint32_t i;

	store->memory = mr_pool_alloc(store->count * sizeof(uint32_t));
	store->inside = mr_pool_alloc(bits);
	if (!store->memory || !store->inside)
		return -ENOMEM;
	for (i = 0; i < store->count; i++)
		store->memory[i] = store->first + i * store->stride;
	memset(store->inside, 0xff, bits);
	atomic_store_explicit(&store->held, store->count, memory_order_relaxed);
	ASAN_POISON_MEMORY_REGION(object_at(store, store->first),
	    objects_size(store, store->count));
	return 0;
}

void
mr_pool_guard_destroy(struct mr_pool_store *store)
{
	if (store->inside)
		ASAN_UNPOISON_MEMORY_REGION(object_at(store, store->first),
		    objects_size(store, store->count));
	free(store->inside);
	store->inside = NULL;
}

unsigned
mr_pool_guard_get(struct mr_pool_store *store, uint32_t *handles, unsigned count)
{
	uint32_t i, object, held;

	mr_pool_store_lock(store);
	held = atomic_load_explicit(&store->held, memory_order_relaxed);
	if (count > held)
		count = 0;
	for (i = 0; i < count; i++) {
		handles[i] = store->memory[store->front];
		store->front = store->front + 1 == store->count ? 0 : store->front + 1;
		object = (handles[i] - store->first) / store->stride;
		store->inside[object / 64] &= ~(1ull << object % 64);
		ASAN_UNPOISON_MEMORY_REGION(object_at(store, handles[i]), objects_size(store, 1));
	}
	atomic_store_explicit(&store->held, held - count, memory_order_relaxed);
	mr_pool_store_unlock(store);
	return count;
}

void
mr_pool_guard_put(struct mr_pool_store *store, const uint32_t *handles, unsigned count)
{
	uint32_t i, object, held;

	mr_pool_store_lock(store);
	held = atomic_load_explicit(&store->held, memory_order_relaxed);
	for (i = 0; i < count; i++) {
		object = (handles[i] - store->first) / store->stride;
		if (handles[i] < store->first || object >= store->count ||
		    (handles[i] - store->first) % store->stride) {
			mr_pool_store_fault(store, handles[i], true);
			continue;
		}
		if (store->inside[object / 64] & 1ull << object % 64) {
			mr_pool_store_fault(store, handles[i], false);
			continue;
		}
		store->inside[object / 64] |= 1ull << object % 64;
		store->memory[((uint64_t)store->front + held) % store->count] = handles[i];
		held++;
		ASAN_POISON_MEMORY_REGION(object_at(store, handles[i]), objects_size(store, 1));
	}
	atomic_store_explicit(&store->held, held, memory_order_relaxed);
	mr_pool_store_unlock(store);
}
