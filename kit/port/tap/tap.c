/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/tap/tap_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kit/port/namespace.h"
#include "kit/port/netdev_int.h"

/* Known since Linux 6.2; Debian 12's headers are older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

extern const struct mr_port_driver mr_port_driver_tap;

static const struct mr_option_desc options[] = {
	{ .key = "mac",
	    .kind = MR_OPTION_TEXT,
	    .max = 17,
	    .doc = "MAC address of the kernel's end; its own choice when not given" },
	{ .key = "up",
	    .kind = MR_OPTION_BOOL,
	    .fallback = "true",
	    .doc = "set the interface up at start" },
	{ .key = "persistent",
	    .kind = MR_OPTION_BOOL,
	    .fallback = "false",
	    .doc = "leave the interface there after close" },
	{ .key = "namespace",
	    .kind = MR_OPTION_TEXT,
	    .max = 4095,
	    .doc = "the network namespace of the interface: a name as ip netns has it, or a path; "
		   "our own when not given" },
	{ .key = "offload",
	    .kind = MR_OPTION_ENUM,
	    .values = "full|tcp|none",
	    .fallback = "full",
	    .doc = "what the kernel may leave to us and we to it: checksums and super-frames of "
		   "TCP and, where it knows that (Linux 6.2), UDP; only TCP's; neither" },
	{ 0 },
};

static void
tap_close(struct mr_port *port)
{
	struct tap_port *t = (struct tap_port *)port;
	unsigned i;

	if (!t)
		return;
	for (i = 0; t->queues && i < port->rx_queues; i++) {
		struct tap_queue *q = &t->queues[i];

		if (q->stashed)
			mr_buffers_put(port->buffers, MR_POOL_SHARED, q->stash, q->stashed);
		if (q->fd >= 0)
			close(q->fd);
		free(q->overflow);
	}
	if (t->control >= 0)
		close(t->control);
	if (t->quiet >= 0)
		close(t->quiet);
	free(t->queues);
	mr_port_free(port);
}

/* What the kernel answers to TUNSETIFF, said so that one knows what to do. */
static int
attach_error(const char *name, bool existed, int code, struct mr_error *error)
{
	switch (code) {
	case EPERM:
		return mr_error_set(error, -EPERM,
		    existed ? "no permission to attach to interface %s (it takes CAP_NET_ADMIN or "
			      "being its owner)"
			    : "no permission to create interface %s (it takes CAP_NET_ADMIN)",
		    name);
	case EBUSY:
		return mr_error_set(error, -EBUSY, "interface %s is taken by another process",
		    name);
	case EINVAL:
		if (existed)
			return mr_error_set(error, -EEXIST,
			    "interface %s exists already and is no TAP, or one with another number "
			    "of queues",
			    name);
		break;
	case E2BIG:
		return mr_error_set(error, -E2BIG, "interface %s cannot have so many queues", name);
	default:
		break;
	}
	return mr_error_set(error, -code, "cannot attach to TAP interface %s: %s", name,
	    strerror(code));
}

/* One queue: opens the device node and attaches it to the interface, which the first
 * attachment creates. `name` becomes what the kernel calls it. */
static int
queue_attach(int *out, char name[IFNAMSIZ], unsigned queues, bool existed, struct mr_error *error)
{
	struct ifreq r = { 0 };
	int fd, code = 0;

	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return mr_error_set(error, -errno, "cannot open /dev/net/tun: %s%s",
		    strerror(errno),
		    errno == ENOENT || errno == ENODEV || errno == ENXIO
			? " (is the tun module there?)"
			: "");
	memcpy(r.ifr_name, name, IFNAMSIZ);
	r.ifr_flags =
	    (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0));
	if (ioctl(fd, TUNSETIFF, &r)) {
		code = errno;
		/* A TAP made for many queues does not open without saying so. */
		if (code == EINVAL && queues == 1) {
			r.ifr_flags |= IFF_MULTI_QUEUE;
			code = ioctl(fd, TUNSETIFF, &r) ? errno : 0;
		}
	}
	if (code) {
		close(fd);
		return attach_error(name, existed, code, error);
	}
	memcpy(name, r.ifr_name, IFNAMSIZ);
	*out = fd;
	return 0;
}

