/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/xdp/xdp_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

/* Newer than Debian 12's headers. */
#define BIND_SG (1u << 4)       /* XDP_USE_SG, Linux 6.6 */
#define OPT_MAX_TX_BUDGET 9     /* XDP_MAX_TX_SKB_BUDGET, Linux 6.17 */
#define OPT_PREFER_BUSY_POLL 69 /* SO_PREFER_BUSY_POLL, Linux 5.11 */
#define OPT_BUSY_POLL_BUDGET 70 /* SO_BUSY_POLL_BUDGET */

#define SEND_MEMORY (32 << 20)
#define BUSY_TRIES 100
#define BUSY_WAIT_NS 10000000

static int
umem_create_once(struct xdp_port *x)
{
	const struct mr_buffers *b = x->port.buffers;
	const struct xsk_umem_config config = {
		.fill_size = x->ring_size,
		.comp_size = x->ring_size,
		.frame_size = XDP_CHUNK,
		.frame_headroom = 0,
		.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG,
	};

	return xsk_umem__create(&x->umem, b->base, b->arena->size, &x->queues[0].rx.fill,
	    &x->queues[0].tx.done, &config);
}

/* The pages count as locked memory unless we have CAP_IPC_LOCK. */
static int
umem_create(struct xdp_port *x, struct mr_error *error)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int rc = umem_create_once(x);

	if (rc == -ENOBUFS && !setrlimit(RLIMIT_MEMLOCK, &all))
		rc = umem_create_once(x);
	switch (rc) {
	case 0:
		return 0;
	case -EPERM:
		return mr_error_set(error, rc,
		    "no permission for AF_XDP sockets (CAP_NET_RAW, or root)");
	case -EAFNOSUPPORT:
		return mr_error_set(error, rc,
		    "this kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)");
	case -ENOBUFS:
		return mr_error_set(error, rc,
		    "%zu MB of packet memory may not be locked: raise the limit (ulimit -l, "
		    "LimitMEMLOCK=) "
		    "or give CAP_IPC_LOCK",
		    x->port.buffers->arena->size >> 20);
	case -EINVAL:
		return mr_error_set(error, rc,
		    "the kernel does not take the packet memory (chunks at any place need Linux "
		    "5.4)");
	default:
		return mr_error_set(error, rc, "the kernel does not take the packet memory: %s",
		    strerror(-rc));
	}
}

static int
socket_create(struct xdp_port *x, unsigned queue, unsigned flags)
{
	struct xdp_queue *q = &x->queues[queue];
	const struct xsk_socket_config config = {
		.rx_size = x->ring_size,
		.tx_size = x->ring_size,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = (uint16_t)flags,
	};
	bool rx = queue < x->port.rx_queues, tx = queue < x->port.tx_queues;

	return xsk_socket__create_shared(&q->socket, x->device.name, queue, x->umem,
	    rx ? &q->rx.ring : NULL, tx ? &q->tx.ring : NULL, &q->rx.fill, &q->tx.done, &config);
}

