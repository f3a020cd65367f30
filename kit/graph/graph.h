/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_GRAPH_H
#define MR_KIT_GRAPH_GRAPH_H

/*
 * A packet graph: ports, nodes, the edges between them, and the workers that run
 * it. The control thread edits a draft (add, link, place, input); mr_graph_commit
 * turns the draft into one plan per worker and publishes it. A worker takes up
 * its new plan between two passes, when it holds no packet, so a change neither
 * stops a worker nor loses a packet, and when commit returns no worker runs the
 * old plan.
 *
 * Ownership: the graph owns workers, plans and counters. Ports and the nodes'
 * `self` stay the caller's and must outlive the commit that removed them.
 * Threads: all calls belong to one control thread, those that read statistics included;
 * workers count, the control thread reads.
 * Errors: commit checks the draft whole (edges linked, indices known) before
 * anything changes.
 *
 * Accounting, at any moment of quiet, over the whole graph:
 *   received + created = sent + dropped by reason + held + merged
 * where created are copies that nodes emitted and pieces that a super-frame was
 * cut into, and merged those that became segments of another one (mr_graph_totals).
 */

#include "kit/graph/flight.h"
#include "kit/graph/node.h"
#include "kit/port/port.h"

#define MR_GRAPH_WORKERS_MAX 32
#define MR_GRAPH_NODES_MAX 1024
#define MR_GRAPH_NAME_MAX 48

struct mr_graph;
struct mr_log;
struct mr_probe;

enum mr_graph_mode {
	MR_GRAPH_ADAPTIVE, /* poll while there is work, sleep on the ports' descriptors */
	MR_GRAPH_POLL,     /* never sleep */
};

struct mr_graph_config {
	struct mr_buffers *buffers;
	struct mr_log *log;   /* may be null */
	const uint16_t *cpus; /* one worker each, pinned; null: `workers` unpinned ones */
	uint16_t workers;     /* 1 to MR_GRAPH_WORKERS_MAX */
	enum mr_graph_mode mode;
	uint32_t spin_us; /* how long an adaptive worker polls in vain before it sleeps */
	struct mr_flight_config flight;
};

/* Nodes that every graph has. */
enum mr_graph_node {
	MR_GRAPH_NODE_RX = 0,      /* "port-rx": packets enter; drops what has no input edge */
	MR_GRAPH_NODE_TX = 1,      /* "port-tx": packets leave; drops what a port refuses */
	MR_GRAPH_NODE_HANDOFF = 2, /* "handoff": packets change workers */
	MR_GRAPH_NODE_FIRST = 3,
};

/* Drop reasons of the built-in nodes. */
enum mr_rx_drop {
	MR_RX_DROP_NO_INPUT,
	MR_RX_DROP_NO_VERDICT, /* a node broke its contract; only seen in checked builds */
	MR_RX_DROPS,
};
enum mr_tx_drop {
	MR_TX_DROP_FULL,
	MR_TX_DROP_NO_PORT,
	MR_TX_DROP_UNSETTLED,
	MR_TX_DROPS,
};
enum mr_handoff_drop {
	MR_HANDOFF_DROP_FULL,
	MR_HANDOFF_DROP_STALE,
	MR_HANDOFF_DROPS,
};

MR_API int mr_graph_create(struct mr_graph **out, const struct mr_graph_config *,
    struct mr_error *);
MR_API void mr_graph_destroy(struct mr_graph *); /* stops first */

/* The draft. `name` is the instance's, unique; null: the class's name. */
MR_API int mr_graph_add_node(struct mr_graph *, const struct mr_node_class *, const char *name,
    void *self, uint16_t *index, struct mr_error *);
MR_API void mr_graph_remove_node(struct mr_graph *, uint16_t node);
/* For one that was added while its name was still another's. -EEXIST: it is. */
MR_API int mr_graph_rename_node(struct mr_graph *, uint16_t node, const char *name);
MR_API int mr_graph_link(struct mr_graph *, uint16_t from, unsigned edge, uint16_t to);
/* Runs this node on these workers only (none: on all); others hand packets over, by flow when there
 * are several. -EINVAL for a node that runs alone, which stays where it is. */
MR_API int mr_graph_place(struct mr_graph *, uint16_t node, const uint16_t *workers,
    unsigned count);

/* The port's index must be free; its queues are dealt out to the workers, or all to
 * those given. */
MR_API int mr_graph_add_port(struct mr_graph *, struct mr_port *, const uint16_t *workers,
    unsigned count, struct mr_error *);
MR_API void mr_graph_remove_port(struct mr_graph *, uint16_t port);
/* What arrives on this port enters at this node; MR_GRAPH_NODE_TX with `arg` a port
 * index sends it straight on. */
