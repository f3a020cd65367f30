/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier beside a linear scan: random rules that overlap a lot, random packets, changes in
 * batches; then each promise of the header by itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kit/table/classbench.h"
#include "kit/table/classifier.h"

#define RULES_MAX 3000u

struct model {
	struct mr_class_rule rules[RULES_MAX];
	bool there[RULES_MAX];
	uint32_t count; /* ids given out are below this */
};

static uint32_t
random_below(uint64_t *seed, uint32_t n)
{
	return (uint32_t)((mr_classbench_random(seed) >> 32) * n >> 32);
}

static uint32_t
scan(const struct model *m, const struct mr_class_key *key)
{
	uint32_t best = MR_CLASS_NONE;

	for (uint32_t i = 0; i < m->count; i++)
		if (m->there[i] && mr_classbench_matches(&m->rules[i], key) &&
		    (best == MR_CLASS_NONE || m->rules[i].priority < m->rules[best].priority))
			best = i;
	return best;
}

static void
some_prefix(uint8_t address[16], uint8_t *len, bool six, uint64_t *seed)
{
	static const uint8_t lens4[] = { 0, 0, 1, 7, 8, 12, 15, 16, 17, 23, 24, 25, 28, 31, 32, 32,
		32 };
	static const uint8_t lens6[] = { 0, 0, 3, 16, 29, 32, 33, 48, 56, 63, 64, 65, 96, 127, 128,
		128, 128 };

	*len = (six ? lens6 : lens4)[random_below(seed, MR_ARRAY_COUNT(lens4))];
	memset(address, 0, 16);
	for (unsigned i = 0; i < (six ? 16u : 4u); i++)
		address[i] = (uint8_t)(random_below(seed, 2) * 0xfe + random_below(seed, 2));
	for (unsigned i = *len; i < 128; i++)
		address[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static void
some_range(uint16_t *lo, uint16_t *hi, uint64_t *seed)
{
	uint16_t a = (uint16_t)random_below(seed, 65536), b = (uint16_t)random_below(seed, 65536);

	switch (random_below(seed, 4)) {
	case 0:
		*lo = 0;
		*hi = 65535;
		break;
	case 1:
		*lo = *hi = (uint16_t)random_below(seed, 20);
		break;
	case 2:
		*lo = 1024;
		*hi = 65535;
		break;
	default:
		*lo = MR_MIN(a, b);
		*hi = MR_MAX(a, b);
	}
}

static struct mr_class_rule
some_rule(unsigned families, uint64_t *seed)
{
	struct mr_class_rule r = { .family = 4 };
	static const uint32_t masks[] = { 0, 0, 0, 1, 6, UINT32_MAX };

	if (families == 6 || (families == 46 && random_below(seed, 2)))
		r.family = 6;
	r.priority = random_below(seed, 500);
	r.value = random_below(seed, 1u << 30);
	some_prefix(r.src, &r.src_len, r.family == 6, seed);
	some_prefix(r.dst, &r.dst_len, r.family == 6, seed);
	some_range(&r.sport_lo, &r.sport_hi, seed);
	some_range(&r.dport_lo, &r.dport_hi, seed);
	if (random_below(seed, 3)) {
		r.proto = (uint8_t)(random_below(seed, 2) ? 6 : 17);
		r.proto_mask = 0xff;
	}
	r.extra_mask = masks[random_below(seed, MR_ARRAY_COUNT(masks))];
	r.extra = random_below(seed, 8) & r.extra_mask;
	return r;
}

static void
publish(struct mr_class *c)
{
	struct mr_class_retired *old;
	struct mr_error error;

	assert_int_equal(mr_class_publish(c, &old, &error), 0);
	mr_class_release(old);
}

/* Packets at the corners of rules, inside of them, and anywhere. */
static void
compare(struct mr_class *c, const struct model *m, unsigned vectors, uint64_t *seed)
{
	struct mr_class_key keys[MR_CLASS_VECTOR];
	uint32_t values[MR_CLASS_VECTOR], ids[MR_CLASS_VECTOR];
	struct mr_class_match match;

	for (unsigned v = 0; v < vectors; v++) {
		unsigned count = v ? 1 + random_below(seed, MR_CLASS_VECTOR) : MR_CLASS_VECTOR;

		for (unsigned i = 0; i < count; i++) {
			uint32_t n = random_below(seed, m->count), k = random_below(seed, m->count);

			mr_classbench_key(&keys[i], &m->rules[n], random_below(seed, 2), seed);
			if (random_below(seed, 4) == 0 && m->rules[k].family == keys[i].family)
				memcpy(keys[i].dst, m->rules[k].dst, 16);
			if (random_below(seed, 50) == 0)
				keys[i].family = 0;
		}
		mr_class_lookup(mr_class_view(c), keys, values, ids, count);
		for (unsigned i = 0; i < count; i++) {
			uint32_t best = scan(m, &keys[i]);

			assert_int_equal(ids[i], best);
			assert_int_equal(values[i],
			    best == MR_CLASS_NONE ? best : m->rules[best].value);
			mr_class_match_one(mr_class_view(c), &keys[i], &match);
			assert_int_equal(match.id, best);
			if (best != MR_CLASS_NONE)
				assert_memory_equal(&match.rule, &m->rules[best],
				    offsetof(struct mr_class_rule, proto_mask) + 1);
		}
	}
}

static struct mr_class *
create(uint32_t rules)
{
	struct mr_class_config config = { .rules = rules, .seed = 7 };
	struct mr_error error;
	struct mr_class *c = NULL;

	assert_int_equal(mr_class_create(&c, &config, &error), 0);
	return c;
}

static void
change(struct mr_class *c, struct model *m, unsigned families, bool more, uint64_t *seed)
{
	struct mr_error error;
	uint32_t id;

	if (random_below(seed, 10) < (more ? 9 : 3)) {
		struct mr_class_rule r = some_rule(families, seed);

		assert_int_equal(mr_class_add(c, &r, &id, &error), 0);
		assert_true(id < RULES_MAX && (id >= m->count || !m->there[id]));
		m->rules[id] = r;
		m->there[id] = true;
		m->count = MR_MAX(m->count, id + 1);
	} else if (m->count) {
		id = random_below(seed, m->count);
		assert_int_equal(mr_class_remove(c, id, &error), m->there[id] ? 0 : -ENOENT);
		m->there[id] = false;
	}
}

static void
changes(unsigned families, uint64_t seed)
{
	static struct model m;
	struct mr_class *c = create(0);
	struct mr_class_stats stats;
	struct mr_error error;

	m = (struct model){ 0 };
	for (unsigned round = 0; round < 60; round++) {
		unsigned batch = 1 + random_below(&seed, round % 3 ? 20 : 120);

		for (unsigned i = 0; i < batch && m.count < RULES_MAX - 1; i++)
			change(c, &m, families, round < 40, &seed);
		publish(c);
		if (m.count)
			compare(c, &m, 1, &seed);
	}
	for (uint32_t i = 0; i < m.count; i++) {
		assert_int_equal(mr_class_get(c, i) != NULL, m.there[i]);
		if (m.there[i])
			assert_int_equal(mr_class_remove(c, i, &error), 0);
		m.there[i] = false;
	}
	publish(c);
	compare(c, &m, 1, &seed);
	mr_class_stats(c, &stats);
	assert_int_equal(stats.rules + stats.tables[0] + stats.tables[1] + stats.worst, 0);
	mr_class_destroy(c);
}

static void
changes_in_batches(void **state)
{
	changes(4, 1);
	changes(6, 2);
	changes(46, 3);
}

static void
replaced_then_changed(void **state)
{
	static struct model m;
	struct mr_class *c = create(0);
	struct mr_error error;
	uint64_t seed = 11;

	for (unsigned round = 0; round < 4; round++) {
		m = (struct model){ .count = 10 + 500 * round };
		for (uint32_t i = 0; i < m.count; i++) {
			m.rules[i] = some_rule(46, &seed);
			m.there[i] = true;
		}
		assert_int_equal(mr_class_replace_all(c, m.rules, m.count, &error), 0);
		publish(c);
		compare(c, &m, 2, &seed);
		for (unsigned i = 0; i < 300; i++)
			change(c, &m, 46, false, &seed);
		publish(c);
		compare(c, &m, 2, &seed);
	}
	mr_class_destroy(c);
}

/* What is not published is not seen, and an old view stays what it was until it is released. */
static void
a_view_does_not_change(void **state)
{
	static struct model before, after;
	struct mr_class *c = create(0);
	const struct mr_class_view *view;
	struct mr_class_retired *old[3], *none;
	struct mr_class_key key;
	struct mr_error error;
	uint64_t seed = 21;
	uint32_t value, id;

	assert_int_equal(mr_class_generation(mr_class_view(c)), 0);
	before = (struct model){ 0 };
	for (unsigned i = 0; i < 400; i++)
		change(c, &before, 46, true, &seed);
	publish(c);
	view = mr_class_view(c);
	assert_int_equal(mr_class_generation(view), 1);
	after = before;
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < 200; i++)
			change(c, &after, 46, k == 1, &seed);
		if (k == 2)
			assert_int_equal(mr_class_replace_all(c, after.rules, 5, &error), 0);
		assert_int_equal(mr_class_publish(c, &old[k], &error), 0);
		assert_non_null(old[k]);
	}
	assert_int_equal(mr_class_publish(c, &none, &error), 0);
	assert_null(none);
	assert_int_equal(mr_class_generation(mr_class_view(c)), 4);
	for (unsigned i = 0; i < 2000; i++) {
		mr_classbench_key(&key, &before.rules[random_below(&seed, before.count)], i & 1,
		    &seed);
		mr_class_lookup(view, &key, &value, &id, 1);
		assert_int_equal(id, scan(&before, &key));
	}
	mr_class_release(old[1]);
	mr_class_release(old[0]);
	mr_class_release(old[2]);
	mr_class_destroy(c);
}

