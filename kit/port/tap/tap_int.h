/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_TAP_TAP_INT_H
#define MR_KIT_PORT_TAP_TAP_INT_H

/*
 * tap: a virtual interface whose other end is this kernel's network stack.
 *
 * With a vnet header in front of every frame, TCP and UDP cross unfinished: the
 * kernel hands over super-frames of 64 KB and leaves their checksums, and takes
 * such frames from us. Every frame is one system call; a super-frame carries the
 * bytes of forty.
 *
 *   tap.c  the driver: interface, queues, offloads
 *   io.c   rx and tx
 *
 * A queue keeps a stash of buffers, as many as the largest frame needs. While only
 * small frames come, readv is given one of them and a stretch of memory for what is
 * longer, which is then copied; once large frames come, it is given the whole stash,
 * whose filled part becomes a chain without a copy. (Naming 37 buffers costs readv a
 * fifth of its time with a small frame.)
 */

#include <sys/uio.h>

#include "kit/port/vnet_int.h"

#define TAP_SUPER_FRAME (65536u + 64u)
#define TAP_STASH_MAX ((TAP_SUPER_FRAME + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM)

enum tap_offload {
	TAP_FULL,
	TAP_TCP,
	TAP_NONE,
};

struct tap_queue {
	int fd;
	_Atomic bool gone; /* set by either worker, read by control */
	/* Of the rx worker, on lines of its own. */
	MR_CACHE_ALIGNED unsigned stashed;
	unsigned large;      /* how many frames more */
	struct iovec few[3]; /* header, one buffer, overflow */
	struct vnet_header header;
	uint8_t *overflow; /* null: no frame is larger than a buffer */
	uint32_t stash[TAP_STASH_MAX];
	struct iovec iov[1 + TAP_STASH_MAX]; /* header, then the stash in its order */
} __attribute__((aligned(MR_CACHE_LINE)));

struct tap_port {
	struct mr_port port;
	int control; /* socket for questions about the interface */
	int quiet;   /* an event that never comes: takes the place of a queue that is gone */
	int index;
	enum tap_offload offload;
	bool up, uso;
	unsigned stash; /* buffers that the largest frame needs */
	struct tap_queue *queues;
};

unsigned tap_rx(struct mr_port *, unsigned queue, unsigned worker, uint32_t *packets, unsigned max);
unsigned tap_tx(struct mr_port *, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count);

#endif