MR_API int mr_graph_set_input(struct mr_graph *, uint16_t port, uint16_t node, uint16_t arg);
/* The node where it enters; UINT16_MAX: no such port. */
MR_API uint16_t mr_graph_input(const struct mr_graph *, uint16_t port);
/* What nodes send on this port enters at this node instead, which sends with mr_verdict_send (it,
 * or the last of those it leads to); UINT16_MAX: nothing stands there. */
MR_API int mr_graph_set_output(struct mr_graph *, uint16_t port, uint16_t node);
/* The node that stands behind its output; UINT16_MAX: none, or no such port. */
MR_API uint16_t mr_graph_output(const struct mr_graph *, uint16_t port);
MR_API void mr_graph_set_port_up(struct mr_graph *, uint16_t port, bool up);

MR_API int mr_graph_commit(struct mr_graph *, struct mr_error *);

/* Threads. start commits first. */
MR_API int mr_graph_start(struct mr_graph *, struct mr_error *);
MR_API void mr_graph_stop(struct mr_graph *);
MR_API bool mr_graph_running(const struct mr_graph *);
/* Wakes every sleeping worker, so that it looks at its ports again. */
MR_API void mr_graph_wake(struct mr_graph *);

/* Without threads: one pass of worker `w` on the calling thread, for tests, benchmarks
 * and programs with a loop of their own. Returns the packets received. */
MR_API unsigned mr_graph_pass(struct mr_graph *, unsigned worker);
/* Feeds packets into a node as if they had arrived on their `port`; likewise. */
MR_API void mr_graph_inject(struct mr_graph *, unsigned worker, uint16_t node,
    const uint32_t *packets, unsigned count);

/* What was counted; sums over the workers. */
struct mr_node_stats {
	char name[MR_GRAPH_NAME_MAX];
	const struct mr_node_class *class;
	uint64_t calls, packets, cycles;
	uint64_t held;
	uint64_t drops[MR_NODE_DROPS_MAX];
	uint64_t counters[MR_NODE_COUNTERS_MAX];
	uint64_t edges[MR_NODE_EDGES_MAX]; /* packets that it sent along each */
};
struct mr_worker_stats {
	int cpu; /* -1: not pinned */
	uint64_t passes, empty_passes, sleeps, wakes;
	uint64_t busy_cycles; /* in passes that had packets */
	uint64_t received;
	uint64_t handoffs;
	bool asleep;
};
struct mr_graph_totals {
	uint64_t received, created, sent, dropped, held, merged;
};

MR_API unsigned mr_graph_node_count(const struct mr_graph *); /* indices below it may be empty */
MR_API int mr_graph_node_stats(const struct mr_graph *, uint16_t node, struct mr_node_stats *);
/* Packets that the node gave to a port: to be sent, or first to what stands behind its output. */
MR_API void mr_graph_node_sends(const struct mr_graph *, uint16_t node, uint16_t port,
    uint64_t *sent, uint64_t *behind);
/* Of mr_cycles(). */
MR_API uint64_t mr_graph_hz(const struct mr_graph *);
MR_API unsigned mr_graph_worker_count(const struct mr_graph *);
MR_API int mr_graph_worker_stats(const struct mr_graph *, unsigned worker,
    struct mr_worker_stats *);
MR_API void mr_graph_totals(const struct mr_graph *, struct mr_graph_totals *);
MR_API struct mr_port *mr_graph_port(const struct mr_graph *, uint16_t port);
/* Name of the node instance, "?" when there is none. */
MR_API const char *mr_graph_node_name(const struct mr_graph *, uint16_t node);
MR_API const struct mr_node_class *mr_graph_node_class(const struct mr_graph *, uint16_t node);
/* Where an edge leads; UINT16_MAX when it is not linked. */
MR_API uint16_t mr_graph_edge(const struct mr_graph *, uint16_t node, unsigned edge);

/* Gives every worker a recorder, if it has none yet: before the commit that brings nodes which
 * attach recordings. */
MR_API int mr_graph_record(struct mr_graph *, struct mr_error *);

/* Attaches a probe (kit/graph/probe.h) or takes it away; when detach returns no worker uses it. */
MR_API int mr_graph_attach(struct mr_graph *, struct mr_probe *, struct mr_error *);
MR_API void mr_graph_detach(struct mr_graph *, struct mr_probe *);
/* Grows with every commit: mr_replay_plan of what workers run since. */
MR_API uint64_t mr_graph_plan(const struct mr_graph *);
/* Whether any is attached but samplers. */
MR_API bool mr_graph_is_probed(const struct mr_graph *);

#endif
