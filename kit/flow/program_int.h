/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_PROGRAM_INT_H
#define MR_KIT_FLOW_PROGRAM_INT_H

/*
 * What the files of action programs share:
 *
 *   program_head.c   what the edits of a walk do to the packet's head, as symbols
 *   program_finish.c what is left of them when the walk has ended
 *   program_known.c  what the key says of the bytes of packets that have it
 *   program_build.c  a recording's operations, one after the other; the finished program's bytes
 *   program_values.c what of it is the flow's own
 *   program_like.c   recordings that are like one whose program is known
 *   program_store.c  lines of memory; equal programs are one
 *   program.c        replay, and what the others ask a program for
 *   program_print.c  in words
 *
 * A program is its first line (struct mr_program), a struct program_more, a struct mr_program_patch
 * at the third line where it has one, and arrays behind it. Where the flow has values, writes'
 * bytes and checksums' deltas are there. All
 * bytes of a program but its counters, `checked` and `users` are set once, padding zero, so that
 * programs compare as bytes.
 *
 * Places of bytes are counted from the first byte of the packet as it comes in: bytes that are not
 * moved keep their place however much the head grows or shrinks, and places in what it grows by are
 * negative. Where the IP header changes its family (kit/record/family.h), that is done first of all;
 * guards are of the packet as it comes in, and everything else is of the packet as it is then.
 */

#include <string.h>

#include "kit/base/hash.h"
#include "kit/flow/program.h"
#include "kit/packet/checksum.h"
#include "kit/record/edit.h"

/* -- a program's parts ---------------------------------------------------------------- */

/* Eight bytes of the packet as it comes in. */
struct program_guard {
	uint64_t mask, value;
	uint64_t offset;
};

/* In their order; each as memmove. */
struct program_move {
	int16_t from, to;
	uint16_t len;
};

enum program_fix_kind {
	PROGRAM_FIX_LESS,    /* a byte less `delta` */
	PROGRAM_FIX_SUM,     /* a checksum takes in a delta */
	PROGRAM_FIX_SUM_UDP, /* MR_SUM_UDP */
};

/* Of bytes that keep what they come in with, but for this. */
struct program_fix {
	int16_t at; /* after the moves */
	uint16_t kind;
	be16_t delta; /* of a checksum, when the flow has values: where in them it is */
};

struct program_write {
	int16_t at;
	uint16_t len;
	uint16_t data; /* from the values' first byte; without values, from the program's */
};

enum program_part {
	PROGRAM_GUARDS,
	PROGRAM_MOVES,
	PROGRAM_FIXES,
	PROGRAM_WRITES,
	PROGRAM_CALLS,
	PROGRAM_CREDITS,
	PROGRAM_CELLS,
	PROGRAM_LENGTHS, /* struct mr_length, last of all done: places in the new packet */
	PROGRAM_OWN,     /* cells of regions that are not those of the key's addresses */
	PROGRAM_PARTS,
};

struct program_more {
	const struct mr_regions *regions[2]; /* of the key's destination, source */
	uint16_t min_length; /* p->len at least; 0: what the key promises is enough */
	uint8_t family; /* 4 or 6: what the IP header at `family_at` becomes first; 0: it stays */
	uint8_t family_at;
	uint32_t era;
	struct {
		uint16_t at, count; /* `at` from the program's first byte */
	} part[PROGRAM_PARTS];
};

#define PROGRAM_LINES_MAX 255u
#define PROGRAM_BYTES_MAX (PROGRAM_LINES_MAX * MR_CACHE_LINE)
#define PROGRAM_WRITE_MAX sizeof(((struct mr_program *)0)->write)

mr_inline const struct program_more *
program_more(const struct mr_program *g)
{
	return (const struct program_more *)(g + 1);
}

mr_inline unsigned
program_part(const struct mr_program *g, enum program_part part, const void **first)
{
	const struct program_more *more = program_more(g);

	*first = (const uint8_t *)g + more->part[part].at;
	return more->part[part].count;
}

