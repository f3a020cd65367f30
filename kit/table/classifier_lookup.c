/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups, in phases over the whole vector: where each key looks into the filters (prefetch); the
 * tables that are left and the bucket in the first of these (prefetch); then rounds over the keys
 * that are not done, each with one bucket or block, and the next one prefetched. One body, compiled
 * for each family.
 */
#include "kit/table/classifier_int.h"

/* One key under way. */
struct run {
	uint64_t tables; /* still to be probed */
	uint64_t rank;   /* the best so far */
	uint64_t floor;  /* rules of lower rank do not count; lookup_from only */
	const struct class_line *lines;
	uint32_t count;
	uint32_t value;
	uint32_t probes, compared; /* match_one only */
};

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

/* The tables that the filters leave. */
mr_inline uint64_t
filtered(const struct class_family_view *f, const struct mr_class_key *key,
    const struct class_spot *src, const struct class_spot *dst)
{
	const struct class_filter *filter = f->filter;
	const struct class_any *any = &f->any;

#define WORD(array, i) atomic_load_explicit(&filter->array[i], memory_order_relaxed)
	return f->live & (WORD(src.coarse, src->coarse) | any->coarse[0]) &
	    (WORD(src.fine, src->middle) | any->middle[0]) &
	    (WORD(src.fine, src->fine) | any->fine[0]) &
	    (WORD(dst.coarse, dst->coarse) | any->coarse[1]) &
	    (WORD(dst.fine, dst->middle) | any->middle[1]) &
	    (WORD(dst.fine, dst->fine) | any->fine[1]) &
	    (WORD(sport, class_port_spot(key->sport)) | any->sport) &
	    (WORD(dport, class_port_spot(key->dport)) | any->dport) &
	    (WORD(proto, key->proto) | any->proto);
#undef WORD
}

