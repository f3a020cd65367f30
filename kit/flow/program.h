/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_PROGRAM_H
#define MR_KIT_FLOW_PROGRAM_H

/*
 * An action program: what a walk through the graph did to a packet, in its shortest form, ready to
 * be done to the next packet of the flow.
 *
 * mr_program_build makes one from a finished recording (kit/record/record.h):
 *  - edits fold into: how much the head grows or shrinks, and which bytes of the new head are
 *    written with what (adjacent and overwritten writes merge; bytes written with what the key
 *    guarantees to be there already are left out), TTL decrements, checksum deltas summed;
 *  - lengths that the walk wrote are written by the packet's, their checksums completed;
 *  - guards on bytes that the walk itself wrote before are settled then and there; the others
 *    become conditions on the packet as it arrives, under one mask where they overlap;
 *    lengths become one bound;
 *  - reads of tables become dependencies: (cell, value) pairs, and regions (see below);
 *  - calls (MR_OP_CALL) become calls of the node's `replay`; tallies (MR_OP_TALLY, MR_OP_COUNT)
 *    and the nodes passed become what is credited, with the packets replayed, when the worker
 *    settles its accounts;
 *  - the final verdict: an output, or a drop of a node for a reason.
 *
 * What cannot be replayed says why: enum mr_program_refusal, counted by name.
 *
 * Equal programs are one (they are found by their bytes): a million routed flows
 * through ten next hops have ten programs, which stay in the first-level cache. What flows through
 * address translation, balancing or tunnels do differs in values only: an address, a port, what
 * checksums take in, numbers of calls. These are no part of the program but stand in a line of
 * the flow's own (struct mr_flow_values, kit/flow/table.h), where 64 bytes are enough; programs
 * without MR_PROGRAM_VALUES have none, and their `values` are not looked at. The usual ones
 * are a patch: up to three windows of 16 bytes, two checksums and a TTL, done without a branch.
 *
 * Threads: a worker's programs are its own. Errors: the refusals.
 */

#include "kit/base/error.h"
#include "kit/flow/key.h"
#include "kit/flow/table.h"
#include "kit/graph/node.h"

/* X(constant, name, doc) */
#define MR_PROGRAM_REFUSALS(X) \
	X(OK, "ok", "Recorded and installed.") \
	X(SAID, "uncacheable", "A node said that its decision cannot be replayed.") \
	X(NODE, "node", "A node on the way does not take part in the flow lane.") \
	X(COPIES, "copies", "The packet was copied.") \
	X(HELD, "held", "A node kept the packet.") \
	X(NO_END, "no-end", "The walk ended elsewhere: another worker, a full port.") \
	X(LONG, "too-long", "The walk has more operations than a recording or program holds.") \
	X(GUARD, "guard", "A condition is on bytes outside of the packet's head.") \
	X(CONFLICT, "conflict", "Edits overlap in a way that has no short form.") \
	X(CHANGED, "changed", "What the decision rests on changed during the walk.") \
	X(MEMORY, "memory", "No room for another program.")
/* clang-format off */
enum mr_program_refusal {
#define X(id, name, doc) MR_PROGRAM_##id,
	MR_PROGRAM_REFUSALS(X)
#undef X
	MR_PROGRAM_REFUSAL_COUNT,
};
/* clang-format on */
MR_API const struct mr_named *mr_program_refusals(void);

struct mr_programs;

struct mr_programs_config {
	uint32_t max;   /* programs */
	unsigned nodes; /* indices of nodes that may appear */
	/* [nodes], or null where there is none: which take part. The array stays the caller's and may
	 * change with the era. */
	const struct mr_node_class *const *classes;
};

/* What a program is to who replays it; followed by its parts (program_int.h). Lines of 64 bytes. */
struct mr_program {
	/* The first line: all that a plain one needs. */
	uint64_t packets, bytes; /* replayed and not settled yet */
	mr_verdict_t verdict;    /* mr_verdict_send or a drop */
	uint16_t node;           /* of a drop: whose; with MR_PROGRAM_ASK: who is asked */
	uint16_t max_length;     /* p->total at most, as it comes in */
	int8_t grow;             /* bytes that the head grows by */
	uint8_t regions;         /* enum mr_program_region */
	uint16_t flags;          /* enum mr_program_flag */
	uint8_t lines;           /* in all */
	uint8_t ttl; /* offset, as the packet comes in, of the IP header whose TTL goes down; 0:
			    * none */
	uint8_t write_len; /* bytes written at the new packet's first byte */
	uint8_t headroom;  /* that the short way (program_inl.h) wants */
	uint32_t checked; /* the worker's epoch in which its dependencies were last found to hold */
	uint32_t users;   /* flows */
	/* The last write_len of these are the bytes: an Ethernet header and more. What stands in front
	 * of them may be written into the headroom. */
	uint8_t write[24];
	/* The others: guards, further writes, checksum deltas, calls, credits, dependencies. */
};
static_assert(sizeof(struct mr_program) == MR_CACHE_LINE, "a plain program's replay is one line");

