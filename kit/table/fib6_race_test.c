/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IPv6 table between threads: one writer, several readers. Run it under ThreadSanitizer too.
 *
 * A prefix's value names the prefix and the writer's step at which it was set. Before and after a
 * vector a reader looks at which step the writer was; an answer must be what the oracle says
 * for some step in between, so one that is put together of two times is found.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/packet/packet.h"
#include "kit/table/fib6_int.h"

#define READERS 3u
#define PREFIXES 24u
#ifdef MR_RCU_TSAN
#define STEPS 1000u /* some 50 times slower */
#else
#define STEPS 10000u
#endif
#define PROBES 48u
#define BATCH 16u

/* Nested and beside each other, so that nodes come, go, split and merge. */
static const struct {
	uint64_t hi, lo;
	unsigned len;
} shape[PREFIXES] = {
	{ 0, 0, 0 },
	{ 0x2000000000000000, 0, 3 },
	{ 0x2001000000000000, 0, 16 },
	{ 0x2001000000000000, 0, 20 },
	{ 0x20010d0000000000, 0, 24 },
	{ 0x20010db800000000, 0, 29 },
	{ 0x20010db800000000, 0, 32 },
	{ 0x20010db900000000, 0, 32 },
	{ 0x20010db800000000, 0, 33 },
	{ 0x20010db880000000, 0, 36 },
	{ 0x20010db881000000, 0, 40 },
	{ 0x20010db881100000, 0, 44 },
	{ 0x20010db881110000, 0, 48 },
	{ 0x20010db881120000, 0, 48 },
	{ 0x20010db881110000, 0, 56 },
	{ 0x20010db881110001, 0, 64 },
	{ 0x20010db881110001, 1, 128 },
	{ 0x20010db881110001, 2, 128 },
	{ 0x20010db881110001, 0x100, 120 },
	{ 0x20010db8ff000000, 5, 128 },
	{ 0x2a00000000000000, 0, 12 },
	{ 0x2a00145000000000, 0, 32 },
	{ 0x2a00145040000000, 0, 48 },
	{ 0x2a00145040000000, 9, 127 },
};

struct race {
	struct mr_fib6 *table;
	_Atomic bool stop;
	_Atomic uint64_t wrong, asked;
	/* For each address probed: what holds after each step. */
	uint32_t *truth;
	_Atomic uint32_t begun, done; /* steps */
	uint8_t probe[PROBES][16];
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

static struct fib6_key
shape_key(unsigned i)
{
	return fib6_key_cut((struct fib6_key){ shape[i].hi, shape[i].lo }, shape[i].len);
}

static void
bytes_of(struct fib6_key key, uint8_t out[16])
{
	for (unsigned i = 0; i < 16; i++)
		out[i] = (uint8_t)fib6_key_byte(key, i);
}

static bool
legal(const struct race *r, unsigned probe, uint32_t value, uint32_t from, uint32_t to)
{
	for (uint32_t step = from; step <= to; step++) {
		if (r->truth[(size_t)step * PROBES + probe] == value)
			return true;
	}
	return false;
}

static void *
reader(void *arg)
{
	struct reader *me = arg;
	struct race *r = me->race;
	uint64_t wrong = 0, asked = 0;

	mr_rcu_register();
	while (!atomic_load(&r->stop)) {
		const uint8_t *addresses[BATCH];
		unsigned who[BATCH];
		uint32_t values[BATCH], from, to;

		for (unsigned i = 0; i < BATCH; i++) {
			who[i] = (unsigned)(next_random(&me->seed) % PROBES);
			addresses[i] = r->probe[who[i]];
		}
		from = atomic_load(&r->done);
		if (me->seed & 1) {
			mr_fib6_lookup(r->table, addresses, values, BATCH);
		} else {
			for (unsigned i = 0; i < BATCH; i++)
				values[i] = mr_fib6_find(r->table, addresses[i]);
		}
		to = atomic_load(&r->begun);
		for (unsigned i = 0; i < BATCH; i++)
			wrong += !legal(r, who[i], values[i], from, to);
		asked += BATCH;
		mr_rcu_quiescent();
	}
	mr_rcu_unregister();
	atomic_fetch_add(&r->wrong, wrong);
	atomic_fetch_add(&r->asked, asked);
	return NULL;
}

/* What each step does is drawn beforehand, so that the truth can be too. */
struct change {
	uint8_t prefix;
	uint32_t value; /* 0: removed */
};

static void
draw(struct race *r, struct change *changes, uint64_t seed)
{
	uint32_t value[PREFIXES] = { 0 };

	for (uint32_t step = 0; step <= STEPS; step++) {
		if (step) {
			unsigned i = (unsigned)(next_random(&seed) % PREFIXES);

			value[i] = value[i] && next_random(&seed) % 3 ? 0 : step * 32 + i + 1;
			changes[step] = (struct change){ (uint8_t)i, value[i] };
		}
		for (unsigned p = 0; p < PROBES; p++) {
			struct fib6_key key = fib6_key_load(r->probe[p]);
			uint32_t best = 0;

			for (unsigned i = 0; i < PREFIXES; i++) { /* an inner one comes later */
				struct fib6_key cut = fib6_key_cut(key, shape[i].len);
				struct fib6_key k = shape_key(i);

				if (value[i] && cut.hi == k.hi && cut.lo == k.lo)
					best = value[i];
			}
			r->truth[(size_t)step * PROBES + p] = best;
		}
	}
}

static void
race(bool portable)
{
	struct mr_fib6_config config = { .seed = 3, .portable = portable };
	struct change *changes = calloc(STEPS + 1, sizeof(*changes));
	struct reader who[READERS] = { 0 };
	struct mr_error error = { 0 };
	struct race r = { 0 };
	uint8_t prefix[16];

	assert_int_equal(mr_fib6_create(&r.table, &config, &error), 0);
	r.truth = calloc((size_t)(STEPS + 1) * PROBES, sizeof(*r.truth));
	assert_non_null(r.truth);
	assert_non_null(changes);
	for (unsigned i = 0; i < PREFIXES; i++) {
		struct fib6_key k = shape_key(i);

		bytes_of(k, r.probe[2 * i]);
		k.lo |= shape[i].len < 128 ? 0x80 : 0; /* also in it, or beside it */
		bytes_of(k, r.probe[2 * i + 1]);
	}
	draw(&r, changes, 12345);
	for (unsigned i = 0; i < READERS; i++) {
		who[i].race = &r;
		who[i].seed = 99 + i;
		assert_int_equal(pthread_create(&who[i].thread, NULL, reader, &who[i]), 0);
	}
	for (uint32_t step = 1; step <= STEPS; step++) {
		unsigned i = changes[step].prefix;
		int rc;

		bytes_of(shape_key(i), prefix);
		atomic_store(&r.begun, step);
		if (changes[step].value)
			rc = mr_fib6_set(r.table, prefix, shape[i].len, changes[step].value);
		else
			rc = mr_fib6_unset(r.table, prefix, shape[i].len);
		assert_int_equal(rc, 0);
		atomic_store(&r.done, step);
	}
	atomic_store(&r.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(who[i].thread, NULL);
	assert_int_equal(atomic_load(&r.wrong), 0);
	assert_true(atomic_load(&r.asked) > 0);
	mr_fib6_destroy(r.table);
	free(r.truth);
	free(changes);
}

static void
answers_are_of_one_moment(void **state)
{
	race(false);
}

static void
portable_answers_too(void **state)
{
	race(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_of_one_moment),
		cmocka_unit_test(portable_answers_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
