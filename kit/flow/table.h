/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_TABLE_H
#define MR_KIT_FLOW_TABLE_H

/*
 * A worker's flows: one hot line each, found through 64-byte buckets.
 *
 *   bucket   64 bytes: 10 or so (tag, index) pairs; the tag is part of the keyed hash
 *   entry    64 bytes: the whole key, the program, the counters; read and written once a packet
 *   values   64 bytes more for flows whose program writes what differs from flow to flow
 *            (kit/flow/program.h); the memory of others is not touched
 *   cold     what only ageing and people need: timer, totals beyond the hot counters' width
 *
 * A look-up of a vector goes in three phases: hash and prefetch buckets; compare tags and prefetch
 * entries; compare keys. A wrong tag costs a line, once in some thousands. (Whole keys in buckets
 * would not save a line, since the entry is needed anyway, and would need four times the
 * buckets.)
 *
 * The table grows without a pause: buckets are split in place, one with every addition, until
 * there are twice as many. A bucket that is full has others behind it, as many as it takes, so no
 * flow is refused before there are `max`. Entries never move: an index is good while the flow lives,
 * and the memory is reserved for `max` flows and touched only when used.
 *
 * Masked entries stand in tables of their own (kit/flow/mask.h) with the same entries.
 *
 * Threads: one worker's; others may read entries by mr_flow_table_peek, and call
 * mr_flow_table_top, mr_flow_table_stats and mr_flow_table_prepare. Hence whoever changes a line does it by
 * mr_flow_touch and mr_flow_set (kit/flow/table_inl.h), and reads it as he likes.
 * Errors: a full table refuses, and says so.
 */

#include "kit/base/error.h"
#include "kit/base/hash.h"
#include "kit/flow/key.h"

#define MR_FLOW_NONE 0u /* no flow; index 0 is never given */

/* The hot line. Written by its worker only, by mr_flow_touch and mr_flow_set. */
struct mr_flow {
	struct mr_flow_key key;
	uint32_t arg;     /* of its program's operations with state: a connection ... */
	uint32_t program; /* kit/flow/program.h */
	uint32_t stamp;   /* sum of the regions' generations when it was recorded */
	uint32_t bytes;   /* since they were last added to the cold part */
	uint16_t packets;
	uint16_t seen; /* run->seconds, low half, of its last packet */
};
static_assert(sizeof(struct mr_flow) == MR_CACHE_LINE, "a flow is one line");

/* What of its program is this flow's own; the program says which byte is what. */
struct mr_flow_values {
	MR_CACHE_ALIGNED uint8_t bytes[MR_CACHE_LINE];
};

struct mr_flow_table;

struct mr_flow_table_config {
	uint32_t max; /* flows */
	/* How long a flow without packets stays, 0: for ever; where `idle` says (see
	 * mr_flow_table_age), when it is asked first. */
	uint32_t idle_seconds;
	uint64_t seed; /* of the hash; 0: random */
	int numa;      /* node, -1: any */
};

struct mr_flow_table_stats {
	uint64_t flows, added, refused;
	uint64_t removed, expired; /* the expired among the removed */
	uint64_t grown;            /* how often it doubled */
	uint64_t moved_buckets;    /* buckets that were split */
	uint64_t relocated;        /* entries that moved for it, of 6 bytes */
	uint64_t memory;           /* bytes in use */
};

MR_API int mr_flow_table_create(struct mr_flow_table **out, const struct mr_flow_table_config *,
    struct mr_error *);
MR_API void mr_flow_table_destroy(struct mr_flow_table *);

/* Hashes batch->key[0..count) and looks them up: batch->hash, batch->found (MR_FLOW_NONE: no such
 * flow). */
MR_API void mr_flow_table_find(struct mr_flow_table *, struct mr_flow_batch *, unsigned count);

/* Of a key that came not from a vector. */
MR_API uint64_t mr_flow_table_hash(const struct mr_flow_table *, const struct mr_flow_key *);

/* Adds a flow that is not there; its line's key and `seen` are filled, the rest is zero.
 * MR_FLOW_NONE: full. */
MR_API uint32_t mr_flow_table_add(struct mr_flow_table *, const struct mr_flow_key *, uint64_t hash,
    uint32_t seconds);
/* Its index and line may be given to the next. One that is not there is none. */
MR_API void mr_flow_table_remove(struct mr_flow_table *, uint32_t flow);
MR_API uint32_t mr_flow_table_get(struct mr_flow_table *, const struct mr_flow_key *);
/* The same, by who knows the hash. */
MR_API uint32_t mr_flow_table_get_hashed(struct mr_flow_table *, const struct mr_flow_key *,
    uint64_t hash);

MR_API bool mr_flow_table_has(const struct mr_flow_table *, uint32_t flow);

MR_API struct mr_flow *mr_flow_table_lines(struct mr_flow_table *); /* [index] */

