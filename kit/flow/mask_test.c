/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/flow/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct mr_flow_batch batch;
static struct mr_flow_masks *m;
static uint32_t flow[MR_VECTOR_MAX];
static uint16_t todo[MR_VECTOR_MAX];
static uint32_t seed = 5;

static uint32_t
draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static int
setup(void **state)
{
	struct mr_flow_table_config config = { .max = 64, .idle_seconds = 30, .numa = -1 };

	return mr_flow_masks_create(&m, &config, NULL);
}

static int
teardown(void **state)
{
	mr_flow_masks_destroy(m);
	mr_flow_masks_destroy(NULL);
	return 0;
}

/* Small numbers in all fields, so that keys agree in some. */
static struct mr_flow_key
any_key(unsigned range)
{
	struct mr_flow_key key = { .sport = (be16_t)(draw() % range),
		.dport = (be16_t)(draw() % range),
		.where = MR_FLOW_WHERE(draw() % 2, 0, draw() % 2 ? 6 : 17, 0),
		.pair = draw() % range };

	key.src[3] = (uint8_t)(draw() % range);
	key.dst[3] = (uint8_t)(draw() % range);
	return key;
}

static unsigned
find(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		todo[i] = (uint16_t)i;
	memset(flow, 0, sizeof(flow));
	return mr_flow_masks_find(m, &batch, todo, count, flow);
}

/* Against a list of (fields, key) that is gone through one by one. */
static void
test_model(void **state)
{
	static const unsigned masks[] = { MR_FLOW_ALL, MR_FLOW_SRC | MR_FLOW_DST | MR_FLOW_L2,
		MR_FLOW_DST | MR_FLOW_PROTO | MR_FLOW_DPORT | MR_FLOW_SPORT,
		MR_FLOW_SRC | MR_FLOW_SPORT | MR_FLOW_DPORT, MR_FLOW_ALL & ~MR_FLOW_PROTO };
	struct {
		unsigned fields;
		struct mr_flow_key key;
	} entry[64];
	unsigned count = 0, hits = 0, misses = 0, left;
	enum mr_flow_masks_refusal why;

	while (count < 40) {
		struct mr_flow_key key = any_key(4);
		unsigned fields = masks[draw() % MR_ARRAY_COUNT(masks)] | MR_FLOW_PORT, k;
		uint32_t at = mr_flow_masks_add(m, fields, &key, 1, &why);

		assert_true(at);
		mr_flow_key_mask(&key, fields);
		for (k = 0; k < count; k++)
			if (entry[k].fields == fields && !memcmp(&entry[k].key, &key, sizeof(key)))
				break;
		if (k < count)
			continue;
		entry[count].fields = fields;
		entry[count++].key = key;
	}
	for (unsigned turn = 0; turn < 400; turn++) {
		bool found[MR_VECTOR_MAX];
		unsigned n = 0;

		for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
			batch.key[i] = any_key(5);
			found[i] = false;
			for (unsigned k = 0; k < count; k++) {
				struct mr_flow_key key = batch.key[i];

				mr_flow_key_mask(&key, entry[k].fields);
				found[i] |= !memcmp(&key, &entry[k].key, sizeof(key));
			}
		}
		left = find(MR_VECTOR_MAX);
		for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
			struct mr_flow_key key, masked = batch.key[i];
			unsigned fields;

			assert_int_equal(found[i], flow[i] != 0);
			if (!found[i]) {
				assert_int_equal(todo[n++], i);
				continue;
			}
			fields = mr_flow_masks_fields(m,
			    &mr_flow_table_lines(mr_flow_masks_table(m))[flow[i]], &key);
			mr_flow_key_mask(&masked, fields);
			assert_memory_equal(&key, &masked, sizeof(key));
		}
		assert_int_equal(n, left);
		hits += MR_VECTOR_MAX - left;
		misses += left;
	}
	assert_true(hits > 1000 && misses > 1000);
	{
		struct mr_flow_masks_stats stats;
		uint32_t entries = 0;
		uint64_t sum = 0;

		mr_flow_masks_stats(m, &stats);
		assert_int_equal(stats.hits, hits);
		assert_int_equal(stats.misses, misses);
		for (unsigned i = 0; i < stats.count; i++) {
			entries += stats.mask[i].entries;
			sum += stats.mask[i].hits;
		}
		assert_int_equal(entries, count);
		assert_int_equal(sum, hits);
	}
}

