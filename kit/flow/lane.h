/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_LANE_H
#define MR_KIT_FLOW_LANE_H

/*
 * The flow lane: nodes in front of the graph that decide nothing. A packet whose flow is known is
 * done what the flow's recorded walk did; every other packet walks the graph, and the second one of a
 * flow carries a recording, which becomes the flow's action program (kit/flow/program.h).
 *
 *   port -> flow-lane ---- known: conditions hold, edits, output or drop ----> port
 *              |
 *              +-- not plain, unknown, stale, conditions fail --> graph, as without the lane
 *
 * Each interface has a node of its own; tables, programs and recordings are each worker's own, for all
 * its interfaces. A flow is stale when the graph's plan is another one than it was recorded under,
 * when a table that it rests on has changed (the cells are looked at once a vector, kit/base/generation.h), or
 * when the region of its address has (kit/table/regions.h); its next packet is recorded anew.
 *
 * A walk that cannot be replayed leaves an entry that says so, so that it is not recorded again and
 * again: its packets take the graph for a second, then it is tried again.
 *
 * What happens in the graph's name (counters of the nodes passed, tallies of rules) is settled by
 * each worker once a second, and by mr_lane_settle.
 *
 * Ownership: the lane owns tables and programs; the graph must be stopped, or past the commit
 * that took the lane's nodes out, when it is destroyed.
 * Threads: made, changed and read by the control thread; nodes run on the workers.
 * Errors: a full table or program store refuses flows, counted; their packets take the graph.
 */

#include "kit/flow/key.h"
#include "kit/flow/program.h"
#include "kit/flow/table.h"
#include "kit/graph/graph.h"

struct mr_lane;
struct mr_lane_port;

struct mr_lane_config {
	struct mr_graph *graph;
	uint32_t max_flows;    /* of each worker */
	uint32_t max_programs; /* of each worker; 0: a quarter of the flows */
	uint32_t idle_seconds; /* a flow without packets goes; 0: 60 */
	uint64_t seed;         /* of the hashes, 0: random */
	/* kit/flow/ledger.h: of each worker; 0: none is kept. With one, flows' bytes are without the
	 * padding of short frames. */
	uint32_t ledger_flows;
	bool eager; /* the first packet of a flow is recorded, not the second */
	/* kit/flow/offload.h: of each worker, 0: none; and packets a second that make one hot. */
	uint32_t offload_flows, offload_rate;
};

MR_API int mr_lane_create(struct mr_lane **out, const struct mr_lane_config *, struct mr_error *);
MR_API void mr_lane_destroy(struct mr_lane *);
MR_API void mr_lane_set_idle(struct mr_lane *, uint32_t seconds);

/* An interface's node, put into the graph's draft under this name; its edge 0 is the caller's to
 * link. The view is copied. Gone with mr_lane_port_destroy after the commit that took its node out. */
MR_API int mr_lane_port_create(struct mr_lane_port **out, struct mr_lane *,
    const struct mr_flow_view *, const char *name, uint16_t *node, struct mr_error *);
MR_API void mr_lane_port_destroy(struct mr_lane_port *);

/* Each worker's accounts settled: where no worker runs, now; else within the next second. */
MR_API void mr_lane_settle(struct mr_lane *);

struct mr_lane_stats {
	struct mr_flow_table_stats flows;
	struct mr_programs_stats programs;
	uint64_t refused[MR_PROGRAM_REFUSAL_COUNT]; /* recordings, by what became of them */
	uint64_t stale, barred; /* flows found stale; entries for what cannot be replayed */
};
MR_API void mr_lane_stats(const struct mr_lane *, unsigned worker, struct mr_lane_stats *);
MR_API unsigned mr_lane_workers(const struct mr_lane *);

/* A worker's flows, for people: index from 1 to mr_lane_top. False: no such flow (now). */
MR_API uint32_t mr_lane_top(const struct mr_lane *, unsigned worker);
MR_API bool mr_lane_peek(const struct mr_lane *, unsigned worker, uint32_t index,
    struct mr_flow_peek *);
/* The flow that a packet with this key would hit, on whichever worker has it; looks at all. */
MR_API bool mr_lane_find(const struct mr_lane *, const struct mr_flow_key *, unsigned *worker,
    uint32_t *index, struct mr_flow_peek *);
/* The flow's program in words, written by its worker, which is waited for a tenth of a second at most.
 * Returns the length, 0 when there is none or it does not answer. */
MR_API size_t mr_lane_print(struct mr_lane *, unsigned worker, uint32_t index, char *text,
    size_t size);

/* X(constant, name, doc): what a lane's node counts. */
#define MR_LANE_COUNTERS(X) \
	X(REPLAYED, "replayed", "Packets that a flow's program was done to.") \
	X(WIDE, "wide", "Of these, by an entry that holds for many flows.") \
	X(NOT_PLAIN, "not-plain", "Packets that always take the graph: see kit/flow/key.h.") \
	X(FIRST, "first", "Packets of flows that were not seen lately.") \
	X(RECORDED, "recorded", "Packets whose walk was recorded.") \
	X(BEGUN, "begun", "Packets behind one of their flow whose walk is being recorded.") \
	X(BARRED, "barred", "Packets of flows whose walk cannot be replayed.") \
	X(STALE, "stale", "Packets that found their flow's decision out of date.") \
	X(CONDITION, "condition", "Packets that a program's conditions kept from it.") \
	X(ORDER, "order", "Packets that walk so as not to overtake one of theirs that must.") \
	X(SKIPPED, "skipped", "Packets that a node on their walk wanted to see itself.") \
	X(BUSY, "busy", "Packets not recorded: too many recordings at once.") \
	X(OFFLOADED, "offloaded", "Packets that the port they came in by did it to.")
/* clang-format off */
enum mr_lane_counter {
#define X(id, name, doc) MR_LANE_COUNT_##id,
	MR_LANE_COUNTERS(X)
#undef X
	MR_LANE_COUNTER_COUNT,
};
/* clang-format on */

#endif
