/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair: one of two ends. What is sent on it arrives on the other, within the graph and without a
 * ring in between: whoever puts both ends there stands a node behind the outputs of each
 * that leads on to what receives on the other (nf/interface). So nothing comes in or goes out
 * here, and all that a port of this driver has is a name, an address, an MTU and counts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "kit/port/driver_int.h"

#define PAIR_MTU 1500u

extern const struct mr_port_driver mr_port_driver_pair;

struct pair_port {
	struct mr_port port;
	int quiet; /* never readable */
};

static const struct mr_option_desc options[] = { { 0 } };

static int
pair_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	/* Every worker counts for itself, on both ends. */
	uint16_t queues = MR_MAX(config->workers, 1);
	struct pair_port *p;
	int rc;

	rc = mr_port_alloc(out, sizeof(*p), &mr_port_driver_pair, config, queues, queues, error);
	if (rc)
		return rc;
	p = (struct pair_port *)*out;
	p->port.mtu = config->mtu ? config->mtu : PAIR_MTU;
	p->port.caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN | MR_PORT_SINK;
	p->quiet = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->quiet < 0 || getrandom(p->port.mac, 6, 0) != 6) {
		rc = mr_error_set(error, -errno, "no descriptor or no random address: %s",
		    strerror(errno));
		if (p->quiet >= 0)
			close(p->quiet);
		mr_port_free(*out);
		*out = NULL;
		return rc;
	}
	/* Local, and one station's (IEEE 802, 8.2). */
	p->port.mac[0] = (uint8_t)((p->port.mac[0] & 0xfcu) | 2u);
	return 0;
}

static int
pair_start(struct mr_port *port, struct mr_error *error)
{
	(void)error;
	atomic_store_explicit(&port->state, MR_PORT_UP, memory_order_relaxed);
	return 0;
}

static void
pair_stop(struct mr_port *port)
{
	atomic_store_explicit(&port->state, MR_PORT_DOWN, memory_order_relaxed);
}

static void
pair_close(struct mr_port *port)
{
	if (!port)
		return;
	close(((struct pair_port *)port)->quiet);
	mr_port_free(port);
}

static unsigned
pair_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	(void)port;
	(void)queue;
	(void)worker;
	(void)packets;
	(void)max;
	return 0;
}

/* Nobody stands behind its outputs: there is no other end. */
static unsigned
pair_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	(void)port_swallow(port->buffers, worker, packets, count);
	mr_counter_add(&port->tx_stats[queue].gone, count);
	return count;
}

static int
pair_rx_fd(struct mr_port *port, unsigned queue)
{
	(void)queue;
	return ((struct pair_port *)port)->quiet;
}

static int
pair_poll_link(struct mr_port *port)
{
	(void)port;
	return 1;
}

static void
pair_stats(struct mr_port *port, struct mr_port_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	snprintf(stats->detail, sizeof(stats->detail), "joined to %.100s", port->device);
}

const struct mr_port_driver mr_port_driver_pair = {
	.name = "pair",
	.doc = "one of two ends within the data plane: what is sent on it arrives on the other",
	.needs = "nothing",
	.device_doc = "the interface that is the other end",
	.options = options,
	.joined = true,
	.open = pair_open,
	.start = pair_start,
	.stop = pair_stop,
	.close = pair_close,
	.rx = pair_rx,
	.tx = pair_tx,
	.rx_fd = pair_rx_fd,
	.poll_link = pair_poll_link,
	.stats = pair_stats,
};
