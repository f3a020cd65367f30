/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kit/table/maglev.h"

#define MOST 1024u

static uint64_t
draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull;
}

static struct mr_maglev *
make(uint32_t size, const struct mr_maglev_member *members, unsigned count)
{
	struct mr_maglev *m;

	assert_int_equal(mr_maglev_create(&m, size, members, count, NULL), 0);
	assert_int_equal(m->size, size);
	return m;
}

static void
members_of(struct mr_maglev_member *out, unsigned count, uint64_t seed)
{
	for (unsigned i = 0; i < count; i++)
		out[i] = (struct mr_maglev_member){ draw(&seed), 1, (uint16_t)i };
}

static void
shares(const struct mr_maglev *m, uint32_t *out)
{
	memset(out, 0, MOST * sizeof(*out));
	for (uint32_t i = 0; i < m->size; i++) {
		assert_true(m->slot[i] < MOST);
		out[m->slot[i]]++;
	}
}

/* Table 1 and section 3.4: the algorithm word for word, as an oracle. */
static void
as_published(void **state)
{
	struct mr_maglev_member members[5];
	uint32_t next[5] = { 0 }, n = 0;
	uint16_t entry[251];
	struct mr_maglev *m;

	/* Sorted as they take their turns. */
	members_of(members, 5, 77);
	for (unsigned i = 0; i < 5; i++)
		members[i].identity = (uint64_t)i << 40;
	m = make(251, members, 5);
	memset(entry, 0xff, sizeof(entry));
	while (n < 251) {
		for (unsigned i = 0; i < 5 && n < 251; i++) {
			uint64_t x = members[i].identity, h[2];
			uint32_t c;

			for (unsigned k = 0; k < 2; k++) {
				x += 0x9e3779b97f4a7c15u;
				x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
				x = (x ^ x >> 27) * 0x94d049bb133111ebu;
				x = h[k] = x ^ x >> 31;
			}
			do
				c = (uint32_t)((h[0] % 251 + next[i]++ * (h[1] % 250 + 1)) % 251);
			while (entry[c] != 0xffff);
			entry[c] = members[i].value;
			n++;
		}
	}
	assert_memory_equal(entry, m->slot, sizeof(entry));
	mr_maglev_destroy(m);
}

static void
shares_are_equal(void **state)
{
	static const unsigned counts[] = { 1, 2, 3, 7, 10, 64, 100, 333, 512 };
	struct mr_maglev_member members[MOST];
	uint32_t share[MOST];

	for (unsigned n = 0; n < MR_ARRAY_COUNT(counts); n++) {
		unsigned count = counts[n];
		uint32_t size = mr_maglev_size(count, 0);
		struct mr_maglev *m;

		members_of(members, count, 1234 + n);
		m = make(size, members, count);
		shares(m, share);
		/* Turns: two shares differ by one slot at most. */
		for (unsigned i = 0; i < count; i++)
			assert_in_range(share[i], size / count, size / count + 1);
		assert_true(100 * (1 + size / count) <= 102 * (size / count));
		mr_maglev_destroy(m);
	}
}

static void
weights_are_kept(void **state)
{
	struct mr_maglev_member members[MOST];
	uint32_t share[MOST];
	uint64_t seed = 5;

	for (unsigned round = 0; round < 20; round++) {
		unsigned count = 2 + (unsigned)(draw(&seed) >> 32) % 60;
		uint64_t sum = 0;
		struct mr_maglev *m;

		members_of(members, count, draw(&seed));
		for (unsigned i = 0; i < count; i++) {
			members[i].weight = (uint32_t)(draw(&seed) >> 32) % 100;
			sum += members[i].weight;
		}
		m = make(65537, members, count);
		if (!sum) {
			assert_int_equal(mr_maglev_pick(m, draw(&seed)), MR_MAGLEV_NONE);
			mr_maglev_destroy(m);
			continue;
		}
		shares(m, share);
		for (unsigned i = 0; i < count; i++) {
			double want = 65537.0 * members[i].weight / (double)sum;

			assert_true(share[i] >= want - 2 && share[i] <= want + 2);
			if (!members[i].weight)
				assert_int_equal(share[i], 0);
		}
		mr_maglev_destroy(m);
	}
}

