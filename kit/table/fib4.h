/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_FIB4_H
#define MR_KIT_TABLE_FIB4_H

/*
 * IPv4 longest-prefix match: from an address to the value (the index of a next-hop
 * group, 1 to 2^31 - 1) of the longest prefix that covers it; 0 is "no route".
 * Addresses and prefixes are in host order.
 *
 * Shape: what workers read is apart from what the writer knows.
 *
 *   root, 65,536 x 16 bits          chunk, 256 x 16 bits (512 bytes)
 *   address >> 16 -> chunk number   address >> 8 & 255 -> value, or 0, or 0xffff
 *
 * - A /16 without longer prefixes points to a chunk that holds one value 256 times and that
 *   all such /16s share, so every look-up is the same two loads, without a branch.
 * - 0: nothing of /9 or longer covers it; `top`, 256 values, has the answer. A default
 *   route is 256 words of `top` and the root's entries that nothing covers; no
 *   other chunk is touched.
 * - 0xffff: prefixes longer than /24, or a value above 65,534. If the chunk has a wide twin,
 *   256 x 32 bits, that has a value, or the number of a line of 16 values for /25 to /28,
 *   which in turn may name one for /29 to /32. If not, it is the value of a prefix up to /16
 *   and stands in `slots`.
 *
 * The writer keeps the prefixes themselves, for removal and display: /0 to /16 in arrays,
 * longer ones in a node per /16 (and per /24), a bitmap of the 510 prefixes that it can
 * hold and their values packed behind it. A full table takes some 20 bytes a prefix,
 * everything included; nothing is copied or rebuilt when it grows.
 *
 * Ownership: the table's memory is its own.
 * Threads: one writer (the control functions, from one thread at a time) beside any number
 * of workers (lookup, find and fib4_inl.h), which nothing ever makes wait. Workers are RCU
 * readers: between two quiescent states they may hold what they located. An answer is
 * the value of a prefix that covers the address and was there at some moment of the look-up; when
 * set or unset returns, later look-ups see it. What is replaced is freed in
 * batches, after a grace period that the writer waits for (so it must not be what
 * keeps a worker from reporting); flush does it now. Destroy when no worker has the table.
 * Errors: negative errno; on -ENOMEM nothing has changed.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

/* Values up to this are found with one load less. */
#define MR_FIB4_VALUE_SHORT_MAX 0xfffeu
#define MR_FIB4_VALUE_MAX 0x7fffffffu

struct mr_fib4;

struct mr_fib4_config {
	uint32_t prefixes; /* expected, 0: 1024; grows; from 65,536 on huge pages from the start */
	uint64_t seed;     /* nothing is hashed here: kept alike for all tables */
	bool portable;     /* no vector instructions, for tests */
};

struct mr_fib4_stats {
	uint32_t prefixes[33]; /* by length */
	uint32_t total;
	uint32_t chunks;  /* of 512 bytes, those shared included */
	uint32_t shared;  /* of these, chunks of one value */
	uint32_t wide;    /* of 1,024 bytes, beside a chunk */
	uint32_t deep;    /* lines of 64 bytes, /25 and longer */
	uint32_t retired; /* of all these, waiting for a grace period */
	uint64_t bytes;   /* resident, what the writer keeps included */
};

MR_API int mr_fib4_create(struct mr_fib4 **out, const struct mr_fib4_config *, struct mr_error *);
MR_API void mr_fib4_destroy(struct mr_fib4 *);

/* -- control ------------------------------------------------------------------------ */

/* Adds, or replaces the value. -EINVAL: bits beyond `len`, len above 32, value 0 or above
 * 31 bits. -ENOMEM. */
MR_API int mr_fib4_set(struct mr_fib4 *, uint32_t prefix, unsigned len, uint32_t value);
/* -ENOENT when it is not there, -EINVAL as above. */
MR_API int mr_fib4_unset(struct mr_fib4 *, uint32_t prefix, unsigned len);
/* The value of exactly this prefix; 0 when absent. */
MR_API uint32_t mr_fib4_get(const struct mr_fib4 *, uint32_t prefix, unsigned len);
/* The longest match from the writer's own side; 0 when nothing matches. Fills `prefix`
 * and `len` (each may be null) when something does. */
MR_API uint32_t mr_fib4_match(const struct mr_fib4 *, uint32_t address, uint32_t *prefix,
    unsigned *len);
/* Walks all prefixes, the short ones first: *cursor starts at 0; false at the end. One
 * that is there during the whole walk is seen exactly once, whatever else is set or
 * unset meanwhile. */
MR_API bool mr_fib4_next(const struct mr_fib4 *, uint64_t *cursor, uint32_t *prefix, unsigned *len,
    uint32_t *value);
/* Asks the kernel what is resident: not for every second of a loop. */
MR_API void mr_fib4_stats(const struct mr_fib4 *, struct mr_fib4_stats *);
/* Waits for one grace period and frees what was replaced. */
MR_API void mr_fib4_flush(struct mr_fib4 *);

/* -- workers ------------------------------------------------------------------------ */

/* Values of a vector of up to MR_VECTOR_MAX addresses. One address, and the two phases
 * apart for loops of one's own: fib4_inl.h. */
MR_API void mr_fib4_lookup(const struct mr_fib4 *, const uint32_t *addresses, uint32_t *values,
    unsigned count);

#include "kit/table/fib4_inl.h"

#endif
