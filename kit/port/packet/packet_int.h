/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_PACKET_PACKET_INT_H
#define MR_KIT_PORT_PACKET_PACKET_INT_H

/*
 * packet: a kernel interface through AF_PACKET, for where AF_XDP cannot go.
 *
 *   ring.c    reception: a TPACKET_V3 ring per queue, joined by fanout
 *   packet.c  the driver, and transmission by sendmmsg
 *
 * Every frame is copied once each way. Frames come with a vnet header, so that what the
 * kernel left unfinished is known, and leave with one.
 *
 * The kernel hands a block of frames over when it is full or when its timer runs
 * out, one millisecond at the least: throughput is good, latency is not.
 *
 * Before Linux 6.2 a packet socket with vnet headers loses UDP super-frames (UDP_SEGMENT):
 * the header had no word for them. Losses are in the ring's statistics.
 *
 * Why not a ring to transmit: it refuses what is longer than its slots, which
 * would have to be 64 KB each for super-frames; a slot stays taken until the
 * receiver of the frame frees it; it cannot send a chain. sendmmsg costs one
 * system call per burst, as the ring does; measured on a veth, no order of the two
 * could be seen (0.5 million frames of 64 bytes a second, 1.0 million of 1500).
 */

#include "kit/port/driver_int.h"

struct packet_ring {
	int fd;
	uint8_t *map;
	size_t map_size;
	uint32_t blocks;
	/* Of the rx worker. */
	uint32_t at;    /* block that is read, or will be */
	uint32_t left;  /* frames in it that were not taken */
	uint8_t *frame; /* the next of them */
} __attribute__((aligned(MR_CACHE_LINE)));

#define PACKET_BLOCK (256u << 10)

/* A socket on the interface with its ring, behind a filter that lets nothing in. */
int packet_ring_open(struct packet_ring *, int index, unsigned blocks, unsigned timeout_ms,
    struct mr_error *);
/* Joins the rings to one fanout group: each frame to one of them, a flow always to the same. */
int packet_ring_fanout(struct packet_ring *, unsigned count, struct mr_error *);
void packet_ring_close(struct packet_ring *);

/* Takes the filter away, or puts it back. What waits in the ring is thrown away first. */
int packet_ring_let_in(struct packet_ring *, bool, struct mr_error *);

/* Whether a frame is ready. Clears what the socket has to say about its interface, which
 * would keep waking a sleeper. */
bool packet_ring_ready(struct packet_ring *);

unsigned packet_ring_take(struct packet_ring *, struct mr_port *, unsigned queue, unsigned worker,
    uint32_t *packets, unsigned max);

/* Frames that the kernel lost since the last time that it was asked. */
uint64_t packet_ring_dropped(struct packet_ring *);

#endif
