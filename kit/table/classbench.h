/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_CLASSBENCH_H
#define MR_KIT_TABLE_CLASSBENCH_H

/*
 * Rule sets and packets for tests and benchmarks of the classifier; not part of the library. Sets
 * in ClassBench's format, gzip'ed or not, one rule a line:
 *
 *   @src/len  dst/len  sport : sport  dport : dport  proto/mask  flags/mask
 *
 * Their order is their priority. Larger ones of the same structure are made from them.
 *
 * Ownership: what load and grow return is the caller's to free().
 * Threads: none.
 * Errors: null without memory, a file, or a rule in it.
 */

#include "kit/table/classifier.h"

/* Rule i has priority and value i. `flags`: as the extra word; else they are left out. Lines
 * that are no rule are passed over. */
struct mr_class_rule *mr_classbench_load(const char *path, bool flags, uint32_t *count);

/* The path of a set ("acl1_10k") in the shared data folder (environment variable MR_DATA, else
 * where it stands beside the sources), or null when there is none. */
const char *mr_classbench_path(const char *set, char *buffer, size_t size);

/* `want` rules, all different, of copies of a set with other addresses. A copy changes what
 * follows the first eight bits of a prefix so that two addresses that began alike still begin
 * alike for as long as before; so lengths, nesting and clustering are the set's, and the rules of
 * short prefixes are shared. Rule i of copy k stands behind rule i of copy k - 1. */
struct mr_class_rule *mr_classbench_grow(const struct mr_class_rule *rules, uint32_t count,
    uint32_t want, uint64_t seed);

/* The same rules for IPv6: four-byte prefixes become the first eight bytes', spread. */
void mr_classbench_to_six(struct mr_class_rule *rules, uint32_t count);

uint64_t mr_classbench_random(uint64_t *seed);

/* A packet that the rule matches, at random; with `corner`, at an end of each range. */
void mr_classbench_key(struct mr_class_key *, const struct mr_class_rule *, bool corner,
    uint64_t *seed);

/* Whether it does, by the plainest means. */
bool mr_classbench_matches(const struct mr_class_rule *, const struct mr_class_key *);

#endif
