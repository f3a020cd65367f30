/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xdp: a kernel interface through AF_XDP. open tries the modes in turn, each time the
 * whole of it (memory, sockets, program), because what works shows only at the end.
 * The program is attached by open with an empty map, so that everything still goes to
 * the kernel; start puts the sockets into the map.
 */
#include "kit/port/xdp/xdp_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "kit/base/cpu.h"

extern const struct mr_port_driver mr_port_driver_xdp;

static const struct mr_option_desc options[] = {
	{ .key = "mode",
	    .kind = MR_OPTION_ENUM,
	    .values = "auto|zerocopy|native|generic",
	    .fallback = "auto",
	    .doc = "zerocopy: the device uses our buffers; native: its driver runs the steering "
		   "program, the kernel copies; generic: for any interface; auto: the first of "
		   "these that works" },
	{ .key = "filter",
	    .kind = MR_OPTION_TEXT,
	    .doc = "a tcpdump expression: only frames that match are taken, the others stay with "
		   "the kernel" },
	{ .key = "leave",
	    .kind = MR_OPTION_TEXT,
	    .doc = "a tcpdump expression: frames that match stay with the kernel (tcp port 22)" },
	{ .key = "ring-size",
	    .kind = MR_OPTION_UINT,
	    .min = 64,
	    .max = 32768,
	    .fallback = "2048",
	    .doc = "frames that each ring of each queue holds, rounded up to a power of two; the "
		   "kernel "
		   "keeps as many buffers for reception" },
	{ .key = "batch",
	    .kind = MR_OPTION_UINT,
	    .min = 1,
	    .max = MR_VECTOR_MAX,
	    .fallback = "256",
	    .doc = "most frames that one call receives" },
	{ .key = "rest",
	    .kind = MR_OPTION_UINT,
	    .min = 0,
	    .max = 1000,
	    .fallback = "3",
	    .doc = "microseconds that a queue is left alone after a call that received only a few "
		   "frames: more throughput for that much latency; none with busy-poll" },
	{ .key = "busy-poll",
	    .kind = MR_OPTION_UINT,
	    .min = 0,
	    .max = 1000000,
	    .fallback = "0",
	    .doc = "microseconds that the kernel polls the device inside our calls instead of by "
		   "interrupts; 0: off" },
	{ .key = "busy-poll-budget",
	    .kind = MR_OPTION_UINT,
	    .min = 1,
	    .max = 4096,
	    .fallback = "64",
	    .doc = "most frames that one such poll handles" },
	{ .key = "checksum",
	    .kind = MR_OPTION_ENUM,
	    .values = "auto|trust|check",
	    .fallback = "auto",
	    .doc = "look for checksums that the sending kernel left to the device; auto: "
		   "unless the device is a physical one" },
	{ .key = "up",
	    .kind = MR_OPTION_BOOL,
	    .fallback = "true",
	    .doc = "bring the interface up; it is left up when the port is closed" },
	{ 0 },
};

static const char *const mode_names[] = {
	[XDP_MODE_ZEROCOPY] = "zero-copy",
	[XDP_MODE_NATIVE] = "native copy",
	[XDP_MODE_GENERIC] = "generic",
};

/* Largest frame that fits, with the frames-of-several-buffers that the mode got. */
static uint32_t
frame_room(const struct xdp_port *x)
{
	return x->frags && x->steer.frags ? XDP_SEGMENTS_MAX * MR_PACKET_ROOM : MR_PACKET_ROOM;
}

/* A zero-copy device reaches buffers by bus address, and the kernel (silently) throws away those
 * that cross from one page to another that does not follow it on the bus: most of ours
 * on 4 KB pages. */
static int
pages_fit(const struct xdp_port *x, enum xdp_mode mode, struct mr_error *error)
{
	const struct mr_arena *arena = x->port.buffers->arena;

	if (mode != XDP_MODE_ZEROCOPY || arena->pages == MR_ARENA_2M || arena->pages == MR_ARENA_1G)
		return 0;
	return mr_error_set(error, -ENOTSUP,
	    "zero-copy needs packet memory on hugepages (it is on %s)",
	    mr_arena_pages_name(arena->pages));
}

