/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kit/flow/table_test_int.h"

static struct mr_flow_batch batch;
static uint64_t state = 88172645463325252ull;

static uint64_t
draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull;
}

/* found[] of keys n0 .. n0 + count, by all variants alike. */
static void
find(struct mr_flow_table *t, uint32_t n0, unsigned count)
{
	uint32_t found[MR_VECTOR_MAX];
	bool wide = t->wide;

	for (unsigned i = 0; i < count; i++)
		batch.key[i] = key_of(n0 + i);
	flow_find_portable(t, &batch, count);
	memcpy(found, batch.found, sizeof(found));
	t->wide = false;
	mr_flow_table_find(t, &batch, count);
	assert_memory_equal(found, batch.found, count * sizeof(found[0]));
	t->wide = wide;
	memset(batch.found, 0x55, sizeof(batch.found));
	mr_flow_table_find(t, &batch, count);
	assert_memory_equal(found, batch.found, count * sizeof(found[0]));
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(batch.hash[i], mr_flow_table_hash(t, &batch.key[i]));
}

static void
test_config(void **s)
{
	struct mr_flow_table_config config = { .max = 0, .numa = -1 };
	struct mr_error error = { 0 };
	struct mr_flow_table *t = (void *)8;

	assert_true(mr_flow_table_create(&t, &config, &error) < 0);
	assert_null(t);
	assert_true(error.text[0]);
	config.max = FLOW_MAX + 1;
	assert_true(mr_flow_table_create(&t, &config, NULL) < 0);
	config.max = 10;
	config.numa = 4000;
	assert_true(mr_flow_table_create(&t, &config, &error) < 0);
	mr_flow_table_destroy(NULL);
	/* Other keys, other hashes. */
	t = make(10, 0);
	config.numa = -1;
	{
		struct mr_flow_key key = key_of(1);
		struct mr_flow_table *other;

		assert_int_equal(mr_flow_table_create(&other, &config, NULL), 0);
		assert_true(mr_flow_table_hash(t, &key) != mr_flow_table_hash(other, &key));
		mr_flow_table_destroy(other);
	}
	mr_flow_table_destroy(t);
}

