/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tuples there are tables for. A rule's own tuple is cut down to a coarse grid on which the
 * filters stand too, so that most rule sets need 15 to 50 tables. Tuples of few rules give way to
 * shorter ones that fit. Where too many rules then share a bucket, those get tables as long as
 * their fields are, as far as numbers last.
 */
#include "kit/table/classifier_int.h"

#include <errno.h>
#include <stdlib.h>

/* Tables that a plan leaves for rules to come. */
#define SPARE 8u
/* Rules in a bucket from which on a longer tuple is tried. */
#define CROWD 16u
#define CANDIDATES 1024u

struct candidate {
	struct class_tuple tuple;
	uint32_t rules;
};

struct cells {
	uint64_t *keys;
	uint32_t *counts;
	uint64_t mask;
};

static unsigned
port_bits(uint16_t lo, uint16_t hi)
{
	unsigned differ = lo ^ hi;

	return differ ? (unsigned)__builtin_clz(differ) - 16 : 16;
}

static uint8_t
cut(unsigned len, const uint8_t *levels, unsigned count)
{
	while (levels[count - 1] > len)
		count--;
	return levels[count - 1];
}

void
class_tuple_of(struct class_tuple *t, const struct mr_class_rule *rule, bool finest)
{
	static const uint8_t four[] = { 0, 16, 24, 32 }, six[] = { 0, 32, 48, 64, 128 };
	unsigned sport = port_bits(rule->sport_lo, rule->sport_hi);
	unsigned dport = port_bits(rule->dport_lo, rule->dport_hi);

	*t = (struct class_tuple){ .proto = rule->proto_mask ? 8 : 0 };
	if (finest) {
		uint8_t step = rule->family == 6 ? 7 : 3;

		t->src = rule->src_len & (uint8_t)~step;
		t->dst = rule->dst_len & (uint8_t)~step;
		t->sport = (uint8_t)(sport & ~3u);
		t->dport = (uint8_t)(dport & ~3u);
		t->extra_mask = rule->extra_mask;
		return;
	}
	if (rule->family == 6) {
		t->src = cut(rule->src_len, six, MR_ARRAY_COUNT(six));
		t->dst = cut(rule->dst_len, six, MR_ARRAY_COUNT(six));
	} else {
		t->src = cut(rule->src_len, four, MR_ARRAY_COUNT(four));
		t->dst = cut(rule->dst_len, four, MR_ARRAY_COUNT(four));
	}
	t->sport = sport & 16;
	t->dport = dport & 16;
}

bool
class_tuple_fits(const struct class_tuple *t, const struct class_tuple *rule)
{
	return t->src <= rule->src && t->dst <= rule->dst && t->sport <= rule->sport &&
	    t->dport <= rule->dport && t->proto <= rule->proto &&
	    !(t->extra_mask & ~rule->extra_mask);
}

unsigned
class_tuple_weight(const struct class_tuple *t)
{
	return t->src + t->dst + t->sport + t->dport + t->proto / 2u +
	    (unsigned)__builtin_popcount(t->extra_mask);
}

bool
class_tuple_equal(const struct class_tuple *a, const struct class_tuple *b)
{
	return a->src == b->src && a->dst == b->dst && a->sport == b->sport &&
	    a->dport == b->dport && a->proto == b->proto && a->extra_mask == b->extra_mask;
}

/* Counts one more of this tuple; those beyond the array's end are not counted. */
static void
count_tuple(struct candidate *list, unsigned *count, const struct class_tuple *t)
{
	unsigned i;

	for (i = 0; i < *count; i++)
		if (class_tuple_equal(&list[i].tuple, t)) {
			list[i].rules++;
			return;
		}
	if (i < CANDIDATES)
		list[(*count)++] = (struct candidate){ *t, 1 };
}

static int
most_rules_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->rules < y->rules) - (x->rules > y->rules);
}

/* The longest tuple that fits; -1: none. */
static int
best_of(const struct class_tuple *tuples, unsigned count, const struct mr_class_rule *rule)
{
	struct class_tuple finest;
	unsigned weight, most = 0;
	int best = -1;

	class_tuple_of(&finest, rule, true);
	for (unsigned i = 0; i < count; i++) {
		if (!class_tuple_fits(&tuples[i], &finest))
			continue;
		weight = class_tuple_weight(&tuples[i]);
		if (best < 0 || weight > most) {
			best = (int)i;
			most = weight;
		}
	}
	return best;
}

/* A tuple of few rules goes where another one's tuple fits them and has an address at least;
 * `most` is what there may be. The list stays sorted. */
static unsigned
merge_small(struct candidate *list, unsigned count, uint32_t small, unsigned most)
{
	for (unsigned i = count; i-- > 0 && list[i].rules < small;) {
		unsigned k;

		for (k = 0; k < count; k++)
			if (k != i && class_tuple_fits(&list[k].tuple, &list[i].tuple) &&
			    (list[k].tuple.src || list[k].tuple.dst))
				break;
		if (k == count)
			continue;
		count--;
		memmove(&list[i], &list[i + 1], (count - i) * sizeof(*list));
	}
	return MR_MIN(count, most);
}

static bool
cells_open(struct cells *cells, uint32_t count)
{
	uint64_t size = 64;

	while (size < 2ull * count)
		size *= 2;
	cells->mask = size - 1;
	cells->keys = calloc(size, sizeof(*cells->keys));
	cells->counts = calloc(size, sizeof(*cells->counts));
	return cells->keys && cells->counts;
}

