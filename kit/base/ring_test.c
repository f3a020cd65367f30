/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both rings by one set of tests: `struct kind` maps each ring and element type to
 * arrays of 64-bit values. What one thread can see is compared with a slow and obvious
 * queue; what many threads do is checked by order and sums. Positions start shortly
 * before their type wraps, so that every test crosses that point.
 */
#include "kit/base/ring_mpmc.h"
#include "kit/base/ring_spsc.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BURST_MAX 64u
#define START_BEFORE_WRAP 1000u

enum way {
	BURST,
	BULK,
	ZERO_COPY, /* reserve up to the count, commit all of it */
	WAYS,
};

struct kind {
	const char *name;
	uint32_t element_size;
	bool many; /* producers and consumers */
	int (*create)(void **, const struct mr_ring_config *, struct mr_error *);
	void (*destroy)(void *);
	size_t (*size)(uint32_t, uint32_t);
	unsigned (*put)(void *, enum way, const uint64_t *, unsigned);
	unsigned (*get)(void *, enum way, uint64_t *, unsigned);
	unsigned (*count)(const void *);
	unsigned (*free)(const void *);
	unsigned (*capacity)(const void *);
};

static void
span_write(const struct mr_ring_span *span, uint32_t size, const uint64_t *in)
{
	unsigned part, i;

	for (part = 0; part < 2; part++) {
		for (i = 0; i < span->count[part]; i++, in++) {
			if (size == 4)
				((uint32_t *)span->part[part])[i] = (uint32_t)*in;
			else
				((uint64_t *)span->part[part])[i] = *in;
		}
	}
}

static void
span_read(const struct mr_ring_span *span, uint32_t size, uint64_t *out)
{
	unsigned part, i;

	for (part = 0; part < 2; part++) {
		for (i = 0; i < span->count[part]; i++, out++) {
			if (size == 4)
				*out = ((uint32_t *)span->part[part])[i];
			else
				*out = ((uint64_t *)span->part[part])[i];
		}
	}
}

static unsigned
spsc_put_span(struct mr_spsc *ring, const uint64_t *in, unsigned n)
{
	struct mr_ring_span span;

	n = mr_spsc_put_reserve(ring, n, &span);
	span_write(&span, ring->element_size, in);
	mr_spsc_put_commit(ring, n);
	return n;
}

static unsigned
spsc_get_span(struct mr_spsc *ring, uint64_t *out, unsigned n)
{
	struct mr_ring_span span;

	n = mr_spsc_get_reserve(ring, n, &span);
	span_read(&span, ring->element_size, out);
	mr_spsc_get_commit(ring, n);
	return n;
}

static unsigned
mpmc_put_span(struct mr_mpmc *ring, const uint64_t *in, unsigned n)
{
	struct mr_mpmc_reservation r;

	mr_mpmc_put_reserve(ring, n, &r);
	span_write(&r.span, ring->element_size, in);
	mr_mpmc_put_commit(ring, &r);
	return r.count;
}

static unsigned
mpmc_get_span(struct mr_mpmc *ring, uint64_t *out, unsigned n)
{
	struct mr_mpmc_reservation r;

	mr_mpmc_get_reserve(ring, n, &r);
	span_read(&r.span, ring->element_size, out);
	mr_mpmc_get_commit(ring, &r);
	return r.count;
}

static int
create_spsc(void **out, const struct mr_ring_config *config, struct mr_error *error)
{
	struct mr_spsc *ring;
	int rc = mr_spsc_create(&ring, config, error);

	*out = ring;
	if (!rc) {
		ring->tail = ring->head = UINT32_MAX - START_BEFORE_WRAP;
		ring->tail_seen = ring->head_seen = UINT32_MAX - START_BEFORE_WRAP;
	}
	return rc;
}

static int
create_mpmc(void **out, const struct mr_ring_config *config, struct mr_error *error)
{
	/* The lower half wraps as an index, the whole only to show that even that works. */
	static uint64_t start;
	struct mr_mpmc *ring;
	int rc = mr_mpmc_create(&ring, config, error);

	*out = ring;
	if (!rc) {
		start = (start == UINT32_MAX - START_BEFORE_WRAP ? UINT64_MAX : UINT32_MAX) -
		    START_BEFORE_WRAP;
		ring->put.claimed = ring->put.done = ring->put.other_seen = start;
		ring->get.claimed = ring->get.done = ring->get.other_seen = start;
	}
	return rc;
}

