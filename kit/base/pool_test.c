/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif
#ifdef TEST_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define COUNT 1000u
#define FIRST 5u
#define STRIDE 3u
#define SHIFT 6u

/* Room for every handle of the pools here: FIRST + COUNT * STRIDE lines. */
static _Alignas(64) uint8_t memory[(FIRST + COUNT * STRIDE) << SHIFT];

static struct mr_pool *
make(enum mr_pool_guard guard, unsigned workers, unsigned cache)
{
	struct mr_pool_config config = {
		.name = "test",
		.base = memory,
		.shift = SHIFT,
		.first = FIRST,
		.stride = STRIDE,
		.count = COUNT,
		.workers = workers,
		.cache = cache,
		.guard = guard,
	};
	struct mr_error error = { 0 };
	struct mr_pool *pool;

	if (mr_pool_create(&pool, &config, &error))
		fail_msg("%s", error.text);
	return pool;
}

static uint32_t
nth(uint32_t object)
{
	return FIRST + object * STRIDE;
}

/* A fresh pool hands out ascending addresses, whatever the bursts. */
static void
check_ascending(enum mr_pool_guard guard)
{
	struct mr_pool *pool = make(guard, 2, 64);
	uint32_t h[COUNT], done = 0, n = 1, i;

	while (done < COUNT) {
		n = MR_MIN(n % 90 + 7, COUNT - done);
		assert_int_equal(mr_pool_get(pool, 0, h + done, n), n);
		done += n;
		assert_int_equal(mr_pool_used(pool), done);
	}
	for (i = 0; i < COUNT; i++)
		assert_int_equal(h[i], nth(i));
	assert_int_equal(mr_pool_get(pool, 0, h, 1), 0);
	mr_pool_put(pool, 1, h, COUNT);
	assert_int_equal(mr_pool_used(pool), 0);
	assert_int_equal(mr_pool_check(pool, NULL), 0);
	mr_pool_destroy(pool);
}

static void
test_ascending(void **state)
{
	check_ascending(MR_POOL_GUARD_OFF);
	check_ascending(MR_POOL_GUARD_ON);
}

/* The last put comes first and as it was put, over the seams of magazines (of 32) too. */
static void
test_lifo(void **state)
{
	static const unsigned sizes[] = { 1, 8, 31, 32, 33, 64, 65, 200 };
	uint32_t a[COUNT], b[COUNT], more[COUNT];
	struct mr_pool *pool;
	unsigned i, k;

	for (i = 0; i < MR_ARRAY_COUNT(sizes); i++) {
		for (k = 0; k < 70; k++) {
			pool = make(MR_POOL_GUARD_OFF, 1, 64);
			assert_int_equal(mr_pool_get(pool, 0, more, k), k);
			assert_int_equal(mr_pool_get(pool, 0, a, sizes[i]), sizes[i]);
			mr_pool_put(pool, 0, a, sizes[i]);
			assert_int_equal(mr_pool_get(pool, 0, b, sizes[i]), sizes[i]);
			assert_memory_equal(a, b, sizes[i] * sizeof(*a));
			mr_pool_put(pool, 0, b, sizes[i]);
			mr_pool_put(pool, 0, more, k);
			assert_int_equal(mr_pool_used(pool), 0);
			mr_pool_destroy(pool);
		}
	}
}

static void
test_fifo_when_guarded(void **state)
{
	struct mr_pool *pool = make(MR_POOL_GUARD_ON, 1, 64);
	uint32_t a[8], h[COUNT];

	assert_int_equal(mr_pool_get(pool, 0, a, 8), 8);
	mr_pool_put(pool, 0, a, 8);
	assert_int_equal(mr_pool_get(pool, 0, h, COUNT), COUNT);
	assert_int_equal(h[0], nth(8));
	assert_memory_equal(a, h + COUNT - 8, sizeof(a));
	mr_pool_put(pool, 0, h, COUNT);
	mr_pool_destroy(pool);
}