static void
wrong_rules_are_refused(void **state)
{
	struct mr_class_rule good = { .family = 4,
		.src = { 10 },
		.src_len = 8,
		.sport_hi = 65535,
		.dport_hi = 65535 },
			     bad;
	struct mr_class_config config = { .list_max = 3, .seed = 1 };
	struct mr_class_rule four[5];
	struct mr_class_stats stats;
	struct mr_class_key key = { .family = 4, .src = { 10 } };
	struct mr_error error;
	struct mr_class *c;
	uint32_t id, value;

	assert_int_equal(mr_class_create(&c, &config, &error), 0);
#define REFUSED(field, wrong, words) \
	bad = good; \
	bad.field = wrong; \
	assert_int_equal(mr_class_add(c, &bad, &id, &error), -EINVAL); \
	assert_non_null(strstr(error.text, words))
	REFUSED(family, 5, "family");
	REFUSED(src_len, 33, "longer");
	REFUSED(src[1], 1, "beyond its prefix");
	REFUSED(dst[15], 1, "beyond its prefix");
	REFUSED(sport_lo, 65535; bad.sport_hi = 1, "range");
	REFUSED(proto, 1, "protocol");
	REFUSED(proto_mask, 1, "protocol");
	REFUSED(extra, 1, "extra");
	REFUSED(value, MR_CLASS_NONE, "no match");
	assert_int_equal(mr_class_remove(c, 0, &error), -ENOENT);
	/* Rules that nothing tells apart. */
	for (unsigned i = 0; i < 3; i++) {
		good.value = good.priority = 3 - i;
		assert_int_equal(mr_class_add(c, &good, &id, &error), 0);
		assert_int_equal(id, i);
	}
	assert_int_equal(mr_class_add(c, &good, &id, &error), -ENOSPC);
	assert_non_null(strstr(error.text, "3 other rules"));
	publish(c);
	mr_class_stats(c, &stats);
	assert_int_equal(stats.rules, 3);
	assert_int_equal(stats.worst, 3);
	for (unsigned i = 0; i < 5; i++)
		four[i] = good;
	assert_int_equal(mr_class_replace_all(c, four, 5, &error), -ENOSPC);
	four[4].family = 0;
	assert_int_equal(mr_class_replace_all(c, four, 5, &error), -EINVAL);
	assert_non_null(strstr(error.text, "rule 4"));
	publish(c);
	mr_class_lookup(mr_class_view(c), &key, &value, NULL, 1);
	assert_int_equal(value, 1);
	mr_class_destroy(c);
}

