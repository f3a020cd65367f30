/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/flow/table_test_int.h"

struct told {
	struct mr_flow_table *t;
	uint32_t flows[1000];
	unsigned count;
	uint32_t remove, idle;
	bool fold;
};

static void
tell(void *user, uint32_t flow)
{
	struct told *told = user;

	assert_true(mr_flow_table_has(told->t, flow));
	told->flows[told->count++] = flow;
	if (told->fold) {
		for (uint32_t i = 1; i <= mr_flow_table_top(told->t); i++)
			mr_flow_table_fold(told->t, i);
	}
	if (told->remove) {
		mr_flow_table_remove(told->t, told->remove);
		told->remove = 0;
	}
}

static uint32_t
idle_of(void *user, const struct mr_flow *line)
{
	struct told *told = user;

	return line->program == 1 ? told->idle : 30;
}

static void
test_age(void **s)
{
	struct mr_flow_table *t = make(100, 30);
	struct mr_flow *lines = mr_flow_table_lines(t);
	struct told told = { .t = t };
	uint32_t flow[4];

	for (unsigned n = 0; n < 4; n++) {
		struct mr_flow_key key = key_of(n);

		flow[n] = add(t, &key);
	}
	assert_int_equal(mr_flow_table_age(t, SECOND, 64, NULL, tell, &told), 0);
	mr_flow_touch(t, lines, flow[1], 64, SECOND + 20);
	mr_flow_touch(t, lines, flow[2], 64, SECOND + 29);
	assert_int_equal(mr_flow_table_age(t, SECOND + 29, 64, NULL, tell, &told), 0);
	assert_int_equal(mr_flow_table_age(t, SECOND + 30, 64, NULL, tell, &told), 2);
	assert_int_equal(told.flows[0] + told.flows[1], flow[0] + flow[3]);
	assert_false(mr_flow_table_has(t, flow[0]));
	assert_int_equal(mr_flow_table_age(t, SECOND + 49, 64, NULL, tell, &told), 0);
	assert_int_equal(mr_flow_table_age(t, SECOND + 50, 64, NULL, tell, &told), 1);
	assert_int_equal(told.flows[2], flow[1]);
	/* Late, and without anybody who wants to know. */
	assert_int_equal(mr_flow_table_age(t, SECOND + 500, 64, NULL, NULL, NULL), 1);
	assert_int_equal(stats_of(t).flows, 0);
	assert_int_equal(stats_of(t).expired, 4);
	assert_int_equal(stats_of(t).removed, 4);
	check_buckets(t);
	mr_flow_table_destroy(t);
}

/* The callback folds, and removes another that is due in the same batch, or itself. */
static void
test_age_remove(void **s)
{
	struct mr_flow_table *t = make(100, 30);
	struct told told = { .t = t, .fold = true };
	unsigned expired;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned n = 0; n < 10; n++) {
			struct mr_flow_key key = key_of(n);

			mr_flow_touch(t, t->lines,
			    mr_flow_table_add(t, &key, mr_flow_table_hash(t, &key),
				SECOND + 100 * round),
			    64, SECOND + 100 * round);
		}
		told.count = 0;
		/* Timers of one tick come in any order; the last added comes first. */
		told.remove = mr_flow_table_top(t) - 9 * round;
		expired = mr_flow_table_age(t, SECOND + 100 * round + 30, 64, NULL, tell, &told);
		assert_int_equal(expired, told.count);
		assert_true(told.count == 9 || told.count == 10);
		assert_int_equal(stats_of(t).flows, 0);
		assert_int_equal(mr_timer_count(t->wheel), 0);
		check_buckets(t);
	}
	mr_flow_table_destroy(t);
}

/* What says how long: days, for ever; `seen` has 16 bits only. */
static void
test_age_long(void **s)
{
	struct mr_flow_table *t = make(10, 30);
	struct mr_flow *lines = mr_flow_table_lines(t);
	struct told told = { .t = t, .idle = 432000 };
	struct mr_flow_key key = key_of(1);
	uint32_t flow = add(t, &key), at = SECOND, last;
	struct mr_flow_peek peek;

	mr_flow_set(&lines[flow], 1, 0, 0);
	/* A packet after each 60,000 seconds: looks in between. */
	for (unsigned i = 0; i < 5; i++) {
		mr_flow_touch(t, lines, flow, 64, at);
		for (unsigned k = 0; k < 60; k++)
			mr_flow_table_age(t, at += 1000, 64, idle_of, tell, &told);
	}
	last = at;
	mr_flow_touch(t, lines, flow, 64, last);
	/* Silent for five days, but not a second more. */
	for (; at < last + 432000 - 100; at += 100)
		assert_int_equal(mr_flow_table_age(t, at, 64, idle_of, tell, &told), 0);
	assert_int_equal(mr_flow_table_age(t, last + 431999, 64, idle_of, tell, &told), 0);
	assert_true(mr_flow_table_peek(t, flow, last + 431999, &peek));
	assert_int_equal(peek.idle, 431999);
	assert_int_equal(peek.packets, 6);
	assert_int_equal(mr_flow_table_age(t, last + 432000, 64, idle_of, tell, &told), 1);
	/* For ever; until it changes its mind. */
	flow = mr_flow_table_add(t, &key, mr_flow_table_hash(t, &key), at);
	mr_flow_set(&lines[flow], 1, 0, 0);
	told.idle = 0;
	last = at;
	for (; at < last + 10000000; at += 5000)
		assert_int_equal(mr_flow_table_age(t, at, 64, idle_of, tell, &told), 0);
	assert_true(mr_flow_table_has(t, flow));
	told.idle = 30;
	for (unsigned i = 0; i <= FLOW_LOOK_SECONDS / 1000 + 1; i++)
		mr_flow_table_age(t, at += 1000, 64, idle_of, tell, &told);
	assert_false(mr_flow_table_has(t, flow));
	mr_flow_table_destroy(t);
}

/* No call does more than its budget, and all is done in the end. */
static void
test_age_budget(void **s)
{
	enum { FLOWS = 100000 };
	struct mr_flow_table *t = make(FLOWS, 300);
	unsigned calls = 0, expired = 0, most = 0;

	for (uint32_t n = 0; n < FLOWS; n++) {
		struct mr_flow_key key = key_of(n);

		assert_true(add(t, &key));
	}
	while (stats_of(t).flows) {
		unsigned n = mr_flow_table_age(t, SECOND + 300, 100, NULL, NULL, NULL);

		most = MR_MAX(most, n);
		expired += n;
		assert_true(++calls < FLOWS);
	}
	assert_true(most <= 100);
	assert_int_equal(expired, FLOWS);
	check_buckets(t);
	mr_flow_table_destroy(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_age_remove),
		cmocka_unit_test(test_age_long),
		cmocka_unit_test(test_age_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
