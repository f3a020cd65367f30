/* SPDX-License-Identifier: Apache-2.0 */
/* What one thread can see of the rings, compared with a slow and obvious queue. */
#include "kit/base/ring_kinds_int.h"

#include <errno.h>

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
	static const uint32_t capacities[] = { 1, 2, 8, 64, 128 };
	unsigned k, c;

	for (k = 0; k < MR_ARRAY_COUNT(kinds); k++) {
		for (c = 0; c < MR_ARRAY_COUNT(capacities); c++)
			check_model(&kinds[k], capacities[c]);
	}
}

static void
test_full_and_empty(void **state)
{
	uint64_t values[BURST_MAX] = { 1, 2, 3 };
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
	uint32_t in[5] = { 1, 2, 3, 4, 5 }, out[8];
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
	uint32_t values[9] = { 0 };

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
	struct mr_error error = { 0 };
	struct mr_ring_config config;
	const struct kind *kind;
	uint64_t value = 7;
	size_t size;
	void *ring;

	for (kind = kinds; kind < kinds + MR_ARRAY_COUNT(kinds); kind++) {
		config = (struct mr_ring_config){ .capacity = 0, .element_size = 4 };
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
