/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that make, find, follow, lease and end the mappings and sessions of the same few inside ends,
 * while another sweeps and flushes. Afterwards every name has one entry, every port one owner, and
 * nothing is lost. Run it under ThreadSanitizer too.
 */
#include <pthread.h>

#include "nf/nat/nat_test_int.h"
#include "nf/nat/pcp/pcp_int.h"

#define THREADS 3u
#define ROUNDS 30000u
#define HOSTS 4u
#define PORTS 8u
#define REMOTES 3u

static struct nat_core *core;
static struct nat_view view;
static struct nat_instance instance = { .number = 1,
	.filtering = NAT_PORT_DEPENDENT,
	.epoch = 1,
	.lease_min = 1,
	.lease_max = 100 };
static _Atomic bool stop;
static _Atomic uint64_t leased;
static uint64_t shared_made;
static _Atomic uint64_t counters[THREADS][NAT_COUNTER_COUNT];

static struct nat_packet
packet(uint64_t *seed)
{
	struct nat_packet k = { .what = NAT_FLOW,
		.proto = draw(seed) & 1 ? TCP : UDP,
		.src = mr_be32(HOST + (uint32_t)(draw(seed) % HOSTS)),
		.dst = mr_be32(REMOTE + (uint32_t)(draw(seed) % REMOTES)),
		.sport = mr_be16((uint16_t)(5000 + draw(seed) % PORTS)),
		.dport = mr_be16(80) };

	if (k.proto == TCP)
		k.tcp = draw(seed) % 4 ? MR_TCP_ACK : MR_TCP_SYN;
	return k;
}

/* A host asks for a mapping, or gives one up, or all. */
static void
ask(const struct nat_pass *s, const struct nat_packet *k, uint64_t *seed)
{
	struct nat_pcp_request r = { .kind = NAT_PCP_MAP,
		.proto = k->proto,
		.inside = draw(seed) % 64 ? k->sport : 0,
		.outside = mr_be16((uint16_t)(2000 + draw(seed) % 64)),
		.lifetime = draw(seed) % 3 * 20,
		.only_this = draw(seed) % 4 == 0 };
	struct nat_pcp_answer a = { 0 };

	r.nonce[0] = draw(seed) % 3;
	r.nat_pmp = !r.nonce[0];
	r.inside = r.nat_pmp ? r.inside : k->sport;
	nat_lease_map(s, &instance, k->src, &r, &a);
	if (!a.result && a.lifetime) {
		atomic_fetch_add_explicit(&leased, 1, memory_order_relaxed);
		assert_true(a.lifetime <= 40 && mr_be16(a.port) >= 2000);
	}
}

static void *
work(void *arg)
{
	unsigned worker = (unsigned)(uintptr_t)arg;
	uint64_t seed = worker + 1;
	struct mr_node_run run = { .worker = (uint16_t)worker, .counters = counters[worker] };
	const struct nat_pass s = { .core = core,
		.table = core->table,
		.view = &view,
		.run = &run };

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct nat_packet k = packet(&seed), back;
		struct nat_found out, in;

		run.seconds = 10000 + i / 10;
		if (draw(&seed) % 8 == 0)
			ask(&s, &k, &seed);
		if (nat_outward(&s, &instance, &k, &out) != NAT_DONE)
			continue;
		assert_true(out.ports && out.number);
		back = k;
		back.src = k.dst;
		back.sport = k.dport;
		back.dst = out.address;
		back.dport = out.port;
		back.tcp &= MR_TCP_ACK;
		/* It may be over by now, or another's; if it is found it leads inside. */
		if (nat_inward(&s, &instance, &back, &in) == NAT_DONE) {
			assert_true(mr_be32(in.address) - HOST < HOSTS);
			assert_true(mr_be16(in.port) - 5000u < PORTS);
		}
	}
	return NULL;
}

static bool
is_picked(const struct nat_entry *e, uint32_t word, void *arg)
{
	uint64_t *seed = arg;

	(void)e;
	/* What leads to a sharer goes with it. */
	return !(word & NAT_SHARE) && draw(seed) % 4 == 0;
}

static void *
control(void *arg)
{
	uint64_t seed = 99;
	uint32_t now = 10000;

	while (!atomic_load(&stop)) {
		now += 20;
		nat_sweep(core->table, now, 200);
		nat_pool_tick(instance.pool, now);
		nat_lease_forget(core, now);
		if (draw(&seed) % 8 == 0)
			nat_flush(core->table, is_picked, &seed, now);
	}
	return arg;
}

