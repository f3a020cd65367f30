/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_GRAPH_INT_H
#define MR_KIT_GRAPH_GRAPH_INT_H

/*
 * What the files of the graph share. Three layers of state:
 *
 *   draft    what the control thread edits (struct mr_graph)
 *   plan     what one worker runs: an immutable picture of the draft, replaced
 *	      whole by a commit and freed when the worker has taken up the next
 *   runtime  what must survive a commit: counters, and per node on each worker
 *	      the vector that waits for it (struct node_rt); made by the commit that
 *	      first has the node, freed by the one that no longer has it
 */

#include <pthread.h>

#include "kit/base/ring_spsc.h"
#include "kit/graph/flight_int.h"
#include "kit/graph/graph.h"
#include "kit/graph/probe_int.h"

#define PLACE_MAX 8

/* Packets of a worker that are recorded at once: a vector of new flows. Their memory is touched
 * when it is used. */
#define RECORDINGS 256

/* A port has two slots for what is to be sent: before the nodes that stand behind its outputs, and
 * past them. */
#define OUT_SLOTS (2 * MR_PORT_MAX)
#define OUT_FINAL MR_PORT_MAX
#define SENDS 64u /* slots whose counters are allocated at once */

/* A vector on its way. Vectors come from the worker's free list, the last used
 * first, so that the same few stay in the first-level cache. */
struct vector {
	uint32_t count;
	bool recorded; /* some packet in it carries a recording */
	struct vector *next;
	MR_CACHE_ALIGNED uint32_t packets[MR_VECTOR_MAX];
};

/* A node on one worker: survives commits. */
struct node_rt {
	struct mr_node_run run;
	const struct mr_node_class *class;
	struct vector *head, *tail; /* what waits for it, oldest first */

	/* Counters: written by the worker, read by the control thread. */
	_Atomic uint64_t calls, packets, cycles;
	_Atomic uint64_t held;   /* now: may fall */
	_Atomic uint64_t *drops; /* [drop_count] */
	uint16_t *flight_groups; /* [drop_count]: flight.c */
	_Atomic uint64_t *edges; /* [edge_count]: packets that took each */
	/* Packets for each port, by slots of SENDS; made by the plan that first has the port. */
	_Atomic(_Atomic uint64_t *) sends[OUT_SLOTS / SENDS];
};

struct plan_node {
	struct node_rt *rt; /* null: not in the graph, or never run on this worker */
	uint16_t rank;
	uint16_t place_count; /* 0: runs where the packet is */
	uint16_t place[PLACE_MAX];
	uint16_t edges[MR_NODE_EDGES_MAX];
};

/* One port on its way out of this worker. */
struct plan_port {
	struct mr_port *port; /* null: none */
	uint16_t queue;
	uint16_t owner;  /* the worker that may use the queue; another hands over */
	uint16_t behind; /* the node that what is sent enters first; UINT16_MAX: none */
	bool up;
	bool settle; /* the device needs checksums, super-frames or chains settled */
};

struct plan_input {
	struct mr_port *port;
	uint16_t queue;
	uint16_t node; /* where to; MR_GRAPH_NODE_TX with arg */
	uint16_t arg;
	int fd;
};

struct walk;
struct mr_plan {
	uint64_t generation;
	uint32_t node_count;
	uint32_t port_count;
	uint32_t input_count;
	struct plan_node *nodes;    /* [node_count] */
	uint16_t *by_rank;          /* [node_count]: node of each rank */
	struct plan_port *ports;    /* [port_count] */
	struct mr_port_view *views; /* [port_count] */
	struct plan_input *inputs;
};

#define RELEASED_MAX 1024u

