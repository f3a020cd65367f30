/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/packet/packet_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/port/netdev_int.h"
#include "kit/port/vnet_int.h"

#define SEND_BUFFER (8 << 20)
/* Of one system call: frames, and the pieces of memory that make them up. */
#define SEND_FRAMES MR_VECTOR_MAX
#define SEND_PIECES (2 * MR_VECTOR_MAX + MR_PACKET_SEGMENTS_MAX + 1)

extern const struct mr_port_driver mr_port_driver_packet;

struct packet_sender {
	int fd;
	struct mmsghdr messages[SEND_FRAMES];
	struct iovec pieces[SEND_PIECES];
	struct vnet_header headers[SEND_FRAMES];
} __attribute__((aligned(MR_CACHE_LINE)));

struct packet_port {
	struct mr_port port;
	int control;
	int index;
	struct packet_ring *rings;
	struct packet_sender *senders;
	uint64_t dropped; /* the kernel's count, gathered by stats */
};

static const struct mr_option_desc options[] = {
	{ .key = "ring",
	    .kind = MR_OPTION_UINT,
	    .min = 2,
	    .max = 4096,
	    .fallback = "32",
	    .doc = "blocks of 256 KB that each queue's ring has" },
	{ .key = "block-timeout",
	    .kind = MR_OPTION_UINT,
	    .min = 1,
	    .max = 1000,
	    .fallback = "1",
	    .doc = "milliseconds until the kernel hands over a block that is not full" },
	{ .key = "qdisc-bypass",
	    .kind = MR_OPTION_BOOL,
	    .fallback = "false",
	    .doc = "send past the interface's queueing discipline and tc" },
	{ 0 },
};

static void
packet_close(struct mr_port *port)
{
	struct packet_port *p = (struct packet_port *)port;
	unsigned i;

	if (!p)
		return;
	for (i = 0; p->rings && i < port->rx_queues; i++)
		packet_ring_close(&p->rings[i]);
	for (i = 0; p->senders && i < port->tx_queues; i++)
		if (p->senders[i].fd >= 0)
			close(p->senders[i].fd);
	if (p->control >= 0)
		close(p->control);
	free(p->rings);
	free(p->senders);
	mr_port_free(port);
}

static int
sender_open(struct packet_sender *s, int index, bool bypass, struct mr_error *error)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = index };
	int one = 1, size = SEND_BUFFER;

	/* Protocol 0: this socket only sends. */
	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return mr_error_set(error, -errno, "no packet socket: %s%s", strerror(errno),
		    errno == EPERM ? " (it takes CAP_NET_RAW)" : "");
	if (setsockopt(s->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    (bypass && setsockopt(s->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one))) ||
	    bind(s->fd, (struct sockaddr *)&address, sizeof(address)))
		return mr_error_set(error, -errno,
		    "cannot set up the packet socket to send with: %s", strerror(errno));
	/* The default holds 200 small frames. The second try is for those without CAP_NET_ADMIN. */
	if (setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

static int
promiscuous(int fd, int index, struct mr_error *error)
{
	struct packet_mreq request = { .mr_ifindex = index, .mr_type = PACKET_MR_PROMISC };

	/* Ends with the socket. */
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)))
		return mr_error_set(error, -errno, "cannot take frames for other hosts: %s",
		    strerror(errno));
	return 0;
}

static int
queues_open(struct packet_port *p, const struct mr_port_config *config, struct mr_error *error)
{
	unsigned rx = p->port.rx_queues, tx = p->port.tx_queues, i;
	int rc = 0;

	p->rings = aligned_alloc(MR_CACHE_LINE, rx * sizeof(*p->rings));
	p->senders = aligned_alloc(MR_CACHE_LINE, tx * sizeof(*p->senders));
	if (p->rings)
		memset(p->rings, 0, rx * sizeof(*p->rings));
	for (i = 0; p->rings && i < rx; i++)
		p->rings[i].fd = -1;
	for (i = 0; p->senders && i < tx; i++)
		p->senders[i].fd = -1;
	if (!p->rings || !p->senders)
		return mr_error_set(error, -ENOMEM, "no memory for %u queues", rx + tx);
	for (i = 0; i < rx && !rc; i++)
		rc = packet_ring_open(&p->rings[i], p->index,
		    (unsigned)mr_option_uint(options, config, "ring"),
		    (unsigned)mr_option_uint(options, config, "block-timeout"), error);
	if (!rc && rx > 1)
		rc = packet_ring_fanout(p->rings, rx, error);
	if (!rc && config->promiscuous)
		rc = promiscuous(p->rings[0].fd, p->index, error);
	for (i = 0; i < tx && !rc; i++)
		rc = sender_open(&p->senders[i], p->index,
		    mr_option_bool(options, config, "qdisc-bypass"), error);
	return rc;
}

