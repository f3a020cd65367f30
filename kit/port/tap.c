/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap: a virtual interface whose other end is this kernel's network stack.
 *
 * With a vnet header in front of every frame, TCP and UDP cross unfinished: the
 * kernel hands over super-frames of 64 KB and leaves their checksums, and takes
 * such frames from us. Every frame is one system call; a super-frame carries the
 * bytes of forty.
 *
 * A queue keeps a stash of buffers, as many as the largest frame needs. While only
 * small frames come, readv is given one of them and a stretch of memory for what is
 * longer, which is then copied; once large frames come, it is given the whole stash,
 * whose filled part becomes a chain without a copy. (Naming 37 buffers costs readv a
 * fifth of its time with a small frame.)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kit/port/netdev_int.h"
#include "kit/port/vnet_int.h"

/* Known since Linux 6.2; Debian 12's headers are older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define SUPER_FRAME (65536u + 64u)
#define STASH_MAX ((SUPER_FRAME + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM)
#define PIECES_MAX 64u
/* Frames since the last large one that the whole stash is still named for. */
#define LARGE_MEMORY 64u

extern const struct mr_port_driver mr_port_driver_tap;

enum tap_offload {
	TAP_FULL,
	TAP_TCP,
	TAP_NONE,
};

struct tap_queue {
	int fd;
	_Atomic bool gone; /* set by either worker, read by control */
	/* Of the rx worker, on lines of its own. */
	MR_CACHE_ALIGNED unsigned stashed;
	unsigned large;      /* how many frames more */
	struct iovec few[3]; /* header, one buffer, overflow */
	struct vnet_header header;
	uint8_t *overflow; /* null: no frame is larger than a buffer */
	uint32_t stash[STASH_MAX];
	struct iovec iov[1 + STASH_MAX]; /* header, then the stash in its order */
} __attribute__((aligned(MR_CACHE_LINE)));

struct tap_port {
	struct mr_port port;
	int control; /* socket for questions about the interface */
	int quiet;   /* an event that never comes: takes the place of a queue that is gone */
	int index;
	enum tap_offload offload;
	bool up, uso;
	unsigned stash; /* buffers that the largest frame needs */
	struct tap_queue *queues;
};

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
	{ .key = "offload",
	    .kind = MR_OPTION_ENUM,
	    .values = "full|tcp|none",
	    .fallback = "full",
	    .doc = "what the kernel may leave to us and we to it: checksums and super-frames of "
		   "TCP and, "
		   "where it knows that (Linux 6.2), UDP; only TCP's; neither" },
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
	frame = t->offload != TAP_NONE ? SUPER_FRAME : t->port.mtu + 14u + 8u;
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

static int
tap_open(struct mr_port **out, const struct mr_port_config *config, struct mr_error *error)
{
	/* Without a device the kernel picks the name. */
	const char *device = config->device && *config->device ? config->device : "tap%d";
	uint16_t most = MR_MAX(config->rx_queues, config->tx_queues), queues = MR_MAX(most, 1);
	char name[IFNAMSIZ] = "";
	const char *offload;
	struct tap_port *t;
	int rc;

	rc = port_netdev_name_check(device, error);
	if (rc)
		return rc;
	memcpy(name, device, strlen(device));
	rc = mr_port_alloc(out, sizeof(*t), &mr_port_driver_tap, config, queues, queues, error);
	if (rc)
		return rc;
	t = (struct tap_port *)*out;
	t->port.caps = MR_PORT_TX_CSUM | MR_PORT_TX_GSO | MR_PORT_TX_CHAIN;
	t->up = mr_option_bool(options, config, "up");
	offload = mr_option_text(options, config, "offload");
	t->offload = !strcmp(offload, "full") ? TAP_FULL
	    : !strcmp(offload, "tcp")         ? TAP_TCP
					      : TAP_NONE;
	t->quiet = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->control = port_netdev_socket(error);
	if (t->control < 0)
		rc = t->control;
	else if (t->quiet < 0)
		rc = mr_error_set(error, -errno, "no event descriptor: %s", strerror(errno));
	else
		rc = queues_open(t, config, name, error);
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
	uint32_t handles[STASH_MAX];
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

static unsigned
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
				port_count(&stats->no_buffer, 1); /* the kernel keeps or loses it */
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
			port_count(&stats->no_buffer, 1);
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
	port_count(&stats->calls, calls);
	port_count(&stats->packets, n);
	port_count(&stats->bytes, bytes);
	if (mr_unlikely(errors))
		port_count(&stats->errors, errors);
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
	    &consumed, pieces, PIECES_MAX, &failed);
	for (i = 0; i < n && !rc; i++)
		rc = send_one(t, q, pieces[i]);
	mr_packets_free(t->port.buffers, worker, pieces, n);
	/* Half sent is sent: the rest is lost like a datagram on a wire. */
	return failed ? -EINVAL : i > 1 && rc == -EAGAIN ? 0 : rc;
}

static unsigned
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
	port_count(&stats->calls, i + (i < count));
	i += gone;
	port_swallow(port->buffers, worker, packets, i);
	if (mr_unlikely(gone))
		port_count(&stats->gone, gone);
	if (mr_unlikely(errors))
		port_count(&stats->errors, errors);
	port_count(&stats->bytes, bytes);
	port_count(&stats->packets, i - gone - errors);
	return i;
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
