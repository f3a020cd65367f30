/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table's buckets: entries in and out, chains, and the splitting of one at a time. */
#include "kit/flow/table_int.h"

mr_inline void
set_link(struct flow_bucket *b, unsigned used, uint32_t next)
{
	b->link = used << FLOW_USED_SHIFT | next;
}

mr_inline struct flow_bucket *
next_of(const struct mr_flow_table *t, const struct flow_bucket *b)
{
	uint32_t next = b->link & FLOW_NEXT;

	return next ? &t->buckets[next] : NULL;
}

mr_inline void
put(struct flow_bucket *b, uint16_t tag, uint32_t flow)
{
	unsigned used = flow_used(b);

	b->tag[used] = tag;
	b->index[used] = flow;
	b->link += 1u << FLOW_USED_SHIFT;
}

/* Takes the bucket's last entry away. */
mr_inline void
shrink(struct flow_bucket *b)
{
	unsigned last = flow_used(b) - 1;

	b->tag[last] = 0;
	b->index[last] = MR_FLOW_NONE;
	b->link -= 1u << FLOW_USED_SHIFT;
}

static uint32_t
overflow_get(struct mr_flow_table *t)
{
	uint32_t at = t->overflow_free;

	if (at)
		t->overflow_free = t->buckets[at].link & FLOW_NEXT;
	else
		at = t->overflow_fresh++; /* there is always one: see table_int.h */
	mr_counter_add(&t->memory, sizeof(struct flow_bucket));
	return at;
}

static void
overflow_put(struct mr_flow_table *t, uint32_t at)
{
	t->buckets[at] = (struct flow_bucket){ .link = t->overflow_free };
	t->overflow_free = at;
	mr_counter_add(&t->memory, -sizeof(struct flow_bucket));
}

mr_inline void
insert_at(struct mr_flow_table *t, struct flow_bucket *first, uint16_t tag, uint32_t flow)
{
	struct flow_bucket *b;
	uint32_t at;

	if (mr_likely(flow_used(first) < FLOW_WAYS)) {
		put(first, tag, flow);
		return;
	}
	b = next_of(t, first);
	if (!b || flow_used(b) == FLOW_WAYS) {
		at = overflow_get(t);
		b = &t->buckets[at];
		set_link(b, 0, first->link & FLOW_NEXT);
		set_link(first, FLOW_WAYS, at);
	}
	put(b, tag, flow);
}

void
flow_bucket_insert(struct mr_flow_table *t, uint64_t hash, uint32_t flow)
{
	insert_at(t, &t->buckets[flow_bucket_of(t, hash)], flow_tag(hash), flow);
}

void
flow_bucket_erase(struct mr_flow_table *t, uint64_t hash, uint32_t flow)
{
	struct flow_bucket *first = &t->buckets[flow_bucket_of(t, hash)], *b = first, *partial;
	unsigned slot, last;
	uint32_t at, m = 0;

	for (; b; b = next_of(t, b)) {
		/* All at once: where it stands nobody can predict. */
		for (unsigned i = 0; i < FLOW_WAYS; i++)
			m |= (uint32_t)(b->index[i] == flow) << i;
		if (mr_likely(m))
			break;
	}
	if (mr_unlikely(!m))
		return;
	slot = (unsigned)__builtin_ctz(m);
	/* The hole is filled from the one bucket that need not be full. */
	partial = next_of(t, first);
	if (mr_likely(!partial))
		partial = first;
	last = flow_used(partial) - 1;
	b->tag[slot] = partial->tag[last];
	b->index[slot] = partial->index[last];
	shrink(partial);
	if (mr_unlikely(partial != first && last == 0)) {
		at = first->link & FLOW_NEXT;
		set_link(first, flow_used(first), partial->link & FLOW_NEXT);
		overflow_put(t, at);
	}
}

uint32_t
flow_bucket_find(const struct mr_flow_table *t, uint64_t hash, const struct mr_flow_key *key)
{
	const struct flow_bucket *b = &t->buckets[flow_bucket_of(t, hash)];
	uint16_t tag = flow_tag(hash);

	for (; b; b = next_of(t, b))
		for (unsigned i = 0; i < flow_used(b); i++)
			if (b->tag[i] == tag && flow_same(&t->lines[b->index[i]].key, key))
				return b->index[i];
	return MR_FLOW_NONE;
}

/* The lines whose keys the next split will hash. */
static void
prefetch_next(const struct mr_flow_table *t)
{
	const struct flow_bucket *b = &t->buckets[t->count & t->mask >> 1];

	for (unsigned i = 0; i < flow_used(b); i++)
		mr_prefetch(&t->lines[b->index[i]]);
	mr_prefetch(b + 1);
	mr_prefetch_write(&t->buckets[t->count]);
}

/* Splits the next bucket: count becomes one more. */
static void
split(struct mr_flow_table *t)
{
	struct flow_bucket *low = &t->buckets[t->count & t->mask >> 1];
	struct flow_bucket *high = &t->buckets[t->count], old = *low;
	uint32_t bit = (t->mask >> 1) + 1, next;
	uint64_t moved = 0;

	*low = (struct flow_bucket){ 0 };
	t->count++;
	for (;;) {
		for (unsigned i = 0; i < flow_used(&old); i++) {
			uint64_t hash = flow_hash(&t->hash, &t->lines[old.index[i]].key);
			bool up = hash & bit;

			insert_at(t, up ? high : low, old.tag[i], old.index[i]);
			moved += up;
		}
		next = old.link & FLOW_NEXT;
		if (mr_likely(!next))
			break;
		/* Given back before its entries want room. */
		old = t->buckets[next];
		overflow_put(t, next);
	}
	mr_counter_add(&t->memory, sizeof(struct flow_bucket));
	mr_counter_add(&t->split, 1);
	mr_counter_add(&t->relocated, moved);
}

/* Called with each addition: the work of growing, and whether it is time to. */
void
flow_bucket_grow(struct mr_flow_table *t)
{
	if (mr_likely(!t->growing)) {
		if (mr_likely(mr_counter_get(&t->flows) < (uint64_t)t->count * t->grow_now ||
			t->count == t->limit))
			return;
		t->growing = true;
		t->mask = t->mask * 2 + 1;
		mr_counter_add(&t->grown, 1);
		prefetch_next(t);
		return;
	}
	split(t);
	if (t->count == t->mask + 1)
		t->growing = false;
	else
		prefetch_next(t);
}