/* Of the others' slots, as the founding paper counts them: in percent. */
static double
moved(const struct mr_maglev *a, const struct mr_maglev *b, uint16_t gone)
{
	uint32_t other = 0, n = 0;

	for (uint32_t i = 0; i < a->size; i++) {
		if (a->slot[i] == gone || b->slot[i] == gone)
			continue;
		n++;
		other += a->slot[i] != b->slot[i];
	}
	return 100.0 * other / n;
}

static void
others_stay(void **state)
{
	static const unsigned counts[] = { 2, 3, 5, 10, 30, 100, 300, 512 };
	struct mr_maglev_member members[MOST];

	for (unsigned n = 0; n < MR_ARRAY_COUNT(counts); n++) {
		unsigned count = counts[n];
		uint32_t size = mr_maglev_size(count, 0);
		double worst = 0;

		for (unsigned round = 0; round < 4; round++) {
			unsigned gone = (unsigned)(round * (count - 1) / 3);
			struct mr_maglev *with, *without;

			members_of(members, count, 99 + round);
			with = make(size, members, count);
			members[gone].weight = 0;
			without = make(size, members, count);
			worst = MR_MAX(worst, moved(with, without, (uint16_t)gone));
			mr_maglev_destroy(with);
			mr_maglev_destroy(without);
		}
		if (worst > 100.0 / count + 1)
			fail_msg("one of %u removed moves %.2f %% of the others", count, worst);
		print_message("one of %u removed moves %.2f %% of the others\n", count, worst);
	}
}

/* Members in another order, and the same table again. */
static void
order_does_not_matter(void **state)
{
	struct mr_maglev_member members[50];
	struct mr_maglev *a, *b;

	members_of(members, 50, 3);
	a = make(65537, members, 50);
	for (unsigned i = 0; i < 25; i++) {
		struct mr_maglev_member t = members[i];

		members[i] = members[49 - i];
		members[49 - i] = t;
	}
	b = make(65537, members, 50);
	assert_memory_equal(a->slot, b->slot, 65537 * sizeof(a->slot[0]));
	mr_maglev_destroy(a);
	mr_maglev_destroy(b);
}

static void
picks(void **state)
{
	struct mr_maglev_member members[4];
	uint32_t share[4] = { 0 };
	unsigned found = 0;
	uint64_t seed = 8;
	struct mr_maglev *m;

	members_of(members, 4, 4);
	m = make(65537, members, 4);
	for (unsigned i = 0; i < 400000; i++)
		share[mr_maglev_pick(m, draw(&seed))]++;
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(share[i], 98000, 102000);
	assert_int_equal(mr_maglev_at(m, UINT64_MAX), 65536);
	assert_int_equal(mr_maglev_pick_again(m, 12345ull << 40, 0),
	    mr_maglev_pick(m, 12345ull << 40));
	/* Sooner or later another one. */
	for (unsigned n = 0; n < 64; n++)
		found |= 1u << mr_maglev_pick_again(m, 0x123456789abcdefull, n);
	assert_int_equal(found, 15);
	mr_maglev_destroy(m);
}

static void
sizes(void **state)
{
	assert_int_equal(mr_maglev_size(0, 0), 65537);
	assert_int_equal(mr_maglev_size(512, 0), 65537);
	assert_int_equal(mr_maglev_size(513, 0), 131101);
	assert_int_equal(mr_maglev_size(3, 131101), 131101);
	for (unsigned n = 1; n < 60000; n += 777) {
		uint32_t size = mr_maglev_size(n, 0);

		assert_true(size >= 128 * n);
		for (uint32_t d = 2; d * d <= size; d++)
			assert_true(size % d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_published),
		cmocka_unit_test(shares_are_equal),
		cmocka_unit_test(weights_are_kept),
		cmocka_unit_test(others_stay),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(picks),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
