/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/flow/mask.h"

#include <errno.h>
#include <stdlib.h>

#include "kit/flow/pairs.h"

/* After so many packets the masks are put in order, and old hits count half. */
#define SORT_PACKETS 65536u

static_assert(MR_FLOW_PAIRS_IDS < 1u << MR_FLOW_MASK_PAIR, "room above a pair's number");

struct mask {
	unsigned fields;
	uint32_t entries; /* 0: free */
	uint64_t hits;
	uint64_t recent; /* the same, old ones halved */
};

struct mr_flow_masks {
	struct mr_flow_table *table;
	struct mask masks[MR_FLOW_MASKS_MAX];
	uint8_t order[MR_FLOW_MASKS_MAX]; /* those with entries, first [count] */
	unsigned count;
	uint32_t since; /* packets since the order was made */
	uint64_t hits, misses, refused_many, refused_full;
	/* Who is told of expired entries while they are expired. */
	mr_flow_expired_fn *expired;
	mr_flow_idle_fn *idle;
	void *user;
	struct mr_flow_batch batch;
};

int
mr_flow_masks_create(struct mr_flow_masks **out, const struct mr_flow_table_config *config,
    struct mr_error *error)
{
	struct mr_flow_masks *m = calloc(1, sizeof(*m));
	int rc;

	*out = NULL;
	if (!m)
		return mr_error_set(error, -ENOMEM, "flow masks: no memory");
	rc = mr_flow_table_create(&m->table, config, error);
	if (rc) {
		free(m);
		return rc;
	}
	*out = m;
	return 0;
}

void
mr_flow_masks_destroy(struct mr_flow_masks *m)
{
	if (!m)
		return;
	mr_flow_table_destroy(m->table);
	free(m);
}

struct mr_flow_table *
mr_flow_masks_table(struct mr_flow_masks *m)
{
	return m->table;
}

mr_inline void
put_mask(struct mr_flow_key *key, unsigned number, unsigned fields)
{
	mr_flow_key_mask(key, fields);
	key->pair |= (number + 1) << MR_FLOW_MASK_PAIR;
}

/* The most hits first; by insertion, as they are few and mostly in order. */
static void
sort(struct mr_flow_masks *m)
{
	for (unsigned i = 1; i < m->count; i++) {
		uint8_t moved = m->order[i];
		unsigned k = i;

		for (; k > 0 && m->masks[m->order[k - 1]].recent < m->masks[moved].recent; k--)
			m->order[k] = m->order[k - 1];
		m->order[k] = moved;
	}
	for (unsigned i = 0; i < m->count; i++)
		m->masks[m->order[i]].recent /= 2;
	m->since = 0;
}

unsigned
mr_flow_masks_find(struct mr_flow_masks *m, const struct mr_flow_batch *batch, uint16_t *todo,
    unsigned count, uint32_t *flow)
{
	unsigned left = count;

	for (unsigned k = 0; k < m->count && left > 0; k++) {
		unsigned number = m->order[k], n = 0;
		struct mask *mask = &m->masks[number];

		for (unsigned i = 0; i < left; i++) {
			m->batch.key[i] = batch->key[todo[i]];
			put_mask(&m->batch.key[i], number, mask->fields);
		}
		mr_flow_table_find(m->table, &m->batch, left);
		for (unsigned i = 0; i < left; i++) {
			uint16_t at = todo[i];

			if (m->batch.found[i])
				flow[at] = m->batch.found[i];
			else
				todo[n++] = at;
		}
		mask->hits += left - n;
		mask->recent += left - n;
		left = n;
	}
	m->hits += count - left;
	m->misses += left;
	m->since += count;
	if (mr_unlikely(m->since >= SORT_PACKETS))
		sort(m);
	return left;
}

