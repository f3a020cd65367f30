/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/xdp/xdp_int.h"

#include <sys/socket.h>

#include "kit/packet/checksum.h"
#include "kit/port/driver_int.h"

#define AHEAD 8 /* frames whose lines are fetched before their turn */
/*
 * After fewer frames than this the ring is left alone for a few microseconds (option rest).
 * Looking at it again at once would find one frame more, pay for a call and a send per
 * frame, and each time take the line away from the core that the kernel writes it on. On veth
 * with a sender and a forwarder on a core each, time-stamp cycles per frame without and with 3
 * microseconds: receiving 800 and 170, forwarding 1,500 and 1,250.
 */
#define SHORT_HARVEST 32

#define REFILL 32 /* buffers are given to the kernel so many at a time, or when nothing comes */

#define OPTION_CONTD (1u << 0) /* XDP_PKT_CONTD: the frame goes on in the next descriptor */

/* Descriptors to collect, up to `want`. libxdp's own looks at the kernel's index only
 * when its copy says that there is nothing, and so gives short bursts. */
mr_inline unsigned
ready(struct xsk_ring_cons *ring, unsigned want)
{
	uint32_t n = ring->cached_prod - ring->cached_cons;

	if (n < want) {
		ring->cached_prod = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
		n = ring->cached_prod - ring->cached_cons;
	}
	return MR_MIN(n, want);
}

uint64_t
xdp_rx_empty(const struct xdp_queue *q)
{
	struct xdp_statistics s = { 0 };
	socklen_t size = sizeof(s);

	if (getsockopt(q->fd, SOL_XDP, XDP_STATISTICS, &s, &size))
		return 0;
	return s.rx_fill_ring_empty_descs;
}

/* Between the moment when the kernel had no buffer of ours and this one, what came was lost. */
static void
starvation_ends(struct xdp_queue *q, struct mr_port_queue_stats *stats)
{
	q->rx.starved = false;
	mr_counter_add(&stats->no_buffer, xdp_rx_empty(q) - q->rx.empty_before);
}

static mr_noinline void
starvation_begins(struct xdp_queue *q)
{
	q->rx.starved = true;
	q->rx.empty_before = xdp_rx_empty(q);
}

/* There is always room for what is owed, by our own count; so the kernel's index, which
 * it writes with every frame, is not looked at. */
static unsigned
fill(struct xdp_port *x, struct xdp_rx *rx, unsigned worker)
{
	uint32_t handles[MR_VECTOR_MAX];
	unsigned i, n;

	n = port_take(x->port.buffers, worker, handles, MR_MIN(rx->owed, MR_VECTOR_MAX));
	for (i = 0; i < n; i++) {
		*xsk_ring_prod__fill_addr(&rx->fill, rx->fill.cached_prod++) =
		    xdp_address(handles[i]);
		rx->held[xdp_slot(handles[i])] = 1;
	}
	__atomic_store_n(rx->fill.producer, rx->fill.cached_prod, __ATOMIC_RELEASE);
	rx->owed -= n;
	return n;
}

static void
refill(struct xdp_port *x, struct xdp_queue *q, unsigned worker, struct mr_port_queue_stats *stats)
{
	struct xdp_rx *rx = &q->rx;

	while (rx->owed && fill(x, rx, worker))
		;
	if (mr_unlikely(rx->starved)) {
		if (rx->owed < x->ring_size)
			starvation_ends(q, stats);
	} else if (mr_unlikely(rx->owed == x->ring_size)) {
		starvation_begins(q);
	}
}

unsigned
xdp_rx_fill(struct xdp_port *x, unsigned queue)
{
	struct xdp_rx *rx = &x->queues[queue].rx;

	while (rx->owed && fill(x, rx, MR_POOL_SHARED))
		;
	return x->ring_size - rx->owed;
}

/* A frame longer than the link allows is one that the sending kernel, or GRO, would have cut
 * or has joined (generic mode). Its segment size is lost on the way. */
static mr_noinline void
mark_super_frame(struct mr_packet *p, const uint8_t *bytes)
{
	unsigned at = 12;
	uint16_t type;
	uint8_t proto;

	memcpy(&type, bytes + at, sizeof(type));
	while ((type == mr_be16(0x8100) || type == mr_be16(0x88a8)) && at < 20) {
		at += 4;
		memcpy(&type, bytes + at, sizeof(type));
	}
	at += 2;
	/* The first segment of a super-frame is full, so all of this is inside. */
	if (type == mr_be16(0x0800))
		proto = bytes[at + 9];
	else if (type == mr_be16(0x86dd))
		proto = bytes[at + 6];
	else
		return;
	if (proto == MR_IP_PROTO_TCP)
		p->flags |= type == mr_be16(0x0800) ? MR_PACKET_GSO_TCP4 : MR_PACKET_GSO_TCP6;
	else if (proto == MR_IP_PROTO_UDP && (p->flags & MR_PACKET_CSUM_PARTIAL))
		p->flags |= MR_PACKET_GSO_UDP;
}

mr_inline void
inspect(const struct xdp_port *x, struct mr_packet *p)
{
	const uint8_t *bytes = mr_packet_bytes_const(p);

	if (mr_checksum_is_unfinished(bytes, p->len, &p->csum_start, &p->csum_offset))
		p->flags |= MR_PACKET_CSUM_PARTIAL;
	if (mr_unlikely(p->total > x->frame_max) && p->len >= 64)
		mark_super_frame(p, bytes);
}

