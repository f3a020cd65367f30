/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_NODE_H
#define MR_KIT_GRAPH_NODE_H

/*
 * A node is one step of packet processing: a function over a vector of up to
 * MR_VECTOR_MAX packets that writes one verdict for each (kit/record/verdict.h).
 * A node class describes it; instances carry state and are linked into a graph
 * (kit/graph/graph.h). A whole class:
 *
 *	mr_inline void
 *	ttl_body(struct mr_node_run *run, struct mr_recorder *rec, const uint32_t *packets,
 *	    mr_verdict_t *verdicts, unsigned count)
 *	{
 *		for (unsigned i = 0; i < count; i++) {
 *			struct mr_packet *p = mr_packet_at(run->base, packets[i]);
 *			...
 *			verdicts[i] = mr_verdict_edge(TTL_NEXT);
 *		}
 *	}
 *	MR_NODE_FUNCTIONS(ttl)
 *
 *	const struct mr_node_class ttl_node = {
 *		.name = "ttl", .doc = "...", .edges = edges, .edge_count = 1,
 *		.drops = drops, .drop_count = 1, MR_NODE_RUN(ttl),
 *	};
 *
 * The body is compiled twice: bare, where `rec` is the constant null and the edit
 * helpers are plain stores, and recording. A vector runs one or the other.
 *
 * Ownership: during the call the node owns its packets; its verdict gives each
 * away. A packet that the node keeps (MR_VERDICT_HELD) is given back with
 * mr_node_release; one that it makes (mr_node_copy) with mr_node_emit.
 * Threads: the function runs on every worker at once, with the same `self`;
 * `run` is this worker's own. What is written in `self` is shared: use atomics.
 *
 * Explanations: `millrace explain` walks a packet that nobody sent through the recording
 * function (kit/graph/explain.h), on the control thread, beside the workers. When
 * mr_record_is_dry(rec), a node decides as ever but leaves no trace: it writes nothing into
 * `self`, takes no token, learns nothing, keeps no packet (MR_VERDICT_HELD then only
 * says that it would), and does not use run->worker to find memory of its own.
 * Edits of the packet, copies, emitted packets and mr_node_count are free, being this
 * walk's alone. A node that cannot promise this sets `no_explain`: its class is then never run so,
 * nor is one without a recording function, and the explanation says that it ends there.
 */

#include "kit/base/counter.h"
#include "kit/base/def.h"
#include "kit/packet/buffers.h"
#include "kit/packet/packet.h"
#include "kit/record/edit.h"
#include "kit/record/record.h"
#include "kit/record/verdict.h"

#define MR_NODE_EDGES_MAX 64
#define MR_NODE_DROPS_MAX 64
#define MR_NODE_COUNTERS_MAX 64

struct mr_worker;
struct mr_port;

/* A name as users see it, and what it means; for drop reasons and counters. */
struct mr_named {
	const char *name;
	const char *doc;
};

/* One port as nodes see it: read it before choosing it for output. */
struct mr_port_view {
	const struct mr_port *port; /* null: no port has this index */
	uint16_t mtu;
	bool up;
};

/* A node on one worker. */
struct mr_node_run {
	void *self;    /* the instance's state */
	uint8_t *base; /* the arena: mr_packet_at(run->base, handle) */
	struct mr_buffers *buffers;
	_Atomic uint64_t *counters; /* this worker's, one per class counter */
	uint64_t now;               /* mr_cycles() when this pass began */
	uint64_t hz;                /* of mr_cycles() */
	uint32_t seconds;           /* a monotonic clock, coarse */
	uint16_t worker;            /* for the calls that ask for a worker number */
	uint16_t stands_for; /* the same; in an explanation, a worker that may have the packet */
	uint16_t node;       /* this instance's index */
	const struct mr_port_view *ports; /* [port_count] */
	uint32_t port_count;
	struct mr_recorder *recorder;
	struct mr_worker *owner;
};

/* What the flow lane knows of a packet that it replays. */
struct mr_replayed {
	uint8_t l3, l4; /* where its headers are */
	uint8_t tcp;    /* TCP's flags */
	uint8_t six;
	/* Only asked, of a class that `marks`: says what it would skip, and leaves no trace. */
	uint8_t ask;
};

/* Why a packet is not to be replayed. */
enum mr_replay_skip {
	MR_REPLAY_SKIP = 1,  /* this one */
	MR_REPLAY_STALE = 2, /* what was recorded holds no more: record its flow anew */
};

/* Where the state is that a node's `replay_one` writes: `arg` is in the line at
 * lines + (arg & mask) * stride. */
struct mr_replay_lines {
	const uint8_t *lines;
	uint32_t mask, stride;
};
/* Counters below this one may be counted by `replay_one`. */
#define MR_REPLAY_COUNTERS 8u

typedef void mr_node_fn(struct mr_node_run *, const uint32_t *packets, mr_verdict_t *verdicts,
    unsigned count);

