/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_TUNNEL_TUNNEL_INT_H
#define MR_NF_TUNNEL_TUNNEL_INT_H

/*
 * What nodes and control share.
 *
 *   struct tunnel        one tunnel, as long as its name is configured: counts, stations, nodes
 *     struct tunnel_view   what its configuration says, made anew with each and swapped as a whole
 *       struct tunnel_remote   one remote end: the headers to write
 *   struct tunnel_core   which tunnel, and which of its remote ends, a packet from outside belongs to
 *
 * A remote end keeps its number while its tunnel has it, since stations and counters go by it.
 *
 * Threads: views and the table of ends are constant, and retired through RCU; `live` is written by
 * control, read by workers; stations are learned by workers (kit/table/mac.h).
 */

#include "kit/base/counter.h"
#include "kit/base/generation.h"
#include "kit/base/rcu.h"
#include "kit/flow/inside.h"
#include "kit/graph/node.h"
#include "kit/packet/parse.h"
#include "kit/packet/wire.h"
#include "kit/packet/wire_tunnel.h"
#include "kit/port/port.h"
#include "kit/table/mac.h"
#include "nf/ip/ip.h"

#define TUNNELS_MAX 960u
#define TUNNEL_REMOTES_MAX 1024u /* of one tunnel */
#define TUNNEL_NONE UINT16_MAX
#define TUNNEL_ETH ((unsigned)sizeof(struct mr_eth))
/* Behind the outer IP header. */
#define TUNNEL_SHIM ((unsigned)(sizeof(struct mr_udp) + sizeof(struct mr_vxlan)))
#define TUNNEL_DSCP_COPY 64u
/* How many tunnels one tunnel-enter node leads to. */
#define TUNNEL_ENTER_EDGES MR_NODE_EDGES_MAX
#define TUNNEL_ENTERS_MAX ((TUNNELS_MAX + TUNNEL_ENTER_EDGES - 1) / TUNNEL_ENTER_EDGES)

/* One remote end: IP, UDP and VXLAN headers but for lengths, checksums, class and the source port. */
struct tunnel_remote {
	uint8_t head[56];
	uint16_t number; /* of struct tunnel's remotes */
	bool six;
	uint8_t size; /* of the headers: 36 or 56 */
	uint8_t spare[4];
};
static_assert(sizeof(struct tunnel_remote) == 64,
    "what a packet needs of its remote end is one line");

struct tunnel_view {
	bool fragment; /* what is too big for its way may leave in pieces */
	bool checksum; /* UDP's is made, and looked at */
	bool learn;    /* which stations are behind which remote end, where there are several */
	uint8_t dscp;  /* or TUNNEL_DSCP_COPY */
	uint16_t count;
	struct mr_mac
	    *stations; /* where there are several; their "ports" are remote ends' numbers */
	uint16_t
	    place[TUNNEL_REMOTES_MAX]; /* of a remote end's number, in `remotes`; or TUNNEL_NONE */
	struct tunnel_remote remotes[];
};

/* The way to a remote end, as it is now. */
struct tunnel_live {
	_Atomic uint16_t via; /* the interface that it leaves by; 0: there is none */
	_Atomic uint16_t mtu; /* bytes of IP */
};

enum tunnel_traffic {
	TUNNEL_TX_PACKETS,
	TUNNEL_TX_BYTES, /* of the frames, without the headers around them */
	TUNNEL_RX_PACKETS,
	TUNNEL_RX_BYTES,
	TUNNEL_TRAFFIC_COUNT,
};

struct tunnel {
	_Atomic(const struct tunnel_view *) view;
	_Atomic(struct mr_port *) port; /* its interface's; null while that is closed */
	const struct mr_ip *ip;
	struct mr_counters *traffic;  /* [number * TUNNEL_TRAFFIC_COUNT + enum tunnel_traffic] */
	struct mr_generation changed; /* view, ways, and whether it is closed */
	uint16_t index;               /* its interface's */
	uint16_t slot;                /* among tunnels: tunnel-in's edges */
	uint32_t workers;
	struct tunnel_live live[TUNNEL_REMOTES_MAX];
};

/* -- from outside --------------------------------------------------------------------------- */

/* A remote end's number among those of all tunnels is its place here; 0 is nobody's. */
#define TUNNEL_ENDS_MAX 65536u
struct tunnel_end {
	struct tunnel *tunnel;
	uint16_t number; /* among the tunnel's */
};

/*
 * What tunnel-in looks at. Beside whole keys stand those without remote end, and those without network and
 * remote end, with the number TUNNEL_END_PART: so that what is for a tunnel and is refused has a name,
 * and everything else goes on to the host. An end is written before its key is published, and is
 * another's only after nobody can have found it.
 */
#define TUNNEL_END_PART UINT32_MAX
struct tunnel_core {
	_Atomic(const struct mr_flow_inside *) inside;
	struct tunnel_end *ends; /* [TUNNEL_ENDS_MAX] */
	/* By slot, of those in the configuration; a tunnel stays for a grace period after it. */
	_Atomic(struct tunnel *) tunnels[TUNNELS_MAX];
	const struct mr_ip *ip;
	struct mr_generation changed;
};

/* -- nodes ---------------------------------------------------------------------------------- */

