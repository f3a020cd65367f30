/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_TABLE_FIB6_INT_H
#define MR_KIT_TABLE_FIB6_INT_H

/*
 * The trie of kit/table/fib6.h.
 *
 * The root has a slot for each value of an address's first two bytes. A node tests byte
 * `level` (2 to 15) of an address and has, in effect, a slot for each of the byte's 256
 * values; equal neighbours are one *run*. All nodes begin with
 *
 *	best   value of the longest prefix that covers the whole node (its first `level`
 *	       bytes, less those it skips), 0: none
 *	head   level, bytes skipped before it, and what the kind has to say
 *
 * and go on by their kind:
 *
 *	WIDE   256 slots: where there are many runs, 17 lines
 *	ONE    one run that is not 0: its first byte and length in head, one slot; 16 bytes.
 *	       Three quarters of a full table's nodes hold one /48
 *	RUNS   bits, of which those where runs begin are set (bit 0 is), and a slot for each run,
 *	       six of them in the node's first line; in head the runs that begin before
 *	       word 1, 2 and 3 of bits
 *	LONG   the same for nodes that skip; the bytes skipped follow the slots
 *
 * A slot is a value, or a child (FIB6_CHILD, its kind, and the number of the unit where it
 * begins), or, below the root, 0: no prefix of this node covers that byte, so `best` holds. A prefix of
 * length len stands in the node that tests its last byte, (len - 1) / 8; it colours those
 * of that byte's values that it covers: as the slot, or, where a child is, as the child's
 * `best`, and from there on in all nodes below that no longer prefix covers. Prefixes up
 * to 16 bits colour the root's slots in the same way.
 *
 * A node that would hold no prefix and one child is left out; its child skips one byte more.
 *
 * Readers and the writer. The answer for an address is always read from one word: the slot
 * of its run, or the `best` of the last node. The writer changes words in place when a
 * reader can decide by one load what he reads: a value becomes another value, a child another
 * child, `best` anything. A slot that is or becomes 0 does not change: a copy of the node
 * replaces it; so does one where it is of another kind now. Otherwise a reader could pair a slot of one time with a `best` of another,
 * and find an answer that was never right: the slot 0 before the writer set a prefix, `best`
 * after he changed it too. A node that has been replaced changes no more, except in the `best`
 * of children that it shares with its successor; a reader in it gets answers that were right
 * when it was replaced, after he came there, or are right now.
 */

#include <string.h>

#include "kit/base/hash.h"
#include "kit/base/rcu.h"
#include "kit/packet/packet.h"
#include "kit/table/fib6.h"

#define FIB6_CHILD 0x80000000u
/* What a child is, in the slot that names it; the rest is the number of its first unit. */
#define FIB6_KIND 0x70000000u
#define FIB6_LONG 0x00000000u
#define FIB6_WIDE 0x10000000u
#define FIB6_RUNS 0x20000000u
#define FIB6_ONE 0x30000000u
#define FIB6_NUMBER 0x0fffffffu
#define FIB6_UNIT 16u /* bytes */
#define FIB6_ROOT 65536u
#define FIB6_SLOTS 256u
#define FIB6_PREFIXES_MAX (1u << 26)
/* Longest node: the fixed part, all slots, the bytes skipped. */
#define FIB6_NODE_UNITS_MAX 72u
/* What one change can take at most: copies of a parent and of a node, and two new nodes. */
#define FIB6_CHANGE_UNITS (4 * FIB6_NODE_UNITS_MAX)

/* How all of them begin. */
struct fib6_node {
	_Atomic uint32_t best;
	uint32_t head;
};

/* LONG and RUNS: begins a line, goes on in the next ones. */
struct fib6_runs {
	struct fib6_node node;
	uint64_t bits[4];
	_Atomic uint32_t slot[];
};
static_assert(sizeof(struct fib6_runs) == 40, "leaves six slots of a line");

struct fib6_wide {
	struct fib6_node node;
	uint32_t unused[14]; /* slots begin a line */
	_Atomic uint32_t slot[FIB6_SLOTS];
};
static_assert(offsetof(struct fib6_wide, slot) == MR_CACHE_LINE, "the gathers know");

