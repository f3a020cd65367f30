/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/tap/tap_int.h"

#include <errno.h>
#include <unistd.h>

#define PIECES_MAX 64u
/* Frames since the last large one that the whole stash is still named for. */
#define LARGE_MEMORY 64u

static bool
is_gone(int code)
{
	return code == EBADFD || code == ENODEV || code == ENXIO;
}

/* The interface was deleted. Its descriptor would say so to epoll for ever, and the worker
 * never sleep: it becomes one that says nothing. Either worker may be first. */
static void
queue_retire(struct tap_port *t, struct tap_queue *q)
{
	if (!atomic_exchange_explicit(&q->gone, true, memory_order_relaxed))
		dup2(t->quiet, q->fd);
}

/* Fills the stash again; false when the pool has too few buffers for a whole frame. */
static bool
stash_fill(struct tap_port *t, struct tap_queue *q, unsigned worker)
{
	unsigned from = q->stashed, i;
	uint8_t *base = t->port.buffers->base;

	if (mr_likely(from == t->stash))
		return true;
	if (!mr_buffers_get(t->port.buffers, worker, q->stash + from, t->stash - from))
		return false;
	for (i = from; i < t->stash; i++)
		q->iov[1 + i] =
		    (struct iovec){ (uint8_t *)mr_packet_at(base, q->stash[i]) + MR_PACKET_DATA,
			    MR_PACKET_ROOM };
	q->stashed = t->stash;
	return true;
}

/* `count` buffers in a row become one packet of `len` bytes. */
static uint32_t
chain(struct tap_port *t, unsigned queue, const uint32_t *handles, unsigned count, uint32_t len)
{
	uint64_t origin = port_origin(t->port.index, (uint16_t)queue);
	uint8_t *base = t->port.buffers->base;
	unsigned left = len, i;
	struct mr_packet *p;

	for (i = 0; i < count; i++) {
		unsigned part = MR_MIN(left, MR_PACKET_ROOM);

		p = mr_packet_at(base, handles[i]);
		port_fresh(p, (uint16_t)part, origin);
		if (i + 1 < count)
			p->next = handles[i + 1];
		left -= part;
	}
	p = mr_packet_at(base, handles[0]);
	p->total = len;
	p->segments = (uint16_t)count;
	return handles[0];
}