static void
test_small(void **s)
{
	struct mr_flow_table *t = make(3, 0);
	struct mr_flow_key key = key_of(0);
	uint32_t a, b, c;

	find(t, 0, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(batch.found[i], MR_FLOW_NONE);
	assert_int_equal(mr_flow_table_top(t), 0);
	a = add(t, &key);
	assert_true(a);
	assert_memory_equal(&mr_flow_table_lines(t)[a].key, &key, sizeof(key));
	assert_int_equal(mr_flow_table_lines(t)[a].seen, SECOND);
	assert_int_equal(mr_flow_table_lines(t)[a].program, 0);
	assert_int_equal(mr_flow_table_get(t, &key), a);
	key = key_of(1);
	b = add(t, &key);
	key = key_of(2);
	c = add(t, &key);
	key = key_of(3);
	assert_int_equal(add(t, &key), MR_FLOW_NONE);
	assert_int_equal(stats_of(t).refused, 1);
	assert_int_equal(mr_flow_table_top(t), 3);
	find(t, 0, 5);
	assert_int_equal(batch.found[0], a);
	assert_int_equal(batch.found[1], b);
	assert_int_equal(batch.found[2], c);
	assert_int_equal(batch.found[3], MR_FLOW_NONE);
	mr_flow_table_remove(t, b);
	mr_flow_table_remove(t, b); /* nothing */
	mr_flow_table_remove(t, 0);
	mr_flow_table_remove(t, 99);
	assert_false(mr_flow_table_has(t, b));
	key = key_of(1);
	assert_int_equal(mr_flow_table_get(t, &key), MR_FLOW_NONE);
	key = key_of(4);
	assert_int_equal(add(t, &key), b);
	assert_int_equal(mr_flow_table_lines(t)[b].arg, 0);
	assert_int_equal(stats_of(t).flows, 3);
	assert_int_equal(stats_of(t).removed, 1);
	check_buckets(t);
	mr_flow_table_destroy(t);
}

/* A key that differs in any one bit is another flow, also where its hash leads to this one. */
static void
test_every_bit(void **s)
{
	struct mr_flow_table *t = make(8, 0);
	struct mr_flow_key key = key_of(5), other;
	uint32_t flow = add(t, &key);
	uint64_t hash = mr_flow_table_hash(t, &key), wrong;
	bool wide = t->wide;

	for (unsigned bit = 0; bit < 8 * sizeof(key); bit++) {
		other = key;
		((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		wrong = mr_flow_table_hash(t, &other);
		assert_true(wrong != hash);
		flow_bucket_insert(t, wrong, flow);
		for (unsigned variant = 0; variant < 3; variant++) {
			batch.key[0] = batch.key[2] = key;
			batch.key[1] = other;
			t->wide = variant == 2 && wide;
			if (variant == 0)
				flow_find_portable(t, &batch, 3);
			else
				mr_flow_table_find(t, &batch, 3);
			assert_int_equal(batch.found[0], flow);
			assert_int_equal(batch.found[1], MR_FLOW_NONE);
			assert_int_equal(batch.found[2], flow);
		}
		/* Both, as they may share a bucket. */
		flow_bucket_erase(t, wrong, flow);
		flow_bucket_erase(t, hash, flow);
		flow_bucket_insert(t, hash, flow);
	}
	mr_flow_table_destroy(t);
}

/* Thousands of changes, against an array; sizes at which it grows all the time. */
static void
test_model(void **s)
{
	enum { KEYS = 20000 };
	static uint32_t flow_of[KEYS];
	struct mr_flow_table *t = make(12000, 0);
	unsigned live = 0, refused = 0;

	memset(flow_of, 0, sizeof(flow_of));
	for (unsigned i = 0; i < 400000; i++) {
		/* More come than go, then the other way round. */
		bool grow = draw() % 100 < (i / 50000 % 2 ? 35 : 65);
		uint32_t n = (uint32_t)(draw() % KEYS);
		struct mr_flow_key key = key_of(n);

		if (grow && !flow_of[n]) {
			flow_of[n] = add(t, &key);
			if (flow_of[n]) {
				assert_true(live < 12000);
				live++;
			} else {
				assert_int_equal(live, 12000);
				refused++;
			}
		} else if (!grow && flow_of[n]) {
			mr_flow_table_remove(t, flow_of[n]);
			flow_of[n] = 0;
			live--;
		}
		if (i % 4000 == 0) {
			uint32_t first = (uint32_t)(draw() % (KEYS - MR_VECTOR_MAX));

			find(t, first, MR_VECTOR_MAX);
			for (unsigned k = 0; k < MR_VECTOR_MAX; k++)
				assert_int_equal(batch.found[k], flow_of[first + k]);
		}
		if (i % 40000 == 0)
			check_buckets(t);
	}
	assert_int_equal(stats_of(t).flows, live);
	assert_int_equal(stats_of(t).refused, refused);
	assert_true(stats_of(t).grown >= 5);
	check_buckets(t);
	for (uint32_t n = 0; n < KEYS; n++)
		mr_flow_table_remove(t, flow_of[n]);
	assert_int_equal(stats_of(t).flows, 0);
	check_buckets(t);
	mr_flow_table_destroy(t);
}

/* It takes `max` flows: where it grows as it likes, where buckets must hold more than they were
 * meant to, and where all keys share one bucket and tag, as no hash would have it. */
static void
test_full(void **s)
{
	enum { MAX = 40000, SAME = 3000 };
	struct mr_flow_table *t;
	struct mr_flow_key key;

	for (unsigned full = FLOW_FULL; full <= 40; full *= 2) {
		t = make(MAX, 0);
		t->grow_now = (uint16_t)full;
		for (uint32_t n = 0; n < MAX; n++) {
			key = key_of(n);
			assert_int_equal(add(t, &key), n + 1);
		}
		key = key_of(MAX);
		assert_int_equal(add(t, &key), MR_FLOW_NONE);
		check_buckets(t);
		for (uint32_t n = 0; n + 250 <= MAX; n += 250) {
			find(t, n, 250);
			for (unsigned k = 0; k < 250; k++)
				assert_int_equal(batch.found[k], n + k + 1);
		}
		mr_flow_table_destroy(t);
	}
	t = make(SAME, 0);
	for (uint32_t n = 0; n < SAME; n++) {
		uint32_t flow = (uint32_t)n + 1;

		t->lines[flow].key = key_of(n);
		flow_bucket_insert(t, 0x1234000000000000ull, flow);
	}
	assert_true(t->overflow_fresh - t->limit <= SAME / FLOW_WAYS + 1);
	for (uint32_t n = 0; n < SAME; n += 7) {
		key = key_of(n);
		assert_int_equal(flow_bucket_find(t, 0x1234000000000000ull, &key), n + 1);
	}
	for (uint32_t n = SAME; n-- > 0;)
		flow_bucket_erase(t, 0x1234000000000000ull, (n * 7) % SAME + 1);
	assert_int_equal(flow_used(&t->buckets[0]), 0);
	mr_flow_table_destroy(t);
}

static unsigned
longest_chain(const struct mr_flow_table *t)
{
	unsigned most = 0;

	for (uint32_t at = 0; at < t->count; at++) {
		unsigned entries = 0;

		for (uint32_t b = at;; b = t->buckets[b].link & FLOW_NEXT) {
			entries += flow_used(&t->buckets[b]);
			if (!(t->buckets[b].link & FLOW_NEXT))
				break;
		}
		most = MR_MAX(most, entries);
	}
	return most;
}

static uint32_t
crc_of(const struct mr_flow_key *key)
{
	uint32_t crc = UINT32_MAX;

	for (unsigned i = 0; i < sizeof(*key); i++) {
		crc ^= ((const uint8_t *)key)[i];
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* Keys as who wants them to meet would choose them: each kind spreads as if drawn at random. */
static void
test_adversary(void **s)
{
	enum { KEYS = 30000, KINDS = 6 };
	/* CRC is linear: this, over a key, leaves its CRC-32C as it is. Found by elimination. */
	uint8_t basis[64][44];
	unsigned kernel = 0, random_longest = 0;

	/* The kernel of the CRC over the addresses' 256 bits: Gauss on 32 rows. */
	{
		struct mr_flow_key zero = { 0 };
		uint32_t none = crc_of(&zero), value[256];
		uint8_t vector[256][44];

		memset(vector, 0, sizeof(vector));
		for (unsigned bit = 0; bit < 256; bit++) {
			struct mr_flow_key key = { 0 };

			((uint8_t *)&key)[bit / 8] = vector[bit][bit / 8] =
			    (uint8_t)(1u << bit % 8);
			value[bit] = crc_of(&key) ^ none;
			for (unsigned row = 0; row < bit; row++) {
				/* Rows are kept with distinct leading bits. */
				if (value[row] && value[bit] &&
				    __builtin_clz(value[row]) == __builtin_clz(value[bit])) {
					value[bit] ^= value[row];
					for (unsigned i = 0; i < 44; i++)
						vector[bit][i] ^= vector[row][i];
					row = UINT32_MAX; /* from the first again */
				}
			}
			if (!value[bit] && kernel < 64)
				memcpy(basis[kernel++], vector[bit], 44);
		}
	}
	assert_int_equal(kernel, 64);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct mr_flow_table *t = make(KEYS, 0);
		struct mr_flow_key first = key_of(12345);
		uint32_t want = crc_of(&first);
		unsigned longest;

		for (uint32_t n = 0; n < KEYS; n++) {
			struct mr_flow_key key = first;
			uint64_t r = draw();

			if (kind == 0) { /* at random: what the others are held against */
				memcpy(key.src, &r, 8);
			} else if (kind == 1) { /* one after the other */
				memcpy(key.src, &n, 4);
			} else if (kind == 2) { /* ports only */
				key.sport = (be16_t)n;
			} else if (kind == 3) { /* the same low bits everywhere */
				uint32_t high = n << 16;

				memcpy(key.src, &high, 4);
			} else if (kind == 4) { /* sums and differences alike */
				uint32_t a = n * 2654435761u, b = -a;

				memcpy(key.src, &a, 4);
				memcpy(key.dst, &b, 4);
			} else { /* one CRC */
				for (unsigned b = 0; b < 15; b++)
					for (unsigned i = 0; i < 44 && n >> b & 1; i++)
						((uint8_t *)&key)[i] ^= basis[b][i];
				if (n < 100)
					assert_int_equal(crc_of(&key), want);
			}
			assert_true(add(t, &key));
		}
		longest = longest_chain(t);
		if (kind == 0)
			random_longest = longest;
		if (longest > random_longest + 12)
			fail_msg("kind %u: %u entries in one chain, %u at random", kind, longest,
			    random_longest);
		check_buckets(t);
		mr_flow_table_destroy(t);
	}
}

/* One flow's counters: touched, folded before they overflow, read. */
static void
test_counters(void **s)
{
	struct mr_flow_table *t = make(10, 0);
	struct mr_flow *lines = mr_flow_table_lines(t);
	struct mr_flow_key key = key_of(1);
	uint32_t flow = add(t, &key);
	struct mr_flow_peek peek;
	uint64_t bytes = 0;

	assert_false(mr_flow_table_peek(t, 0, SECOND, &peek));
	assert_false(mr_flow_table_peek(t, flow + 1, SECOND, &peek));
	assert_false(mr_flow_table_peek(t, 11, SECOND, &peek));
	assert_true(mr_flow_table_peek(t, flow, SECOND + 7, &peek));
	assert_int_equal(peek.packets, 0);
	assert_int_equal(peek.age, 7);
	assert_int_equal(peek.idle, 7);
	mr_flow_set(&lines[flow], 8, 9, 10);
	for (unsigned i = 0; i < 200000; i++) {
		mr_flow_touch(t, lines, flow, 64 + i, SECOND + i / 100000);
		bytes += 64 + i;
	}
	assert_true(mr_flow_table_peek(t, flow, SECOND + 7, &peek));
	assert_memory_equal(&peek.key, &key, sizeof(key));
	assert_int_equal(peek.packets, 200000);
	assert_int_equal(peek.bytes, bytes);
	assert_int_equal(peek.program, 8);
	assert_int_equal(peek.arg, 9);
	assert_int_equal(peek.idle, 6);
	assert_int_equal(peek.age, 7);
	mr_flow_table_fold(t, flow);
	assert_int_equal(lines[flow].packets, 0);
	assert_int_equal(lines[flow].bytes, 0);
	assert_true(mr_flow_table_peek(t, flow, SECOND + 7, &peek));
	assert_int_equal(peek.packets, 200000);
	assert_int_equal(peek.bytes, bytes);
	assert_int_equal(peek.idle, 6);
	mr_flow_table_remove(t, flow);
	assert_false(mr_flow_table_peek(t, flow, SECOND, &peek));
	/* The next with this index begins at nothing. */
	key = key_of(2);
	assert_int_equal(add(t, &key), flow);
	assert_true(mr_flow_table_peek(t, flow, SECOND, &peek));
	assert_int_equal(peek.packets, 0);
	assert_int_equal(peek.program, 0);
	mr_flow_table_destroy(t);
}

#define DOOR_HASH 0x123456789abcdef0ull

static void
test_door(void **s)
{
	struct mr_flow_door *door;
	unsigned in = 0;

	assert_int_equal(mr_flow_door_create(&door, 16384, NULL), 0);
	assert_false(mr_flow_door_knock(door, DOOR_HASH, 100));
	assert_true(mr_flow_door_knock(door, DOOR_HASH, 100 + MR_FLOW_DOOR_SECONDS));
	/* Who was let in is so for the rest of the second; and who was here too long ago. */
	assert_true(mr_flow_door_knock(door, DOOR_HASH, 108));
	assert_false(mr_flow_door_knock(door, DOOR_HASH, 109));
	assert_false(mr_flow_door_knock(door, DOOR_HASH, 110 + MR_FLOW_DOOR_SECONDS));
	assert_true(mr_flow_door_knock(door, DOOR_HASH, 111 + MR_FLOW_DOOR_SECONDS));
	/* Expected: once, however often that is said. */
	mr_flow_door_expect(door, DOOR_HASH, 130);
	mr_flow_door_expect(door, DOOR_HASH, 131);
	assert_true(mr_flow_door_knock(door, DOOR_HASH, 139));
	assert_false(mr_flow_door_knock(door, DOOR_HASH, 140));
	/* Any of the bits that are compared. */
	for (unsigned bit = 41; bit < 64; bit++)
		assert_false(mr_flow_door_knock(door, DOOR_HASH ^ 1ull << bit, 140));
	/* Strangers are not let in. */
	state = 99;
	for (unsigned i = 0; i < 30000; i++)
		in += mr_flow_door_knock(door, draw(), 200);
	assert_int_equal(in, 0);
	mr_flow_door_destroy(door);
	mr_flow_door_destroy(NULL);
}

/* So many that take turns: how many are let in by their second packet, of 100,000. */
static unsigned
let_in(uint32_t made_for, uint32_t flows, uint32_t (*second)(uint32_t))
{
	struct mr_flow_door *door;
	uint64_t in = 0;

	assert_int_equal(mr_flow_door_create(&door, made_for, NULL), 0);
	for (unsigned round = 0; round < 2; round++) {
		state = 5;
		for (uint32_t i = 0; i < flows; i++)
			in += mr_flow_door_knock(door, draw(), second(round * flows + i));
	}
	mr_flow_door_destroy(door);
	return (unsigned)(in * 100000 / flows);
}

static uint32_t
at_once(uint32_t i)
{
	(void)i;
	return 300;
}

static uint32_t
by_and_by(uint32_t i)
{
	return 300 + i / 32768;
}

static void
test_door_load(void **s)
{
	assert_true(let_in(65536, 65536, at_once) >= 99980);
	assert_true(let_in(100000, 100000, at_once) >= 99980);
	assert_true(let_in(65536, 65536, by_and_by) >= 99980);
	/* Twice as many and four times: it gets worse slowly. */
	assert_in_range(let_in(65536, 131072, at_once), 90000, 99999);
	assert_in_range(let_in(65536, 262144, at_once), 15000, 70000);
}

/* A flood of strangers: those whose second packet comes soon are let in all the same. */
static void
test_door_flood(void **s)
{
	uint64_t flow[256];
	struct mr_flow_door *door;
	unsigned in = 0;

	assert_int_equal(mr_flow_door_create(&door, 16384, NULL), 0);
	state = 17;
	for (unsigned i = 0; i < 200000; i++)
		mr_flow_door_knock(door, draw(), 400);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(flow); i++) {
		flow[i] = draw();
		mr_flow_door_knock(door, flow[i], 400);
	}
	for (unsigned i = 0; i < 2000; i++)
		mr_flow_door_knock(door, draw(), 400);
	for (unsigned i = 0; i < MR_ARRAY_COUNT(flow); i++)
		in += mr_flow_door_knock(door, flow[i], 400);
	assert_true(in > 200);
	mr_flow_door_destroy(door);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_adversary),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_door),
		cmocka_unit_test(test_door_load),
		cmocka_unit_test(test_door_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