/* Finds the bucket in the next table that may be better; false when there is none. */
mr_inline bool
advance(const struct mr_class_view *view, struct run *r, const struct mr_class_key *key, bool six)
{
	const struct class_family_view *f = &view->family[six];
	const struct class_probe *t;
	struct class_words w;
	uint64_t hash;
	uint32_t page;

	do {
		if (!r->tables)
			return false;
		t = &f->table[__builtin_ctzll(r->tables)];
		r->tables &= r->tables - 1;
	} while (t->rank >= r->rank);
	key_words(&w, key, six);
	hash = class_hash(&view->key, t, &w, six);
	page = class_page_of(hash, t->page_count, t->page_mask);
	r->lines = (const struct class_line *)(t->pages[page] +
	    class_bucket_of(hash) * (six ? CLASS_STRIDE6 : CLASS_STRIDE4));
	r->count = 1;
	r->probes++;
	mr_prefetch(r->lines);
	if (six)
		mr_prefetch((const uint8_t *)r->lines + 64);
	return true;
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

/* Looks through the lines at hand, best first; false when the rest of the bucket is yet to come. */
mr_inline bool
scan(struct run *r, const struct mr_class_key *key, bool six, bool floor)
{
	const uint8_t *at = (const uint8_t *)r->lines;
	const struct class_line *line = r->lines;
	struct class_words w;

	key_words(&w, key, six);
	for (uint32_t i = 0; i < r->count; i++) {
		line = (const struct class_line *)at;
		if (line->rank >= r->rank)
			return true;
		r->compared++;
		if ((!floor || line->rank >= r->floor) && equal(line, key, &w, six)) {
			r->rank = line->rank;
			r->value = line->value;
			return true;
		}
		at += six ? CLASS_STRIDE6 : CLASS_STRIDE4;
	}
	line = r->lines;
	if (!line->more_count)
		return true;
	r->lines = line->more;
	r->count = line->more_count;
	mr_prefetch(r->lines);
	return false;
}

mr_inline void
lookup(const struct mr_class_view *view, const struct mr_class_key *keys, struct run *runs,
    uint8_t *todo, unsigned count, bool six)
{
	const struct class_family_view *f = &view->family[six];
	struct class_spot src[MR_CLASS_VECTOR], dst[MR_CLASS_VECTOR];
	unsigned left = 0;

	if (!f->filter)
		return;
	for (unsigned i = 0; i < count; i++) {
		const struct mr_class_key *key = &keys[todo[i]];

		class_spot_of(&src[i], f->filter, &f->filter->src, key->src, six);
		class_spot_of(&dst[i], f->filter, &f->filter->dst, key->dst, six);
		mr_prefetch(&f->filter->src.coarse[src[i].coarse]);
		mr_prefetch(&f->filter->dst.coarse[dst[i].coarse]);
		mr_prefetch(&f->filter->src.fine[src[i].middle]);
		mr_prefetch(&f->filter->dst.fine[dst[i].middle]);
	}
	for (unsigned i = 0; i < count; i++) {
		unsigned k = todo[i];

		runs[k].tables = filtered(f, &keys[k], &src[i], &dst[i]);
		todo[left] = (uint8_t)k;
		left += advance(view, &runs[k], &keys[k], six);
	}
	while (left) {
		count = left;
		left = 0;
		for (unsigned i = 0; i < count; i++) {
			unsigned k = todo[i];

			todo[left] = (uint8_t)k;
			left += !scan(&runs[k], &keys[k], six, false) ||
			    advance(view, &runs[k], &keys[k], six);
		}
	}
}

static mr_noinline void
lookup4(const struct mr_class_view *view, const struct mr_class_key *keys, struct run *runs,
    uint8_t *todo, unsigned count)
{
	lookup(view, keys, runs, todo, count, false);
}

static mr_noinline void
lookup6(const struct mr_class_view *view, const struct mr_class_key *keys, struct run *runs,
    uint8_t *todo, unsigned count)
{
	lookup(view, keys, runs, todo, count, true);
}

static void
run_all(const struct mr_class_view *view, const struct mr_class_key *keys, struct run *runs,
    unsigned count)
{
	uint8_t todo4[MR_CLASS_VECTOR + 1], todo6[MR_CLASS_VECTOR + 1];
	unsigned fours = 0, sixes = 0;

	for (unsigned i = 0; i < count; i++) {
		runs[i] = (struct run){ .rank = UINT64_MAX, .value = MR_CLASS_NONE };
		todo4[fours] = todo6[sixes] = (uint8_t)i;
		fours += keys[i].family == 4;
		sixes += keys[i].family == 6;
	}
	if (fours)
		lookup4(view, keys, runs, todo4, fours);
	if (sixes)
		lookup6(view, keys, runs, todo6, sixes);
}

void
mr_class_lookup(const struct mr_class_view *view, const struct mr_class_key *keys, uint32_t *values,
    uint32_t *ids, unsigned count)
{
	struct run runs[MR_CLASS_VECTOR];

	run_all(view, keys, runs, count);
	for (unsigned i = 0; i < count; i++)
		values[i] = runs[i].value;
	/* Without a match the rank's lower half is MR_CLASS_NONE. */
	for (unsigned i = 0; ids && i < count; i++)
		ids[i] = (uint32_t)runs[i].rank;
}

uint32_t
mr_class_lookup_from(const struct mr_class_view *view, const struct mr_class_key *key,
    uint32_t priority)
{
	bool six = key->family == 6;
	const struct class_family_view *f = &view->family[six];
	struct run r = { .rank = UINT64_MAX,
		.floor = (uint64_t)priority << 32,
		.value = MR_CLASS_NONE };
	struct class_spot src, dst;
	bool more;

	if (!f->filter || (key->family != 4 && !six))
		return MR_CLASS_NONE;
	class_spot_of(&src, f->filter, &f->filter->src, key->src, six);
	class_spot_of(&dst, f->filter, &f->filter->dst, key->dst, six);
	r.tables = filtered(f, key, &src, &dst);
	for (more = advance(view, &r, key, six); more;)
		more = !scan(&r, key, six, true) || advance(view, &r, key, six);
	return r.value;
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
	struct run r = { .rank = UINT64_MAX };
	const struct class_line *best = NULL;
	struct class_spot src, dst;
	bool more;

	*match = (struct mr_class_match){ .id = MR_CLASS_NONE };
	if (!f->filter || (key->family != 4 && !six))
		return;
	class_spot_of(&src, f->filter, &f->filter->src, key->src, six);
	class_spot_of(&dst, f->filter, &f->filter->dst, key->dst, six);
	r.tables = filtered(f, key, &src, &dst);
	for (more = advance(view, &r, key, six); more;) {
		const struct class_line *lines = r.lines;
		uint32_t count = r.count;
		uint64_t rank = r.rank;

		more = !scan(&r, key, six, false);
		for (uint32_t i = 0; r.rank != rank && i < count; i++) {
			const struct class_line *line =
			    (const struct class_line *)((uintptr_t)lines +
				(six ? CLASS_STRIDE6 : CLASS_STRIDE4) * (size_t)i);

			if (line->rank == r.rank)
				best = line;
		}
		more = more || advance(view, &r, key, six);
	}
	match->tables = r.probes;
	match->rules = r.compared;
	if (!best)
		return;
	match->id = (uint32_t)r.rank;
	rule_of(&match->rule, best, six);
}
