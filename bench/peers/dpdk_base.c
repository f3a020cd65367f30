/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's side of the rows ring-*, pool, fib4-*, acl-* and flow-table-*, a process of its own:
 *
 *   dpdk-base ROW CPU OTHER-CPU ELEMENT-SIZE
 *
 * says "ready NAME" when it is set up, answers "window CYCLES" with "took CYCLES OBJECTS", and
 * ends at "quit" or the end of its input. Its loops are those of bench/row_ring.c,
 * bench/row_pool.c, bench/row_fib.c and bench/row_acl.c, with DPDK's calls in the place of ours.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mempool.h>
#include <rte_pause.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_version.h>

#include "bench/peers/dpdk_base.h"
#include "bench/shape.h"

struct job {
	struct rte_ring *ring;
	struct rte_mempool *pool;
	dpdk_window *window;
	/* The second thread of the cross rows: puts while `run`. */
	void *(*producer)(void *);
	sem_t go, done;
	_Atomic bool run;
};

_Noreturn void
fail(const char *what, int error)
{
	printf("error: %s: %s\n", what, strerror(error));
	exit(1);
}

/* One body for both synchronisations and both sizes; the calls are constants after
 * inlining. */
#define RING_BODY(NAME, PUT, GET, TYPE) \
	static void NAME##_same(struct job *job, uint64_t cycles, uint64_t *took, \
	    uint64_t *objects) \
	{ \
		TYPE burst[SHAPE_BURST] = { 0 }; \
		uint64_t start = rte_rdtsc(), now, count = 0; \
		unsigned i; \
\
		do { \
			for (i = 0; i < SHAPE_BATCH; i++) { \
				PUT(job->ring, burst, sizeof(TYPE), SHAPE_BURST, NULL); \
				count += GET(job->ring, burst, sizeof(TYPE), SHAPE_BURST, NULL); \
			} \
			now = rte_rdtsc(); \
		} while (now - start < cycles); \
		*took = now - start; \
		*objects = count; \
	} \
	static void NAME##_cross(struct job *job, uint64_t cycles, uint64_t *took, \
	    uint64_t *objects) \
	{ \
		TYPE burst[SHAPE_BURST]; \
		uint64_t start, now, count = 0; \
		unsigned i, n; \
\
		atomic_store(&job->run, true); \
		sem_post(&job->go); \
		while (!GET(job->ring, burst, sizeof(TYPE), SHAPE_BURST, NULL)) \
			rte_pause(); \
		start = rte_rdtsc(); \
		do { \
			for (i = 0; i < SHAPE_BATCH; i++) { \
				n = GET(job->ring, burst, sizeof(TYPE), SHAPE_BURST, NULL); \
				count += n; \
				if (!n) \
					rte_pause(); \
			} \
			now = rte_rdtsc(); \
		} while (now - start < cycles); \
		atomic_store(&job->run, false); \
		sem_wait(&job->done); \
		while (GET(job->ring, burst, sizeof(TYPE), SHAPE_BURST, NULL)) \
			; \
		*took = now - start; \
		*objects = count; \
	} \
	static void *NAME##_producer(void *arg) \
	{ \
		struct job *job = arg; \
		TYPE burst[SHAPE_BURST] = { 0 }; \
\
		for (;;) { \
			sem_wait(&job->go); \
			while (atomic_load_explicit(&job->run, memory_order_relaxed)) \
				if (!PUT(job->ring, burst, sizeof(TYPE), SHAPE_BURST, NULL)) \
					rte_pause(); \
			sem_post(&job->done); \
		} \
		return NULL; \
	}

RING_BODY(spsc4, rte_ring_sp_enqueue_burst_elem, rte_ring_sc_dequeue_burst_elem, uint32_t)
RING_BODY(spsc8, rte_ring_sp_enqueue_burst_elem, rte_ring_sc_dequeue_burst_elem, uint64_t)
RING_BODY(mpmc4, rte_ring_mp_enqueue_burst_elem, rte_ring_mc_dequeue_burst_elem, uint32_t)
RING_BODY(mpmc8, rte_ring_mp_enqueue_burst_elem, rte_ring_mc_dequeue_burst_elem, uint64_t)

static void
pool_window(struct job *job, uint64_t cycles, uint64_t *took, uint64_t *objects)
{
	void *held[SHAPE_POOL_HELD][SHAPE_BURST];
	uint64_t start = rte_rdtsc(), now, count = 0;
	unsigned i, j;

	do {
		for (i = 0; i < SHAPE_BATCH; i++) {
			for (j = 0; j < SHAPE_POOL_HELD; j++)
				if (rte_mempool_get_bulk(job->pool, held[j], SHAPE_BURST) == 0)
					count += SHAPE_BURST;
			for (j = 0; j < SHAPE_POOL_HELD; j++)
				rte_mempool_put_bulk(job->pool, held[j], SHAPE_BURST);
		}
		now = rte_rdtsc();
	} while (now - start < cycles);
	*took = now - start;
	*objects = count;
}