enum mr_program_flag {
	MR_PROGRAM_SIMPLE = 1u << 0, /* the first line says all that is done to the packet */
	MR_PROGRAM_TTL6 = 1u << 1,   /* the TTL is a hop limit: no header checksum */
	MR_PROGRAM_CALLS = 1u << 2,
	MR_PROGRAM_SECONDLY = 1u << 3, /* has calls for the first packet in a second */
	MR_PROGRAM_PRIVATE = 1u << 4,  /* one flow's own: its operations have more than one state */
	MR_PROGRAM_VALUES = 1u << 5,   /* the flow has values */
	MR_PROGRAM_PATCH = 1u << 6,    /* what it does is in the first line and in its patch */
	MR_PROGRAM_OPEN = 1u << 7,     /* no conditions beyond the first line */
	MR_PROGRAM_ASK = 1u << 9, /* its only call is for every packet, with the flow's number */
	MR_PROGRAM_FAMILY =
	    1u << 8,                /* first of all the IP header is made one of the other family */
	MR_PROGRAM_RARE = 1u << 10, /* has calls, all for the first packet in a second */
	MR_PROGRAM_OWES = 1u << 11, /* a node called once a second is told of the others */
	MR_PROGRAM_LENGTH = 1u << 12,  /* writes a length (struct mr_length) */
	MR_PROGRAM_LENGTHS = 1u << 13, /* writes several; of a patch: two */
	MR_PROGRAM_MARKS = 1u << 14, /* more than one of its calls leaves a mark: see its node's */
	MR_PROGRAM_WRAP =
	    1u << 15, /* of a patch: puts headers around the packet (mr_program_wrap) */
};

#define MR_PROGRAM_WINDOWS 3u
/* Where in a flow's values a patch has what it takes: two deltas, calls' numbers, windows. */
#define MR_PROGRAM_PATCH_ARGS 4u
#define MR_PROGRAM_PATCH_BYTES 16u

#define MR_PROGRAM_ONE_WINDOW 0x10u /* of a patch's `kinds` */

/* The third line of a program with MR_PROGRAM_PATCH; lengths, if any, are the fourth's first. All is
 * read before anything is written, so windows may overlap, as long as they agree in what is written into
 * both; one that is not needed is the first once more, and with MR_PROGRAM_ONE_WINDOW is left out. A
 * second checksum that is not needed is where the first is, which is written last. Places are counted
 * from the first byte of the packet as it comes in. */
struct mr_program_patch {
	uint8_t mask[MR_PROGRAM_WINDOWS][16]; /* bytes that are written: 0xff */
	int16_t at[MR_PROGRAM_WINDOWS];
	int16_t sum_at[2];
	uint16_t sum_add; /* into the first, beside its delta: for the TTL */
	int16_t age_at;   /* the TTL; where there is none but checksums, the first of these */
	uint8_t kinds;    /* bit i: checksum i is MR_SUM_UDP; MR_PROGRAM_ONE_WINDOW */
	uint8_t sums;     /* 0: there are none */
};
static_assert(sizeof(struct mr_program_patch) == MR_CACHE_LINE, "a patch is one line");

#define MR_PROGRAM_WRAP_MAX 96u
#define MR_PROGRAM_WRAP_OWN 4u
/* Where in the flow's values the words are: a wrap's patch has two windows. */
#define MR_PROGRAM_WRAP_BYTES (MR_PROGRAM_PATCH_BYTES + 32u)

/* The fourth line of a patch with MR_PROGRAM_WRAP, and the fifth: what is written at the new packet's
 * first byte, which is the same for all flows that go there, but for some words of four bytes: the
 * ports, which tell flows apart on the way, IPv4's destination, IPv6's label. A word that is not needed is the
 * first once more. */
struct mr_program_wrap {
	struct mr_length lengths[2];
	int16_t own_at[MR_PROGRAM_WRAP_OWN]; /* from the new packet's first byte */
	uint8_t len;
	uint8_t usual; /* two lengths, both of the packet; only IPv4's checksum takes one in */
	uint8_t spare[2];
	uint8_t bytes[MR_PROGRAM_WRAP_MAX]; /* the last `len` of them */
};
static_assert(sizeof(struct mr_program_wrap) == 2 * MR_CACHE_LINE, "a wrap is two lines");

