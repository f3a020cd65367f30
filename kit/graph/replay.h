/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_REPLAY_H
#define MR_KIT_GRAPH_REPLAY_H

/*
 * What a node needs that does other nodes' work for them: the flow lane, which replays walks
 * (kit/flow/lane.h). It acts in their names, so that drops, counters and hooks are theirs, whichever lane
 * a packet took.
 *
 * Threads: on the worker, from within the node's function or tick. Node indices are of the
 * plan that the worker runs (mr_replay_plan): what was recorded under another plan is worthless.
 */

#include "kit/graph/node.h"

/* Grows with every plan: two equal numbers, one plan. */
MR_API uint64_t mr_replay_plan(const struct mr_node_run *);

/* In a class's plan_ends: whether the plan is about to end, and the worker not only about to sleep. */
MR_API bool mr_replay_plan_ends(const struct mr_node_run *);

/* Its nodes: indices below `count`, null where there is none. */
MR_API unsigned mr_replay_classes(const struct mr_node_run *, const struct mr_node_class **,
    unsigned max);

/* The worker's recorder; null while the graph was never asked for one. */
MR_API struct mr_recorder *mr_replay_recorder(const struct mr_node_run *);

/* Sends packets of the node's vector on through its edge, some of which were given recordings in
 * this call; their verdicts are MR_VERDICT_GONE. Order is kept. */
MR_API void mr_replay_enter(struct mr_node_run *, unsigned edge, const uint32_t *packets,
    unsigned count, bool recorded);

/* Drops packets of the vector (verdict MR_VERDICT_GONE) in another node's name, replayed by the flow
 * of this index. */
MR_API void mr_replay_drop(struct mr_node_run *, uint16_t node, unsigned reason, uint32_t flow,
    const uint32_t *packets, unsigned count);

/* Another node's hooks and accounts; no-ops when it has none. */
MR_API void mr_replay_call(struct mr_node_run *, uint16_t node, const uint32_t *packets,
    const uint32_t *args, const struct mr_replayed *, uint8_t *skip, unsigned count);
/* The node's own run, of this pass, to call its `replay_one` with; null: it has none. */
MR_API struct mr_node_run *mr_replay_run(struct mr_node_run *, uint16_t node,
    const struct mr_node_class **);
MR_API void mr_replay_settle(struct mr_node_run *, uint16_t node, uint32_t arg, uint32_t packets);
MR_API void mr_replay_tally(struct mr_node_run *, uint16_t node, uint32_t number, uint64_t packets,
    uint64_t bytes);
MR_API void mr_replay_count(struct mr_node_run *, uint16_t node, unsigned counter, uint64_t n);
MR_API void mr_replay_passed(struct mr_node_run *, uint16_t node, uint64_t packets);

#endif
