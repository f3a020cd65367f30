/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_FPM_STREAM_H
#define MR_NF_FPM_STREAM_H

/*
 * FRR's FPM protocol: a TCP stream of frames, each a header of four bytes (version, type, length
 * with the header, big-endian) and netlink messages. This puts frames together out of whatever
 * pieces they come in, and takes what they say into an import.
 *
 *   bytes --> mr_fpm_stream --> frames --> mr_fpm_frame --> mr_import
 *
 * FRR tells a changed route as its removal and its addition, in one frame: that
 * is one replacement here, so that no packet meets the gap.
 *
 * Ownership: the stream's buffer is its own; frames point into it until the next call.
 * Threads: none.
 * Errors: a fault with a name; after one nothing more is to be read from the stream.
 */

#include "nf/rtnl/import.h"

#define MR_FPM_HEADER 4u
#define MR_FPM_BUFFER (256u << 10) /* a frame has at most 64 KiB */

#define MR_FPM_FAULTS(X) \
	X(VERSION, "bad-version") \
	X(TYPE, "bad-type") \
	X(SIZE, "bad-length")

/* Above the faults of netlink messages. */
enum mr_fpm_fault {
	MR_FPM_FAULT_NONE = MR_RTNL_NONE,
	MR_FPM_FAULT_LAST_RTNL = MR_RTNL_FAULT_COUNT - 1,
#define X(name, text) MR_FPM_FAULT_##name,
	MR_FPM_FAULTS(X)
#undef X
	    MR_FPM_FAULT_COUNT,
};

struct mr_fpm_stream {
	uint32_t start, end; /* of what was received and not yet read */
	uint8_t bytes[MR_FPM_BUFFER];
};

void mr_fpm_stream_reset(struct mr_fpm_stream *);
/* Where to receive to, and how much: never 0 after next has returned false. */
uint8_t *mr_fpm_stream_room(struct mr_fpm_stream *, size_t *room);
void mr_fpm_stream_filled(struct mr_fpm_stream *, size_t size);
/* True with the next whole frame's netlink messages; false: more has to be received, or a fault. */
bool mr_fpm_stream_next(struct mr_fpm_stream *, const uint8_t **messages, size_t *size,
    enum mr_fpm_fault *);
/* Part of a frame is waiting for its rest. */
bool mr_fpm_stream_is_partial(const struct mr_fpm_stream *);

struct mr_fpm_counts {
	uint64_t frames, messages, routes, nexthops;
	uint64_t other;       /* messages of other kinds: neighbours, MPLS ... */
	uint64_t other_table; /* routes of another table */
	uint64_t connected;   /* what FRR has of the kernel's: the router knows better */
	uint64_t unsupported; /* of a type that is not forwarded here, or by source */
	uint64_t faults[MR_FPM_FAULT_COUNT];
};

/* Reads a frame's messages into the import. Routes of other tables are counted and left. */
enum mr_fpm_fault mr_fpm_frame(struct mr_import *, uint32_t table, const uint8_t *messages,
    size_t size, struct mr_fpm_counts *);

const char *mr_fpm_fault_name(enum mr_fpm_fault);

#endif