/* Port ranges nested around the middle have no leading bits at all. */
static void
nested_ranges(void **state)
{
	static struct model m;
	struct mr_class *c = create(0);
	struct mr_class_stats stats;
	struct mr_error error;
	uint64_t seed = 31;
	uint32_t id;

	m = (struct model){ 0 };
	for (uint32_t i = 0; i < 1500; i++) {
		struct mr_class_rule r = { .family = 4,
			.priority = i,
			.value = i,
			.sport_hi = 65535,
			.dport_lo = (uint16_t)(32767 - i),
			.dport_hi = (uint16_t)(32768 + i) };
		int rc = mr_class_add(c, &r, &id, &error);

		assert_int_equal(rc, i < 1024 ? 0 : -ENOSPC);
		if (rc)
			continue;
		m.rules[id] = r;
		m.there[id] = true;
		m.count = id + 1;
	}
	publish(c);
	compare(c, &m, 2, &seed);
	mr_class_stats(c, &stats);
	assert_int_equal(stats.worst, 1024);
	mr_class_destroy(c);
}

/* Tenants with the same addresses: what is left to tell their rules apart is the extra word. */
static void
tenants(void **state)
{
	static struct model m;
	struct mr_class *c = create(0);
	struct mr_class_stats stats;
	struct mr_error error;
	uint64_t seed = 41;
	uint32_t id;

	m = (struct model){ .count = 2000 };
	for (uint32_t i = 0; i < m.count; i++) {
		m.there[i] = true;
		m.rules[i] = (struct mr_class_rule){ .family = 4,
			.value = i,
			.extra = i / 4,
			.extra_mask = UINT32_MAX,
			.src = { 10 },
			.src_len = 8,
			.dst = { 10, 0, 0, (uint8_t)(i % 4) },
			.dst_len = 32,
			.sport_hi = 65535,
			.dport_hi = 65535 };
	}
	for (unsigned k = 0; k < 2; k++) {
		if (k)
			assert_int_equal(mr_class_replace_all(c, m.rules, m.count, &error), 0);
		else
			for (uint32_t i = 0; i < m.count; i++)
				assert_int_equal(mr_class_add(c, &m.rules[i], &id, &error), 0);
		publish(c);
		compare(c, &m, 1, &seed);
		mr_class_stats(c, &stats);
		assert_true(stats.longest <= 24);
	}
	mr_class_destroy(c);
}

