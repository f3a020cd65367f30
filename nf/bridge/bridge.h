/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_BRIDGE_BRIDGE_H
#define MR_NF_BRIDGE_BRIDGE_H

/*
 * A learning switch (IEEE 802.1Q): learns which station is behind which port,
 * sends known unicast there and floods the rest, in VLANs, some of whose ports may
 * not talk to each other. One bridge is one node of the graph ("bridge-br0") with a MAC table of
 * its own; its FIDs are the VLANs (independent learning), or 0 in a
 * bridge without VLANs, which leaves tags alone.
 *
 * This header is the switch without the model: what is configured, as plain C. The
 * descriptor mr_nf_bridge (nf/bridge/bridge.c) fills it from a configuration.
 *
 * Ownership: a bridge copies what it is given. The node's `self` is the bridge.
 * Threads: create to destroy, prepare to finish, age and the readers belong to the control thread;
 * the node runs on every worker beside them. What is configured is an immutable
 * view that commit replaces; finish frees the old one when no worker runs the
 * old plan any more, and then forgets the stations that are no longer where they were.
 * Errors: create and prepare fail without effect.
 */

#include "kit/graph/node.h"
#include "kit/table/mac.h"

#define MR_BRIDGE_VLANS 4096u
#define MR_BRIDGE_NO_PORT UINT16_MAX
#define MR_BRIDGE_GROUP_ISOLATED 63u /* the split-horizon group of all isolated ports */

/* Packets that are learned from, and then looked up, together. Of 256 the MAC table's lines
 * and the frames would no longer fit the first-level cache at once. */
#define MR_BRIDGE_DEPTH 128u

enum mr_bridge_mode {
	/* Carries all VLANs, `vlan` (1 unless set) without a tag. The mode of all ports in a
	 * bridge without VLANs. */
	MR_BRIDGE_PLAIN,
	MR_BRIDGE_ACCESS, /* in `vlan` only, sent without a tag */
	MR_BRIDGE_TRUNK,  /* in `vlans`, with tags; `vlan` (0: none) without */
	MR_BRIDGE_TUNNEL, /* in `vlan` only; tags that arrive are the customer's, not ours */
};

enum mr_bridge_storm {
	MR_BRIDGE_BROADCAST,
	MR_BRIDGE_UNKNOWN,
	MR_BRIDGE_MULTICAST,
	MR_BRIDGE_STORMS,
};

struct mr_bridge_port {
	uint16_t port; /* its index in the graph */
	uint16_t vlan;
	uint16_t tpid; /* of the tags on this port; 0: 0x8100 */
	uint8_t mode;  /* enum mr_bridge_mode */
	bool no_learning;
	bool
	    drop_over_limit; /* frames of stations above mac_limit are dropped, not only not learned */
	uint32_t mac_limit; /* 0: none */
	uint64_t
	    groups; /* split-horizon groups: ports with a common bit do not talk to each other */
	uint64_t storm[MR_BRIDGE_STORMS];     /* packets/s; 0: no limit */
	uint64_t vlans[MR_BRIDGE_VLANS / 64]; /* TRUNK: bit per VLAN */
};

struct mr_bridge_static {
	uint8_t mac[6];
	uint16_t vlan; /* 0 in a bridge without VLANs */
	uint16_t port; /* or MR_BRIDGE_NO_PORT: frames to this address are dropped */
};

struct mr_bridge_config {
	const struct mr_bridge_port *ports;
	unsigned port_count;
	const struct mr_bridge_static *statics;
	unsigned static_count;
	uint32_t mac_limit;  /* stations; 0: 65,536 */
	uint32_t ageing;     /* seconds; 0: never */
	uint32_t move_limit; /* moves of stations per second; 0: no limit */
	uint16_t reserved;   /* bit n: forward frames to 01:80:c2:00:00:0n */
};

