/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_SOURCE_INT_H
#define MR_NF_CONNTRACK_SOURCE_INT_H

/*
 * How many connections each source has: words of (digest of zone and address, count) in buckets
 * of one cache line, two of which a keyed hash allows. Digests have 40 bits: of two sources
 * with a bucket in common one pair in 2^40 shares a count. There are twice as many words as
 * connections; a source that finds none all the same is not counted, and not limited.
 *
 * Ownership: the table's. Threads: any. Errors: only create can fail.
 */

#include "kit/base/error.h"

struct ct_key;
struct ct_sources;

int ct_sources_create(struct ct_sources **out, uint32_t count, struct mr_error *);
void ct_sources_destroy(struct ct_sources *);

/* One more connection of the key's second (`second`) or first end: false when it has `limit` of
 * them (0: no limit). *counted: whether leave is due for it. */
bool ct_sources_enter(struct ct_sources *, const struct ct_key *, bool second, uint32_t limit,
    bool *counted);
void ct_sources_leave(struct ct_sources *, const struct ct_key *, bool second);
/* Connections counted now. */
uint32_t ct_sources_count(const struct ct_sources *, const struct ct_key *, bool second);

#endif
