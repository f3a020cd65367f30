/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_TABLE_INT_H
#define MR_KIT_FLOW_TABLE_INT_H

/*
 * The flow table from inside. Linear hashing (Litwin, 1980) over one reservation of addresses:
 *
 *   buckets[0 .. count)     found by the hash: its low bits, one more of them in buckets that were
 *                           split already (flow_bucket_of)
 *   buckets[limit .. )      overflow buckets, chained behind a full one
 *
 * While the table grows, each addition splits the next bucket, b, into b and b + half: its chain's
 * entries are dealt out again by their hashes, which their keys give. There is no second array, and
 * a look-up does the same whether the table grows or not.
 *
 * Order in a chain: the first bucket, then at most one that is not full, then full ones. So a chain
 * of n entries has no more than 1 + n / 10 buckets, and an overflow of max / 10 buckets is enough
 * for any keys whatever: the table never refuses a flow before it has `max`.
 *
 * What peek reads from another thread is written by relaxed and release stores; a flow's
 * version says whether it was one and the same while it was read (peek.c).
 */

#include "kit/base/counter.h"
#include "kit/base/timer.h"
#include "kit/flow/table.h"

#define FLOW_WAYS 10u
/* A bucket's link: how many entries it has, and the next bucket of its chain, 0: none. */
#define FLOW_USED_SHIFT 28
#define FLOW_NEXT ((1u << FLOW_USED_SHIFT) - 1)
/* Entries per bucket, on average, at which the table begins to grow. */
#define FLOW_FULL 6u
/* Buckets at the start, and flows at most. */
#define FLOW_BUCKETS_MIN 16u
#define FLOW_MAX (1u << 27)
/* No flow is left alone for longer: `seen` has 16 bits. */
#define FLOW_LOOK_SECONDS 32768u
/* `seen` may be ahead of the last mr_flow_table_age by so many seconds. */
#define FLOW_AHEAD_SECONDS 256u

struct flow_bucket {
	MR_CACHE_ALIGNED uint16_t tag[FLOW_WAYS]; /* of those in use; others are 0 */
	uint32_t link;
	uint32_t index[FLOW_WAYS]; /* MR_FLOW_NONE behind those in use */
};
static_assert(sizeof(struct flow_bucket) == MR_CACHE_LINE, "a bucket is one line");

/* A version: its state in two bits, how often it was folded, and, in the upper half, how many flows
 * had this index. */
enum { FLOW_DEAD, FLOW_LIVE, FLOW_CHANGING, FLOW_STATE = 3 };
#define FLOW_FOLD (1u << 2)
#define FLOW_LIFE (1u << 16)

struct flow_cold {
	struct mr_timer timer; /* data: the second in which it was added */
	_Atomic uint64_t packets, bytes;
	_Atomic uint32_t last; /* the second of its last packet, as of the last fold */
	_Atomic uint32_t version;
	uint32_t told; /* of its packets, the low half: somebody was told of them (debt.c) */
	bool owes;     /* is in the queue; outlives the flow */
};

struct mr_flow_table {
	/* What a look-up needs. */
	struct flow_bucket *buckets;
	struct mr_flow *lines;
	uint32_t mask;  /* a power of two, less 1; count is at most one more */
	uint32_t count; /* buckets that are found by the hash */
	bool wide;      /* the processor has AVX2 */
	bool fetch_values;
	bool growing;
	uint16_t grow_now; /* entries per bucket at which it grows; FLOW_FULL but in tests */
	struct mr_hash_key hash;
	struct mr_flow_values *values;

	struct flow_cold *cold;
	uint32_t *debtors; /* a ring of all flows but one; debt.c */
	uint32_t debtor_first, debtor_count;
	struct mr_timer_wheel *wheel;
	uint32_t max, idle_seconds, seconds;
	uint32_t aged;  /* the second of the last mr_flow_table_age */
	uint32_t limit; /* buckets at most; the first overflow bucket's number */
	uint32_t overflow_fresh, overflow_free;
	uint32_t free; /* list of indices, through `arg`; MR_FLOW_NONE: none */
	_Atomic uint32_t top;
	_Atomic uint32_t values_top; /* the highest index that ever had values */
	size_t bucket_bytes, line_bytes, value_bytes, cold_bytes, debtor_bytes;
	/* Written by the worker, read by anybody. */
	_Atomic uint64_t flows, added, removed, expired, refused, grown, split, relocated, memory;
};

/* Fields of a line or a timer's data that another thread may read or write meanwhile. */
mr_inline uint32_t
flow_load(const uint32_t *p)
{
	return atomic_load_explicit((const _Atomic uint32_t *)p, memory_order_relaxed);
}

mr_inline void
flow_store(uint32_t *p, uint32_t v)
{
	atomic_store_explicit((_Atomic uint32_t *)p, v, memory_order_relaxed);
}

mr_inline uint64_t
flow_hash(const struct mr_hash_key *hash, const struct mr_flow_key *key)
{
	uint64_t words[6];

	memcpy(words, key, 5 * sizeof(words[0]));
	words[5] = key->pair;
	return mr_hash_words(hash, words, 6);
}

mr_inline uint16_t
flow_tag(uint64_t hash)
{
	return (uint16_t)(hash >> 48);
}

mr_inline uint32_t
flow_bucket_of(const struct mr_flow_table *t, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & t->mask;

	return at >= t->count ? at & t->mask >> 1 : at;
}

mr_inline bool
flow_same(const struct mr_flow_key *a, const struct mr_flow_key *b)
{
	uint64_t x[5], y[5];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) |
		   (a->pair ^ b->pair)) == 0;
}

mr_inline unsigned
flow_used(const struct flow_bucket *b)
{
	return b->link >> FLOW_USED_SHIFT;
}

mr_inline bool
flow_is_live(const struct mr_flow_table *t, uint32_t flow)
{
	return (atomic_load_explicit(&t->cold[flow].version, memory_order_relaxed) & FLOW_STATE) !=
	    FLOW_DEAD;
}

/* The second of the last packet that `seen` tells, when it is `now`. */
mr_inline uint32_t
flow_seen(uint16_t seen, uint32_t now)
{
	now += FLOW_AHEAD_SECONDS;
	return now - (uint16_t)(now - seen);
}

/* bucket.c: entries into buckets and out of them. */
void flow_bucket_insert(struct mr_flow_table *, uint64_t hash, uint32_t flow);
void flow_bucket_erase(struct mr_flow_table *, uint64_t hash, uint32_t flow);
uint32_t flow_bucket_find(const struct mr_flow_table *, uint64_t hash, const struct mr_flow_key *);
void flow_bucket_grow(struct mr_flow_table *);

/* find.c: the variants of the vector look-up. */
bool flow_find_wide(void);
void flow_find_portable(struct mr_flow_table *, struct mr_flow_batch *, unsigned count);

/* age.c: when the flow is looked after next. */
void flow_age_arm(struct mr_flow_table *, uint32_t flow, uint32_t last, uint32_t idle);

/* table.c: the same as mr_flow_table_remove, of a flow that is there. */
void flow_remove_hashed(struct mr_flow_table *, uint32_t flow, uint64_t hash);

#endif