/* After a readv of the whole stash: its first buffers are the frame. */
static uint32_t
take_whole(struct tap_port *t, struct tap_queue *q, unsigned queue, uint32_t len)
{
	unsigned used = (len + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM, i;
	uint32_t first = chain(t, queue, q->stash, used, len);

	/* The last ones take the places of the first: no more moves than were used. */
	for (i = 0; i < used && q->stashed - 1 - i >= used; i++) {
		q->stash[i] = q->stash[q->stashed - 1 - i];
		q->iov[1 + i] = q->iov[q->stashed - i];
	}
	q->stashed -= used;
	q->large = used > 1 ? LARGE_MEMORY : q->large - 1;
	return first;
}

/* After a readv of one buffer, the stash's last, and the overflow. MR_PACKET_NONE when the
 * pool has no buffers for the rest; the frame is lost then. */
static uint32_t
take_few(struct tap_port *t, struct tap_queue *q, unsigned queue, unsigned worker, uint32_t len)
{
	unsigned used = (len + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM, i;
	uint32_t handles[TAP_STASH_MAX];
	const uint8_t *from = q->overflow;
	uint32_t left = len - MR_MIN(len, MR_PACKET_ROOM);

	handles[0] = q->stash[--q->stashed];
	if (mr_likely(used == 1))
		return chain(t, queue, handles, 1, len);
	q->large = LARGE_MEMORY;
	if (q->stashed < used - 1 && !stash_fill(t, q, worker)) {
		mr_buffers_put(t->port.buffers, worker, handles, 1);
		return MR_PACKET_NONE;
	}
	for (i = 1; i < used; i++) {
		uint32_t part = MR_MIN(left, MR_PACKET_ROOM);

		handles[i] = q->stash[--q->stashed];
		memcpy((uint8_t *)mr_packet_at(t->port.buffers->base, handles[i]) + MR_PACKET_DATA,
		    from, part);
		from += part;
		left -= part;
	}
	return chain(t, queue, handles, used, len);
}

/* One frame from the kernel to q->header and buffers; what readv says. -ENOBUFS: not
 * tried, for want of buffers. */
static ssize_t
read_one(struct tap_port *t, struct tap_queue *q, unsigned worker)
{
	ssize_t got;

	/* With one in the stash a small frame fits; for a large one all of it is wanted. */
	if (mr_unlikely((q->large || !q->stashed) && !stash_fill(t, q, worker)))
		return -ENOBUFS;
	if (q->large) {
		got = readv(q->fd, q->iov, (int)(1 + t->stash));
	} else {
		q->few[1] = q->iov[q->stashed];
		got = readv(q->fd, q->few, q->overflow ? 3 : 2);
	}
	return got < 0 ? -errno : got;
}

unsigned
tap_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct tap_port *t = (struct tap_port *)port;
	struct tap_queue *q = &t->queues[queue];
	struct mr_port_queue_stats *stats = &port->rx_stats[queue];
	uint64_t calls = 0, bytes = 0, errors = 0;
	unsigned n = 0;

	if (mr_unlikely(atomic_load_explicit(&q->gone, memory_order_relaxed)))
		return 0;
	while (n < max) {
		struct mr_packet *p;
		ssize_t got;

		calls++;
		got = read_one(t, q, worker);
		if (got < 0) {
			if (got == -EINTR)
				continue;
			if (got == -ENOBUFS)
				mr_counter_add(&stats->no_buffer,
				    1); /* the kernel keeps or loses it */
			else if (is_gone((int)-got))
				queue_retire(t, q);
			else if (got != -EAGAIN)
				errors++; /* this frame did not fit */
			break;
		}
		if (mr_unlikely((size_t)got < sizeof(q->header) + 14)) {
			errors++;
			continue;
		}
		got -= (ssize_t)sizeof(q->header);
		if (q->large)
			packets[n] = take_whole(t, q, queue, (uint32_t)got);
		else
			packets[n] = take_few(t, q, queue, worker, (uint32_t)got);
		if (mr_unlikely(packets[n] == MR_PACKET_NONE)) {
			mr_counter_add(&stats->no_buffer, 1);
			break;
		}
		p = mr_packet_at(port->buffers->base, packets[n]);
		if (mr_unlikely(!vnet_to_packet(&q->header, p, 0))) {
			mr_packets_free(port->buffers, worker, &packets[n], 1);
			errors++;
			continue;
		}
		bytes += (uint64_t)got;
		n++;
	}
	mr_counter_add(&stats->calls, calls);
	mr_counter_add(&stats->packets, n);
	mr_counter_add(&stats->bytes, bytes);
	if (mr_unlikely(errors))
		mr_counter_add(&stats->errors, errors);
	return n;
}

/* One frame. 0, -EAGAIN (try again later), -ENODEV (gone), another error: it was refused. */
static int
send_one(struct tap_port *t, struct tap_queue *q, uint32_t handle)
{
	struct iovec iov[1 + MR_PACKET_SEGMENTS_MAX];
	struct vnet_header header;
	struct mr_packet *p;
	unsigned n = 1;
	ssize_t rc;

	rc = vnet_from_packet(&header, t->port.buffers, handle, t->port.mtu);
	if (mr_unlikely(rc))
		return (int)rc;
	iov[0] = (struct iovec){ &header, sizeof(header) };
	for (; handle != MR_PACKET_NONE && n <= MR_PACKET_SEGMENTS_MAX; handle = p->next) {
		p = mr_packet_at(t->port.buffers->base, handle);
		iov[n++] = (struct iovec){ mr_packet_bytes(p), p->len };
	}
	do
		rc = writev(q->fd, iov, (int)n);
	while (rc < 0 && errno == EINTR);
	if (mr_likely(rc >= 0))
		return 0;
	return is_gone(errno) ? -ENODEV : -errno;
}

/* A UDP super-frame for a kernel that takes none from a TAP. */
static int
send_cut(struct tap_port *t, struct tap_queue *q, unsigned worker, uint32_t handle)
{
	uint32_t copy = mr_packet_copy(t->port.buffers, worker, handle), pieces[PIECES_MAX];
	unsigned consumed, failed = 0, n, i;
	int rc = 0;

	/* The packet itself stays the caller's until it is known to have gone. */
	if (copy == MR_PACKET_NONE)
		return -ENOBUFS;
	n = port_settle_for(&t->port, MR_PORT_TX_CSUM | MR_PORT_TX_CHAIN, worker, &copy, 1,
	    &consumed, pieces, PIECES_MAX, NULL, &failed);
	for (i = 0; i < n && !rc; i++)
		rc = send_one(t, q, pieces[i]);
	mr_packets_free(t->port.buffers, worker, pieces, n);
	/* Half sent is sent: the rest is lost like a datagram on a wire. */
	return failed ? -EINVAL : i > 1 && rc == -EAGAIN ? 0 : rc;
}

unsigned
tap_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct tap_port *t = (struct tap_port *)port;
	struct tap_queue *q = &t->queues[queue];
	struct mr_port_queue_stats *stats = &port->tx_stats[queue];
	uint64_t errors = 0, bytes = 0;
	unsigned i, gone = 0;
	int rc;

	for (i = 0; i < count; i++) {
		const struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);

		if (mr_unlikely(atomic_load_explicit(&q->gone, memory_order_relaxed)))
			rc = -ENODEV;
		else if (mr_unlikely((p->flags & MR_PACKET_GSO_UDP) && !t->uso))
			rc = send_cut(t, q, worker, packets[i]);
		else
			rc = send_one(t, q, packets[i]);
		if (mr_likely(!rc)) {
			bytes += p->total;
			continue;
		}
		if (rc == -EAGAIN)
			break;
		if (rc == -ENODEV) {
			queue_retire(t, q);
			gone = count - i;
			break;
		}
		errors++;
	}
	mr_counter_add(&stats->calls, i + (i < count));
	i += gone;
	port_swallow(port->buffers, worker, packets, i);
	if (mr_unlikely(gone))
		mr_counter_add(&stats->gone, gone);
	if (mr_unlikely(errors))
		mr_counter_add(&stats->errors, errors);
	mr_counter_add(&stats->bytes, bytes);
	mr_counter_add(&stats->packets, i - gone - errors);
	return i;
}