struct mr_worker {
	/* The worker's own. */
	struct mr_graph *graph;
	struct mr_plan *current;           /* the plan taken up */
	const struct mr_probe_set *probes; /* of this pass; null: none */
	struct mr_recorder *recorder;      /* of this pass; null: nothing was ever traced */
	struct flight *flight;             /* null: there is none */
	uint64_t vectors;                  /* received, of any kind: which one this is */
	uint32_t drop_flow;                /* what is dropped now, this flow replayed; else none */
	uint16_t drop_out;                 /* what is dropped now was to leave here; else none */
	/* Held packets that the node which runs now has let go again: they may be free, or others. */
	uint32_t released[RELEASED_MAX];
	unsigned released_count;
	struct vector *free_vectors;
	struct vector *out[OUT_SLOTS]; /* what waits for each port's flush */
	uint32_t poke;                 /* workers that were handed packets in this pass */
	uint64_t now;
	uint64_t next_second;
	uint32_t seconds;
	uint32_t ticked; /* the second in which nodes were last called for it */
	uint16_t index;
	struct walk *walk;  /* it only explains: explain.c */
	uint32_t explained; /* the packet at the node, when it only explains */
	uint64_t pending[MR_GRAPH_NODES_MAX / 64]; /* nodes with something to do, by rank */
	uint64_t dirty[OUT_SLOTS / 64];            /* slots of out with something to flush */
	int epoll;
	uint64_t epoll_generation;
	int cpu;
	pthread_t thread;
	bool running;

	/* Counters. */
	_Atomic uint64_t passes, empty_passes, sleeps, wakes, busy_cycles, handoffs;
	_Atomic uint64_t created, merged;
	_Atomic uint64_t received, sent;
	_Atomic uint64_t violations;

	/* Others write here. */
	MR_CACHE_ALIGNED _Atomic(struct mr_plan *) plan; /* control publishes, worker takes up */
	_Atomic(const struct mr_probe_set *) probes_published;
	_Atomic(struct mr_recorder *) recorder_published; /* made with the first trace */
	_Atomic uint32_t asleep; /* worker writes, those who hand over read */
	_Atomic bool stop;
	_Atomic bool ending; /* another plan is about to come: nodes are told after each pass */
	int wake;            /* eventfd */
	struct mr_spsc *from[MR_GRAPH_WORKERS_MAX]; /* handed over by worker i */
	struct node_rt **rt; /* [MR_GRAPH_NODES_MAX]; control writes, plans carry copies */
};

struct draft_node {
	const struct mr_node_class *class; /* null: free */
	char name[MR_GRAPH_NAME_MAX];
	void *self;
	uint16_t edges[MR_NODE_EDGES_MAX];
	uint16_t place[PLACE_MAX];
	uint16_t place_count;
	uint32_t incarnation; /* tells a new node from an old one of the same index */
	uint32_t built;       /* the incarnation that the runtime was made for */
	uint64_t since;       /* the generation of its first plan */
};

struct draft_port {
	struct mr_port *port;
	uint16_t node, arg; /* input */
	uint16_t behind;    /* output: the node that comes first; UINT16_MAX: none */
	uint16_t workers[MR_GRAPH_WORKERS_MAX];
	uint16_t worker_count; /* 0: all */
	uint16_t first;        /* the worker that queue 0 goes to */
	uint64_t since;        /* the generation of its first plan */
	bool up;
};

struct mr_graph {
	struct mr_buffers *buffers;
	struct mr_log *log;
	enum mr_graph_mode mode;
	uint64_t hz;
	uint64_t spin_cycles;
	uint16_t worker_count;
	bool started;
	uint16_t next_worker; /* where the next port's queues begin */
	uint64_t generation;
	uint32_t incarnation;
	struct mr_worker *workers[MR_GRAPH_WORKERS_MAX];
	struct draft_node nodes[MR_GRAPH_NODES_MAX];
	uint32_t node_count;
	struct draft_port ports[MR_PORT_MAX];
	uint32_t port_count;
	uint64_t retired_dropped; /* counted by nodes that are gone */
	struct mr_probe *probes[MR_PROBES_MAX];
	unsigned probe_count;
	struct mr_probe_set *probe_set;
};

extern const struct mr_node_class mr_graph_rx_class, mr_graph_tx_class, mr_graph_handoff_class;

/* plan.c */
int mr_plan_build(struct mr_graph *, struct mr_worker *, struct mr_plan **out, struct mr_error *);
void mr_plan_free(struct mr_plan *);

/* runtime.c */
int mr_worker_create(struct mr_worker **out, struct mr_graph *, uint16_t index, int cpu,
    struct mr_error *);
