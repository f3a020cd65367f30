/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_OFFLOAD_H
#define MR_KIT_FLOW_OFFLOAD_H

/*
 * Offload: hot flows of the lane (kit/flow/lane.h) are handed to the ports that they come in by, when
 * these can treat packets by themselves (kit/port/offload.h). A flow is handed over when
 *  - it has more packets a second than the policy says, measured by the worker, which looks at samples
 *    of what it replays, once a second;
 *  - its program is simple (kit/flow/program.h), sends, and rests on eight cells at most;
 *  - its Ethernet addresses are not part of its key;
 *  - the port that it leaves by can be reached.
 *
 * It stays the worker's: the flow's line, and all that its program credits, are told what the port
 * counted, once a second, and it lives as long as the port sees packets.
 *
 * It comes back: at once, by one store into memory that the port shares, when a cell that it rests on
 * changes, when the plan of the graph ends, when the flow goes, while packets are traced or captured;
 * with the next second, when it has few packets. mr_lane_offload_check is how control says that something
 * may have changed: after whatever it does that bumps cells. What workers bump they see by themselves.
 *
 * Ownership: ports are the caller's. A port that is closed has forgotten its rules; it must be out of
 * the graph by a commit then, and named no more in the next mr_lane_offload_ports.
 * Threads: the control thread, but for the lane's own.
 * Errors: a port that cannot is left alone, and says why.
 */

#include "kit/flow/lane.h"
#include "kit/port/offload.h"

struct mr_lane_offload_port {
	struct mr_port *port;
	bool in;        /* what arrives here may be handed over; else it can only be sent to */
	uint8_t mac[6]; /* of the lane's view of it */
	/* Answers. */
	bool open;
	char reason[120]; /* why not */
};

/* The ports that there are, all of them. To be told whenever they may have changed; cheap when they have
 * not. */
MR_API void mr_lane_offload_ports(struct mr_lane *, struct mr_lane_offload_port *, unsigned count);

/* Takes all out of force whose cells have changed. */
MR_API void mr_lane_offload_check(struct mr_lane *);
/* All out of force, and none comes until this is taken back; returns when no packet is treated by a
 * rule any more. */
MR_API void mr_lane_offload_pause(struct mr_lane *, bool);

MR_API void mr_lane_offload_set_rate(struct mr_lane *, uint32_t packets_per_second);

struct mr_lane_offload_stats {
	uint64_t flows;          /* now */
	uint64_t added, refused; /* refused: of hot ones, each second anew */
	uint64_t packets, bytes; /* told so far */
};
MR_API void mr_lane_offload_stats(const struct mr_lane *, unsigned worker,
    struct mr_lane_offload_stats *);
/* Whether a port has this flow's packets now. */
MR_API bool mr_lane_is_offloaded(const struct mr_lane *, unsigned worker, uint32_t index);

#endif
