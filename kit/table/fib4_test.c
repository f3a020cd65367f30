/* SPDX-License-Identifier: Apache-2.0 */
/* The IPv4 table against a list of prefixes, and its rules one by one. */
#include "kit/table/fib4_test_int.h"

/* -- a list as the oracle --------------------------------------------------------------- */

#define LISTED 400u

struct listed {
	uint32_t prefix, value; /* value 0: not in the table */
	unsigned len;
};

struct list {
	struct listed items[LISTED];
	unsigned count;
};

static uint32_t
list_match(const struct list *l, uint32_t address, uint32_t *prefix, unsigned *len)
{
	const struct listed *best = NULL;

	for (unsigned i = 0; i < l->count; i++) {
		const struct listed *p = &l->items[i];

		if (p->value && cut(address, p->len) == p->prefix && (!best || p->len > best->len))
			best = p;
	}
	if (!best)
		return 0;
	*prefix = best->prefix;
	*len = best->len;
	return best->value;
}

static void
check_address(const struct mr_fib4 *fib, const struct list *l, uint32_t address)
{
	uint32_t prefix = 1, prefix2 = 1, value;
	unsigned len = 99, len2 = 99;

	value = list_match(l, address, &prefix, &len);
	assert_int_equal(ask(fib, address), value);
	assert_int_equal(mr_fib4_match(fib, address, &prefix2, &len2), value);
	assert_int_equal(prefix2, prefix);
	assert_int_equal(len2, len);
}

/* The first and the last address of each prefix, and their neighbours outside, in vectors that
 * are no multiple of anything. */
static void
check_bounds(struct mr_fib4 *fib, const struct list *l, uint64_t *seed)
{
	uint32_t addresses[4 * LISTED], values[4 * LISTED];
	unsigned n = 0;

	for (unsigned i = 0; i < l->count; i++) {
		uint32_t first = l->items[i].prefix, last = last_of(first, l->items[i].len);

		addresses[n++] = first;
		addresses[n++] = last;
		addresses[n++] = first - 1;
		addresses[n++] = last + 1;
		check_address(fib, l, addresses[n - 1 - next_random(seed) % 4]);
		assert_int_equal(mr_fib4_get(fib, first, l->items[i].len), l->items[i].value);
	}
	for (unsigned i = 0, part; i < n; i += part) {
		part = MR_MIN(n - i, (unsigned)(next_random(seed) % MR_VECTOR_MAX) + 1);
		look_up(fib, &addresses[i], &values[i], part);
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t prefix = 0;
		unsigned len = 0;

		assert_int_equal(values[i], list_match(l, addresses[i], &prefix, &len));
	}
}

/* The walk gives what the list has, each once. */
static void
check_walk(const struct mr_fib4 *fib, const struct list *l)
{
	unsigned here = 0, walked = 0, len;
	uint64_t cursor = 0;
	uint32_t prefix, value;
	struct mr_fib4_stats stats;

	for (unsigned i = 0; i < l->count; i++)
		here += l->items[i].value != 0;
	while (mr_fib4_next(fib, &cursor, &prefix, &len, &value)) {
		unsigned found = 0;

		for (unsigned i = 0; i < l->count; i++)
			found += l->items[i].prefix == prefix && l->items[i].len == len &&
			    l->items[i].value == value;
		assert_int_equal(found, 1);
		walked++;
	}
	assert_int_equal(walked, here);
	assert_false(mr_fib4_next(fib, &cursor, &prefix, &len, &value));
	mr_fib4_stats(fib, &stats);
	assert_int_equal(stats.total, here);
}

/* Prefixes in a few clusters of each scale, every length. */
static void
list_make(struct list *l, uint64_t *seed)
{
	l->count = 0;
	while (l->count < LISTED) {
		uint32_t r = (uint32_t)next_random(seed), address = 0x0a000000;
		unsigned len = (unsigned)(next_random(seed) % 33), i;

		/* Which bits differ from the others': high ones, or low ones of some /16 or /24. */
		switch (next_random(seed) % 4) {
		case 0:
			address = r;
			break;
		case 1:
			address |= r & 0x00ffffff;
			break;
		case 2:
			address |= (r & 0x0001ffff) | 0x00010000;
			break;
		default:
			address |= (r & 0x000001ff) | 0x00020300;
			break;
		}
		address = cut(address, len);
		for (i = 0; i < l->count; i++)
			if (l->items[i].prefix == address && l->items[i].len == len)
				break;
		if (i == l->count)
			l->items[l->count++] = (struct listed){ address, 0, len };
	}
}

