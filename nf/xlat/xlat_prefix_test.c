/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 6052: addresses of IPv4 within those of IPv6. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "nf/xlat/xlat.h"

/* Section 2.4, table: 192.0.2.33 behind prefixes of each length. */
static void
rfc6052_2_4(void **state)
{
	static const struct {
		uint8_t len, prefix[12], out[16];
	} cases[] = {
		{ 32, { 0x20, 1, 0xd, 0xb8 }, { 0x20, 1, 0xd, 0xb8, 192, 0, 2, 33 } },
		{ 40, { 0x20, 1, 0xd, 0xb8, 1 }, { 0x20, 1, 0xd, 0xb8, 1, 192, 0, 2, 0, 33 } },
		{ 48, { 0x20, 1, 0xd, 0xb8, 1, 0x22 },
		    { 0x20, 1, 0xd, 0xb8, 1, 0x22, 192, 0, 0, 2, 33 } },
		{ 56, { 0x20, 1, 0xd, 0xb8, 1, 0x22, 3 },
		    { 0x20, 1, 0xd, 0xb8, 1, 0x22, 3, 192, 0, 0, 2, 33 } },
		{ 64, { 0x20, 1, 0xd, 0xb8, 1, 0x22, 3, 0x44 },
		    { 0x20, 1, 0xd, 0xb8, 1, 0x22, 3, 0x44, 0, 192, 0, 2, 33 } },
		{ 96, { 0x20, 1, 0xd, 0xb8, 1, 0x22, 3, 0x44 },
		    { 0x20, 1, 0xd, 0xb8, 1, 0x22, 3, 0x44, 0, 0, 0, 0, 192, 0, 2, 33 } },
	};
	const be32_t address = mr_be32(0xc0000221);

	for (unsigned i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		struct xlat_prefix prefix = { .len = cases[i].len };
		uint8_t out[16];
		be32_t back;

		memcpy(prefix.bytes, cases[i].prefix, 12);
		assert_true(xlat_prefix_is_good(&prefix));
		xlat_embed(&prefix, address, out);
		assert_memory_equal(out, cases[i].out, 16);
		assert_true(xlat_extract(&prefix, out, &back));
		assert_int_equal(back, address);
		out[prefix.len / 8 - 1] ^= 1;
		assert_false(xlat_extract(&prefix, out, &back));
	}
}

static void
prefixes(void **state)
{
	struct xlat_prefix p = { { 0, 0x64, 0xff, 0x9b }, 96 };

	assert_true(xlat_prefix_is_good(&p));
	assert_true(xlat_prefix_is_well_known(&p));
	p.bytes[8] = 1; /* bits 64 to 71 */
	assert_false(xlat_prefix_is_good(&p));
	p.bytes[8] = 0;
	p.bytes[12] = 1;
	assert_false(xlat_prefix_is_good(&p));
	p.bytes[12] = 0;
	for (unsigned len = 0; len <= 128; len++) {
		p.len = (uint8_t)len;
		assert_int_equal(xlat_prefix_is_good(&p),
		    len == 32 || len == 40 || len == 48 || len == 56 || len == 64 || len == 96);
		assert_int_equal(xlat_prefix_is_well_known(&p), len == 96);
	}
}

static void
global_addresses(void **state)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00000000, 0x00ffffff },
		{ 0x0a000000, 0x0affffff },
		{ 0x64400000, 0x647fffff },
		{ 0x7f000000, 0x7fffffff },
		{ 0xa9fe0000, 0xa9feffff },
		{ 0xac100000, 0xac1fffff },
		{ 0xc0a80000, 0xc0a8ffff },
		{ 0xe0000000, 0xffffffff },
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(ranges); i++) {
		assert_false(xlat_is_global4(mr_be32(ranges[i].first)));
		assert_false(xlat_is_global4(mr_be32(ranges[i].last)));
		if (ranges[i].first)
			assert_true(xlat_is_global4(mr_be32(ranges[i].first - 1)));
		if (ranges[i].last != UINT32_MAX)
			assert_true(xlat_is_global4(mr_be32(ranges[i].last + 1)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc6052_2_4),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(global_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
