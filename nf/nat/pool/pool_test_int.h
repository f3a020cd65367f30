/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_POOL_POOL_TEST_INT_H
#define MR_NF_NAT_POOL_POOL_TEST_INT_H

/* For tests: pools of a few numbers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nf/nat/pool/pool_int.h"

#define OUTSIDE 0xcb007108u /* 203.0.113.8 */
#define INSIDE 0x0a000000u

/* 203.0.113.8 and as many more, all ports from 1024 on, one worker. */
mr_inline struct nat_pool_config
pool_config(struct nat_range *range, unsigned addresses)
{
	*range = (struct nat_range){ OUTSIDE, OUTSIDE + addresses - 1 };
	return (struct nat_pool_config){
		.ranges = range,
		.range_count = 1,
		.port_first = 1024,
		.port_last = 65535,
		.paired = true,
		.subscribers_max = 1000,
		.workers = 1,
	};
}

mr_inline struct nat_pool *
pool_make(const struct nat_pool_config *c)
{
	struct nat_pool *p = NULL;
	struct mr_error error;

	assert_int_equal(nat_pool_create(&p, c, &error), 0);
	return p;
}

mr_inline void
inside_set(uint8_t inside[16], uint32_t n)
{
	be32_t a = mr_be32(INSIDE + n);

	memset(inside, 0, 16);
	memcpy(inside, &a, 4);
}

/* The n-th subscriber's. */
mr_inline enum nat_take
take(struct nat_pool *p, uint32_t n, enum nat_proto proto, uint16_t prefer, uint32_t mapping,
    uint32_t now, struct nat_outside *out)
{
	uint8_t inside[16];

	inside_set(inside, n);
	return nat_pool_take(p, 0, inside, false, proto, mr_be16(prefer), mapping, now, out);
}

mr_inline uint64_t
draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

#endif
