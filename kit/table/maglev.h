/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_MAGLEV_H
#define MR_KIT_TABLE_MAGLEV_H

/*
 * Maglev's consistent hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
 * Balancer", NSDI 2016, section 3.4): from a flow's hash to one of several members, so that each
 * gets its share, and that members who come and go move hardly any flow of the others.
 *
 *   table    a prime number of slots, each the number of a member
 *   member   walks the slots in an order of its own (a permutation that its identity decides) and
 *            takes the first free one; all take turns until no slot is free
 *
 * Weights: a member takes its turn in so many rounds of those of the heaviest one.
 *
 * Measured (maglev_test.c): shares differ by less than 1 % of a share, and one of N members
 * removed moves less than 1 % of the others' slots, while there are 100 slots or more to a member.
 * The size must stay when members change, or most flows move: hence it is the caller's to keep.
 *
 * Ownership: a table never changes; whoever replaces one that others read publishes the new one
 * and destroys the old after a grace period (kit/base/rcu.h).
 * Threads: any number read. Errors: a
 * table cannot be made without memory.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_MAGLEV_MEMBERS_MAX 65535u
#define MR_MAGLEV_NONE 0xffffu /* of a table without members */

struct mr_maglev_member {
	uint64_t identity; /* the same in every table, and in every process that is to agree */
	uint32_t weight;   /* 0: takes no slot */
	uint16_t value;    /* what its slots hold; not MR_MAGLEV_NONE */
};

struct mr_maglev {
	uint32_t size;
	uint32_t members; /* that have slots */
	uint16_t slot[];  /* [size] */
};

/* A size for so many members, and never less than `least` (what the table before had). */
MR_API uint32_t mr_maglev_size(unsigned members, uint32_t least);

/* `size` is prime. Members in any order: the table comes out the same. */
MR_API int mr_maglev_create(struct mr_maglev **out, uint32_t size, const struct mr_maglev_member *,
    unsigned count, struct mr_error *);
MR_API void mr_maglev_destroy(struct mr_maglev *);

/* The slot of a hash, by its upper half. */
mr_inline uint32_t
mr_maglev_at(const struct mr_maglev *m, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * m->size >> 32);
}

mr_inline uint16_t
mr_maglev_pick(const struct mr_maglev *m, uint64_t hash)
{
	return m->slot[mr_maglev_at(m, hash)];
}

/* Another member for those flows whose own one is not fit: the n-th choice (0: the first), along
 * slots that the hash's lower half decides. It may name the same member again. */
mr_inline uint16_t
mr_maglev_pick_again(const struct mr_maglev *m, uint64_t hash, unsigned n)
{
	uint32_t step = 1 + (uint32_t)((hash & 0xffffffffu) * (m->size - 1) >> 32);

	return m->slot[(mr_maglev_at(m, hash) + (uint64_t)n * step) % m->size];
}

#endif