static void
set_up_ring(struct job *job, bool mpmc, bool cross, unsigned size)
{
	job->ring = rte_ring_create_elem("bench", size, SHAPE_RING, SOCKET_ID_ANY,
	    RING_F_EXACT_SZ | (mpmc ? 0 : RING_F_SP_ENQ | RING_F_SC_DEQ));
	if (!job->ring)
		fail("rte_ring_create_elem", rte_errno);
	if (mpmc && size == 4) {
		job->window = cross ? mpmc4_cross : mpmc4_same;
		job->producer = mpmc4_producer;
	} else if (mpmc) {
		job->window = cross ? mpmc8_cross : mpmc8_same;
		job->producer = mpmc8_producer;
	} else if (size == 4) {
		job->window = cross ? spsc4_cross : spsc4_same;
		job->producer = spsc4_producer;
	} else {
		job->window = cross ? spsc8_cross : spsc8_same;
		job->producer = spsc8_producer;
	}
	printf("ready rte_ring %s, %u-byte elements\n", strchr(rte_version(), ' ') + 1, size);
}

static void
set_up_pool(struct job *job)
{
	job->pool = rte_mempool_create("bench", SHAPE_POOL_COUNT, 64, SHAPE_POOL_CACHE, 0, NULL,
	    NULL, NULL, NULL, SOCKET_ID_ANY, 0);
	if (!job->pool)
		fail("rte_mempool_create", rte_errno);
	job->window = pool_window;
	printf("ready rte_mempool %s\n", strchr(rte_version(), ' ') + 1);
}

static void
start_producer(struct job *job, unsigned cpu)
{
	pthread_t thread;
	cpu_set_t set;
	int rc;

	sem_init(&job->go, 0, 0);
	sem_init(&job->done, 0, 0);
	rc = pthread_create(&thread, NULL, job->producer, job);
	if (rc)
		fail("pthread_create", rc);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	rc = pthread_setaffinity_np(thread, sizeof(set), &set);
	if (rc)
		fail("pin the producer", rc);
}

/* Rules take so much, with what rte_acl needs to build a context. */
#define ACL_MB "3072"

/* Of 2 MB. */
static unsigned
free_hugepages(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned n = 0;

	if (f && fscanf(f, "%u", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

int
main(int argc, char **argv)
{
	static struct job job;
	char lcores[32], prefix[32], line[64];
	/* Without hugepages unless it is for a table, and there are some. A table of a million
	 * prefixes takes 512 MB with what rte_rib keeps beside it, one of 8 million flows 1.2 GB. */
	bool fib = argc == 5 && !strncmp(argv[1], "fib4-", 5);
	bool acl = argc == 5 && !strncmp(argv[1], "acl-", 4);
	bool hash = argc == 5 && !strncmp(argv[1], "flow-table-", 11);
	bool table = fib || acl || hash;
	const char *mb = acl				? ACL_MB
	    : hash && strstr(argv[1], "8m") ? "1536"
	    : table				? "512"
						: "64";
	bool huge = table && free_hugepages() * 2 >= (unsigned)atoi(mb);
	char *eal[] = { "dpdk-base", "-m", (char *)mb, "--no-pci", "--no-telemetry",
		"--log-level=error", "--file-prefix", prefix, "--lcores", lcores,
		huge ? "--in-memory" : "--no-huge", "--no-shconf",
		"--force-max-simd-bitwidth=512" };
	int eal_count = (int)(sizeof(eal) / sizeof(eal[0])) - !table;
	uint64_t cycles, took, objects;
	bool cross, mpmc;

	if (argc != 5)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(lcores, sizeof(lcores), "0@%s", argv[2]);
	snprintf(prefix, sizeof(prefix), "mrbench%d", getpid());
	if (rte_eal_init(eal_count, eal) < 0)
		fail("rte_eal_init", rte_errno);
	cross = strstr(argv[1], "-cross");
	mpmc = strstr(argv[1], "-mpmc");
	if (fib)
		job.window = set_up_fib(argv[1], huge);
	else if (acl)
		job.window = set_up_acl(argv[1], huge);
	else if (hash)
		job.window = set_up_hash(argv[1], huge);
	else if (!strcmp(argv[1], "pool"))
		set_up_pool(&job);
	else
		set_up_ring(&job, mpmc, cross, (unsigned)atoi(argv[4]));
	if (cross)
		start_producer(&job, (unsigned)atoi(argv[3]));
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "window %" SCNu64, &cycles) == 1) {
		job.window(&job, cycles, &took, &objects);
		printf("took %" PRIu64 " %" PRIu64 "\n", took, objects);
	}
	return 0;
}
