/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The classifier between threads: one writer adds, removes and replaces rules in batches, readers
 * look packets up all the time. Each batch leaves the rules in one of two states as a whole:
 * those of even numbers are there or those of odd numbers, never some of both, so a reader that
 * finds both in one vector has seen half a batch. Run it under ThreadSanitizer too.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kit/base/rcu.h"
#include "kit/table/classbench.h"
#include "kit/table/classifier.h"

#define READERS 2u
#ifdef MR_RCU_TSAN
#define BATCHES 150u
#else
#define BATCHES 1500u
#endif
#define RULES 256u /* of each parity */

struct race {
	struct mr_class *c;
	struct mr_class_rule rules[2][RULES];
	_Atomic bool stop;
	_Atomic uint64_t wrong, vectors;
};

struct reader {
	struct race *race;
	uint64_t seed;
	pthread_t thread;
};

/* Rule i of both parities has the same fields; they differ in value and priority alone. */
static void
choose(struct race *r, uint64_t *seed)
{
	for (unsigned i = 0; i < RULES; i++) {
		struct mr_class_rule rule = { .family = i % 4 ? 4 : 6, .sport_hi = 65535 };
		uint64_t bits = mr_classbench_random(seed);

		rule.src_len = (uint8_t)(i % 8 * 4);
		rule.dst_len = 32;
		rule.dport_hi = i % 3 ? 80 : 65535;
		rule.dport_lo = i % 3 ? 80 : 1024;
		rule.dst[0] = 10;
		rule.dst[2] = (uint8_t)i;
		for (unsigned k = 0; k < rule.src_len / 8u; k++)
			rule.src[k] = (uint8_t)(bits >> (8 * k));
		for (unsigned parity = 0; parity < 2; parity++) {
			rule.value = 2 * i + parity;
			rule.priority = parity ? i : RULES - i;
			r->rules[parity][i] = rule;
		}
	}
}

static void *
reader(void *arg)
{
	struct reader *me = arg;
	struct race *r = me->race;
	struct mr_class_key keys[MR_CLASS_VECTOR];
	uint32_t values[MR_CLASS_VECTOR];
	uint64_t wrong = 0, vectors = 0, generation = 0;

	mr_rcu_register();
	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		const struct mr_class_view *view = mr_class_view(r->c);

		for (unsigned i = 0; i < MR_CLASS_VECTOR; i++)
			mr_classbench_key(&keys[i],
			    &r->rules[0][mr_classbench_random(&me->seed) % RULES], i & 1,
			    &me->seed);
		mr_class_lookup(view, keys, values, NULL, MR_CLASS_VECTOR);
		for (unsigned i = 0; i < MR_CLASS_VECTOR; i++)
			wrong += values[i] == MR_CLASS_NONE || (values[i] ^ values[0]) & 1;
		wrong += mr_class_generation(view) < generation;
		generation = mr_class_generation(view);
		vectors++;
		mr_rcu_quiescent();
	}
	mr_rcu_unregister();
	atomic_fetch_add(&r->wrong, wrong);
	atomic_fetch_add(&r->vectors, vectors);
	return NULL;
}

static void
publish(struct mr_class *c)
{
	struct mr_class_retired *old;
	struct mr_error error;

	assert_int_equal(mr_class_publish(c, &old, &error), 0);
	mr_rcu_synchronize();
	mr_class_release(old);
}

static void
batches_are_seen_whole(void **state)
{
	static struct race r;
	struct reader who[READERS];
	struct mr_class_config config = { .seed = 9 };
	struct mr_error error;
	uint32_t ids[RULES];
	uint64_t seed = 17;
	unsigned failed = 0;

	assert_int_equal(mr_class_create(&r.c, &config, &error), 0);
	choose(&r, &seed);
	assert_int_equal(mr_class_replace_all(r.c, r.rules[1], RULES, &error), 0);
	for (unsigned i = 0; i < RULES; i++)
		ids[i] = i;
	publish(r.c);
	for (unsigned i = 0; i < READERS; i++) {
		who[i] = (struct reader){ .race = &r, .seed = 100 + i };
		assert_int_equal(pthread_create(&who[i].thread, NULL, reader, &who[i]), 0);
	}
	for (unsigned n = 0; n < BATCHES; n++) {
		unsigned parity = n & 1;

		if (n % 16 == 7) {
			failed += mr_class_replace_all(r.c, r.rules[parity], RULES, &error) != 0;
			for (unsigned i = 0; i < RULES; i++)
				ids[i] = i;
		}
		for (unsigned i = 0; i < RULES && n % 16 != 7; i++) {
			failed += mr_class_remove(r.c, ids[i], &error) != 0;
			failed += mr_class_add(r.c, &r.rules[parity][i], &ids[i], &error) != 0;
		}
		publish(r.c);
	}
	atomic_store(&r.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(who[i].thread, NULL);
	assert_int_equal(failed, 0);
	assert_int_equal(atomic_load(&r.wrong), 0);
	assert_true(atomic_load(&r.vectors) > 0);
	mr_class_destroy(r.c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_are_seen_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
