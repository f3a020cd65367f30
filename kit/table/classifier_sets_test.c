/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier beside a linear scan on ClassBench's sets, as they are, as IPv6, and grown to
 * 100,000 rules; built at once, built one by one, and while rules go and come back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kit/table/classbench.h"
#include "kit/table/classifier.h"

static const char *const sets[] = { "acl1_1k", "acl3_1k", "acl5_1k", "fw1_1k", "fw3_1k", "fw5_1k",
	"ipc1_1k", "acl1_10k", "acl3_10k", "acl5_10k", "fw1_10k", "fw3_10k", "fw5_10k",
	"ipc1_10k" };

static struct mr_class_rule *
load(const char *set, bool flags, uint32_t *count)
{
	char path[512];
	const char *found = mr_classbench_path(set, path, sizeof(path));
	struct mr_class_rule *rules;

	if (!found) {
		print_message("no shared data: set MR_DATA\n");
		skip();
	}
	rules = mr_classbench_load(found, flags, count);
	assert_non_null(rules);
	return rules;
}

static struct mr_class *
create(void)
{
	struct mr_class_config config = { .seed = 3 };
	struct mr_error error;
	struct mr_class *c = NULL;

	assert_int_equal(mr_class_create(&c, &config, &error), 0);
	return c;
}

static void
publish(struct mr_class *c)
{
	struct mr_class_retired *old;
	struct mr_error error;

	assert_int_equal(mr_class_publish(c, &old, &error), 0);
	mr_class_release(old);
}

/* Rules stand in the order of their priority; `gone` are not there. */
static uint32_t
scan(const struct mr_class_rule *rules, const bool *gone, uint32_t count,
    const struct mr_class_key *key)
{
	for (uint32_t i = 0; i < count; i++)
		if (!(gone && gone[i]) && mr_classbench_matches(&rules[i], key))
			return rules[i].value;
	return MR_CLASS_NONE;
}

/* Packets in rules, at their corners, and some with one rule's source and another's destination. */
static void
compare(struct mr_class *c, const struct mr_class_rule *rules, const bool *gone, uint32_t count,
    unsigned vectors, uint64_t *seed)
{
	struct mr_class_key keys[MR_CLASS_VECTOR];
	uint32_t values[MR_CLASS_VECTOR];

	for (unsigned v = 0; v < vectors; v++) {
		for (unsigned i = 0; i < MR_CLASS_VECTOR; i++) {
			struct mr_class_key other;

			mr_classbench_key(&keys[i], &rules[mr_classbench_random(seed) % count],
			    i & 1, seed);
			if (i % 8)
				continue;
			mr_classbench_key(&other, &rules[mr_classbench_random(seed) % count], false,
			    seed);
			memcpy(keys[i].dst, other.dst, sizeof(other.dst));
		}
		mr_class_lookup(mr_class_view(c), keys, values, NULL, MR_CLASS_VECTOR);
		for (unsigned i = 0; i < MR_CLASS_VECTOR; i++)
			assert_int_equal(values[i], scan(rules, gone, count, &keys[i]));
	}
}

static void
every_set(void **state)
{
	uint64_t seed = 1;

	for (unsigned s = 0; s < MR_ARRAY_COUNT(sets); s++)
		for (unsigned six = 0; six < 2; six++) {
			uint32_t count;
			struct mr_class_rule *rules = load(sets[s], true, &count);
			struct mr_class *c = create();
			struct mr_class_stats stats;
			struct mr_error error;

			if (six)
				mr_classbench_to_six(rules, count);
			assert_int_equal(mr_class_replace_all(c, rules, count, &error), 0);
			publish(c);
			compare(c, rules, NULL, count, 2, &seed);
			mr_class_stats(c, &stats);
			assert_int_equal(stats.rules, count);
			assert_true(stats.tables[six] <= 57 && stats.tables[!six] == 0);
			assert_true(stats.worst < 1000);
			mr_class_destroy(c);
			free(rules);
		}
}

/* A third goes, in batches; what went comes back with its old priority. */
static void
rules_come_and_go(void **state)
{
	uint64_t seed = 2;

	for (unsigned s = 7; s < MR_ARRAY_COUNT(sets); s += 3) {
		uint32_t count, id;
		struct mr_class_rule *rules = load(sets[s], false, &count);
		bool *gone = calloc(count, sizeof(*gone));
		uint32_t *ids = malloc(count * sizeof(*ids));
		struct mr_class *c = create();
		struct mr_error error;

		assert_true(gone && ids);
		for (uint32_t i = 0; i < count; i++) {
			assert_int_equal(mr_class_add(c, &rules[i], &ids[i], &error), 0);
			if (i % 1000 == 999)
				publish(c);
		}
		publish(c);
		compare(c, rules, NULL, count, 1, &seed);
		for (unsigned round = 0; round < 6; round++) {
			for (unsigned i = 0; i < count / 4; i++) {
				uint32_t n = (uint32_t)(mr_classbench_random(&seed) % count);

				if (gone[n]) {
					assert_int_equal(mr_class_add(c, &rules[n], &id, &error),
					    0);
					ids[n] = id;
				} else {
					assert_int_equal(mr_class_remove(c, ids[n], &error), 0);
				}
				gone[n] = !gone[n];
			}
			publish(c);
			compare(c, rules, gone, count, 1, &seed);
		}
		mr_class_destroy(c);
		free(rules);
		free(gone);
		free(ids);
	}
}

static void
grown_to_100k(void **state)
{
	static const char *const some[] = { "acl1_10k", "fw1_10k", "ipc1_10k" };
	uint64_t seed = 3;

	for (unsigned s = 0; s < MR_ARRAY_COUNT(some); s++) {
		uint32_t count, most = 100000;
		struct mr_class_rule *rules = load(some[s], false, &count), *grown;
		struct mr_class *c = create();
		struct mr_class_stats stats;
		struct mr_error error;

		grown = mr_classbench_grow(rules, count, most, 1);
		assert_non_null(grown);
		assert_int_equal(mr_class_replace_all(c, grown, most, &error), 0);
		publish(c);
		compare(c, grown, NULL, most, 1, &seed);
		mr_class_stats(c, &stats);
		assert_true(stats.bytes < 100u << 20);
		mr_class_destroy(c);
		free(grown);
		free(rules);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_set),
		cmocka_unit_test(rules_come_and_go),
		cmocka_unit_test(grown_to_100k),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
