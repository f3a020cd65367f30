/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_ICMP_REASSEMBLY_H
#define MR_NF_ICMP_REASSEMBLY_H

/*
 * Reassembly of datagrams that are for the router itself (RFC 791, 1122 3.3.2, 8200 4.5, 5722).
 * The node `ip-reassembly` takes packets whose IP header is at meta.l3, fragments of IPv4 or
 * IPv6, and sends whole ones, often chained, by the edge WHOLE, with the first fragment's
 * Ethernet header, metadata and place in the router. What is no fragment passes by.
 *
 *   fragment --> datagram (VRF, source, destination, id, protocol) --> whole? --> WHOLE
 *		      oldest first, for the timeout and to make room
 *
 * All of it is bounded: datagrams and buffers of a VRF, buffers of all, fragments of a datagram,
 * and what one source may hold. Over its share a source loses its own new fragment; when a
 * VRF is full its oldest datagram goes, because what completes does so soon.
 *
 * Overlaps end a datagram: its fragments are dropped, and those still to come, too (RFC 5722
 * for IPv6; for IPv4 likewise, no sender makes them). Exact duplicates are dropped alone.
 * Tiny first fragments are refused (RFC 1858, 3128; 7112 for IPv6).
 *
 * Ownership: packets held are the node's; mr_reassembly_destroy frees them, after the node
 * left the graph.
 * Threads: the node runs on one worker alone; others hand over to it.
 * Limits are set by the control thread.
 * Errors: only create can fail.
 */

#include "kit/graph/graph.h"

#define MR_REASSEMBLY_DATAGRAMS 4096u   /* of all VRFs */
#define MR_REASSEMBLY_FRAGMENTS_MAX 64u /* of one datagram: a chain has no more segments */
#define MR_REASSEMBLY_TIMEOUT4 \
	30u /* seconds; RFC 1122, 3.3.2 wants 60 to 120 for hosts, all do 30 */
#define MR_REASSEMBLY_TIMEOUT6 60u /* RFC 8200, 4.5 */

struct mr_reassembly;
struct mr_ip;

enum mr_reassembly_edge {
	MR_REASSEMBLY_EDGE_WHOLE,
	MR_REASSEMBLY_EDGE_ICMP, /* with the error in meta */
	MR_REASSEMBLY_EDGES,
};

/* Of one VRF. */
struct mr_reassembly_limits {
	uint32_t datagrams;
	uint32_t buffers;
	uint16_t fragments;  /* of one datagram, up to MR_REASSEMBLY_FRAGMENTS_MAX */
	uint16_t per_source; /* buffers that one source may hold */
};

/* X(constant, name, doc) */
#define MR_REASSEMBLY_DROPS(X) \
	X(MALFORMED, "fragment-malformed", \
	    "not a fragment that can be: empty, odd length, ends past 65,535 bytes") \
	X(TINY, "fragment-tiny", \
	    "a first fragment without its layer-4 header (RFC 1858, 3128, 7112)") \
	X(DUPLICATE, "fragment-duplicate", "a fragment that was there already") \
	X(OVERLAP, "fragment-overlap", \
	    "overlaps another one: all of the datagram is dropped (RFC 5722)") \
	X(MANY, "fragment-many", "of a datagram in more fragments than permitted") \
	X(SOURCE, "fragment-source-limit", "its source holds its share of buffers already") \
	X(FULL, "fragment-evicted", \
	    "gave way to newer ones: the VRF's datagrams or buffers are used up") \
	X(TIMEOUT, "fragment-timeout", "the rest of its datagram did not come in time") \
	X(NO_ROOM, "fragment-no-room", "the whole does not fit a chain") \
	X(ECN, "fragment-ecn", "congestion marks of the fragments contradict (RFC 3168, 5.3)") \
	X(EXPLAINED, "fragment-waits", "it would wait for the others: only in an explanation")

/* clang-format off */
enum mr_reassembly_drop {
#define X(id, name, doc) MR_REASSEMBLY_DROP_##id,
	MR_REASSEMBLY_DROPS(X)
#undef X
	MR_REASSEMBLY_DROP_COUNT,
};
/* clang-format on */

enum mr_reassembly_counter {
	MR_REASSEMBLY_COUNT_FRAGMENTS,
	MR_REASSEMBLY_COUNT_WHOLE,
	MR_REASSEMBLY_COUNT_ATOMIC,
	MR_REASSEMBLY_COUNT_COUNT,
};

struct mr_reassembly_usage {
	uint32_t datagrams, buffers;
};

extern const struct mr_node_class mr_reassembly_class; /* self: struct mr_reassembly */

int mr_reassembly_create(struct mr_reassembly **out, const struct mr_ip *, struct mr_buffers *,
    struct mr_error *);
void mr_reassembly_destroy(struct mr_reassembly *);
void mr_reassembly_limit(struct mr_reassembly *, uint16_t vrf, const struct mr_reassembly_limits *);
/* What a VRF holds now. */
void mr_reassembly_usage(const struct mr_reassembly *, uint16_t vrf, struct mr_reassembly_usage *);

#endif
