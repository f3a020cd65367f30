/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports without a wire: `pair`, one of two ends, and `tunnel`, whose frames are wrapped into packets.
 * Whoever puts one into a graph stands a node behind its outputs (nf/interface, nf/tunnel), which sends
 * on what leaves there, and lets what arrives enter where the port's packets do. So nothing comes in or
 * goes out here, and all that such a port has is a name, an address, an MTU and counts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "kit/port/driver_int.h"

#define PAIR_MTU 1500u
#define TUNNEL_MTU 1450u /* of IPv4 over Ethernet: less 50 bytes of headers (RFC 7348, 4.3) */

extern const struct mr_port_driver mr_port_driver_pair, mr_port_driver_tunnel;

struct virtual_port {
	struct mr_port port;
	int quiet; /* never readable */
};

static const struct mr_option_desc options[] = { { 0 } };

static int
open_virtual(struct mr_port **out, const struct mr_port_driver *driver, unsigned mtu,
    const struct mr_port_config *config, struct mr_error *error)
{
	/* Every worker counts for itself. */
	uint16_t queues = MR_MAX(config->workers, 1);
	struct virtual_port *p;
	int rc;

	rc = mr_port_alloc(out, sizeof(*p), driver, config, queues, queues, error);
	if (rc)
		return rc;
	p = (struct virtual_port *)*out;
	p->port.mtu = (uint16_t)(config->mtu ? config->mtu : mtu);
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
pair_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	return open_virtual(out, &mr_port_driver_pair, PAIR_MTU, config, error);
}

static int
tunnel_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	return open_virtual(out, &mr_port_driver_tunnel, TUNNEL_MTU, config, error);
}

static int
virtual_start(struct mr_port *port, struct mr_error *error)
{
	(void)error;
	atomic_store_explicit(&port->state, MR_PORT_UP, memory_order_relaxed);
	return 0;
}

static void
virtual_stop(struct mr_port *port)
{
	atomic_store_explicit(&port->state, MR_PORT_DOWN, memory_order_relaxed);
}

static void
virtual_close(struct mr_port *port)
{
	if (!port)
		return;
	close(((struct virtual_port *)port)->quiet);
	mr_port_free(port);
}

static unsigned
virtual_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	(void)port;
	(void)queue;
	(void)worker;
	(void)packets;
	(void)max;
	return 0;
}

/* Nobody stands behind its outputs: there is no other end, or no tunnel. */
static unsigned
virtual_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	(void)port_swallow(port->buffers, worker, packets, count);
	mr_counter_add(&port->tx_stats[queue].gone, count);
	return count;
}

static int
virtual_rx_fd(struct mr_port *port, unsigned queue)
{
	(void)queue;
	return ((struct virtual_port *)port)->quiet;
}

static int
virtual_poll_link(struct mr_port *port)
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
	.within = true,
	.open = pair_open,
	.start = virtual_start,
	.stop = virtual_stop,
	.close = virtual_close,
	.rx = virtual_rx,
	.tx = virtual_tx,
	.rx_fd = virtual_rx_fd,
	.poll_link = virtual_poll_link,
	.stats = pair_stats,
};

const struct mr_port_driver mr_port_driver_tunnel = {
	.name = "tunnel",
	.doc = "what is sent on it is wrapped and sent to the tunnel's remote ends, as configured "
	       "there",
	.needs = "a tunnel of the interface's name",
	.options = options,
	.within = true,
	.open = tunnel_open,
	.start = virtual_start,
	.stop = virtual_stop,
	.close = virtual_close,
	.rx = virtual_rx,
	.tx = virtual_tx,
	.rx_fd = virtual_rx_fd,
	.poll_link = virtual_poll_link,
};