static void
test_all_or_none(void **state)
{
	struct mr_pool *pool = make(MR_POOL_GUARD_OFF, 2, 64);
	uint32_t h[COUNT + 1], other[32], i;

	/* Worker 1 has taken a magazine of 32 and left 12 in it, which worker 0 cannot reach. */
	assert_int_equal(mr_pool_get(pool, 1, other, 20), 20);
	assert_int_equal(mr_pool_used(pool), 20);
	assert_int_equal(mr_pool_get(pool, 0, h, COUNT + 1), 0);
	assert_int_equal(mr_pool_get(pool, 0, h, COUNT - 31), 0);
	assert_int_equal(mr_pool_used(pool), 20);
	assert_int_equal(mr_pool_get(pool, 0, h, COUNT - 32), COUNT - 32);
	for (i = 0; i < COUNT - 32; i++)
		assert_int_equal(h[i], nth(i + 32));
	assert_int_equal(mr_pool_get(pool, 0, h, 1), 0);
	assert_int_equal(mr_pool_get(pool, MR_POOL_SHARED, h, 1), 0);
	assert_int_equal(mr_pool_get(pool, 1, other, 13), 0);
	assert_int_equal(mr_pool_get(pool, 1, other, 12), 12);
	assert_int_equal(mr_pool_get(pool, 1, other, 1), 0);
	assert_int_equal(mr_pool_used(pool), COUNT);
	mr_pool_destroy(pool);
}

/* A partly filled cache and a store that together just suffice. */
static void
test_cache_and_store_together(void **state)
{
	struct mr_pool *pool = make(MR_POOL_GUARD_OFF, 1, 64);
	uint32_t h[COUNT];

	assert_int_equal(mr_pool_get(pool, 0, h, 10), 10);
	assert_int_equal(mr_pool_get(pool, 0, h + 10, COUNT - 10), COUNT - 10);
	assert_int_equal(mr_pool_used(pool), COUNT);
	mr_pool_put(pool, MR_POOL_SHARED, h, 500);
	assert_int_equal(mr_pool_used(pool), 500);
	mr_pool_put(pool, 0, h + 500, 500);
	assert_int_equal(mr_pool_used(pool), 0);
	assert_int_equal(mr_pool_get(pool, 0, h, COUNT), COUNT);
	mr_pool_destroy(pool);
}

/* Random gets and puts of two workers and the shared way against a list of who
 * owns what: nothing is handed out twice, nothing gets lost. */
static void
check_random(enum mr_pool_guard guard, unsigned cache)
{
	struct mr_pool *pool = make(guard, 2, cache);
	static const unsigned who[] = { 0, 1, MR_POOL_SHARED };
	static bool out[COUNT];
	uint32_t held[COUNT], used = 0, step, n, i, k, object;

	srand(cache + 1);
	memset(out, 0, sizeof(out));
	for (step = 0; step < 20000; step++) {
		n = (unsigned)rand() % (step % 100 ? 40 : 300);
		if (rand() & 1) {
			n = MR_MIN(n, COUNT - used);
			if (!mr_pool_get(pool, who[step % 3], held + used, n))
				continue;
			for (i = used; i < used + n; i++) {
				assert_true(held[i] >= FIRST && (held[i] - FIRST) % STRIDE == 0);
				object = (held[i] - FIRST) / STRIDE;
				assert_true(object < COUNT);
				assert_false(out[object]);
				out[object] = true;
			}
			used += n;
		} else {
			n = MR_MIN(n, used);
			for (i = 0; i < n; i++) {
				k = (unsigned)rand() % (used - i);
				object = held[k];
				held[k] = held[used - 1 - i];
				held[used - 1 - i] = object;
				out[(object - FIRST) / STRIDE] = false;
			}
			mr_pool_put(pool, who[rand() % 3], held + used - n, n);
			used -= n;
		}
		assert_int_equal(mr_pool_used(pool), used);
	}
	mr_pool_put(pool, 0, held, used);
	assert_int_equal(mr_pool_used(pool), 0);
	assert_int_equal(mr_pool_check(pool, NULL), 0);
	mr_pool_destroy(pool);
}

