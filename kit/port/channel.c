/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kit/base/ring_spsc.h"
#include "kit/port/driver_int.h"

#define SLOTS_MIN 16u

/*
 * Whoever sleeps: says so, looks once more, sleeps. Whoever puts: puts, looks whether the other
 * sleeps, wakes it. With a full fence between the two steps of each, one of them sees
 * the other.
 */
struct sleeper {
	MR_CACHE_ALIGNED _Atomic uint32_t asleep; /* 1 by the sleeper, 0 by whoever wakes it */
	int fd;
};

struct mr_channel {
	struct mr_port port;
	struct mr_spsc *in; /* to the graph */
	struct mr_spsc *out[MR_PORT_QUEUES_MAX];
	unsigned turn; /* the queue that receive begins with */
	struct sleeper thread, worker;
	/* Written by the thread. */
	_Atomic uint64_t received, sent, refused;
	/* By any worker. */
	MR_CACHE_ALIGNED _Atomic uint64_t wakes;
};

static void
say_asleep(struct sleeper *s)
{
	uint64_t drained;

	/* What woke us last time, or would for no reason now. */
	while (read(s->fd, &drained, sizeof(drained)) < 0 && errno == EINTR)
		;
	atomic_store_explicit(&s->asleep, 1, memory_order_relaxed);
	/* Pairs with the fence in wake_if_asleep. */
	atomic_thread_fence(memory_order_seq_cst);
}

/* Returns whether it had to. */
static bool
wake_if_asleep(struct sleeper *s)
{
	uint64_t one = 1;

	/* Pairs with the fence in say_asleep. */
	atomic_thread_fence(memory_order_seq_cst);
	if (mr_likely(!atomic_load_explicit(&s->asleep, memory_order_relaxed)) ||
	    !atomic_exchange_explicit(&s->asleep, 0, memory_order_relaxed))
		return false;
	while (write(s->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return true;
}

/* Awake again without having been woken. */
static void
say_awake(struct sleeper *s)
{
	if (mr_unlikely(atomic_load_explicit(&s->asleep, memory_order_relaxed)))
		atomic_store_explicit(&s->asleep, 0, memory_order_relaxed);
}

/* -- the graph's side ------------------------------------------------------------------- */

static int
channel_start(struct mr_port *port, struct mr_error *error)
{
	(void)error;
	atomic_store_explicit(&port->state, MR_PORT_UP, memory_order_relaxed);
	return 0;
}

static void
channel_stop(struct mr_port *port)
{
	atomic_store_explicit(&port->state, MR_PORT_DOWN, memory_order_relaxed);
}

static void
free_ring(struct mr_buffers *buffers, struct mr_spsc *ring)
{
	uint32_t packets[MR_VECTOR_MAX];
	unsigned n;

	while (ring && (n = mr_spsc_get_burst_u32(ring, packets, MR_VECTOR_MAX)) > 0)
		mr_packets_free(buffers, MR_POOL_SHARED, packets, n);
	mr_spsc_destroy(ring);
}

static void
channel_close(struct mr_port *port)
{
	struct mr_channel *c = (struct mr_channel *)port;

	if (!port)
		return;
	free_ring(port->buffers, c->in);
	for (unsigned q = 0; q < port->tx_queues; q++)
		free_ring(port->buffers, c->out[q]);
	if (c->thread.fd >= 0)
		close(c->thread.fd);
	if (c->worker.fd >= 0)
		close(c->worker.fd);
	mr_port_free(port);
}

static uint64_t
bytes_of(const struct mr_port *port, const uint32_t *packets, unsigned count)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++)
		bytes += mr_packet_at(port->buffers->base, packets[i])->total;
	return bytes;
}

static unsigned
channel_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct mr_channel *c = (struct mr_channel *)port;
	unsigned n = mr_spsc_get_burst_u32(c->in, packets, max);

	(void)worker;
	say_awake(&c->worker);
	if (!n)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct mr_packet *p = mr_packet_at(port->buffers->base, packets[i]);

		p->port = port->index;
		p->queue = (uint16_t)queue;
	}
	mr_counter_add(&port->rx_stats[queue].packets, n);
	mr_counter_add(&port->rx_stats[queue].bytes, bytes_of(port, packets, n));
	return n;
}

static unsigned
channel_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct mr_channel *c = (struct mr_channel *)port;
	uint64_t bytes = bytes_of(port, packets, count); /* once put they are not ours */
	unsigned n = mr_spsc_put_burst_u32(c->out[queue], packets, count);

	(void)worker;
	if (!n)
		return 0;
	if (wake_if_asleep(&c->thread)) {
		/* Rare, and several workers may count: the one counter that needs an add. */
		atomic_fetch_add_explicit(&c->wakes, 1, memory_order_relaxed);
		mr_counter_add(&port->tx_stats[queue].calls, 1);
	}
	/* What was refused is still ours to look at. */
	mr_counter_add(&port->tx_stats[queue].packets, n);
	mr_counter_add(&port->tx_stats[queue].bytes,
	    n == count ? bytes : bytes - bytes_of(port, packets + n, count - n));
	return n;
}