static void
detach(struct xdp_port *x)
{
	const struct timespec pause = { .tv_nsec = 50000000 };

	/* First the program: then drivers stop receiving into our buffers. In zero-copy mode they
	 * finish behind our back. */
	xdp_steer_close(&x->steer);
	xdp_offload_functions.close(&x->port);
	xdp_sockets_close(x);
	if (x->mode == XDP_MODE_ZEROCOPY)
		nanosleep(&pause, NULL);
	xdp_buffers_return(x);
}

static int
try_mode(struct xdp_port *x, enum xdp_mode mode, const struct mr_port_config *config,
    struct mr_error *error)
{
	const struct xdp_steer_config steer = {
		.ifindex = x->device.ifindex,
		.device = x->device.name,
		.filter = mr_option_text(options, config, "filter"),
		.leave = mr_option_text(options, config, "leave"),
		.queues = x->port.rx_queues,
		.native = mode != XDP_MODE_GENERIC,
	};
	int rc;

	rc = pages_fit(x, mode, error);
	if (!rc)
		rc = xdp_sockets_open(x, mode, error);
	if (rc)
		return rc;
	x->mode = mode;
	rc = xdp_steer_open(&x->steer, &steer, error);
	if (!rc && x->device.mtu + XDP_FRAME_OVERHEAD > frame_room(x))
		rc = mr_error_set(error, -EMSGSIZE,
		    "%s's MTU of %u is too large: %u at most here (%s)", x->device.name,
		    x->device.mtu, frame_room(x) - XDP_FRAME_OVERHEAD,
		    frame_room(x) > MR_PACKET_ROOM ? "17 buffers a frame"
						   : "one buffer a frame, for want of Linux 6.6");
	if (rc)
		detach(x);
	return rc;
}

/* What no other mode would make better. */
static bool
hopeless(int rc)
{
	return rc == -EPERM || rc == -EBUSY || rc == -ENODEV || rc == -ENOBUFS ||
	    rc == -EAFNOSUPPORT;
}

static int
try_modes(struct xdp_port *x, const struct mr_port_config *config, struct mr_error *error)
{
	static const char *const names[] = { "zerocopy", "native", "generic" };
	const char *wanted = mr_option_text(options, config, "mode");
	struct mr_error one = { 0 };
	size_t used = 0;
	int rc = -EINVAL;
	unsigned mode;

	*error = (struct mr_error){ 0 };
	for (mode = XDP_MODE_ZEROCOPY; mode <= XDP_MODE_GENERIC; mode++) {
		if (strcmp(wanted, "auto") && strcmp(wanted, names[mode]))
			continue;
		rc = try_mode(x, mode, config, &one);
		if (!rc)
			return 0;
		if (hopeless(rc))
			return mr_error_set(error, rc, "%s", one.text);
		if (used < sizeof(error->text))
			used += (size_t)snprintf(error->text + used, sizeof(error->text) - used,
			    "%s%s: %s", used ? "; " : "", mode_names[mode], one.text);
	}
	error->code = rc;
	return rc;
}

/*
 * VLAN tags that were taken out of a frame before we see it are lost to us. A NIC is told
 * to leave them in. On veth the tag comes from the other end (its VLAN interface, or a
 * bridge behind it); in native mode the steering program asks the driver for it. In generic
 * mode there is nobody to ask: the other end has to put tags into the bytes
 * (ethtool -K PEER tx-vlan-offload off).
 */
static void
keep_tags(struct xdp_port *x)
{
	bool native = x->mode != XDP_MODE_GENERIC;

	if (!strcmp(x->device.driver, "veth"))
		x->tags = native && x->steer.tags;
	else
		x->tags = xdp_device_keep_tags(&x->device) && (native || x->device.edge);
}

