/* SPDX-License-Identifier: Apache-2.0 */

/* Slots: entries are found again and only those; buckets that are full refuse; threads that add
 * the same keys make one entry of each. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <pthread.h>

#include "kit/base/hash.h"
#include "kit/table/slots.h"

#define KEYS 20000u
#define THREADS 4u

struct table {
	struct mr_slots slots;
	struct mr_hash_key key;
	_Atomic uint64_t keys[THREADS * KEYS + 1]; /* by number */
	_Atomic uint32_t next;
	_Atomic uint32_t twice;
};

static uint32_t
find(struct table *t, uint64_t key)
{
	mr_slots_each(n, &t->slots,
	    mr_hash_u64(&t->key, key)) if (atomic_load_explicit(&t->keys[n],
					       memory_order_relaxed) == key) return n;
	return 0;
}

static struct table *
make(uint32_t max)
{
	struct table *t = calloc(1, sizeof(*t));
	struct mr_error error;

	assert_non_null(t);
	mr_hash_key_seed(&t->key, 1);
	assert_int_equal(mr_slots_create(&t->slots, max, &error), 0);
	return t;
}

static void
unmake(struct table *t)
{
	mr_slots_destroy(&t->slots);
	free(t);
}

static void
test_found_again(void **state)
{
	struct table *t = make(KEYS);

	(void)state;
	for (uint32_t i = 1; i <= KEYS; i++) {
		atomic_store(&t->keys[i], i * 3ull);
		assert_true(mr_slots_claim(&t->slots, mr_hash_u64(&t->key, i * 3ull), i));
	}
	for (uint32_t i = 1; i <= KEYS; i++) {
		assert_int_equal(find(t, i * 3ull), i);
		assert_int_equal(find(t, i * 3ull + 1), 0);
	}
	for (uint32_t i = 1; i <= KEYS; i += 2) {
		assert_true(mr_slots_clear(&t->slots, mr_hash_u64(&t->key, i * 3ull), i));
		assert_false(mr_slots_clear(&t->slots, mr_hash_u64(&t->key, i * 3ull), i));
	}
	for (uint32_t i = 1; i <= KEYS; i++)
		assert_int_equal(find(t, i * 3ull), i % 2 ? 0 : i);
	unmake(t);
}

static void
test_full(void **state)
{
	struct table *t = make(1);
	uint64_t hash = mr_hash_u64(&t->key, 7);
	unsigned seen = 0;

	(void)state;
	for (uint32_t i = 1; i <= 2 * MR_SLOTS_WAYS; i++)
		assert_true(mr_slots_claim(&t->slots, hash, i));
	assert_false(mr_slots_claim(&t->slots, hash, 1000));
	mr_slots_each(n, &t->slots, hash)
	{
		assert_in_range(n, 1, 2 * MR_SLOTS_WAYS);
		seen++;
	}
	assert_int_equal(seen, 2 * MR_SLOTS_WAYS);
	assert_true(mr_slots_clear(&t->slots, hash, 5));
	assert_true(mr_slots_claim(&t->slots, hash, 1000));
	unmake(t);
}

static void *
adder(void *arg)
{
	struct table *t = arg;

	for (uint64_t key = 1; key <= KEYS; key++) {
		uint64_t hash = mr_hash_u64(&t->key, key);

		mr_slots_lock(&t->slots, hash);
		if (find(t, key)) {
			atomic_fetch_add(&t->twice, 1);
		} else {
			uint32_t n = atomic_fetch_add(&t->next, 1) + 1;

			atomic_store_explicit(&t->keys[n], key, memory_order_relaxed);
			(void)mr_slots_claim(&t->slots, hash, n);
		}
		mr_slots_unlock(&t->slots, hash);
	}
	return NULL;
}

static void
test_one_of_each(void **state)
{
	struct table *t = make(KEYS);
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, adder, t), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&t->next), KEYS);
	assert_int_equal(atomic_load(&t->twice), (THREADS - 1) * KEYS);
	for (uint64_t key = 1; key <= KEYS; key++)
		assert_int_not_equal(find(t, key), 0);
	unmake(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_again),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_one_of_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