mr_inline be16_t
program_delta(const struct mr_program *g, const struct mr_flow_values *values,
    const struct program_fix *f)
{
	be16_t delta = f->delta;

	if ((g->flags & MR_PROGRAM_VALUES) && f->kind != PROGRAM_FIX_LESS)
		memcpy(&delta, values->bytes + f->delta, sizeof(delta));
	return delta;
}

/* What the writes' `data` counts from. */
mr_inline const uint8_t *
program_data(const struct mr_program *g, const struct mr_flow_values *values)
{
	return g->flags & MR_PROGRAM_VALUES ? values->bytes : (const uint8_t *)g;
}

/* The bytes that a program with MR_PROGRAM_WRAP writes at the new packet's first; returns how many. */
unsigned program_around(const struct mr_program *, const struct mr_flow_values *,
    uint8_t around[MR_PROGRAM_WRAP_MAX]);

/* -- the head while a program is built (program_head.c) --------------------------------- */

#define HEAD_BYTES 192u /* of the packet as it comes in: what lies behind is out of reach */
#define HEAD_GROWS 127  /* at most, and shrinks */
#define HEAD_CELLS (HEAD_BYTES + HEAD_GROWS)
#define HEAD_MODS 64u
#define HEAD_LENGTHS 8u

enum head_kind {
	HEAD_OLD,   /* the byte that came in at `from` */
	HEAD_NEW,   /* `value` */
	HEAD_EMPTY, /* room that nothing was written into yet */
	/* New ones, both `half`s of lengths[mod - 1]: */
	HEAD_LENGTH,     /* what is written when the length is known; until then all ones */
	HEAD_LENGTH_SUM, /* its checksum: `value` is what it is without it */
};

struct head_cell {
	uint8_t kind;
	uint8_t value;
	uint8_t mod;  /* 0: none; else the change of an old byte, mods[mod - 1] */
	uint8_t half; /* which byte of a checksum this is */
	uint16_t from;
};

struct head_mod {
	uint8_t kind;    /* enum program_fix_kind */
	uint8_t count;   /* how often it was made one less; of checksums: how often for a TTL */
	bool ttl4, ttl6; /* a TTL operation's, not ended by anything else */
	uint64_t delta;
};

struct head_length {
	uint8_t kind, twice; /* of its checksum, as in struct mr_length */
	bool of_packet;      /* what it is the length of: the packet as it comes in */
	uint16_t of;         /* the old bytes from here say it */
	uint16_t more;
};

/* What the key says of the bytes of packets that have it. */
struct head_known {
	uint8_t mask[HEAD_BYTES];
	uint8_t value[HEAD_BYTES];
	uint8_t fields[HEAD_BYTES]; /* by which fields */
	bool six;
	uint8_t echo;  /* ICMP echo, by its type */
	uint8_t ports; /* TCP or UDP */
	uint8_t l3;
	uint16_t length,
	    length_l4; /* so many bytes there are, whatever the protocol; of this one */
};

struct head {
	struct head_cell cells[HEAD_CELLS];
	unsigned count; /* cells in use: those behind are old, and where they were */
	int grow;
	unsigned reach;             /* bytes of the packet that must be there */
	unsigned family, family_at; /* MR_OP_FAMILY: 4 or 6, or 0; of which header */
	unsigned reach_before;      /* `reach` until then, in the packet as it comes in */
	uint32_t max_length;
	struct head_mod mods[HEAD_MODS];
	unsigned mod_count;
	struct head_length lengths[HEAD_LENGTHS];
	unsigned length_count;
	bool shifted;                       /* something was opened or removed: bytes may move */
	unsigned written;                   /* the end of what was written, while nothing moved */
	uint8_t guard_mask[HEAD_BYTES + 8]; /* zeros at the end, to be read by eight */
	uint8_t guard_value[HEAD_BYTES];
};

