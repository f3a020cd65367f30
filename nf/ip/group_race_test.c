/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers pick next hops from a group whose members change and flap, while other groups come and
 * go and use the buckets that it gave back: what a reader gets is always one of
 * the group's own next hops. Run it under ThreadSanitizer too.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kit/base/rcu.h"
#include "nf/ip/group.h"

#define MINE 24u   /* next hops of the group that is read */
#define OTHERS 24u /* of all other groups */
#define READERS 2u
#define CHANGES 600u

struct race {
	struct mr_ip *ip;
	uint32_t group;
	uint32_t mine[MINE];
	atomic_bool stop;
	_Atomic uint64_t picked, wrong;
};

static bool
is_mine(const struct race *r, uint32_t adjacency)
{
	for (unsigned i = 0; i < MINE; i++)
		if (r->mine[i] == adjacency)
			return true;
	return false;
}

static void *
read_on(void *arg)
{
	struct race *r = arg;
	uint64_t seed = (uint64_t)(uintptr_t)&seed, picked = 0, wrong = 0;

	mr_rcu_register();
	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < 256; i++) {
			uint64_t word =
			    atomic_load_explicit(&r->ip->groups[r->group], memory_order_acquire);
			uint32_t base = mr_group_base(word), mask = mr_group_mask(word);

			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			if (mask)
				base = atomic_load_explicit(
				    &r->ip->buckets[base + ((uint32_t)(seed >> 33) & mask)],
				    memory_order_relaxed);
			wrong += !is_mine(r, base);
			picked++;
		}
		mr_rcu_quiescent();
	}
	mr_rcu_unregister();
	atomic_fetch_add(&r->picked, picked);
	atomic_fetch_add(&r->wrong, wrong);
	return NULL;
}

static struct mr_group_member
next_hop(struct race *r, uint16_t interface, unsigned n)
{
	uint8_t address[16] = { 10, (uint8_t)interface, 0, (uint8_t)n };
	struct mr_group_member m = { .weight = (uint16_t)(1 + n % 3) };

	assert_int_equal(mr_adjacency_get(r->ip, interface, MR_IP4, address, &m.adjacency, NULL),
	    0);
	return m;
}

static void
members_change_under_readers(void **state)
{
	static struct race r;
	struct mr_group_member mine[MINE], others[OTHERS];
	pthread_t threads[READERS];
	unsigned seed = 1;

	memset(&r, 0, sizeof(r));
	assert_int_equal(mr_ip_create(&r.ip, NULL, NULL), 0);
	for (unsigned i = 1; i <= 9; i++) {
		char name[8];
		uint16_t index;

		snprintf(name, sizeof(name), "i%u", i);
		assert_int_equal(mr_ip_interface_create(r.ip, name, &index, NULL), 0);
		r.ip->interfaces[i].flags = MR_IP_UP;
	}
	for (unsigned i = 0; i < MINE; i++) {
		mine[i] = next_hop(&r, (uint16_t)(1 + i % 8), i);
		r.mine[i] = mine[i].adjacency;
	}
	for (unsigned i = 0; i < OTHERS; i++)
		others[i] = next_hop(&r, 9, i);
	assert_int_equal(mr_group_make(r.ip, mine, 4, &r.group, NULL), 0);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r), 0);
	for (unsigned i = 0; i < CHANGES; i++) {
		uint16_t interface;
		uint32_t other;

		seed = seed * 1103515245u + 12345u;
		interface = (uint16_t)(1 + (seed >> 16) % 8);
		r.ip->interfaces[interface].flags ^= MR_IP_UP;
		mr_group_interface(r.ip, interface,
		    (r.ip->interfaces[interface].flags & MR_IP_UP) != 0, NULL, NULL);
		if (i % 3 == 0)
			assert_int_equal(mr_group_change(r.ip, r.group, mine + (seed >> 20) % 4,
					     1 + (seed >> 24) % 20, NULL),
			    0);
		assert_int_equal(mr_group_get(r.ip, others, 2 + (seed >> 8) % 22, &other, NULL), 0);
		mr_group_put(r.ip, other);
		if (i % 16 == 0)
			mr_group_flush(r.ip);
	}
	atomic_store(&r.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_true(atomic_load(&r.picked) > 0);
	assert_int_equal(atomic_load(&r.wrong), 0);
	mr_group_put(r.ip, r.group);
	mr_ip_destroy(r.ip);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_change_under_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
