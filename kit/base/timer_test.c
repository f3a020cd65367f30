/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/base/timer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t
draw(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* The oracle: a list of the armed timers, sorted by the tick they are due. */
enum { TIMERS = 700 };

struct model {
	struct {
		uint64_t tick;
		uint32_t index;
	} list[TIMERS];
	unsigned count;
};

static bool
model_remove(struct model *m, uint32_t index)
{
	unsigned i;

	for (i = 0; i < m->count; i++)
		if (m->list[i].index == index) {
			memmove(&m->list[i], &m->list[i + 1],
			    (--m->count - i) * sizeof(m->list[0]));
			return true;
		}
	return false;
}

static void
model_set(struct model *m, uint32_t index, uint64_t tick)
{
	unsigned i;

	model_remove(m, index);
	for (i = 0; i < m->count && m->list[i].tick <= tick; i++)
		;
	memmove(&m->list[i + 1], &m->list[i], (m->count++ - i) * sizeof(m->list[0]));
	m->list[i].tick = tick;
	m->list[i].index = index;
}

/* The element's timer is not at its start, as in a flow's state. */
struct element {
	uint64_t before;
	struct mr_timer timer;
	uint64_t after[2];
};

struct pair {
	struct element *elements;
	struct mr_timer_wheel *wheel;
	struct model model;
	unsigned shift;
	uint64_t now;
};

static void
pair_set(struct pair *p, uint32_t index, uint64_t time)
{
	uint64_t mask = (UINT64_C(1) << p->shift) - 1;
	uint64_t tick = (time >> p->shift) + ((time & mask) != 0);

	mr_timer_set(p->wheel, index, time);
	model_set(&p->model, index, tick);
	assert_true(mr_timer_armed(&p->elements[index].timer));
}

/* What comes out is due, in the order of ticks, and in the oracle. When the wheel has
 * caught up, nothing that is due is left in the oracle. */
static void
pair_advance(struct pair *p, uint64_t now, unsigned budget, unsigned max)
{
	uint32_t expired[TIMERS];
	unsigned count, i, j;
	uint64_t last = 0;

	count = mr_timer_advance(p->wheel, now, budget, expired, max);
	now = p->now = MR_MAX(p->now, now); /* a clock that goes back stands still */
	assert_true(count <= max && count <= budget);
	for (i = 0; i < count; i++) {
		for (j = 0; j < p->model.count && p->model.list[j].index != expired[i]; j++)
			;
		assert_true(j < p->model.count);
		assert_true(p->model.list[j].tick <= now >> p->shift);
		/* A timer set for the past is due now: the order is that of max(tick, then). */
		assert_true(p->elements[expired[i]].timer.tick >= last);
		last = p->elements[expired[i]].timer.tick;
		assert_true(last >= p->model.list[j].tick);
		assert_false(mr_timer_armed(&p->elements[expired[i]].timer));
		assert_true(model_remove(&p->model, expired[i]));
	}
	assert_int_equal(mr_timer_count(p->wheel), p->model.count);
	if (!mr_timer_behind(p->wheel) && p->model.count)
		assert_true(p->model.list[0].tick > now >> p->shift);
	if (!p->model.count)
		assert_true(mr_timer_behind(p->wheel) || mr_timer_next(p->wheel) == UINT64_MAX);
	else if (!mr_timer_behind(p->wheel))
		assert_true(mr_timer_next(p->wheel) >> p->shift <= p->model.list[0].tick);
}

static void
pair_run(uint64_t seed, unsigned shift, uint64_t start, unsigned reach_bits)
{
	struct mr_timer_wheel_config config;
	struct pair p = { .shift = shift, .now = start };
	uint64_t rng = seed, span, time;
	unsigned step, i;
	uint32_t index;

	p.elements = calloc(TIMERS, sizeof(*p.elements));
	assert_non_null(p.elements);
	config = (struct mr_timer_wheel_config){ &p.elements[0].timer, sizeof(struct element),
		TIMERS, shift, start };
	assert_int_equal(mr_timer_wheel_create(&p.wheel, &config, NULL), 0);
	for (step = 0; step < 6000; step++) {
		index = draw(&rng) % TIMERS;
		span = draw(&rng) >> (64 - reach_bits) >> draw(&rng) % reach_bits;
		switch (draw(&rng) % 8) {
		case 0 ... 3: /* arm or move; now and then for the past */
			time = p.now + span;
			if (time < p.now)
				time = UINT64_MAX;
			if (draw(&rng) % 16 == 0)
				time = p.now - MR_MIN(span, p.now);
			pair_set(&p, index, time);
			break;
		case 4:
			assert_int_equal(mr_timer_cancel(p.wheel, index),
			    model_remove(&p.model, index));
			break;
		case 5: /* a bounded step */
			time = p.now + span / 16;
			pair_advance(&p, MR_MAX(time, p.now), draw(&rng) % 20, draw(&rng) % 20);
			break;
		case 6: /* time stands still or goes back */
			pair_advance(&p, p.now - MR_MIN(span % 4, p.now), TIMERS * 9, 3);
			break;
		case 7: /* all the way */
			time = p.now + span / 4;
			pair_advance(&p, MR_MAX(time, p.now), TIMERS * 9, TIMERS);
			assert_false(mr_timer_behind(p.wheel));
			break;
		}
	}
	/* To the end of time, in small steps. */
	for (i = 0; i < 100000 && (i == 0 || p.model.count); i++)
		pair_advance(&p, UINT64_MAX, 7, 5);
	/* With a shift, what was rounded up past the last tick never comes. */
	for (i = 0; i < p.model.count; i++)
		assert_true(p.model.list[i].tick > UINT64_MAX >> shift);
	for (i = 0; i < TIMERS; i++)
		assert_int_equal(p.elements[i].before | p.elements[i].after[0] |
			p.elements[i].after[1] | p.elements[i].timer.data,
		    0);
	mr_timer_wheel_destroy(p.wheel);
	free(p.elements);
}

static void
test_model(void **state)
{
	uint64_t seed;

	for (seed = 1; seed <= 6; seed++) {
		pair_run(seed, 0, 0, 12); /* close together, many per slot */
		pair_run(seed, 0, 1000003, 20);
		pair_run(seed, 20, UINT64_C(1) << 60, 40); /* nanoseconds, milliseconds a tick */
		pair_run(seed, 0, UINT64_C(0xffffff00) - 5, 16); /* over a byte boundary, high up */
		pair_run(seed, 0, 12345, 64);                    /* the whole horizon */
		pair_run(seed, 3, UINT64_MAX - 70000, 17);
	}
}

/* However far away and however many at once, one call touches no more than its budget. */
static void
test_budget(void **state)
{
	enum { COUNT = 50000, BUDGET = 64 };
	struct mr_timer *timers = calloc(COUNT, sizeof(*timers));
	struct mr_timer_wheel_config config = { timers, sizeof(*timers), COUNT, 0, 7 };
	uint32_t expired[BUDGET], i;
	struct mr_timer_wheel *w;
	unsigned calls = 0, total = 0, n;

	assert_non_null(timers);
	assert_int_equal(mr_timer_wheel_create(&w, &config, NULL), 0);
	for (i = 0; i < COUNT; i++)
		mr_timer_set(w, i, 1000000); /* level 2 */
	do {
		n = mr_timer_advance(w, 2000000, BUDGET, expired, BUDGET);
		for (i = 0; i < n; i++)
			assert_int_equal(timers[expired[i]].tick, 1000000);
		total += n;
		calls++;
	} while (mr_timer_behind(w));
	assert_int_equal(total, COUNT);
	/* Moved twice, expired once: three touches each, all calls but the last full. */
	assert_int_equal(calls, (3 * COUNT + BUDGET - 1) / BUDGET);
	assert_int_equal(mr_timer_next(w), UINT64_MAX);
	mr_timer_wheel_destroy(w);
	free(timers);
}

/* While a slot is moved down in pieces, its timers can be moved and cancelled. */
static void
test_during_descent(void **state)
{
	enum { COUNT = 1000 };
	struct mr_timer timers[COUNT] = { { 0 } };
	struct mr_timer_wheel_config config = { timers, sizeof(*timers), COUNT, 0, 0 };
	uint32_t expired[COUNT], i;
	struct mr_timer_wheel *w;
	unsigned total = 0;

	assert_int_equal(mr_timer_wheel_create(&w, &config, NULL), 0);
	for (i = 0; i < COUNT; i++)
		mr_timer_set(w, i, 256 + i % 256);
	assert_int_equal(mr_timer_advance(w, 256, 100, expired, COUNT), 0);
	assert_true(mr_timer_behind(w));
	assert_int_equal(mr_timer_next(w), 256);
	for (i = 0; i < COUNT; i += 2)
		assert_true(mr_timer_cancel(w, i));
	for (i = 1; i < COUNT; i += 4)
		mr_timer_set(w, i, 256);
	for (i = 0; i < 10; i++)
		total += mr_timer_advance(w, 256, 100, expired + total, COUNT - total);
	assert_int_equal(total, COUNT / 4);
	for (i = 0; i < total; i++)
		assert_int_equal(expired[i] % 4, 1);
	total += mr_timer_advance(w, 511, 10000, expired + total, COUNT - total);
	assert_int_equal(total, COUNT / 2);
	assert_int_equal(mr_timer_count(w), 0);
	mr_timer_wheel_destroy(w);
}

static void
test_errors(void **state)
{
	struct mr_timer timer;
	struct mr_timer_wheel_config config = { &timer, sizeof(timer), 0, 0, 0 };
	struct mr_timer_wheel *w = (void *)1;
	struct mr_error error;

	assert_int_equal(mr_timer_wheel_create(&w, &config, &error), -EINVAL);
	assert_null(w);
	assert_string_equal(error.text, "timer wheel: 0 timers, stride 16, tick shift 0");
	config.count = 1;
	config.stride = 8;
	assert_int_equal(mr_timer_wheel_create(&w, &config, &error), -EINVAL);
	config.stride = 16;
	config.tick_shift = 64;
	assert_int_equal(mr_timer_wheel_create(&w, &config, &error), -EINVAL);
	config.tick_shift = 0;
	config.count = UINT32_MAX;
	assert_int_equal(mr_timer_wheel_create(&w, &config, &error), -EINVAL);
	mr_timer_wheel_destroy(NULL);
}

/* A million timers, as a flow table sets them; what each step costs is printed. */
static void
test_million(void **state)
{
	enum { COUNT = 1000000, STRIDE = 64 };
	uint8_t *memory = aligned_alloc(64, (size_t)COUNT * STRIDE);
	struct mr_timer_wheel_config config = { memory, STRIDE, COUNT, 20, 0 };
	uint64_t rng = 5, start, spent[4], now, sum = 0;
	uint32_t expired[256], i, cancelled = 0;
	struct mr_timer_wheel *w;
	unsigned n, total = 0;

	assert_non_null(memory);
	memset(memory, 0, (size_t)COUNT * STRIDE);
	assert_int_equal(mr_timer_wheel_create(&w, &config, NULL), 0);
	start = mr_cycles();
	for (i = 0; i < COUNT; i++) /* 30 s and up to 100 s, in nanoseconds */
		mr_timer_set(w, i, UINT64_C(30000000000) + draw(&rng) % UINT64_C(100000000000));
	spent[0] = mr_cycles() - start;
	start = mr_cycles();
	for (i = 0; i < COUNT; i++) /* random order: each move misses the cache */
		mr_timer_set(w, draw(&rng) % COUNT,
		    UINT64_C(30000000000) + draw(&rng) % UINT64_C(100000000000));
	spent[1] = mr_cycles() - start;
	start = mr_cycles();
	for (i = 0; i < COUNT / 10; i++)
		cancelled += mr_timer_cancel(w, draw(&rng) % COUNT);
	spent[2] = mr_cycles() - start;
	assert_int_equal(mr_timer_count(w), COUNT - cancelled);
	start = mr_cycles();
	for (now = 0; mr_timer_count(w); now += 1000000) /* a worker's millisecond */
		do {
			n = mr_timer_advance(w, now, 256, expired, 256);
			for (i = 0; i < n; i++)
				sum += expired[i];
			total += n;
		} while (mr_timer_behind(w));
	spent[3] = mr_cycles() - start;
	assert_int_equal(total, COUNT - cancelled);
	print_message("1 M timers, cycles each: set %.0f, move at random %.0f, cancel at random "
		      "%.0f, "
		      "expire with all moves down %.0f (%llu)\n",
	    (double)spent[0] / COUNT, (double)spent[1] / COUNT, (double)spent[2] / (COUNT / 10),
	    (double)spent[3] / total, (unsigned long long)sum % 10);
	mr_timer_wheel_destroy(w);
	free(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_during_descent),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
