/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_TABLE_TEST_INT_H
#define MR_KIT_FLOW_TABLE_TEST_INT_H

/* What the tests of the flow table share: tables, keys by number, and whether a table's buckets are
 * in order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "kit/flow/table_inl.h"
#include "kit/flow/table_int.h"

#define SECOND 1000u

static inline struct mr_flow_table *
make(uint32_t max, uint32_t idle)
{
	struct mr_flow_table_config config = { .max = max,
		.idle_seconds = idle,
		.seed = 7,
		.numa = -1 };
	struct mr_error error = { 0 };
	struct mr_flow_table *t;

	if (mr_flow_table_create(&t, &config, &error))
		fail_msg("%s", error.text);
	return t;
}

/* The n-th key: IPv4 and IPv6, some of which differ in one field only. */
static inline struct mr_flow_key
key_of(uint32_t n)
{
	struct mr_flow_key key = { .where = MR_FLOW_WHERE(1, 0, 6, n & 1) };

	memcpy(key.src, &n, sizeof(n));
	if (n & 1)
		memset(key.dst, 0x20, 16);
	else
		memcpy(key.dst, "\x0a\x00\x00\x01", 4);
	key.sport = (be16_t)(n * 3);
	key.dport = mr_be16(443);
	return key;
}

static inline uint32_t
add(struct mr_flow_table *t, const struct mr_flow_key *key)
{
	return mr_flow_table_add(t, key, mr_flow_table_hash(t, key), SECOND);
}

static inline struct mr_flow_table_stats
stats_of(const struct mr_flow_table *t)
{
	struct mr_flow_table_stats s;

	mr_flow_table_stats(t, &s);
	return s;
}

/* Every chain is in order, every flow stands in the chain where it is looked for, no bucket is
 * lost. */
static inline void
check_buckets(const struct mr_flow_table *t)
{
	uint64_t entries = 0, overflow = 0, free_count = 0;

	for (uint32_t at = 0; at < t->count; at++) {
		uint32_t b = at;
		unsigned depth = 0;

		do {
			const struct flow_bucket *bucket = &t->buckets[b];
			unsigned used = flow_used(bucket);

			for (unsigned i = 0; i < FLOW_WAYS; i++) {
				uint32_t flow = bucket->index[i];
				uint64_t hash;

				if (i >= used) {
					assert_int_equal(flow, MR_FLOW_NONE);
					assert_int_equal(bucket->tag[i], 0);
					continue;
				}
				assert_true(mr_flow_table_has(t, flow));
				hash = mr_flow_table_hash(t, &t->lines[flow].key);
				assert_int_equal(flow_bucket_of(t, hash), at);
				assert_int_equal(flow_tag(hash), bucket->tag[i]);
			}
			if (depth != 1 && bucket->link & FLOW_NEXT)
				assert_int_equal(used, FLOW_WAYS);
			if (depth > 1)
				assert_int_equal(used, FLOW_WAYS);
			if (depth > 0)
				assert_true(used > 0 && b >= t->limit);
			overflow += depth > 0;
			entries += used;
			depth++;
			b = bucket->link & FLOW_NEXT;
		} while (b);
	}
	for (uint32_t b = t->overflow_free; b; b = t->buckets[b].link & FLOW_NEXT)
		free_count++;
	assert_int_equal(overflow + free_count, t->overflow_fresh - t->limit);
	assert_int_equal(entries, stats_of(t).flows);
}

#endif
