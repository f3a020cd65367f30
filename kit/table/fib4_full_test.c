/* SPDX-License-Identifier: Apache-2.0 */
/* The IPv4 table, as large as it gets, against a binary trie. */
#include "kit/table/fib4_test_int.h"

/* ThreadSanitizer has nothing to find here. */
#ifdef MR_RCU_TSAN
#define FULL 50000u
#else
#define FULL 1000000u
#endif

struct trie {
	uint32_t (*nodes)[3]; /* two children, a value */
	uint32_t count, room;
};

static void
trie_set(struct trie *t, uint32_t prefix, unsigned len, uint32_t value)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < len; i++) {
		unsigned bit = prefix >> (31 - i) & 1;

		if (!t->nodes[at][bit]) {
			assert_true(t->count < t->room);
			t->nodes[at][bit] = t->count++;
		}
		at = t->nodes[at][bit];
	}
	t->nodes[at][2] = value;
}

static uint32_t
trie_match(const struct trie *t, uint32_t address)
{
	uint32_t at = 0, best = 0;

	for (unsigned i = 0;; i++) {
		if (t->nodes[at][2])
			best = t->nodes[at][2];
		if (i == 32)
			return best;
		at = t->nodes[at][address >> (31 - i) & 1];
		if (!at)
			return best;
	}
}

static void
check_sample(struct mr_fib4 *fib, const struct trie *t, const struct mr_prefix4 *p, unsigned count,
    uint64_t *seed)
{
	uint32_t addresses[MR_VECTOR_MAX], values[MR_VECTOR_MAX];

	for (unsigned round = 0; round < 400; round++) {
		for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
			const struct mr_prefix4 *q = &p[next_random(seed) % count];
			uint32_t r = (uint32_t)next_random(seed);

			addresses[i] = q->len == 32 ? q->prefix : q->prefix | (r & ~0u >> q->len);
			if (r % 4 == 0)
				addresses[i] = (uint32_t)next_random(seed);
		}
		look_up(fib, addresses, values, MR_VECTOR_MAX);
		for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
			assert_int_equal(values[i], trie_match(t, addresses[i]));
			assert_int_equal(values[i], mr_fib4_match(fib, addresses[i], NULL, NULL));
			assert_int_equal(values[i], mr_fib4_find(fib, addresses[i]));
		}
	}
}

static void
full_table(void **state)
{
	const unsigned count = FULL;
	struct trie t = { .count = 1, .room = 6000000 };
	struct mr_fib4_stats stats;
	struct mr_prefix4 *p;
	struct mr_fib4 *fib = make(count);
	uint64_t seed = 77, cursor = 0;
	uint32_t real, prefix, value;
	unsigned len, walked = 0;
	char path[512];

	p = mr_prefixes_load4(mr_prefixes_path(path, sizeof(path)), count, 1, &real);
	t.nodes = calloc(t.room, sizeof(t.nodes[0]));
	assert_non_null(p);
	assert_non_null(t.nodes);
	if (!real)
		print_message("no table of routes (set MR_DATA to the shared data folder): a "
			      "made-up one\n");
	for (unsigned i = 0; i < count; i++) {
		value = 1 + (uint32_t)(next_random(&seed) % 300);
		assert_int_equal(mr_fib4_set(fib, p[i].prefix, p[i].len, value), 0);
		trie_set(&t, p[i].prefix, p[i].len, value);
	}
	mr_fib4_stats(fib, &stats);
	print_message("%u prefixes, %u of them real: %.1f MB, %u chunks\n", stats.total, real,
	    (double)stats.bytes / 1e6, stats.chunks);
	assert_int_equal(stats.total, count);
	assert_in_range(stats.bytes, count, 64u << 20);
	check_sample(fib, &t, p, count, &seed);
	while (mr_fib4_next(fib, &cursor, &prefix, &len, &value))
		walked += mr_fib4_get(fib, prefix, len) == value;
	assert_int_equal(walked, count);
	/* Half of it goes, some change, a default route comes. */
	for (unsigned i = 0; i < count; i++) {
		value = i % 2 ? 0 : 1 + (uint32_t)(next_random(&seed) % 70000);
		if (i % 2)
			assert_int_equal(mr_fib4_unset(fib, p[i].prefix, p[i].len), 0);
		else if (i % 8)
			continue;
		else
			assert_int_equal(mr_fib4_set(fib, p[i].prefix, p[i].len, value), 0);
		trie_set(&t, p[i].prefix, p[i].len, value);
	}
	assert_int_equal(mr_fib4_set(fib, 0, 0, 1234), 0);
	trie_set(&t, 0, 0, 1234);
	check_sample(fib, &t, p, count, &seed);
	for (unsigned i = 0; i < count; i += 2)
		assert_int_equal(mr_fib4_unset(fib, p[i].prefix, p[i].len), 0);
	assert_int_equal(mr_fib4_unset(fib, 0, 0), 0);
	check_empty(fib);
	free(t.nodes);
	free(p);
	mr_fib4_destroy(fib);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