static uint32_t
some_value(uint64_t *seed)
{
	switch (next_random(seed) % 8) {
	case 0:
		return MR_FIB4_VALUE_MAX - (uint32_t)(next_random(seed) % 5);
	case 1:
		return MR_FIB4_VALUE_SHORT_MAX - 2 + (uint32_t)(next_random(seed) % 5);
	default:
		return 1 + (uint32_t)(next_random(seed) % 100);
	}
}

static void
random_run(uint64_t seed, int64_t allocations)
{
	static struct list l;
	struct mr_fib4 *fib = make(0);
	unsigned failed = 0;

	list_make(&l, &seed);
	for (unsigned batch = 0; batch < 120; batch++) {
		/* Towards full, then towards empty, in turns. */
		bool fill = batch / 20 % 2 == 0;

		for (unsigned i = 0; i < 30; i++) {
			struct listed *p = &l.items[next_random(&seed) % l.count];
			bool set = next_random(&seed) % 10 < (fill ? 8 : 3);
			uint32_t value = some_value(&seed);
			int rc;

			if (allocations >= 0)
				fib->control->allocations =
				    (int64_t)(next_random(&seed) % (uint64_t)(allocations + 1));
			if (set) {
				rc = mr_fib4_set(fib, p->prefix, p->len, value);
				if (rc == -ENOMEM && allocations >= 0) {
					failed++;
					continue;
				}
				assert_int_equal(rc, 0);
				p->value = value;
			} else {
				rc = mr_fib4_unset(fib, p->prefix, p->len);
				assert_int_equal(rc, p->value ? 0 : -ENOENT);
				p->value = 0;
			}
		}
		check_bounds(fib, &l, &seed);
		if (batch % 10 == 0)
			check_walk(fib, &l);
	}
	assert_true(allocations < 0 || failed > 20);
	for (unsigned i = 0; i < l.count; i++)
		assert_int_equal(mr_fib4_unset(fib, l.items[i].prefix, l.items[i].len),
		    l.items[i].value ? 0 : -ENOENT);
	check_empty(fib);
	mr_fib4_destroy(fib);
}

static void
random_changes(void **state)
{
	random_run(42, -1);
	random_run(4711, -1);
}

static void
memory_runs_out(void **state)
{
	random_run(99, 3);
	random_run(7, 1);
}

/* -- rules -------------------------------------------------------------------------- */

static void
bad_arguments(void **state)
{
	struct mr_fib4_config config = { .portable = true };
	struct mr_fib4 *fib;

	assert_int_equal(mr_fib4_create(&fib, &config, NULL), 0);
	assert_false(fib->gather);
	mr_fib4_destroy(fib);
	fib = make(0);

	assert_int_equal(mr_fib4_set(fib, 0x0a000001, 24, 1), -EINVAL);
	assert_int_equal(mr_fib4_set(fib, 0x0a000000, 33, 1), -EINVAL);
	assert_int_equal(mr_fib4_set(fib, 1, 0, 1), -EINVAL);
	assert_int_equal(mr_fib4_set(fib, 0x0a000000, 24, 0), -EINVAL);
	assert_int_equal(mr_fib4_set(fib, 0x0a000000, 24, 0x80000000u), -EINVAL);
	assert_int_equal(mr_fib4_unset(fib, 0x0a000001, 24), -EINVAL);
	assert_int_equal(mr_fib4_unset(fib, 0x0a000000, 64), -EINVAL);
	assert_int_equal(mr_fib4_get(fib, 0x0a000001, 24), 0);
	assert_int_equal(mr_fib4_get(fib, 0, 40), 0);
	for (unsigned len = 0; len <= 32; len++)
		assert_int_equal(mr_fib4_unset(fib, cut(0x0a0b0c0d, len), len), -ENOENT);
	assert_int_equal(ask(fib, 0x0a000000), 0);
	check_empty(fib);
	mr_fib4_destroy(fib);
	mr_fib4_destroy(NULL);
}