/* The typed functions of one ring and element type behind the table's. */
#define KIND(ring, type, suffix) \
	static unsigned put_##ring##_##suffix(void *r, enum way way, const uint64_t *values, \
	    unsigned n) \
	{ \
		type in[BURST_MAX]; \
		unsigned i; \
\
		if (way == ZERO_COPY) \
			return ring##_put_span(r, values, n); \
		for (i = 0; i < n; i++) \
			in[i] = (type)values[i]; \
		return way == BULK ? mr_##ring##_put_bulk_##suffix(r, in, n) \
				   : mr_##ring##_put_burst_##suffix(r, in, n); \
	} \
\
	static unsigned get_##ring##_##suffix(void *r, enum way way, uint64_t *values, unsigned n) \
	{ \
		type out[BURST_MAX]; \
		unsigned i; \
\
		if (way == ZERO_COPY) \
			return ring##_get_span(r, values, n); \
		n = way == BULK ? mr_##ring##_get_bulk_##suffix(r, out, n) \
				: mr_##ring##_get_burst_##suffix(r, out, n); \
		for (i = 0; i < n; i++) \
			values[i] = (uint64_t)out[i]; \
		return n; \
	}

#define RING(ring) \
	static unsigned count_##ring(const void *r) \
	{ \
		return mr_##ring##_count(r); \
	} \
\
	static unsigned free_##ring(const void *r) \
	{ \
		return mr_##ring##_free(r); \
	} \
\
	static unsigned capacity_##ring(const void *r) \
	{ \
		return mr_##ring##_capacity(r); \
	} \
\
	static void destroy_##ring(void *r) \
	{ \
		mr_##ring##_destroy(r); \
	}

typedef void *pointer;

/* clang-format off */
KIND(spsc, uint32_t, u32)
KIND(spsc, uint64_t, u64)
KIND(spsc, pointer, ptr)
KIND(mpmc, uint32_t, u32)
KIND(mpmc, uint64_t, u64)
KIND(mpmc, pointer, ptr)
RING(spsc)
RING(mpmc)