static uint32_t *
cell_of(struct cells *cells, const struct mr_hash_key *key, const struct class_tuple *t,
    unsigned number, const struct mr_class_rule *rule)
{
	uint64_t hash = (class_rule_hash(key, t, rule) + number * 0x9e3779b97f4a7c15ull) | 1;
	uint64_t at = hash >> 20 & cells->mask;

	while (cells->keys[at] && cells->keys[at] != hash)
		at = (at + 1) & cells->mask;
	cells->keys[at] = hash;
	return &cells->counts[at];
}

/* Longer tuples for those that share a bucket with too many, the most wanted first. */
static int
refine(struct class_tuple *tuples, unsigned *tuple_count, const uint8_t *home,
    struct candidate *list, const struct mr_class_rule *rules, const uint32_t *order,
    uint32_t count, const struct mr_hash_key *key)
{
	struct cells cells;
	struct class_tuple t;
	unsigned n = 0;
	int rc = -ENOMEM;

	if (!cells_open(&cells, count))
		goto out;
	for (uint32_t i = 0; i < count; i++)
		++*cell_of(&cells, key, &tuples[home[i]], home[i], &rules[order[i]]);
	for (uint32_t i = 0; i < count; i++) {
		const struct mr_class_rule *rule = &rules[order[i]];

		if (*cell_of(&cells, key, &tuples[home[i]], home[i], rule) <= CROWD)
			continue;
		class_tuple_of(&t, rule, true);
		if (!class_tuple_equal(&t, &tuples[home[i]]))
			count_tuple(list, &n, &t);
	}
	qsort(list, n, sizeof(*list), most_rules_first);
	for (unsigned i = 0; i < n && *tuple_count < CLASS_TABLES - SPARE; i++)
		if (list[i].rules >= CROWD)
			tuples[(*tuple_count)++] = list[i].tuple;
	rc = 0;
out:
	free(cells.keys);
	free(cells.counts);
	return rc;
}

/* By each tuple's best rule, which is the first of its rules in `order`, so that look-ups
 * begin where the best matches are; tuples without rules go. */
static unsigned
sort_by_rank(struct class_tuple *tuples, unsigned count, uint8_t *home, uint32_t rules)
{
	struct class_tuple sorted[CLASS_TABLES];
	uint8_t place[CLASS_TABLES];
	unsigned n = 0;

	memset(place, 0xff, sizeof(place));
	for (uint32_t i = 0; i < rules; i++) {
		if (place[home[i]] == 0xff) {
			place[home[i]] = (uint8_t)n;
			sorted[n++] = tuples[home[i]];
		}
		home[i] = place[home[i]];
	}
	memcpy(tuples, sorted, n * sizeof(*tuples));
	return n;
}

static void
settle(struct class_tuple *tuples, unsigned *tuple_count, uint8_t *home,
    const struct mr_class_rule *rules, const uint32_t *order, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		int best = best_of(tuples, *tuple_count, &rules[order[i]]);

		if (best < 0) {
			best = (int)*tuple_count;
			tuples[(*tuple_count)++] = (struct class_tuple){ 0 };
		}
		home[i] = (uint8_t)best;
	}
}

int
class_plan(struct class_tuple *tuples, uint8_t *home, const struct mr_class_rule *rules,
    const uint32_t *order, uint32_t count, const struct mr_hash_key *key)
{
	struct candidate *list = malloc(CANDIDATES * sizeof(*list));
	struct class_tuple t;
	unsigned n = 0;
	int rc = -ENOMEM;

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		class_tuple_of(&t, &rules[order[i]], false);
		count_tuple(list, &n, &t);
	}
	qsort(list, n, sizeof(*list), most_rules_first);
	n = merge_small(list, n, MR_MAX(4u, count / 1600), CLASS_TABLES - 2 * SPARE);
	for (unsigned i = 0; i < n; i++)
		tuples[i] = list[i].tuple;
	settle(tuples, &n, home, rules, order, count);
	rc = refine(tuples, &n, home, list, rules, order, count, key);
	if (!rc) {
		settle(tuples, &n, home, rules, order, count);
		rc = (int)sort_by_rank(tuples, n, home, count);
	}
	free(list);
	return rc;
}

static int
open_table(struct mr_class *c, struct class_family *family, const struct class_tuple *t,
    unsigned at_least_free)
{
	unsigned free_count = 0, first = 0;
	int rc;

	for (unsigned i = CLASS_TABLES; i-- > 0;)
		if (!family->table[i].used) {
			free_count++;
			first = i;
		}
	if (free_count < at_least_free)
		return -ENOSPC;
	rc = class_table_open(c, family, &family->table[first], t, 1);
	return rc ? rc : (int)first;
}

/* The last free table is kept for the tuple of nothing, which fits all rules. */
int
class_choose(struct mr_class *c, struct class_family *family, const struct mr_class_rule *rule)
{
	struct class_tuple tuples[CLASS_TABLES], t;
	unsigned number[CLASS_TABLES], n = 0;
	int best, rc;

	for (unsigned i = 0; i < CLASS_TABLES; i++)
		if (family->table[i].used) {
			number[n] = i;
			tuples[n++] = family->table[i].tuple;
		}
	best = best_of(tuples, n, rule);
	if (best >= 0 && class_table_crowd(c, family, &family->table[number[best]], rule) < CROWD)
		return (int)number[best];
	for (unsigned finest = 0; finest < 2; finest++) {
		class_tuple_of(&t, rule, finest);
		if (best >= 0 && class_tuple_weight(&t) <= class_tuple_weight(&tuples[best]))
			continue;
		rc = open_table(c, family, &t, 2);
		if (rc != -ENOSPC)
			return rc;
	}
	if (best >= 0)
		return (int)number[best];
	t = (struct class_tuple){ 0 };
	return open_table(c, family, &t, 1);
}
