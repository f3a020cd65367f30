/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_NEIGHBOR_NODES_INT_H
#define MR_NF_NEIGHBOR_NODES_INT_H

/*
 * The workers' side: what their nodes read of an interface, what limits them, and how
 * they and the control thread say in a packet's scratch what it is about.
 *
 * Threads: views are published by the control thread and retired after a grace period; meters
 * are shared by the workers; the rest is constant while nodes are in the graph.
 */

#include "kit/base/rcu.h"
#include "kit/table/meter.h"
#include "nf/neighbor/message.h"

/* What a packet in the channel is; in its `out`. */
enum neighbor_parcel {
	/* To control. */
	NEIGHBOR_PARCEL_ARP = 1,
	NEIGHBOR_PARCEL_ND,
	NEIGHBOR_PARCEL_RESOLVE, /* mr_ip_meta.adjacency has no header */
	/* From control. */
	NEIGHBOR_PARCEL_FRAME, /* send it on the port in the scratch's first two bytes */
	NEIGHBOR_PARCEL_GO,    /* mr_ip_meta.adjacency has a header now */
	NEIGHBOR_PARCEL_FAIL,  /* there is none: mr_ip_meta says which ICMP error */
};

/* What is limited apart from each other, so that none starves another. */
enum neighbor_class {
	NEIGHBOR_CLASS_ANSWER, /* answers to us */
	NEIGHBOR_CLASS_HEARD,  /* questions to us, gratuitous ones, conflicts, routers' messages */
	NEIGHBOR_CLASS_HOP,    /* packets to a next hop of a route */
	NEIGHBOR_CLASS_GLEAN,  /* packets to a connected subnet */
	NEIGHBOR_CLASSES,
};

struct neighbor_view_address {
	uint8_t bytes[16];
	bool tentative; /* duplicate detection runs: answered without override, or not (RFC 4429) */
};

/* What nodes read of an interface. */
struct neighbor_view {
	struct mr_rcu_head rcu;
	bool proxy;
	uint16_t count[MR_IP_FAMILIES];
	struct neighbor_view_address addresses[MR_IP_FAMILIES][MR_IP_ADDRESSES_MAX];
};

struct neighbor_limits {
	struct mr_meter class[NEIGHBOR_CLASSES];
};

struct neighbor_nodes {
	const struct mr_ip *ip;
	uint16_t channel;                       /* port */
	_Atomic(struct neighbor_view *) *views; /* [MR_IP_INTERFACES_MAX] */
	struct neighbor_limits *limits;         /* [MR_IP_INTERFACES_MAX] */
	struct neighbor_limits overall;
	struct mr_meter_table *destinations; /* packets to one unresolved next hop */
};

/* Beyond NEIGHBOR_FLAWS, of arp-input and nd-input. */
#define NEIGHBOR_INPUT_DROPS(X) \
	X(NO_INTERFACE, "no-interface", "the interface has no addresses of this family") \
	X(OWN, "own-frame", "came back with our own Ethernet address") \
	X(OTHER, "not-for-us", "about an address that is not ours") \
	X(ANSWER_LIMIT, "answers-limited", "answers to us above the limit") \
	X(HEARD_LIMIT, "heard-limited", "messages worth learning from above the limit") \
	X(IGNORED, "ignored", "redirects: routers do not follow them (RFC 4861, 8.3)") \
	X(NO_ROOM, "no-room", "no room in the buffer for the answer")

#define NEIGHBOR_INPUT_COUNTERS(X) \
	X(ASKED, "asked", "questions for our addresses") \
	X(ANSWERED, "answered", "of them, answered at once") \
	X(HANDED, "handed", "messages handed to the control thread") \
	X(TWIN, "host-copies", "copies for the host's own ARP and ND") \
	X(NO_COPY, "no-buffer", "copies not made for want of a buffer") \
	X(HELD_BACK, "not-learned", "questions answered, but not learned from: above the limit")

#define NEIGHBOR_RESOLVE_DROPS(X) \
	X(ADJACENCY, "no-adjacency", "its next hop does not exist any more") \
	X(INTERFACE_LIMIT, "interface-limited", \
	    "packets to unresolved neighbours of this interface above the limit") \
	X(HOP_LIMIT, "neighbour-limited", "packets to one unresolved neighbour above the limit") \
	X(OVERALL_LIMIT, "overall-limited", "packets to unresolved neighbours above the limit")

#define NEIGHBOR_OUTPUT_DROPS(X) X(PARCEL, "not-known", "not a packet of the control thread's")

/* clang-format off */
enum neighbor_input_drop {
	NEIGHBOR_DROP_LAST_FLAW = NEIGHBOR_FLAW_COUNT - 1,
#define X(id, name, doc) NEIGHBOR_DROP_##id,
	NEIGHBOR_INPUT_DROPS(X)
#undef X
	NEIGHBOR_INPUT_DROP_COUNT,
};
enum neighbor_input_counter {
#define X(id, name, doc) NEIGHBOR_COUNT_##id,
	NEIGHBOR_INPUT_COUNTERS(X)
#undef X
	NEIGHBOR_INPUT_COUNTER_COUNT,
};
enum neighbor_resolve_drop {
#define X(id, name, doc) NEIGHBOR_RESOLVE_DROP_##id,
	NEIGHBOR_RESOLVE_DROPS(X)
#undef X
	NEIGHBOR_RESOLVE_DROP_COUNT,
};
enum neighbor_output_drop {
#define X(id, name, doc) NEIGHBOR_OUTPUT_DROP_##id,
	NEIGHBOR_OUTPUT_DROPS(X)
#undef X
	NEIGHBOR_OUTPUT_DROP_COUNT,
};
/* clang-format on */

extern const struct mr_node_class neighbor_arp_class, neighbor_nd_class, neighbor_resolve_class,
    neighbor_output_class;
extern const struct mr_named neighbor_input_drops[NEIGHBOR_INPUT_DROP_COUNT];
extern const struct mr_named neighbor_input_counters[NEIGHBOR_INPUT_COUNTER_COUNT];

mr_inline const struct neighbor_view_address *
neighbor_view_find(const struct neighbor_view *view, unsigned family, const uint8_t *bytes)
{
	unsigned size = family == MR_IP4 ? 4 : 16;

	for (unsigned i = 0; i < view->count[family]; i++)
		if (!memcmp(view->addresses[family][i].bytes, bytes, size))
			return &view->addresses[family][i];
	return NULL;
}

/* Takes one; in an explanation only asks. */
mr_inline bool
neighbor_token(const struct mr_recorder *rec, struct mr_meter *meter, uint64_t now)
{
	return mr_record_is_dry(rec) ? mr_meter_ready(meter, now) : mr_meter_take(meter, now, 1);
}

/* Whether one more of a class may go to the control thread. */
mr_inline bool
neighbor_may_pass(const struct mr_recorder *rec, struct neighbor_nodes *n, unsigned interface,
    enum neighbor_class class, uint64_t now)
{
	return neighbor_token(rec, &n->limits[interface].class[class], now) &&
	    neighbor_token(rec, &n->overall.class[class], now);
}

#endif