/* Drop reasons of the node. */
#define MR_BRIDGE_DROPS(X) \
	X(TOO_SHORT, "too-short", "no room for the Ethernet header and a tag") \
	X(NOT_MEMBER, "not-member", "came in on an interface that is not in this bridge") \
	X(SOURCE, "source-invalid", "source address is a group address or zero") \
	X(UNTAGGED, "untagged", "without a VLAN tag on a trunk without native VLAN") \
	X(VLAN_IN, "vlan-not-allowed", "its VLAN is not allowed on the interface it came in on") \
	X(VLAN_OUT, "vlan-not-there", "the station's interface is not in the frame's VLAN") \
	X(RESERVED, "reserved-address", "to 01:80:c2:00:00:0x, not forwarded by bridges") \
	X(SAME_PORT, "same-port", "the station is where the frame came from") \
	X(SPLIT_HORIZON, "split-horizon", "both interfaces are in one split-horizon group") \
	X(PORT_DOWN, "port-down", "the station's interface is down") \
	X(TOO_BIG, "too-big", "larger than the MTU of the way out") \
	X(BROADCAST, "storm-broadcast", "above the interface's broadcast limit") \
	X(UNKNOWN, "storm-unknown", "above the interface's unknown-unicast limit") \
	X(MULTICAST, "storm-multicast", "above the interface's multicast limit") \
	X(MAC_LIMIT, "mac-limit", "of a station above the interface's mac-limit") \
	X(STATIC_DROP, "static-drop", "to a static entry that says drop") \
	X(NO_TARGET, "no-target", "nobody else in its VLAN is up") \
	X(NO_HEADROOM, "no-headroom", "no room in front of the frame for a VLAN tag")

/* Counters of the node, beside calls, packets and cycles. */
#define MR_BRIDGE_COUNTERS(X) \
	X(LEARNED, "learned", "new stations") \
	X(MOVED, "moved", "stations that changed their interface") \
	X(EVICTED, "evicted", "stations that gave way to a new one") \
	X(FULL, "table-full", "frames of stations not learned: the bridge has mac-limit stations") \
	X(LIMITED, "mac-limited", "frames of stations not learned: the interface has mac-limit") \
	X(STAYED, "moves-refused", "frames of stations not moved: static, or above move-limit") \
	X(FLOODED, "flooded", "frames sent to all interfaces of their VLAN") \
	X(COPIES, "flood-copies", "copies made for that") \
	X(NO_COPY, "flood-no-buffer", "copies not made for want of a buffer") \
	X(FLOOD_BIG, "flood-too-big", "copies not made: larger than the MTU of the way out")

#define MR_BRIDGE_X(id, name, doc) MR_BRIDGE_DROP_##id,
enum mr_bridge_drop { MR_BRIDGE_DROPS(MR_BRIDGE_X) MR_BRIDGE_DROP_COUNT };
#undef MR_BRIDGE_X
#define MR_BRIDGE_X(id, name, doc) MR_BRIDGE_COUNT_##id,
enum mr_bridge_counter { MR_BRIDGE_COUNTERS(MR_BRIDGE_X) MR_BRIDGE_COUNT_COUNT };
#undef MR_BRIDGE_X

struct mr_bridge;

extern const struct mr_node_class mr_bridge_node_class;

int mr_bridge_create(struct mr_bridge **out, struct mr_error *);
void mr_bridge_destroy(struct mr_bridge *);

/* Makes the next view. Then either commit, and finish when no worker runs the old
 * plan, or abort. `seconds` is the workers' clock (CLOCK_MONOTONIC_COARSE). A static entry that
 * finds no place (-ENOSPC) is left out: *left_out says how many. */
int mr_bridge_prepare(struct mr_bridge *, const struct mr_bridge_config *, struct mr_error *);
void mr_bridge_commit(struct mr_bridge *, uint32_t seconds, unsigned *left_out);
void mr_bridge_finish(struct mr_bridge *);
void mr_bridge_abort(struct mr_bridge *);

/* Once a second: takes a step of the search for stations that have aged out. */
void mr_bridge_age(struct mr_bridge *, uint32_t seconds);
/* Forgets the stations learned on a port, which went down. */
void mr_bridge_flush_port(struct mr_bridge *, uint16_t port);

/* The table in use, for reading. */
const struct mr_mac *mr_bridge_table(const struct mr_bridge *);
bool mr_bridge_has_vlans(const struct mr_bridge *);

#endif