static int
channel_rx_fd(struct mr_port *port, unsigned queue)
{
	(void)queue;
	return ((struct mr_channel *)port)->worker.fd;
}

static bool
channel_rx_arm(struct mr_port *port, unsigned queue)
{
	struct mr_channel *c = (struct mr_channel *)port;

	(void)queue;
	say_asleep(&c->worker);
	return mr_spsc_count(c->in) == 0;
}

static int
channel_poll_link(struct mr_port *port)
{
	(void)port;
	return 1;
}

static void
channel_port_stats(struct mr_port *port, struct mr_port_stats *stats)
{
	const struct mr_channel *c = (const struct mr_channel *)port;
	struct mr_channel_stats s;

	memset(stats, 0, sizeof(*stats));
	mr_channel_stats(c, &s);
	snprintf(stats->detail, sizeof(stats->detail),
	    "%u slots, %llu packets in from the program, %llu out to it", mr_spsc_capacity(c->in),
	    (unsigned long long)s.sent, (unsigned long long)s.received);
}

/* Opened by programs, not by configurations: it is in no list. */
static const struct mr_port_driver driver = {
	.name = "channel",
	.doc = "packets to and from a thread of this program",
	.needs = "nothing",
	.start = channel_start,
	.stop = channel_stop,
	.close = channel_close,
	.rx = channel_rx,
	.tx = channel_tx,
	.rx_fd = channel_rx_fd,
	.rx_arm = channel_rx_arm,
	.poll_link = channel_poll_link,
	.stats = channel_port_stats,
};

/* -- the thread's side ------------------------------------------------------------------ */

static int
open_rings(struct mr_channel *c, uint32_t slots, struct mr_error *error)
{
	struct mr_ring_config config = { .capacity = MR_MAX(slots, SLOTS_MIN),
		.element_size = sizeof(uint32_t) };
	int rc = mr_spsc_create(&c->in, &config, error);

	for (unsigned q = 0; q < c->port.tx_queues && !rc; q++)
		rc = mr_spsc_create(&c->out[q], &config, error);
	return rc;
}

int
mr_channel_open(struct mr_port **port, struct mr_channel **channel,
    const struct mr_port_config *config, uint32_t slots, struct mr_error *error)
{
	uint16_t queues = config->tx_queues ? config->tx_queues : config->workers;
	struct mr_channel *c;
	int rc;

	*port = NULL;
	*channel = NULL;
	if (!config->buffers || config->index >= MR_PORT_MAX)
		return mr_error_set(error, -EINVAL, "channel %s: no buffers, or index %u",
		    config->name, config->index);
	queues = MR_MIN(MR_MAX(queues, (uint16_t)1), (uint16_t)MR_PORT_QUEUES_MAX);
	rc = mr_port_alloc(port, sizeof(*c), &driver, config, 1, queues, error);
	if (rc)
		return rc;
	c = (struct mr_channel *)*port;
	c->thread.fd = c->worker.fd = -1;
	c->port.caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN | MR_PORT_SHARED_MEMORY;
	c->thread.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->worker.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->thread.fd < 0 || c->worker.fd < 0)
		rc = mr_error_set(error, -errno, "no event descriptor: %s", strerror(errno));
	if (!rc)
		rc = open_rings(c, slots, error);
	if (rc)
		goto fail;
	*channel = c;
	return 0;

fail:
	channel_close(*port);
	*port = NULL;
	mr_error_prefix(error, "channel %s", config->name);
	return rc;
}

unsigned
mr_channel_receive(struct mr_channel *c, uint32_t *packets, unsigned max)
{
	unsigned queues = c->port.tx_queues, n = 0;

	say_awake(&c->thread);
	/* A flood on one queue must not keep the others waiting: every call begins with the next. */
	for (unsigned i = 0; i < queues && n < max; i++)
		n += mr_spsc_get_burst_u32(c->out[(c->turn + i) % queues], packets + n, max - n);
	c->turn = (c->turn + 1) % queues;
	mr_counter_add(&c->received, n);
	return n;
}

unsigned
mr_channel_send(struct mr_channel *c, const uint32_t *packets, unsigned count)
{
	unsigned n = 0;

	if (atomic_load_explicit(&c->port.state, memory_order_relaxed) == MR_PORT_UP)
		n = mr_spsc_put_burst_u32(c->in, packets, count);
	if (n)
		wake_if_asleep(&c->worker);
	mr_counter_add(&c->sent, n);
	mr_counter_add(&c->refused, count - n);
	return n;
}

int
mr_channel_fd(const struct mr_channel *c)
{
	return c->thread.fd;
}

bool
mr_channel_arm(struct mr_channel *c)
{
	say_asleep(&c->thread);
	for (unsigned q = 0; q < c->port.tx_queues; q++)
		if (mr_spsc_count(c->out[q]))
			return false;
	return true;
}

void
mr_channel_stats(const struct mr_channel *c, struct mr_channel_stats *stats)
{
	stats->received = mr_counter_get(&c->received);
	stats->sent = mr_counter_get(&c->sent);
	stats->refused = mr_counter_get(&c->refused);
	stats->wakes = mr_counter_get(&c->wakes);
}
