/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups, in phases over the whole vector, each a loop that does the same for every key and has
 * few branches that depend on one: where the keys look into the filters (prefetch) and, a chunk
 * behind, which tables these leave; the bucket in the first of these (prefetch); then rounds of
 * looking at a bucket's first rule, at the others where there are some, and of finding the bucket
 * in the next table. Who goes on to what is kept as lists of positions. One body, compiled for
 * each family.
 */
#include "kit/table/classifier_int.h"

/* Keys between a prefetch and its use. What a key does with one line runs while the lines of the
 * next ones are fetched, so that neither the core nor its memory waits for the other. */
#define FILTER_LAG 32u
#define BUCKET_LAG 24u

/* The keys under way, and who won so far. */
struct run {
	uint64_t tables[MR_CLASS_VECTOR]; /* still to be probed */
	uint64_t rank[MR_CLASS_VECTOR];
	uintptr_t bucket[MR_CLASS_VECTOR]; /* its first line; in the low bits, the key's tag */
	uint32_t *value;
};

#define TAG_MASK 15u
static_assert(TAG_MASK < MR_CACHE_LINE, "tags hide where lines are aligned");

/* One of two words, without a branch, of which half would be mispredicted. */
mr_inline uint64_t
pick(bool which, uint64_t yes, uint64_t no)
{
	uint64_t mask = -(uint64_t)which;

	/* Or the compiler makes it a branch. */
	__asm__("" : "+r"(mask));
	return no ^ ((yes ^ no) & mask);
}

mr_inline const struct class_line *
line_of(uintptr_t bucket)
{
	return (const struct class_line *)(bucket & ~(uintptr_t)TAG_MASK);
}

mr_inline void
key_words(struct class_words *w, const struct mr_class_key *key, bool six)
{
	if (six) {
		w->address[0] = class_load64(key->src);
		w->address[1] = class_load64(key->src + 8);
		w->address[2] = class_load64(key->dst);
		w->address[3] = class_load64(key->dst + 8);
	} else {
		w->address[0] = class_load32(key->src) | (uint64_t)class_load32(key->dst) << 32;
	}
	w->ports = class_load64((const uint8_t *)&key->sport) & 0xffffffffff;
	w->extra = key->extra | (uint64_t)key->proto << 32;
}

mr_inline void
find_spots(struct class_spot spot[2], const struct class_filter *filter,
    const struct mr_class_key *key, bool six)
{
	class_spot_of(&spot[0], filter, key->src, six);
	class_spot_of(&spot[1], filter, key->dst, six);
}

#define WORD(array, i) atomic_load_explicit(&filter->array[i], memory_order_relaxed)

/* The tables that the filters leave, but for the fine one. */
mr_inline uint64_t
filtered_coarse(const struct class_family_view *f, const struct mr_class_key *key,
    const struct class_spot spot[2])
{
	const struct class_filter *filter = f->filter;
	const struct class_any *any = &f->any;

	return f->live & (WORD(coarse[0], spot[0].coarse) | any->coarse[0]) &
	    (WORD(coarse[1], spot[1].coarse) | any->coarse[1]) &
	    (WORD(sport, class_port_spot(key->sport)) | any->sport) &
	    (WORD(dport, class_port_spot(key->dport)) | any->dport) &
	    (WORD(proto, key->proto) | any->proto);
}

mr_inline uint64_t
filtered_fine(const struct class_family_view *f, const struct class_spot spot[2])
{
	const struct class_filter *filter = f->filter;
	const struct class_any *any = &f->any;

	return (WORD(fine[0], spot[0].middle) | any->middle[0]) &
	    (WORD(fine[0], spot[0].fine) | any->fine[0]) &
	    (WORD(fine[1], spot[1].middle) | any->middle[1]) &
	    (WORD(fine[1], spot[1].fine) | any->fine[1]);
}
#undef WORD

/* Whether any of these tables may have a better rule. */
mr_inline bool
worth(const struct class_family_view *f, uint64_t tables, uint64_t rank)
{
	/* The last bound is that of a table, or UINT64_MAX where there are fewer. */
	return (tables != 0) & (f->bound[__builtin_ctzll(tables | 1ull << 63)] < rank);
}