/* Edges of tunnel-out. */
enum { TUNNEL_OUT_FORWARD4, TUNNEL_OUT_FORWARD6, TUNNEL_OUT_EDGES };
/* Edges of tunnel-in: to the host, and to the tunnel-enter nodes. */
enum { TUNNEL_IN_NEXT, TUNNEL_IN_ENTER, TUNNEL_IN_EDGES = TUNNEL_IN_ENTER + TUNNEL_ENTERS_MAX };

/* X(constant, name, doc) */
#define TUNNEL_OUT_DROPS(X) \
	X(SHORT, "too-short", "shorter than an Ethernet header") \
	X(CLOSED, "tunnel-closed", "its interface is not enabled") \
	X(NO_WAY, "no-way", "no route to the remote end") \
	X(TOO_BIG, "too-big", "too big for the way to the remote end, with the headers around it") \
	X(SUPER, "super-frame", "a super-frame that cannot be cut") \
	X(LOOP, "tunnel-loop", \
	    "was put into as many tunnels as a packet may: ways lead in a ring") \
	X(ROOM, "no-headroom", "no room for the headers around it") \
	X(BUFFERS, "no-buffers", "no buffer for a copy")
#define TUNNEL_OUT_COUNTERS(X) \
	X(FLOODED, "flooded", "frames sent to all remote ends") \
	X(COPIES, "copies", "copies made for that") \
	X(LOST, "lost-copies", "copies for which there was no buffer") \
	X(CUT, "cut", "super-frames cut before they were wrapped") \
	X(FRAGMENTED, "fragmented", "wrapped frames too big for their way, sent in pieces")
#define TUNNEL_IN_DROPS(X) \
	X(MALFORMED, "malformed", "ends early, or a length in it is wrong") \
	X(FLAGS, "no-vni", "without a valid network identifier (RFC 7348, 5)") \
	X(VNI, "unknown-vni", "of a network that no tunnel here has") \
	X(REMOTE, "unknown-remote", "from an address that is no remote end of the tunnel") \
	X(CLOSED, "tunnel-closed", "the tunnel's interface is not enabled") \
	X(CHECKSUM, "udp-checksum", "wrong UDP checksum") \
	X(CONGESTION, "congestion", \
	    "marked on the way as congestion, where nobody would hear of it (RFC 6040, 4.2)") \
	X(SUPER, "super-frame", "a super-frame of several packets") \
	X(LOOP, "tunnel-loop", "has gone through as many tunnels and pairs as a packet may")
#define TUNNEL_IN_COUNTERS(X) \
	X(LEARNED, "learned", "stations heard behind a remote end for the first time") \
	X(MOVED, "moved", "stations heard behind another remote end than before") \
	X(REFUSED, "not-learned", "stations not learned: no room") \
	X(MARKED, "congestion-marked", "frames that took over a mark of congestion (RFC 6040)")

/* clang-format off */
#define X(id, name, doc) TUNNEL_OUT_DROP_##id,
enum tunnel_out_drop { TUNNEL_OUT_DROPS(X) TUNNEL_OUT_DROP_COUNT };
#undef X
#define X(id, name, doc) TUNNEL_OUT_COUNT_##id,
enum tunnel_out_counter { TUNNEL_OUT_COUNTERS(X) TUNNEL_OUT_COUNT_COUNT };
#undef X
#define X(id, name, doc) TUNNEL_IN_DROP_##id,
enum tunnel_in_drop { TUNNEL_IN_DROPS(X) TUNNEL_IN_DROP_COUNT };
#undef X
#define X(id, name, doc) TUNNEL_IN_COUNT_##id,
enum tunnel_in_counter { TUNNEL_IN_COUNTERS(X) TUNNEL_IN_COUNT_COUNT };
#undef X
/* clang-format on */

/* What replays are told of a station: its tunnel's slot, and its place in the table there. */
#define TUNNEL_CALL_SHIFT 22
static_assert(TUNNELS_MAX <= 1u << (32 - TUNNEL_CALL_SHIFT), "a slot has room");

/* In recordings: a tunnel's slot and a remote end's number. */
#define TUNNEL_NOTE_TO "wrapped for tunnel"
#define TUNNEL_NOTE_ALL "sent to all remote ends of tunnel"
#define TUNNEL_NOTE_FROM "out of tunnel"
#define TUNNEL_NOTE(slot, number) ((uint64_t)(slot) << 16 | (number))

extern const struct mr_node_class tunnel_out_class, tunnel_in_class, tunnel_enter_class;

/* Where IP is in the frame at `at`; 0: nowhere. */
mr_inline unsigned
tunnel_find_ip(const struct mr_packet *p, unsigned at, bool *six)
{
	uint16_t type;
	unsigned l3 = mr_find_l3(mr_packet_bytes_const(p), p->len, at, &type);

	if (!l3 || p->len < l3 + 20)
		return 0;
	*six = type == MR_ETH_TYPE_IP6;
	return *six || type == MR_ETH_TYPE_IP4 ? l3 : 0;
}

mr_inline void
tunnel_count(const struct tunnel *t, unsigned worker, unsigned number, unsigned first,
    uint64_t packets, uint64_t bytes)
{
	_Atomic uint64_t *c = mr_counters_row(t->traffic, MR_MIN(worker, t->workers)) +
	    number * TUNNEL_TRAFFIC_COUNT + first;

	mr_counter_add(c, packets);
	mr_counter_add(c + 1, bytes);
}

#endif
