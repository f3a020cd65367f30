/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_FIB4_INT_H
#define MR_KIT_TABLE_FIB4_INT_H

/*
 * What the files of the IPv4 table share, all of it the writer's: fib4_store.c keeps the
 * prefixes, fib4_chunk.c the memory that workers read, fib4.c brings the one into
 * the other.
 *
 * Ownership: everything belongs to the table.
 * Threads: the writer only.
 * Errors: negative errno.
 */

#include "kit/table/fib4.h"

#define FIB4_RETIRED_MAX 512u
#define FIB4_PRIVATE UINT32_MAX

/*
 * The prefixes that begin inside one prefix of length L (16 or 24) and are longer, up to
 * L + 8: the one with bits b at length L + n has the index 1 << n | b, like a heap: the
 * parent of i is i / 2, and 256 + i is entry i of a chunk. Index 1 is not used:
 * it stands one node up.
 */
struct fib4_node {
	uint64_t set[8];
	uint32_t *values; /* in the order of their indices */
	/* Only in nodes of a /16: those of its /24s with longer prefixes. */
	struct fib4_node **kids;
	uint64_t kid_set[4];
	uint16_t count, room;
	uint16_t kid_count, kid_room;
};

struct fib4_chunk_info {
	uint32_t refs;  /* entries of the root; 0: free, or retired */
	uint32_t value; /* of a shared chunk; FIB4_PRIVATE */
	uint32_t left;  /* the grace period before which a slot last left it to others; 0: never */
};

struct mr_fib4_control {
	/* /0 to /16, by 1 << len | bits. */
	uint32_t shorts[131072];
	uint64_t short_set[131072 / 64];
	uint8_t cover[65536]; /* 1 + length of the longest of these over a /16; 0: none */
	uint8_t top_cover[256];
	struct fib4_node *nodes[65536]; /* by /16 */
	uint64_t node_set[65536 / 64];  /* where one is, so that a walk touches no others */

	struct fib4_chunk_info chunks[MR_FIB4_CHUNKS];
	uint16_t shared[65536]; /* by value; holds if that chunk says so too */
	uint64_t chunk_used[MR_FIB4_CHUNKS / 64];
	bool pinned;            /* chunk 0 counts one reference more */
	uint32_t chunk_hint;    /* no free chunk in the words before */
	uint32_t chunk_high;    /* above all that are used */
	uint32_t chunk_touched; /* above all that may be resident */

	/* Lines: where free ones stand, and how many of each segment are taken. */
	uint16_t line_used[MR_FIB4_SEGMENTS];
	uint16_t line_fresh[MR_FIB4_SEGMENTS]; /* never used from here on */
	uint32_t line_free[MR_FIB4_SEGMENTS];  /* 1 + number of the first of a list */
	uint32_t line_hint;

	uint32_t retired[FIB4_RETIRED_MAX]; /* chunks, and lines with MR_FIB4_DEEP */
	uint32_t retired_count;
	uint32_t grace; /* the grace period to come: from 1 */

	uint32_t prefixes[33];
	uint32_t total;
	uint32_t chunk_count, shared_count, wide_count, line_count;
	uint64_t heap_bytes;
	/* Of tests: how many more allocations succeed; negative: all. */
	int64_t allocations;
};

/* -- fib4_lookup.c -------------------------------------------------------------------- */

/* Whether this processor's gathers are better than loads one by one. */
bool fib4_gathers(void);

/* -- fib4_store.c --------------------------------------------------------------------- */

void *fib4_alloc(struct mr_fib4_control *, size_t size, size_t align);
void fib4_free(struct mr_fib4_control *, void *, size_t size);

/* Index in arrays and nodes of a prefix whose first `skip` bits are given. */
mr_inline unsigned
fib4_index(uint32_t prefix, unsigned len, unsigned skip)
{
	unsigned n = len - skip;

	return 1u << n | (n ? (unsigned)(prefix >> (32 - len)) & ((1u << n) - 1) : 0);
}

mr_inline bool
fib4_node_has(const struct fib4_node *node, unsigned index)
{
	return node->set[index >> 6] >> (index & 63) & 1;
}

