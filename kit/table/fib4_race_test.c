/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IPv4 table between threads: one writer sets, replaces and unsets prefixes of every
 * kind in one /8, readers look addresses up all the time. A value names the
 * prefix that it is for, so a reader can tell whether its answer is one of the legal ones:
 * a prefix that covers the address, or none where nothing is there for good. Run it under
 * ThreadSanitizer too.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/base/rcu.h"
#include "kit/packet/packet.h"
#include "kit/table/fib4.h"

#define READERS 2u
#ifdef MR_RCU_TSAN
#define CHANGES 5000u
#else
#define CHANGES 60000u
#endif
#define PREFIXES 600u
/* Values of a prefix: base + 2 * its number + 0 or 1. Odd numbers get long ones. */
#define SHORT_BASE 2u
#define LONG_BASE 0x100000u

struct prefix {
	uint32_t prefix;
	unsigned len;
	bool kept; /* replaced, never unset */
};

struct race {
	struct mr_fib4 *fib;
	struct prefix prefixes[PREFIXES];
	_Atomic bool stop;
	_Atomic uint64_t wrong, answers;
};

struct reader {
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

static uint32_t
cut(uint32_t address, unsigned len)
{
	return len ? address & ~0u << (32 - len) : 0;
}

static uint32_t
value_of(unsigned n, unsigned which)
{
	return (n & 1 ? LONG_BASE : SHORT_BASE) + 2 * n + which;
}

static bool
legal(const struct race *r, uint32_t address, uint32_t value)
{
	unsigned n = (value - (value >= LONG_BASE ? LONG_BASE : SHORT_BASE)) / 2;

	if (!value)
		return !r->prefixes[0].kept;
	return value >= SHORT_BASE && n < PREFIXES && (n & 1) == (value >= LONG_BASE) &&
	    cut(address, r->prefixes[n].len) == r->prefixes[n].prefix;
}

static uint32_t
some_address(uint64_t *seed)
{
	uint32_t r = (uint32_t)next_random(seed);

	switch (next_random(seed) % 4) {
	case 0:
		return 0x0a000000 | (r & 0x00ffffff);
	case 1:
		return 0x0a010000 | (r & 0x0003ffff);
	case 2:
		return 0x0a020200 | (r & 0x000001ff);
	default:
		return 0x0a020200 | (r & 0x0000003f);
	}
}

static void *
reader(void *arg)
{
	struct reader *me = arg;
	struct race *r = me->race;
	uint64_t wrong = 0, answers = 0;

	mr_rcu_register();
	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		uint32_t addresses[64], values[64];

		for (unsigned i = 0; i < 64; i++)
			addresses[i] = some_address(&me->seed);
		mr_fib4_lookup(r->fib, addresses, values, 64);
		for (unsigned i = 0; i < 64; i++) {
			wrong += !legal(r, addresses[i], values[i]);
			answers += values[i] != 0;
		}
		mr_rcu_quiescent();
	}
	mr_rcu_unregister();
	atomic_fetch_add(&r->wrong, wrong);
	atomic_fetch_add(&r->answers, answers);
	return NULL;
}

/* The first prefix is the default route. */
static void
choose(struct race *r, bool kept, uint64_t *seed)
{
	unsigned n = 1;

	r->prefixes[0] = (struct prefix){ 0, 0, kept };
	while (n < PREFIXES) {
		unsigned len = 8 + (unsigned)(next_random(seed) % 25), i;
		uint32_t prefix = cut(some_address(seed), len);

		for (i = 0; i < n; i++)
			if (r->prefixes[i].prefix == prefix && r->prefixes[i].len == len)
				break;
		if (i == n)
			r->prefixes[n++] = (struct prefix){ prefix, len, false };
	}
}

static void
run(bool kept, bool portable)
{
	static struct race r;
	struct reader who[READERS];
	struct mr_fib4_config config = { .portable = portable };
	struct mr_error error = { 0 };
	struct mr_fib4_stats stats;
	uint64_t seed = kept ? 5 : 6;
	unsigned failed = 0;

	r = (struct race){ 0 };
	assert_int_equal(mr_fib4_create(&r.fib, &config, &error), 0);
	choose(&r, kept, &seed);
	if (kept)
		assert_int_equal(mr_fib4_set(r.fib, 0, 0, value_of(0, 0)), 0);
	for (unsigned i = 0; i < READERS; i++) {
		who[i] = (struct reader){ .race = &r, .seed = 100 + i };
		assert_int_equal(pthread_create(&who[i].thread, NULL, reader, &who[i]), 0);
	}
	for (unsigned i = 0; i < CHANGES; i++) {
		unsigned n = (unsigned)(next_random(&seed) % PREFIXES);
		const struct prefix *p = &r.prefixes[n];
		uint32_t value = value_of(n, i & 1);

		/* Mostly few are there, so that chunks and lines come and go. */
		if (p->kept || next_random(&seed) % 4 == 0)
			failed += mr_fib4_set(r.fib, p->prefix, p->len, value) != 0;
		else
			mr_fib4_unset(r.fib, p->prefix, p->len);
	}
	/* What set says, later look-ups see. */
	for (unsigned n = 0; n < PREFIXES; n++)
		failed += mr_fib4_set(r.fib, r.prefixes[n].prefix, r.prefixes[n].len,
			      value_of(n, 0)) != 0;
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t address = some_address(&seed);

		assert_int_equal(mr_fib4_find(r.fib, address),
		    mr_fib4_match(r.fib, address, NULL, NULL));
	}
	for (unsigned n = kept; n < PREFIXES; n++)
		failed += mr_fib4_unset(r.fib, r.prefixes[n].prefix, r.prefixes[n].len) != 0;
	atomic_store(&r.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(who[i].thread, NULL);
	assert_int_equal(failed, 0);
	assert_int_equal(atomic_load(&r.wrong), 0);
	assert_true(atomic_load(&r.answers) > 0);
	if (kept)
		assert_int_equal(mr_fib4_unset(r.fib, 0, 0), 0);
	mr_fib4_flush(r.fib);
	mr_fib4_stats(r.fib, &stats);
	assert_int_equal(stats.total, 0);
	assert_int_equal(stats.chunks, 1);
	assert_int_equal(stats.wide + stats.deep + stats.retired, 0);
	mr_fib4_destroy(r.fib);
}

/* With a default route there is always an answer. */
static void
default_route_stays(void **state)
{
	run(true, true);
	run(true, false);
}

static void
everything_flaps(void **state)
{
	run(false, true);
	run(false, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_route_stays),
		cmocka_unit_test(everything_flaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