/* The bucket in the first of the tables, of which there is one; its lines are on their way. */
mr_inline uintptr_t
find_bucket(const struct mr_class_view *view, uint64_t tables, const struct mr_class_key *key,
    bool six)
{
	const struct class_probe *t = &view->family[six].table[__builtin_ctzll(tables)];
	struct class_words w;
	const uint8_t *line;
	uint64_t hash;

	key_words(&w, key, six);
	hash = class_hash(&view->key, t, &w, six);
	line = t->pages[class_page_of(hash, t->page_count, t->page_mask)] +
	    class_bucket_of(hash) * (six ? CLASS_STRIDE6 : CLASS_STRIDE4);
	mr_prefetch(line);
	if (six)
		mr_prefetch(line + 64);
	return (uintptr_t)line | class_tag_of(hash);
}

/* Whether a bucket's further rules may include one with this tag. */
mr_inline bool
has_more(uintptr_t bucket)
{
	return line_of(bucket)->more_tags >> (bucket & TAG_MASK) & 1;
}

mr_inline bool
equal(const struct class_line *line, const struct mr_class_key *key, const struct class_words *w,
    bool six)
{
	const uint64_t *value = line->words, *mask = value + (six ? CLASS_WORDS6 : CLASS_WORDS4);
	uint64_t differ;
	unsigned n = six ? 4 : 1;

	differ = (w->extra & mask[n]) ^ value[n];
	for (unsigned i = 0; i < n; i++)
		differ |= (w->address[i] & mask[i]) ^ value[i];
	return (differ == 0) & ((uint16_t)(key->sport - line->sport) <= line->sport_span) &
	    ((uint16_t)(key->dport - line->dport) <= line->dport_span);
}

/* The best rule in a block that matches, or null. */
mr_inline const struct class_line *
search(const struct class_line *head, uint64_t rank, const struct mr_class_key *key, bool six,
    uint32_t *compared)
{
	const struct class_line *line = head->more;
	struct class_words w;

	key_words(&w, key, six);
	for (uint32_t i = 0; i < head->more_count && line->rank < rank; i++) {
		++*compared;
		if (equal(line, key, &w, six))
			return line;
		line = (const struct class_line *)((uintptr_t)line +
		    (six ? CLASS_STRIDE6 : CLASS_STRIDE4));
	}
	return NULL;
}

/* Leaves in `todo` the keys that have tables. */
mr_inline unsigned
filter_all(const struct class_family_view *f, const struct mr_class_key *keys, struct run *r,
    uint8_t *todo, unsigned count, bool six)
{
	struct class_spot spots[FILTER_LAG][2], *spot;
	unsigned left = 0;

	for (unsigned i = 0; i < count + FILTER_LAG; i++) {
		spot = spots[i % FILTER_LAG];
		if (i >= FILTER_LAG) {
			unsigned k = todo[i - FILTER_LAG];

			r->tables[k] = filtered_coarse(f, &keys[k], spot);
			if (f->fine)
				r->tables[k] &= filtered_fine(f, spot);
			todo[left] = (uint8_t)k;
			left += r->tables[k] != 0;
		}
		if (i >= count)
			continue;
		find_spots(spot, f->filter, &keys[todo[i]], six);
		for (unsigned k = 0; k < 2; k++) {
			mr_prefetch(&f->filter->coarse[k][spot[k].coarse]);
			if (f->fine)
				mr_prefetch(&f->filter->fine[k][spot[k].middle]);
		}
	}
	return left;
}

/* Lists of positions, with room for one that is not kept. */
struct list {
	unsigned count;
	uint8_t at[MR_CLASS_VECTOR + 1];
};

mr_inline void
list_add(struct list *list, unsigned k, bool keep)
{
	list->at[list->count] = (uint8_t)k;
	list->count += keep;
}

mr_inline void
next_bucket(const struct mr_class_view *view, struct run *r, unsigned k,
    const struct mr_class_key *keys, bool six)
{
	r->bucket[k] = find_bucket(view, r->tables[k], &keys[k], six);
	r->tables[k] &= r->tables[k] - 1;
}

/* The first rule of the bucket at hand; goes on to its others or to the next table. */
mr_inline void
look_at_first(const struct class_family_view *f, struct run *r, unsigned k,
    const struct mr_class_key *keys, struct list *next, struct list *blocks, bool six)
{
	const struct mr_class_key *key = &keys[k];
	const struct class_line *line = line_of(r->bucket[k]);
	bool better = line->rank < r->rank[k], match, others;
	struct class_words w;

	key_words(&w, key, six);
	match = better & equal(line, key, &w, six);
	others = better & !match & has_more(r->bucket[k]);
	r->rank[k] = pick(match, line->rank, r->rank[k]);
	r->value[k] = (uint32_t)pick(match, line->value, r->value[k]);
	mr_prefetch((const void *)pick(others, (uintptr_t)line->more, (uintptr_t)line));
	list_add(blocks, k, others);
	list_add(next, k, !others & worth(f, r->tables[k], r->rank[k]));
}

