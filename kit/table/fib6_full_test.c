/* SPDX-License-Identifier: Apache-2.0 */
/* The IPv6 table, full, against a tree with a node for each bit. */
#include "kit/table/fib6_test_int.h"

struct tree {
	struct {
		uint32_t child[2], value;
	} * nodes;
	uint32_t count, room;
};

static void
tree_add(struct tree *t, const uint8_t *prefix, unsigned len, uint32_t value)
{
	uint32_t at = 0;

	if (t->room < t->count + 130) {
		t->room = t->room * 2 + 1024;
		t->nodes = realloc(t->nodes, t->room * sizeof(*t->nodes));
		assert_non_null(t->nodes);
		memset(t->nodes + t->count, 0, (t->room - t->count) * sizeof(*t->nodes));
	}
	t->count += !t->count;
	for (unsigned i = 0; i < len; i++) {
		unsigned bit = prefix[i / 8] >> (7 - i % 8) & 1;

		if (!t->nodes[at].child[bit])
			t->nodes[at].child[bit] = t->count++;
		at = t->nodes[at].child[bit];
	}
	t->nodes[at].value = value;
}

static uint32_t
tree_match(const struct tree *t, const uint8_t *address)
{
	uint32_t at = 0, best = t->nodes[0].value;

	for (unsigned i = 0; i < 128; i++) {
		at = t->nodes[at].child[address[i / 8] >> (7 - i % 8) & 1];
		if (!at)
			break;
		if (t->nodes[at].value)
			best = t->nodes[at].value;
	}
	return best;
}

static void
compare_with_tree(const struct mr_fib6 *t, const struct tree *tree, const struct mr_prefix6 *all,
    uint32_t count, uint64_t seed)
{
	for (unsigned round = 0; round < 200; round++) {
		static uint8_t bytes[MR_VECTOR_MAX][16];
		const uint8_t *addresses[MR_VECTOR_MAX];
		uint32_t values[MR_VECTOR_MAX];

		for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
			const struct mr_prefix6 *p = &all[next_random(&seed) % count];
			struct fib6_key key = fib6_key_load(p->prefix), last;

			last = key_last(key, p->len);
			switch (i % 4) {
			case 0:
				key.hi ^= next_random(&seed) & (key.hi ^ last.hi);
				key.lo ^= next_random(&seed) & (key.lo ^ last.lo);
				break;
			case 1:
				key = last;
				break;
			case 2:
				key = key_add(key, -1);
				break;
			case 3:
				key = key_add(last, 1);
				break;
			}
			bytes_of(key, bytes[i]);
			addresses[i] = bytes[i];
		}
		mr_fib6_lookup(t, addresses, values, MR_VECTOR_MAX);
		for (unsigned i = 0; i < MR_VECTOR_MAX; i++)
			assert_int_equal(values[i], tree_match(tree, addresses[i]));
	}
}

static void
fill_and_empty(const char *path, uint32_t count, uint32_t prefixes, bool portable)
{
	struct mr_prefix6 *all = mr_prefixes_load6(path, count, 4, NULL);
	struct mr_fib6 *t = table(prefixes, portable);
	struct mr_fib6_stats before, full, after;
	struct tree tree = { 0 };

	assert_non_null(all);
	mr_fib6_stats(t, &before);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(mr_fib6_set(t, all[i].prefix, all[i].len, 1 + i % 999), 0);
		tree_add(&tree, all[i].prefix, all[i].len, 1 + i % 999);
	}
	compare_with_tree(t, &tree, all, count, 8);
	mr_fib6_stats(t, &full);
	assert_int_equal(full.total, count);
	assert_true(full.bytes < 100ull * count);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t j = (uint32_t)((uint64_t)i * 48271 % count); /* any order */

		if (mr_fib6_get(t, all[j].prefix, all[j].len))
			assert_int_equal(mr_fib6_unset(t, all[j].prefix, all[j].len), 0);
	}
	for (uint32_t i = 0; i < count; i++)
		(void)mr_fib6_unset(t, all[i].prefix, all[i].len);
	mr_fib6_stats(t, &after);
	assert_int_equal(after.total, 0);
	assert_int_equal(after.bytes, before.bytes);
	free(all);
	free(tree.nodes);
	mr_fib6_destroy(t);
}

static void
full_table(void **state)
{
	char buffer[4096];
	const char *path = mr_prefixes_path(buffer, sizeof(buffer));

	if (!path) {
		print_message("no table of routes: set MR_DATA to the folder that has it\n");
		skip();
	}
	fill_and_empty(path, 200000, 200000, false);
	fill_and_empty(path, 200000, 200000, true);
}

static void
made_up_table(void **state)
{
	fill_and_empty(NULL, 100000, 0, false);
	fill_and_empty(NULL, 100000, 0, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_up_table),
		cmocka_unit_test(full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
