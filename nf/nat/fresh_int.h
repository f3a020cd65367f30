/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NAT_FRESH_INT_H
#define MR_NF_NAT_FRESH_INT_H

/*
 * Lines and ports for the mappings that a vector will make, taken before the first of them is made:
 * so all that making one writes is on its way, and no locked operation waits for a line that a store
 * before it missed. A packet whose mapping is not there, as far as its bucket tells, gets a place
 * here; who makes its mapping uses it, and what nobody used goes back at the vector's end.
 *
 * Threads: a worker's own, for one vector. Errors: a port that cannot be had is refused to its
 * packet, as it would have been there.
 */

#include "nf/nat/nat_int.h"

struct nat_fresh_one {
	uint64_t hash;
	uint32_t number; /* 0: used */
	uint32_t rc;     /* NAT_DONE, or why there is no port (enum nat_drop) */
	struct nat_outside outside;
	const struct nat_instance *instance;
	struct nat_packet *packet;
};

struct nat_fresh {
	unsigned count;
	uint16_t by_hash[MR_VECTOR_MAX]; /* 1 + place; what has another's is none of these */
	struct nat_fresh_one of[MR_VECTOR_MAX];
};

mr_inline void
nat_fresh_begin(struct nat_fresh *f)
{
	f->count = 0;
}

/* A packet whose bucket has no mapping like its own. */
void nat_fresh_want(struct nat_fresh *, const struct nat_pass *, const struct nat_instance *,
    struct nat_packet *);
/* Takes for all that want. */
void nat_fresh_take(struct nat_fresh *, const struct nat_pass *);
/* Whether it has what it needs there, and did not use it yet. */
mr_inline bool
nat_fresh_has(const struct nat_fresh *f, const struct nat_packet *k)
{
	return k->fresh && f->of[k->fresh - 1].number;
}

/* A packet's line and port, which are the caller's now: NAT_DONE; or why there is no port, and the
 * line alone is. */
uint32_t nat_fresh_use(struct nat_fresh *, const struct nat_packet *, uint32_t *number,
    struct nat_outside *);
/* Gives back what was not used. */
void nat_fresh_end(struct nat_fresh *, const struct nat_pass *);

#endif
