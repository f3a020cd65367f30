/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/flow/pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/hash.h"
#include "kit/base/memory.h"
#include "kit/packet/packet.h"

#define WAYS 4u
#define BUCKETS (2u * MR_FLOW_PAIRS_MAX / WAYS)
#define RECENT_BITS 6u
/* A slot's state: bit 31 that it is in use, bit 30 that its pair was asked for since the sweep
 * passed, below them how many hold it. */
#define USED (1u << 31)
#define ASKED (1u << 30)
#define HOLDERS (ASKED - 1)

struct slot {
	uint32_t low; /* the last four bytes */
	uint32_t state;
	uint64_t high; /* the first eight */
};

struct bucket {
	MR_CACHE_ALIGNED struct slot slots[WAYS];
};
static_assert(sizeof(struct bucket) == MR_CACHE_LINE, "a bucket is one line");

/* Pairs asked for since the last sweep, each where its own bits say: of the few stations that most packets
 * are from and to, neither the hash nor the bucket is needed. */
struct recent {
	uint64_t high;
	uint32_t low, id; /* 0: none */
};

struct mr_flow_pairs {
	struct recent recent[1u << RECENT_BITS];
	struct bucket *buckets;
	struct mr_hash_key hash;
	uint32_t count;
	uint32_t hand; /* of the sweep: the next bucket */
	struct mr_flow_pairs_stats stats;
};

#define BYTES (BUCKETS * sizeof(struct bucket))

int
mr_flow_pairs_create(struct mr_flow_pairs **out, uint64_t seed, int numa, struct mr_error *error)
{
	struct mr_flow_pairs *t = calloc(1, sizeof(*t));
	void *buckets;
	int rc = 0;

	*out = NULL;
	if (!t)
		return mr_error_set(error, -ENOMEM, "address pairs: no memory");
	if (seed)
		mr_hash_key_seed(&t->hash, seed);
	else
		rc = mr_hash_key_random(&t->hash, error);
	if (!rc)
		rc = mr_memory_reserve(&buckets, BYTES, numa, "address pairs", error);
	if (rc) {
		free(t);
		return rc;
	}
	t->buckets = buckets;
	*out = t;
	return 0;
}

void
mr_flow_pairs_destroy(struct mr_flow_pairs *t)
{
	if (!t)
		return;
	mr_memory_release(t->buckets, BYTES);
	free(t);
}

mr_inline void
load(const uint8_t *frame, uint64_t *high, uint32_t *low)
{
	memcpy(high, frame, sizeof(*high));
	memcpy(low, frame + sizeof(*high), sizeof(*low));
}

mr_inline struct bucket *
first_of(const struct mr_flow_pairs *t, uint64_t hash)
{
	return &t->buckets[hash % BUCKETS];
}

mr_inline struct bucket *
second_of(const struct mr_flow_pairs *t, uint64_t hash)
{
	return &t->buckets[(hash >> 32) % BUCKETS];
}

mr_inline struct recent *
recent_of(struct mr_flow_pairs *t, uint64_t high, uint32_t low)
{
	return &t->recent[(high ^ (uint64_t)low << 17) * 0x9e3779b97f4a7c15u >> (64 - RECENT_BITS)];
}

/* In which of the four it is follows from nothing that a branch could learn. */
mr_inline struct slot *
match(struct bucket *b, uint64_t high, uint32_t low)
{
	unsigned found = 0;

	for (unsigned i = 0; i < WAYS; i++) {
		const struct slot *s = &b->slots[i];

		found |= (unsigned)(((s->high ^ high) | (s->low ^ low) | (~s->state & USED)) == 0)
		    << i;
	}
	return found ? &b->slots[__builtin_ctz(found)] : NULL;
}

/* A free slot of the bucket with more of them, of the first one if there are as many. */
static struct slot *
room(struct bucket *first, struct bucket *second)
{
	struct slot *at[2] = { NULL, NULL };
	unsigned free_count[2] = { 0, 0 };

	for (unsigned i = 0; i < WAYS; i++) {
		if (!first->slots[i].state && ++free_count[0])
			at[0] = &first->slots[i];
		if (!second->slots[i].state && ++free_count[1])
			at[1] = &second->slots[i];
	}
	return at[free_count[1] > free_count[0]];
}

