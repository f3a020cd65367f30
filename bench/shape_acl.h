/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_SHAPE_ACL_H
#define MR_BENCH_SHAPE_ACL_H

/* What both sides of the rows acl-* do alike: the rules and the packets. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/table/classbench.h"

#define SHAPE_ACL_PACKETS 65536u
#define SHAPE_ACL_VECTOR 256u
#define SHAPE_ACL_TURNS 16 /* vectors between two looks at the clock */

/* "acl-100k-fw-uncached": the set fw1_10k, grown; without a set's name, acl1. Null without the
 * shared data or memory. */
mr_inline struct mr_class_rule *
shape_acl_rules(const char *row, uint32_t *count)
{
	const char *set = strstr(row, "-fw") ? "fw1" : strstr(row, "-ipc") ? "ipc1" : "acl1";
	bool large = strstr(row, "100k"), small = strstr(row, "-1k");
	struct mr_class_rule *rules, *grown;
	char name[32], path[512];

	snprintf(name, sizeof(name), "%s_%s", set, small ? "1k" : "10k");
	if (!mr_classbench_path(name, path, sizeof(path)))
		return NULL;
	rules = mr_classbench_load(path, false, count);
	if (!rules || !large)
		return rules;
	grown = mr_classbench_grow(rules, *count, 100000, 1);
	*count = 100000;
	free(rules);
	return grown;
}

/* Each matches a rule drawn at random, at least. */
mr_inline struct mr_class_key *
shape_acl_packets(const struct mr_class_rule *rules, uint32_t count)
{
	struct mr_class_key *keys = aligned_alloc(64, SHAPE_ACL_PACKETS * sizeof(*keys));
	uint64_t seed = 0x9e3779b97f4a7c15ull;

	for (uint32_t i = 0; keys && i < SHAPE_ACL_PACKETS; i++)
		mr_classbench_key(&keys[i], &rules[mr_classbench_random(&seed) % count], false,
		    &seed);
	return keys;
}

#endif