/* The mask with these fields, or one that is free; MR_FLOW_MASKS_MAX: neither. */
static unsigned
mask_of(const struct mr_flow_masks *m, unsigned fields)
{
	unsigned number = MR_FLOW_MASKS_MAX;

	for (unsigned i = MR_FLOW_MASKS_MAX; i-- > 0;) {
		if (!m->masks[i].entries)
			number = i;
	}
	for (unsigned i = 0; i < m->count; i++)
		if (m->masks[m->order[i]].fields == fields)
			number = m->order[i];
	return number;
}

uint32_t
mr_flow_masks_add(struct mr_flow_masks *m, unsigned fields, const struct mr_flow_key *key,
    uint32_t seconds, enum mr_flow_masks_refusal *why)
{
	unsigned number = mask_of(m, fields |= MR_FLOW_PORT);
	struct mr_flow_key masked = *key;
	struct mask *mask;
	uint32_t flow;

	*why = MR_FLOW_MASKS_MANY;
	if (number == MR_FLOW_MASKS_MAX) {
		m->refused_many++;
		return MR_FLOW_NONE;
	}
	*why = MR_FLOW_MASKS_OK;
	mask = &m->masks[number];
	put_mask(&masked, number, fields);
	flow = mr_flow_table_get(m->table, &masked);
	if (flow)
		return flow;
	flow = mr_flow_table_add(m->table, &masked, mr_flow_table_hash(m->table, &masked), seconds);
	if (!flow) {
		*why = MR_FLOW_MASKS_FULL;
		m->refused_full++;
		return MR_FLOW_NONE;
	}
	if (!mask->entries) {
		*mask = (struct mask){ .fields = fields };
		m->order[m->count++] = (uint8_t)number;
	}
	mask->entries++;
	return flow;
}

/* One entry less; a mask without any is looked at no more. */
static void
leave(struct mr_flow_masks *m, const struct mr_flow *line)
{
	unsigned number = (line->key.pair >> MR_FLOW_MASK_PAIR) - 1, k;

	if (--m->masks[number].entries)
		return;
	for (k = 0; m->order[k] != number; k++)
		;
	for (m->count--; k < m->count; k++)
		m->order[k] = m->order[k + 1];
}

void
mr_flow_masks_remove(struct mr_flow_masks *m, uint32_t flow)
{
	if (!mr_flow_table_has(m->table, flow))
		return;
	leave(m, &mr_flow_table_lines(m->table)[flow]);
	mr_flow_table_remove(m->table, flow);
}

static uint32_t
idle(void *user, const struct mr_flow *line)
{
	struct mr_flow_masks *m = user;

	return m->idle(m->user, line);
}

static void
expired(void *user, uint32_t flow)
{
	struct mr_flow_masks *m = user;

	if (m->expired)
		m->expired(m->user, flow);
	mr_flow_masks_remove(m, flow);
}

unsigned
mr_flow_masks_age(struct mr_flow_masks *m, uint32_t seconds, unsigned budget,
    mr_flow_idle_fn *idle_fn, mr_flow_expired_fn *expired_fn, void *user)
{
	m->idle = idle_fn;
	m->expired = expired_fn;
	m->user = user;
	return mr_flow_table_age(m->table, seconds, budget, idle_fn ? idle : NULL, expired, m);
}

unsigned
mr_flow_masks_fields(const struct mr_flow_masks *m, const struct mr_flow *line,
    struct mr_flow_key *key)
{
	*key = line->key;
	key->pair &= (1u << MR_FLOW_MASK_PAIR) - 1;
	return m->masks[(line->key.pair >> MR_FLOW_MASK_PAIR) - 1].fields;
}

void
mr_flow_masks_stats(const struct mr_flow_masks *m, struct mr_flow_masks_stats *out)
{
	*out = (struct mr_flow_masks_stats){
		.hits = m->hits,
		.misses = m->misses,
		.refused_many = m->refused_many,
		.refused_full = m->refused_full,
		.count = m->count,
	};
	for (unsigned i = 0; i < m->count; i++) {
		const struct mask *mask = &m->masks[m->order[i]];

		out->mask[i].fields = mask->fields;
		out->mask[i].entries = mask->entries;
		out->mask[i].hits = mask->hits;
	}
}
