/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_FLOW_LEDGER_H
#define MR_KIT_FLOW_LEDGER_H

/*
 * The ledger: what every IP flow has had that came in on an interface, whichever lane its
 * packets took; for those who export flows. A flow lane (kit/flow/lane.h) keeps one for each worker
 * when it is asked to (mr_lane_config.ledger_flows, mr_flow_view.ledger).
 *
 * A packet that walks the graph is written into its flow's entry as it comes. One that is
 * replayed costs nothing here: the flow lane counts it in the flow's line, as ever, and the entry
 * names that line while there is one (it is "linked"). When the lane's flow goes, what it counted goes
 * into the entry. So an entry lives longer than the lane's flows, and nothing is lost between
 * them; it goes when the reader has had all of it and says so (mr_lane_ledger_release).
 *
 * Packets of flows for which there is no room, and those that are no IP, are counted by interface:
 *
 *   received = packets of all entries + ignored + other
 *
 * Octets are those of RFC 7012: the IP packet, without what link and padding add.
 *
 * Threads: a worker writes; one control thread reads (peek, release). When no worker runs the
 * lane any more, control may go on reading.
 * Errors: a full ledger ignores flows, counted.
 */

#include "kit/flow/lane.h"

#define MR_LEDGER_NOWHERE UINT16_MAX

/* What became of the flow's packets, as far as a replayed one tells. */
enum mr_ledger_fate {
	MR_LEDGER_UNKNOWN,
	MR_LEDGER_FORWARDED,
	MR_LEDGER_DROPPED,
};

struct mr_ledger_entry {
	struct mr_flow_key key;
	uint32_t birth; /* entries that had this index one after the other differ in it */
	bool linked;    /* its packets are replayed now */
	uint64_t packets, octets;
	uint64_t first, last; /* milliseconds of CLOCK_MONOTONIC; see mr_lane_ledger_peek */
	uint16_t out;         /* port, or MR_LEDGER_NOWHERE: not known */
	uint8_t tos;          /* of its first packet */
	uint8_t tcp;          /* flags seen; of replayed packets only ACK, which all of them have */
	uint8_t fate;         /* enum mr_ledger_fate */
	bool translated;      /* what it leaves with: */
	uint8_t to_src[16], to_dst[16];
	be16_t to_sport, to_dport;
};

/* Of one interface, on one worker. */
struct mr_ledger_port {
	uint64_t ignored_packets, ignored_octets; /* of flows without an entry */
	uint64_t other_packets, other_bytes;      /* no IP, or malformed; whole frames */
};

/* Entries of each worker at most; 0: the lane keeps no ledger. */
MR_API uint32_t mr_lane_ledger_max(const struct mr_lane *);
/* Entries now, and bytes of memory. */
MR_API uint32_t mr_lane_ledger_flows(const struct mr_lane *, unsigned worker, uint64_t *memory);
/* Indices run from 1 to this. */
MR_API uint32_t mr_lane_ledger_top(const struct mr_lane *, unsigned worker);
/* Soon this one will be peeked. */
MR_API void mr_lane_ledger_fetch(const struct mr_lane *, unsigned worker, uint32_t index);
/* False: no entry has this index (now). `last` of a packet that walked is good to a millisecond; of a
 * replayed one it is the end of its second, or now. */
MR_API bool mr_lane_ledger_peek(const struct mr_lane *, unsigned worker, uint32_t index,
    struct mr_ledger_entry *);
/* The reader has had so many packets of this entry: unless there were more meanwhile, or it is
 * linked, it goes, within a second. False: too many wait; ask again later. */
MR_API bool mr_lane_ledger_release(struct mr_lane *, unsigned worker, uint32_t index,
    uint32_t birth, uint64_t packets);
MR_API void mr_lane_ledger_port(const struct mr_lane *, unsigned worker, uint16_t port,
    struct mr_ledger_port *);

#endif
