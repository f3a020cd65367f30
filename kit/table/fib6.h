/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_FIB6_H
#define MR_KIT_TABLE_FIB6_H

/*
 * Longest-prefix match for IPv6: which value the longest of the table's prefixes that an
 * address lies in has. Addresses are 16 bytes in wire order; a value is a number of 31 bits
 * that is not 0 (a next-hop group's index, say); 0 means no route.
 *
 * Shape: the first two bytes of an address index an array; below it stands a trie that looks
 * at one byte a level, its nodes plain arrays where much branches, compressed elsewhere
 * (kit/table/fib6_int.h draws them), levels at which nothing branches left out. A look-up reads
 * at most one entry of the array and 14 nodes of two cache lines each, whatever the prefixes
 * are; in a full Internet table two to four nodes, mostly of one line. Nothing in it is hashed, so no choice of destinations
 * makes it slower than that. The control side finds prefixes in a table with a keyed hash.
 *
 * Ownership: the table copies what it is given and owns all its memory.
 * Threads: one writer at a time (set, unset); it also waits for grace periods now and then, so
 * it must hold nothing that mr_rcu_read gave it. Look-ups may run beside the writer on any
 * number of threads that are registered with RCU (kit/base/rcu.h), never wait and never
 * see half a change: each answer was right at some moment during the look-up. A look-up that
 * starts after set or unset returned sees the change. Get, match, next and stats belong to
 * the writer's thread. Destroy when no one looks up any more.
 * Errors: negative errno; a call that fails has changed nothing.
 *
 * A change costs a copy of one or two nodes, of at most 1.1 KB. One of a short prefix also visits the nodes
 * below it that have it as their default: all of them for ::/0 (milliseconds in a full
 * table), in the worst case.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_FIB6_VALUE_MAX 0x7fffffffu

struct mr_fib6;

struct mr_fib6_config {
	uint32_t prefixes; /* expected, 0: 1024; grows */
	uint64_t seed;     /* of the control side's hash; 0: random */
	bool portable;     /* no vector instructions, for tests */
};

struct mr_fib6_stats {
	uint32_t prefixes[129]; /* by length */
	uint32_t total;
	uint32_t nodes;
	uint64_t bytes;         /* in use, all together; the next three are parts of it */
	uint64_t bytes_nodes;   /* what look-ups read */
	uint64_t bytes_store;   /* the control side's prefixes */
	uint64_t bytes_waiting; /* replaced nodes that readers may still hold */
};

MR_API int mr_fib6_create(struct mr_fib6 **out, const struct mr_fib6_config *, struct mr_error *);
MR_API void mr_fib6_destroy(struct mr_fib6 *);

/* Adds a prefix or gives it a new value. -EINVAL: bits beyond `len`, a length above 128, value
 * 0 or too large; -ENOMEM. */
MR_API int mr_fib6_set(struct mr_fib6 *, const uint8_t prefix[16], unsigned len, uint32_t value);

/* -ENOENT: there is no such prefix; -ENOMEM: also a removal needs a little, for copies. */
MR_API int mr_fib6_unset(struct mr_fib6 *, const uint8_t prefix[16], unsigned len);

/* The value of exactly this prefix, or 0. */
MR_API uint32_t mr_fib6_get(const struct mr_fib6 *, const uint8_t prefix[16], unsigned len);

/* The longest match with its prefix and length; 0 and neither when there is none. Slow. */
MR_API uint32_t mr_fib6_match(const struct mr_fib6 *, const uint8_t address[16], uint8_t prefix[16],
    unsigned *len);

/* All prefixes, in no order: start with *cursor 0, ends with false. Changing values in between is
 * fine; after adding or removing prefixes, some may come twice or not at all. */
MR_API bool mr_fib6_next(const struct mr_fib6 *, uint64_t *cursor, uint8_t prefix[16],
    unsigned *len, uint32_t *value);

MR_API void mr_fib6_stats(const struct mr_fib6 *, struct mr_fib6_stats *);

/* Look-ups of a vector, level by level, so that many reads are under way at once. The addresses may be unaligned; `count` is at most MR_VECTOR_MAX. */
MR_API void mr_fib6_lookup(const struct mr_fib6 *, const uint8_t *const *addresses,
    uint32_t *values, unsigned count);

/* One look-up. */
MR_API uint32_t mr_fib6_find(const struct mr_fib6 *, const uint8_t address[16]);

#endif
