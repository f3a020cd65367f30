/* SPDX-License-Identifier: Apache-2.0 */
/*
 * null: a port with nothing behind it. What is sent is freed. What arrives is
 * nothing, or an endless stream of frames as cheap as can be, to measure what
 * stands between two ports and not the ports.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kit/port/driver_int.h"

extern const struct mr_port_driver mr_port_driver_null;

enum null_rx {
	NULL_NONE,
	NULL_BARE,
	NULL_COPY,
};

struct null_port {
	struct mr_port port;
	enum null_rx rx;
	uint16_t size;
	int quiet; /* never readable: an idle worker may sleep on it */
	alignas(MR_CACHE_LINE) uint8_t frame[MR_PACKET_ROOM];
};

static const struct mr_option_desc options[] = {
	{ .key = "rx",
	    .kind = MR_OPTION_ENUM,
	    .values = "none|bare|copy",
	    .fallback = "none",
	    .doc =
		"what arrives: nothing; frames whose bytes are left as the buffer had them; frames "
		"that "
		"are written" },
	{ .key = "size",
	    .kind = MR_OPTION_UINT,
	    .min = 14,
	    .max = MR_PACKET_ROOM,
	    .fallback = "64",
	    .doc = "bytes of each frame that arrives" },
	{ 0 },
};

/* To and from local addresses, with the ethertype for experiments (IEEE 802, 0x88b5). */
static void
frame_fill(uint8_t *frame)
{
	static const uint8_t head[14] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };

	memcpy(frame, head, sizeof(head));
}

static int
null_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	const char *rx = mr_option_text(options, config, "rx");
	struct null_port *n;
	int rc;

	rc = mr_port_alloc(out, sizeof(*n), &mr_port_driver_null, config,
	    MR_MAX(config->rx_queues, 1), MR_MAX(config->tx_queues, 1), error);
	if (rc)
		return rc;
	n = (struct null_port *)*out;
	n->port.caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN | MR_PORT_SINK;
	n->rx = !strcmp(rx, "none") ? NULL_NONE : !strcmp(rx, "bare") ? NULL_BARE : NULL_COPY;
	n->size = (uint16_t)mr_option_uint(options, config, "size");
	frame_fill(n->frame);
	n->quiet = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->quiet < 0) {
		rc = mr_error_set(error, -errno, "no event descriptor: %s", strerror(errno));
		mr_port_free(*out);
		*out = NULL;
	}
	return rc;
}

static int
null_start(struct mr_port *port, struct mr_error *error)
{
	atomic_store_explicit(&port->state, MR_PORT_UP, memory_order_relaxed);
	return 0;
}

static void
null_stop(struct mr_port *port)
{
	atomic_store_explicit(&port->state, MR_PORT_DOWN, memory_order_relaxed);
}

static void
null_close(struct mr_port *port)
{
	if (!port)
		return;
	close(((struct null_port *)port)->quiet);
	mr_port_free(port);
}

static unsigned
null_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct null_port *n = (struct null_port *)port;
	struct mr_port_queue_stats *stats = &port->rx_stats[queue];
	uint64_t origin = port_origin(port->index, (uint16_t)queue);
	uint8_t *base = port->buffers->base;
	unsigned count, i;

	if (n->rx == NULL_NONE)
		return 0;
	count = port_take(port->buffers, worker, packets, max);
	for (i = 0; i < count; i++)
		port_fresh(mr_packet_at(base, packets[i]), n->size, origin);
	if (n->rx == NULL_COPY)
		for (i = 0; i < count; i++)
			port_copy_lines((uint8_t *)mr_packet_at(base, packets[i]) + MR_PACKET_DATA,
			    n->frame, n->size);
	if (mr_unlikely(!count && max))
		mr_counter_add(&stats->no_buffer, 1);
	mr_counter_add(&stats->packets, count);
	mr_counter_add(&stats->bytes, (uint64_t)count * n->size);
	return count;
}

static unsigned
null_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct mr_port_queue_stats *stats = &port->tx_stats[queue];

	mr_counter_add(&stats->bytes, port_swallow(port->buffers, worker, packets, count));
	mr_counter_add(&stats->packets, count);
	return count;
}

static int
null_rx_fd(struct mr_port *port, unsigned queue)
{
	struct null_port *n = (struct null_port *)port;

	return n->rx == NULL_NONE ? n->quiet : -1;
}

static int
null_poll_link(struct mr_port *port)
{
	return 1;
}

static void
null_stats(struct mr_port *port, struct mr_port_stats *stats)
{
	struct null_port *n = (struct null_port *)port;

	memset(stats, 0, sizeof(*stats));
	if (n->rx == NULL_NONE)
		snprintf(stats->detail, sizeof(stats->detail), "nothing arrives");
	else
		snprintf(stats->detail, sizeof(stats->detail), "endless frames of %u bytes%s",
		    n->size, n->rx == NULL_BARE ? ", not written" : "");
}

const struct mr_port_driver mr_port_driver_null = {
	.name = "null",
	.doc = "frees what is sent; receives nothing, or an endless stream to measure with",
	.needs = "nothing",
	.options = options,
	.open = null_open,
	.start = null_start,
	.stop = null_stop,
	.close = null_close,
	.rx = null_rx,
	.tx = null_tx,
	.rx_fd = null_rx_fd,
	.poll_link = null_poll_link,
	.stats = null_stats,
};
