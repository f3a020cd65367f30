/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_LANE_INT_H
#define MR_KIT_FLOW_LANE_INT_H

/* The flow lane from inside: what a worker has. */

#include "kit/base/counter.h"
#include "kit/flow/lane.h"
#include "kit/flow/ledger_int.h"
#include "kit/flow/mask.h"
#include "kit/flow/pairs.h"
#include "kit/flow/table_inl.h"
#include "kit/graph/replay.h"

#define WATCH_MAX 1024u
#define DIRTY_MAX 4096u
#define PRINT_MAX 4096u
#define BEGUN 256u

/* A program of its own number: the flow's packets take the graph until second `arg`. */
#define LANE_BARRED 0u
/* How long they do before it is tried again. */
#define LANE_BARRED_SECONDS 1u

struct watch {
	const struct mr_generation *cell;
	uint32_t value;
};

/* A recording on its way: whose it is. */
struct pending {
	struct mr_flow_key key;
	uint64_t hash;
};

struct lane_offload;
struct offload_ports;

struct lane_worker {
	MR_CACHE_ALIGNED struct mr_lane *lane;
	struct mr_flow_table *table;
	struct mr_flow *lines;
	struct mr_programs *programs;
	struct mr_flow_door *door;
	struct mr_flow_masks *masks;
	struct mr_flow *wide_lines; /* of masked entries */
	const struct mr_flow_values *values, *wide_values;
	bool has_values; /* flows of the last vector had some */
	/* The node that packets of the last vector asked (MR_PROGRAM_ASK), and where its state is; 0:
	 * nobody. */
	uint16_t called;
	struct mr_replay_lines call_lines;
	struct mr_flow_pairs *pairs;
	struct lane_offload *offload; /* null: none */
	struct lane_ledger *ledger;   /* null: none */
	uint32_t padded;              /* frames up to here may end with padding; 0: who cares */
	uint64_t plan;                /* the graph's that flows are recorded under */
	uint32_t epoch;       /* grows whenever something that programs rest on may have changed */
	uint32_t first_epoch; /* of this plan: programs checked before are of another one */
	uint32_t seconds;
	uint32_t watch_count;
	bool watch_full; /* programs are checked again with every vector */
	uint32_t ticked; /* second */
	uint32_t owing;  /* flows whose nodes are to be told of the last second's packets */
	uint64_t ticked_vector;
	uint32_t dirty_count;
	struct watch watch[WATCH_MAX];
	uint32_t dirty[DIRTY_MAX]; /* programs with packets to settle; they stay till then */
	struct mr_recorder *recorder;
	struct mr_node_run *run; /* of the lane's node that ran last: valid while its pass is */
	struct pending pending[MR_RECORD_SLOTS_MAX];
	/* Flows of which a packet of this vector was given a recording, by the low bits of the hash. */
	struct {
		uint64_t hash;
		uint64_t vector;
	} begun[BEGUN];
	/* Hashes of flows that go back where new ones came from: to knock with the next vector. */
	uint64_t expected[MR_VECTOR_MAX];
	unsigned expected_count;
	uint64_t vector;                                         /* grows with every vector */
	const struct mr_node_class *classes[MR_GRAPH_NODES_MAX]; /* of this plan */
	struct mr_flow_batch batch;
	/* Counters: the worker writes, control reads. */
	_Atomic uint64_t refused[MR_PROGRAM_REFUSAL_COUNT];
	_Atomic uint64_t stale, barred;
	/* A question from control: which flow to print (lower half; 0: none), answered into text. The
	 * upper half tells questions apart: control may have stopped waiting for one. */
	_Atomic uint64_t asked, answered;
	uint32_t questions; /* control's */
	size_t text_length;
	char text[PRINT_MAX];
};

struct mr_lane {
	struct mr_graph *graph;
	_Atomic uint32_t idle_seconds;
	bool eager;
	unsigned worker_count;
	struct offload_ports *offload;       /* null: none */
	_Atomic uint16_t nodes[MR_PORT_MAX]; /* of each port, of the draft */
	struct lane_worker *workers[MR_GRAPH_WORKERS_MAX];
};

struct mr_lane_port {
	struct mr_lane *lane;
	struct mr_flow_view view;
	uint16_t node;
};

extern const struct mr_node_class mr_lane_class;

/* lane_record.c */
/* Takes the plan of this vector up; looks whether what programs rest on has changed. */
void lane_begin(struct lane_worker *, struct mr_node_run *);
/* The program may be used in this epoch: looked at again where it was not yet. */
bool lane_holds(struct lane_worker *, struct mr_program *);
/* Gives the packet a recording that will become this key's flow. */
bool lane_attach(struct lane_worker *, struct mr_node_run *, struct mr_packet *,
    const struct mr_flow_key *, uint64_t hash);
/* A packet of this vector has got one for this flow: one is enough. */
bool lane_begun(const struct lane_worker *, uint64_t hash);
/* The flow goes. */
void lane_forget(struct lane_worker *, uint32_t flow);
/* A masked entry goes. */
void lane_forget_wide(struct lane_worker *, uint32_t flow);
/* A flow of its own for a key that a masked entry has held for so far. */
void lane_promote(struct lane_worker *, uint32_t wide, const struct mr_flow_key *, uint64_t hash,
    uint32_t seconds);

/* lane_settle.c */
void lane_settle(struct lane_worker *, struct mr_node_run *);
void lane_tick(struct mr_node_run *);
void lane_plan_ends(struct mr_node_run *);
void lane_age(struct lane_worker *, struct mr_node_run *, unsigned budget);

/* The nodes that are called once a second for this flow are told of its other packets. */
void lane_pay(struct lane_worker *, uint32_t flow);
/* The same for so many of those of which it is time. */
void lane_pay_some(struct lane_worker *, struct mr_node_run *, uint32_t budget);

/* lane_show.c */
void lane_answer(struct lane_worker *);

/* A packet of the flow came in this second. */
mr_inline bool
lane_seen_now(const struct mr_flow *line, uint32_t seconds)
{
	return line->seen == (uint16_t)seconds && line->packets;
}

/* The program has packets to settle. */
mr_inline void
lane_credit(struct lane_worker *l, struct mr_node_run *run, uint32_t index, struct mr_program *g,
    uint64_t packets, uint64_t bytes)
{
	if (mr_unlikely(g->packets == 0)) {
		if (l->dirty_count == DIRTY_MAX)
			lane_settle(l, run);
		l->dirty[l->dirty_count++] = index;
		g->users++;
	}
	g->packets += packets;
	g->bytes += bytes;
}

#endif
