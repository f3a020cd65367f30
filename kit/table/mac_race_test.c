/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MAC table between threads: learners, movers, readers and a control thread on a
 * table so small that its entries are re-used all the time. Every key has a
 * set of ports that it is ever learned on, no two neighbours the same; a reader
 * that sees another port has seen key A with value B. Run it under ThreadSanitizer too.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/packet/packet.h"
#include "kit/table/mac.h"

#define STATIONS 61u
#define PORTS (2 * STATIONS)
#define ROUNDS 3000u
#define LEARNERS 3u

struct race {
	struct mr_mac *table;
	_Atomic bool stop;
	_Atomic uint64_t wrong;
	_Atomic uint64_t hits;
	_Atomic uint32_t clock;
	pthread_barrier_t barrier;
};

struct racer {
	struct race *race;
	uint64_t seed;
	pthread_t thread;
};

static uint64_t
next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s * 0x2545f4914f6cdd1dull;
}

static uint64_t
key_of(unsigned n)
{
	uint8_t mac[6] = { 2, 0, 0, 0, 0, (uint8_t)n };

	return mr_mac_key(mac, 5);
}

/* Station n lives on ports 2n and 2n + 1. */
static void *
learner(void *arg)
{
	struct racer *me = arg;
	struct race *r = me->race;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t keys[64];
		uint32_t buckets[64];
		uint16_t ports[64], todo[64];
		uint32_t now = atomic_fetch_add(&r->clock, 1) / 16;
		unsigned n;

		for (unsigned i = 0; i < 64; i++) {
			unsigned s = next_random(&me->seed) % STATIONS;

			keys[i] = key_of(s);
			ports[i] = (uint16_t)(2 * s + next_random(&me->seed) % 2);
		}
		mr_mac_prefetch(r->table, keys, buckets, 64);
		n = mr_mac_stale(r->table, keys, buckets, ports, now, todo, 64);
		for (unsigned i = 0; i < n; i++)
			mr_mac_learn(r->table, keys[todo[i]], ports[todo[i]], now, false);
	}
	return NULL;
}

static void *
reader(void *arg)
{
	struct racer *me = arg;
	struct race *r = me->race;
	uint64_t wrong = 0, hits = 0;

	while (!atomic_load(&r->stop)) {
		uint64_t keys[64];
		uint32_t buckets[64], found[64];
		unsigned who[64];

		for (unsigned i = 0; i < 64; i++) {
			who[i] = next_random(&me->seed) % STATIONS;
			keys[i] = key_of(who[i]);
		}
		mr_mac_prefetch(r->table, keys, buckets, 64);
		mr_mac_find(r->table, keys, buckets, found, 64);
		for (unsigned i = 0; i < 64; i++) {
			if (!found[i])
				continue;
			hits++;
			wrong += MR_MAC_FOUND_PORT(found[i]) / 2u != who[i];
		}
	}
	atomic_fetch_add(&r->wrong, wrong);
	atomic_fetch_add(&r->hits, hits);
	return NULL;
}

static void *
control(void *arg)
{
	struct racer *me = arg;
	struct race *r = me->race;
	uint64_t wrong = 0;

	while (!atomic_load(&r->stop)) {
		struct mr_mac_filter port = { next_random(&me->seed) % PORTS, MR_MAC_ANY, false };
		unsigned s = next_random(&me->seed) % STATIONS;
		struct mr_mac_entry e;
		uint32_t cursor = 0;

		mr_mac_age(r->table, atomic_load(&r->clock) / 16, 0, UINT32_MAX);
		mr_mac_flush(r->table, &port, 0, UINT32_MAX);
		while (mr_mac_next(r->table, &cursor, &e))
			wrong += e.port / 2u != e.mac[5];
		mr_mac_add(r->table, key_of(s), (uint16_t)(2 * s), 0, 0);
		mr_mac_delete(r->table, key_of(s));
	}
	atomic_fetch_add(&r->wrong, wrong);
	return NULL;
}

