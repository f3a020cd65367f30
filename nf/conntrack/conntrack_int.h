/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_CONNTRACK_CONNTRACK_INT_H
#define MR_NF_CONNTRACK_CONNTRACK_INT_H

/* What the files of nf/conntrack share: the function's state, and its nodes. */

#include "kit/graph/node.h"
#include "kit/table/meter.h"
#include "nf/conntrack/conntrack.h"
#include "nf/conntrack/fragment_int.h"
#include "nf/conntrack/packet_int.h"
#include "nf/conntrack/source_int.h"
#include "nf/conntrack/table_int.h"

/* What an operator can set for all. */
enum ct_option {
	CT_LOOSE = 1u << 0,
	CT_DROP_INVALID = 1u << 1,
	CT_CHECKSUM = 1u << 2,
};

enum ct_proxy { CT_PROXY_OFF, CT_PROXY_AUTO, CT_PROXY_ON };

/* Of one interface, read by workers, written in commits. */
struct ct_port {
	uint16_t index;
	_Atomic bool tracked; /* packets that come in here are */
	_Atomic uint16_t zone;
	_Atomic uint32_t source_connections; /* 0: no limit */
	struct mr_meter_rate source_rate;
	_Atomic uint8_t proxy; /* enum ct_proxy */
	struct mr_meter syns;  /* those that CT_PROXY_AUTO does not answer itself */
};

/* What workers see; made when an interface is tracked for the first time. */
#define CT_APART_WORDS (65536 / 64)

struct ct_core {
	struct ct_table *table;
	struct mr_meter_table *rates;    /* of sources: words only, rates are the interfaces' */
	struct ct_fragments **fragments; /* [workers] */
	struct ct_port *ports;           /* [MR_PORT_MAX] */
	_Atomic uint32_t options;        /* enum ct_option */
	struct mr_generation settings;   /* changes with whatever an operator sets */
	_Atomic uint64_t apart[CT_APART_WORDS]; /* by UDP port: mr_conntrack_set_apart */
	bool alone;                             /* there is one worker: nobody else updates lines */
};

int ct_core_create(struct ct_core **out, uint32_t max, uint32_t workers, struct mr_error *);
void ct_core_destroy(struct ct_core *, struct mr_buffers *);
/* As mr_conntrack_ports. */
bool ct_piece_ports(const struct ct_core *, const struct mr_packet *, be16_t *sport, be16_t *dport);

/* A node's `self`. */
struct ct_side {
	struct ct_core *core;
	struct ct_port *port;
	bool out;
};

/* What a recording carries for replay: index, CT_ARG_*, low bits of the line's age. */
#define CT_ARG_REPLY (1u << 24)
#define CT_ARG_NEW (1u << 25) /* not answered yet */
#define CT_ARG_AGE_SHIFT 26
#define CT_ARG_AGE 63u
/* Index 0: there is no such connection. */

/* replay.c */
/* A digest of the ends of a frame that is plain (replay.c); 0: not one. */
uint16_t ct_ends_digest(const uint8_t *bytes, unsigned len, unsigned dir);
uint8_t ct_replay_one(struct mr_node_run *, uint32_t packet, uint32_t arg, struct mr_replayed,
    uint32_t counts[MR_REPLAY_COUNTERS]);
void ct_settle(struct mr_node_run *, uint32_t arg, uint32_t packets);
void ct_replay_lines(const struct mr_node_run *, struct mr_replay_lines *);
void ct_replay(struct mr_node_run *, const uint32_t *packets, const uint32_t *args,
    const struct mr_replayed *, uint8_t *skip, unsigned count);

/* describe.c: words for notes of recordings. */
#define CT_NOTE "connection"
bool ct_describe(const struct ct_core *, const struct mr_op *, char *text, size_t size);
/* "tcp 10.0.0.1:1024 > 192.0.2.1:80", as its first packet went. */
size_t ct_proto_print(uint8_t proto, char *text, size_t size);
void ct_end_print(const struct ct_key *, unsigned end, char *text, size_t size);
size_t ct_key_print(const struct ct_key *, bool swapped, char *text, size_t size);

extern const struct mr_node_class ct_track_class, ct_confirm_class;

/* X(constant, name, doc) */
#define CT_TRACK_DROPS(X) \
	X(INVALID, "conntrack-invalid", "belongs to no connection and may not begin one") \
	X(EARLY_FRAGMENT, "fragment-early", \
	    "came before its packet's first fragment, and too many wait already") \
	X(LATE_FRAGMENT, "fragment-late", "its packet's first fragment did not come in time") \
	X(EVICTED, "fragment-evicted", "waited for its first fragment, but others need the place") \
	X(PROXY, "syn-proxy-lost", "no room to translate it; its sender will try again") \
	X(EXPLAINED, "fragment-explained", "an explanation: it would wait for its first fragment")
#define CT_CONFIRM_DROPS(X) \
	X(FULL, "conntrack-full", "no room for another connection") \
	X(ZONE, "conntrack-zone-full", "its zone has as many connections as it may") \
	X(SOURCE, "conntrack-source-connections", "its source has as many connections as it may") \
	X(RATE, "conntrack-source-rate", "its source begins too many connections in a second") \
	X(PROXY, "syn-proxy-no-room", "no room for the SYN proxy's answer") \
	X(INVALID, "conntrack-invalid", \
	    "does not belong to the connection that a packet before it began")
#define CT_CONFIRM_COUNTERS(X) \
	X(ANSWERED, "syn-proxy-answered", "SYNs that the SYN proxy answered with a cookie") \
	X(RETURNED, "syn-proxy-returned", "cookies that came back: clients that are real")
#define CT_TRACK_COUNTERS(X) \
	X(NEW, "new", "packets that may begin a connection, or of one not answered yet") \
	X(ESTABLISHED, "established", "packets of connections that were answered") \
	X(RELATED, "related", "ICMP errors about a connection") \
	X(INVALID, "invalid", "packets that belong to no connection and may not begin one") \
	X(UNTRACKED, "untracked", "packets that have no connection: other protocols, discovery") \
	X(PIECES, "fragments", "fragments other than the first of their packet") \
	X(WAITED, "fragments-waited", "of these: had to wait for the first") \
	X(PROXY_OPENED, "proxied", "connections that the SYN proxy opened to the server") \
	X(AGAIN, "replaced", "connections begun again with the same addresses and ports")

/* clang-format off */
enum ct_track_drop {
#define X(id, name, doc) CT_TRACK_DROP_##id,
	CT_TRACK_DROPS(X)
#undef X
	CT_TRACK_DROP_COUNT,
};
enum ct_confirm_drop {
#define X(id, name, doc) CT_CONFIRM_DROP_##id,
	CT_CONFIRM_DROPS(X)
#undef X
	CT_CONFIRM_DROP_COUNT,
};
enum ct_confirm_counter {
#define X(id, name, doc) CT_CONFIRM_##id,
	CT_CONFIRM_COUNTERS(X)
#undef X
	CT_CONFIRM_COUNTER_COUNT,
};
enum ct_track_counter {
#define X(id, name, doc) CT_TRACK_##id,
	CT_TRACK_COUNTERS(X)
#undef X
	CT_TRACK_COUNTER_COUNT,
};
/* clang-format on */

#endif
