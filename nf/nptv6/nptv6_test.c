/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prefix translation's arithmetic: RFC 6296's example, every prefix length against a slow sum over all
 * of the address, and there and back again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "nf/nptv6/nptv6_int.h"

static uint64_t seed = 9;

static uint32_t
draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed * 0x2545f4914f6cdd1dull >> 33) % below);
}

static void
parse(const char *text, uint8_t out[16])
{
	assert_int_equal(inet_pton(AF_INET6, text, out), 1);
}

/* The sum over an address, all 16-bit words: modulo 65,535, which is what checksums see. */
static uint32_t
sum(const uint8_t *a)
{
	uint32_t s = 0;

	for (unsigned i = 0; i < 16; i += 2)
		s += (uint32_t)(a[i] << 8 | a[i + 1]);
	return s % 65535;
}

struct known {
	const char *inside, *outside, *from, *to;
	unsigned len;
};

/* Section 3.4's example and what follows from its rules. */
static void
known_addresses(void **state)
{
	static const struct known cases[] = {
		{ "fd01:203:405::", "2001:db8:1::", "fd01:203:405:1::1234", "2001:db8:1:d550::1234",
		    48 },
		{ "fd01:203:405::", "2001:db8:1::", "fd01:203:405:2aae::1", "2001:db8:1:fffd::1",
		    48 },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		uint8_t inside[16], outside[16], from[16], to[16], got[16];
		struct nptv6_rule r;

		parse(cases[i].inside, inside);
		parse(cases[i].outside, outside);
		parse(cases[i].from, from);
		parse(cases[i].to, to);
		nptv6_rule_make(&r, inside, outside, cases[i].len);
		assert_true(nptv6_has(&r, NPTV6_INSIDE, from));
		assert_true(nptv6_map(&r, NPTV6_INSIDE, from, got));
		assert_memory_equal(got, to, 16);
		assert_true(nptv6_has(&r, NPTV6_OUTSIDE, got));
		assert_true(nptv6_map(&r, NPTV6_OUTSIDE, got, to));
		assert_memory_equal(to, from, 16);
	}
}

static void
random_addresses(void **state)
{
	unsigned unmappable = 0;

	for (unsigned n = 0; n < 200000; n++) {
		uint8_t inside[16], outside[16], from[16], to[16], back[16];
		unsigned len = 1 + draw(64), changed = 0;
		struct nptv6_rule r;
		bool mapped;

		for (unsigned i = 0; i < 16; i++) {
			inside[i] = (uint8_t)draw(256);
			outside[i] = (uint8_t)draw(256);
			from[i] = draw(3) ? (uint8_t)draw(256) : 0xff;
		}
		nptv6_rule_make(&r, inside, outside, len);
		for (unsigned i = 0; i < len; i++) {
			uint8_t bit = (uint8_t)(0x80u >> i % 8);

			from[i / 8] = (uint8_t)((from[i / 8] & ~bit) | (inside[i / 8] & bit));
		}
		/* The word that takes the difference is never ones, so that there is a way back. */
		mapped = nptv6_map(&r, NPTV6_INSIDE, from, to);
		if (!mapped) {
			unmappable++;
			if (len > 48)
				for (unsigned i = 8; i < 16; i++)
					assert_int_equal(from[i], 0xff);
			else
				assert_true(from[6] == 0xff && from[7] == 0xff);
			continue;
		}
		assert_true(nptv6_has(&r, NPTV6_OUTSIDE, to));
		assert_int_equal(sum(from), sum(to));
		for (unsigned i = 8; i < 16; i += 2)
			changed += memcmp(from + i, to + i, 2) != 0;
		assert_true(changed <= (len > 48));
		/* Zero in that word is one of two ways to write it; ones never come out. */
		assert_true(nptv6_map(&r, NPTV6_OUTSIDE, to, back));
		assert_memory_equal(from, back, 16);
	}
	assert_true(unmappable > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_addresses),
		cmocka_unit_test(random_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