mr_inline void
look_at_others(const struct class_family_view *f, struct run *r, unsigned k,
    const struct mr_class_key *key, struct list *next, bool six)
{
	uint32_t compared = 0;
	const struct class_line *line =
	    search(line_of(r->bucket[k]), r->rank[k], key, six, &compared);

	if (line) {
		r->rank[k] = line->rank;
		r->value[k] = line->value;
	}
	list_add(next, k, worth(f, r->tables[k], r->rank[k]));
}

mr_inline void
lookup(const struct mr_class_view *view, const struct mr_class_key *keys, struct run *r,
    uint8_t *todo, unsigned count, bool six)
{
	const struct class_family_view *f = &view->family[six];
	struct list lists[4];
	struct list *now = &lists[0], *next = &lists[1], *blocks = &lists[2], *more = &lists[3];
	unsigned lag;

	if (!f->filter)
		return;
	now->count = filter_all(f, keys, r, todo, count, six);
	memcpy(now->at, todo, now->count);
	blocks->count = 0;
	while (now->count | blocks->count) {
		struct list *swap = now;

		next->count = more->count = 0;
		lag = MR_MIN(now->count, BUCKET_LAG);
		for (unsigned i = 0; i < lag; i++)
			next_bucket(view, r, now->at[i], keys, six);
		for (unsigned i = lag; i < now->count; i++) {
			look_at_first(f, r, now->at[i - lag], keys, next, more, six);
			next_bucket(view, r, now->at[i], keys, six);
		}
		for (unsigned i = now->count - lag; i < now->count; i++)
			look_at_first(f, r, now->at[i], keys, next, more, six);
		/* Those of the last round: they were under way meanwhile. */
		for (unsigned i = 0; i < blocks->count; i++)
			look_at_others(f, r, blocks->at[i], &keys[blocks->at[i]], next, six);
		now = next;
		next = swap;
		swap = blocks;
		blocks = more;
		more = swap;
	}
}

static mr_noinline void
lookup4(const struct mr_class_view *view, const struct mr_class_key *keys, struct run *r,
    uint8_t *todo, unsigned count)
{
	lookup(view, keys, r, todo, count, false);
}

static mr_noinline void
lookup6(const struct mr_class_view *view, const struct mr_class_key *keys, struct run *r,
    uint8_t *todo, unsigned count)
{
	lookup(view, keys, r, todo, count, true);
}

void
mr_class_lookup(const struct mr_class_view *view, const struct mr_class_key *keys, uint32_t *values,
    uint32_t *ids, unsigned count)
{
	uint8_t todo4[MR_CLASS_VECTOR + 1], todo6[MR_CLASS_VECTOR + 1];
	unsigned fours = 0, sixes = 0;
	struct run r;

	r.value = values;
	for (unsigned i = 0; i < count; i++) {
		r.rank[i] = UINT64_MAX;
		values[i] = MR_CLASS_NONE;
		todo4[fours] = todo6[sixes] = (uint8_t)i;
		fours += keys[i].family == 4;
		sixes += keys[i].family == 6;
	}
	if (fours)
		lookup4(view, keys, &r, todo4, fours);
	if (sixes)
		lookup6(view, keys, &r, todo6, sixes);
	/* Without a match the rank's lower half is MR_CLASS_NONE. */
	for (unsigned i = 0; ids && i < count; i++)
		ids[i] = (uint32_t)r.rank[i];
}

/* A table probed in vain costs about as much as a look at the fine filter. */
bool
class_filter_fine(const struct class_family_view *f, const struct class_core *core, unsigned six)
{
	uint32_t coarse = 0, fine = 0, samples = 0;

	for (uint32_t i = 0; i < core->slot_count; i += 1 + core->slot_count / 512) {
		const struct mr_class_rule *rule = &core->slots[i].rule;
		struct mr_class_key key = { .sport = rule->sport_hi,
			.dport = rule->dport_hi,
			.proto = rule->proto_mask ? rule->proto : 6 };
		struct class_spot spot[2];
		uint64_t tables;

		if (rule->family != (six ? 6 : 4))
			continue;
		memcpy(key.src, rule->src, sizeof(key.src));
		memcpy(key.dst, rule->dst, sizeof(key.dst));
		find_spots(spot, f->filter, &key, six);
		tables = filtered_coarse(f, &key, spot);
		coarse += (uint32_t)__builtin_popcountll(tables);
		fine += (uint32_t)__builtin_popcountll(tables & filtered_fine(f, spot));
		samples++;
	}
	return coarse - fine > samples;
}

