/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_FLIGHT_INT_H
#define MR_KIT_GRAPH_FLIGHT_INT_H

/*
 * One worker's part of the flight recorder. An entry is a row of 64-bit words: the drop's number,
 * which is 0 while the row is written; the rest of struct flight_entry; the packet's first bytes.
 *
 * Reader and writer meet in single words only. The writer stores 0, then with release all other
 * words, then with release the number. The reader loads the number, then with acquire all other
 * words, then the number again: who saw one new word sees the 0 that was stored before it, or a
 * later number, and leaves the row.
 */

#include "kit/graph/flight.h"

#define FLIGHT_GROUPS 512u

struct mr_worker;
struct node_rt;

struct flight_entry {
	uint64_t number;
	uint64_t cycles;
	uint64_t generation; /* of the plan: what its indices belong to */
	uint64_t stands_for;
	const struct mr_node_class *class;
	uint32_t length, kept;
	uint32_t flow, spare;
	uint16_t port, out, node, reason;
};
#define FLIGHT_WORDS (sizeof(struct flight_entry) / sizeof(uint64_t))
static_assert(sizeof(struct flight_entry) == 64, "an entry's head is one line");

/* The worker's own: the last of one node and reason. */
struct flight_group {
	const struct node_rt *owner; /* only compared: it may be gone */
	uint64_t count;              /* copied so far */
	uint64_t vector;             /* the last in which some were */
	uint64_t skipped;            /* since the last copy */
	uint64_t newest;             /* its number */
	uint16_t reason;
	uint16_t taken; /* copied of that vector */
	uint32_t epoch; /* tells it from those that had the group before */
};

/* Whose an entry of the ring is. */
struct flight_member {
	uint32_t epoch;
	uint32_t group;
	uint64_t ordinal; /* in the group */
};

struct flight {
	uint32_t packets, bytes;
	uint32_t stride; /* words of a row */
	size_t memory;
	_Atomic uint64_t *ring; /* [packets] rows */
	_Atomic uint64_t *kept; /* [FLIGHT_GROUPS][MR_FLIGHT_KEPT] rows */
	struct flight_member *members;
	struct flight_group *groups; /* 0 is nobody's */
	uint32_t group_count;
	uint64_t searched; /* the vector in which a group was last taken from another */
	_Atomic bool off;  /* control writes */

	MR_CACHE_ALIGNED _Atomic uint64_t last; /* number; release, behind its row */
	_Atomic uint64_t passed;
};

int flight_create(struct flight **out, const struct mr_flight_config *, struct mr_error *);
void flight_destroy(struct flight *);
void flight_drop(struct mr_worker *, struct node_rt *, unsigned reason, const uint32_t *packets,
    unsigned count);

#endif
