/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows ring-*: handles through a ring in bursts. `same`: one thread puts a burst and
 * gets it back; the floor copies it into an array of that size and out again. `cross`:
 * another core's thread puts as fast as it can, we get; cycles per object here. There
 * the floor would be the ring itself, so there is none.
 */
#include "bench/bench.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peer_dpdk.h"
#include "bench/shape.h"
#include "kit/base/cpu.h"
#include "kit/base/ring_mpmc.h"
#include "kit/base/ring_spsc.h"

enum { MPMC = 1, CROSS = 2 };

struct job {
	struct mr_spsc *spsc;
	struct mr_mpmc *mpmc;
	uint32_t array[SHAPE_RING];
	/* The producer of the cross rows: puts while `run`, ends when `quit`. */
	pthread_t thread;
	bool threaded;
	unsigned cpu;
	sem_t go, done;
	_Atomic bool run, quit;
	_Atomic int failed;
};

mr_inline unsigned
put(struct job *job, const uint32_t *burst, bool mpmc)
{
	return mpmc ? mr_mpmc_put_burst_u32(job->mpmc, burst, SHAPE_BURST)
		    : mr_spsc_put_burst_u32(job->spsc, burst, SHAPE_BURST);
}

mr_inline unsigned
get(struct job *job, uint32_t *burst, bool mpmc)
{
	return mpmc ? mr_mpmc_get_burst_u32(job->mpmc, burst, SHAPE_BURST)
		    : mr_spsc_get_burst_u32(job->spsc, burst, SHAPE_BURST);
}

mr_inline double
same(struct job *job, uint64_t cycles, bool mpmc)
{
	uint32_t burst[SHAPE_BURST] = { 0 };
	uint64_t start = mr_cycles(), now, count = 0;
	unsigned i;

	do {
		for (i = 0; i < SHAPE_BATCH; i++) {
			put(job, burst, mpmc);
			count += get(job, burst, mpmc);
		}
		now = mr_cycles();
	} while (now - start < cycles);
	return (double)(now - start) / (double)count;
}

mr_inline double
cross(struct job *job, uint64_t cycles, bool mpmc)
{
	uint32_t burst[SHAPE_BURST];
	uint64_t start, now, count = 0;
	unsigned i, n;

	atomic_store(&job->run, true);
	sem_post(&job->go);
	while (!get(job, burst, mpmc))
		mr_relax();
	start = mr_cycles();
	do {
		for (i = 0; i < SHAPE_BATCH; i++) {
			n = get(job, burst, mpmc);
			count += n;
			if (!n)
				mr_relax();
		}
		now = mr_cycles();
	} while (now - start < cycles);
	atomic_store(&job->run, false);
	sem_wait(&job->done);
	while (get(job, burst, mpmc))
		;
	return count ? (double)(now - start) / (double)count : 0;
}

mr_inline void
produce(struct job *job, bool mpmc)
{
	uint32_t burst[SHAPE_BURST] = { 0 };

	for (;;) {
		sem_wait(&job->go);
		if (atomic_load(&job->quit))
			return;
		while (atomic_load_explicit(&job->run, memory_order_relaxed))
			if (!put(job, burst, mpmc))
				mr_relax();
		sem_post(&job->done);
	}
}

static void *
producer(void *arg)
{
	struct mr_bench_run *run = arg;
	struct job *job = run->state;

	run->second = gettid(); /* ordered by the semaphore */
	atomic_store(&job->failed, mr_cpu_pin(job->cpu, NULL));
	sem_post(&job->done);
	if (run->row->param & MPMC)
		produce(job, true);
	else
		produce(job, false);
	return NULL;
}

static void
teardown(struct mr_bench_run *run)
{
	struct job *job = run->state;

	if (job->threaded) {
		atomic_store(&job->quit, true);
		sem_post(&job->go);
		pthread_join(job->thread, NULL);
	}
	sem_destroy(&job->go);
	sem_destroy(&job->done);
	mr_spsc_destroy(job->spsc);
	mr_mpmc_destroy(job->mpmc);
	free(job);
}