static unsigned
bits_of(const void *mask, size_t size)
{
	const uint8_t *p = mask;
	unsigned n = 0;

	for (size_t i = 0; i < size; i++)
		n += (unsigned)__builtin_popcount(p[i]);
	return n;
}

static void
rule_of(struct mr_class_rule *rule, const struct class_line *line, bool six)
{
	unsigned n = six ? 4 : 1, half = six ? 16 : 4;
	const uint8_t *value = (const uint8_t *)line->words;
	const uint8_t *mask = (const uint8_t *)(line->words + n + 1);

	*rule = (struct mr_class_rule){
		.priority = (uint32_t)(line->rank >> 32),
		.value = line->value,
		.family = six ? 6 : 4,
		.src_len = (uint8_t)bits_of(mask, half),
		.dst_len = (uint8_t)bits_of(mask + half, half),
		.proto = (uint8_t)(line->words[n] >> 32),
		.proto_mask = (uint8_t)(line->words[2 * n + 1] >> 32),
		.sport_lo = line->sport,
		.sport_hi = line->sport + line->sport_span,
		.dport_lo = line->dport,
		.dport_hi = line->dport + line->dport_span,
		.extra = (uint32_t)line->words[n],
		.extra_mask = (uint32_t)line->words[2 * n + 1],
	};
	memcpy(rule->src, value, half);
	memcpy(rule->dst, value + half, half);
}

void
mr_class_match_one(const struct mr_class_view *view, const struct mr_class_key *key,
    struct mr_class_match *match)
{
	bool six = key->family == 6;
	const struct class_family_view *f = &view->family[six];
	const struct class_line *best = NULL;
	uint64_t rank = UINT64_MAX, tables;
	struct class_spot spot[2];
	struct class_words w;

	*match = (struct mr_class_match){ .id = MR_CLASS_NONE };
	if (!f->filter || (key->family != 4 && !six))
		return;
	key_words(&w, key, six);
	find_spots(spot, f->filter, key, six);
	for (tables = filtered_coarse(f, key, spot) & filtered_fine(f, spot);
	     worth(f, tables, rank); tables &= tables - 1) {
		uintptr_t at = find_bucket(view, tables, key, six);
		const struct class_line *line = line_of(at);

		match->tables++;
		if (line->rank >= rank)
			continue;
		match->rules++;
		if (!equal(line, key, &w, six))
			line = !has_more(at) ? NULL : search(line, rank, key, six, &match->rules);
		if (line) {
			best = line;
			rank = line->rank;
		}
	}
	if (!best)
		return;
	match->id = (uint32_t)rank;
	rule_of(&match->rule, best, six);
}

/* The best rule of a bucket at hand that matches, from `floor` on and below `rank`. */
static const struct class_line *
search_from(uintptr_t at, uint64_t floor, uint64_t rank, const struct mr_class_key *key,
    const struct class_words *w, bool six)
{
	const struct class_line *head = line_of(at), *line = head->more;

	if (head->rank >= rank)
		return NULL;
	if (head->rank >= floor && equal(head, key, w, six))
		return head;
	for (uint32_t i = 0; has_more(at) && i < head->more_count && line->rank < rank; i++) {
		if (line->rank >= floor && equal(line, key, w, six))
			return line;
		line = (const struct class_line *)((uintptr_t)line +
		    (six ? CLASS_STRIDE6 : CLASS_STRIDE4));
	}
	return NULL;
}

uint32_t
mr_class_lookup_from(const struct mr_class_view *view, const struct mr_class_key *key,
    uint32_t priority)
{
	bool six = key->family == 6;
	const struct class_family_view *f = &view->family[six];
	uint64_t floor = (uint64_t)priority << 32, rank = UINT64_MAX, tables;
	uint32_t value = MR_CLASS_NONE;
	struct class_spot spot[2];
	struct class_words w;

	if (!f->filter || (key->family != 4 && !six))
		return MR_CLASS_NONE;
	key_words(&w, key, six);
	find_spots(spot, f->filter, key, six);
	for (tables = filtered_coarse(f, key, spot) & filtered_fine(f, spot);
	     worth(f, tables, rank); tables &= tables - 1) {
		uintptr_t at = find_bucket(view, tables, key, six);
		const struct class_line *line = search_from(at, floor, rank, key, &w, six);

		if (line) {
			rank = line->rank;
			value = line->value;
		}
	}
	return value;
}
