/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_PORT_H
#define MR_KIT_PORT_PORT_H

/*
 * A port is a place where packets enter and leave: a kernel interface through
 * AF_XDP, a TAP, a capture file, a generator. This header is the whole contract
 * between drivers (kit/port/driver.h lists them) and everybody above.
 *
 * Life: open -> start -> rx and tx by workers, fd and arm to sleep -> stop ->
 * close. open reserves and checks but moves no packet; start lets packets in;
 * after stop returns no packet arrives and nothing is left in flight that still
 * names a buffer of ours (close frees what the device held).
 *
 * Ownership: rx hands its packets to the caller. tx owns what it accepts, which
 * is always a prefix of the burst; the rest stays the caller's. Buffers go back
 * to `buffers` with the worker number that the call was given.
 * Threads: open, start, stop, close, poll_link and stats belong to the control
 * thread. One queue's rx belongs to one worker at a time, and one queue's tx to
 * one worker at a time; the two may be different workers. stats may run while
 * workers do.
 * Errors: open and start return 0 or -errno with a text; rx and tx never fail,
 * they move fewer packets. A device that vanishes makes rx return 0 and tx
 * accept and count (`tx_gone`), until the control thread sees poll_link say -ENODEV.
 */

#include "kit/base/counter.h"
#include "kit/base/def.h"
#include "kit/base/error.h"
#include "kit/packet/buffers.h"
#include "kit/packet/packet.h"

#define MR_PORT_NAME_MAX 32
#define MR_PORT_MAX 1024
#define MR_PORT_QUEUES_MAX 64

struct mr_port;
struct mr_port_offload;

enum mr_port_cap {
	/* tx understands MR_PACKET_CSUM_PARTIAL. */
	MR_PORT_TX_CSUM = 1u << 0,
	/* tx understands MR_PACKET_GSO_*, gso_size included. */
	MR_PORT_TX_GSO = 1u << 1,
	/* tx takes chains. */
	MR_PORT_TX_CHAIN = 1u << 2,
	/* Bytes move between the device and our buffers without a copy by us. */
	MR_PORT_SHARED_MEMORY = 1u << 3,
	/* Comes to an end by itself (a capture file): state turns to MR_PORT_DONE. */
	MR_PORT_FINITE = 1u << 4,
	/* A packet sent here is gone for good and its sender learns nothing (null). */
	MR_PORT_SINK = 1u << 5,
};

enum mr_port_state {
	MR_PORT_DOWN, /* open, or the link is down */
	MR_PORT_UP,
	MR_PORT_DONE, /* a finite port has delivered everything */
	MR_PORT_GONE, /* the device vanished */
};

/* A key and value that configure one driver ("busy-poll" = "50"). */
struct mr_option {
	const char *key;
	const char *value;
};

enum mr_option_kind {
	MR_OPTION_BOOL, /* true, false */
	MR_OPTION_UINT, /* decimal, with k, M or G behind it; between min and max */
	MR_OPTION_TEXT,
	MR_OPTION_ENUM, /* one of `values`, separated by | */
};

/* What a driver understands; ends with a null key. Help and completion print it. */
struct mr_option_desc {
	const char *key;
	enum mr_option_kind kind;
	const char *values; /* of an enum: "native|generic" */
	uint64_t min, max;
	const char *fallback; /* the value when it is not given; null when there is none */
	const char *doc;
};

struct mr_port_config {
	const char *name;   /* ours, unique in a data plane */
	const char *device; /* the driver's: interface name, file path; may be null */
	const struct mr_option *options;
	size_t option_count;
	uint16_t index;     /* stamped into packets that arrive here */
	uint16_t rx_queues; /* wanted; 0: what the device has. The port says what it got */
	uint16_t tx_queues; /* likewise; a driver may give fewer, never more than 64 */
	uint16_t mtu;       /* wanted; 0: the device's */
	bool promiscuous;   /* take frames for other hosts too (a bridge needs it) */
	int numa_node;      /* -1: anywhere */
	struct mr_buffers *buffers;
	uint16_t workers; /* worker numbers that rx and tx may be called with: 0..workers-1 */
};

/* Counted by the driver per queue; each written by the one worker that owns it. */
struct mr_port_queue_stats {
	_Atomic uint64_t packets;
	_Atomic uint64_t bytes;
	_Atomic uint64_t errors; /* rx: frames the driver had to throw away (too long, malformed) */
	_Atomic uint64_t no_buffer; /* rx: frames lost because the pool was empty */
	_Atomic uint64_t gone;      /* tx: accepted for a device that had vanished */
	_Atomic uint64_t calls;     /* tx: system calls made; rx: likewise */
} __attribute__((aligned(MR_CACHE_LINE)));

/* What the device itself says, beside our own counters. */
struct mr_port_stats {
	uint64_t device_rx_dropped; /* by the kernel or device before we saw them */
	uint64_t device_tx_dropped;
	char detail[160]; /* one line for people: "native copy, need-wakeup" */
};

/* The part that every driver's structure starts with. */
struct mr_port {
	const struct mr_port_driver *driver;
	struct mr_buffers *buffers;
	uint16_t index;
	uint16_t rx_queues;
	uint16_t tx_queues;
	uint16_t mtu;           /* largest frame is mtu + 14 + 8 (two tags) */
	uint32_t caps;          /* enum mr_port_cap */
	uint32_t speed_mbps;    /* 0: not known */
	_Atomic uint32_t state; /* enum mr_port_state; written by control, DONE by the rx worker */
	uint8_t mac[6];
	uint16_t workers;
	char name[MR_PORT_NAME_MAX];
	char device[128];
	struct mr_port_queue_stats *rx_stats; /* [rx_queues] */
	struct mr_port_queue_stats *tx_stats; /* [tx_queues] */
};