/* The kernel lets go of a queue some time after the last socket on it was closed. */
static int
socket_create_patiently(struct xdp_port *x, unsigned queue, unsigned flags)
{
	const struct timespec pause = { .tv_nsec = BUSY_WAIT_NS };
	int rc, tries;

	for (tries = 0; tries < BUSY_TRIES; tries++) {
		rc = socket_create(x, queue, flags);
		if (rc != -EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return rc;
}

static int
socket_error(struct xdp_port *x, unsigned queue, int rc, struct mr_error *error)
{
	const char *name = x->device.name;

	switch (rc) {
	case -EBUSY:
		return mr_error_set(error, rc,
		    "queue %u of %s has an AF_XDP socket already, somebody else's", queue, name);
	case -EOPNOTSUPP:
		return mr_error_set(error, rc, "%s's driver (%s) has no zero-copy", name,
		    x->device.driver);
	case -ENODEV:
		return mr_error_set(error, rc, "%s vanished", name);
	case -EPERM:
		return mr_error_set(error, rc,
		    "no permission for AF_XDP sockets (CAP_NET_RAW, or root)");
	case -EINVAL:
		return mr_error_set(error, rc, "the kernel refused a socket on queue %u of %s",
		    queue, name);
	default:
		return mr_error_set(error, rc, "no socket on queue %u of %s: %s", queue, name,
		    strerror(-rc));
	}
}

static void
socket_tune(struct xdp_port *x, struct xdp_queue *q)
{
	int on = 1, us = (int)x->busy_poll_us, budget = (int)x->busy_poll_budget;
	int send = SEND_MEMORY, whole_ring = (int)x->ring_size;

	/* In copy mode what we send becomes kernel buffers, of which a socket may have so much. */
	if (setsockopt(q->fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof(send)))
		setsockopt(q->fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof(send));
	/* One call may empty the ring; an older kernel refuses, and kick loops. */
	setsockopt(q->fd, SOL_XDP, OPT_MAX_TX_BUDGET, &whole_ring, sizeof(whole_ring));
	if (!us)
		return;
	setsockopt(q->fd, SOL_SOCKET, OPT_PREFER_BUSY_POLL, &on, sizeof(on));
	setsockopt(q->fd, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof(us));
	setsockopt(q->fd, SOL_SOCKET, OPT_BUSY_POLL_BUDGET, &budget, sizeof(budget));
}

static int
queue_open(struct xdp_port *x, unsigned queue, unsigned flags, struct mr_error *error)
{
	struct xdp_queue *q = &x->queues[queue];
	int rc;

	rc = socket_create_patiently(x, queue, flags);
	if (rc)
		return socket_error(x, queue, rc, error);
	q->fd = xsk_socket__fd(q->socket);
	socket_tune(x, q);
	q->rx.held = calloc(x->buffer_slots, 1);
	q->tx.held = calloc(x->buffer_slots, 1);
	if (!q->rx.held || !q->tx.held)
		return mr_error_set(error, -ENOMEM, "no memory for queue %u", queue);
	if (queue >= x->port.rx_queues)
		return 0;
	q->rx.owed = x->ring_size;
	if (!xdp_rx_fill(x, queue))
		return mr_error_set(error, -ENOBUFS, "no packet buffer is left for queue %u",
		    queue);
	return 0;
}

static int
open_all(struct xdp_port *x, unsigned flags, struct mr_error *error)
{
	unsigned i;
	int rc;

	rc = umem_create(x, error);
	for (i = 0; i < x->queue_count && !rc; i++)
		rc = queue_open(x, i, flags, error);
	if (rc) {
		xdp_sockets_close(x);
		xdp_buffers_return(x);
	}
	return rc;
}

int
xdp_sockets_open(struct xdp_port *x, enum xdp_mode mode, struct mr_error *error)
{
	unsigned flags =
	    XDP_USE_NEED_WAKEUP | (mode == XDP_MODE_ZEROCOPY ? XDP_ZEROCOPY : XDP_COPY);
	int rc;

	/* Frames of several buffers: refused by older kernels, and by drivers that cannot. */
	rc = open_all(x, flags | BIND_SG, error);
	x->frags = !rc;
	if (rc == -EINVAL || rc == -EOPNOTSUPP)
		rc = open_all(x, flags, error);
	return rc;
}

void
xdp_sockets_close(struct xdp_port *x)
{
	unsigned i;

	for (i = 0; i < x->queue_count; i++) {
		xsk_socket__delete(x->queues[i].socket);
		x->queues[i].socket = NULL;
		x->queues[i].fd = -1;
	}
	if (x->umem)
		xsk_umem__delete(x->umem);
	x->umem = NULL;
}

static void
return_held(struct xdp_port *x, const uint8_t *held)
{
	struct mr_buffers *b = x->port.buffers;
	uint32_t handle, i;

	for (i = 0; held && i < x->buffer_slots; i++) {
		handle = i * MR_PACKET_STRIDE_LINES + x->buffer_phase;
		if (held[i])
			mr_buffers_put(b, MR_POOL_SHARED, &handle, 1);
	}
}

void
xdp_buffers_return(struct xdp_port *x)
{
	unsigned i;

	for (i = 0; i < x->queue_count; i++) {
		struct xdp_queue *q = &x->queues[i];

		return_held(x, q->rx.held);
		return_held(x, q->tx.held);
		if (q->rx.head)
			mr_packets_free(x->port.buffers, MR_POOL_SHARED, &q->rx.head, 1);
		free(q->rx.held);
		free(q->tx.held);
		memset(&q->rx, 0, sizeof(q->rx));
		memset(&q->tx, 0, sizeof(q->tx));
	}
}