static void
test_random(void **state)
{
	check_random(MR_POOL_GUARD_OFF, 2);
	check_random(MR_POOL_GUARD_OFF, 3);
	check_random(MR_POOL_GUARD_OFF, 31);
	check_random(MR_POOL_GUARD_OFF, 64);
	check_random(MR_POOL_GUARD_OFF, 5000); /* a magazine is more than there is */
	check_random(MR_POOL_GUARD_ON, 64);
}

static void
test_double_put_found(void **state)
{
	struct mr_pool *pool = make(MR_POOL_GUARD_ON, 1, 64);
	struct mr_error error = { 0 };
	uint32_t h[4];

	assert_int_equal(mr_pool_get(pool, 0, h, 4), 4);
	mr_pool_put(pool, 0, h, 2);
	assert_int_equal(mr_pool_check(pool, &error), 0);
	mr_pool_put(pool, 0, h + 1, 1);
	assert_int_equal(mr_pool_check(pool, &error), -EFAULT);
	assert_non_null(strstr(error.text, "handle 8, which was in the pool already"));
	assert_int_equal(mr_pool_used(pool), 2);
	mr_pool_destroy(pool);
}

static void
test_foreign_put_found(void **state)
{
	static const uint32_t foreign[] = { 0, FIRST - 1, FIRST + 1, FIRST + COUNT * STRIDE,
		UINT32_MAX };
	struct mr_error error = { 0 };
	struct mr_pool *pool;
	unsigned i;

	for (i = 0; i < MR_ARRAY_COUNT(foreign); i++) {
		pool = make(MR_POOL_GUARD_ON, 1, 64);
		mr_pool_put(pool, 0, &foreign[i], 1);
		assert_int_equal(mr_pool_check(pool, &error), -EFAULT);
		assert_non_null(strstr(error.text, "no object of this pool"));
		assert_int_equal(mr_pool_used(pool), 0);
		mr_pool_destroy(pool);
	}
}

/* Unguarded, too many puts must not run over the store's end. */
static void
test_overfull_put_survived(void **state)
{
	struct mr_pool *pool = make(MR_POOL_GUARD_OFF, 1, 64);
	struct mr_error error = { 0 };
	uint32_t h[200];

	assert_int_equal(mr_pool_get(pool, 0, h, 200), 200);
	mr_pool_put(pool, 0, h, 200);
	mr_pool_put(pool, 0, h, 200);
	assert_int_equal(mr_pool_check(pool, &error), -EFAULT);
	assert_int_equal(mr_pool_used(pool), 0);
	mr_pool_destroy(pool);
}

static void
test_poison(void **state)
{
#ifdef TEST_ASAN
	struct mr_pool *pool = make(MR_POOL_GUARD_BUILD, 1, 64);
	size_t size = STRIDE << SHIFT;
	uint8_t *object;
	uint32_t h;

	assert_int_equal(mr_pool_get(pool, 0, &h, 1), 1);
	object = memory + ((size_t)h << SHIFT);
	assert_null(__asan_region_is_poisoned(object, size));
	assert_ptr_equal(__asan_region_is_poisoned(object, size + 1), object + size);
	mr_pool_put(pool, 0, &h, 1);
	assert_true(__asan_address_is_poisoned(object));
	assert_true(__asan_address_is_poisoned(object + size - 1));
	mr_pool_destroy(pool);
	assert_null(__asan_region_is_poisoned(memory, sizeof(memory)));
#else
	print_message("needs a build with AddressSanitizer\n");
	skip();
#endif
}

