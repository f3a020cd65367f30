/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_FLIGHT_H
#define MR_KIT_GRAPH_FLIGHT_H

/*
 * The flight recorder: the last packets that a graph dropped, with their first bytes, are there
 * when one asks, without having been asked for before. Each worker writes into memory of its own
 * that was allocated when the graph was made (struct mr_graph_config, `flight`):
 *
 *   a ring      of the last drops, whatever their reason;
 *   groups      one for each node and reason: what falls out of the ring while it is still among
 *               the last MR_FLIGHT_KEPT of its reason goes there, so that a flood of one reason
 *               leaves the last ones of all others where they are.
 *
 * A flood costs little: of one node and reason at most MR_FLIGHT_PER_VECTOR packets of each vector
 * received are copied. Those that were not are counted, and the next one of that reason that is
 * copied says for how many it stands.
 *
 * What is kept of a packet is what it was when it was dropped: with the changes that the nodes
 * before had made.
 *
 * Ownership: a list belongs to who read it. Its names are the graph's and hold until the next
 * change of the draft; classes are constants.
 * Threads: workers write, one control thread reads beside them. An entry that is written while
 * it is read is left out; so is nothing else.
 * Errors: -ENOMEM.
 */

#include "kit/base/def.h"
#include "kit/base/error.h"

#define MR_FLIGHT_KEPT 4u
#define MR_FLIGHT_PER_VECTOR 2u
#define MR_FLIGHT_BYTES_DEFAULT 128u
#define MR_FLIGHT_BYTES_MAX 9216u
#define MR_FLIGHT_NO_FLOW UINT32_MAX
#define MR_FLIGHT_NO_PORT UINT16_MAX

struct mr_graph;
struct mr_node_class;

struct mr_flight_config {
	uint32_t packets; /* in each worker's ring; 0: no flight recorder */
	uint32_t bytes;   /* of each, in multiples of 8; 0: the default */
};

/* One packet that was dropped. */
struct mr_flight_drop {
	uint64_t number;     /* of its worker's, from 1; those of one worker never repeat */
	uint64_t cycles;     /* when: mr_cycles() */
	uint64_t stands_for; /* itself, and those of its reason that were not kept before it */
	const struct mr_node_class *class; /* of the node that dropped it */
	const char *node;     /* the node's name; its class's when the node is there no more */
	const uint8_t *bytes; /* [kept] */
	uint32_t kept, length;
	uint32_t flow; /* of the flow lane, which replayed it; or MR_FLIGHT_NO_FLOW */
	uint16_t worker;
	uint16_t index;  /* the node's; UINT16_MAX when it is there no more */
	uint16_t reason; /* of the class's drops */
	uint16_t port;   /* received it; MR_FLIGHT_NO_PORT when that is there no more */
	uint16_t out;    /* was to send it; or MR_FLIGHT_NO_PORT */
};

struct mr_flight_list {
	size_t count;
	struct mr_flight_drop drops[]; /* by time, the oldest first */
};

/* Where a reader is that wants to see each drop once; zeroes: at the beginning. */
struct mr_flight_cursor {
	uint64_t seen[32]; /* the last number, by worker */
};

/* What is there now; with a cursor only what came since, the cursor moved behind it. */
MR_API int mr_flight_read(const struct mr_graph *, struct mr_flight_cursor *,
    struct mr_flight_list **out, struct mr_error *);
MR_API void mr_flight_list_free(struct mr_flight_list *);

/* Suspends and resumes it, on all workers. */
MR_API void mr_flight_set_on(struct mr_graph *, bool on);

struct mr_flight_stats {
	uint32_t packets, bytes; /* as configured, for each worker; 0: there is none */
	bool on;
	size_t memory;     /* of all workers */
	uint64_t recorded; /* packets copied since the start */
	uint64_t passed;   /* dropped, but not copied: others of their reason and vector were */
};
MR_API void mr_flight_stats(const struct mr_graph *, struct mr_flight_stats *);

#endif