/* What is left of it all. */
struct head_result {
	struct program_guard guards[HEAD_BYTES / 8 + 1];
	struct program_move moves[HEAD_CELLS];
	struct program_fix fixes[2 * HEAD_MODS];
	struct program_write writes[HEAD_CELLS]; /* `data`: into bytes */
	uint8_t bytes[HEAD_CELLS];
	unsigned guard_count, move_count, fix_count, write_count, byte_count;
	struct mr_length lengths[HEAD_LENGTHS];
	unsigned length_count;
	uint8_t first[PROGRAM_WRITE_MAX]; /* left-aligned here */
	unsigned first_len;
	unsigned ttl; /* the header's place; 0: none */
	bool ttl6;
	unsigned min_length; /* 0: what the key promises */
	unsigned length;     /* so many bytes each packet has that it fits */
	unsigned max_length;
	unsigned family, family_at;
};

mr_inline struct head_mod *
head_mod_of(struct head *h, const struct head_cell *c)
{
	return &h->mods[c->mod - 1];
}

/* All `len` bytes at `at` are of one kind. */
mr_inline bool
head_all(const struct head *h, unsigned at, unsigned len, enum head_kind kind)
{
	for (unsigned i = at; i < at + len; i++)
		if (h->cells[i].kind != kind)
			return false;
	return true;
}

/* Two new bytes that belong together. */
mr_inline bool
head_is_pair(const struct head *h, unsigned at, enum head_kind kind)
{
	const struct head_cell *c = h->cells + at;

	return head_all(h, at, 2, kind) && c[0].mod == c[1].mod && c[0].half == 0 && c[1].half == 1;
}

mr_inline be16_t
head_pair_value(const struct head *h, unsigned at)
{
	be16_t value;

	memcpy(&value, (uint8_t[]){ h->cells[at].value, h->cells[at + 1].value }, sizeof(value));
	return value;
}

/* How much longer than the head of the packet that came in. */
mr_inline int
mr_program_head_grown(const struct head *h)
{
	return h->grow + (h->family == 4 ? -20 : h->family == 6 ? 20 : 0);
}

/* What one less in the upper byte of a word is to its checksum, as a delta. RFC 1141's arithmetic
 * in mr_edit_ttl4 gives the same for every value. */
#define PROGRAM_TTL_DELTA ((be16_t)0xfffe)

void mr_program_known(struct head_known *, const struct mr_recording *, const struct mr_flow_key *);
void mr_program_head_init(struct head *);
/* One operation that edits or guards; others do nothing. */
enum mr_program_refusal mr_program_head_op(struct head *, const struct mr_op *);
/* *fields grows by those that a guard was settled by. */
enum mr_program_refusal mr_program_head_finish(struct head *, const struct head_known *,
    unsigned *fields, struct head_result *);

/* -- the store (program_store.c) ------------------------------------------------------- */

/* Room in which one program at a time is built. */
struct program_builder {
	struct head head;
	struct head_known known;
	struct head_result edits;
	const struct mr_regions *regions[2];
	struct mr_program_cell cells[MR_RECORD_OPS_MAX];
	struct mr_program_cell region_cells[MR_RECORD_OPS_MAX];
	bool own[MR_RECORD_OPS_MAX]; /* of region_cells */
	struct mr_program_call calls[MR_RECORD_OPS_MAX];
	struct mr_program_credit credits[MR_RECORD_OPS_MAX];
	unsigned cell_count, region_count, call_count, credit_count;
	unsigned fields;
	uint32_t arg;
	uint32_t era; /* mr_programs_set_era */
	bool private;
	bool owes;            /* MR_PROGRAM_OWES */
	unsigned marks;       /* calls with MR_PROGRAM_CALL_MARKS */
	bool valued, patched; /* has values; and a patch */
	bool wrapped;         /* which puts headers around the packet */
	mr_verdict_t verdict;
	uint16_t drop_node;
	struct mr_flow_values values;
	struct mr_program_patch patch;
	struct mr_program_wrap wrap;
	uint16_t wrap_data; /* where its bytes were among the writes' */
	union {
		struct mr_program program;
		uint8_t bytes[PROGRAM_BYTES_MAX];
	};
	size_t used;
};

