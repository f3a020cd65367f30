/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PACKET_PCAPNG_H
#define MR_KIT_PACKET_PCAPNG_H

/*
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), written into memory: one
 * section in this machine's byte order, interfaces with nanosecond time stamps and
 * names, packets with their direction and a comment. libpcap reads pcapng but does
 * not write it.
 *
 * Ownership: the caller's buffers. Threads: no state.
 * Errors: each writer returns the block's bytes, or 0 when `size` is too small (see
 * the maxima) and then wrote nothing.
 */

#include "kit/base/def.h"

#define MR_PCAPNG_SECTION_SIZE 28u
#define MR_PCAPNG_NAME_MAX 64u     /* of an interface; longer ones are cut */
#define MR_PCAPNG_COMMENT_MAX 256u /* likewise */
#define MR_PCAPNG_INTERFACE_MAX 112u
#define MR_PCAPNG_STATISTICS_SIZE 40u
/* Of a packet block around `kept` bytes. */
#define MR_PCAPNG_PACKET_MAX(kept) \
	(((kept) + 3u) / 4 * 4 + 32u + 8 + 4 + MR_PCAPNG_COMMENT_MAX + 4 + 4)

enum mr_pcapng_direction {
	MR_PCAPNG_UNKNOWN = 0,
	MR_PCAPNG_IN = 1,
	MR_PCAPNG_OUT = 2,
};

MR_API size_t mr_pcapng_section(void *out, size_t size);

/* Interfaces are numbered in the order of their blocks, from 0. `name` may be null;
 * `snap` 0: no limit. Ethernet. */
MR_API size_t mr_pcapng_interface(void *out, size_t size, const char *name, uint32_t snap);

struct mr_pcapng_packet {
	uint32_t interface;
	uint64_t time_ns; /* since 1970 */
	uint32_t kept;    /* bytes there */
	uint32_t length;  /* of the whole packet */
	enum mr_pcapng_direction direction;
	const char *comment; /* null: none */
};

/* `kept` bytes are copied from `bytes`. */
MR_API size_t mr_pcapng_packet(void *out, size_t size, const struct mr_pcapng_packet *,
    const void *bytes);

/* How many packets are missing from the capture so far, said of one interface. */
MR_API size_t mr_pcapng_statistics(void *out, size_t size, uint32_t interface, uint64_t time_ns,
    uint64_t missed);

#endif