static void
test_bad_config(void **state)
{
	struct mr_pool_config good = { .name = "x", .base = memory, .stride = 1, .count = 1 }, bad;
	struct mr_error error = { 0 };
	struct mr_pool *pool;

	bad = good;
	bad.count = 0;
	assert_int_equal(mr_pool_create(&pool, &bad, &error), -EINVAL);
	assert_null(pool);
	bad = good;
	bad.stride = 0;
	assert_int_equal(mr_pool_create(&pool, &bad, &error), -EINVAL);
	bad = good;
	bad.count = UINT32_MAX;
	bad.stride = 2;
	assert_int_equal(mr_pool_create(&pool, &bad, &error), -EOVERFLOW);
	assert_non_null(strstr(error.text, "pool x"));
	bad = good;
	bad.workers = 1 << 20;
	assert_int_equal(mr_pool_create(&pool, &bad, &error), -EINVAL);
	/* Without workers there is the shared way alone. */
	assert_int_equal(mr_pool_create(&pool, &good, &error), 0);
	assert_int_equal(mr_pool_get(pool, 0, &good.count, 1), 1);
	assert_int_equal(mr_pool_get(pool, MR_POOL_SHARED, &good.count, 1), 0);
	mr_pool_destroy(pool);
	mr_pool_destroy(NULL);
}

/* Threads take, mark and give back; a mark that is there already means that two
 * own one object. Two threads share the way without cache. */
#define THREADS 4
#define ROUNDS 12000

struct racer {
	struct mr_pool *pool;
	unsigned worker;
	uint32_t *words; /* one per object, plain: the pool must order the hand-over */
	uint64_t got, failed, clashes;
};

static void *
race(void *arg)
{
	struct racer *r = arg;
	unsigned seed = r->worker * 7 + 1, n, i, round, held = 0;
	uint32_t h[300], *word;

	/* Takes up to 96 at once, three magazines, and gives back as many as it likes. */
	for (round = 0; round < ROUNDS || held; round++) {
		seed = seed * 1664525 + 1013904223;
		n = (seed >> 16) % 96 + 1;
		if (round < ROUNDS && held + n <= MR_ARRAY_COUNT(h) && seed >> 31) {
			if (!mr_pool_get(r->pool, r->worker, h + held, n)) {
				r->failed++;
				continue;
			}
			r->got += n;
			for (i = held; i < held + n; i++) {
				word = &r->words[(h[i] - FIRST) / STRIDE];
				r->clashes += *word != 0;
				*word = 1;
			}
			held += n;
		} else {
			n = MR_MIN(n, held);
			held -= n;
			for (i = held; i < held + n; i++)
				r->words[(h[i] - FIRST) / STRIDE] = 0;
			mr_pool_put(r->pool, r->worker, h + held, n);
		}
	}
	return NULL;
}

static void
check_threads(enum mr_pool_guard guard)
{
	struct mr_pool *pool = make(guard, THREADS - 2, 64);
	struct racer racers[THREADS] = { 0 };
	uint32_t *words = calloc(COUNT, sizeof(*words));
	pthread_t threads[THREADS];
	uint64_t got = 0;
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		racers[i].pool = pool;
		racers[i].worker = i < THREADS - 2 ? i : MR_POOL_SHARED;
		racers[i].words = words;
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(racers[i].clashes, 0);
		got += racers[i].got;
	}
	assert_true(got > 0);
	assert_int_equal(mr_pool_used(pool), 0);
	assert_int_equal(mr_pool_check(pool, NULL), 0);
	mr_pool_destroy(pool);
	free(words);
}

static void
test_threads(void **state)
{
	check_threads(MR_POOL_GUARD_OFF);
	check_threads(MR_POOL_GUARD_ON);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ascending),
		cmocka_unit_test(test_lifo),
		cmocka_unit_test(test_fifo_when_guarded),
		cmocka_unit_test(test_all_or_none),
		cmocka_unit_test(test_cache_and_store_together),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_double_put_found),
		cmocka_unit_test(test_foreign_put_found),
		cmocka_unit_test(test_overfull_put_survived),
		cmocka_unit_test(test_poison),
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
