/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_XDP_XDP_INT_H
#define MR_KIT_PORT_XDP_XDP_INT_H

/*
 * The port that speaks AF_XDP: its structures, and what its files call of each other.
 *
 * The whole packet arena is the UMEM of every xdp port, at the same offsets, so a
 * packet goes from one port to another as a descriptor. What the kernel is told about a buffer
 * is the place behind its metadata line:
 *
 *	handle * 64	 + 64		   + 320		     + 2112
 *	| struct mr_packet | kernel's headroom | frame, 1792 at most |
 *			   | <------- chunk of 2048 bytes ---------> |
 *			   address in the fill ring
 *
 * Unaligned chunks may start anywhere. The kernel writes a frame XDP_PACKET_HEADROOM
 * (256) behind the address and no further than the chunk's size, so it never reaches the
 * next buffer. Descriptors carry the address in their lower 48 bits, as we gave it, and
 * in the upper 16 how far behind it the frame begins: handles come out of a shift.
 *
 * Rings: what the kernel holds for reception (fill ring, and frames not collected yet) is
 * never more than the receive ring's size, so that ring cannot overflow.
 */

#include <xdp/xsk.h>

#include "kit/port/port.h"
#include "kit/port/xdp/device.h"
#include "kit/port/xdp/offload.h"
#include "kit/port/xdp/steer.h"

#define XDP_CHUNK (MR_PACKET_STRIDE - MR_PACKET_META_SIZE)
#define XDP_KERNEL_HEADROOM 256u /* XDP_PACKET_HEADROOM */

static_assert(MR_PACKET_HEADROOM == XDP_KERNEL_HEADROOM,
    "the kernel writes frames at MR_PACKET_DATA");
static_assert(XDP_CHUNK >= 2048 && XDP_CHUNK <= 4096, "the chunk sizes that the kernel takes");

/* What a frame may be made of: MAX_SKB_FRAGS (17) and a head. We stay one below. */
#define XDP_SEGMENTS_MAX 17u
#define XDP_FRAME_OVERHEAD 22u /* Ethernet header and two tags */

enum xdp_mode {
	XDP_MODE_ZEROCOPY, /* the device reads and writes our buffers */
	XDP_MODE_NATIVE,   /* the driver runs our program, the kernel copies */
	XDP_MODE_GENERIC,  /* the network stack runs our program */
};

struct xdp_rx {
	struct xsk_ring_cons ring;
	struct xsk_ring_prod fill;
	uint8_t *held;         /* per buffer: 1 while the kernel has it for reception */
	uint64_t rest_until;   /* cycle counter; 0: not resting */
	uint32_t owed;         /* buffers that the fill ring could take */
	uint32_t head, tail;   /* of a chain whose last segment has not come yet */
	bool discard;          /* the rest of this chain is thrown away */
	bool starved;          /* the kernel has none of our buffers, the pool none left */
	uint64_t empty_before; /* frames that had found no buffer when that began */
};

struct xdp_tx {
	struct xsk_ring_prod ring;
	struct xsk_ring_cons done;
	uint8_t *held;   /* per buffer: 1 while the kernel has it for transmission */
	uint32_t flying; /* descriptors given and not completed */
	bool stalled;    /* the kernel takes nothing now: the link is down */
	bool gone;
};

/* One socket. The two halves may belong to two workers. */
struct xdp_queue {
	MR_CACHE_ALIGNED struct xdp_rx rx;
	MR_CACHE_ALIGNED struct xdp_tx tx;
	MR_CACHE_ALIGNED struct xsk_socket *socket;
	int fd;
};

struct xdp_port {
	struct mr_port port;
	/* What rx and tx read. */
	uint32_t
	    frame_max; /* longest frame that the port sends; longer ones arriving are super-frames */
	uint32_t burst;
	uint32_t rest_cycles; /* how long a queue is left alone after a few frames */
	bool check;           /* look for unfinished checksums */
	bool busy_poll;
	struct xdp_queue *queues; /* [queue_count] */
	uint16_t queue_count;

	/* The control thread's. */
	enum xdp_mode mode;
	bool frags;
	bool tags;
	bool running;
	uint32_t ring_size;
	uint32_t busy_poll_us, busy_poll_budget;
	uint32_t buffer_slots; /* length of `held` */
	uint32_t buffer_phase; /* handles leave this remainder when divided by the stride */
	struct xsk_umem *umem;
	struct xdp_device device;
	struct xdp_steer steer;
	struct xdp_offload offload;
};

/* The place of a buffer in `held`: strides from the arena's start. */
mr_inline uint32_t
xdp_slot(uint32_t handle)
{
	return handle / MR_PACKET_STRIDE_LINES;
}

/* A buffer as the rings name it, and back. */
mr_inline uint64_t
xdp_address(uint32_t handle)
{
	return ((uint64_t)handle << MR_PACKET_LINE_SHIFT) + MR_PACKET_META_SIZE;
}

mr_inline uint32_t
xdp_handle(uint64_t address)
{
	return (uint32_t)((address & XSK_UNALIGNED_BUF_ADDR_MASK) >> MR_PACKET_LINE_SHIFT) - 1;
}

/* xdp_socket.c: the UMEM and the sockets, in one mode. */
int xdp_sockets_open(struct xdp_port *, enum xdp_mode, struct mr_error *);
void xdp_sockets_close(struct xdp_port *);
/* Gives back every buffer that the kernel had. The sockets are closed. */
void xdp_buffers_return(struct xdp_port *);

/* xdp_rx.c */
unsigned xdp_rx(struct mr_port *, unsigned queue, unsigned worker, uint32_t *packets, unsigned max);
int xdp_rx_fd(struct mr_port *, unsigned queue);
bool xdp_rx_arm(struct mr_port *, unsigned queue);
/* Fills the fill ring for the first time; returns how many buffers it got. */
unsigned xdp_rx_fill(struct xdp_port *, unsigned queue);
/* Frames that the kernel dropped for want of a buffer since the socket was made. */
uint64_t xdp_rx_empty(const struct xdp_queue *);

/* xdp_tx.c */
unsigned xdp_tx(struct mr_port *, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count);
bool xdp_tx_idle(struct mr_port *, unsigned queue, unsigned worker);

#endif
