/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_FIB6_TEST_INT_H
#define MR_KIT_TABLE_FIB6_TEST_INT_H

/* What the tests of the IPv6 table share. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "kit/packet/packet.h"
#include "kit/table/fib6_int.h"
#include "kit/table/prefixes.h"
#include "kit/table/prefixes6.h"

mr_inline uint64_t
next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s * 0x2545f4914f6cdd1dull;
}

mr_inline void
bytes_of(struct fib6_key key, uint8_t out[16])
{
	for (unsigned i = 0; i < 16; i++)
		out[i] = (uint8_t)fib6_key_byte(key, i);
}

mr_inline struct fib6_key
key_add(struct fib6_key k, int n)
{
	__uint128_t v = ((__uint128_t)k.hi << 64 | k.lo) + (__uint128_t)(__int128_t)n;

	return (struct fib6_key){ (uint64_t)(v >> 64), (uint64_t)v };
}

mr_inline struct fib6_key
key_last(struct fib6_key k, unsigned len)
{
	struct fib6_key mask = fib6_key_cut((struct fib6_key){ ~0ull, ~0ull }, len);

	return (struct fib6_key){ k.hi | ~mask.hi, k.lo | ~mask.lo };
}

mr_inline struct mr_fib6 *
table(uint32_t prefixes, bool portable)
{
	struct mr_fib6_config config = { .prefixes = prefixes, .seed = 6, .portable = portable };
	struct mr_error error = { 0 };
	struct mr_fib6 *t;

	assert_int_equal(mr_fib6_create(&t, &config, &error), 0);
	return t;
}

#endif