static int
prepare(struct xdp_port *x, const struct mr_port_config *config, struct mr_error *error)
{
	const char *checksum = mr_option_text(options, config, "checksum");
	uint32_t ring = (uint32_t)mr_option_uint(options, config, "ring-size");
	uint32_t probe;
	int rc;

	x->ring_size = 64;
	while (x->ring_size < ring)
		x->ring_size *= 2;
	x->burst = (uint32_t)mr_option_uint(options, config, "batch");
	x->busy_poll_us = (uint32_t)mr_option_uint(options, config, "busy-poll");
	x->busy_poll_budget = (uint32_t)mr_option_uint(options, config, "busy-poll-budget");
	x->busy_poll = x->busy_poll_us != 0;
	if (!x->busy_poll)
		x->rest_cycles =
		    (uint32_t)(mr_option_uint(options, config, "rest") * mr_cpu_tsc_hz() / 1000000);
	x->check = !strcmp(checksum, "check") || (!strcmp(checksum, "auto") && x->device.checksums);
	x->buffer_slots = (uint32_t)(x->port.buffers->arena->size / MR_PACKET_STRIDE + 1);
	if (!mr_buffers_get(x->port.buffers, MR_POOL_SHARED, &probe, 1))
		return mr_error_set(error, -ENOBUFS, "no packet buffer is left");
	x->buffer_phase = probe % MR_PACKET_STRIDE_LINES;
	mr_buffers_put(x->port.buffers, MR_POOL_SHARED, &probe, 1);

	x->queues = aligned_alloc(MR_CACHE_LINE, x->queue_count * sizeof(*x->queues));
	if (!x->queues)
		return mr_error_set(error, -ENOMEM, "no memory for %u queues", x->queue_count);
	memset(x->queues, 0, x->queue_count * sizeof(*x->queues));

	rc = xdp_steer_check_filters(mr_option_text(options, config, "filter"),
	    mr_option_text(options, config, "leave"), error);
	if (!rc)
		rc = xdp_steer_check_free(x->device.ifindex, x->device.name, error);
	if (!rc && config->mtu && config->mtu != x->device.mtu)
		rc = xdp_device_set_mtu(&x->device, config->mtu, error);
	if (!rc && mr_option_bool(options, config, "up"))
		rc = xdp_device_set_up(&x->device, error);
	return rc;
}

static void
xdp_close(struct mr_port *port)
{
	struct xdp_port *x = (struct xdp_port *)port;

	if (!port)
		return;
	if (x->queues)
		detach(x);
	xdp_device_close(&x->device);
	free(x->queues);
	mr_port_free(port);
}

/* What config asks for, but no more than the device has. */
static uint16_t
queue_count(unsigned wanted, unsigned there)
{
	unsigned count = wanted && wanted < there ? wanted : there;

	return (uint16_t)MR_MIN(count, (unsigned)MR_PORT_QUEUES_MAX);
}

static int
xdp_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	struct mr_error local;
	struct xdp_device device;
	struct xdp_port *x;
	int rc;

	*out = NULL;
	error = error ? error : &local;
	rc = xdp_device_open(&device, config->device, error);
	if (rc)
		return rc;
	rc = mr_port_alloc(out, sizeof(*x), &mr_port_driver_xdp, config,
	    queue_count(config->rx_queues, device.rx_queues),
	    queue_count(config->tx_queues, device.tx_queues), error);
	if (rc) {
		xdp_device_close(&device);
		return rc;
	}
	x = (struct xdp_port *)*out;
	x->device = device;
	x->steer = (struct xdp_steer){ .map_fd = -1, .prog_fd = -1, .link_fd = -1 };
	x->queue_count = MR_MAX(x->port.rx_queues, x->port.tx_queues);
	rc = prepare(x, config, error);
	if (!rc)
		rc = try_modes(x, config, error);
	if (!rc && config->promiscuous)
		rc = xdp_device_set_promiscuous(&x->device, error);
	if (rc) {
		xdp_close(*out);
		*out = NULL;
		return rc;
	}
	keep_tags(x);
	x->frame_max = x->device.mtu + XDP_FRAME_OVERHEAD;
	x->port.mtu = (uint16_t)x->device.mtu;
	x->port.caps = MR_PORT_SHARED_MEMORY | (x->frags && x->steer.frags ? MR_PORT_TX_CHAIN : 0);
	x->port.speed_mbps = x->device.speed_mbps;
	memcpy(x->port.mac, x->device.mac, sizeof(x->port.mac));
	return 0;
}