#define ROW(ring, many, size, suffix) \
	{#ring "_" #suffix, size, many, create_##ring, destroy_##ring, mr_##ring##_size, \
	    put_##ring##_##suffix, get_##ring##_##suffix, count_##ring, free_##ring, \
	    capacity_##ring}
/* clang-format on */

static const struct kind kinds[] = {
    ROW(spsc, false, 4, u32),
    ROW(spsc, false, 8, u64),
    ROW(spsc, false, 8, ptr),
    ROW(mpmc, true, 4, u32),
    ROW(mpmc, true, 8, u64),
    ROW(mpmc, true, 8, ptr),
};

static void *
make(const struct kind *kind, uint32_t capacity)
{
	struct mr_ring_config config = {.capacity = capacity, .element_size = kind->element_size};
	struct mr_error error = {0};
	void *ring;

	if (kind->create(&ring, &config, &error))
		fail_msg("%s: %s", kind->name, error.text);
	return ring;
}

static unsigned
next_random(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Random operations against an array that is shifted. */
static void
check_model(const struct kind *kind, uint32_t capacity)
{
	uint64_t queue[256], values[BURST_MAX], next = 1;
	unsigned seed = capacity, held = 0, step, n, want, got, i;
	void *ring = make(kind, capacity);
	enum way way;

	assert_int_equal(kind->capacity(ring), capacity);
	for (step = 0; step < 20000; step++) {
		n = next_random(&seed) % (BURST_MAX + 1);
		if (next_random(&seed) % 4)
			n %= 8;
		way = next_random(&seed) % WAYS;
		if (next_random(&seed) & 1) {
			for (i = 0; i < n; i++)
				values[i] = next + i;
			want = MR_MIN(n, capacity - held);
			if (way == BULK && want < n)
				want = 0;
			got = kind->put(ring, way, values, n);
			assert_int_equal(got, want);
			memcpy(queue + held, values, got * sizeof(*queue));
			next += got;
			held += got;
		} else {
			want = MR_MIN(n, held);
			if (way == BULK && want < n)
				want = 0;
			got = kind->get(ring, way, values, n);
			assert_int_equal(got, want);
			assert_memory_equal(values, queue, got * sizeof(*queue));
			held -= got;
			memmove(queue, queue + got, held * sizeof(*queue));
		}
		assert_int_equal(kind->count(ring), held);
		assert_int_equal(kind->free(ring), capacity - held);
	}
	/* Or the positions never wrapped. */
	assert_true(next > 2 * START_BEFORE_WRAP);
	kind->destroy(ring);
}

static void
test_model(void **state)
{
	static const uint32_t capacities[] = {1, 2, 8, 64, 128};
	unsigned k, c;

	for (k = 0; k < MR_ARRAY_COUNT(kinds); k++) {
		for (c = 0; c < MR_ARRAY_COUNT(capacities); c++)
			check_model(&kinds[k], capacities[c]);
	}
}

static void
test_full_and_empty(void **state)
{
	uint64_t values[BURST_MAX] = {1, 2, 3};
	const struct kind *kind;
	void *ring;

	for (kind = kinds; kind < kinds + MR_ARRAY_COUNT(kinds); kind++) {
		ring = make(kind, 33); /* rounded up */
		assert_int_equal(kind->capacity(ring), 64);
		assert_int_equal(kind->get(ring, BURST, values, 1), 0);
		assert_int_equal(kind->put(ring, BULK, values, 64), 64);
		assert_int_equal(kind->free(ring), 0);
		assert_int_equal(kind->put(ring, BURST, values, 1), 0);
		assert_int_equal(kind->put(ring, BULK, values, 1), 0);
		assert_int_equal(kind->put(ring, ZERO_COPY, values, 1), 0);
		assert_int_equal(kind->get(ring, BULK, values, 60), 60);
		assert_int_equal(kind->put(ring, BULK, values, 61), 0);
		assert_int_equal(kind->get(ring, BULK, values, 5), 0);
		assert_int_equal(kind->count(ring), 4);
		assert_int_equal(kind->put(ring, BURST, values, 61), 60);
		assert_int_equal(kind->get(ring, BURST, values, 64), 64);
		assert_int_equal(kind->get(ring, ZERO_COPY, values, 64), 0);
		kind->destroy(ring);
	}
}

/* Reserving changes nothing until the commit, which may take less. */
static void
test_spsc_peek(void **state)
{
	uint32_t in[5] = {1, 2, 3, 4, 5}, out[8];
	struct mr_spsc *ring = make(&kinds[0], 8);
	struct mr_ring_span span;

	assert_int_equal(mr_spsc_put_bulk_u32(ring, in, 5), 5);
	assert_int_equal(mr_spsc_get_reserve(ring, 8, &span), 5);
	assert_int_equal(mr_spsc_count(ring), 5);
	mr_spsc_get_commit(ring, 2);
	assert_int_equal(mr_spsc_get_reserve(ring, 8, &span), 3);
	assert_int_equal(*(uint32_t *)span.part[0], 3);
	mr_spsc_get_commit(ring, 0);
	assert_int_equal(mr_spsc_put_reserve(ring, 8, &span), 5);
	*(uint32_t *)span.part[0] = 6;
	mr_spsc_put_commit(ring, 1);
	assert_int_equal(mr_spsc_get_burst_u32(ring, out, 8), 4);
	assert_int_equal(out[0], 3);
	assert_int_equal(out[3], 6);
	mr_spsc_destroy(ring);
}

/* Two producers fill their reservations side by side; what shows is in order. */
static void
test_mpmc_reservations(void **state)
{
	struct mr_mpmc *ring = make(&kinds[3], 8);
	struct mr_mpmc_reservation a, b;
	uint32_t out[8];

	assert_int_equal(mr_mpmc_put_reserve(ring, 3, &a), 3);
	assert_int_equal(mr_mpmc_put_reserve(ring, 99, &b), 5);
	*(uint32_t *)b.span.part[0] = 4;
	*(uint32_t *)a.span.part[0] = 1;
	assert_int_equal(mr_mpmc_get_burst_u32(ring, out, 8), 0);
	assert_int_equal(mr_mpmc_put_bulk_u32(ring, out, 1), 0);
	mr_mpmc_put_commit(ring, &a);
	assert_int_equal(mr_mpmc_count(ring), 3);
	mr_mpmc_put_commit(ring, &b);
	assert_int_equal(mr_mpmc_get_reserve(ring, 4, &a), 4);
	assert_int_equal(*(uint32_t *)a.span.part[0], 1);
	assert_int_equal(mr_mpmc_put_bulk_u32(ring, out, 1), 0);
	mr_mpmc_get_commit(ring, &a);
	assert_int_equal(mr_mpmc_free(ring), 4);
	mr_mpmc_destroy(ring);
}

/* A thread that slept on its note of the other side may write it back long after, older
 * by many capacities: neither room nor elements come of it. */
static void
test_mpmc_old_note(void **state)
{
	struct mr_mpmc *ring = make(&kinds[3], 8);
	uint32_t values[9] = {0};

	assert_int_equal(mr_mpmc_put_burst_u32(ring, values, 9), 8);
	ring->put.other_seen -= 100;
	assert_int_equal(mr_mpmc_put_burst_u32(ring, values, 1), 0);
	assert_int_equal(mr_mpmc_get_burst_u32(ring, values, 9), 8);
	ring->get.other_seen -= 100;
	assert_int_equal(mr_mpmc_get_burst_u32(ring, values, 1), 0);
	ring->put.other_seen -= 100;
	assert_int_equal(mr_mpmc_put_bulk_u32(ring, values, 8), 8);
	mr_mpmc_destroy(ring);
}

static void
test_bad_config(void **state)
{
	static _Alignas(128) uint8_t memory[8192];
	struct mr_error error = {0};
	struct mr_ring_config config;
	const struct kind *kind;
	uint64_t value = 7;
	size_t size;
	void *ring;

	for (kind = kinds; kind < kinds + MR_ARRAY_COUNT(kinds); kind++) {
		config = (struct mr_ring_config){.capacity = 0, .element_size = 4};
		assert_int_equal(kind->create(&ring, &config, &error), -EINVAL);
		assert_null(ring);
		config.capacity = MR_RING_CAPACITY_MAX + 1;
		assert_int_equal(kind->create(&ring, &config, &error), -EINVAL);
		config.capacity = 100;
		config.element_size = 16;
		assert_int_equal(kind->create(&ring, &config, &error), -EINVAL);
		assert_int_equal(kind->size(100, 16), 0);
		config.element_size = kind->element_size;
		size = kind->size(100, kind->element_size);
		assert_int_equal(size, kind->size(128, kind->element_size));
		assert_in_range(size, 128 * kind->element_size, sizeof(memory));
		config.memory = memory + 64;
		config.memory_size = size;
		assert_int_equal(kind->create(&ring, &config, &error), -EINVAL);
		config.memory = memory;
		config.memory_size = size - 1;
		assert_int_equal(kind->create(&ring, &config, &error), -ENOSPC);
		/* In the caller's memory, and not a byte further. */
		memset(memory, 0xee, sizeof(memory));
		config.memory_size = size;
		assert_int_equal(kind->create(&ring, &config, &error), 0);
		assert_ptr_equal(ring, memory);
		while (kind->put(ring, BURST, &value, 1))
			;
		assert_int_equal(memory[size], 0xee);
		kind->destroy(ring);
		kind->destroy(NULL);
	}
}

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
	struct stress stress = {.kind = kind, .ring = make(kind, 64)};
	struct side from[PRODUCERS] = {0}, to[CONSUMERS] = {0};
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
	struct mr_error error = {0};
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
	    cmocka_unit_test(test_model),
	    cmocka_unit_test(test_full_and_empty),
	    cmocka_unit_test(test_spsc_peek),
	    cmocka_unit_test(test_mpmc_reservations),
	    cmocka_unit_test(test_mpmc_old_note),
	    cmocka_unit_test(test_bad_config),
	    cmocka_unit_test(test_stress),
	    cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