mr_inline uint32_t
id_of(const struct mr_flow_pairs *t, const struct slot *s)
{
	return (uint32_t)(s - (const struct slot *)t->buckets) + 1;
}

static uint32_t
find_or_add(struct mr_flow_pairs *t, uint64_t hash, uint64_t high, uint32_t low)
{
	struct bucket *first = first_of(t, hash), *second = second_of(t, hash);
	struct slot *s = match(first, high, low);

	if (!s)
		s = match(second, high, low);
	if (!s) {
		s = t->count < MR_FLOW_PAIRS_MAX ? room(first, second) : NULL;
		if (!s) {
			t->stats.refused++;
			return 0;
		}
		*s = (struct slot){ .low = low, .high = high, .state = USED };
		t->count++;
		t->stats.added++;
	}
	if (!(s->state & ASKED))
		s->state |= ASKED;
	return id_of(t, s);
}

void
mr_flow_pairs_find(struct mr_flow_pairs *t, const uint8_t *const *frames, uint32_t *ids,
    unsigned count)
{
	uint64_t hash[MR_VECTOR_MAX], high;
	uint16_t at[MR_VECTOR_MAX];
	unsigned others = 0;
	uint32_t low;

	for (unsigned i = 0; i < count; i++) {
		const struct recent *r;

		load(frames[i], &high, &low);
		r = recent_of(t, high, low);
		ids[i] = r->id;
		if (mr_likely(r->id && ((r->high ^ high) | (r->low ^ low)) == 0))
			continue;
		hash[others] = mr_hash_u128(&t->hash, high, low);
		mr_prefetch(first_of(t, hash[others]));
		at[others++] = (uint16_t)i;
	}
	for (unsigned i = 0; i < others; i++) {
		struct slot *s;
		uint32_t id;

		load(frames[at[i]], &high, &low);
		s = match(first_of(t, hash[i]), high, low);
		id = mr_likely(s && (s->state & ASKED)) ? id_of(t, s)
							: find_or_add(t, hash[i], high, low);
		ids[at[i]] = id;
		*recent_of(t, high, low) = (struct recent){ high, low, id };
	}
}

/* Null: no pair has this number. */
mr_inline struct slot *
slot_of(const struct mr_flow_pairs *t, uint32_t id)
{
	struct slot *s;

	if (id - 1 >= MR_FLOW_PAIRS_IDS - 1)
		return NULL;
	s = (struct slot *)t->buckets + (id - 1);
	return s->state & USED ? s : NULL;
}

void
mr_flow_pairs_hold(struct mr_flow_pairs *t, uint32_t id)
{
	struct slot *s = slot_of(t, id);

	if (s)
		s->state++;
}

void
mr_flow_pairs_release(struct mr_flow_pairs *t, uint32_t id)
{
	struct slot *s = slot_of(t, id);

	if (s && (s->state & HOLDERS))
		s->state--;
}

unsigned
mr_flow_pairs_sweep(struct mr_flow_pairs *t, unsigned buckets)
{
	unsigned freed = 0;

	memset(t->recent, 0, sizeof(t->recent));
	for (unsigned n = MR_MIN(buckets, BUCKETS); n > 0; n--) {
		struct bucket *b = &t->buckets[t->hand];

		t->hand = (t->hand + 1) % BUCKETS;
		for (unsigned i = 0; i < WAYS; i++) {
			struct slot *s = &b->slots[i];

			if (s->state == USED) {
				s->state = 0;
				freed++;
			} else {
				s->state &= ~ASKED;
			}
		}
	}
	t->count -= freed;
	t->stats.swept += freed;
	return freed;
}

bool
mr_flow_pairs_get(const struct mr_flow_pairs *t, uint32_t id, uint8_t *macs)
{
	const struct slot *s = slot_of(t, id);

	if (!s)
		return false;
	memcpy(macs, &s->high, sizeof(s->high));
	memcpy(macs + sizeof(s->high), &s->low, sizeof(s->low));
	return true;
}

void
mr_flow_pairs_stats(const struct mr_flow_pairs *t, struct mr_flow_pairs_stats *out)
{
	*out = t->stats;
	out->pairs = t->count;
	out->memory = sizeof(*t) + BYTES;
}
