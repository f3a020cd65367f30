/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/xdp/xdp_int.h"

#include <errno.h>
#include <sys/socket.h>

#include "kit/port/driver_int.h"

#define OPTION_CONTD (1u << 0) /* XDP_PKT_CONTD: the frame goes on in the next descriptor */
#define FRAME_MIN 14u

/* Collects what was sent. Descriptors of a chain complete one by one, so buffers go back
 * one by one; the address comes back as we gave it. */
static void
reclaim(struct xdp_port *x, struct xdp_tx *tx, unsigned worker)
{
	uint32_t handles[MR_VECTOR_MAX];
	uint32_t n, i, at;

	while (tx->flying && (n = xsk_ring_cons__peek(&tx->done, MR_VECTOR_MAX, &at))) {
		for (i = 0; i < n; i++) {
			handles[i] = xdp_handle(*xsk_ring_cons__comp_addr(&tx->done, at + i));
			tx->held[xdp_slot(handles[i])] = 0;
		}
		xsk_ring_cons__release(&tx->done, n);
		tx->flying -= n;
		mr_buffers_put(x->port.buffers, worker, handles, n);
	}
}

/* Has the kernel send what is in the ring. In copy mode that happens inside the call, up to
 * a budget (32 frames before Linux 6.17, see xdp_socket.c): go on as long as it moves. */
static void
kick(struct xdp_queue *q, struct mr_port_queue_stats *stats)
{
	struct xdp_tx *tx = &q->tx;
	uint32_t before, after, end = tx->ring.cached_prod;
	unsigned calls = 0;

	after = __atomic_load_n(tx->ring.consumer, __ATOMIC_ACQUIRE);
	while (after != end && xsk_ring_prod__needs_wakeup(&tx->ring)) {
		before = after;
		calls++;
		if (sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0) {
			tx->stalled = false;
			break;
		}
		if (errno == ENXIO || errno == ENODEV || errno == EBADF) {
			tx->gone = true;
			break;
		}
		tx->stalled = errno == ENETDOWN;
		after = __atomic_load_n(tx->ring.consumer, __ATOMIC_ACQUIRE);
		if (after == before)
			break; /* EAGAIN, ENOBUFS: it is full or short of memory, later more */
	}
	mr_counter_add(&stats->calls, calls);
}

mr_inline void
give(struct xdp_tx *tx, uint32_t handle, const struct mr_packet *p, uint32_t options)
{
	struct xdp_desc *d = xsk_ring_prod__tx_desc(&tx->ring, tx->ring.cached_prod++);

	d->addr = xdp_address(handle) |
	    (uint64_t)(p->data - MR_PACKET_META_SIZE) << XSK_UNALIGNED_BUF_OFFSET_SHIFT;
	d->len = p->len;
	d->options = options;
	tx->held[xdp_slot(handle)] = 1;
}

/* Moves the bytes of a chain to the front, so that as few segments as possible are
 * left and none of them is empty. */
static void
squeeze(struct mr_buffers *b, unsigned worker, uint32_t handle)
{
	struct mr_packet *first = mr_packet_at(b->base, handle), *to = first, *from;
	unsigned n;

	first->segments = 1;
	while (to->next) {
		from = mr_packet_at(b->base, to->next);
		n = MR_MIN(mr_packet_tailroom(to), (unsigned)from->len);
		memcpy(mr_packet_bytes(to) + to->len, mr_packet_bytes(from), n);
		to->len += (uint16_t)n;
		from->data += (uint16_t)n;
		from->len -= (uint16_t)n;
		if (!from->len) {
			handle = to->next;
			to->next = from->next;
			mr_buffers_put(b, worker, &handle, 1);
		} else {
			to = from;
			first->segments++;
		}
	}
}

/* How many descriptors the chain takes, 0 when it cannot be sent. */
static unsigned
chain_fit(struct mr_buffers *b, unsigned worker, uint32_t handle)
{
	struct mr_packet *first = mr_packet_at(b->base, handle), *p = first;
	bool empty = !p->len;

	while (p->next) {
		p = mr_packet_at(b->base, p->next);
		empty |= !p->len; /* the kernel refuses those, and their buffers would be lost */
	}
	if (mr_unlikely(empty || first->segments > XDP_SEGMENTS_MAX))
		squeeze(b, worker, handle);
	return first->segments <= XDP_SEGMENTS_MAX && first->len ? first->segments : 0;
}

static void
give_chain(struct xdp_tx *tx, struct mr_buffers *b, uint32_t handle)
{
	const struct mr_packet *p;

	for (; handle; handle = p->next) {
		p = mr_packet_at(b->base, handle);
		give(tx, handle, p, p->next ? OPTION_CONTD : 0);
	}
}

static unsigned
swallow(struct xdp_port *x, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	port_swallow(x->port.buffers, worker, packets, count);
	mr_counter_add(&x->port.tx_stats[queue].gone, count);
	return count;
}

unsigned
xdp_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct xdp_port *x = (struct xdp_port *)port;
	struct mr_port_queue_stats *stats = &port->tx_stats[queue];
	struct xdp_queue *q = &x->queues[queue];
	struct xdp_tx *tx = &q->tx;
	struct mr_buffers *b = port->buffers;
	uint32_t start = tx->ring.cached_prod;
	unsigned i, need, bad = 0;
	uint64_t bytes = 0;

	if (mr_unlikely(tx->gone))
		return swallow(x, queue, worker, packets, count);
	reclaim(x, tx, worker);
	for (i = 0; i < count; i++) {
		struct mr_packet *p = mr_packet_at(b->base, packets[i]);

		if (mr_unlikely(p->total - FRAME_MIN > x->frame_max - FRAME_MIN)) {
			mr_packets_free(b, worker, &packets[i], 1);
			bad++;
			continue;
		}
		if (mr_likely(!p->next)) {
			if (mr_unlikely(!xsk_prod_nb_free(&tx->ring, 1)))
				break;
			bytes += p->len;
			give(tx, packets[i], p, 0);
			continue;
		}
		need = chain_fit(b, worker, packets[i]);
		if (mr_unlikely(!need)) {
			mr_packets_free(b, worker, &packets[i], 1);
			bad++;
			continue;
		}
		if (xsk_prod_nb_free(&tx->ring, need) < need)
			break;
		bytes += p->total;
		give_chain(tx, b, packets[i]);
	}
	if (mr_likely(tx->ring.cached_prod != start)) {
		tx->flying += tx->ring.cached_prod - start;
		__atomic_store_n(tx->ring.producer, tx->ring.cached_prod, __ATOMIC_RELEASE);
	}
	kick(q, stats);
	mr_counter_add(&stats->packets, i - bad);
	mr_counter_add(&stats->bytes, bytes);
	if (mr_unlikely(bad))
		mr_counter_add(&stats->errors, bad);
	return i;
}

bool
xdp_tx_idle(struct mr_port *port, unsigned queue, unsigned worker)
{
	struct xdp_port *x = (struct xdp_port *)port;
	struct xdp_queue *q = &x->queues[queue];

	if (!q->tx.flying || q->tx.gone)
		return false;
	reclaim(x, &q->tx, worker);
	kick(q, &port->tx_stats[queue]);
	return q->tx.flying && !q->tx.stalled && !q->tx.gone;
}