/* Churn until the filters have been exchanged more than once. */
static void
filters_are_renewed(void **state)
{
	static struct model m;
	struct mr_class *c = create(0);
	struct mr_error error;
	struct mr_class_stats stats;
	struct mr_class_match match;
	uint64_t seed = 51, tables = 0;
	uint32_t id;

	m = (struct model){ .count = 300 };
	for (unsigned turn = 0; turn < 60; turn++) {
		for (uint32_t i = 0; i < m.count; i++) {
			struct mr_class_rule *r = &m.rules[i];

			if (m.there[i])
				assert_int_equal(mr_class_remove(c, i, &error), 0);
			*r = (struct mr_class_rule){ .family = 4,
				.value = i,
				.sport_hi = 65535,
				.dport_hi = 65535 };
			r->src_len = r->dst_len = turn % 2 ? 32 : 24;
			for (unsigned k = 0; k < r->src_len / 8u; k++) {
				r->src[k] = (uint8_t)random_below(&seed, 256);
				r->dst[k] = (uint8_t)random_below(&seed, 256);
			}
			assert_int_equal(mr_class_add(c, r, &id, &error), 0);
			if (m.there[i])
				assert_int_equal(id, i);
			m.there[i] = true;
			publish(c);
		}
		if (turn % 10 == 9)
			compare(c, &m, 1, &seed);
	}
	/* Without a new filter, words with every bit set would let every packet through. */
	for (uint32_t i = 0; i < 1000; i++) {
		struct mr_class_key key = { .family = 4 };

		for (unsigned k = 0; k < 4; k++) {
			key.src[k] = (uint8_t)random_below(&seed, 256);
			key.dst[k] = (uint8_t)random_below(&seed, 256);
		}
		mr_class_match_one(mr_class_view(c), &key, &match);
		tables += match.tables;
	}
	assert_true(tables < 500);
	mr_class_stats(c, &stats);
	assert_true(stats.bytes < 4u << 20);
	mr_class_destroy(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_in_batches),
		cmocka_unit_test(replaced_then_changed),
		cmocka_unit_test(a_view_does_not_change),
		cmocka_unit_test(wrong_rules_are_refused),
		cmocka_unit_test(nested_ranges),
		cmocka_unit_test(tenants),
		cmocka_unit_test(filters_are_renewed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