void mr_worker_destroy(struct mr_worker *);
struct node_rt *mr_node_rt_create(struct mr_worker *, uint16_t node, const struct mr_node_class *,
    void *self);
void mr_node_rt_destroy(struct node_rt *);
/* Counters for what is sent on these ports. -ENOMEM. */
int mr_node_rt_add_ports(struct node_rt *, unsigned port_count);

/* worker.c: the hot part */
unsigned mr_worker_pass(struct mr_worker *);
/* Tells the nodes of the plan taken up that it may be the last they see of it. */
void mr_worker_end_plan(struct mr_worker *);
/* A pass that receives nothing: only what other workers handed over. False: there was none. */
bool mr_worker_drain(struct mr_worker *);
void mr_worker_run_pending(struct mr_worker *);
void mr_worker_flush(struct mr_worker *);
void mr_worker_inject(struct mr_worker *, uint16_t node, const uint32_t *packets, unsigned count);
/* Packets that wait in this worker's rings: true when there are any. */
bool mr_worker_handed(const struct mr_worker *);

/* deliver.c: where packets go. */
/* What a node decided of its vector, which changes hands. */
void mr_worker_deliver(struct mr_worker *, struct plan_node *from, struct vector *,
    const mr_verdict_t *);
void mr_worker_deliver_one(struct mr_worker *, struct node_rt *from, uint32_t packet, mr_verdict_t);
/* A whole vector, which changes hands. */
void mr_worker_enter_vector(struct mr_worker *, uint16_t node, struct vector *);
void mr_worker_enter(struct mr_worker *, uint16_t node, const uint32_t *packets, unsigned count,
    bool recorded);
/* `port` may carry MR_VERDICT_FINAL. */
void mr_worker_output(struct mr_worker *, unsigned port, const uint32_t *packets, unsigned count,
    bool recorded);
/* A whole vector, which changes hands. */
void mr_worker_output_vector(struct mr_worker *, unsigned port, struct vector *);
/* Drops packets of one node for one reason: counted, shown to probes, freed. */
void mr_worker_drop(struct mr_worker *, struct node_rt *, unsigned reason, const uint32_t *packets,
    unsigned count);

/* Drops what was to leave on this port. */
void mr_worker_refuse(struct mr_worker *, unsigned port, unsigned reason, const uint32_t *packets,
    unsigned count);

/* explain.c: a packet that a node made while it explained becomes a branch of the recording. */
void mr_worker_adopt(struct mr_worker *, uint32_t packet);
/* Of packets that would leave. */
void mr_worker_tell_sent(struct mr_worker *, uint16_t port, const uint32_t *packets,
    unsigned count);

/* output.c */
void mr_worker_flush_slot(struct mr_worker *, unsigned slot);

/* handoff.c */
void mr_worker_handoff(struct mr_worker *, unsigned to, uint32_t target, const uint32_t *packets,
    unsigned count);
unsigned mr_worker_take_handed(struct mr_worker *);
void mr_worker_wake(struct mr_worker *);
#define HANDOFF_PORT 0x80000000u /* target is a port, else a node */

/* thread.c */
int mr_worker_start(struct mr_worker *, struct mr_error *);
void mr_worker_stop(struct mr_worker *);

/* Whether this worker runs the node: else what comes to it is handed over. */
mr_inline bool
mr_plan_is_placed_here(const struct mr_worker *w, const struct plan_node *pn)
{
	for (unsigned i = 0; i < pn->place_count; i++)
		if (pn->place[i] == w->index)
			return true;
	return pn->place_count == 0;
}

struct vector *mr_worker_more_vectors(struct mr_worker *);

mr_inline struct vector *
vector_get(struct mr_worker *w)
{
	struct vector *v = w->free_vectors;

	if (mr_unlikely(!v))
		return mr_worker_more_vectors(w);
	w->free_vectors = v->next;
	v->count = 0;
	v->recorded = false;
	v->next = NULL;
	return v;
}

mr_inline void
vector_put(struct mr_worker *w, struct vector *v)
{
	v->next = w->free_vectors;
	w->free_vectors = v;
}

#endif