/* How many of the node's prefixes have a lower index. */
mr_inline unsigned
fib4_node_rank(const struct fib4_node *node, unsigned index)
{
	unsigned n = 0;

	for (unsigned w = 0; w < index >> 6; w++)
		n += (unsigned)__builtin_popcountll(node->set[w]);
	return n +
	    (unsigned)__builtin_popcountll(node->set[index >> 6] & ((1ull << (index & 63)) - 1));
}

mr_inline bool
fib4_node_has_kid(const struct fib4_node *node, unsigned entry)
{
	return node->kid_set[entry >> 6] >> (entry & 63) & 1;
}

struct fib4_node *fib4_node_kid(const struct fib4_node *, unsigned entry);
/* Room for one value more, for one kid more. -ENOMEM. */
int fib4_node_reserve(struct mr_fib4_control *, struct fib4_node *);
int fib4_node_reserve_kid(struct mr_fib4_control *, struct fib4_node *);
/* The room is there. Returns whether it is new. */
bool fib4_node_set(struct fib4_node *, unsigned index, uint32_t value);
void fib4_node_unset(struct mr_fib4_control *, struct fib4_node *, unsigned index);
void fib4_node_set_kid(struct fib4_node *, unsigned entry, struct fib4_node *kid);
void fib4_node_unset_kid(struct mr_fib4_control *, struct fib4_node *, unsigned entry);
struct fib4_node *fib4_node_create(struct mr_fib4_control *);
void fib4_node_destroy(struct mr_fib4_control *, struct fib4_node *);

/* Value of the longest of the node's prefixes at `index` or above it; 0: none. */
uint32_t fib4_node_cover(const struct fib4_node *, unsigned index);
/* The same for /0 to /16 with a length of at least `least`; its length goes to `len`. */
uint32_t fib4_short_cover(const struct mr_fib4_control *, unsigned index, unsigned least,
    unsigned *len);

/* -- fib4_chunk.c --------------------------------------------------------------------- */

mr_inline unsigned
fib4_chunk_of(const struct mr_fib4 *fib, unsigned slot)
{
	return atomic_load_explicit(&fib->root[slot], memory_order_relaxed);
}

mr_inline struct mr_fib4_wide *
fib4_wide_of(const struct mr_fib4 *fib, unsigned chunk)
{
	return atomic_load_explicit(&fib->wide[chunk], memory_order_relaxed);
}

mr_inline struct mr_fib4_line *
fib4_line(const struct mr_fib4 *fib, uint32_t number)
{
	number &= ~MR_FIB4_DEEP;
	/* Acquire: pairs with the release in fib4_line_alloc, for workers. */
	return &atomic_load_explicit(&fib->lines[number / MR_FIB4_SEGMENT_LINES],
	    memory_order_acquire)[number % MR_FIB4_SEGMENT_LINES];
}

/* What stands in 16 bits for a value. */
mr_inline uint32_t
fib4_short_of(uint32_t value)
{
	return value <= MR_FIB4_VALUE_SHORT_MAX ? value : MR_FIB4_ESCAPE;
}

bool fib4_is_private(const struct mr_fib4 *, unsigned slot);
/* The slot's chunk becomes its own, with `base` in every entry, which is what workers
 * found there before. */
void fib4_chunk_own(struct mr_fib4 *, unsigned slot, uint32_t base);
/* The slot shares the chunk of this value, which is short, or of MR_FIB4_ESCAPE, which
 * leads to the slot's word in `slots`. */
void fib4_chunk_share(struct mr_fib4 *, unsigned slot, uint32_t value);
/* The slot's own chunk gets its wide twin, if it has none. -ENOMEM. */
int fib4_chunk_widen(struct mr_fib4 *, unsigned slot);
/* Lines: DEEP | number, or 0 without memory. */
uint32_t fib4_line_alloc(struct mr_fib4 *);
void fib4_line_retire(struct mr_fib4 *, uint32_t number);
/* One that no worker has seen. */
void fib4_line_release(struct mr_fib4 *, uint32_t number);

#endif
