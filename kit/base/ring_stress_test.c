/* SPDX-License-Identifier: Apache-2.0 */
/* What many threads and two processes do to the rings, checked by order and sums. */
#include "kit/base/ring_kinds_int.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Stress. A value is its producer's number and a sequence number. Every consumer
 * must see each producer's values in order, and together all must see each once.
 */
#define PRODUCERS 3u
#define CONSUMERS 3u
#define VALUES 200000u /* of each producer */
#define SEQUENCE_BITS 24

struct stress {
	const struct kind *kind;
	void *ring;
	_Atomic uint32_t left; /* values still to be got */
};

struct side {
	struct stress *stress;
	unsigned number;
	uint64_t sum, count, disorder;
};

static void *
produce(void *arg)
{
	struct side *side = arg;
	const struct kind *kind = side->stress->kind;
	unsigned seed = side->number, n, i, got;
	uint64_t values[BURST_MAX];

	while (side->count < VALUES) {
		n = MR_MIN(next_random(&seed) % 24 + 1, VALUES - (unsigned)side->count);
		for (i = 0; i < n; i++)
			values[i] = (uint64_t)side->number << SEQUENCE_BITS | (side->count + i);
		got = kind->put(side->stress->ring, next_random(&seed) % WAYS, values, n);
		for (i = 0; i < got; i++)
			side->sum += values[i];
		side->count += got;
		if (!got)
			sched_yield();
	}
	return NULL;
}

static void *
consume(void *arg)
{
	struct side *side = arg;
	struct stress *stress = side->stress;
	unsigned seed = side->number + 99, n, i, producer;
	uint64_t values[BURST_MAX], last[PRODUCERS];

	memset(last, 0xff, sizeof(last)); /* + 1 is 0 */
	while (atomic_load_explicit(&stress->left, memory_order_relaxed)) {
		n = next_random(&seed) % 24 + 1;
		n = stress->kind->get(stress->ring, next_random(&seed) % WAYS, values, n);
		for (i = 0; i < n; i++) {
			producer = (unsigned)(values[i] >> SEQUENCE_BITS) % PRODUCERS;
			values[i] &= (1u << SEQUENCE_BITS) - 1;
			side->disorder += values[i] + 1 <= last[producer] + 1;
			last[producer] = values[i];
			side->sum += values[i] | (uint64_t)producer << SEQUENCE_BITS;
		}
		side->count += n;
		atomic_fetch_sub_explicit(&stress->left, n, memory_order_relaxed);
		if (!n)
			sched_yield();
	}
	return NULL;
}

static void
check_stress(const struct kind *kind)
{
	unsigned producers = kind->many ? PRODUCERS : 1, consumers = kind->many ? CONSUMERS : 1, i;
	struct stress stress = { .kind = kind, .ring = make(kind, 64) };
	struct side from[PRODUCERS] = { 0 }, to[CONSUMERS] = { 0 };
	uint64_t sum = 0, count = 0;
	pthread_t threads[PRODUCERS + CONSUMERS];

	atomic_init(&stress.left, producers * VALUES);
	for (i = 0; i < producers; i++) {
		from[i].stress = &stress;
		from[i].number = i;
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &from[i]), 0);
	}
	for (i = 0; i < consumers; i++) {
		to[i].stress = &stress;
		to[i].number = i;
		assert_int_equal(pthread_create(&threads[producers + i], NULL, consume, &to[i]), 0);
	}
	for (i = 0; i < producers + consumers; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < consumers; i++) {
		assert_int_equal(to[i].disorder, 0);
		sum += to[i].sum;
		count += to[i].count;
	}
	for (i = 0; i < producers; i++)
		sum -= from[i].sum;
	assert_int_equal(count, producers * VALUES);
	assert_int_equal(sum, 0);
	assert_int_equal(kind->count(stress.ring), 0);
	kind->destroy(stress.ring);
}

static void
test_stress(void **state)
{
	unsigned k;

	for (k = 0; k < MR_ARRAY_COUNT(kinds); k++)
		check_stress(&kinds[k]);
}

/* A ring in memory that two processes share. */
static void
check_processes(const struct kind *kind)
{
	struct mr_ring_config config = {
		.capacity = 32,
		.element_size = kind->element_size,
		.memory_size = kind->size(32, kind->element_size),
	};
	uint64_t values[BURST_MAX], expected = 0;
	struct mr_error error = { 0 };
	unsigned n, i;
	int status;
	void *ring;
	pid_t pid;

	config.memory = mmap(NULL, config.memory_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(config.memory, MAP_FAILED);
	if (kind->create(&ring, &config, &error))
		fail_msg("%s: %s", kind->name, error.text);
	pid = fork();
	if (!pid) {
		for (i = 1; i <= 2000; i++) {
			values[0] = i;
			while (!kind->put(ring, BURST, values, 1))
				sched_yield();
		}
		_exit(0);
	}
	assert_true(pid > 0);
	while (expected < 2000) {
		n = kind->get(ring, BURST, values, BURST_MAX);
		for (i = 0; i < n; i++)
			assert_int_equal(values[i], ++expected);
		if (!n)
			sched_yield();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	kind->destroy(ring);
	munmap(config.memory, config.memory_size);
}

static void
test_processes(void **state)
{
	check_processes(&kinds[0]);
	check_processes(&kinds[4]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stress),
		cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