struct mr_node_class {
	const char *name;
	const char *doc;
	const char *const *edges;        /* names, in the order of the node's edge enum */
	const struct mr_named *drops;    /* in the order of its drop enum */
	const struct mr_named *counters; /* beside calls, packets and cycles, which all have */
	uint16_t edge_count;
	uint16_t drop_count;
	uint16_t counter_count;
	mr_node_fn *run;
	/* The same body, recording; null: runs bare, and says so in a recording. */
	mr_node_fn *record;
	/* Decides by Ethernet addresses: they are part of the key of flows that come here. */
	bool by_address;
	/* What it sends on comes out of the packet that it got: the lane knows flows by what is inside, whose
	 * Ethernet addresses are then part of their key. */
	bool unwraps;
	/* Its walks may be replayed by the flow lane (kit/flow): whatever it does to a packet and
	 * whatever its decision rests on is recorded, or is a field of the flow's key. */
	bool replays;
	/* What it does beyond edits with packets that are replayed (mr_record_call): updates the
	 * state `args[i]` of `packets[i]`, which are as they came in. Sets skip[i] (enum
	 * mr_replay_skip) where the packet must take the graph instead, and leaves no trace of that
	 * one. */
	void (*replay)(struct mr_node_run *, const uint32_t *packets, const uint32_t *args,
	    const struct mr_replayed *, uint8_t *skip, unsigned count);
	/* What `replay` does to a packet, done twice, is not what it is done once: it counts, or takes
	 * of a limit. Where a walk calls more than one such node, each is asked first, so that none has
	 * done its part of a packet that the next one sends to the graph. */
	bool marks;
	/* The same of one packet, for walks with no other call: the lane asks when it has the packet and
	 * the flow at hand, having fetched the line that replay_lines tells, and gathers nothing. Adds to
	 * counts[counter] what it counts, and returns what to skip. Both or neither; null: only
	 * `replay` is asked. */
	uint8_t (*replay_one)(struct mr_node_run *, uint32_t packet, uint32_t arg,
	    struct mr_replayed, uint32_t counts[MR_REPLAY_COUNTERS]);
	void (*replay_lines)(const struct mr_node_run *, struct mr_replay_lines *);
	/* With calls once in a second (mr_record_call): so many packets more were replayed under this
	 * argument since it was called, all in that second; a second later at most, and before the
	 * plan ends. May be null. */
	void (*settle)(struct mr_node_run *, uint32_t arg, uint32_t packets);
	/* So many packets were replayed that it told to be counted (mr_record_tally). */
	void (*tally)(struct mr_node_run *, uint32_t number, uint64_t packets, uint64_t bytes);
	bool no_explain; /* never run `record` for an explanation: see above */
	bool alone;      /* what it holds has one writer: it runs on the first worker, always */
	/* Called about once a second on each worker that runs the node, between two vectors, also
	 * while nothing arrives: for what a node holds. It may release and emit. May be null. */
	void (*tick)(struct mr_node_run *);
	/* Called on each worker after what may be its last pass with this plan, the nodes of which are
	 * all still there, and before it sleeps. It may not release or emit. May be null. */
	void (*plan_ends)(struct mr_node_run *);
};

/* Both functions of a node from `NAME_body`. */
#define MR_NODE_FUNCTIONS(name) \
	static void name##_run(struct mr_node_run *run, const uint32_t *packets, \
	    mr_verdict_t *verdicts, unsigned count) \
	{ \
		name##_body(run, NULL, packets, verdicts, count); \
	} \
	static void name##_record(struct mr_node_run *run, const uint32_t *packets, \
	    mr_verdict_t *verdicts, unsigned count) \
	{ \
		name##_body(run, run->recorder, packets, verdicts, count); \
	}
#define MR_NODE_RUN(name) .run = name##_run, .record = name##_record

/* Counts something about one packet, and in its recording. */
mr_inline void
mr_node_count_packet(struct mr_node_run *run, struct mr_recorder *rec, const struct mr_packet *p,
    unsigned counter, uint64_t n)
{
	mr_counter_add(&run->counters[counter], n);
	if (mr_unlikely(mr_recorded(rec, p))) {
		struct mr_op *op = mr_record_op(rec, p, MR_OP_COUNT);

		op->arg = counter;
		op->a = n;
	}
}

mr_inline void
mr_node_count(struct mr_node_run *run, unsigned counter, uint64_t n)
{
	mr_counter_add(&run->counters[counter], n);
}

/* A copy of a packet, with its recording's branch, or MR_PACKET_NONE without
 * buffers. It is this node's until emitted. */
MR_API uint32_t mr_node_copy(struct mr_node_run *, struct mr_recorder *, uint32_t packet);

/* Sends on a packet that is not in the node's vector: a copy, or one it made. */
MR_API void mr_node_emit(struct mr_node_run *, uint32_t packet, mr_verdict_t);

/* Sends on a packet that an earlier call held. */
MR_API void mr_node_release(struct mr_node_run *, uint32_t packet, mr_verdict_t);

/* So many held packets (with this call's verdicts) became segments of another packet, and are
 * packets no more. */
MR_API void mr_node_merged(struct mr_node_run *, unsigned count);

#endif