/* The vnet header, and what the kernel may leave unfinished. */
static int
queue_offloads(struct tap_port *t, int fd, struct mr_error *error)
{
	unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int size = sizeof(struct vnet_header), little = 1, rc;

	if (ioctl(fd, TUNSETVNETHDRSZ, &size) || ioctl(fd, TUNSETVNETLE, &little))
		return mr_error_set(error, -errno, "cannot set the vnet header: %s",
		    strerror(errno));
	rc = -1;
	if (t->offload == TAP_FULL)
		rc = ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6);
	t->uso = !rc;
	if (rc)
		rc = ioctl(fd, TUNSETOFFLOAD, t->offload == TAP_NONE ? 0 : tcp);
	if (rc)
		return mr_error_set(error, -errno, "cannot set the offloads: %s", strerror(errno));
	return 0;
}

static int
interface_setup(struct tap_port *t, const struct mr_port_config *config, const char *name,
    struct mr_error *error)
{
	const char *mac = mr_option_text(options, config, "mac");
	uint8_t wanted[6];
	int rc;

	t->index = port_netdev_index(t->control, name, error);
	if (t->index < 0)
		return t->index;
	if (mac && port_mac_parse(mac, wanted))
		return mr_error_set(error, -EINVAL, "option mac: '%s' is not a MAC address", mac);
	rc = mac ? port_netdev_set_mac(t->control, name, wanted, error) : 0;
	if (!rc)
		rc = port_netdev_mac(t->control, name, t->port.mac, error);
	if (rc)
		return rc;
	/* Our end of the wire is another station than the kernel's. */
	t->port.mac[5] ^= 1;
	t->port.mac[0] |= 2;
	rc = port_netdev_mtu(t->control, name, config->mtu, error);
	if (rc < 0)
		return rc;
	t->port.mtu = (uint16_t)rc;
	snprintf(t->port.device, sizeof(t->port.device), "%s", name);
	return 0;
}

static int
queues_open(struct tap_port *t, const struct mr_port_config *config, char name[IFNAMSIZ],
    struct mr_error *error)
{
	unsigned n = t->port.rx_queues, frame, i;
	bool existed = if_nametoindex(name) != 0;
	int rc;

	t->queues = aligned_alloc(MR_CACHE_LINE, n * sizeof(*t->queues));
	if (!t->queues)
		return mr_error_set(error, -ENOMEM, "no memory for %u queues", n);
	memset(t->queues, 0, n * sizeof(*t->queues));
	for (i = 0; i < n; i++)
		t->queues[i].fd = -1;
	for (i = 0; i < n; i++) {
		rc = queue_attach(&t->queues[i].fd, name, n, existed || i, error);
		if (!rc)
			rc = queue_offloads(t, t->queues[i].fd, error);
		if (rc)
			return rc;
	}
	rc = interface_setup(t, config, name, error);
	if (rc)
		return rc;
	frame = t->offload != TAP_NONE ? TAP_SUPER_FRAME : t->port.mtu + 14u + 8u;
	t->stash = (frame + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM;
	for (i = 0; i < n; i++) {
		struct tap_queue *q = &t->queues[i];

		q->iov[0] = (struct iovec){ &q->header, sizeof(q->header) };
		q->few[0] = q->iov[0];
		if (frame <= MR_PACKET_ROOM)
			continue;
		q->overflow = malloc(frame - MR_PACKET_ROOM);
		if (!q->overflow)
			return mr_error_set(error, -ENOMEM, "no memory for %u queues", n);
		q->few[2] = (struct iovec){ q->overflow, frame - MR_PACKET_ROOM };
	}
	if (mr_option_bool(options, config, "persistent") &&
	    ioctl(t->queues[0].fd, TUNSETPERSIST, 1))
		return mr_error_set(error, -errno, "cannot make interface %s persistent: %s", name,
		    strerror(errno));
	return 0;
}

struct opening {
	struct tap_port *t;
	const struct mr_port_config *config;
	char name[IFNAMSIZ];
};

/* In the interface's namespace, where the descriptors then belong. */
static int
open_there(void *arg, struct mr_error *error)
{
	struct opening *o = arg;

	o->t->control = port_netdev_socket(error);
	return o->t->control < 0 ? o->t->control : queues_open(o->t, o->config, o->name, error);
}

static int
tap_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	/* Without a device the kernel picks the name. */
	const char *device = config->device && *config->device ? config->device : "tap%d";
	uint16_t most = MR_MAX(config->rx_queues, config->tx_queues), queues = MR_MAX(most, 1);
	struct opening opening = { .config = config };
	const char *offload, *namespace;
	struct tap_port *t;
	int rc;

