/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_PAIRS_H
#define MR_KIT_FLOW_PAIRS_H

/*
 * Pairs of Ethernet addresses (destination, source) as numbers of 32 bits, so that the key of a
 * bridged flow has room for them. A number is a pair's place in a table of 64-byte buckets, each
 * pair having two buckets where it may stand; it begins at 1 and is below MR_FLOW_PAIRS_IDS.
 *
 * A number is given to another pair only by mr_flow_pairs_sweep, and only when nobody holds it and
 * nobody asked for its pair since the sweep before passed by. So whoever keeps a number beyond the
 * vector that it was made for (a flow, a recording that is not finished) holds it, and the sweep
 * runs between two vectors. Who never sweeps need not hold: then numbers last for ever, and a
 * table that is full stays so.
 *
 * Threads: a worker's own. Errors: none on the way: a pair for which there is no room (65,536
 * are there, or both its buckets are full, which random addresses hardly ever reach) has the
 * number 0, and its packets take the graph lane; counted.
 */

#include "kit/base/error.h"

#define MR_FLOW_PAIRS_MAX 65536u
#define MR_FLOW_PAIRS_IDS (2u * MR_FLOW_PAIRS_MAX + 1u)

struct mr_flow_pairs;

struct mr_flow_pairs_stats {
	uint64_t pairs, added, swept, refused;
	uint64_t memory; /* bytes */
};

/* `seed` of the hash, 0: random; `numa` -1: any node. */
MR_API int mr_flow_pairs_create(struct mr_flow_pairs **out, uint64_t seed, int numa,
    struct mr_error *);
MR_API void mr_flow_pairs_destroy(struct mr_flow_pairs *);

/* The numbers of the pairs that `count` (at most MR_VECTOR_MAX) frames begin with, 12 bytes each;
 * pairs that are new get one, or 0. */
MR_API void mr_flow_pairs_find(struct mr_flow_pairs *, const uint8_t *const *frames, uint32_t *ids,
    unsigned count);

/* Who keeps a number holds it once, and releases it once. 0 is held by nobody. */
MR_API void mr_flow_pairs_hold(struct mr_flow_pairs *, uint32_t id);
MR_API void mr_flow_pairs_release(struct mr_flow_pairs *, uint32_t id);

/* Looks after the next `buckets` buckets; returns how many numbers became free. */
MR_API unsigned mr_flow_pairs_sweep(struct mr_flow_pairs *, unsigned buckets);

/* The addresses behind a number: destination, then source, 12 bytes. False: nobody has it. */
MR_API bool mr_flow_pairs_get(const struct mr_flow_pairs *, uint32_t id, uint8_t *macs);

MR_API void mr_flow_pairs_stats(const struct mr_flow_pairs *, struct mr_flow_pairs_stats *);

#endif
