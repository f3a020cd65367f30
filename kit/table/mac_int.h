/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_MAC_INT_H
#define MR_KIT_TABLE_MAC_INT_H

/*
 * The MAC table from inside: its memory, and how one entry is read and changed.
 *
 * An entry is (key, value). The value's state bits say whether the entry is empty
 * (neither bit), owned by a writer (BUSY) or valid (LIVE), and its re-use count
 * goes up whenever an entry is claimed. All changes start with a compare-and-swap
 * of the value word:
 *
 *   refresh, move   value: LIVE n -> LIVE n, one CAS, the key stays
 *   insert          value: empty n -> BUSY n+1 (CAS); key stored; value -> LIVE n+1
 *   remove          value: LIVE n  -> BUSY n+1 (CAS); key = 0;    value -> empty n+1
 *   replace         value: LIVE n  -> BUSY n+1 (CAS); key stored; value -> LIVE n+1
 *
 * A reader loads value (acquire), key (acquire), value again. Where the first value is
 * LIVE n, the key it sees next is the one of n or a later one (value's release store). If it
 * is a later one, stored after the claim of n+1, then the second load sees at least that
 * claim, because the key's store is a release too: the counts differ, and the reader
 * takes it for a miss and tries again. So a first value that is LIVE and a second one with
 * the same count belong to the key between them. (A first value that is BUSY n proves nothing:
 * the key read next may be the one before.) The count has 18 bits: a reader would have to be
 * stopped between two loads for exactly a multiple of 262,144 re-uses of one entry to be fooled.
 *
 * Two workers may insert one key at once, into different entries. Each looks at
 * both buckets after it has published (sequentially consistent, so that at least
 * one of the two sees both) and removes all but one by the same rule.
 */

#include "kit/base/generation.h"
#include "kit/base/hash.h"
#include "kit/table/mac.h"

#define MAC_WAYS 4u

#define MAC_PORT_MASK 0xffffull
#define MAC_FLAG_SHIFT 16
#define MAC_SECONDS_SHIFT 24
#define MAC_SECONDS ((uint64_t)MR_MAC_SECONDS_MASK << MAC_SECONDS_SHIFT)
#define MAC_REUSE_SHIFT 46
#define MAC_REUSE (~0ull << MAC_REUSE_SHIFT)
#define MAC_FLAG(flag) ((uint64_t)(flag) << MAC_FLAG_SHIFT)
#define MAC_LIVE MAC_FLAG(MR_MAC_LIVE)
#define MAC_BUSY MAC_FLAG(MR_MAC_BUSY)
#define MAC_STATIC MAC_FLAG(MR_MAC_STATIC)
/* What mr_mac_find hands out. */
#define MAC_FOUND_MASK 0xffffffull

/* The keys stand together, so that one vector instruction compares them. */
struct mac_bucket {
	MR_CACHE_ALIGNED _Atomic uint64_t key[MAC_WAYS];
	_Atomic uint64_t value[MAC_WAYS];
};
static_assert(sizeof(struct mac_bucket) == MR_CACHE_LINE, "a bucket is one line");

/* One entry seen in place: a key of a bucket and, the other keys and values between
 * them, its value. */
struct mac_entry {
	_Atomic uint64_t key;
	_Atomic uint64_t between[MAC_WAYS - 1];
	_Atomic uint64_t value;
};
static_assert(offsetof(struct mac_bucket, value) - offsetof(struct mac_bucket, key) ==
	offsetof(struct mac_entry, value),
    "an entry laid over a bucket");

mr_inline struct mac_entry *
mac_entry_at(const struct mac_bucket *b, unsigned i)
{
	return (struct mac_entry *)&b->key[i];
}

struct mac_port {
	_Atomic uint32_t count;
	_Atomic uint32_t limit; /* 0: none; written by control */
};

struct mac_fid {
	_Atomic uint32_t count;
	_Atomic uint32_t limit;  /* 0: none; written by control */
	_Atomic uint32_t ageing; /* 0: never; written by control */
	struct mr_generation generation;
	_Atomic uint64_t aged; /* written by control */
};

struct mr_mac {
	struct mac_bucket *buckets;
	uint32_t mask; /* buckets - 1 */
	uint32_t ports;
	uint32_t fids;
	bool refuse_when_full;
	bool wide; /* the processor has AVX2 */
	uint32_t hash_k[2], hash_f[2];
	struct mac_port *port;
	struct mac_fid *fid;
	size_t bytes;           /* of the buckets */
	_Atomic uint32_t limit; /* 0: none */
	MR_CACHE_ALIGNED _Atomic uint32_t count;
};

/*
 * The construction of kit/base/hash.h (which says what it is worth) with words half as
 * wide, because AVX2 multiplies four pairs of them at once: a key's two halves are one
 * step, its result's two halves the other. Two keys that agree in the first step, for
 * one table in 2^32, share both buckets; two keys that share one bucket of a thousand are a
 * million times as many, so that the width is not what an attacker would go for.
 */
mr_inline uint64_t
mac_hash(const struct mr_mac *t, uint64_t key)
{
	uint64_t s =
	    (uint64_t)((uint32_t)key + t->hash_k[0]) * ((uint32_t)(key >> 32) + t->hash_k[1]);

	return (uint64_t)((uint32_t)s + t->hash_f[0]) * ((uint32_t)(s >> 32) + t->hash_f[1]);
}

mr_inline uint32_t
mac_first(const struct mr_mac *t, uint64_t hash)
{
	return (uint32_t)(hash ^ hash >> 32) & t->mask;
}

mr_inline uint32_t
mac_second(const struct mr_mac *t, uint64_t hash)
{
	/* Bits from the middle, the best mixed. */
	uint32_t second = (uint32_t)(hash >> 20) & t->mask;

	/* A table has at least two buckets. */
	return second ^ (second == mac_first(t, hash));
}

/* Reads one entry as its header comment says: true when it is valid and holds `key`. */
mr_inline bool
mac_read(const struct mac_entry *e, uint64_t key, uint64_t *value)
{
	/* Pairs with the value's and the key's release stores in mac.c. */
	uint64_t before = atomic_load_explicit(&e->value, memory_order_acquire);
	uint64_t seen = atomic_load_explicit(&e->key, memory_order_acquire);
	uint64_t after = atomic_load_explicit(&e->value, memory_order_relaxed);

	*value = after;
	return ((seen ^ key) | ((before ^ after) & MAC_REUSE) | (~before & MAC_LIVE)) == 0;
}

/* Has this processor what the wide variants of mac_bulk.c want? */
bool mac_wide(void);

/* Looks at both buckets; null when the key is in neither. */
struct mac_entry *mac_locate(const struct mr_mac *, uint64_t key, uint64_t *value);

/* Takes a valid entry out, if its value is still `value`; false when it is not. */
bool mac_remove(struct mr_mac *, struct mac_entry *, uint64_t key, uint64_t value);

/* Reads whatever valid entry stands here. */
bool mac_snapshot(const struct mac_entry *, uint64_t *key, uint64_t *value);

#endif