/* -- recordings that are alike (program_like.c) ------------------------------------------ */

#define PROGRAM_LIKES 256u
#define PROGRAM_LIKE_OPS 32u
#define PROGRAM_LIKE_BYTES 96u /* of a packet, about which a key says something */
static_assert(PROGRAM_LIKE_BYTES <= MR_RECORD_SNAP, "a snapshot has them");

/* What decides of an operation. */
struct program_like_op {
	uint64_t head, arg, a, b;
};

/* A recording, as it is compared. */
struct program_like {
	struct program_like_op ops[PROGRAM_LIKE_OPS];
	unsigned count;
	uint32_t slot;
	const struct mr_regions *regions[2]; /* of the destination's, source's region */
	uint32_t region[2];
	unsigned calls;
	uint32_t arg, stamp; /* into the flow's line */
};

/* One that became a program. */
struct program_liked {
	uint32_t where; /* the key's */
	bool paired;
	uint8_t snapped; /* bytes that there must be */
	unsigned count, fields;
	uint64_t mask[PROGRAM_LIKE_BYTES / 8], value[PROGRAM_LIKE_BYTES / 8];
	struct program_like_op ops[PROGRAM_LIKE_OPS];
};

struct mr_programs {
	uint8_t *base; /* line 0 is nobody's */
	uint32_t line_count, line_next;
	uint32_t free[PROGRAM_LINES_MAX + 1]; /* by lines: the first of a list */
	size_t reserved, index_size;          /* bytes */
	uint64_t *index; /* open addressing; upper half: hash, lower: program; 0: none */
	uint32_t index_mask;
	uint32_t max;
	/* The worker writes, others read. */
	_Atomic uint64_t count, built, shared, memory;
	struct mr_hash_key key;
	unsigned nodes;
	const struct mr_node_class *const *classes;
	struct program_builder builder;
	struct program_like like; /* the recording at hand */
	unsigned like_way;
	uint32_t liked_program[PROGRAM_LIKES]; /* 0: none */
	struct program_liked liked[PROGRAM_LIKES];
};

/* Of one of the key's addresses. */
mr_inline unsigned
program_region_of(const struct mr_flow_key *key, bool src)
{
	const uint8_t *address = src ? key->src : key->dst;

	return MR_FLOW_WHERE_SIX(key->where) ? mr_region6(mr_load_be64(address))
					     : mr_region4(mr_load_be32(address));
}

/* False: it is of no use to compare it. Else nothing has changed that it rests on. */
bool program_like_read(struct program_like *, const struct mr_recording *,
    const struct mr_flow_key *);
/* The program of one that is like s->like, with one user more; 0: none. */
uint32_t program_like_find(struct mr_programs *, const struct mr_recording *,
    const struct mr_flow_key *, unsigned *fields);
/* s->like became this program, as the builder has it. */
void program_like_keep(struct mr_programs *, const struct mr_recording *,
    const struct mr_flow_key *, uint32_t program);
/* The program goes. */
void program_like_forget(struct mr_programs *, uint32_t program);
void program_like_forget_all(struct mr_programs *);

/* program_values.c: moves what differs from flow to flow into the builder's values, where it fits,
 * and makes a patch, where it can. `valued` and `patched` say what became of it. */
void mr_program_split(struct program_builder *);

/* The program in builder.bytes, as a flow's: one that is there already, or a copy. 0: no room. */
uint32_t mr_programs_intern(struct mr_programs *, bool private);

#endif