	rc = port_netdev_name_check(device, error);
	if (rc)
		return rc;
	memcpy(opening.name, device, strlen(device));
	rc = mr_port_alloc(out, sizeof(*t), &mr_port_driver_tap, config, queues, queues, error);
	if (rc)
		return rc;
	t = opening.t = (struct tap_port *)*out;
	t->control = -1;
	t->port.caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN;
	t->up = mr_option_bool(options, config, "up");
	offload = mr_option_text(options, config, "offload");
	t->offload = !strcmp(offload, "full") ? TAP_FULL
	    : !strcmp(offload, "tcp")         ? TAP_TCP
					      : TAP_NONE;
	t->quiet = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	namespace = mr_option_text(options, config, "namespace");
	if (t->quiet < 0)
		rc = mr_error_set(error, -errno, "no event descriptor: %s", strerror(errno));
	else if (namespace)
		rc = mr_namespace_run(namespace, open_there, &opening, error);
	else
		rc = open_there(&opening, error);
	if (rc) {
		tap_close(*out);
		*out = NULL;
	}
	return rc;
}

static int
tap_start(struct mr_port *port, struct mr_error *error)
{
	struct tap_port *t = (struct tap_port *)port;
	int rc = t->up ? port_netdev_set_up(t->control, port->device, error) : 0;

	if (rc) {
		mr_error_prefix(error, "port %s", port->name);
		return rc;
	}
	atomic_store_explicit(&port->state, MR_PORT_UP, memory_order_relaxed);
	return 0;
}

static void
tap_stop(struct mr_port *port)
{
	atomic_store_explicit(&port->state, MR_PORT_DOWN, memory_order_relaxed);
}

static int
tap_rx_fd(struct mr_port *port, unsigned queue)
{
	return ((struct tap_port *)port)->queues[queue].fd;
}

static int
tap_poll_link(struct mr_port *port)
{
	struct tap_port *t = (struct tap_port *)port;
	struct ifreq r = { 0 };
	int flags;
	unsigned i;

	for (i = 0; i < port->rx_queues; i++)
		if (atomic_load_explicit(&t->queues[i].gone, memory_order_relaxed))
			return -ENODEV;
	/* Says EBADFD once the interface was deleted, and its name should it have a new one. */
	if (ioctl(t->queues[0].fd, TUNGETIFF, &r))
		return -ENODEV;
	flags = port_netdev_flags(t->control, r.ifr_name);
	/* Not found, yet attached: it was moved to another namespace. */
	return flags < 0 || ((flags & IFF_UP) && (flags & IFF_RUNNING));
}

static void
tap_stats(struct mr_port *port, struct mr_port_stats *stats)
{
	struct tap_port *t = (struct tap_port *)port;

	memset(stats, 0, sizeof(*stats));
	snprintf(stats->detail, sizeof(stats->detail), "%u queue%s, %s", port->rx_queues,
	    port->rx_queues > 1 ? "s" : "",
	    t->offload == TAP_NONE ? "whole frames only"
		: t->uso           ? "checksums, TCP and UDP super-frames"
				   : "checksums, TCP super-frames");
}

const struct mr_port_driver mr_port_driver_tap = {
	.name = "tap",
	.doc = "a virtual interface to this host's network stack",
	.needs = "CAP_NET_ADMIN (or an interface that belongs to the user), /dev/net/tun",
	.device_named = true,
	.device_doc =
	    "name of the interface, made when there is none; without it the kernel picks one",
	.options = options,
	.open = tap_open,
	.start = tap_start,
	.stop = tap_stop,
	.close = tap_close,
	.rx = tap_rx,
	.tx = tap_tx,
	.rx_fd = tap_rx_fd,
	.poll_link = tap_poll_link,
	.stats = tap_stats,
};
