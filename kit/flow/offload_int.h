/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_OFFLOAD_INT_H
#define MR_KIT_FLOW_OFFLOAD_INT_H

/*
 * Offload from inside. An entry is a flow that is with a port; its number decides its slot there:
 *
 *   FREE -> LIVE -> RESTING -> FREE
 *
 * It rests for a second at least before it is read for the last time: a packet may have been under way.
 * The worker writes entries. Control reads those that are live to see whether their cells have
 * changed; by chance it may see some of the next one's, and take that out of force for nothing.
 */

#include "kit/flow/lane_int.h"
#include "kit/flow/offload.h"

#define OFFLOAD_CELLS 8u
#define OFFLOAD_SAMPLES 256u
#define OFFLOAD_ADDS 64u /* in a second */
#define OFFLOAD_COLD_SECONDS 5u

enum offload_state { OFFLOAD_FREE, OFFLOAD_LIVE, OFFLOAD_RESTING };

struct offload_cell {
	_Atomic(const struct mr_generation *) cell;
	_Atomic uint32_t value;
};

struct offload_entry {
	_Atomic uint32_t state;
	_Atomic uint32_t cell_count;
	struct offload_cell cells[OFFLOAD_CELLS];
	_Atomic(struct mr_port *) port;
	uint32_t flow; /* MR_FLOW_NONE: it went */
	uint32_t program;
	uint32_t since;          /* second in which it began to rest */
	uint32_t cold;           /* seconds with few packets */
	uint16_t node;           /* the lane's, of the port where it comes in */
	_Atomic uint64_t plan;   /* of the graph: under another one its cells may be gone */
	uint64_t packets, bytes; /* told */
	struct mr_offload_key key;
};

/* A flow that may be hot. */
struct offload_candidate {
	uint32_t flow;
	struct mr_flow_key key;
	uint64_t packets; /* when it was looked at last */
};

struct lane_offload {
	uint32_t count;        /* entries */
	_Atomic uint32_t used; /* not free */
	uint32_t next;         /* where to look for a free one */
	uint32_t first_slot;
	struct offload_entry *entries;
	_Atomic uint32_t *entry_of; /* [flow]: its entry's number + 1 */
	uint32_t sample_at, turn;
	uint32_t seconds; /* of the last tick */
	uint32_t samples[OFFLOAD_SAMPLES];
	unsigned candidate_count;
	struct offload_candidate candidates[OFFLOAD_SAMPLES];
	_Atomic uint64_t flows, added, refused, packets, bytes;
};

/* The lane's. Workers read; control writes. */
struct offload_ports {
	_Atomic uint32_t rate;
	_Atomic bool paused;
	uint32_t slots;                                        /* of each port */
	_Atomic(struct mr_port *) in[MR_PORT_MAX];             /* open for rules */
	_Atomic(struct mr_port *) out[MR_PORT_MAX];            /* there */
	_Atomic uint64_t reach[MR_PORT_MAX][MR_PORT_MAX / 64]; /* from, to */
	uint8_t mac[MR_PORT_MAX][6];
	uint32_t rounds; /* calls of mr_lane_offload_ports */
};

int lane_offload_create(struct mr_lane *, struct lane_worker *, uint32_t flows, unsigned worker,
    uint32_t max_flows, struct mr_error *);
void lane_offload_destroy(struct lane_offload *);

/* Once a second: counts, what is to come back, what is hot. */
void lane_offload_tick(struct lane_worker *, struct mr_node_run *);
/* Cells have changed. */
void lane_offload_changed(struct lane_worker *);
/* The plan ends, or control says so: nothing may be with a port. */
void lane_offload_end(struct lane_worker *, struct mr_node_run *);
/* Control has paused it, and there are some. */
bool lane_offload_must_end(const struct lane_worker *);
/* The flow goes. */
void lane_offload_forget(struct lane_worker *, uint32_t flow);

/* One of a vector's flows. */
mr_inline void
lane_offload_sample(struct lane_offload *o, const uint32_t *flows, unsigned count)
{
	o->samples[o->sample_at++ % OFFLOAD_SAMPLES] = flows[o->turn++ % count];
}

#endif