/* 16 masks and no more; room when one is empty; a full table. */
static void
test_bounds(void **state)
{
	struct mr_flow_masks_stats stats;
	enum mr_flow_masks_refusal why;
	struct mr_flow_key key = { 0 };
	uint32_t first, at = 0;

	first = mr_flow_masks_add(m, 0, &key, 1, &why);
	assert_true(first);
	for (unsigned i = 1; i < MR_FLOW_MASKS_MAX; i++)
		assert_true(mr_flow_masks_add(m, i << 1, &key, 1, &why));
	assert_int_equal(mr_flow_masks_add(m, 17 << 1, &key, 1, &why), 0);
	assert_int_equal(why, MR_FLOW_MASKS_MANY);
	/* The same again is the same. */
	assert_int_equal(mr_flow_masks_add(m, MR_FLOW_PORT, &key, 1, &why), first);
	assert_int_equal(why, MR_FLOW_MASKS_OK);
	mr_flow_masks_remove(m, first);
	mr_flow_masks_remove(m, first);
	mr_flow_masks_stats(m, &stats);
	assert_int_equal(stats.count, 15);
	assert_true(mr_flow_masks_add(m, 17 << 1, &key, 1, &why));
	assert_int_equal(mr_flow_masks_add(m, 0, &key, 1, &why), 0);
	for (unsigned i = 16; i < 64; i++) {
		key.where = MR_FLOW_WHERE(i, 0, 0, 0);
		at = mr_flow_masks_add(m, 17 << 1, &key, 1, &why);
		assert_true(at);
	}
	key.where = MR_FLOW_WHERE(64, 0, 0, 0);
	assert_int_equal(mr_flow_masks_add(m, 17 << 1, &key, 1, &why), 0);
	assert_int_equal(why, MR_FLOW_MASKS_FULL);
	mr_flow_masks_stats(m, &stats);
	assert_int_equal(stats.refused_many, 2);
	assert_int_equal(stats.refused_full, 1);
	assert_int_equal(stats.count, 16);
	/* Full for a mask that is new: it takes no place. */
	mr_flow_masks_remove(m, at);
	assert_true(mr_flow_masks_add(m, 17 << 1, &key, 1, &why));
	assert_int_equal(mr_flow_masks_age(m, 31, 1000, NULL, NULL, NULL), 64);
	mr_flow_masks_stats(m, &stats);
	assert_int_equal(stats.count, 0);
	assert_int_equal(find(10), 10);
}

static unsigned told;

static void
tell(void *user, uint32_t at)
{
	assert_ptr_equal(user, &told);
	assert_true(mr_flow_table_has(mr_flow_masks_table(m), at));
	told++;
}

static uint32_t
idle(void *user, const struct mr_flow *line)
{
	assert_ptr_equal(user, &told);
	return line->program ? 100 : 30;
}

static void
test_age(void **state)
{
	struct mr_flow *lines = mr_flow_table_lines(mr_flow_masks_table(m));
	enum mr_flow_masks_refusal why;
	struct mr_flow_key key = { 0 };
	struct mr_flow_masks_stats stats;

	lines[mr_flow_masks_add(m, MR_FLOW_DST, &key, 1000, &why)].program = 1;
	assert_true(mr_flow_masks_add(m, MR_FLOW_SRC, &key, 1000, &why));
	told = 0;
	assert_int_equal(mr_flow_masks_age(m, 1030, 64, idle, tell, &told), 1);
	assert_int_equal(told, 1);
	mr_flow_masks_stats(m, &stats);
	assert_int_equal(stats.count, 1);
	assert_int_equal(stats.mask[0].fields, MR_FLOW_DST | MR_FLOW_PORT);
	assert_int_equal(mr_flow_masks_age(m, 1099, 64, idle, tell, &told), 0);
	assert_int_equal(mr_flow_masks_age(m, 1100, 64, idle, tell, &told), 1);
}

/* The mask with the most hits comes first after a while, and another one when that changes. */
static void
test_order(void **state)
{
	struct mr_flow_masks_stats stats;
	enum mr_flow_masks_refusal why;
	struct mr_flow_key key = { .sport = 1, .dport = 2 };

	assert_true(mr_flow_masks_add(m, MR_FLOW_SPORT, &key, 1, &why));
	assert_true(mr_flow_masks_add(m, MR_FLOW_DPORT, &key, 1, &why));
	memset(batch.key, 0, sizeof(batch.key));
	for (unsigned turn = 0; turn < 6; turn++) {
		unsigned busy = turn < 3 ? MR_FLOW_DPORT : MR_FLOW_SPORT;

		for (unsigned i = 0; i < MR_VECTOR_MAX; i++) {
			batch.key[i].sport = busy == MR_FLOW_SPORT;
			batch.key[i].dport = busy == MR_FLOW_DPORT ? 2 : 0;
		}
		for (unsigned i = 0; i < 300; i++)
			assert_int_equal(find(MR_VECTOR_MAX), 0);
		mr_flow_masks_stats(m, &stats);
		if (turn != 3)
			assert_int_equal(stats.mask[0].fields, busy | MR_FLOW_PORT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_model, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_age, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