/* Every length over one address, in either kind of value; each shows when those above go. */
static void
all_lengths(void **state)
{
	const uint32_t address = 0xc0a80b99;

	for (unsigned kind = 0; kind < 3; kind++) {
		struct mr_fib4 *fib = make(0);
		uint32_t prefix, base = kind == 1 ? 0x10000 : 100;
		unsigned len, n;

		for (unsigned i = 0; i <= 32; i++) {
			len = kind == 2 ? 32 - i : i;
			assert_int_equal(mr_fib4_set(fib, cut(address, len), len, base + len), 0);
			assert_int_equal(ask(fib, address), base + (kind == 2 ? 32 : len));
		}
		for (len = 32; len <= 32; len--) {
			assert_int_equal(mr_fib4_match(fib, address, &prefix, &n), base + len);
			assert_int_equal(n, len);
			assert_int_equal(prefix, cut(address, len));
			assert_int_equal(ask(fib, address), base + len);
			/* Where this one and the next shorter one differ. */
			if (len)
				assert_int_equal(ask(fib, address ^ 1u << (32 - len)),
				    base + len - 1);
			/* Replaced and put back. */
			assert_int_equal(mr_fib4_set(fib, cut(address, len), len, 7), 0);
			assert_int_equal(ask(fib, address), 7);
			assert_int_equal(mr_fib4_set(fib, cut(address, len), len, base + len), 0);
			assert_int_equal(mr_fib4_unset(fib, cut(address, len), len), 0);
		}
		assert_int_equal(ask(fib, address), 0);
		check_empty(fib);
		mr_fib4_destroy(fib);
	}
}

/* A walk that removes what it returns, and one of what others put back. */
static void
walk_while_changing(void **state)
{
	struct mr_fib4 *fib = make(0);
	struct mr_prefix4 *p = mr_prefixes_load4(NULL, 5000, 3, NULL);
	unsigned len, seen = 0;
	uint64_t cursor = 0;
	uint32_t prefix, value;

	assert_non_null(p);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(mr_fib4_set(fib, p[i].prefix, p[i].len, i + 1), 0);
	while (mr_fib4_next(fib, &cursor, &prefix, &len, &value)) {
		assert_int_equal(p[value - 1].prefix, prefix);
		assert_int_equal(p[value - 1].len, len);
		assert_int_equal(mr_fib4_unset(fib, prefix, len), 0);
		seen++;
	}
	assert_int_equal(seen, 5000);
	check_empty(fib);
	free(p);
	mr_fib4_destroy(fib);
}