/* Which regions' generations a flow's stamp sums up. */
enum mr_program_region {
	MR_PROGRAM_REGION_DST = 1u << 0, /* of the key's addresses */
	MR_PROGRAM_REGION_SRC = 1u << 1,
	MR_PROGRAM_REGION_OWN = 1u << 2, /* the program names the cells */
};

MR_API int mr_programs_create(struct mr_programs **out, const struct mr_programs_config *,
    struct mr_error *);
MR_API void mr_programs_destroy(struct mr_programs *);

/* What is built from now on is not one with what was built before, however equal: it rests on
 * things that have no cells (the graph's plan). */
MR_API void mr_programs_set_era(struct mr_programs *, uint32_t era);

/* Builds the recording's program and takes a reference for one flow: *program (never 0), and what
 * goes into the flow's line: *arg, *stamp; *values: its values, where the program has
 * MR_PROGRAM_VALUES (else zeros); *fields: the fields of the key that the walk rested on,
 * those included by which the key answered for a guard. The key is the packet's whole one. */
MR_API enum mr_program_refusal mr_program_build(struct mr_programs *, const struct mr_recording *,
    const struct mr_flow_key *, uint32_t epoch, uint32_t *program, uint32_t *arg, uint32_t *stamp,
    struct mr_flow_values *values, unsigned *fields);
/* One flow more. */
MR_API void mr_program_hold(struct mr_programs *, uint32_t program);
/* One flow less. The last one frees the program: settle what it counted before. */
MR_API void mr_program_release(struct mr_programs *, uint32_t program);
MR_API struct mr_program *mr_program_at(struct mr_programs *, uint32_t program);
/* [program]: each is at least one line. */
MR_API struct mr_program *mr_programs_lines(struct mr_programs *);

/* Whether everything that it rests on is as it was, but for regions. */
MR_API bool mr_program_holds(const struct mr_program *);
/* The sum to compare with a flow's stamp. */
MR_API uint32_t mr_program_stamp(const struct mr_program *, const struct mr_flow_key *);

/* How many programs there are, and the memory that was ever touched for them. */
struct mr_programs_stats {
	uint64_t programs, built, shared, memory;
};
MR_API void mr_programs_stats(const struct mr_programs *, struct mr_programs_stats *);

/* Whether it may be done to this packet, which has the flow's key: guards and length. */
MR_API bool mr_program_fits(const struct mr_program *, const struct mr_packet *);
/* Does the edits (not calls, not counters). `rec` may be null. False, with the packet unchanged:
 * no headroom. */
MR_API bool mr_program_edit(const struct mr_program *, const struct mr_flow_values *,
    struct mr_recorder *rec, struct mr_packet *);

/* Its calls: in order, but those of nodes that leave marks behind all others. */
enum mr_program_call_from {
	MR_CALL_FROM_PROGRAM, /* `arg` is it */
	MR_CALL_FROM_FLOW,    /* it is in the flow's line */
	MR_CALL_FROM_VALUES,  /* it is in the flow's values, at byte `arg` */
};
#define MR_PROGRAM_CALL_MARKS 0x80u
struct mr_program_call {
	uint16_t node;
	uint8_t flags; /* enum mr_call_flag, MR_PROGRAM_CALL_MARKS */
	uint8_t from;  /* enum mr_program_call_from */
	uint32_t arg;
};
MR_API unsigned mr_program_calls(const struct mr_program *, const struct mr_program_call **);

/* Who is to be credited with its packets and bytes. The nodes port-rx and port-tx count for
 * themselves, also what is replayed. */
enum mr_program_credit_kind { MR_CREDIT_NODE, MR_CREDIT_COUNTER, MR_CREDIT_TALLY };
struct mr_program_credit {
	uint8_t kind;
	uint8_t counter; /* of the node, MR_CREDIT_COUNTER */
	uint16_t node;
	uint32_t times; /* n of each packet; 0: its length; MR_CREDIT_TALLY: the number told */
	int32_t grown;  /* by so much each packet had grown then: for those that count bytes */
};
MR_API unsigned mr_program_credits(const struct mr_program *, const struct mr_program_credit **);

/* The cells it depends on: for the worker's list of what to watch. */
struct mr_program_cell {
	const struct mr_generation *cell;
	uint32_t value;
	uint32_t pad; /* 0: programs compare as bytes */
};
MR_API unsigned mr_program_cells(const struct mr_program *, const struct mr_program_cell **);

/* In words, a line each ("write 14 bytes at 0: 02:..", "send on lan"), for people. `name` gives a
 * node's name. Returns the length. */
MR_API size_t mr_program_print(const struct mr_program *, const struct mr_flow_values *,
    const char *(*node)(const void *, uint16_t), const char *(*port)(const void *, uint16_t),
    const void *user, char *text, size_t size);

#endif