static int
packet_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	struct packet_port *p;
	int rc;

	if (!config->device || !*config->device)
		return mr_error_set(error, -EINVAL, "it needs an interface (device)");
	rc = port_netdev_name_check(config->device, error);
	if (!rc)
		rc = mr_port_alloc(out, sizeof(*p), &mr_port_driver_packet, config,
		    MR_MAX(config->rx_queues, 1), MR_MAX(config->tx_queues, 1), error);
	if (rc)
		return rc;
	p = (struct packet_port *)*out;
	p->port.caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN;
	p->control = rc = port_netdev_socket(error);
	if (rc >= 0)
		p->index = rc = port_netdev_index(p->control, config->device, error);
	if (rc >= 0)
		rc = port_netdev_mac(p->control, config->device, p->port.mac, error);
	if (rc >= 0)
		rc = port_netdev_mtu(p->control, config->device, config->mtu, error);
	if (rc >= 0) {
		p->port.mtu = (uint16_t)rc;
		rc = queues_open(p, config, error);
		if (rc)
			mr_error_prefix(error, "interface %s", config->device);
	}
	if (rc < 0) {
		packet_close(*out);
		*out = NULL;
		return rc;
	}
	return 0;
}

static int
packet_start(struct mr_port *port, struct mr_error *error)
{
	struct packet_port *p = (struct packet_port *)port;
	unsigned i;
	int rc;

	for (i = 0; i < port->rx_queues; i++) {
		rc = packet_ring_let_in(&p->rings[i], true, error);
		if (rc) {
			mr_error_prefix(error, "port %s", port->name);
			return rc;
		}
	}
	atomic_store_explicit(&port->state, MR_PORT_UP, memory_order_relaxed);
	return 0;
}

static void
packet_stop(struct mr_port *port)
{
	struct packet_port *p = (struct packet_port *)port;
	unsigned i;

	for (i = 0; i < port->rx_queues; i++)
		packet_ring_let_in(&p->rings[i], false, NULL);
	atomic_store_explicit(&port->state, MR_PORT_DOWN, memory_order_relaxed);
}

static unsigned
packet_rx(struct mr_port *port, unsigned queue, unsigned worker, uint32_t *packets, unsigned max)
{
	struct packet_port *p = (struct packet_port *)port;

	return packet_ring_take(&p->rings[queue], port, queue, worker, packets, max);
}

struct burst {
	unsigned frames;            /* made ready, or left out as refused */
	unsigned ready;             /* messages */
	unsigned refused;           /* whose own line does not fit their bytes */
	uint8_t index[SEND_FRAMES]; /* of each message in the burst */
};

/* Frames to messages, as many as there is room for. */
static void
burst_build(struct packet_port *p, struct packet_sender *s, const uint32_t *packets, unsigned count,
    struct burst *burst)
{
	struct mr_buffers *b = p->port.buffers;
	unsigned used = 0, i;

	memset(burst, 0, offsetof(struct burst, index));
	for (i = 0;
	     i < count && i < SEND_FRAMES && used + MR_PACKET_SEGMENTS_MAX + 1 <= SEND_PIECES;
	     i++) {
		struct vnet_header *header = &s->headers[burst->ready];
		uint32_t handle = packets[i];
		unsigned first = used, n;

		if (mr_unlikely(vnet_from_packet(header, b, handle, p->port.mtu))) {
			burst->refused++;
			continue;
		}
		s->pieces[used++] = (struct iovec){ header, sizeof(*header) };
		for (n = 0; handle != MR_PACKET_NONE && n < MR_PACKET_SEGMENTS_MAX; n++) {
			struct mr_packet *seg = mr_packet_at(b->base, handle);

			s->pieces[used++] = (struct iovec){ mr_packet_bytes(seg), seg->len };
			handle = seg->next;
		}
		s->messages[burst->ready].msg_hdr =
		    (struct msghdr){ .msg_iov = &s->pieces[first], .msg_iovlen = used - first };
		burst->index[burst->ready++] = (uint8_t)i;
	}
	burst->frames = i;
}

