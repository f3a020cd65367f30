/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_EXPLAIN_H
#define MR_KIT_GRAPH_EXPLAIN_H

/*
 * What would happen to a packet: it walks the plan that the workers run, through the nodes'
 * recording functions, and ends where it would leave, be dropped or be kept. Nothing
 * is sent, counted, learned or held: the recorder is dry (kit/record/record.h), and a node
 * keeps to that (kit/graph/node.h). A node that is placed on other workers is run all
 * the same, and hand-overs between workers are left out: they change no packet.
 *
 * The walk ends early, with an MR_OP_END that says why, at a node that has no recording
 * function or declares that it cannot be explained, and when a packet, or one copy of it, has
 * passed MR_EXPLAIN_STEPS_MAX nodes.
 *
 * Limits are asked whether they have a token left, for each packet by itself: of two pieces of
 * one packet only one may get the last token.
 *
 * What is told to be sent is the packet as it leaves, but for what is done for a device that lacks
 * it: checksums completed, super-frames cut (kit/port/port.h).
 *
 * Ownership: takes the packet. The recording lives until `done` returns.
 * Threads: the control thread, beside running workers.
 * Errors: -ENODEV when nothing is received on the port, -ENOMEM; without `done` being called.
 */

#include "kit/graph/graph.h"

#define MR_EXPLAIN_STEPS_MAX 64u

/* Would be sent on `port`, by this branch of the recording; the packet is the graph's. */
typedef void mr_explain_sent_fn(void *user, unsigned branch, uint16_t port, uint32_t packet);

/* Explains `packet`, as if it had arrived on `port`; `done` is called once, with `user`. */
MR_API int mr_graph_explain(struct mr_graph *, uint16_t port, uint32_t packet,
    mr_recorder_done_fn *done, void *user, struct mr_error *);
/* Likewise; before it `sent` is called for each packet that would leave. */
MR_API int mr_graph_explain_sent(struct mr_graph *, uint16_t port, uint32_t packet,
    mr_recorder_done_fn *done, mr_explain_sent_fn *sent, void *user, struct mr_error *);

#endif