static void
run(uint32_t capacity, bool refuse, uint32_t port_limit)
{
	struct mr_mac_config config = { .capacity = capacity,
		.ageing = 3,
		.refuse_when_full = refuse };
	struct race r = { 0 };
	struct racer who[LEARNERS + 2] = { 0 };
	struct mr_mac_entry e;
	struct mr_error error = { 0 };
	unsigned all = 0, here[STATIONS] = { 0 }, ports[PORTS] = { 0 };
	uint32_t cursor = 0;

	assert_int_equal(mr_mac_create(&r.table, &config, &error), 0);
	for (uint16_t p = 0; p < PORTS; p++)
		mr_mac_limit_port(r.table, p, port_limit);
	for (unsigned i = 0; i < LEARNERS + 2; i++) {
		who[i].race = &r;
		who[i].seed = 77 + i;
		assert_int_equal(pthread_create(&who[i].thread, NULL,
				     i < LEARNERS        ? learner
					 : i == LEARNERS ? reader
							 : control,
				     &who[i]),
		    0);
	}
	for (unsigned i = 0; i < LEARNERS + 2; i++) {
		if (i == LEARNERS)
			atomic_store(&r.stop, true);
		pthread_join(who[i].thread, NULL);
	}
	assert_int_equal(atomic_load(&r.wrong), 0);
	assert_true(atomic_load(&r.hits) > 0);
	/* In quiet: no station twice, and every count exact. */
	while (mr_mac_next(r.table, &cursor, &e)) {
		assert_int_equal(here[e.mac[5]]++, 0);
		ports[e.port]++;
		all++;
	}
	assert_int_equal(mr_mac_count(r.table), all);
	assert_int_equal(mr_mac_count_fid(r.table, 5), all);
	for (uint16_t p = 0; p < PORTS; p++)
		assert_int_equal(mr_mac_count_port(r.table, p), ports[p]);
	mr_mac_destroy(r.table);
}

static void
entries_reused_all_the_time(void **state)
{
	run(8, false, 0);
}

static void
table_with_room(void **state)
{
	run(256, true, 1);
}

/* Many threads insert the same new keys at the same moment: one entry each stays. */
static void *
same_keys(void *arg)
{
	struct racer *me = arg;

	for (unsigned base = 0; base < 20000; base += 20) {
		pthread_barrier_wait(&me->race->barrier);
		for (unsigned i = 0; i < 20; i++) {
			uint64_t key = (uint64_t)(base + i + 1) << 16;

			mr_mac_learn(me->race->table, key, (uint16_t)(me->seed % 7), 1, false);
		}
	}
	return NULL;
}

static void
twins_are_settled(void **state)
{
	struct mr_mac_config config = { .capacity = 65536, .refuse_when_full = true };
	static uint8_t here[20001];
	struct race r = { 0 };
	struct racer who[3] = { 0 };
	struct mr_mac_entry e;
	struct mr_error error = { 0 };
	uint32_t cursor = 0, ports = 0;

	assert_int_equal(mr_mac_create(&r.table, &config, &error), 0);
	pthread_barrier_init(&r.barrier, NULL, 3);
	for (unsigned i = 0; i < 3; i++) {
		who[i].race = &r;
		who[i].seed = i;
		assert_int_equal(pthread_create(&who[i].thread, NULL, same_keys, &who[i]), 0);
	}
	for (unsigned i = 0; i < 3; i++)
		pthread_join(who[i].thread, NULL);
	pthread_barrier_destroy(&r.barrier);
	while (mr_mac_next(r.table, &cursor, &e)) {
		uint64_t n = mr_mac_key(e.mac, 0) >> 16;

		assert_true(n <= 20000);
		assert_int_equal(here[n]++, 0);
	}
	assert_int_equal(mr_mac_count(r.table), 20000);
	for (uint16_t p = 0; p < 7; p++)
		ports += mr_mac_count_port(r.table, p);
	assert_int_equal(ports, 20000);
	mr_mac_destroy(r.table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_reused_all_the_time),
		cmocka_unit_test(table_with_room),
		cmocka_unit_test(twins_are_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