struct mr_port_driver {
	const char *name;  /* "xdp" */
	const char *doc;   /* one line */
	const char *needs; /* privilege and kernel it wants: "CAP_NET_ADMIN, CAP_NET_RAW, ..." */
	const char *device_doc; /* what `device` means here; null when it takes none */
	/* Its ports are ends: `device` names the other one, and what is sent goes there within the graph. */
	bool joined;
	/* Nothing comes in but from within the graph, where it came in by another port. */
	bool within;
	bool device_named; /* it is an interface's name, for which the port's own can stand in */
	const struct mr_option_desc *options;

	int (*open)(struct mr_port **out, const struct mr_port_config *, struct mr_error *);
	int (*start)(struct mr_port *, struct mr_error *);
	void (*stop)(struct mr_port *);
	void (*close)(struct mr_port *); /* null is fine */

	/* Up to `max` (<= MR_VECTOR_MAX) packets from one queue. `worker` names the
	 * buffer cache to take from. */
	unsigned (*rx)(struct mr_port *, unsigned queue, unsigned worker, uint32_t *packets,
	    unsigned max);
	/* Sends a burst; returns how many of its first packets it took. */
	unsigned (*tx)(struct mr_port *, unsigned queue, unsigned worker, const uint32_t *packets,
	    unsigned count);

	/* To sleep on for reception with epoll (level-triggered), or -1: this port must be polled. */
	int (*rx_fd)(struct mr_port *, unsigned queue);
	/* About to sleep: arrange for rx_fd to become readable on the next packet.
	 * Returns false when there is already something to receive. Null: always true. */
	bool (*rx_arm)(struct mr_port *, unsigned queue);
	/* Called now and then by the queue's tx worker while nothing is sent: collect
	 * finished buffers, flush what waits. Returns true while some is still in
	 * flight. Null: nothing to do. */
	bool (*tx_idle)(struct mr_port *, unsigned queue, unsigned worker);

	/* The device's state: 1 up, 0 down, -ENODEV vanished. Cheap; called once a second. */
	int (*poll_link)(struct mr_port *);
	void (*stats)(struct mr_port *, struct mr_port_stats *);
	/* Treats packets of known flows by itself (kit/port/offload.h); null: it cannot. */
	const struct mr_port_offload *offload;
};

/* Opens with the driver of that name: checks the options against the driver's
 * description first (an unknown key is an error with a suggestion), fills the
 * common part. -ENOENT when there is no such driver. Puts "port NAME: " in front
 * of the driver's error. */
MR_API int mr_port_open(struct mr_port **out, const char *driver, const struct mr_port_config *,
    struct mr_error *);
MR_API void mr_port_close(struct mr_port *);

/* The check alone: keys known and given once, values of their kind and in range. */
MR_API int mr_options_check(const struct mr_option_desc *, const struct mr_port_config *,
    struct mr_error *);

/* For drivers: allocates `size` bytes that start with a filled struct mr_port
 * and its statistics for the queue counts given. Freed by mr_port_free. */
MR_API int mr_port_alloc(struct mr_port **out, size_t size, const struct mr_port_driver *,
    const struct mr_port_config *, uint16_t rx_queues, uint16_t tx_queues, struct mr_error *);
MR_API void mr_port_free(struct mr_port *);

/* For drivers: an option's value, already checked, or its fallback. */
MR_API const char *mr_option_text(const struct mr_option_desc *, const struct mr_port_config *,
    const char *key);
MR_API uint64_t mr_option_uint(const struct mr_option_desc *, const struct mr_port_config *,
    const char *key);
MR_API bool mr_option_bool(const struct mr_option_desc *, const struct mr_port_config *,
    const char *key);

/* For ports without a wire, each worker of which has a queue of its own: what went out, and came in.
 * Null is fine. */
mr_inline void
mr_port_count_tx(struct mr_port *port, unsigned worker, uint64_t packets, uint64_t bytes)
{
	if (!port)
		return;
	mr_counter_add(&port->tx_stats[worker % port->tx_queues].packets, packets);
	mr_counter_add(&port->tx_stats[worker % port->tx_queues].bytes, bytes);
}

mr_inline void
mr_port_count_rx(struct mr_port *port, unsigned worker, uint64_t packets, uint64_t bytes)
{
	if (!port)
		return;
	mr_counter_add(&port->rx_stats[worker % port->rx_queues].packets, packets);
	mr_counter_add(&port->rx_stats[worker % port->rx_queues].bytes, bytes);
}

/* Settles what the device cannot: completes partial checksums, cuts super-frames,
 * splits or linearises chains, for a burst about to be sent on `port`. Only packets with
 * MR_PACKET_TX_WORK flags or chains need it. Reads `in`, writes to `out` (room
 * for `room` handles) what to send instead, owning both; returns how many. Stops
 * early when `out` is full: *consumed says how many of `in` were taken. What
 * cannot be settled (no buffer, not cuttable) is added to *failed, and given back in `failures`
 * (room for MR_PORT_UNSETTLED_MAX(room) with count <= room); null: freed. */
#define MR_PORT_UNSETTLED_MAX(room) (2 * (room))
MR_API unsigned mr_port_settle(struct mr_port *, unsigned worker, const uint32_t *in,
    unsigned count, unsigned *consumed, uint32_t *out, unsigned room, uint32_t *failures,
    unsigned *failed);

#endif