static int
start_producer(struct mr_bench_run *run, struct mr_error *error)
{
	struct job *job = run->state;
	int rc;

	job->cpu = (unsigned)run->cpu_other;
	rc = pthread_create(&job->thread, NULL, producer, run);
	if (rc)
		return mr_error_set(error, -rc, "second thread: %s", strerror(rc));
	job->threaded = true;
	sem_wait(&job->done);
	if (atomic_load(&job->failed))
		return mr_error_set(error, atomic_load(&job->failed),
		    "second thread: cannot pin it "
		    "to CPU %u",
		    job->cpu);
	return 0;
}

static int
setup(struct mr_bench_run *run, struct mr_error *error)
{
	const struct mr_ring_config config = { .capacity = SHAPE_RING, .element_size = 4 };
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return mr_error_set(error, -ENOMEM, "no memory");
	run->state = job;
	sem_init(&job->go, 0, 0);
	sem_init(&job->done, 0, 0);
	rc = run->row->param & MPMC ? mr_mpmc_create(&job->mpmc, &config, error)
				    : mr_spsc_create(&job->spsc, &config, error);
	if (rc == 0 && run->row->param & CROSS)
		rc = start_producer(run, error);
	if (rc < 0)
		teardown(run);
	return rc;
}

static int
ours(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	switch (run->row->param) {
	case 0:
		*value = same(run->state, run->window, false);
		break;
	case MPMC:
		*value = same(run->state, run->window, true);
		break;
	case CROSS:
		*value = cross(run->state, run->window, false);
		break;
	case CROSS | MPMC:
		*value = cross(run->state, run->window, true);
		break;
	}
	return *value > 0 ? 0 : mr_error_set(error, -EIO, "nothing came through the ring");
}

static int
bare(struct mr_bench_run *run, double *value, struct mr_error *error)
{
	struct job *job = run->state;
	uint32_t burst[SHAPE_BURST] = { 0 }, tail = 0, head = 0;
	uint64_t start = mr_cycles(), now, count = 0;
	unsigned i;

	do {
		for (i = 0; i < SHAPE_BATCH; i++) {
			memcpy(&job->array[tail % SHAPE_RING], burst, sizeof(burst));
			tail += SHAPE_BURST;
			__asm__ volatile("" ::: "memory");
			memcpy(burst, &job->array[head % SHAPE_RING], sizeof(burst));
			head += SHAPE_BURST;
			__asm__ volatile("" ::: "memory");
			count += SHAPE_BURST;
		}
		now = mr_cycles();
	} while (now - start < run->window);
	*value = (double)(now - start) / (double)count;
	return 0;
}

static const struct mr_bench_peer *const peers[] = {
	&mr_bench_peer_dpdk,
	&mr_bench_peer_dpdk_pointers,
	NULL,
};

#define ROW_SAME(name_, doc_, param_) \
	{ \
		.name = name_, .unit = "cycles/object", .doc = doc_, .param = param_, \
		.config = "4-byte handles, bursts of 32, ring of 1,024, put and got by one core", \
		.setup = setup, .teardown = teardown, .ours = ours, .floor = bare, .peers = peers, \
	}
#define ROW_CROSS(name_, doc_, param_) \
	{ \
		.name = name_, .unit = "cycles/object", .doc = doc_, .param = param_, \
		.config = "4-byte handles, bursts of up to 32, ring of 1,024, put by one core, " \
			  "got by another; cycles of the one that gets", \
		.two_cpus = true, .setup = setup, .teardown = teardown, .ours = ours, \
		.peers = peers, \
	}

static const struct mr_bench_row rows[] = {
	ROW_SAME("ring-spsc-same", "ring of one producer and one consumer, one core", 0),
	ROW_CROSS("ring-spsc-cross", "ring of one producer and one consumer, two cores", CROSS),
	ROW_SAME("ring-mpmc-same", "ring of many producers and consumers, one core", MPMC),
	ROW_CROSS("ring-mpmc-cross", "ring of many producers and consumers, two cores",
	    CROSS | MPMC),
};

const struct mr_bench_family mr_bench_family_ring = { "ring", rows, MR_ARRAY_COUNT(rows) };