static bool
is_any(const struct nat_entry *e, uint32_t word, void *arg)
{
	(void)e;
	(void)word;
	(void)arg;
	return true;
}

/* No two have the same outside end for the same remote one. */
static void
check_shares(const struct nat_table *t)
{
	for (uint32_t i = 1; i <= t->top; i++)
		for (uint32_t j = i + 1; j <= t->top; j++) {
			const struct nat_entry *a = &t->entries[i], *b = &t->entries[j];

			if ((a->word & b->word & NAT_LIVE) && !((a->word | b->word) & NAT_SHARE) &&
			    a->outside == b->outside && a->scope == b->scope)
				assert_int_not_equal(NAT_PROTO_OF(a->inside),
				    NAT_PROTO_OF(b->inside));
		}
}

static void
race(uint16_t last)
{
	const struct nat_range range = { POOL, POOL };
	struct nat_pool_config config = { .ranges = &range,
		.range_count = 1,
		.port_first = 2000,
		.port_last = last,
		.paired = true,
		.preserve_port = true,
		.subscriber_sessions = 1000,
		.subscribers_max = 64,
		.workers = THREADS };
	pthread_t threads[THREADS], other;
	struct nat_pool_state ports;
	unsigned slots = 0, live = 0, owned = 0;
	struct mr_error error;
	struct nat_table *t;

	assert_int_equal(nat_core_create(&core, 1024, THREADS, &error), 0);
	assert_int_equal(nat_pool_create(&instance.pool, &config, &error), 0);
	view = (struct nat_view){ .count = 1, .instances = &instance };
	t = core->table;
	t->pools[1] = instance.pool;
	t->epochs[1] = 1;
	for (unsigned k = 0; k < NAT_TIME_COUNT; k++)
		t->timeouts[1][k] = 30;
	atomic_store(&stop, false);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i), 0);
	assert_int_equal(pthread_create(&other, NULL, control, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&stop, true);
	pthread_join(other, NULL);
	for (uint32_t b = 0; b <= t->slots.mask; b++)
		for (unsigned i = 0; i < MR_SLOTS_WAYS; i++)
			slots += t->slots.buckets[b].slot[i] != 0;
	for (uint32_t i = 1; i <= t->top; i++) {
		struct nat_entry *e = &t->entries[i];
		struct nat_name name = { .inside = e->inside, .scope = e->scope };
		uint32_t word;

		assert_int_equal(e->word & NAT_LOCK, 0);
		if (!(e->word & NAT_LIVE))
			continue;
		live++;
		assert_int_equal(nat_find(t, 0, &name, nat_hash(t, &name), e->seen, &word), i);
		if (e->word & NAT_CHILD)
			continue;
		owned++;
		assert_int_equal(nat_pool_find(instance.pool, NAT_ADDRESS(e->outside),
				     nat_pool_proto(NAT_PROTO_OF(e->inside)),
				     NAT_PORT_OF(e->outside)),
		    i);
	}
	assert_int_equal(slots, live);
	if (instance.overload)
		check_shares(t);
	nat_pool_state(instance.pool, &ports);
	assert_int_equal(ports.used[NAT_TCP] + ports.used[NAT_UDP], owned);
	assert_true(mr_counters_sum(t->counters, NAT_COUNT_COUNT + NAT_COUNT_CREATED) >= 32);
	shared_made = mr_counters_sum(t->counters, NAT_COUNT_COUNT + NAT_COUNT_SHARED);
	nat_flush(t, is_any, NULL, 20000);
	nat_pool_state(instance.pool, &ports);
	assert_int_equal(ports.used[NAT_TCP] + ports.used[NAT_UDP], 0);
	assert_int_equal(nat_mappings(t, 1), 0);
	assert_int_equal(nat_sessions(t, 1), 0);
	assert_int_equal(mr_pool_used(t->numbers), 0);
	nat_pool_destroy(instance.pool);
	nat_core_destroy(core, NULL);
}

static void
one_entry_for_each_name(void **state)
{
	race(2063);
	assert_true(leased > 100);
}

static void
ports_that_are_shared(void **state)
{
	instance.mapping = NAT_PORT_DEPENDENT;
	instance.overload = true;
	race(2007);
	assert_true(shared_made > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_entry_for_each_name),
		cmocka_unit_test(ports_that_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