static void
small_table_is_small(void **state)
{
	struct mr_fib4 *fib = make(0);
	struct mr_prefix4 *p = mr_prefixes_load4(NULL, 100, 5, NULL);
	struct mr_fib4_stats stats;
	uint64_t cursor = 0;
	uint32_t prefix, value;
	unsigned len;

	assert_non_null(p);
	assert_int_equal(mr_fib4_set(fib, 0, 0, 1), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(mr_fib4_set(fib, p[i].prefix, p[i].len, i + 2), 0);
	for (unsigned i = 0; i < 100; i++)
		ask(fib, last_of(p[i].prefix, p[i].len));
	assert_int_equal(ask(fib, 0xdfffffff), 1);
	mr_fib4_stats(fib, &stats);
	print_message("101 prefixes: %u KB\n", (unsigned)(stats.bytes >> 10));
	while (mr_fib4_next(fib, &cursor, &prefix, &len, &value))
		;
	mr_fib4_stats(fib, &stats);
	assert_int_equal(stats.total, 101);
	assert_in_range(stats.bytes, 4096, 1 << 20);
	free(p);
	mr_fib4_destroy(fib);
}

/* Every /16 has a chunk of its own, all numbers are taken; then none has, and back. */
static void
all_chunks_taken(void **state)
{
	struct mr_fib4 *fib = make(0);
	struct mr_fib4_stats stats;

	assert_int_equal(mr_fib4_set(fib, 0, 0, 9), 0);
	for (uint32_t slot = 0; slot < 65536; slot++)
		assert_int_equal(mr_fib4_set(fib, slot << 16 | 0x4200, 24, slot % 1000 + 10), 0);
	mr_fib4_stats(fib, &stats);
	assert_int_equal(stats.chunks, 65536);
	assert_int_equal(stats.shared, 0);
	for (uint32_t slot = 0; slot < 65536; slot += 7) {
		assert_int_equal(mr_fib4_find(fib, slot << 16 | 0x4201), slot % 1000 + 10);
		assert_int_equal(mr_fib4_find(fib, slot << 16 | 0x4301), 9);
	}
	/* From its own to one that shares, and to another value, without a number to spare. */
	assert_int_equal(mr_fib4_set(fib, 0x03030000, 16, 5), 0);
	assert_int_equal(mr_fib4_unset(fib, 0x03034200, 24), 0);
	assert_int_equal(ask(fib, 0x03034201), 5);
	assert_int_equal(mr_fib4_set(fib, 0x03030000, 16, 6), 0);
	assert_int_equal(ask(fib, 0x03034201), 6);
	assert_int_equal(mr_fib4_set(fib, 0x03034280, 25, 70000), 0);
	assert_int_equal(ask(fib, 0x03034201), 6);
	assert_int_equal(ask(fib, 0x03034281), 70000);
	assert_int_equal(mr_fib4_unset(fib, 0x03030000, 16), 0);
	assert_int_equal(ask(fib, 0x03034201), 9);
	assert_int_equal(mr_fib4_unset(fib, 0x03034280, 25), 0);
	assert_int_equal(mr_fib4_set(fib, 0x04040000, 16, 100000), 0);
	assert_int_equal(ask(fib, 0x04040001), 100000);
	assert_int_equal(mr_fib4_unset(fib, 0x04040000, 16), 0);
	for (uint32_t slot = 0; slot < 65536; slot++)
		assert_int_equal(mr_fib4_unset(fib, slot << 16 | 0x4200, 24),
		    slot == 0x0303 ? -ENOENT : 0);
	assert_int_equal(ask(fib, 0x03034281), 9);
	assert_int_equal(mr_fib4_unset(fib, 0, 0), 0);
	check_empty(fib);
	mr_fib4_stats(fib, &stats);
	assert_in_range(stats.bytes, 0, 4 << 20);
	mr_fib4_destroy(fib);
}

/* A worker between locate and value, while the slot that it came by leaves a chunk and the one that
 * is left has it for itself. */
static void
chunks_wait_for_who_is_in_them(void **state)
{
	const struct mr_fib4_config config = { .portable = true };
	const uint32_t address = 0x0a000505;
	struct mr_error error = { 0 };
	struct mr_fib4 *fib;
	uint32_t at;

	assert_int_equal(mr_fib4_create(&fib, &config, &error), 0);
	assert_int_equal(mr_fib4_set(fib, 0x0a000000, 15, 7), 0);
	at = mr_fib4_locate(fib, address);
	assert_int_equal(mr_fib4_set(fib, 0x0a000000, 16, 8), 0);
	assert_int_equal(mr_fib4_set(fib, 0x0a010500, 24, 9), 0);
	assert_int_equal(mr_fib4_value(fib, address, at), 7);
	assert_int_equal(mr_fib4_find(fib, address), 8);
	assert_int_equal(mr_fib4_find(fib, 0x0a010505), 9);
	assert_int_equal(mr_fib4_find(fib, 0x0a010605), 7);
	mr_fib4_destroy(fib);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(all_lengths),
		cmocka_unit_test(random_changes),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(walk_while_changing),
		cmocka_unit_test(small_table_is_small),
		cmocka_unit_test(all_chunks_taken),
		cmocka_unit_test(chunks_wait_for_who_is_in_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
