/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the scheduler promises of its table: one of N servers that goes, or is not fit, moves none but
 * its own flows, and of the others at most 1/N + 1 %; servers of the same weight have the same share. A
 * million flows, every N from 3 to 100.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/lb/lb_int.h"

#define FLOWS 1000000u
#define MOST 100u

static uint64_t
draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull;
}

struct bed {
	struct lb_service service;
	struct lb_backend backends[MOST];
	struct lb_view view;
	uint32_t fit[MOST];
};

static void
fill(struct bed *b, unsigned count, uint64_t seed)
{
	memset(b, 0, sizeof(*b));
	b->service.present = true;
	b->view = (struct lb_view){ .services = &b->service,
		.service_end = 1,
		.backends = b->backends,
		.backend_end = count };
	for (unsigned i = 0; i < count; i++) {
		uint32_t address = (uint32_t)draw(&seed);

		memcpy(b->backends[i].address, &address, 4);
		b->backends[i].port = mr_be16(80);
		b->backends[i].weight = 1;
		b->fit[i] = LB_FIT_NEW | LB_FIT_OLD;
	}
}

/* The same table for both; which flows are whose. */
static uint32_t
moved(const struct lb_choice *before, const struct lb_choice *after, uint16_t gone,
    uint32_t *shares)
{
	uint64_t seed = 0x9e3779b97f4a7c15u;
	uint32_t count = 0;

	for (uint32_t i = 0; i < FLOWS; i++) {
		uint64_t hash = draw(&seed);
		uint16_t was = mr_maglev_pick(before->maglev, hash);
		uint16_t is = mr_maglev_pick(after->maglev, hash);

		shares[was]++;
		assert_int_not_equal(is, gone);
		count += was != gone && was != is;
	}
	return count;
}

static void
one_that_goes_moves_few(void **state)
{
	static struct bed b;

	for (unsigned n = 3; n <= MOST; n++) {
		uint16_t gone = (uint16_t)(n * 7u % n ? n * 7u % n : n / 2);
		struct lb_choice *before, *after;
		uint32_t shares[MOST] = { 0 }, size = 0, kept, count;

		fill(&b, n, 1000 + n);
		assert_int_equal(lb_choice_make(&before, &b.view, b.fit, 0, 0, &size, NULL), 0);
		kept = size;
		/* Not fit any more, or taken out of the configuration. */
		if (n % 2)
			b.fit[gone] = 0;
		else
			b.backends[gone].service = LB_NONE;
		assert_int_equal(lb_choice_make(&after, &b.view, b.fit, 0, 0, &size, NULL), 0);
		assert_int_equal(size, kept);
		count = moved(before, after, gone, shares);
		if (count > (uint64_t)(FLOWS - shares[gone]) * (100 + n) / (100 * n))
			fail_msg("%u servers: %u of %u other flows moved", n, count,
			    FLOWS - shares[gone]);
		/* 2 % of a share, and what chance does to so many draws: six times its deviation. */
		for (unsigned i = 0; i < n; i++) {
			int64_t off = (int64_t)shares[i] * n - FLOWS, chance = 0;

			while (chance * chance < (int64_t)36 * FLOWS * n)
				chance += 1000;
			if (off * off > (FLOWS / 50 + chance) * (FLOWS / 50 + chance))
				fail_msg("%u servers: one has %u flows", n, shares[i]);
		}
		lb_choice_free(before);
		lb_choice_free(after);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_goes_moves_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
