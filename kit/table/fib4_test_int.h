/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_FIB4_TEST_INT_H
#define MR_KIT_TABLE_FIB4_TEST_INT_H

/* What the tests of the IPv4 table share. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/base/rcu.h"
#include "kit/packet/packet.h"
#include "kit/table/fib4.h"
#include "kit/table/fib4_int.h"
#include "kit/table/prefixes.h"

mr_inline uint64_t
next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s * 0x2545f4914f6cdd1dull;
}

mr_inline struct mr_fib4 *
make(uint32_t prefixes)
{
	struct mr_fib4_config config = { .prefixes = prefixes };
	struct mr_fib4 *fib;
	struct mr_error error = { 0 };

	if (mr_fib4_create(&fib, &config, &error))
		fail_msg("%s", error.text);
	return fib;
}

mr_inline uint32_t
cut(uint32_t address, unsigned len)
{
	return len ? address & ~0u << (32 - len) : 0;
}

mr_inline uint32_t
last_of(uint32_t prefix, unsigned len)
{
	return len == 32 ? prefix : prefix | ~0u >> len;
}

/* Look-up of a vector in both ways, which must agree. */
mr_inline void
look_up(struct mr_fib4 *fib, const uint32_t *addresses, uint32_t *values, unsigned n)
{
	uint32_t portable[MR_VECTOR_MAX];
	bool gather = fib->gather;

	fib->gather = false;
	mr_fib4_lookup(fib, addresses, portable, n);
	fib->gather = gather;
	mr_fib4_lookup(fib, addresses, values, n);
	assert_memory_equal(values, portable, n * sizeof(values[0]));
}

/* Find, a vector of one and the control side agree. */
mr_inline uint32_t
ask(const struct mr_fib4 *fib, uint32_t address)
{
	uint32_t value = mr_fib4_find(fib, address), again = 1;

	mr_fib4_lookup(fib, &address, &again, 1);
	if (value != again || value != mr_fib4_match(fib, address, NULL, NULL))
		fail_msg("%08x: find %u, lookup %u, match %u", address, value, again,
		    mr_fib4_match(fib, address, NULL, NULL));
	return value;
}

mr_inline void
check_empty(struct mr_fib4 *fib)
{
	struct mr_fib4_stats stats;
	uint64_t cursor = 0;
	uint32_t prefix, value;
	unsigned len;

	mr_fib4_flush(fib);
	mr_fib4_stats(fib, &stats);
	assert_int_equal(stats.total, 0);
	for (len = 0; len <= 32; len++)
		assert_int_equal(stats.prefixes[len], 0);
	assert_int_equal(stats.chunks, 1);
	assert_int_equal(stats.shared, 1);
	assert_int_equal(stats.wide, 0);
	assert_int_equal(stats.deep, 0);
	assert_int_equal(stats.retired, 0);
	assert_int_equal(fib->control->heap_bytes, 0);
	assert_false(mr_fib4_next(fib, &cursor, &prefix, &len, &value));
}

#endif
