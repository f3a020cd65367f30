/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row pool: objects taken and given back in bulk through a worker's cache, some
 * bursts held in between. The floor is a stack of handles without a check.
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peer_dpdk.h"
#include "bench/shape.h"
#include "kit/base/pool.h"

struct job {
	struct mr_pool *pool;
	uint32_t stack[SHAPE_POOL_CACHE];
	uint8_t *memory;
};

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	mr_pool_destroy(job->pool);
	free(job->memory);
	free(job);
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	struct mr_pool_config config;
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	job->memory = aligned_alloc(MR_CACHE_LINE, SHAPE_POOL_COUNT * MR_CACHE_LINE);
	if (!job->memory) {
		teardown(run);
		return mr_error_set(error, -ENOMEM, "no memory");
	}
	config = (struct mr_pool_config){
		.name = "bench",
		.base = job->memory,
		.shift = 6,
		.stride = 1,
		.count = SHAPE_POOL_COUNT,
		.workers = 1,
		.cache = SHAPE_POOL_CACHE,
	};
	rc = mr_pool_create(&job->pool, &config, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	MR_CACHE_ALIGNED uint32_t held[SHAPE_POOL_HELD][SHAPE_BURST]; /* as vectors are */
	uint64_t start = mr_cycles(), now, count = 0;
	unsigned i, j;

	do {
		for (i = 0; i < SHAPE_BATCH; i++) {
			for (j = 0; j < SHAPE_POOL_HELD; j++)
				count += mr_pool_get(job->pool, 0, held[j], SHAPE_BURST);
			for (j = 0; j < SHAPE_POOL_HELD; j++)
				mr_pool_put(job->pool, 0, held[j], SHAPE_BURST);
		}
		now = mr_cycles();
	} while (now - start < run->window);
	*value = (double)(now - start) / (double)count;
	return 0;
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	MR_CACHE_ALIGNED uint32_t held[SHAPE_POOL_HELD][SHAPE_BURST]; /* as vectors are */
	uint64_t start = mr_cycles(), now, count = 0;
	uint32_t *top = &job->stack[SHAPE_POOL_CACHE];
	unsigned i, j;

	do {
		for (i = 0; i < SHAPE_BATCH; i++) {
			for (j = 0; j < SHAPE_POOL_HELD; j++) {
				top -= SHAPE_BURST;
				memcpy(held[j], top, sizeof(held[j]));
				count += SHAPE_BURST;
			}
			for (j = 0; j < SHAPE_POOL_HELD; j++) {
				memcpy(top, held[j], sizeof(held[j]));
				top += SHAPE_BURST;
			}
			__asm__ volatile("" ::: "memory"); /* else it sees that nothing changes */
		}
		now = mr_cycles();
	} while (now - start < run->window);
	*value = (double)(now - start) / (double)count;
	return 0;
}

static const struct mr_bench_peer *const peers[] = { &mr_bench_peer_dpdk, NULL };

static const struct mr_bench_row rows[] = {
	{
	    .name = "pool",
	    .unit = "cycles/object",
	    .doc = "objects taken from a pool and given back",
	    .config = "pool of 8,192, cache of 512, bulks of 32, four taken, then four given back; "
		      "cycles of both",
	    .setup = setup,
	    .teardown = teardown,
	    .ours = ours,
	    .floor = bare,
	    .peers = peers,
	},
};

const struct mr_bench_family mr_bench_family_pool = { "pool", rows, MR_ARRAY_COUNT(rows) };