static unsigned
packet_tx(struct mr_port *port, unsigned queue, unsigned worker, const uint32_t *packets,
    unsigned count)
{
	struct packet_port *p = (struct packet_port *)port;
	struct packet_sender *s = &p->senders[queue];
	struct mr_port_queue_stats *stats = &port->tx_stats[queue];
	uint64_t calls = 0, bytes = 0, errors = 0, gone = 0;
	unsigned done = 0, sent = 0, at;
	struct burst burst;
	bool full = false;
	int rc;

	static_assert(SEND_FRAMES <= 256, "burst.index is a byte");
	while (done < count && !full) {
		burst_build(p, s, packets + done, count - done, &burst);
		errors += burst.refused;
		for (at = 0; at < burst.ready;) {
			calls++;
			rc = sendmmsg(s->fd, s->messages + at, burst.ready - at, MSG_DONTWAIT);
			if (mr_likely(rc > 0)) {
				for (; rc; rc--, at++, sent++)
					bytes += mr_packet_at(port->buffers->base,
					    packets[done + burst.index[at]])
						     ->total;
				continue;
			}
			if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
				full = errno != EINTR;
				if (full)
					break;
			} else if (errno == ENXIO || errno == ENODEV) {
				gone += burst.ready - at;
				at = burst.ready;
			} else {
				/* ENETDOWN, ENOBUFS (a full queue), EMSGSIZE ...: this frame is lost. */
				errors++;
				at++;
			}
		}
		if (full) {
			/* Those refused while building that stand behind are built again. */
			unsigned kept = burst.index[at];

			errors -= burst.frames - kept - (burst.ready - at);
			done += kept;
		} else {
			done += burst.frames;
		}
	}
	port_swallow(port->buffers, worker, packets, done);
	mr_counter_add(&stats->calls, calls);
	mr_counter_add(&stats->packets, sent);
	mr_counter_add(&stats->bytes, bytes);
	if (mr_unlikely(errors))
		mr_counter_add(&stats->errors, errors);
	if (mr_unlikely(gone))
		mr_counter_add(&stats->gone, gone);
	return done;
}

static int
packet_rx_fd(struct mr_port *port, unsigned queue)
{
	return ((struct packet_port *)port)->rings[queue].fd;
}

static bool
packet_rx_arm(struct mr_port *port, unsigned queue)
{
	return !packet_ring_ready(&((struct packet_port *)port)->rings[queue]);
}

static int
packet_poll_link(struct mr_port *port)
{
	struct packet_port *p = (struct packet_port *)port;

	return port_netdev_link(p->control, p->index);
}

static void
packet_stats(struct mr_port *port, struct mr_port_stats *stats)
{
	struct packet_port *p = (struct packet_port *)port;
	unsigned i;

	memset(stats, 0, sizeof(*stats));
	/* Asking sets the kernel's count to zero. */
	for (i = 0; i < port->rx_queues; i++)
		p->dropped += packet_ring_dropped(&p->rings[i]);
	stats->device_rx_dropped = p->dropped;
	snprintf(stats->detail, sizeof(stats->detail), "TPACKET_V3, %u queue%s of %u KB, sendmmsg",
	    port->rx_queues, port->rx_queues > 1 ? "s" : "",
	    p->rings[0].blocks * (PACKET_BLOCK >> 10));
}

const struct mr_port_driver mr_port_driver_packet = {
	.name = "packet",
	.doc = "a kernel interface through AF_PACKET: works everywhere, copies, a millisecond of "
	       "latency",
	.needs = "CAP_NET_RAW",
	.device_named = true,
	.device_doc = "name of the interface",
	.options = options,
	.open = packet_open,
	.start = packet_start,
	.stop = packet_stop,
	.close = packet_close,
	.rx = packet_rx,
	.tx = packet_tx,
	.rx_fd = packet_rx_fd,
	.rx_arm = packet_rx_arm,
	.poll_link = packet_poll_link,
	.stats = packet_stats,
};