/* Values of flows that have some, [index], and how the worker writes them. */
MR_API const struct mr_flow_values *mr_flow_table_values(const struct mr_flow_table *);
MR_API void mr_flow_table_set_values(struct mr_flow_table *, uint32_t flow,
    const struct mr_flow_values *);
/* Whether mr_flow_table_find fetches the values of the flows that it finds. */
MR_API void mr_flow_table_fetch_values(struct mr_flow_table *, bool);

/* Any thread: lets the kernel make memory now for the first `flows` flows, so that the worker need
 * not wait for it when they come (2 MB of zeros take a tenth of a millisecond). */
MR_API void mr_flow_table_prepare(struct mr_flow_table *, uint32_t flows);

/* Adds the hot counters to the totals: before they overflow (mr_flow_touch does), and for people. */
MR_API void mr_flow_table_fold(struct mr_flow_table *, uint32_t flow);

/* What the flow has counted. The worker's. */
MR_API void mr_flow_table_totals(const struct mr_flow_table *, uint32_t flow, uint64_t *packets,
    uint64_t *bytes);

/* Packets that were treated elsewhere, the last of them in this second. */
MR_API void mr_flow_table_account(struct mr_flow_table *, uint32_t flow, uint64_t packets,
    uint64_t bytes, uint32_t seconds);

/* Packets of flows that somebody is to be told of later (kit/graph/node.h, `settle`). Flows that may
 * have some stand in a queue; owe puts one there that is not. */
MR_API void mr_flow_table_owe(struct mr_flow_table *, uint32_t flow);
/* Flows in the queue, and the first of them, taken out; it may have gone since, or be another one.
 * MR_FLOW_NONE: none. */
MR_API uint32_t mr_flow_table_owing(const struct mr_flow_table *);
MR_API uint32_t mr_flow_table_debtor(struct mr_flow_table *);
/* The flow's packets that nobody was told of; now he is. */
MR_API uint32_t mr_flow_table_pay(struct mr_flow_table *, uint32_t flow);
/* One that is counted by mr_flow_touch is known already. */
MR_API void mr_flow_table_paid(struct mr_flow_table *, uint32_t flow);
/* Soon one of these will be asked for this flow. */
MR_API void mr_flow_table_fetch_debt(const struct mr_flow_table *, uint32_t flow);

/* Ageing, once per pass: looks after at most `budget` timers. Flows that were idle for
 * idle_seconds (or for what `idle` says of them, when it is given) are handed to `expired` and then
 * removed. `expired` may remove and add flows itself, also this one. Returns how many it was
 * called for. Either function may be null. */
typedef uint32_t mr_flow_idle_fn(void *user, const struct mr_flow *); /* seconds, 0: for ever */
typedef void mr_flow_expired_fn(void *user, uint32_t flow);
MR_API unsigned mr_flow_table_age(struct mr_flow_table *, uint32_t seconds, unsigned budget,
    mr_flow_idle_fn *idle, mr_flow_expired_fn *expired, void *user);

MR_API void mr_flow_table_stats(const struct mr_flow_table *, struct mr_flow_table_stats *);

/* For another thread: a copy of a live flow's line and totals, as of `seconds`. False: no flow has
 * this index, or it changed hands meanwhile. `index` runs from 1 to mr_flow_table_top. Program and
 * argument may be of two moments when the flow is just being given another program. */
struct mr_flow_peek {
	struct mr_flow_key key;
	uint32_t program;
	uint32_t arg;
	uint64_t packets, bytes;
	uint32_t idle, age; /* seconds */
};
MR_API bool mr_flow_table_peek(const struct mr_flow_table *, uint32_t index, uint32_t seconds,
    struct mr_flow_peek *);
MR_API uint32_t mr_flow_table_top(const struct mr_flow_table *);

/* Who was seen once: a flow earns its entry with its second packet. True: this hash was here
 * before, within the last MR_FLOW_DOOR_SECONDS; it is let in, and a stranger again in the next second. Lines of 16 places,
 * 10 bytes for each flow: of as many as the door is made for, taking turns, 99.99 % are let in by their
 * second packet. Of the hash 23 bits are compared within a line, so one stranger in half a million is let
 * in at once. */
#define MR_FLOW_DOOR_SECONDS 8u
struct mr_flow_door;
MR_API int mr_flow_door_create(struct mr_flow_door **out, uint32_t flows, struct mr_error *);
MR_API void mr_flow_door_destroy(struct mr_flow_door *);
MR_API bool mr_flow_door_knock(struct mr_flow_door *, uint64_t hash, uint32_t seconds);
/* Somebody who is let in when he knocks first. */
MR_API void mr_flow_door_expect(struct mr_flow_door *, uint64_t hash, uint32_t seconds);
/* Of those who will knock soon. */
MR_API void mr_flow_door_prefetch(const struct mr_flow_door *, uint64_t hash);

#endif
