/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that take and give ports of few addresses for few subscribers, while another reserves,
 * sweeps and ends quarantines. Nobody ever gets a port that another has, and afterwards nothing is
 * lost. Run it under ThreadSanitizer too.
 */
#include <pthread.h>

#include "nf/nat/pool/pool_test_int.h"

#define THREADS 3u
#define HELD 40u
#define SUBSCRIBERS 12u

static struct nat_pool *pool;
static _Atomic bool stop;
static _Atomic uint32_t clock_now;
static unsigned rounds;
/* Who has a port, by our own books. */
static _Atomic uint32_t books[2][NAT_PROTOS][65536];

struct held {
	struct nat_outside out;
	enum nat_proto proto;
	uint32_t mapping;
};

static void
give_back(unsigned worker, struct held *h)
{
	uint32_t at = mr_be32(h->out.address) - OUTSIDE;

	assert_int_equal(nat_pool_find(pool, h->out.address, h->proto, h->out.port), h->mapping);
	assert_int_equal(atomic_exchange(&books[at][h->proto][mr_be16(h->out.port)], 0),
	    h->mapping);
	nat_pool_give(pool, worker, &h->out, h->proto, h->mapping, atomic_load(&clock_now));
}

static void *
work(void *arg)
{
	unsigned worker = (unsigned)(uintptr_t)arg, count = 0;
	struct held held[HELD];
	uint64_t seed = worker + 1;

	for (unsigned i = 0; i < rounds; i++) {
		struct held *h = &held[count];
		uint8_t inside[16];
		uint32_t at;

		if (count == HELD || (count && draw(&seed) % 2) ||
		    (i % 1000 > 900 && count)) { /* now and then all, so that subscribers end */
			at = (uint32_t)(draw(&seed) % count);
			give_back(worker, &held[at]);
			held[at] = held[--count];
			continue;
		}
		h->proto = (enum nat_proto)(draw(&seed) % NAT_PROTOS);
		h->mapping = (worker + 1) << 24 | (i + 1);
		inside_set(inside, (uint32_t)(draw(&seed) % SUBSCRIBERS));
		if (nat_pool_take(pool, worker, inside, false, h->proto, mr_be16(1030), h->mapping,
			atomic_load(&clock_now), &h->out) != NAT_TAKEN)
			continue;
		at = mr_be32(h->out.address) - OUTSIDE;
		assert_int_equal(
		    atomic_exchange(&books[at][h->proto][mr_be16(h->out.port)], h->mapping), 0);
		count++;
	}
	while (count)
		give_back(worker, &held[--count]);
	return NULL;
}

static void *
control(void *arg)
{
	uint64_t seed = 99;

	while (!atomic_load(&stop)) {
		be16_t port = mr_be16((uint16_t)(1024 + draw(&seed) % 40));
		be32_t address = mr_be32((uint32_t)(OUTSIDE + draw(&seed) % 2));
		enum nat_proto proto = (enum nat_proto)(draw(&seed) % NAT_PROTOS);
		_Atomic uint32_t *book = &books[mr_be32(address) - OUTSIDE][proto][mr_be16(port)];

		atomic_fetch_add(&clock_now, 1);
		nat_pool_tick(pool, atomic_load(&clock_now));
		if (nat_pool_reserve(pool, address, proto, port, 0x77000001) == 0) {
			assert_int_equal(atomic_exchange(book, 0x77000001), 0);
			assert_int_equal(nat_pool_find(pool, address, proto, port), 0x77000001);
			assert_int_equal(atomic_exchange(book, 0), 0x77000001);
			nat_pool_unreserve(pool, address, proto, port);
		}
	}
	return arg;
}

static void
run(const struct nat_pool_config *c)
{
	pthread_t threads[THREADS], other;
	struct nat_pool_state s;
	struct nat_outside out;
	uint64_t free_ports = 0;

	pool = pool_make(c);
	atomic_store(&stop, false);
	atomic_store(&clock_now, 1);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i), 0);
	assert_int_equal(pthread_create(&other, NULL, control, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&stop, true);
	pthread_join(other, NULL);

	nat_pool_state(pool, &s);
	assert_int_equal(s.counts[NAT_POOL_TAKEN], s.counts[NAT_POOL_GIVEN]);
	assert_true(s.counts[NAT_POOL_TAKEN] > rounds);
	for (unsigned proto = 0; proto < NAT_PROTOS; proto++)
		assert_int_equal(s.used[proto], 0);
	/* All end, and everything is free again. */
	for (unsigned i = 0; i < 10; i++)
		nat_pool_tick(pool, atomic_fetch_add(&clock_now, 1000));
	nat_pool_state(pool, &s);
	assert_int_equal(s.subscribers, 0);
	assert_int_equal(s.blocks_used, 0);
	assert_int_equal(s.quarantined, 0);
	assert_int_equal(s.counts[NAT_POOL_BLOCKS_GIVEN], s.counts[NAT_POOL_BLOCKS_RETURNED]);
	if (c->block_size) {
		assert_int_equal(nat_bits_count(&pool->blocks, pool->block_count),
		    pool->block_count);
	} else {
		for (unsigned a = 0; a < 2; a++)
			for (unsigned proto = 0; proto < NAT_PROTOS; proto++) {
				struct nat_bits bits = nat_side_bits(&pool->sides[a][proto]);

				free_ports += nat_bits_count(&bits, NAT_PORTS);
			}
		assert_int_equal(free_ports, s.ports[0] + s.ports[1] + s.ports[2]);
	}
	for (unsigned n = 0; n < c->subscribers_max; n++)
		assert_int_equal(take(pool, n, NAT_TCP, 1, 1, 1u << 20, &out), NAT_TAKEN);
	nat_pool_destroy(pool);
}

static void
ports_have_one_owner(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 2);

	c.port_last = 1063;
	c.workers = THREADS;
	c.subscribers_max = 10;
	c.preserve_port = true;
	c.paired = false;
	rounds = 30000;
	run(&c);
	c.paired = true;
	c.quarantine_seconds = 3;
	run(&c);
}

static void
blocks_have_one_owner(void **state)
{
	struct nat_range range;
	struct nat_pool_config c = pool_config(&range, 2);

	c.workers = THREADS;
	c.port_last = 1103; /* ten blocks each */
	c.block_size = 8;
	c.blocks_max = 3;
	c.subscribers_max = 10;
	c.paired = false;
	rounds = 30000;
	run(&c);
	c.paired = true;
	c.quarantine_seconds = 2;
	run(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_have_one_owner),
		cmocka_unit_test(blocks_have_one_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