static void
xdp_stop(struct mr_port *port)
{
	struct xdp_port *x = (struct xdp_port *)port;
	unsigned i;

	for (i = 0; i < port->rx_queues && x->running; i++)
		xdp_steer_leave(&x->steer, i);
	x->running = false;
	atomic_store_explicit(&port->state, MR_PORT_DOWN, memory_order_relaxed);
}

static int
xdp_poll_link(struct mr_port *port)
{
	struct xdp_port *x = (struct xdp_port *)port;
	int link = xdp_device_link(&x->device);
	enum mr_port_state state = link < 0 ? MR_PORT_GONE
	    : link && x->running            ? MR_PORT_UP
					    : MR_PORT_DOWN;

	atomic_store_explicit(&port->state, state, memory_order_relaxed);
	return link;
}

static int
xdp_start(struct mr_port *port, struct mr_error *error)
{
	struct xdp_port *x = (struct xdp_port *)port;
	unsigned i;
	int rc = 0;

	x->running = true;
	for (i = 0; i < port->rx_queues && !rc; i++)
		rc = xdp_steer_take(&x->steer, i, x->queues[i].fd, error);
	if (rc)
		xdp_stop(port);
	else
		xdp_poll_link(port);
	return rc;
}

static void
add_kernel_counts(const struct xdp_queue *q, struct mr_port_stats *stats)
{
	struct xdp_statistics s = { 0 };
	socklen_t size = sizeof(s);

	if (getsockopt(q->fd, SOL_XDP, XDP_STATISTICS, &s, &size))
		return;
	stats->device_rx_dropped += s.rx_dropped + s.rx_ring_full;
	stats->device_tx_dropped += s.tx_invalid_descs;
}

static void
xdp_stats(struct mr_port *port, struct mr_port_stats *stats)
{
	struct xdp_port *x = (struct xdp_port *)port;
	uint64_t ours = 0;
	unsigned i;

	memset(stats, 0, sizeof(*stats));
	for (i = 0; i < x->queue_count; i++)
		add_kernel_counts(&x->queues[i], stats);
	/* What the queues count as no_buffer is in the kernel's number too. */
	for (i = 0; i < port->rx_queues; i++)
		ours += atomic_load_explicit(&port->rx_stats[i].no_buffer, memory_order_relaxed);
	stats->device_rx_dropped -= MR_MIN(ours, stats->device_rx_dropped);
	snprintf(stats->detail, sizeof(stats->detail),
	    "%s, driver %s, %u of %u receive queues%s, %s, VLAN tags %s, checksums %s%s",
	    mode_names[x->mode], *x->device.driver ? x->device.driver : "unknown", port->rx_queues,
	    x->device.rx_queues,
	    port->rx_queues < x->device.rx_queues ? " (the kernel keeps the others')" : "",
	    x->port.caps & MR_PORT_TX_CHAIN ? "chains" : "no chains",
	    x->tags ? "kept" : "may be lost", x->check ? "looked at" : "trusted",
	    x->busy_poll ? ", busy poll" : "");
}

const struct mr_port_driver mr_port_driver_xdp = {
	.name = "xdp",
	.doc = "a kernel interface through AF_XDP; the rest of the system keeps using it",
	.needs =
	    "CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF while it opens; CAP_IPC_LOCK or a large enough "
	    "ulimit -l; Linux 5.9, for frames above 1,792 bytes Linux 6.6",
	.device_named = true,
	.device_doc = "name of the interface (eth0)",
	.options = options,
	.open = xdp_open,
	.start = xdp_start,
	.stop = xdp_stop,
	.close = xdp_close,
	.rx = xdp_rx,
	.tx = xdp_tx,
	.rx_fd = xdp_rx_fd,
	.rx_arm = xdp_rx_arm,
	.tx_idle = xdp_tx_idle,
	.poll_link = xdp_poll_link,
	.stats = xdp_stats,
	.offload = &xdp_offload_functions,
};