struct fib6_one {
	struct fib6_node node;
	_Atomic uint32_t slot;
	uint32_t unused;
};
static_assert(sizeof(struct fib6_one) == FIB6_UNIT, "as small as it gets");

/* -- lines: the memory of nodes (fib6_lines.c) -------------------------------------- */

/* All counted in units. Address space is set aside once, so that nodes never move; memory is taken as needed. */
struct fib6_lines {
	uint8_t *base;
	uint32_t committed;
	uint32_t next; /* never used from here on */
	uint32_t used;
	uint32_t free[FIB6_NODE_UNITS_MAX + 1]; /* lists by length; 0: empty */
};

int fib6_lines_open(struct fib6_lines *, uint32_t expected);
void fib6_lines_close(struct fib6_lines *);
/* Makes sure that takes of `count` units all together succeed. */
int fib6_lines_reserve(struct fib6_lines *, uint32_t count);
/* One unit, or whole lines. */
uint32_t fib6_lines_take(struct fib6_lines *, unsigned count);
void fib6_lines_give(struct fib6_lines *, uint32_t unit, unsigned count);

/* -- store: prefixes and their values (fib6_store.c) -------------------------------- */

struct fib6_key {
	uint64_t hi, lo; /* numbers, not wire order */
};

struct fib6_entry {
	struct fib6_key key;
	uint32_t value; /* 0: empty */
	uint32_t len;
};

struct fib6_store {
	struct fib6_entry *entries;
	uint32_t room, count, least;
	uint32_t lengths[129];
	struct mr_hash_key hash;
};

int fib6_store_open(struct fib6_store *, uint32_t expected, uint64_t seed, struct mr_error *);
void fib6_store_close(struct fib6_store *);
/* Makes sure that one more can be added. */
int fib6_store_reserve(struct fib6_store *);
struct fib6_entry *fib6_store_find(const struct fib6_store *, struct fib6_key, unsigned len);
void fib6_store_add(struct fib6_store *, struct fib6_key, unsigned len, uint32_t value);
void fib6_store_remove(struct fib6_store *, struct fib6_entry *);

/* -- the table ---------------------------------------------------------------------- */

#define FIB6_LIMBO 120u

/* Nodes that wait for readers to leave. */
struct fib6_limbo {
	struct mr_rcu_head head;
	struct mr_fib6 *table;
	uint32_t count;
	struct {
		uint32_t unit, count;
	} item[FIB6_LIMBO];
};

struct mr_fib6 {
	_Atomic uint32_t *root;
	struct fib6_lines lines;
	bool gather; /* which look-up it is; never changes */
	/* The writer's: */
	_Atomic uint32_t nothing; /* a slot that is always 0 */
	struct fib6_store store;
	struct mr_rcu_queue queue;
	struct fib6_limbo *limbo; /* being filled */
	uint32_t waiting;         /* units in limbos */
	uint32_t nodes;
};

mr_inline void *
fib6_node_at(const struct mr_fib6 *t, uint32_t slot)
{
	return t->lines.base + (uint64_t)(slot & FIB6_NUMBER) * FIB6_UNIT;
}

mr_inline unsigned
fib6_node_level(uint32_t head)
{
	return head & 15;
}

mr_inline unsigned
fib6_node_skip(uint32_t head)
{
	return head >> 4 & 15;
}

/* The run that `byte` lies in. */
mr_inline unsigned
fib6_runs_find(const struct fib6_runs *n, uint32_t head, unsigned byte)
{
	unsigned word = byte >> 6;

	/* The word's bits up to this one; before word 0 begin no runs. */
	return ((head & ~0xffu) >> 8 * word & 0xff) +
	    (unsigned)__builtin_popcountll(n->bits[word] << (63 - (byte & 63))) - 1;
}

mr_inline unsigned
fib6_runs_count(const struct fib6_runs *n)
{
	return (n->node.head >> 24) + (unsigned)__builtin_popcountll(n->bits[3]);
}

/* Only LONG nodes skip. */
mr_inline const uint8_t *
fib6_node_skipped(const void *n)
{
	const struct fib6_runs *r = n;

	return (const uint8_t *)&r->slot[fib6_runs_count(r)];
}

mr_inline unsigned
fib6_one_first(uint32_t head)
{
	return head >> 8 & 0xff;
}

mr_inline unsigned
fib6_one_span(uint32_t head)
{
	return head >> 16;
}