/* One descriptor of a frame that has several. Returns the packet when it is complete. */
static mr_noinline uint32_t
join(struct xdp_port *x, struct xdp_rx *rx, uint32_t handle, bool more, unsigned worker,
    struct mr_port_queue_stats *stats)
{
	struct mr_buffers *b = x->port.buffers;
	struct mr_packet *p = mr_packet_at(b->base, handle), *first;
	uint32_t whole;

	if (rx->discard) {
		mr_buffers_put(b, worker, &handle, 1);
		rx->discard = more;
		return MR_PACKET_NONE;
	}
	if (!rx->head) {
		rx->head = rx->tail = handle;
		return MR_PACKET_NONE;
	}
	first = mr_packet_at(b->base, rx->head);
	if (first->segments == MR_PACKET_SEGMENTS_MAX) {
		mr_buffers_put(b, worker, &handle, 1);
		mr_packets_free(b, worker, &rx->head, 1);
		rx->head = 0;
		rx->discard = more;
		mr_counter_add(&stats->errors, 1);
		return MR_PACKET_NONE;
	}
	mr_packet_at(b->base, rx->tail)->next = handle;
	rx->tail = handle;
	first->total += p->len;
	first->segments++;
	if (more)
		return MR_PACKET_NONE;
	whole = rx->head;
	rx->head = 0;
	return whole;
}

/* The frame's bytes were just written by another core: the miss on them is the dearest part of
 * receiving, and several of them overlap. */
mr_inline void
fetch(uint8_t *base, const struct xsk_ring_cons *ring, unsigned i)
{
	uint64_t address = xsk_ring_cons__rx_desc(ring, ring->cached_cons + i)->addr;

	mr_prefetch_write(mr_packet_at(base, xdp_handle(address)));
	mr_prefetch(base + xsk_umem__add_offset_to_addr(address));
}

unsigned
xdp_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct xdp_port *x = (struct xdp_port *)port;
	struct mr_port_queue_stats *stats = &port->rx_stats[queue];
	struct xdp_queue *q = &x->queues[queue];
	struct xdp_rx *rx = &q->rx;
	uint8_t *base = port->buffers->base;
	unsigned n, i, count = 0;
	uint64_t bytes = 0;

	if (rx->rest_until) {
		if (mr_cycles() < rx->rest_until)
			return 0;
		rx->rest_until = 0;
	}
	n = ready(&rx->ring, MR_MIN(max, x->burst));
	if (mr_unlikely(!n)) {
		if (mr_unlikely(rx->owed))
			refill(x, q, worker, stats);
		if (x->busy_poll || xsk_ring_prod__needs_wakeup(&rx->fill)) {
			recvfrom(q->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
			mr_counter_add(&stats->calls, 1);
			n = ready(&rx->ring, MR_MIN(max, x->burst));
		}
		if (!n)
			return 0;
	}
	for (i = 0; i < n && i < AHEAD; i++)
		fetch(base, &rx->ring, i);
	for (i = 0; i < n; i++) {
		const struct xdp_desc *d =
		    xsk_ring_cons__rx_desc(&rx->ring, rx->ring.cached_cons + i);
		uint32_t handle = xdp_handle(d->addr);
		struct mr_packet *p = mr_packet_at(base, handle);

		if (i + AHEAD < n)
			fetch(base, &rx->ring, i + AHEAD);
		rx->held[xdp_slot(handle)] = 0;
		mr_packet_init(p,
		    (uint16_t)(MR_PACKET_META_SIZE + xsk_umem__extract_offset(d->addr)),
		    (uint16_t)d->len, port->index, (uint16_t)queue);
		if (mr_unlikely((d->options & OPTION_CONTD) || rx->head || rx->discard)) {
			handle = join(x, rx, handle, d->options & OPTION_CONTD, worker, stats);
			if (!handle)
				continue;
			p = mr_packet_at(base, handle);
		}
		if (x->check)
			inspect(x, p);
		bytes += p->total;
		packets[count++] = handle;
	}
	rx->ring.cached_cons += n;
	xsk_ring_cons__release(&rx->ring, n);
	rx->owed += n;
	if (rx->owed >= REFILL)
		refill(x, q, worker, stats);
	if (n < SHORT_HARVEST && max >= SHORT_HARVEST && x->rest_cycles)
		rx->rest_until = mr_cycles() + x->rest_cycles;
	mr_counter_add(&stats->packets, count);
	mr_counter_add(&stats->bytes, bytes);
	return count;
}

int
xdp_rx_fd(struct mr_port *port, unsigned queue)
{
	return ((struct xdp_port *)port)->queues[queue].fd;
}

bool
xdp_rx_arm(struct mr_port *port, unsigned queue)
{
	struct xdp_port *x = (struct xdp_port *)port;
	struct xdp_queue *q = &x->queues[queue];

	if (ready(&q->rx.ring, 1))
		return false;
	/* Nothing can wake us as long as the kernel has no buffer of ours: keep asking the pool. */
	if (q->rx.owed == x->ring_size)
		return false;
	if (xsk_ring_prod__needs_wakeup(&q->rx.fill))
		recvfrom(q->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	return true;
}
