/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_BASE_POOL_INT_H
#define MR_KIT_BASE_POOL_INT_H

/* The shared store of a pool, for pool.c and its guarded twin pool_guard.c. */

#include "kit/base/pool.h"

struct mr_pool_store {
	/* Taken by any thread. What follows on this line is written under it; the atomic
	 * ones are read without, by mr_pool_used and mr_pool_check. */
	MR_CACHE_ALIGNED _Atomic uint32_t lock;
	_Atomic uint32_t full;        /* full magazines */
	_Atomic uint32_t partial_top; /* of the magazine for MR_POOL_SHARED */
	_Atomic uint32_t held;        /* guarded: handles in the ring */
	_Atomic uint32_t faults;
	uint32_t front;        /* guarded: index of the handle put longest ago */
	uint32_t fault_handle; /* the first wrong put, written once, before `faults` */
	bool fault_foreign;
	uint32_t *partial;

	/* Constant after create. slots[0 .. full - 1] are the full magazines, those behind
	 * them empty ones: an exchange touches one slot. */
	MR_CACHE_ALIGNED uint32_t **slots;
	uint32_t *memory; /* of the magazines; guarded: of the ring */
	uint64_t *inside; /* guarded: a bit for each object that the pool holds */
	uint8_t *base;
	uint32_t first, stride, count, slot_count;
	uint32_t magazine; /* handles in one */
	unsigned shift;
	bool guarded;
};

void mr_pool_store_lock(struct mr_pool_store *);
void mr_pool_store_unlock(struct mr_pool_store *);

/* Notes a wrong put, with the lock taken. */
void mr_pool_store_fault(struct mr_pool_store *, uint32_t handle, bool foreign);

/* Zeroed memory that shares no pair of lines with anything else. */
void *mr_pool_alloc(size_t size);

/* Whether this build guards pools that do not say. */
bool mr_pool_guard_build(void);

int mr_pool_guard_create(struct mr_pool_store *);
void mr_pool_guard_destroy(struct mr_pool_store *);
unsigned mr_pool_guard_get(struct mr_pool_store *, uint32_t *handles, unsigned count);
void mr_pool_guard_put(struct mr_pool_store *, const uint32_t *handles, unsigned count);

#endif