/* The slot of a byte; null: it is 0, and the node has none for it. */
mr_inline _Atomic uint32_t *
fib6_node_slot(void *node, uint32_t kind, unsigned byte)
{
	struct fib6_node *n = node;

	if ((kind & FIB6_KIND) == FIB6_WIDE)
		return &((struct fib6_wide *)node)->slot[byte];
	if ((kind & FIB6_KIND) == FIB6_ONE)
		return byte - fib6_one_first(n->head) <= fib6_one_span(n->head)
		    ? &((struct fib6_one *)node)->slot
		    : NULL;
	return &((struct fib6_runs *)node)->slot[fib6_runs_find(node, n->head, byte)];
}

/* Whole lines, in units. */
mr_inline unsigned
fib6_runs_units(unsigned runs, unsigned skip)
{
	return (unsigned)MR_ALIGN_UP(sizeof(struct fib6_runs) + 4 * runs + skip, MR_CACHE_LINE) /
	    FIB6_UNIT;
}

mr_inline uint64_t
fib6_load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return mr_be64(v);
}

mr_inline struct fib6_key
fib6_key_load(const uint8_t address[16])
{
	return (struct fib6_key){ fib6_load64(address), fib6_load64(address + 8) };
}

mr_inline unsigned
fib6_key_byte(struct fib6_key k, unsigned i)
{
	return (unsigned)((i < 8 ? k.hi >> 8 * (7 - i) : k.lo >> 8 * (15 - i)) & 0xff);
}

/* The first `len` bits. */
mr_inline struct fib6_key
fib6_key_cut(struct fib6_key k, unsigned len)
{
	if (len < 64) {
		k.hi &= len ? ~0ull << (64 - len) : 0;
		k.lo = 0;
	} else if (len < 128) {
		k.lo &= len > 64 ? ~0ull << (128 - len) : 0;
	}
	return k;
}

/* -- the writer's words ------------------------------------------------------------- */

mr_inline uint32_t
fib6_get(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed); /* we alone write */
}

/* Release: pairs with the acquire of the look-ups, who then see the node that this names. */
mr_inline void
fib6_publish(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

/* Whether the processor has what the look-up by gathers needs, quickly (fib6_gather.c). */
bool fib6_gathers(void);
void fib6_lookup_gather(const struct mr_fib6 *, const uint8_t *const *addresses, uint32_t *values,
    unsigned count);
/* Look-ups that have come to nodes, of any kind, and lead on from there: the node of addresses[who[i]]
 * is slots[i], and has been prefetched. Both arrays are used up (fib6_lookup.c). */
void fib6_lookup_rest(const struct mr_fib6 *, const uint8_t *const *addresses, uint32_t *values,
    uint32_t *slots, uint32_t *who, unsigned left);

/* -- drawing nodes (fib6_draw.c) ---------------------------------------------------- */

/* A node being drawn, each byte with a slot of its own. */
struct fib6_draft {
	uint32_t best;
	unsigned level, skip;
	uint8_t skipped[16];
	uint32_t slot[FIB6_SLOTS];
};

/* Empty, testing `level`, its path like the key's from byte `from` on. */
void fib6_draft_begin(struct fib6_draft *, uint32_t best, unsigned level, struct fib6_key key,
    unsigned from);
void fib6_draft_load(const struct mr_fib6 *, struct fib6_draft *, uint32_t slot);
/* A new node's slot; nothing hangs there yet. */
uint32_t fib6_draft_make(struct mr_fib6 *, const struct fib6_draft *);
/* Makes the node that hangs at `link` look like the draft. */
void fib6_draft_apply(struct mr_fib6 *, _Atomic uint32_t *link, const struct fib6_draft *);
/* A copy of the node `slot` that skips `skip` bytes, these. */
uint32_t fib6_node_copy(struct mr_fib6 *, uint32_t slot, const uint8_t *skipped, unsigned skip);
/* No longer reachable; freed after a grace period. */
void fib6_retire(struct mr_fib6 *, uint32_t slot);

/* Before a change: everything that it may need; after this it cannot fail. */
int fib6_prepare(struct mr_fib6 *);
/* After it: frees what waits, when that is much. */
void fib6_tidy(struct mr_fib6 *);

#endif
