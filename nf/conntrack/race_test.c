/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that begin, find, update and end the same few connections, while another sweeps and
 * flushes. Afterwards nothing is lost, and no key has two entries. Run it under ThreadSanitizer too.
 */
#include <pthread.h>

#include "nf/conntrack/track_test_int.h"

#define THREADS 3u
#define ROUNDS 40000u
#define KEYS 64u

static struct ct_table *table;
static _Atomic bool stop;

static void
key_of(struct ct_key *key, uint64_t n)
{
	memset(key, 0, sizeof(*key));
	key->w[0] = n % KEYS;
	key->w[2] = 0xffff;
	key->w[4] = CT_KEY_TAIL(5, 6, 0, MR_IP_PROTO_TCP, 0);
}

static void
begin(unsigned worker, const struct ct_key *key, uint64_t hash, uint32_t now)
{
	const struct ct_segment syn = { .seq = 100, .end = 101, .win = 1000, .flags = MR_TCP_SYN };
	uint32_t index = ct_take(table, worker, hash, now), word;
	bool counted;

	if (!index)
		return;
	assert_true(ct_sources_enter(table->sources, key, false, 0, &counted));
	ct_tcp_begin(&table->lines[index], &table->cold[index], &syn);
	atomic_store_explicit(&table->lines[index].seen, now, memory_order_relaxed);
	if (ct_add(table, worker, index, key, hash, counted ? CT_COUNTED : 0, now, &word) !=
		index &&
	    counted)
		ct_sources_leave(table->sources, key, false);
}

static void *
work(void *arg)
{
	unsigned worker = (unsigned)(uintptr_t)arg;
	uint64_t seed = worker + 1;

	for (unsigned i = 0; i < ROUNDS; i++) {
		const struct ct_segment ack = { .seq = 500,
			.ack = 101,
			.end = 500,
			.win = 1000,
			.flags = MR_TCP_SYN | MR_TCP_ACK };
		uint32_t now = 1000 + i / 1000, word, index;
		struct ct_key key;
		uint64_t hash;
		uint8_t timeout;

		key_of(&key, draw(&seed));
		hash = ct_hash(table, &key);
		index = ct_find(table, worker, &key, hash, now, &word);
		if (!index) {
			begin(worker, &key, hash, now);
			continue;
		}
		if (!ct_lock(&table->lines[index], &word))
			continue;
		/* What is locked has the key that was asked for. */
		assert_true(ct_key_equal(&table->cold[index], &key));
		(void)ct_tcp_packet(&table->lines[index], &table->cold[index], &ack, 1, &word,
		    &timeout);
		atomic_store_explicit(&table->lines[index].seen, now, memory_order_relaxed);
		if (draw(&seed) % 8 == 0)
			ct_end_locked(table, worker, index, word, CT_COUNT_REUSED);
		else
			ct_unlock(&table->lines[index], word | CT_REPLIED);
	}
	return NULL;
}

static void *
control(void *arg)
{
	uint64_t seed = 99;

	while (!atomic_load(&stop)) {
		uint32_t index = (uint32_t)(1 + draw(&seed) % (table->top + 1));
		uint32_t word = atomic_load(&table->lines[index].word);

		ct_sweep(table, 1000 + ROUNDS / 1000 + (draw(&seed) % 4 == 0) * 200, 50);
		if (word & CT_LIVE)
			(void)ct_end(table, MR_POOL_SHARED, index, word, CT_COUNT_FLUSHED);
	}
	return arg;
}

static void
one_entry_for_each_key(void **state)
{
	pthread_t threads[THREADS], other;
	unsigned live = 0, slots = 0;
	struct mr_error error;
	uint64_t ended = 0;

	assert_int_equal(ct_table_create(&table, 1024, THREADS, &error), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i), 0);
	assert_int_equal(pthread_create(&other, NULL, control, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&stop, true);
	pthread_join(other, NULL);
	for (uint32_t b = 0; b <= table->slots.mask; b++)
		for (unsigned i = 0; i < MR_SLOTS_WAYS; i++)
			slots += table->slots.buckets[b].slot[i] != 0;
	for (uint32_t i = 1; i <= table->top; i++) {
		uint32_t word = table->lines[i].word, found, seen;
		struct ct_key key;

		assert_false(word & CT_LOCK);
		if (!(word & CT_LIVE))
			continue;
		live++;
		ct_key_load(&table->cold[i], &key);
		found = ct_find(table, 0, &key, ct_hash(table, &key), 0, &seen);
		assert_int_equal(found, i);
	}
	assert_int_equal(live, slots);
	assert_int_equal(live, ct_table_used(table));
	for (unsigned n = 0; n < KEYS; n++) {
		struct ct_key key;
		uint32_t word;
		bool there;

		key_of(&key, n);
		there = ct_find(table, 0, &key, ct_hash(table, &key), 0, &word) != 0;
		assert_int_equal(ct_sources_count(table->sources, &key, false), there);
	}
	ended = mr_counters_sum(table->counters, CT_COUNT_ENDED);
	assert_int_equal(mr_counters_sum(table->counters, CT_COUNT_CREATED), ended + live);
	assert_true(ended > 1000);
	ct_table_destroy(table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_entry_for_each_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
