/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_CLASSIFIER_H
#define MR_KIT_TABLE_CLASSIFIER_H

/*
 * A packet classifier: which of up to a million rules on addresses, ports, protocol and 32 bits
 * of the caller's (connection state, interface group, tenant) is the first that a packet matches.
 *
 * Shape: a tuple space (Srinivasan, Suri, Varghese, 1999) with merged tuples (Daly et al.,
 * TupleMerge, 2019) and pruning. A tuple says how many bits of each field are hashed; rules with
 * at least so many bits stand in its table, a linear hash whose buckets are rules, one cache line
 * each (two for IPv6), those that share a bucket sorted by priority. There are at most 64 tables
 * per family, so a set of them is a word. Filters give such a word for every part of a packet:
 * which tables may have a rule with the first 16, 24, 32 bits of this source, this destination,
 * this port, this protocol. The words' conjunction leaves two tables on average in ClassBench
 * sets of any size, and only those are probed, best priority first, until no table left can have
 * a better rule.
 *
 * Worst case: 64 tables are probed, each with `list_max` rules in the bucket; an add that would
 * make a bucket longer is refused. Buckets get long only where rules cannot be told apart by
 * leading bits of their fields (port ranges nested in each other around the middle of the space,
 * for example). The hashes of buckets and of address filters are keyed: nobody can choose packets
 * or rules that share them.
 *
 * A writer changes rules in batches: add, remove and replace_all work on a copy that shares what
 * is not changed, publish makes all of it visible at once, as one immutable view, and gives back
 * what only older views use:
 *
 *   control                                   worker
 *     mr_class_add(c, &rule, &id, &error);      view = mr_class_view(c);
 *     mr_class_remove(c, old_id, &error);       mr_class_lookup(view, keys, values, NULL, n);
 *     mr_class_publish(c, &old, &error);        ... drops the view ...
 *     ... grace period (mr_rcu_synchronize) ... mr_rcu_quiescent();
 *     mr_class_release(old);
 *
 * Ownership: the classifier copies rules and owns its views. What publish gives back is the
 * caller's to release, in any order, before destroy.
 * Threads: one writer at a time: all functions but mr_class_view and those that take a view.
 * These are for any number of threads, that keep no view beyond the caller's grace period.
 * Errors: negative errno with a sentence; a call that fails has changed nothing.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_CLASS_NONE UINT32_MAX
#define MR_CLASS_VECTOR 256u
#define MR_CLASS_RULES_MAX (1u << 20)
#define MR_CLASS_LIST_MAX 65535u
#define MR_CLASS_TABLES 64u

struct mr_class;
struct mr_class_view;
struct mr_class_retired;

struct mr_class_config {
	uint32_t rules;    /* expected, 0: 1,024; a hint for the filters' size, which follows */
	uint32_t list_max; /* longest bucket, up to MR_CLASS_LIST_MAX; 0: 1,024 */
	uint64_t seed;     /* of the hash's key; 0: random */
};

/* A packet matches when all fields do. A rule for both families is two rules. */
struct mr_class_rule {
	uint32_t priority;          /* lower wins, then the lower id */
	uint32_t value;             /* what look-ups give, not MR_CLASS_NONE */
	uint32_t extra, extra_mask; /* bits outside of the mask are 0 */
	uint8_t src[16];            /* wire order; IPv4 in the first four bytes, zeros behind */
	uint8_t dst[16];
	uint16_t sport_lo, sport_hi, dport_lo, dport_hi; /* host order, inclusive */
	uint8_t src_len; /* leading bits that count; the others are 0 */
	uint8_t dst_len;
	uint8_t family;     /* 4 or 6 */
	uint8_t proto;      /* 0 when not asked for */
	uint8_t proto_mask; /* 0xff: exactly this one; 0: any */
};

/* What is looked up. All bytes but `unused` count: IPv4 addresses have zeros behind them. */
struct mr_class_key {
	uint8_t src[16]; /* as in a rule */
	uint8_t dst[16];
	uint16_t sport, dport; /* host order; 0 where the packet has none */
	uint8_t proto;
	uint8_t family; /* 4 or 6; others match nothing */
	uint16_t unused;
	uint32_t extra;
	uint32_t unused2;
};
static_assert(sizeof(struct mr_class_key) == 48, "three quarters of a line per packet");

struct mr_class_stats {
	uint32_t rules;
	uint32_t tables[2];    /* IPv4, IPv6 */
	uint32_t longest;      /* rules in the longest bucket */
	uint32_t worst;        /* rules compared for one packet at most, whatever it is */
	uint64_t bytes;        /* all together; the next three are parts of it */
	uint64_t bytes_tables; /* the pages of buckets */
	uint64_t bytes_filters;
	uint64_t bytes_store; /* the writer's copy of the rules */
};

MR_API int mr_class_create(struct mr_class **out, const struct mr_class_config *,
    struct mr_error *);
MR_API void mr_class_destroy(struct mr_class *);

/* -- the writer ------------------------------------------------------------------------ */

/* -EINVAL: no such rule can be (the sentence says why); -ENOSPC: too many rules, or too many that
 * share a bucket; -ENOMEM. Ids are small numbers; that of a removed rule is given out again. */
MR_API int mr_class_add(struct mr_class *, const struct mr_class_rule *, uint32_t *id,
    struct mr_error *);

/* -ENOENT: there is no such rule; -ENOMEM: also a removal needs a little, for copies. */
MR_API int mr_class_remove(struct mr_class *, uint32_t id, struct mr_error *);

/* Instead of all rules there are, these; rules[i] has id i. Chooses the tables anew for this set,
 * so it is also what to call, with the same rules, after most of them have changed. */
MR_API int mr_class_replace_all(struct mr_class *, const struct mr_class_rule *rules,
    uint32_t count, struct mr_error *);

/* Shows all changes so far to look-ups that begin after the call. `*old` becomes null or what to
 * release when no look-up that began earlier is under way. -ENOMEM: nothing was shown, try
 * again. */
MR_API int mr_class_publish(struct mr_class *, struct mr_class_retired **old, struct mr_error *);
MR_API void mr_class_release(struct mr_class_retired *);

/* The rule of this id, or null; valid until the next change. */
MR_API const struct mr_class_rule *mr_class_get(const struct mr_class *, uint32_t id);

/* Of the rules as changed so far, published or not. Walks through everything. */
MR_API void mr_class_stats(const struct mr_class *, struct mr_class_stats *);

/* -- look-ups ---------------------------------------------------------------------------- */

MR_API const struct mr_class_view *mr_class_view(const struct mr_class *);

/* Goes up by one with every publish that changed something. */
MR_API uint64_t mr_class_generation(const struct mr_class_view *);

/* The values of the rules that win, or MR_CLASS_NONE; `ids`, which may be null, gets their ids.
 * At most MR_CLASS_VECTOR keys. */
MR_API void mr_class_lookup(const struct mr_class_view *, const struct mr_class_key *keys,
    uint32_t *values, uint32_t *ids, unsigned count);

/* The same of one key among rules of this priority and higher numbers: the next one to try when
 * the caller has conditions of its own. */
MR_API uint32_t mr_class_lookup_from(const struct mr_class_view *, const struct mr_class_key *key,
    uint32_t priority);

struct mr_class_match {
	uint32_t id; /* or MR_CLASS_NONE */
	struct mr_class_rule rule;
	uint32_t tables; /* probed */
	uint32_t rules;  /* compared */
};

/* One look-up that tells more. */
MR_API void mr_class_match_one(const struct mr_class_view *, const struct mr_class_key *,
    struct mr_class_match *);

#endif
